//! The digest of a reading, over its columns and rows, however they come in batches.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema};
use datafusion::arrow::row::{RowConverter, SortField};
use lingqu_tlog::Hash;
use ring::digest::{Context, SHA256};

/// See the module.
pub(super) struct RowsDigest {
    context: Context,
    rows: Option<RowConverter>,
}

impl RowsDigest {
    pub(super) fn new(schema: &Schema) -> RowsDigest {
        let mut context = Context::new(&SHA256);
        for field in schema.fields() {
            for part in [field.name().as_str(), &field.data_type().to_string()] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        let fields = schema.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        RowsDigest {
            context,
            rows: RowConverter::new(fields.collect()).ok(),
        }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let unsupported = || ArrowError::NotYetImplemented(String::new());
        let converter = self.rows.as_ref().ok_or_else(unsupported)?;
        for row in &converter.convert_columns(batch.columns())? {
            let bytes = row.as_ref();
            self.context.update(&(bytes.len() as u64).to_be_bytes());
            self.context.update(bytes);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Hash {
        let digest = self.context.finish();
        Hash(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}
