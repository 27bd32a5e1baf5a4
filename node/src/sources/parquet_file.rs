//! A Parquet file as a register.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader as _};
use arrow_schema::DataType;
use lingqu_core::product::Load;
use lingqu_core::{LoadId, Timestamp};
use lingqu_matching::Value;
use lingqu_tlog::Hash;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ring::digest::{SHA256, digest};

use super::{Register, RegisterUnreadable};

/// Largest file that is read into memory, in bytes.
const FILE_LEN_MAX: u64 = 1 << 30;

/// One file, read anew at each load.
#[derive(Clone, Debug)]
pub struct ParquetFile {
    /// Name of the resource.
    pub resource: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The date it speaks for.
    pub as_of: Timestamp,
    /// Most rows that are read.
    pub rows_max: usize,
}

impl Register for ParquetFile {
    fn read(
        &self,
        columns: &[&str],
        row: &mut dyn FnMut(&[Value<'_>]) -> bool,
    ) -> Result<Load, RegisterUnreadable> {
        let (load, reader) = self.open(columns, check_compared)?;
        for batch in reader {
            let batch = batch.map_err(|_| RegisterUnreadable::File)?;
            if !each_row(&batch, columns, row)? {
                break;
            }
        }
        Ok(load)
    }

    fn table(&self, columns: &[&str]) -> Result<(Load, Vec<RecordBatch>), RegisterUnreadable> {
        let (load, reader) = self.open(columns, check_computed)?;
        let schema = reader.schema();
        let mut batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| RegisterUnreadable::File)?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok((load, batches))
    }
}

type Check = fn(&str, &DataType) -> Result<(), RegisterUnreadable>;

impl ParquetFile {
    fn open(
        &self,
        columns: &[&str],
        check: Check,
    ) -> Result<(Load, ParquetRecordBatchReader), RegisterUnreadable> {
        // The bytes are read once: what is hashed is what is used, even if the file is replaced meanwhile.
        let bytes = self.bytes()?;
        let content = Hash(
            digest(&SHA256, &bytes)
                .as_ref()
                .try_into()
                .expect("SHA-256 has 32 bytes"),
        );
        let builder = ParquetRecordBatchReaderBuilder::try_new(axum::body::Bytes::from(bytes))
            .map_err(|_| RegisterUnreadable::File)?;
        let schema = builder.schema().clone();
        for column in columns {
            let found = schema.field_with_name(column);
            let field =
                found.map_err(|_| RegisterUnreadable::ColumnMissing((*column).to_owned()))?;
            check(column, field.data_type())?;
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if rows > self.rows_max as u64 {
            return Err(RegisterUnreadable::TooLarge);
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder
            .with_projection(mask)
            .with_batch_size(8_192)
            .build()
            .map_err(|_| RegisterUnreadable::File)?;
        let load = Load {
            id: load_id(&self.resource, &content)?,
            resource: self.resource.clone(),
            as_of: self.as_of,
            rows,
            digest: content,
        };
        Ok((load, reader))
    }

    fn bytes(&self) -> Result<Vec<u8>, RegisterUnreadable> {
        let file = File::open(&self.path).map_err(|_| RegisterUnreadable::File)?;
        let mut bytes = Vec::new();
        let read = file
            .take(FILE_LEN_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| RegisterUnreadable::File)?;
        if read as u64 > FILE_LEN_MAX {
            Err(RegisterUnreadable::TooLarge)
        } else {
            Ok(bytes)
        }
    }
}

/// The same content of the same resource is the same load, on every machine.
fn load_id(resource: &str, content: &Hash) -> Result<LoadId, RegisterUnreadable> {
    let named = digest(&SHA256, &[resource.as_bytes(), b"\0", &content.0].concat());
    let id = format!("load_{}", hex::encode(&named.as_ref()[..10]));
    id.parse().map_err(|_| RegisterUnreadable::File)
}

/// What can be computed with: what can be compared, and measures.
fn check_computed(column: &str, data_type: &DataType) -> Result<(), RegisterUnreadable> {
    match data_type {
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) | DataType::UInt64 => {
            Ok(())
        }
        other => check_compared(column, other),
    }
}

fn check_compared(column: &str, data_type: &DataType) -> Result<(), RegisterUnreadable> {
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
        other => Err(RegisterUnreadable::ColumnType {
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
) -> Result<bool, RegisterUnreadable> {
    let arrays = columns
        .iter()
        .map(|column| {
            let array = batch
                .column_by_name(column)
                .ok_or(RegisterUnreadable::File)?;
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
fn widened(array: &ArrayRef) -> Result<ArrayRef, RegisterUnreadable> {
    let target = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Date32 => return Ok(array.clone()),
        _ => DataType::Int64,
    };
    arrow_cast::cast(array, &target).map_err(|_| RegisterUnreadable::File)
}

fn value_at(array: &ArrayRef, index: usize) -> Result<Value<'_>, RegisterUnreadable> {
    if array.is_null(index) {
        return Ok(Value::Null);
    }
    match array.data_type() {
        DataType::Utf8 => Ok(Value::Text(array.as_string::<i32>().value(index))),
        DataType::Int64 => Ok(Value::Integer(
            array.as_primitive::<Int64Type>().value(index),
        )),
        DataType::Date32 => Ok(Value::Date(array.as_primitive::<Date32Type>().value(index))),
        _ => Err(RegisterUnreadable::File),
    }
}
