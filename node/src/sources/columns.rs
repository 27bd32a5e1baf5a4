//! The columns that products read, in the few types that they are read in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_matching::Value;

/// Why columns cannot be used as a product needs them. Names columns and types, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsUnfit {
    /// A column that the product needs is not there.
    #[error("there is no column `{0}`")]
    Missing(String),
    /// A column has a type that this kind of product does not know.
    #[error("column `{column}` has the unsupported type {found}")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A column's values cannot be brought into the type in which they are read.
    #[error("the columns cannot be read in their types")]
    Unreadable,
}

/// Plain arrays in place of dictionaries and views: what is computed with has one form for one type.
pub(crate) fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = plain_type(field.data_type());
        Field::new(field.name(), data_type, field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    }
}

/// The batch in the plain form of its columns.
///
/// # Errors
/// [`ColumnsUnfit::Unreadable`] when it does not have the columns of `plain`, in their order.
pub(crate) fn to_plain(
    batch: &RecordBatch,
    plain: &SchemaRef,
) -> Result<RecordBatch, ColumnsUnfit> {
    if batch.num_columns() != plain.fields().len() {
        return Err(ColumnsUnfit::Unreadable);
    }
    let arrays = batch
        .columns()
        .iter()
        .zip(plain.fields())
        .map(
            |(array, field)| match array.data_type() == field.data_type() {
                true => Ok(Arc::clone(array)),
                false => arrow_cast::cast(array, field.data_type()),
            },
        )
        .collect::<Result<Vec<ArrayRef>, _>>()
        .map_err(|_| ColumnsUnfit::Unreadable)?;
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(plain), arrays, &options)
        .map_err(|_| ColumnsUnfit::Unreadable)
}

/// These columns alone, in this order.
///
/// # Errors
/// One is missing.
pub(crate) fn project(batch: &RecordBatch, columns: &[&str]) -> Result<RecordBatch, ColumnsUnfit> {
    let indices = columns
        .iter()
        .map(|column| {
            let index = batch.schema().index_of(column);
            index.map_err(|_| ColumnsUnfit::Missing((*column).to_owned()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    batch
        .project(&indices)
        .map_err(|_| ColumnsUnfit::Unreadable)
}

/// Whether every one of these columns is there, in a type that can be computed with: what can be compared, and measures.
///
/// # Errors
/// The first that is missing or of another type.
pub(crate) fn check_computed(schema: &Schema, columns: &[&str]) -> Result<(), ColumnsUnfit> {
    for column in columns {
        let field = schema
            .field_with_name(column)
            .map_err(|_| ColumnsUnfit::Missing((*column).to_owned()))?;
        match field.data_type() {
            DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(_, _)
            | DataType::UInt64 => {}
            other => check_compared(column, other)?,
        }
    }
    Ok(())
}

fn check_compared(column: &str, data_type: &DataType) -> Result<(), ColumnsUnfit> {
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Date32 => Ok(()),
        other => Err(ColumnsUnfit::Type {
            column: column.to_owned(),
            found: other.to_string(),
        }),
    }
}

/// Hands the rows of one batch on, with the values of `columns` in that order; false when the receiver wants no more.
///
/// # Errors
/// A column is missing, or has a type that is not compared.
pub fn each_row(
    batch: &RecordBatch,
    columns: &[&str],
    row: &mut dyn FnMut(&[Value<'_>]) -> bool,
) -> Result<bool, ColumnsUnfit> {
    let arrays = columns
        .iter()
        .map(|column| {
            let array = batch
                .column_by_name(column)
                .ok_or_else(|| ColumnsUnfit::Missing((*column).to_owned()))?;
            check_compared(column, array.data_type())?;
            widened(array)
        })
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let mut values = Vec::with_capacity(arrays.len());
    for index in 0..batch.num_rows() {
        values.clear();
        for array in &arrays {
            values.push(value_at(array, index)?);
        }
        if !row(&values) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One integer type and one text type, so that a value is read in one way.
fn widened(array: &ArrayRef) -> Result<ArrayRef, ColumnsUnfit> {
    let target = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Date32 => return Ok(Arc::clone(array)),
        _ => DataType::Int64,
    };
    arrow_cast::cast(array, &target).map_err(|_| ColumnsUnfit::Unreadable)
}

fn value_at(array: &ArrayRef, index: usize) -> Result<Value<'_>, ColumnsUnfit> {
    if array.is_null(index) {
        return Ok(Value::Null);
    }
    match array.data_type() {
        DataType::Utf8 => Ok(Value::Text(array.as_string::<i32>().value(index))),
        DataType::Int64 => Ok(Value::Integer(
            array.as_primitive::<Int64Type>().value(index),
        )),
        DataType::Date32 => Ok(Value::Date(array.as_primitive::<Date32Type>().value(index))),
        _ => Err(ColumnsUnfit::Unreadable),
    }
}
