//! One reading of a table of the other side.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Expr;
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{SourceError, TableName};

use super::client::{Upstream, flight_error};
use super::dialect::Dialect;
use crate::bounded::{pieces, produced, within};
use crate::scan::{Rows, Wanted, projected};

/// One table.
#[derive(Debug)]
pub(super) struct FlightTable {
    pub(super) upstream: Arc<Upstream>,
    pub(super) dialect: Dialect,
    pub(super) name: TableName,
    pub(super) schema: SchemaRef,
}

#[async_trait]
impl Rows for FlightTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn helps(&self, filter: &Expr) -> bool {
        self.dialect.condition(&self.schema, filter).is_some()
    }

    async fn read(&self, wanted: Wanted) -> Result<SendableRecordBatchStream, SourceError> {
        let mut session = self.upstream.session()?;
        let sql = self.dialect.statement(&self.name, &self.schema, &wanted);
        let time_max = self.upstream.request_time_max;
        let tickets = within(time_max, session.statement(sql)).await?;
        let schema = projected(&self.schema, &wanted.columns);
        let name = self.name.clone();
        Ok(produced(Arc::clone(&schema), move |sender| async move {
            for ticket in tickets {
                let mut rows = within(time_max, session.fetch(ticket)).await?;
                while let Some(batch) = rows
                    .try_next()
                    .await
                    .map_err(|error| flight_error(&error))?
                {
                    let batch = expected(batch, &schema)
                        .ok_or_else(|| SourceError::SchemaChanged(name.clone()))?;
                    for piece in pieces(batch, wanted.batch_rows) {
                        if sender.send(Ok(piece)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
            Ok(())
        }))
    }
}

/// The batch with the schema that was described, if it has those columns and no others.
fn expected(batch: RecordBatch, schema: &SchemaRef) -> Option<RecordBatch> {
    let found = batch.schema();
    same_columns(&found, schema).then_some(())?;
    // A missing value in a column that was described without any does not pass here.
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).ok()
}

fn same_columns(found: &Schema, schema: &Schema) -> bool {
    let pairs = found.fields().iter().zip(schema.fields());
    found.fields().len() == schema.fields().len()
        && pairs.into_iter().all(|(found, field)| {
            found.name() == field.name() && found.data_type() == field.data_type()
        })
}
