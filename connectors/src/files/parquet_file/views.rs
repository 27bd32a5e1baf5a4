//! Texts and bytes as views while they are decoded, and as what the file declares afterwards.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lingqu_connector_sdk::SourceError;

use crate::bounded::{Item, carried};

/// Most bytes of one column of a batch that is handed on; a batch with more is cut.
pub(super) const COLUMN_BYTES_MAX: u64 = 64 << 20;

/// The schema with views for texts and bytes.
pub(super) fn of(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
    ))
}

/// The batch with the declared types, in as many pieces as its long values need.
pub(super) fn resolved(item: Item, schema: &SchemaRef) -> Vec<Item> {
    let mut pieces = Vec::new();
    match item {
        Ok(batch) => cut(batch, schema, &mut pieces),
        Err(error) => pieces.push(Err(error)),
    }
    pieces
}

fn cut(batch: RecordBatch, schema: &SchemaRef, pieces: &mut Vec<Item>) {
    let longest = batch.columns().iter().map(view_bytes).max().unwrap_or(0);
    let rows = batch.num_rows();
    if longest <= COLUMN_BYTES_MAX {
        pieces.push(declared(&batch, schema));
    } else if rows == 1 {
        pieces.push(Err(carried(SourceError::TooLarge)));
    } else {
        cut(batch.slice(0, rows / 2), schema, pieces);
        cut(batch.slice(rows / 2, rows - rows / 2), schema, pieces);
    }
}

/// Bytes that the values of a column of views have when they are copied out.
fn view_bytes(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().lengths().map(u64::from).sum(),
        DataType::BinaryView => array.as_binary_view().lengths().map(u64::from).sum(),
        _ => 0,
    }
}

fn declared(batch: &RecordBatch, schema: &SchemaRef) -> Item {
    let column = |(array, field): (&ArrayRef, &Arc<Field>)| {
        if array.data_type() == field.data_type() {
            Ok(Arc::clone(array))
        } else {
            cast(array, field.data_type())
        }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(column);
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}
