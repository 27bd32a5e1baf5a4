//! In which rows a column of a specimen differs, told by the keys of its rows: they are the test's own.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};

use super::super::Specimen;
use super::super::report::{Text, text};
use super::super::rows::Rows;

/// Keys that are named at most.
const KEYS_MAX: usize = 10;

/// How `found` differs from `expected`, both with the key first and the column second; `None` if it does not. Keys of
/// rows that nobody prepared are values of the source: they are only counted.
pub(super) fn difference(
    specimen: &Specimen,
    column: &str,
    found: &RecordBatch,
    expected: &RecordBatch,
) -> Option<Option<Text>> {
    let schema = expected.schema();
    let rows = |batch: &RecordBatch| Rows::of(&schema, std::slice::from_ref(batch));
    let (is, should) = (rows(found)?, rows(expected)?);
    if is.same(&should) {
        return Some(None);
    }
    let key_schema = schema.project(&[0]).ok()?;
    let keys = |batch: &RecordBatch| Rows::of(&key_schema, &[batch.project(&[0]).ok()?]);
    let (keys_found, keys_expected) = (keys(found)?, keys(expected)?);
    let (is, keys_is): (BTreeSet<_>, BTreeSet<_>) =
        (is.each().collect(), keys_found.each().collect());
    let keys_should: BTreeSet<_> = keys_expected.each().collect();

    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(expected.column(0), &options).ok()?;
    let (mut other, mut missing) = (Vec::new(), Vec::new());
    let expected_rows = should.each().zip(keys_expected.each()).enumerate();
    for (at, (row, key)) in expected_rows {
        if !keys_is.contains(key) {
            missing.push(shown.value(at).to_string());
        } else if !is.contains(row) {
            other.push(shown.value(at).to_string());
        }
    }
    // A row too many has an unknown key, or is there twice.
    let known = keys_found.each().filter(|key| keys_should.contains(key));
    let unknown = found.num_rows() - known.count();
    let key = schema.field(0).name();
    Some(Some(said(specimen, column, key, &other, &missing, unknown)))
}

fn said(
    specimen: &Specimen,
    column: &str,
    key: &str,
    other: &[String],
    missing: &[String],
    unknown: usize,
) -> Text {
    let table = &specimen.table;
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    if !other.is_empty() {
        let keys = some(other);
        en.push(format!(
            "`{column}` differs in the rows with `{key}` {keys}"
        ));
        zh.push(format!("`{key}` 为 {keys} 的行，`{column}` 与预置不符"));
    }
    if !missing.is_empty() {
        let keys = some(missing);
        en.push(format!("the rows with `{key}` {keys} are missing"));
        zh.push(format!("缺少 `{key}` 为 {keys} 的行"));
    }
    if unknown > 0 {
        en.push(format!(
            "{unknown} rows have a `{key}` that was not prepared"
        ));
        zh.push(format!("{unknown} 行的 `{key}` 未曾预置"));
    }
    if en.is_empty() {
        en.push(format!(
            "prepared rows of `{column}` are there more than once"
        ));
        zh.push(format!("`{column}` 的预置行重复出现"));
    }
    text(
        format!("in `{table}` {}", en.join("; ")),
        format!("表 `{table}`：{}", zh.join("；")),
    )
}

fn some(keys: &[String]) -> String {
    let shown = keys.iter().take(KEYS_MAX).map(String::as_str);
    let more = if keys.len() > KEYS_MAX { " …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}
