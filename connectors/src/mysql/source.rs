//! One MySQL database as a source: what it has, and readings of it.

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
use mysql_async::prelude::{Protocol as RowProtocol, Queryable as _};
use mysql_async::{QueryResult, Value};
use tokio::time::{Instant, timeout_at};

use super::columns::{self, Column, Table};
use super::error::of_table;
use super::session::{Pool, Session};
use super::settings::{Protocol, Settings};
use super::sql::{self, Selection};
use super::values::Batches;
use super::{privileges, probe, pushdown};
use crate::relay::{Outlet, bytes_of, relay};
use crate::server::provider::{Database, Provider};

/// Longest name of a state that is kept.
const VERSION_BYTES_MAX: usize = 1_024;

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
        let mut session = self.pool.acquire().await?;
        let settings = self.settings();
        let tables = columns::tables(&mut session, settings, None).await?;
        session.give_back();
        let infos = tables
            .iter()
            .filter_map(|table| table.info(&settings.database));
        Ok(infos.collect())
    }

    async fn open(&self, table: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        let mut session = self.pool.acquire().await?;
        let found = self.find(&mut session, table).await?;
        session.give_back();
        Ok(Arc::new(Provider::new(
            self.clone(),
            table.clone(),
            found.columns,
        )))
    }

    async fn load(&self, request: &LoadRequest) -> Result<Reading, SourceError> {
        let mut session = self.pool.acquire().await?;
        let found = self.find(&mut session, &request.table).await?;
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
        let mut session = self.pool.acquire().await?;
        let may_write = privileges::beyond_reading(&mut session).await?;
        let health = Health {
            server: format!("{} {}", session.server().name(), session.version()),
            may_write,
            verified_tls: Some(self.pool.is_verified()),
        };
        session.close().await;
        Ok(health)
    }

    async fn probe_write(&self) -> Result<WriteProbe, SourceError> {
        let mut session = self.pool.acquire().await?;
        let tables = columns::tables(&mut session, self.settings(), None).await?;
        session.give_back();
        probe::write(&self.pool, &tables).await
    }

    async fn running_queries(&self) -> Result<Option<u64>, SourceError> {
        let mut session = self.pool.acquire().await?;
        let running = session.conn().query_first(RUNNING).await;
        let running = running.map_err(|error| super::error::general(&error))?;
        session.give_back();
        Ok(running)
    }
}

/// Statements of this account's other sessions that the server is working on.
const RUNNING: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
     WHERE USER = SUBSTRING_INDEX(USER(), '@', 1) AND COMMAND IN ('Execute', 'Query') \
     AND ID <> CONNECTION_ID()";

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
        let mut session = self.pool.acquire().await?;
        let found = self.find(&mut session, &query.table).await?;
        let unchanged = |column: &Column| found.columns.contains(column);
        if !query.columns.iter().all(unchanged) {
            return Err(SourceError::SchemaChanged(query.table));
        }
        self.start(session, &found, query, limits).await
    }
}

impl Source {
    pub(super) fn new(settings: Settings, base: &Path) -> Result<Source, SettingsRefused> {
        let ca = settings.ca.as_ref().map(|ca| base.join(ca));
        if ca.is_some_and(|ca| !ca.is_file()) {
            return Err(SettingsRefused::Unusable {
                key: "ca",
                why: "names no readable PEM file with certificates".to_owned(),
            });
        }
        let pool = Arc::new(Pool::new(settings, base.to_owned()));
        Ok(Source { pool })
    }

    pub(super) fn settings(&self) -> &Settings {
        self.pool.settings()
    }

    async fn find(&self, session: &mut Session, table: &TableName) -> Result<Table, SourceError> {
        let missing = || SourceError::TableMissing(table.clone());
        let settings = self.settings();
        let (_, name) = sql::parts(table, &settings.database).ok_or_else(missing)?;
        let found = columns::tables(session, settings, Some(name)).await?;
        found.into_iter().next().ok_or_else(missing)
    }

    /// Opens the transaction and lets the rows come.
    async fn start(
        &self,
        mut session: Session,
        found: &Table,
        query: Query,
        limits: ReadLimits,
    ) -> Result<Reading, SourceError> {
        let deadline = Instant::now() + limits.time_max;
        let version = timeout_at(deadline, begin(&mut session, &query.table, limits))
            .await
            .map_err(|_| SourceError::TimedOut)??;
        let protocol = session.server().protocol(self.settings());
        let expressions: Vec<String> = { query.columns.iter() }
            .map(|column| column.expression(protocol))
            .collect();
        let sql = sql::select(&Selection {
            columns: &expressions,
            table: (&self.settings().database, &found.name),
            condition: query.condition.as_deref(),
            limit: query.limit,
        });
        let batches = Batches::new(&query.columns, limits.batch_rows.get());
        let batches = relay(batches.schema(), |outlet| async move {
            let sink = Sink {
                batches,
                query: &query,
                limits,
                outlet: &outlet,
            };
            let read = read(&mut session, &sql, protocol, sink);
            timeout_at(deadline, read)
                .await
                .map_err(|_| SourceError::TimedOut)??;
            // Ends the transaction; only then is the connection fit for another.
            if session.conn().query_drop("COMMIT").await.is_ok() {
                session.give_back();
            }
            Ok(())
        });
        Ok(Reading { batches, version })
    }
}

/// Opens a transaction that sees one state, and says which that is.
async fn begin(
    session: &mut Session,
    table: &TableName,
    limits: ReadLimits,
) -> Result<Option<String>, SourceError> {
    let server = session.server();
    for statement in server.begin(limits.time_max) {
        let done = session.conn().query_drop(statement).await;
        done.map_err(|error| of_table(&error, table))?;
    }
    let Some(sql) = server.version() else {
        return Ok(None);
    };
    // The name of the state is a courtesy: an account that may not see it reads all the same.
    let Ok(Some(Value::Bytes(name))) = session.conn().query_first::<Value, _>(sql).await else {
        return Ok(None);
    };
    let name = String::from_utf8(name).ok();
    Ok(name.filter(|name| !name.is_empty() && name.len() <= VERSION_BYTES_MAX))
}

async fn read(
    session: &mut Session,
    sql: &str,
    protocol: Protocol,
    sink: Sink<'_>,
) -> Result<(), SourceError> {
    let table = &sink.query.table;
    match protocol {
        Protocol::Prepared => {
            let rows = session.conn().exec_iter(sql, ()).await;
            sink.drain(rows.map_err(|error| of_table(&error, table))?)
                .await
        }
        Protocol::Text => {
            let rows = session.conn().query_iter(sql).await;
            sink.drain(rows.map_err(|error| of_table(&error, table))?)
                .await
        }
    }
}

/// Where the rows of one query go.
struct Sink<'a> {
    batches: Batches,
    query: &'a Query,
    limits: ReadLimits,
    outlet: &'a Outlet,
}

impl Sink<'_> {
    /// Decodes until the source has no more, nobody reads any more, or a limit is crossed.
    async fn drain<P: RowProtocol>(
        mut self,
        mut rows: QueryResult<'_, 'static, P>,
    ) -> Result<(), SourceError> {
        let table = &self.query.table;
        let found = rows.columns_ref();
        let same = self.query.columns.is_empty()
            || (found.len() == self.query.columns.len() && {
                self.query.columns.iter().zip(found)
            }
            .all(|(column, found)| column.fits(found.column_type())));
        if !same {
            return Err(SourceError::SchemaChanged(table.clone()));
        }
        let (mut count, mut bytes) = (0_u64, 0_u64);
        loop {
            let row = rows.next().await.map_err(|error| of_table(&error, table))?;
            let ended = row.is_none();
            if let Some(row) = row {
                self.batches.push(row)?;
            }
            if let Some(batch) = self.batches.take(ended)? {
                count += batch.num_rows() as u64;
                bytes += bytes_of(&batch);
                if count > self.limits.rows_max || bytes > self.limits.bytes_max {
                    return Err(SourceError::TooLarge);
                }
                // Nobody sees this error; it leaves the session to be killed.
                let put = self.outlet.put(batch).await;
                put.map_err(|_| SourceError::Failed { code: None })?;
            }
            if ended {
                return Ok(());
            }
        }
    }
}
