//! Answers to questions about the other side, taken from tables that it made.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt32Type;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_flight::sql::SqlInfo;
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_schema::{DataType, Schema, SchemaRef};
use lingqu_connector_sdk::{SourceError, TableName};

use crate::bounded::failed;

/// Longest name of a server that is passed on, in bytes.
const SERVER_BYTES_MAX: usize = 100;

/// Names and columns of tables.
pub(super) struct Tables;

impl Tables {
    /// From the answer to `CommandGetTables`. A table whose name cannot be said here is left out.
    pub(super) fn parse(
        batches: &[RecordBatch],
    ) -> Result<Vec<(TableName, SchemaRef)>, SourceError> {
        let malformed = || failed("flight-tables");
        let mut tables = Vec::new();
        for batch in batches {
            let text = |name: &str| batch.column_by_name(name).and_then(texts);
            let names = text("table_name").ok_or_else(malformed)?;
            let schemas = batch.column_by_name("table_schema").ok_or_else(malformed)?;
            let schemas = schemas.as_binary_opt::<i32>().ok_or_else(malformed)?;
            let catalogs = text("catalog_name").unwrap_or_default();
            let db_schemas = text("db_schema_name").unwrap_or_default();
            for (row, name) in names.iter().enumerate() {
                let part = |parts: &[Option<String>]| parts.get(row).cloned().flatten();
                let parts = [part(&catalogs), part(&db_schemas), name.clone()];
                let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
                let Ok(name) = TableName::new(parts) else {
                    continue;
                };
                tables.push((name, schema(schemas.value(row)).ok_or_else(malformed)?));
            }
        }
        Ok(tables)
    }
}

fn texts(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    let texts = array.as_string_opt::<i32>()?;
    Some(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

/// The columns of a table from a message of Arrow IPC; what else it notes of them is not what a table is.
fn schema(message: &[u8]) -> Option<SchemaRef> {
    let schema = try_schema_from_ipc_buffer(message).ok()?;
    Some(plain(&schema))
}

/// The schema without metadata.
pub(super) fn plain(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<arrow_schema::Field>| {
        let field = field.as_ref().clone();
        Arc::new(field.with_metadata(std::collections::HashMap::new()))
    };
    Arc::new(Schema::new(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
    ))
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) server: String,
    pub(super) read_only: Option<bool>,
}

impl Info {
    /// From the answer to `CommandGetSqlInfo`; what it does not say stays open.
    pub(super) fn parse(batches: &[RecordBatch]) -> Info {
        let (mut name, mut version, mut read_only) = (None, None, None);
        for batch in batches {
            let names = batch.column_by_name("info_name");
            let Some(names) = names.and_then(|names| names.as_primitive_opt::<UInt32Type>()) else {
                continue;
            };
            let values = batch.column_by_name("value");
            let Some(values) =
                values.filter(|values| matches!(values.data_type(), DataType::Union(..)))
            else {
                continue;
            };
            let values = values.as_union();
            for (row, info) in names.iter().enumerate() {
                let value = values.value(row);
                if info == Some(SqlInfo::FlightSqlServerName as u32) {
                    name = text(&value);
                } else if info == Some(SqlInfo::FlightSqlServerVersion as u32) {
                    version = text(&value);
                } else if info == Some(SqlInfo::FlightSqlServerReadOnly as u32) {
                    let flag = value.as_boolean_opt().filter(|flags| flags.is_valid(0));
                    read_only = flag.map(|flags| flags.value(0));
                }
            }
        }
        let name = name.unwrap_or_else(|| "Flight SQL".to_owned());
        let server = match version {
            Some(version) => format!("{name} {version}"),
            None => name,
        };
        Info { server, read_only }
    }
}

/// A text that can be printed.
fn text(value: &ArrayRef) -> Option<String> {
    let texts = value.as_string_opt::<i32>()?;
    let text = texts.is_valid(0).then(|| texts.value(0))?;
    let printable = text.chars().filter(|each| !each.is_control());
    Some(printable.take(SERVER_BYTES_MAX).collect())
}
