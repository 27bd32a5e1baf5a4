//! What faulty readers make of values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::faulty::Fault;

/// The rows as a connector with this fault has them.
pub(super) fn altered(fault: Option<Fault>, rows: &RecordBatch) -> RecordBatch {
    let Some(fault) = fault else {
        return rows.clone();
    };
    if fault == Fault::RowsWithNullDropped {
        return without_nulls(rows);
    }
    let schema = rows.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| {
            let column = value(fault, field, column);
            let field = field.as_ref().clone();
            (field.with_data_type(column.data_type().clone()), column)
        });
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn without_nulls(rows: &RecordBatch) -> RecordBatch {
    let whole = |row: usize| rows.columns().iter().all(|column| column.is_valid(row));
    let kept: BooleanArray = (0..rows.num_rows()).map(|row| Some(whole(row))).collect();
    arrow_select::filter::filter_record_batch(rows, &kept).unwrap()
}

fn value(fault: Fault, field: &Field, column: &ArrayRef) -> ArrayRef {
    match (fault, field.name().as_str()) {
        (Fault::DecimalsTruncated, "amount") => {
            numbers::<Decimal128Type>(column, |n| n / 100 * 100)
        }
        (Fault::DecimalsAsFloats, "amount") => {
            arrow_cast::cast(column, &DataType::Float64).unwrap()
        }
        (Fault::MomentsShifted, "moment") => {
            numbers::<TimestampMicrosecondType>(column, |n| n + 8 * 3_600_000_000)
        }
        (Fault::ZoneDropped, "moment") => {
            arrow_cast::cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap()
        }
        (Fault::TextReplaced, "words") => texts(column, |text| {
            let plain = |c: char| if c > '\u{ffff}' { '?' } else { c };
            Some(text.chars().map(plain).collect())
        }),
        (Fault::GbkAsLatin, "hanzi") => {
            texts(column, |text| Some(text.bytes().map(char::from).collect()))
        }
        (Fault::EmptyAsNull, "remark") => {
            texts(column, |text| (!text.is_empty()).then(|| text.to_owned()))
        }
        (Fault::NullAsEmpty, "remark") => {
            let texts: StringArray = column
                .as_string::<i32>()
                .iter()
                .map(|text| Some(text.unwrap_or("")))
                .collect();
            Arc::new(texts)
        }
        (Fault::CharPadded, "code") => texts(column, |text| Some(format!("{text:8}"))),
        (Fault::IntegersThroughFloats, "number") => {
            let floats = arrow_cast::cast(column, &DataType::Float64).unwrap();
            let floats = floats.as_primitive::<Float64Type>();
            let back: PrimitiveArray<Int64Type> = floats.unary(|float| float as i64);
            Arc::new(back)
        }
        (Fault::DatesClamped, "born") => numbers::<Date32Type>(column, |day| day.max(0)),
        _ => column.clone(),
    }
}

fn numbers<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    of: impl Fn(T::Native) -> T::Native,
) -> ArrayRef {
    let altered: PrimitiveArray<T> = column.as_primitive::<T>().unary(of);
    Arc::new(altered.with_data_type(column.data_type().clone()))
}

fn texts(column: &ArrayRef, of: impl Fn(&str) -> Option<String>) -> ArrayRef {
    let texts = column.as_string::<i32>().iter();
    let altered: StringArray = texts.map(|text| text.and_then(&of)).collect();
    Arc::new(altered)
}
