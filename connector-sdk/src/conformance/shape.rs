//! Tables and columns: described, opened and loaded alike.

use std::collections::BTreeSet;

use crate::scan::same_columns;
use crate::{SourceError, TableName};

use super::Verdict;
use super::report::{Text, text};
use super::subject::{Examined, Subject};

pub(super) async fn describe(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let all = subject.connector.describe().await;
    let all = subject.heard(all)?;
    let names: Vec<&TableName> = all.iter().map(|table| &table.name).collect();
    if names.is_empty() {
        return Ok(Verdict::failed(text(
            "there is no table that the account can read",
            "账户没有可读取的表",
        )));
    }
    if !names.is_sorted() || names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return Ok(Verdict::failed(text(
            "tables are not in the order of their names, or one is listed twice",
            "表清单未按名称排序，或存在重复",
        )));
    }
    for table in subject.described().await? {
        let columns: BTreeSet<_> = table
            .schema
            .fields()
            .iter()
            .map(|field| field.name())
            .collect();
        if columns.is_empty() || columns.len() < table.schema.fields().len() {
            return Ok(Verdict::failed(text(
                format!("`{}` has no column, or two of one name", table.name),
                format!("`{}` 没有字段，或字段重名", table.name),
            )));
        }
        let opened = subject.connector.open(&table.name).await;
        let opened = subject.heard(opened)?;
        if !same_columns(&opened.schema(), &table.schema) {
            return Ok(Verdict::failed(text(
                format!(
                    "`{}` is opened with other columns than described",
                    table.name
                ),
                format!("`{}` 打开后的结构与描述不一致", table.name),
            )));
        }
    }
    Ok(Verdict::passed())
}

pub(super) async fn columns(subject: &mut Subject) -> Result<Verdict, SourceError> {
    for table in subject.tables().await?.examined {
        if let Some(wrong) = reordered(subject, &table).await? {
            return Ok(Verdict::failed(wrong));
        }
        for columns in [vec!["no such column".to_owned()], twice(&table)] {
            let request = subject.request(&table.name, columns);
            match subject.load(&request).await {
                Err(SourceError::ColumnMissing(_)) => {}
                Err(_) | Ok(_) => {
                    return Ok(Verdict::failed(text(
                        "a column that is not there, or is wanted twice, is not refused as missing",
                        "请求不存在或重复的字段时未按字段缺失拒绝",
                    )));
                }
            }
        }
    }
    let nowhere = TableName::new(["no such table".to_owned()]).expect("it is a name");
    let opened = subject.connector.open(&nowhere).await.map(|_| ());
    let opened = subject.heard(opened);
    let request = subject.request(&nowhere, vec!["x".to_owned()]);
    let loaded = subject.load(&request).await.map(|_| ());
    let missing = Err(SourceError::TableMissing(nowhere));
    Ok(if opened == missing && loaded == missing {
        Verdict::passed()
    } else {
        Verdict::failed(text(
            "a table that is not there is not refused as missing",
            "请求不存在的表时未按表缺失拒绝",
        ))
    })
}

fn twice(table: &Examined) -> Vec<String> {
    let first = table.columns().into_iter().next();
    first.iter().chain(&first).cloned().collect()
}

/// All columns from last to first, and the last alone, against the table as it was read before.
async fn reordered(subject: &mut Subject, table: &Examined) -> Result<Option<Text>, SourceError> {
    let mut backwards = table.columns();
    backwards.reverse();
    let last = backwards[..1].to_vec();
    for columns in [backwards, last] {
        let request = subject.request(&table.name, columns);
        let projection = request.projection(&table.schema)?;
        let schema = request.schema(&table.schema)?;
        let found = subject.load(&request).await?;
        let expected: Result<Vec<_>, _> = table
            .batches
            .iter()
            .map(|batch| batch.project(&projection))
            .collect();
        let expected = expected.map_err(|_| SourceError::SchemaChanged(table.name.clone()))?;
        let [expected, found] = [expected, found].map(|of| super::rows::Rows::of(&schema, &of));
        if found.is_none() {
            return Ok(Some(text(
                format!(
                    "`{}` comes with other columns, or in another order, than asked for",
                    table.name
                ),
                format!("`{}` 返回的字段或次序与请求不符", table.name),
            )));
        }
        let same = expected
            .zip(found)
            .is_some_and(|(one, other)| one.same(&other));
        if !same && subject.examine(&table.name).await?.rows.same(&table.rows) {
            return Ok(Some(text(
                format!(
                    "`{}` has other values when some of its columns are read",
                    table.name
                ),
                format!("`{}` 只读部分字段时取值不同", table.name),
            )));
        }
    }
    Ok(None)
}
