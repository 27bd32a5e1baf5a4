//! Values come out as they went in: prepared tables against what they are known to hold.

mod difference;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema};

use crate::SourceError;

use super::report::{Text, text};
use super::rows::joined;
use super::subject::Subject;
use super::{Aspect, Specimen, Verdict};
use difference::difference;

pub(super) async fn aspect(subject: &mut Subject, id: &str) -> Result<Verdict, SourceError> {
    let mut checked = 0;
    for specimen in subject.fixture.specimens.clone() {
        let of = |(aspect, _): &&(Aspect, String)| aspect.check_id() == id;
        for (_, column) in specimen.aspects.iter().filter(of) {
            checked += 1;
            if let Some(why) = compare(subject, &specimen, column).await? {
                return Ok(Verdict::failed(why));
            }
        }
    }
    Ok(if checked == 0 {
        none_prepared(&subject.fixture.specimens, id)
    } else {
        Verdict::passed()
    })
}

/// No specimen has the aspect: on purpose, or for want of one.
fn none_prepared(specimens: &[Specimen], id: &str) -> Verdict {
    let on_purpose = |specimen: &Specimen| {
        let mut left_out = specimen.left_out.iter();
        left_out.any(|aspect| aspect.check_id() == id)
    };
    let on_purpose = !specimens.is_empty() && specimens.iter().all(on_purpose);
    Verdict::not_applicable(if on_purpose {
        text(
            "left out of every specimen with `without`: the source has nothing of the kind",
            "所有样本均以 `without` 去除了此类字段：数据源不具备",
        )
    } else {
        text(
            "there is no prepared table with such a column: make one of `Specimen::standard`",
            "没有含此类字段的预置表：请按 `Specimen::standard` 准备",
        )
    })
}

/// How a column of a specimen differs from what it should be.
async fn compare(
    subject: &mut Subject,
    specimen: &Specimen,
    column: &str,
) -> Result<Option<Text>, SourceError> {
    let expected = of_key(&specimen.expected, column)?;
    let schema = expected.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let request = subject.request(&specimen.table, names.collect());
    let batches = subject.load(&request).await?;
    let Some(found) = batches
        .first()
        .and_then(|batch| joined(&batch.schema(), &batches))
    else {
        return Ok(Some(no_rows(specimen)));
    };
    let (is, should) = (found.schema(), schema.field(1).data_type());
    let is = is.field(1).data_type();
    if !same_class(should, is) {
        return Ok(Some(text(
            format!(
                "`{column}` of `{}` is {is} instead of {should}",
                specimen.table
            ),
            format!(
                "`{}` 的 `{column}` 类型为 {is}，应为 {should}",
                specimen.table
            ),
        )));
    }
    let columns = found.columns().iter().zip(schema.fields());
    let columns: Option<Vec<ArrayRef>> = columns
        .map(|(column, field)| without_loss(column, field.data_type()))
        .collect();
    // Whether a null may be there was checked with the reading; here it is only a difference.
    let nullable = |schema: &Schema| {
        let fields = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true));
        Schema::new(fields.collect::<Vec<_>>())
    };
    let found =
        columns.and_then(|columns| RecordBatch::try_new(Arc::new(nullable(&schema)), columns).ok());
    let differs = found.and_then(|found| difference(specimen, column, &found, &expected));
    let unheld = text(
        format!(
            "`{column}` of `{}` has values that {should} does not hold",
            specimen.table
        ),
        format!(
            "`{}` 的 `{column}` 含有 {should} 无法表示的取值",
            specimen.table
        ),
    );
    Ok(differs.unwrap_or(Some(unheld)))
}

fn no_rows(specimen: &Specimen) -> Text {
    text(
        format!("`{}` has no rows", specimen.table),
        format!("`{}` 没有任何行", specimen.table),
    )
}

/// The key and one column.
fn of_key(expected: &RecordBatch, column: &str) -> Result<RecordBatch, SourceError> {
    let missing = |_| SourceError::ColumnMissing(column.to_owned());
    let place = expected.schema().index_of(column).map_err(missing)?;
    expected.project(&[0, place]).map_err(missing)
}

/// Whether a type may stand for another: as wide or wider, of the same kind. A float never stands for a decimal, a text
/// for nothing else, and a timestamp without a zone not for one with a zone.
fn same_class(expected: &DataType, found: &DataType) -> bool {
    let text = |kind: &DataType| {
        matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let decimal = |kind: &DataType| kind.is_decimal();
    match found {
        DataType::Dictionary(_, value) => return same_class(expected, value),
        found if expected == found => return true,
        _ => {}
    }
    (text(expected) && text(found))
        || (expected.is_integer() && found.is_integer())
        || (decimal(expected) && decimal(found))
        || matches!(
            (expected, found),
            (DataType::Timestamp(_, None), DataType::Timestamp(_, None))
                | (
                    DataType::Timestamp(_, Some(_)),
                    DataType::Timestamp(_, Some(_))
                )
        )
}

/// The same values in another type; `None` if one of them would be another there.
fn without_loss(column: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let there = cast_with_options(column, to, &strict).ok()?;
    let back = cast_with_options(&there, column.data_type(), &strict).ok()?;
    (back.to_data() == column.to_data()).then_some(there)
}
