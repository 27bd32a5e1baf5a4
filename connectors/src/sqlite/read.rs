//! One reading of a table, stopped within SQLite when nobody waits for it any more.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Expr;
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{SourceError, TableName};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use super::{Database, sqlite_error};
use crate::bounded::produced;
use crate::declared::{ColumnBuilder, ColumnType, Columns, Unfit, batch};
use crate::scan::{Rows, Wanted, projected};
use crate::sql_text::{Compared, Quote, condition};

/// Instructions of SQLite's machine between two looks at whether anybody still waits.
const INSTRUCTIONS: i32 = 10_000;
/// Bytes of values after which a batch is handed on although more rows would fit.
const BATCH_BYTES: usize = 8 << 20;

/// One table.
#[derive(Debug)]
pub(super) struct SqliteTable {
    pub(super) database: Arc<Database>,
    pub(super) name: TableName,
    pub(super) columns: Columns,
}

/// Stops the statement when it is dropped.
struct Interrupt(Arc<AtomicBool>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SqliteTable {
    fn compared(&self, name: &str) -> Option<Compared> {
        let mut columns = self.columns.list().iter();
        match columns.find(|column| column.name == name)?.kind {
            ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::UInt8
            | ColumnType::UInt16
            | ColumnType::UInt32 => Some(Compared::Integer),
            ColumnType::Text => Some(Compared::Text),
            _ => None,
        }
    }

    fn condition(&self, filter: &Expr) -> Option<String> {
        condition(filter, Quote::Double, &|name| self.compared(name))
    }

    /// Columns by name, each value only if it is not too long: of a longer one comes a value of a type that no column
    /// of its kind takes.
    fn statement(&self, wanted: &Wanted) -> String {
        let bytes_max = self.database.value_bytes_max;
        let mut sql = String::from("SELECT ");
        for (at, &index) in wanted.columns.iter().enumerate() {
            let column = &self.columns.list()[index];
            let name = Quote::Double.name(&column.name);
            let instead = if column.kind == ColumnType::Binary {
                "0"
            } else {
                "x''"
            };
            let comma = if at == 0 { "" } else { ", " };
            write!(
                sql,
                "{comma}CASE WHEN typeof({name}) IN ('text', 'blob') \
                 AND octet_length({name}) > {bytes_max} THEN {instead} ELSE {name} END"
            )
            .expect("a string takes everything");
        }
        sql.push_str(" FROM ");
        sql.push_str(&Quote::Double.table(&self.name));
        let conditions = wanted
            .filters
            .iter()
            .filter_map(|filter| self.condition(filter));
        for (at, text) in conditions.enumerate() {
            sql.push_str(if at == 0 { " WHERE " } else { " AND " });
            sql.push_str(&text);
        }
        // With conditions left to the engine nobody knows yet how many rows it needs.
        if let Some(limit) = wanted.limit.filter(|_| wanted.filters.is_empty()) {
            write!(sql, " LIMIT {limit}").expect("a string takes everything");
        }
        sql
    }
}

#[async_trait]
impl Rows for SqliteTable {
    fn schema(&self) -> SchemaRef {
        self.columns.schema()
    }

    fn helps(&self, filter: &Expr) -> bool {
        self.condition(filter).is_some()
    }

    async fn read(&self, wanted: Wanted) -> Result<SendableRecordBatchStream, SourceError> {
        let mut connection = self.database.connect().await?;
        if self.database.columns(&mut connection, &self.name).await? != self.columns {
            return Err(SourceError::SchemaChanged(self.name.clone()));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let interrupt = Interrupt(Arc::clone(&stop));
        let mut handle = connection
            .lock_handle()
            .await
            .map_err(|error| sqlite_error(&error))?;
        handle.set_progress_handler(INSTRUCTIONS, move || !stop.load(Ordering::Relaxed));
        drop(handle);
        let sql = self.statement(&wanted);
        let schema = projected(&self.columns.schema(), &wanted.columns);
        let mut builders = self.columns.builders(&wanted.columns);
        Ok(produced(Arc::clone(&schema), move |sender| async move {
            let _interrupt = interrupt;
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut connection);
            let mut count = 0;
            let mut bytes = 0;
            loop {
                let row = rows
                    .try_next()
                    .await
                    .map_err(|error| sqlite_error(&error))?;
                let over = row.is_none();
                if let Some(row) = row {
                    bytes += take(&row, &mut builders)?;
                    count += 1;
                }
                let full = count >= wanted.batch_rows || bytes >= BATCH_BYTES;
                if count > 0 && (over || full) {
                    let item = Ok(batch(&schema, &mut builders, count)?);
                    if sender.send(item).await.is_err() {
                        return Ok(());
                    }
                    (count, bytes) = (0, 0);
                }
                if over {
                    return Ok(());
                }
            }
        }))
    }
}

/// Adds a row; its bytes of text and blobs.
fn take(row: &SqliteRow, builders: &mut [ColumnBuilder]) -> Result<usize, SourceError> {
    let mut bytes = 0;
    for (at, builder) in builders.iter_mut().enumerate() {
        let value = row.try_get_raw(at).map_err(|error| sqlite_error(&error))?;
        bytes += push(value, builder).map_err(|Unfit| builder.unfit())?;
    }
    Ok(bytes)
}

fn push(value: SqliteValueRef<'_>, builder: &mut ColumnBuilder) -> Result<usize, Unfit> {
    if value.is_null() {
        return builder.push_null().map(|()| 0);
    }
    let found = value.type_info().into_owned();
    match found.name() {
        "INTEGER" => builder.push_integer(decoded::<i64>(value)?).map(|()| 8),
        "REAL" => builder.push_float(decoded::<f64>(value)?).map(|()| 8),
        "BLOB" => {
            let bytes: &[u8] = decoded(value)?;
            builder.push_bytes(bytes).map(|()| bytes.len())
        }
        "TEXT" => {
            let text: &str = decoded(value)?;
            // What only looks like a number is text, except in a column whose decimals SQLite would not keep otherwise.
            let kind = builder.column().kind;
            let fits = !kind.is_number() || matches!(kind, ColumnType::Decimal(..));
            let fits = fits && kind != ColumnType::Boolean;
            fits.then_some(()).ok_or(Unfit)?;
            builder.push_text(text).map(|()| text.len())
        }
        _ => Err(Unfit),
    }
}

fn decoded<'r, T: Decode<'r, Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, Unfit> {
    // Text that is not UTF-8 among others.
    T::decode(value).map_err(|_| Unfit)
}
