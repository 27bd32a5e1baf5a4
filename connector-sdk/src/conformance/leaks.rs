//! Errors name tables, columns, types and codes, never values.

use std::collections::BTreeSet;

use arrow_array::Array;
use datafusion::common::ScalarValue;

use crate::SourceError;

use super::Verdict;
use super::report::text;
use super::subject::Subject;

/// Texts of this many bytes or more, with a digit or a character beyond ASCII, do not occur in errors by chance.
const CANARY_BYTES: usize = 8;
/// Values that are looked for at most.
const CANARIES: usize = 20_000;

pub(super) async fn values(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let mut canaries = BTreeSet::new();
    let mut prepared = false;
    if let Some(unfit) = subject.fixture.unfit.clone() {
        prepared = true;
        let opened = subject.connector.open(&unfit.table).await;
        // Some sources notice already when they look at the table.
        if let Ok(opened) = subject.heard(opened) {
            let columns = opened.schema();
            let columns = columns.fields().iter().map(|field| field.name().clone());
            let request = subject.request(&unfit.table, columns.collect());
            if subject.load(&request).await.is_ok() {
                return Ok(Verdict::failed(text(
                    format!(
                        "`{}` is read although a value in it does not fit",
                        unfit.table
                    ),
                    format!("`{}` 含有不合类型的取值却读取成功", unfit.table),
                )));
            }
        }
        canaries.insert(unfit.canary);
    }
    for table in subject.tables().await?.examined {
        for column in table.batches.iter().flat_map(|batch| batch.columns()) {
            canaries_of(column.as_ref(), &mut canaries);
        }
    }
    let errors = subject.errors.join("\n");
    if canaries
        .iter()
        .any(|canary| errors.contains(canary.as_str()))
    {
        return Ok(Verdict::failed(text(
            "an error quotes a value of a table; its text is left out here",
            "某条错误信息引用了表中的取值，此处不予显示",
        )));
    }
    let (count, looked_for) = (subject.errors.len(), canaries.len());
    Ok(if prepared {
        Verdict::passed_on(text(
            format!("{count} errors, {looked_for} values"),
            format!("{count} 条错误，{looked_for} 个取值"),
        ))
    } else {
        Verdict::passed_on(text(
            format!(
                "{count} errors, {looked_for} values; to be sure, prepare a table with a value that does not fit (`unfit`)"
            ),
            format!(
                "{count} 条错误，{looked_for} 个取值；如需确证，请准备含不合类型取值的表（`unfit`）"
            ),
        ))
    })
}

fn canaries_of(column: &dyn Array, canaries: &mut BTreeSet<String>) {
    if !column.data_type().is_string() {
        return;
    }
    for row in 0..column.len() {
        if canaries.len() >= CANARIES {
            return;
        }
        let Ok(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
        ) = ScalarValue::try_from_array(column, row)
        else {
            continue;
        };
        let telling = text.chars().any(|c| c.is_ascii_digit() || !c.is_ascii());
        if text.len() >= CANARY_BYTES && telling {
            canaries.insert(text);
        }
    }
}

/// An error as a report may show it: the names that it has by contract, and of a code only what looks like one.
pub(super) fn named(error: &SourceError) -> String {
    match error {
        SourceError::Failed { code: Some(code) } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            if code.len() <= 16 && code.chars().all(plain) {
                error.to_string()
            } else {
                "the source failed with a code that is not one".to_owned()
            }
        }
        SourceError::ColumnType { column, .. } => {
            format!("column `{column}` has an unsupported type")
        }
        SourceError::Declaration { .. } => "the description of the source is wrong".to_owned(),
        other => other.to_string(),
    }
}
