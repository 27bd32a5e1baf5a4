//! `COPY … (FORMAT binary)` into Arrow buffers, column by column, without a value in between.
//!
//! A header, rows of a 16-bit field count and fields that each begin with their 32-bit length (-1 for NULL), and a
//! trailer of -1 (PostgreSQL, "COPY", Binary Format). The server sends one row a message; nothing here relies on it.
//! Bytes that are not of this form are an error, never fewer rows.

mod values;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use lingqu_connector_sdk::SourceError;

use super::columns::{Column, schema};
use values::Values;

/// What the stream begins with.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Flags whose meaning a reader must know.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// A batch of fewer rows than wanted is handed on once its columns have so many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// Decodes one stream.
pub(super) struct Decoder {
    schema: SchemaRef,
    columns: Vec<Builder>,
    batch_rows: usize,
    /// Rows in the builders.
    rows: usize,
    /// Bytes of fields in the builders.
    bytes: usize,
    /// Of the stream, what is not yet a whole row.
    rest: Vec<u8>,
    state: State,
}

struct Builder {
    name: String,
    nullable: bool,
    values: Values,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Rows,
    Ended,
}

impl Decoder {
    pub(super) fn new(columns: &[Column], batch_rows: usize) -> Decoder {
        let builder = |column: &Column| Builder {
            name: column.name.clone(),
            nullable: column.nullable,
            values: Values::new(column.kind, batch_rows),
        };
        Decoder {
            schema: schema(columns),
            columns: columns.iter().map(builder).collect(),
            batch_rows,
            rows: 0,
            bytes: 0,
            rest: Vec::new(),
            state: State::Header,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), SourceError> {
        if self.rest.is_empty() {
            let used = self.decode(message)?;
            self.rest.extend_from_slice(&message[used..]);
        } else {
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(message);
            let used = self.decode(&rest)?;
            rest.drain(..used);
            self.rest = rest;
        }
        Ok(())
    }

    /// Says that there are no more bytes.
    pub(super) fn end(&self) -> Result<(), SourceError> {
        if self.state == State::Ended && self.rest.is_empty() {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    /// The next batch if it is full, or with `all` if there is any row.
    pub(super) fn take(&mut self, all: bool) -> Result<Option<RecordBatch>, SourceError> {
        let full = self.rows >= self.batch_rows || self.bytes >= BATCH_BYTES;
        if self.rows == 0 || !(full || all) {
            return Ok(None);
        }
        let mut arrays = Vec::with_capacity(self.columns.len());
        for builder in &mut self.columns {
            let array = builder.values.take();
            arrays.push(array.ok_or_else(|| builder.unfit())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|_| malformed())?;
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }

    /// Decodes whole rows until the batch is full; says how many bytes they had.
    fn decode(&mut self, bytes: &[u8]) -> Result<usize, SourceError> {
        let mut at = 0;
        if self.state == State::Header {
            match header(bytes)? {
                Some(length) => at = length,
                None => return Ok(0),
            }
            self.state = State::Rows;
        }
        while at < bytes.len() {
            if self.state == State::Ended {
                return Err(malformed());
            }
            match self.row_length(&bytes[at..])? {
                Row::Partial => break,
                Row::Trailer => {
                    self.state = State::Ended;
                    at += 2;
                }
                Row::Whole(length) => {
                    self.row(&bytes[at + 2..at + length])?;
                    at += length;
                }
            }
        }
        Ok(at)
    }

    /// Looks at a row before any of it is taken, so that a row is in all columns or in none.
    fn row_length(&self, bytes: &[u8]) -> Result<Row, SourceError> {
        let Some((count, _)) = bytes.split_first_chunk::<2>() else {
            return Ok(Row::Partial);
        };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            return Ok(Row::Trailer);
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(malformed());
        }
        let mut at = 2;
        for _ in &self.columns {
            let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) else {
                return Ok(Row::Partial);
            };
            at += 4;
            match i32::from_be_bytes(*length) {
                -1 => {}
                length => at += usize::try_from(length).map_err(|_| malformed())?,
            }
        }
        Ok(if at <= bytes.len() {
            Row::Whole(at)
        } else {
            Row::Partial
        })
    }

    /// Takes the fields of a row that is whole.
    fn row(&mut self, mut fields: &[u8]) -> Result<(), SourceError> {
        self.bytes += fields.len();
        for builder in &mut self.columns {
            let (length, rest) = fields.split_first_chunk::<4>().ok_or_else(malformed)?;
            let length = i32::from_be_bytes(*length);
            if length == -1 {
                if !builder.nullable {
                    return Err(builder.unfit());
                }
                builder.values.null();
                fields = rest;
            } else {
                let length = usize::try_from(length).map_err(|_| malformed())?;
                let (field, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
                if !builder.values.push(field) {
                    return Err(builder.unfit());
                }
                fields = rest;
            }
        }
        self.rows += 1;
        Ok(())
    }
}

enum Row {
    /// Bytes are missing.
    Partial,
    /// There are no more rows.
    Trailer,
    /// So many bytes.
    Whole(usize),
}

impl Builder {
    fn unfit(&self) -> SourceError {
        SourceError::ValueUnfit {
            column: self.name.clone(),
        }
    }
}

/// The header's length once it is whole.
fn header(bytes: &[u8]) -> Result<Option<usize>, SourceError> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return Err(malformed());
    }
    let Some((numbers, rest)) = bytes
        .get(SIGNATURE.len()..)
        .and_then(<[u8]>::split_first_chunk::<8>)
    else {
        return Ok(None);
    };
    let number = |at: usize| {
        u32::from_be_bytes([
            numbers[at],
            numbers[at + 1],
            numbers[at + 2],
            numbers[at + 3],
        ])
    };
    let (flags, extension) = (number(0), number(4));
    // Today's servers send no extension; a long one would have to be held until it is whole.
    if flags & CRITICAL_FLAGS != 0 || extension > 1_024 {
        return Err(malformed());
    }
    let extension = usize::try_from(extension).map_err(|_| malformed())?;
    Ok((rest.len() >= extension).then_some(SIGNATURE.len() + 8 + extension))
}

/// The bytes are not what the protocol says.
fn malformed() -> SourceError {
    SourceError::Failed { code: None }
}

#[cfg(test)]
mod tests;
