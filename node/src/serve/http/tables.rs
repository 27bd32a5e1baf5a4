//! A released table as JSON: numbers where JSON has them, everything else in Arrow's own words.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Schema};
use lingqu_core::ErrorCode;
use serde::Serialize;
use serde_json::{Number, Value};
use utoipa::ToSchema;

/// A column or parameter. 列或参数。
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Column {
    /// Its name. 名称。
    name: String,
    /// Its type. 类型。
    #[serde(rename = "type")]
    kind: String,
}

impl Column {
    pub(super) fn new(name: &str, kind: &str) -> Column {
        Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
        }
    }
}

/// The columns of a schema.
pub(super) fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter();
    fields
        .map(|field| Column::new(field.name(), &field.data_type().to_string()))
        .collect()
}

/// The rows, values in the order of the columns.
///
/// # Errors
/// `INTERNAL` for a type that has no text form, which no released table has.
pub(super) fn rows(table: &RecordBatch) -> Result<Vec<Vec<Value>>, ErrorCode> {
    (0..table.num_rows())
        .map(|row| {
            let columns = table.columns().iter();
            columns.map(|column| value(column, row)).collect()
        })
        .collect()
}

fn value(column: &dyn Array, row: usize) -> Result<Value, ErrorCode> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    Ok(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float32 => float(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        // Decimals too: as text they keep every digit.
        _ => {
            let options = FormatOptions::new();
            let formatter = ArrayFormatter::try_new(column, &options);
            let formatter = formatter.map_err(|_| ErrorCode::Internal)?;
            let text = formatter.value(row).try_to_string();
            Value::String(text.map_err(|_| ErrorCode::Internal)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Float64Array, StringArray, UInt64Array};
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_meaning() {
        let table = RecordBatch::try_from_iter_with_nullable([
            (
                "n",
                Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])) as ArrayRef,
                true,
            ),
            ("x", Arc::new(Float64Array::from(vec![1.5, f64::NAN])), true),
            ("t", Arc::new(StringArray::from(vec!["青禾", ""])), true),
            ("d", Arc::new(Date32Array::from(vec![0, 1])), true),
        ])
        .unwrap();
        assert_eq!(
            json!(rows(&table).unwrap()),
            json!([
                [u64::MAX, 1.5, "青禾", "1970-01-01"],
                [null, null, "", "1970-01-02"]
            ])
        );
        assert_eq!(columns(&table.schema())[3], Column::new("d", "Date32"));
    }
}
