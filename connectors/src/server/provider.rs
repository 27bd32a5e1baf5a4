//! A table of a server as DataFusion reads it: what the server evaluates exactly as the engine would goes into the query.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use lingqu_connector_sdk::{ReadLimits, Reading, SourceError, TableName};

use crate::relay::opening;

/// A database that is asked in SQL. Clones are handles of the same one.
#[async_trait]
pub(crate) trait Database: Clone + fmt::Debug + Send + Sync + 'static {
    /// What it knows of a column.
    type Column: Clone + fmt::Debug + Send + Sync + 'static;

    /// The columns as batches have them.
    fn schema(columns: &[Self::Column]) -> SchemaRef;

    /// The filter in its SQL, where it means exactly what it means to the engine.
    fn condition(filter: &Expr, columns: &[Self::Column]) -> Option<String>;

    /// Bounds of a scan.
    fn scan_limits(&self, batch_rows: usize) -> ReadLimits;

    /// Reads a table that was opened before.
    async fn scan(
        &self,
        query: Query<Self::Column>,
        limits: ReadLimits,
    ) -> Result<Reading, SourceError>;
}

/// What is read of one table.
#[derive(Clone, Debug)]
pub(crate) struct Query<C> {
    /// The table.
    pub(crate) table: TableName,
    /// Its columns, as they were when it was opened.
    pub(crate) columns: Vec<C>,
    /// A condition in SQL.
    pub(crate) condition: Option<String>,
    /// Most rows, if fewer than all are wanted.
    pub(crate) limit: Option<usize>,
}

/// One table.
#[derive(Debug)]
pub(crate) struct Provider<D: Database> {
    database: D,
    table: TableName,
    columns: Vec<D::Column>,
    schema: SchemaRef,
}

impl<D: Database> Provider<D> {
    pub(crate) fn new(database: D, table: TableName, columns: Vec<D::Column>) -> Provider<D> {
        Provider {
            database,
            table,
            schema: D::schema(&columns),
            columns,
        }
    }
}

#[async_trait]
impl<D: Database> TableProvider for Provider<D> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        let one = |filter: &&Expr| match D::condition(filter, &self.columns) {
            Some(_) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(one).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let columns: Vec<D::Column> = match projection {
            Some(indices) => indices.iter().map(|at| self.columns[*at].clone()).collect(),
            None => self.columns.clone(),
        };
        let conditions: Vec<Option<String>> = filters
            .iter()
            .map(|filter| D::condition(filter, &self.columns))
            .collect();
        // A filter that stays with the engine would make a limit here drop rows that it wants.
        let exact = conditions.iter().all(Option::is_some);
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        let query = Query {
            table: self.table.clone(),
            columns,
            condition: (!conditions.is_empty()).then(|| conditions.join(" AND ")),
            limit: limit.filter(|_| exact),
        };
        let schema = D::schema(&query.columns);
        let scan = Scan {
            database: self.database.clone(),
            schema: Arc::clone(&schema),
            query,
        };
        let plan =
            StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, [], false, None)?;
        Ok(Arc::new(plan))
    }
}

/// One query, sent when its rows are asked for.
#[derive(Debug)]
struct Scan<D: Database> {
    database: D,
    schema: SchemaRef,
    query: Query<D::Column>,
}

impl<D: Database> PartitionStream for Scan<D> {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (database, query) = (self.database.clone(), self.query.clone());
        let limits = database.scan_limits(context.session_config().batch_size());
        opening(Arc::clone(&self.schema), async move {
            Ok(database.scan(query, limits).await?.batches)
        })
    }
}
