//! A table as DataFusion reads it: what the server evaluates exactly as the engine would goes into the query.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use lingqu_connector_sdk::TableName;

use super::columns::{Column, schema};
use super::pushdown;
use super::source::{Query, Source};
use crate::relay::opening;

/// One table.
#[derive(Debug)]
pub(super) struct Provider {
    source: Source,
    table: TableName,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl Provider {
    pub(super) fn new(source: Source, table: TableName, columns: Vec<Column>) -> Provider {
        Provider {
            source,
            table,
            schema: schema(&columns),
            columns,
        }
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let one = |filter: &&Expr| match pushdown::condition(filter, &self.columns) {
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
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns: Vec<Column> = match projection {
            Some(indices) => indices.iter().map(|at| self.columns[*at].clone()).collect(),
            None => self.columns.clone(),
        };
        let conditions: Vec<Option<String>> = filters
            .iter()
            .map(|filter| pushdown::condition(filter, &self.columns))
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
        let schema = schema(&query.columns);
        let scan = Scan {
            source: self.source.clone(),
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
struct Scan {
    source: Source,
    schema: SchemaRef,
    query: Query,
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (source, query) = (self.source.clone(), self.query.clone());
        let limits = source
            .settings()
            .scan_limits(context.session_config().batch_size());
        opening(Arc::clone(&self.schema), async move {
            Ok(source.scan(query, limits).await?.batches)
        })
    }
}
