//! Readings of the same table are the same.

use futures::future::join_all;

use crate::SourceError;

use super::Verdict;
use super::report::text;
use super::rows::Rows;
use super::subject::Subject;

/// Readings at once.
const AT_ONCE: usize = 4;

pub(super) async fn stable(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let tables = subject.tables().await?;
    for table in &tables.examined {
        let again = subject.examine(&table.name).await?;
        if !again.rows.same(&table.rows) {
            // Either the table is being changed or the connector is wrong; a third reading tells.
            let third = subject.examine(&table.name).await?;
            return Ok(if third.rows.same(&table.rows) {
                Verdict::failed(text(
                    format!("`{}` has other rows when it is read again", table.name),
                    format!("`{}` 重复读取结果不同", table.name),
                ))
            } else {
                moving(&table.name)
            });
        }
        if !again.rows.same_order(&table.rows) {
            return Ok(Verdict::failed(text(
                format!(
                    "`{}` comes in another order each time, so its digest changes although nothing else has",
                    table.name
                ),
                format!("`{}` 每次次序不同，数据未变而摘要改变", table.name),
            )));
        }
    }
    Ok(if tables.examined.is_empty() {
        nothing_small()
    } else {
        Verdict::passed_on(left_out(subject, &tables.too_large))
    })
}

fn left_out(subject: &Subject, too_large: &[crate::TableName]) -> super::Text {
    let most = subject.options.rows_compared_max;
    let names: Vec<_> = too_large.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return text("all tables were read whole", "全部表均已完整读取");
    }
    let names = names.join(", ");
    text(
        format!("not compared row by row, having more than {most} rows: {names}"),
        format!("超过 {most} 行而未逐行比对：{names}"),
    )
}

/// There is no table that can be compared.
pub(super) fn nothing_small() -> Verdict {
    Verdict::not_applicable(text(
        "there is no table that is small enough to be compared: name one, or allow more rows",
        "没有规模适于比对的表：请指定一张，或放宽行数",
    ))
}

/// The table does not hold still.
pub(super) fn moving(table: &crate::TableName) -> Verdict {
    Verdict::not_applicable(text(
        format!("`{table}` is being changed at the source: name a table that holds still"),
        format!("`{table}` 在源端持续变动，请指定静止的表"),
    ))
}

pub(super) async fn concurrent(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let tables = subject.tables().await?;
    let Some(table) = tables.examined.iter().max_by_key(|table| table.rows.len()) else {
        return Ok(nothing_small());
    };
    let request = subject.request(&table.name, table.columns());
    let one = async || {
        use futures::StreamExt as _;
        let mut reading = subject.connector.load(&request).await?;
        let mut batches = Vec::new();
        while let Some(batch) = reading.batches.next().await {
            batches.push(batch?);
            // Lets the others go on even where the source never makes anybody wait.
            tokio::task::yield_now().await;
        }
        Ok::<_, SourceError>(batches)
    };
    let readings = join_all((0..AT_ONCE).map(|_| one())).await;
    for reading in readings {
        let rows = Rows::of(&table.schema, &subject.heard(reading)?);
        if !rows.is_some_and(|rows| rows.same(&table.rows)) {
            let now = subject.examine(&table.name).await?;
            if !now.rows.same(&table.rows) {
                return Ok(moving(&table.name));
            }
            return Ok(Verdict::failed(text(
                format!("of {AT_ONCE} readings at once one has other rows"),
                format!("{AT_ONCE} 个并发读取中有结果不同者"),
            )));
        }
    }
    Ok(Verdict::passed())
}
