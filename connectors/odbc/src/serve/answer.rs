//! Answers that are no rows of a table: which tables there are, and what this server is.

#[cfg(test)]
mod tests;

use arrow_array::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use arrow_flight::sql::{CommandGetSqlInfo, CommandGetTables, SqlInfo};
use arrow_schema::Schema;
use tonic::Status;

use super::status;
use crate::job::Table;
use crate::supervise::Supervisor;
use crate::types::schema;

/// What a table is called in an answer.
const TABLE_TYPE: &str = "TABLE";

/// The configured tables that the filters let through, with their columns if these are asked for.
///
/// A table that cannot be described is left out, and the log says why; if it is the only one asked for, the answer is
/// the reason.
pub(super) async fn tables(
    supervisor: &Supervisor,
    command: CommandGetTables,
) -> Result<RecordBatch, Status> {
    let wanted: Vec<Table> = supervisor
        .source
        .tables
        .iter()
        .filter(|table| matches(table, &command))
        .cloned()
        .collect();
    let with_schema = command.include_schema;
    let mut builder = command.into_builder();
    let mut append = |table: &Table, schema: &Schema| {
        let (catalog, db_schema, name) = parts(table);
        builder
            .append(catalog, db_schema, name, TABLE_TYPE, schema)
            .map_err(|_| internal())
    };
    if !with_schema {
        for table in &wanted {
            append(table, &Schema::empty())?;
        }
        return builder.build().map_err(|_| internal());
    }
    if !wanted.is_empty() {
        let only = wanted.len() == 1;
        let described = supervisor.describe(wanted).await;
        for (table, columns) in described.map_err(|error| status::of_work(&error))? {
            match columns {
                Ok(columns) => append(&table, &schema(&columns))?,
                Err(failure) if only => return Err(status::of_failure(&failure)),
                Err(failure) => {
                    tracing::warn!(source = %supervisor.source.name, table = ?table.name, %failure,
                        "a table is left out");
                }
            }
        }
    }
    builder.build().map_err(|_| internal())
}

/// What this server is; asking for it reaches the source, so that an answer means that the source answers.
pub(super) async fn sql_info(
    supervisor: &Supervisor,
    command: CommandGetSqlInfo,
) -> Result<RecordBatch, Status> {
    let server = supervisor.probe().await;
    let server = server.map_err(|error| status::of_work(&error))?;
    let mut builder = SqlInfoDataBuilder::new();
    builder.append(SqlInfo::FlightSqlServerName, server.as_str());
    builder.append(
        SqlInfo::FlightSqlServerVersion,
        concat!("lingqu-odbc ", env!("CARGO_PKG_VERSION")),
    );
    builder.append(SqlInfo::FlightSqlServerReadOnly, true);
    builder.append(SqlInfo::FlightSqlServerSql, true);
    builder.append(SqlInfo::FlightSqlServerSubstrait, false);
    builder.append(SqlInfo::FlightSqlServerCancel, true);
    builder.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    let data = builder.build().map_err(|_| internal())?;
    command.into_builder(&data).build().map_err(|_| internal())
}

fn internal() -> Status {
    status::of_failure(&crate::failure::Failure::Failed { code: None })
}

/// Catalog, schema and name; those that the table does not have are empty.
fn parts(table: &Table) -> (&str, &str, &str) {
    match table.name.as_slice() {
        [name] => ("", "", name),
        [db_schema, name] => ("", db_schema, name),
        [catalog, db_schema, name] => (catalog, db_schema, name),
        _ => unreachable!("the configuration allows one to three parts"),
    }
}

/// Whether the filters may let the table through, so that it is worth describing. The builder filters once more.
fn matches(table: &Table, command: &CommandGetTables) -> bool {
    let (catalog, db_schema, name) = parts(table);
    let like = |pattern: &Option<String>, text: &str| {
        pattern.as_deref().is_none_or(|pattern| {
            // Escapes are left to the builder.
            pattern.contains('\\') || like(pattern.as_bytes(), text.as_bytes())
        })
    };
    command
        .catalog
        .as_deref()
        .is_none_or(|wanted| wanted == catalog)
        && like(&command.db_schema_filter_pattern, db_schema)
        && like(&command.table_name_filter_pattern, name)
        && (command.table_types.is_empty() || command.table_types.iter().any(|t| t == TABLE_TYPE))
}

/// `%` stands for any bytes, `_` for one character of any length in bytes.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on after the last `%`, and what it has taken so far: each `%` is tried anew at most once per byte.
    let (mut at, mut text_at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while text_at < text.len() {
        match pattern.get(at) {
            Some(b'%') => {
                retry = Some((at + 1, text_at));
                at += 1;
            }
            Some(b'_') => {
                at += 1;
                text_at += 1;
                while text.get(text_at).is_some_and(|byte| byte & 0xc0 == 0x80) {
                    text_at += 1;
                }
            }
            Some(byte) if *byte == text[text_at] => {
                at += 1;
                text_at += 1;
            }
            _ => match retry {
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (at, text_at) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'%')
}

/// One batch as a stream of Flight data.
pub(super) fn stream(
    batch: RecordBatch,
) -> impl futures::Stream<Item = Result<arrow_flight::FlightData, FlightError>> {
    let schema = batch.schema();
    arrow_flight::encode::FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(futures::stream::iter([Ok(batch)]))
}
