//! The source is restarted, or its tables change, while it is being read.

use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::TaskContext;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::{BoundedReading, LoadRequest, Reading, SourceError, TableInfo, scan};

use super::report::{Text, text};
use super::subject::Subject;
use super::{NotControlled, Verdict};

/// How often a source is asked whether it is back.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// What the fixture could not do; `none` where it never says that it can.
fn uncontrolled(what: &NotControlled, none: Text) -> Verdict {
    Verdict::not_applicable(match what {
        NotControlled::None => none,
        NotControlled::Failed(why) => text(
            format!("the fixture could not do it: {why}"),
            format!("测试夹具操作失败：{why}"),
        ),
    })
}

fn not_restarted() -> Text {
    text(
        "the fixture's control cannot restart the source (`restart`); one without a server, such as files, has nothing to restart",
        "测试夹具无法重启该数据源（`restart`）；文件等没有服务进程的数据源无从重启",
    )
}

pub(super) async fn restart(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some(control) = subject.fixture.control.clone() else {
        return Ok(Verdict::not_applicable(text(
            "there is no control over this source: provide it in the fixture (`control`)",
            "无法操控该数据源：请在测试夹具中提供（`control`）",
        )));
    };
    let Some(large) = subject.large().await? else {
        return Ok(Verdict::not_applicable(text(
            "there is no table to read meanwhile: name one in the fixture (`large`)",
            "没有可供读取的表：请在测试夹具中指定（`large`）",
        )));
    };
    let request = everything(subject, &large);
    let reading = subject.connector.load(&request).await;
    let reading = subject.heard(reading)?;
    let whole = rest(subject, reading).await?;

    // In the middle of a reading: all rows or an error, never fewer.
    let reading = subject.connector.load(&request).await;
    let mut reading = subject.heard(reading)?;
    let first = match reading.batches.next().await {
        Some(first) => subject.heard_of_engine(first)?.num_rows() as u64,
        None => 0,
    };
    if let Err(what) = control.restart().await {
        return Ok(uncontrolled(&what, not_restarted()));
    }
    if let Ok(others) = rest(subject, reading).await
        && first + others < whole
    {
        return Ok(Verdict::failed(text(
            "a reading that a restart interrupted ends as if it had been whole",
            "被重启打断的读取以正常结束的方式返回了不完整的数据",
        )));
    }
    come_back(subject, &request, whole).await
}

/// All columns and rows of a table.
fn everything(subject: &Subject, table: &TableInfo) -> LoadRequest {
    let columns = table
        .schema
        .fields()
        .iter()
        .map(|field| field.name().clone());
    let mut request = subject.request(&table.name, columns.collect());
    request.limits.rows_max = u64::MAX;
    request.limits.bytes_max = u64::MAX;
    request
}

/// How many rows are left in a reading; none of them is kept.
async fn rest(subject: &mut Subject, mut reading: Reading) -> Result<u64, SourceError> {
    let mut rows = 0;
    while let Some(batch) = reading.batches.next().await {
        rows += subject.heard_of_engine(batch)?.num_rows() as u64;
    }
    Ok(rows)
}

/// Whether the same connector reads all again, once the source is back.
async fn come_back(
    subject: &mut Subject,
    request: &LoadRequest,
    whole: u64,
) -> Result<Verdict, SourceError> {
    let patience = subject.options.patience;
    let again = async {
        loop {
            let reading = subject.connector.load(request).await;
            if let Ok(reading) = subject.heard(reading)
                && let Ok(rows) = rest(subject, reading).await
            {
                return rows;
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    };
    Ok(match tokio::time::timeout(patience, again).await {
        Ok(rows) if rows == whole => Verdict::passed(),
        Ok(rows) => Verdict::failed(text(
            format!("after the restart {rows} rows are read instead of {whole}"),
            format!("重启后读到 {rows} 行，应为 {whole} 行"),
        )),
        Err(_) => Verdict::failed(text(
            format!(
                "{} seconds after the restart nothing can be read",
                patience.as_secs()
            ),
            format!("重启 {} 秒后仍无法读取", patience.as_secs()),
        )),
    })
}

pub(super) async fn schema(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let prepared = subject.fixture.drifting.clone();
    let Some((table, control)) = prepared.zip(subject.fixture.control.clone()) else {
        return Ok(Verdict::not_applicable(text(
            "no table was prepared whose columns may be changed: name it in the fixture (`drifting`)",
            "没有预备可变更结构的表：请在测试夹具中指定（`drifting`）",
        )));
    };
    let opened = subject.connector.open(&table).await;
    let opened = subject.heard(opened)?;
    let before = opened.schema();
    let columns = before.fields().iter().map(|field| field.name().clone());
    let request = subject.request(&table, columns.collect());
    subject.load(&request).await?;
    if let Err(what) = control.alter().await {
        let none = text(
            "the fixture's control cannot change a table's columns: let it implement `alter`",
            "测试夹具无法变更表结构：请实现 `alter`",
        );
        return Ok(uncontrolled(&what, none));
    }
    let noticed = |result: &Result<(), SourceError>| {
        matches!(
            result,
            Err(SourceError::SchemaChanged(_) | SourceError::ColumnMissing(_))
        )
    };
    let scanned = scanned(subject, &opened).await;
    if !noticed(&scanned) {
        return Ok(Verdict::failed(text(
            "a table that was opened before the change is scanned on",
            "结构变更前打开的表仍继续被扫描",
        )));
    }
    let reading = BoundedReading::begin(subject.connector.as_ref(), before.clone(), &request).await;
    let read = match reading {
        Ok(reading) => reading.collect(|_| {}).await.map(|_| ()),
        Err(error) => Err(error),
    };
    if !noticed(&subject.heard(read)) {
        return Ok(Verdict::failed(text(
            "a reading after the change still has the columns from before",
            "结构变更后读取仍返回原结构",
        )));
    }
    let opened = subject.connector.open(&table).await;
    let now = subject.heard(opened)?.schema();
    Ok(if scan::same_columns(&now, &before) {
        Verdict::failed(text(
            "opening the table after the change still gives the columns from before",
            "结构变更后重新打开仍返回原结构",
        ))
    } else {
        Verdict::passed()
    })
}

/// Scans a table that was opened before, to the end.
async fn scanned(
    subject: &mut Subject,
    table: &Arc<dyn datafusion::catalog::TableProvider>,
) -> Result<(), SourceError> {
    let state = scan::state(subject.options.batch_rows)?;
    let projection = (0..table.schema().fields().len()).collect();
    let plan = table.scan(&state, Some(&projection), &[], None).await;
    let plan = subject.heard_of_engine(plan)?;
    let declared = plan.schema();
    let task = Arc::new(TaskContext::from(&state));
    let mut batches = scan::in_order(plan, task);
    loop {
        let next = batches.try_next().await;
        let Some(batch) = subject.heard_of_engine(next)? else {
            return Ok(());
        };
        if !scan::same_columns(&batch.schema(), &declared) {
            return Ok(());
        }
    }
}
