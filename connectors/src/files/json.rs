//! Objects of JSON as rows with declared columns; JSON lines are one of them a line.
//!
//! Numbers keep every digit, since they are read as text; nothing is turned from one kind into another.

mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use lingqu_connector_sdk::SourceError;

use super::decode::{BATCH_BYTES, Decode, decoded};
use super::parts::Parts;
use super::text::{TextEncoding, Transcoder};
use crate::bounded::failed;
use crate::declared::Columns;
use crate::scan::Wanted;

pub(crate) use rows::JsonRows;

/// How JSON lines are written.
#[derive(Clone, Debug)]
pub(crate) struct JsonForm {
    pub(crate) columns: Columns,
    pub(crate) encoding: TextEncoding,
    pub(crate) record_bytes_max: usize,
}

/// The wanted columns of every file in turn.
pub(super) fn read(
    parts: &Parts,
    form: &Arc<JsonForm>,
    wanted: &Wanted,
) -> SendableRecordBatchStream {
    let schema = JsonRows::new(&form.columns, &wanted.columns).schema();
    let (form, wanted) = (Arc::clone(form), wanted.clone());
    decoded(parts, schema, move || {
        Box::new(LineDecoder::new(&form, &wanted))
    })
}

/// Reads one file.
pub(crate) struct LineDecoder {
    rows: JsonRows,
    record_bytes_max: usize,
    batch_rows: usize,
    transcoder: Transcoder,
    text: String,
    read: usize,
    last: bool,
    batch_bytes: usize,
}

impl LineDecoder {
    pub(crate) fn new(form: &JsonForm, wanted: &Wanted) -> LineDecoder {
        LineDecoder {
            rows: JsonRows::new(&form.columns, &wanted.columns),
            record_bytes_max: form.record_bytes_max,
            batch_rows: wanted.batch_rows,
            transcoder: Transcoder::new(form.encoding),
            text: String::new(),
            read: 0,
            last: false,
            batch_bytes: 0,
        }
    }

    fn fill(&mut self) -> Result<bool, SourceError> {
        loop {
            let rest = &self.text[self.read..];
            let (line, length) = match rest.split_once('\n') {
                Some((line, _)) => (line, line.len() + 1),
                None if self.transcoder.malformed() => return Err(self.malformed_in(rest)),
                None if self.last && !rest.is_empty() => (rest, rest.len()),
                None if rest.len() > self.record_bytes_max => return Err(SourceError::TooLarge),
                None => break,
            };
            if length > self.record_bytes_max {
                return Err(SourceError::TooLarge);
            }
            if !line.trim_ascii().is_empty() {
                self.rows.push(line)?;
            }
            self.read += length;
            self.batch_bytes += length;
            if self.rows.len() >= self.batch_rows || self.batch_bytes >= BATCH_BYTES {
                return Ok(true);
            }
        }
        self.text.drain(..self.read);
        self.read = 0;
        Ok(false)
    }

    /// The column whose name stands last before the malformed bytes.
    fn malformed_in(&self, line: &str) -> SourceError {
        let place = |name: &String| {
            let key = serde_json::to_string(name).expect("a text is JSON");
            line.rfind(&key)
        };
        let found = self
            .rows
            .names()
            .filter_map(|name| Some((place(name)?, name)));
        found.max().map_or_else(
            || failed("malformed-text"),
            |(_, name)| SourceError::ValueUnfit {
                column: name.clone(),
            },
        )
    }
}

impl Decode for LineDecoder {
    fn feed(&mut self, bytes: &[u8], last: bool) {
        self.transcoder.push(bytes, last, &mut self.text);
        self.last = last;
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let full = self.fill()?;
        if self.rows.len() == 0 || !(full || self.last) {
            return Ok(None);
        }
        self.batch_bytes = 0;
        self.rows.batch().map(Some)
    }
}
