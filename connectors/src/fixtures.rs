//! What tests of several connectors need: a source from its settings, a load, a query.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{Connector, LoadRequest, ReadLimits, SettingsRefused, SourceError};

use crate::bounded::uncarried;

/// A source of a kind, or why its settings are refused.
pub(crate) fn configure(
    kind: &str,
    settings: &str,
    base: &Path,
) -> Result<Arc<dyn Connector>, SettingsRefused> {
    crate::kinds().configure(kind, settings.parse().expect("the settings are TOML"), base)
}

/// A source whose settings are good.
pub(crate) fn source(kind: &str, settings: &str, base: &Path) -> Arc<dyn Connector> {
    configure(kind, settings, base).expect("the settings are good")
}

/// The batches of a load.
pub(crate) async fn batches(
    source: &dyn Connector,
    table: &str,
    columns: &[&str],
    limits: ReadLimits,
) -> Result<Vec<RecordBatch>, SourceError> {
    let request = LoadRequest {
        table: lingqu_connector_sdk::TableName::new([table.to_owned()]).expect("it names a table"),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        limits,
    };
    let reading = source.load(&request).await?;
    reading.batches.try_collect().await.map_err(uncarried)
}

/// The cells of a load as text, row by row, a missing value as `NULL`.
pub(crate) async fn load(
    source: &dyn Connector,
    table: &str,
    columns: &[&str],
) -> Result<Vec<String>, SourceError> {
    let batches = batches(source, table, columns, ReadLimits::default()).await?;
    Ok(batches.iter().flat_map(rows).collect())
}

/// The rows of a batch as text.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &arrow_array::ArrayRef, row| {
        if column.is_null(row) {
            "NULL".to_owned()
        } else {
            array_value_to_string(column, row).expect("every value can be shown")
        }
    };
    let row = |row| {
        let cells = batch.columns().iter().map(|column| cell(column, row));
        cells.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The answer of the engine over a table that is registered as `t`, in order.
pub(crate) async fn query(source: &dyn Connector, table: &str, sql: &str) -> Vec<String> {
    let name = lingqu_connector_sdk::TableName::new([table.to_owned()]).expect("a name");
    let provider = source.open(&name).await.expect("the table opens");
    let context = SessionContext::new();
    context.register_table("t", provider).expect("it is new");
    let frame = context.sql(sql).await.expect("the query is good");
    let batches = frame.collect().await.expect("the query runs");
    let mut rows: Vec<String> = batches.iter().flat_map(rows).collect();
    rows.sort();
    rows
}
