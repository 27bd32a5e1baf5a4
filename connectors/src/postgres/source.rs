//! One PostgreSQL database as a source: what it has, and readings of it.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::Expr;
use lingqu_connector_sdk::{
    Connector, Health, LoadRequest, ReadLimits, Reading, SettingsRefused, SourceError, TableInfo,
    TableName, WriteProbe,
};
use tokio::time::{Instant, timeout_at};

use super::columns::{self, Column, Table};
use super::decode::Decoder;
use super::error::of_table;
use super::session::{Pool, Session};
use super::settings::Settings;
use super::sql::{self, Selection};
use super::{privileges, probe, pushdown};
use crate::relay::{Outlet, bytes_of, relay};
use crate::server::provider::{Database, Provider};

/// What is read of one table.
type Query = crate::server::provider::Query<Column>;

/// One database.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pool: Arc<Pool>,
}

#[async_trait]
impl Connector for Source {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        let session = self.pool.acquire().await?;
        let tables = columns::tables(&session, self.pool.settings(), None).await?;
        session.give_back();
        Ok(tables.iter().filter_map(Table::info).collect())
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let session = self.pool.acquire().await?;
        let found = self.find(&session, table).await?;
        session.give_back();
        Ok(Arc::new(Provider::new(
            self.clone(),
            table.clone(),
            found.columns,
        )))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        let session = self.pool.acquire().await?;
        let found = self.find(&session, &request.table).await?;
        let query = Query {
            table: request.table.clone(),
            columns: found.select(&request.columns)?,
            condition: None,
            limit: None,
        };
        let reading = self.start(session, &found, query, request.limits).await?;
        let declared = reading.batches.schema();
        Ok(reading.within(declared, request))
    }

    async fn health(&self) -> Result<Health, SourceError> {
        let session = self.pool.acquire().await?;
        let health = Health {
            server: format!("PostgreSQL {}", session.server()),
            may_write: privileges::beyond_reading(&session).await?,
            verified_tls: Some(self.pool.is_verified()),
        };
        session.give_back();
        Ok(health)
    }

    async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
        let session = self.pool.acquire().await?;
        let tables = columns::tables(&session, self.pool.settings(), None).await?;
        session.give_back();
        probe::write(&self.pool, &tables).await
    }

    async fn running_queries(&self) -> Result<Option<u64>, SourceError> {
        let session = self.pool.acquire().await?;
        let rows = session.query(RUNNING, &[]).await?;
        let running: Option<i64> = rows.first().map(|row| columns::cell(row, 0)).transpose()?;
        session.give_back();
        Ok(running.and_then(|running| u64::try_from(running).ok()))
    }
}

/// Statements of this account's other sessions that the server is working on.
const RUNNING: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity \
     WHERE usename = current_user AND pid <> pg_catalog.pg_backend_pid() AND state = 'active'";

#[async_trait]
impl Database for Source {
    type Column = Column;

    fn schema(columns: &[Column]) -> SchemaRef {
        columns::schema(columns)
    }

    fn condition(filter: &Expr, columns: &[Column]) -> Option<String> {
        pushdown::condition(filter, columns)
    }

    fn scan_limits(&self, batch_rows: usize) -> ReadLimits {
        self.settings().scan_limits(batch_rows)
    }

    async fn scan(&self, query: Query, limits: ReadLimits) -> Result<Reading, SourceError> {
        let session = self.pool.acquire().await?;
        let found = self.find(&session, &query.table).await?;
        let unchanged = |column: &Column| found.columns.contains(column);
        if !query.columns.iter().all(unchanged) {
            return Err(SourceError::SchemaChanged(query.table));
        }
        self.start(session, &found, query, limits).await
    }
}

impl Source {
    pub(super) fn new(settings: Settings, base: &Path) -> Result<Source, SettingsRefused> {
        let pool = Arc::new(Pool::new(settings, base.to_owned())?);
        Ok(Source { pool })
    }

    pub(super) fn settings(&self) -> &Settings {
        self.pool.settings()
    }

    async fn find(&self, session: &Session, table: &TableName) -> Result<Table, SourceError> {
        let missing = || SourceError::TableMissing(table.clone());
        let settings = self.pool.settings();
        let name = sql::parts(table, &settings.database).ok_or_else(missing)?;
        let found = columns::tables(session, settings, Some(name)).await?;
        found.into_iter().next().ok_or_else(missing)
    }

    /// Opens the transaction, makes sure that the columns are what they were a moment ago, and lets the rows come.
    async fn start(
        &self,
        session: Session,
        found: &Table,
        query: Query,
        limits: ReadLimits,
    ) -> Result<Reading, SourceError> {
        let deadline = Instant::now() + limits.time_max;
        let names: Vec<&str> = { query.columns.iter() }
            .map(|column| column.name.as_str())
            .collect();
        let selection = Selection {
            columns: &names,
            table: (&found.name.0, &found.name.1),
            condition: query.condition.as_deref(),
            limit: query.limit,
        };
        let opened = async {
            let version = begin(&session, found, &query.table, limits).await?;
            check(&session, &selection, &query).await?;
            Ok::<_, SourceError>(version)
        };
        let version = timeout_at(deadline, opened)
            .await
            .map_err(|_| SourceError::TimedOut)??;
        let statement = sql::copy(&selection);
        let decoder = Decoder::new(&query.columns, limits.batch_rows.get());
        // The server says nothing at all before it has rows for a whole buffer, so even the beginning belongs to the
        // task.
        let batches = relay(decoder.schema(), |outlet| async move {
            let copied = copy(&session, &statement, decoder, &query.table, limits, &outlet);
            timeout_at(deadline, copied)
                .await
                .map_err(|_| SourceError::TimedOut)??;
            // Ends the transaction; only then is the connection fit for another.
            if session.client().batch_execute("COMMIT").await.is_ok() {
                session.give_back();
            }
            Ok(())
        });
        Ok(Reading {
            batches,
            version: Some(version),
        })
    }
}

/// Opens a transaction that sees one state, with the table's columns held fast, and says which state that is.
async fn begin(
    session: &Session,
    found: &Table,
    table: &TableName,
    limits: ReadLimits,
) -> Result<String, SourceError> {
    let (schema, name) = &found.name;
    // The lock comes before the snapshot: a table that is rewritten in between would look empty to an older snapshot.
    let lock = if found.lockable {
        format!(
            "; LOCK TABLE {} IN ACCESS SHARE MODE",
            sql::table(schema, name)
        )
    } else {
        String::new()
    };
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}{lock}",
        limits.time_max.as_millis().clamp(1, i32::MAX as u128)
    );
    let begun = session.client().batch_execute(&begin).await;
    begun.map_err(|error| of_table(&error, table))?;
    let rows = session.query(VERSION, &[]).await?;
    match rows.first() {
        Some(row) => columns::cell(row, 0),
        None => Err(SourceError::Failed { code: None }),
    }
}

/// The snapshot, and where the log stood when it was taken.
const VERSION: &str = "SELECT 'snapshot ' || pg_catalog.pg_current_snapshot()::text || ' lsn ' || \
     COALESCE(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
     ELSE pg_catalog.pg_current_wal_lsn() END::text, 'unknown')";

/// Has the server describe the query, under the lock, and compares.
async fn check(
    session: &Session,
    selection: &Selection<'_>,
    query: &Query,
) -> Result<(), SourceError> {
    let prepared = session.client().prepare(&sql::select(selection)).await;
    let prepared = prepared.map_err(|error| of_table(&error, &query.table))?;
    let described = prepared.columns();
    let same = described.len() == query.columns.len()
        && described
            .iter()
            .zip(&query.columns)
            .all(|(now, then)| (now.type_().oid(), now.type_modifier()) == then.described);
    if same {
        Ok(())
    } else {
        Err(SourceError::SchemaChanged(query.table.clone()))
    }
}

/// Decodes until the source has no more, nobody reads any more, or a limit is crossed.
async fn copy(
    session: &Session,
    statement: &str,
    mut decoder: Decoder,
    table: &TableName,
    limits: ReadLimits,
    outlet: &Outlet,
) -> Result<(), SourceError> {
    use futures::StreamExt as _;
    let rows = session.client().copy_out(statement).await;
    let mut rows = std::pin::pin!(rows.map_err(|error| of_table(&error, table))?);
    let (mut count, mut bytes) = (0_u64, 0_u64);
    loop {
        let message = rows.next().await.transpose();
        let message = message.map_err(|error| of_table(&error, table))?;
        let ended = message.is_none();
        match &message {
            Some(message) => decoder.push(message)?,
            None => decoder.end()?,
        }
        while let Some(batch) = decoder.take(ended)? {
            count += batch.num_rows() as u64;
            bytes += bytes_of(&batch);
            if count > limits.rows_max || bytes > limits.bytes_max {
                return Err(SourceError::TooLarge);
            }
            // Nobody sees this error; it leaves the session to be cancelled.
            let put = outlet.put(batch).await;
            put.map_err(|_| SourceError::Failed { code: None })?;
        }
        if ended {
            return Ok(());
        }
    }
}
