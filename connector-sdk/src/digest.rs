//! The digest of a reading: SHA-256 over one canonical encoding of columns and rows (R-146).
//!
//! It does not depend on how the rows were cut into batches, nor on dictionaries, offsets, views or what lies in unused
//! parts of buffers. It does depend on the order of the rows and of the columns. Whoever has the rows can recompute it:
//!
//! ```text
//! digest  = SHA-256( "lingqu rows 1\n" ‖ u32 columns ‖ head₁ … headₙ ‖ u64 rows ‖ body₁ … bodyₙ )
//! headᵢ   = u32 bytes of the name ‖ name in UTF-8 ‖ u32 bytes of the type ‖ type in ASCII
//! bodyᵢ   = SHA-256(presence) ‖ SHA-256(lengths) ‖ SHA-256(values)
//! ```
//!
//! All integers are little-endian. Column by column, over all rows:
//!
//! * *presence*: one bit a row, 1 where there is a value, 0 for null; the first row is the lowest bit of the first byte;
//!   the last byte is filled up with 0.
//! * *values*: the values one after the other, nulls left out. `bool` is one byte 0 or 1; integers, dates, times,
//!   timestamps and decimals are two's complement in their width; floats are their IEEE 754 bits; `text` is UTF-8 and
//!   `bytes` the bytes themselves.
//! * *lengths*: for `text` and `bytes` the length of each value as u32, nulls left out; nothing for other types.
//!
//! Types are spelled `null`, `bool`, `int8` … `int64`, `uint8` … `uint64`, `float16`, `float32`, `float64`, `text`,
//! `bytes`, `date32` (days since 1970-01-01), `date64` (milliseconds), `time32(s)`, `time32(ms)`, `time64(us)`,
//! `time64(ns)`, `timestamp(us)`, `timestamp(us,UTC)` with the zone as declared (units `s`, `ms`, `us`, `ns`),
//! `decimal128(20,4)` with precision and scale, and so on for widths 32, 64 and 256. What may be null is not part of it.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use ring::digest::{Context, SHA256};

use crate::SourceError;

/// What the encoding begins with; another encoding would have another number.
const DOMAIN: &[u8] = b"lingqu rows 1\n";
/// Bytes that are gathered before they are hashed.
const GATHERED: usize = 64 << 10;

/// Digest of the rows of one reading.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowsDigest(pub [u8; 32]);

impl fmt::Display for RowsDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RowsDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RowsDigest({self})")
    }
}

/// Computes a [`RowsDigest`] as the batches come. Holds three hash states a column and nothing of the rows.
pub struct RowsHasher {
    heads: Vec<u8>,
    columns: Vec<Column>,
    rows: u64,
}

impl RowsHasher {
    /// For batches of `schema`.
    ///
    /// # Errors
    /// A column has a type that the encoding does not have: nested types, intervals, durations, unions.
    pub fn new(schema: &Schema) -> Result<RowsHasher, SourceError> {
        let mut heads = DOMAIN.to_vec();
        heads.extend((schema.fields().len() as u32).to_le_bytes());
        for field in schema.fields() {
            let spelled = spelled(field.data_type()).ok_or_else(|| unsupported(field))?;
            for text in [field.name(), &spelled] {
                heads.extend((text.len() as u32).to_le_bytes());
                heads.extend(text.as_bytes());
            }
        }
        let columns = schema.fields().iter().map(|field| Column::new(field));
        Ok(RowsHasher {
            heads,
            columns: columns.collect(),
            rows: 0,
        })
    }

    /// Takes the next rows in.
    ///
    /// # Errors
    /// The batch has other columns than were declared, or a value of 4 GiB or more.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), SourceError> {
        if batch.num_columns() != self.columns.len() {
            return Err(SourceError::Failed { code: None });
        }
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(array)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> RowsDigest {
        let mut whole = Context::new(&SHA256);
        whole.update(&self.heads);
        whole.update(&self.rows.to_le_bytes());
        for column in self.columns {
            column.finish(&mut whole);
        }
        let digest = whole.finish();
        RowsDigest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for RowsHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RowsHasher")
            .field("columns", &self.columns.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn unsupported(field: &Field) -> SourceError {
    SourceError::ColumnType {
        column: field.name().clone(),
        found: field.data_type().to_string(),
    }
}

fn unit(unit: &TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// How the encoding names a type; `None` for those it does not have.
fn spelled(kind: &DataType) -> Option<String> {
    let spelled = match kind {
        DataType::Null => "null".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Int8 => "int8".to_owned(),
        DataType::Int16 => "int16".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::UInt8 => "uint8".to_owned(),
        DataType::UInt16 => "uint16".to_owned(),
        DataType::UInt32 => "uint32".to_owned(),
        DataType::UInt64 => "uint64".to_owned(),
        DataType::Float16 => "float16".to_owned(),
        DataType::Float32 => "float32".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Date32 => "date32".to_owned(),
        DataType::Date64 => "date64".to_owned(),
        DataType::Time32(of) => format!("time32({})", unit(of)),
        DataType::Time64(of) => format!("time64({})", unit(of)),
        DataType::Timestamp(of, None) => format!("timestamp({})", unit(of)),
        DataType::Timestamp(of, Some(zone)) => format!("timestamp({},{zone})", unit(of)),
        DataType::Decimal32(precision, scale) => format!("decimal32({precision},{scale})"),
        DataType::Decimal64(precision, scale) => format!("decimal64({precision},{scale})"),
        DataType::Decimal128(precision, scale) => format!("decimal128({precision},{scale})"),
        DataType::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytes".to_owned(),
        DataType::Dictionary(_, value) => return spelled(value),
        DataType::RunEndEncoded(_, value) => return spelled(value.data_type()),
        DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::List(_)
        | DataType::ListView(_)
        | DataType::FixedSizeList(..)
        | DataType::LargeList(_)
        | DataType::LargeListView(_)
        | DataType::Struct(_)
        | DataType::Union(..)
        | DataType::Map(..) => return None,
    };
    Some(spelled)
}

/// The three hash states of one column.
struct Column {
    name: String,
    presence: Context,
    /// Bits that do not fill a byte yet, fewer than eight.
    bits: BooleanBufferBuilder,
    lengths: Context,
    values: Context,
    /// What was gathered and is not hashed yet; kept so that its memory is used again.
    gathered: Vec<u8>,
}

impl Column {
    fn new(field: &Field) -> Column {
        Column {
            name: field.name().clone(),
            presence: Context::new(&SHA256),
            bits: BooleanBufferBuilder::new(0),
            lengths: Context::new(&SHA256),
            values: Context::new(&SHA256),
            gathered: Vec::new(),
        }
    }

    fn update(&mut self, array: &ArrayRef) -> Result<(), SourceError> {
        let plain = match array.data_type() {
            DataType::Dictionary(_, value) => Some(unpacked(array, value)?),
            DataType::RunEndEncoded(_, value) => Some(unpacked(array, value.data_type())?),
            _ => None,
        };
        let array = plain.as_ref().unwrap_or(array);
        // A dictionary of dictionaries is unpacked again.
        if matches!(
            array.data_type(),
            DataType::Dictionary(..) | DataType::RunEndEncoded(..)
        ) {
            return self.update(&array.clone());
        }
        self.take_presence(array);
        match array.data_type() {
            DataType::Null => {}
            DataType::Boolean => self.take_booleans(array),
            DataType::Utf8 => self.take_offsets(
                array.as_string::<i32>().value_offsets(),
                array.as_string::<i32>().value_data(),
                array,
            )?,
            DataType::LargeUtf8 => self.take_offsets(
                array.as_string::<i64>().value_offsets(),
                array.as_string::<i64>().value_data(),
                array,
            )?,
            DataType::Binary => self.take_offsets(
                array.as_binary::<i32>().value_offsets(),
                array.as_binary::<i32>().value_data(),
                array,
            )?,
            DataType::LargeBinary => self.take_offsets(
                array.as_binary::<i64>().value_offsets(),
                array.as_binary::<i64>().value_data(),
                array,
            )?,
            DataType::Utf8View => {
                let texts = array.as_string_view();
                self.take_each(texts.iter().flatten().map(str::as_bytes))?;
            }
            DataType::BinaryView => self.take_each(array.as_binary_view().iter().flatten())?,
            DataType::FixedSizeBinary(_) => {
                self.take_each(array.as_fixed_size_binary().iter().flatten())?;
            }
            _ => self.take_fixed(array),
        }
        Ok(())
    }

    fn take_presence(&mut self, array: &ArrayRef) {
        match array.logical_nulls() {
            Some(nulls) => self.bits.append_buffer(nulls.inner()),
            None => self.bits.append_n(array.len(), true),
        }
        let whole = self.bits.len() / 8;
        let mut rest = BooleanBufferBuilder::new(8);
        for bit in whole * 8..self.bits.len() {
            rest.append(self.bits.get_bit(bit));
        }
        self.presence.update(&self.bits.as_slice()[..whole]);
        self.bits = rest;
    }

    fn take_booleans(&mut self, array: &ArrayRef) {
        self.gathered.clear();
        let values = array.as_boolean().iter().flatten();
        self.gathered.extend(values.map(u8::from));
        self.values.update(&self.gathered);
    }

    /// Runs of present values lie side by side: each is hashed at once.
    fn take_fixed(&mut self, array: &ArrayRef) {
        let data = array.to_data();
        let width = array.data_type().primitive_width().unwrap_or(0);
        let bytes = &data.buffers()[0].as_slice()[data.offset() * width..];
        for (begin, end) in present(array) {
            self.values.update(&bytes[begin * width..end * width]);
        }
    }

    fn take_offsets<O: OffsetSizeTrait>(
        &mut self,
        offsets: &[O],
        bytes: &[u8],
        array: &ArrayRef,
    ) -> Result<(), SourceError> {
        self.gathered.clear();
        for (begin, end) in present(array) {
            for pair in offsets[begin..=end].windows(2) {
                let length = pair[1].as_usize() - pair[0].as_usize();
                self.gathered.extend(self.length(length)?);
            }
            let run = offsets[begin].as_usize()..offsets[end].as_usize();
            self.values.update(&bytes[run]);
        }
        self.lengths.update(&self.gathered);
        Ok(())
    }

    fn take_each<'a>(&mut self, values: impl Iterator<Item = &'a [u8]>) -> Result<(), SourceError> {
        self.gathered.clear();
        let mut lengths = Vec::new();
        for value in values {
            lengths.extend(self.length(value.len())?);
            self.gathered.extend(value);
            if self.gathered.len() >= GATHERED {
                self.values.update(&self.gathered);
                self.gathered.clear();
            }
        }
        self.values.update(&self.gathered);
        self.lengths.update(&lengths);
        Ok(())
    }

    fn length(&self, length: usize) -> Result<[u8; 4], SourceError> {
        let unfit = |_| SourceError::ValueUnfit {
            column: self.name.clone(),
        };
        u32::try_from(length).map(u32::to_le_bytes).map_err(unfit)
    }

    fn finish(mut self, whole: &mut Context) {
        self.presence.update(self.bits.as_slice());
        for part in [self.presence, self.lengths, self.values] {
            whole.update(part.finish().as_ref());
        }
    }
}

/// Runs of rows that have a value.
fn present(array: &ArrayRef) -> Vec<(usize, usize)> {
    match array.logical_nulls() {
        Some(nulls) => nulls.inner().set_slices().collect(),
        None if array.is_empty() => Vec::new(),
        None => vec![(0, array.len())],
    }
}

fn unpacked(array: &ArrayRef, value: &DataType) -> Result<ArrayRef, SourceError> {
    arrow_cast::cast(&Arc::clone(array), value).map_err(|_| SourceError::Failed {
        code: Some("arrow".to_owned()),
    })
}

#[cfg(test)]
mod tests;
