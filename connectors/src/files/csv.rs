//! CSV as RFC 4180 has it, strictly, with declared columns.
//!
//! An own reader, since the usual ones are more lenient than a register allows: they end an unclosed quote at the end
//! of the file, take an empty text for a missing one, cut decimals, and quote rows in their errors.

mod record;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use lingqu_connector_sdk::{SourceError, TableName};

use super::decode::{BATCH_BYTES, Decode, decoded};
use super::parts::{Parts, truncated};
use super::text::{TextEncoding, Transcoder};
use crate::bounded::failed;
use crate::declared::{ColumnBuilder, Columns, Unfit, batch};
use crate::scan::{Wanted, projected};
use record::{Field, Scanned, Syntax};

/// How a CSV file is written.
#[derive(Clone, Debug)]
pub(crate) struct CsvForm {
    pub(crate) columns: Columns,
    pub(crate) encoding: TextEncoding,
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    /// Whether the first record names the columns: all of them, in their order.
    pub(crate) header: bool,
    /// The unquoted text of a missing value. A quoted text is always a value.
    pub(crate) null: String,
    pub(crate) record_bytes_max: usize,
}

/// The wanted columns of every file in turn.
pub(super) fn read(
    parts: &Parts,
    form: &Arc<CsvForm>,
    table: &TableName,
    wanted: &Wanted,
) -> SendableRecordBatchStream {
    let schema = projected(&form.columns.schema(), &wanted.columns);
    let (form, table, wanted) = (Arc::clone(form), table.clone(), wanted.clone());
    decoded(parts, Arc::clone(&schema), move || {
        Box::new(CsvDecoder::new(
            Arc::clone(&form),
            table.clone(),
            &wanted,
            Arc::clone(&schema),
        ))
    })
}

/// Reads one file.
pub(crate) struct CsvDecoder {
    form: Arc<CsvForm>,
    table: TableName,
    schema: SchemaRef,
    batch_rows: usize,
    builders: Vec<ColumnBuilder>,
    /// For each column of the file its builder, if it is wanted.
    slots: Vec<Option<usize>>,
    transcoder: Transcoder,
    text: String,
    /// How much of the text has been read.
    read: usize,
    last: bool,
    header_due: bool,
    fields: Vec<Field>,
    unescaped: String,
    rows: usize,
    batch_bytes: usize,
}

impl CsvDecoder {
    pub(crate) fn new(
        form: Arc<CsvForm>,
        table: TableName,
        wanted: &Wanted,
        schema: SchemaRef,
    ) -> CsvDecoder {
        let mut slots = vec![None; form.columns.list().len()];
        for (slot, &column) in wanted.columns.iter().enumerate() {
            slots[column] = Some(slot);
        }
        CsvDecoder {
            builders: form.columns.builders(&wanted.columns),
            transcoder: Transcoder::new(form.encoding),
            header_due: form.header,
            form,
            table,
            schema,
            batch_rows: wanted.batch_rows,
            slots,
            text: String::new(),
            read: 0,
            last: false,
            fields: Vec::new(),
            unescaped: String::new(),
            rows: 0,
            batch_bytes: 0,
        }
    }

    /// Reads records until the batch is full (true) or the text is used up.
    fn fill(&mut self) -> Result<bool, SourceError> {
        let syntax = Syntax {
            delimiter: self.form.delimiter,
            quote: self.form.quote,
        };
        // The end of the file ends the last record, but not where the text stops being text.
        let ends = self.last && !self.transcoder.malformed();
        loop {
            let rest = &self.text.as_bytes()[self.read..];
            match record::scan(rest, syntax, ends, &mut self.fields) {
                Scanned::Record(length) => {
                    if length > self.form.record_bytes_max {
                        return Err(SourceError::TooLarge);
                    }
                    self.take_record()?;
                    self.read += length;
                    self.batch_bytes += length;
                }
                Scanned::More => return self.at_the_end_of_the_text().map(|()| false),
                Scanned::Unclosed => return Err(truncated()),
                Scanned::Malformed => return Err(failed("csv-malformed")),
            }
            if self.rows >= self.batch_rows || self.batch_bytes >= BATCH_BYTES {
                return Ok(true);
            }
        }
    }

    /// No record is complete any more: more bytes are needed, or there is something wrong.
    fn at_the_end_of_the_text(&mut self) -> Result<(), SourceError> {
        if self.transcoder.malformed() {
            // The field that the malformed bytes stand in is the one after those that are complete.
            let column = self.form.columns.list().get(self.fields.len());
            return Err(column.map_or_else(
                || failed("csv-malformed"),
                |column| SourceError::ValueUnfit {
                    column: column.name.clone(),
                },
            ));
        }
        if self.text.len() - self.read > self.form.record_bytes_max {
            return Err(SourceError::TooLarge);
        }
        if self.last && self.header_due {
            // Not even a header: the file was cut, or never written.
            return Err(truncated());
        }
        self.text.drain(..self.read);
        self.read = 0;
        Ok(())
    }

    fn take_record(&mut self) -> Result<(), SourceError> {
        let columns = self.form.columns.list();
        // A line without any text is no record, unless it can be one.
        let blank =
            matches!(self.fields[..], [Field { start, end, quoted: false, .. }] if start == end);
        if blank && columns.len() > 1 {
            return Ok(());
        }
        if self.fields.len() != columns.len() {
            return Err(failed(if self.header_due {
                "csv-header"
            } else {
                "csv-field-count"
            }));
        }
        if self.header_due {
            return self.take_header();
        }
        let record = &self.text[self.read..];
        for (field, slot) in self.fields.iter().zip(&self.slots) {
            let Some(slot) = *slot else { continue };
            let builder = &mut self.builders[slot];
            let raw = &record[field.start..field.end];
            let pushed = if field.escaped {
                unescape(raw, self.form.quote, &mut self.unescaped);
                builder.push_text(&self.unescaped)
            } else if !field.quoted && raw == self.form.null {
                builder.push_null()
            } else {
                builder.push_text(raw)
            };
            pushed.map_err(|Unfit| builder.unfit())?;
        }
        self.rows += 1;
        Ok(())
    }

    fn take_header(&mut self) -> Result<(), SourceError> {
        let record = &self.text[self.read..];
        for (field, column) in self.fields.iter().zip(self.form.columns.list()) {
            let raw = &record[field.start..field.end];
            unescape(
                raw,
                self.form.quote.filter(|_| field.escaped),
                &mut self.unescaped,
            );
            if self.unescaped != column.name {
                return Err(SourceError::SchemaChanged(self.table.clone()));
            }
        }
        self.header_due = false;
        Ok(())
    }
}

/// The text with each pair of quotes as one.
fn unescape(raw: &str, quote: Option<u8>, text: &mut String) {
    text.clear();
    let Some(quote) = quote.map(char::from) else {
        return text.push_str(raw);
    };
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(quote) {
        text.push_str(before);
        text.push(quote);
        rest = after.strip_prefix(quote).unwrap_or(after);
    }
    text.push_str(rest);
}

impl Decode for CsvDecoder {
    fn feed(&mut self, bytes: &[u8], last: bool) {
        self.transcoder.push(bytes, last, &mut self.text);
        self.last = last;
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let full = self.fill()?;
        if self.rows == 0 || !(full || self.last) {
            return Ok(None);
        }
        let rows = std::mem::take(&mut self.rows);
        self.batch_bytes = 0;
        batch(&self.schema, &mut self.builders, rows).map(Some)
    }
}
