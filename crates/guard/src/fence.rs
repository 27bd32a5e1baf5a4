//! A wall around what a connector hands in: the guard's own leaf of every plan.
//!
//! A table provider and its plan are trusted to return rows, and with nothing else. What they claim about filters,
//! partitions, order and statistics could decide whether one entity is counted twice, so none of it passes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};

use crate::safeguard::{Safeguard, stands};

/// A table behind the wall.
pub(crate) struct Fence {
    /// Which scan of the query it is read for: how plans are told what a column is, whatever its name.
    pub(crate) scan: usize,
    pub(crate) table: Arc<dyn TableProvider>,
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fence")
    }
}

impl TableProvider for Fence {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// `async_trait` by hand: the crate would be a dependency for one function.
    fn scan<'own, 'session, 'projection, 'filters, 'all>(
        &'own self,
        state: &'session dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        _limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'all>>
    where
        'own: 'all,
        'session: 'all,
        'projection: 'all,
        'filters: 'all,
        Self: 'all,
    {
        Box::pin(async move {
            let inner = self.table.scan(state, projection, filters, None).await?;
            let source: Arc<dyn ExecutionPlan> = Arc::new(SourceExec::try_new(inner, self.scan)?);
            Ok(source)
        })
    }

    /// A filter may be used to read less, and is applied again by the plan in any case.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let claimed = self.table.supports_filters_pushdown(filters)?;
        Ok(claimed
            .into_iter()
            .map(|claim| match claim {
                _ if !stands(Safeguard::Fence) => claim,
                TableProviderFilterPushDown::Unsupported => claim,
                TableProviderFilterPushDown::Exact | TableProviderFilterPushDown::Inexact => {
                    TableProviderFilterPushDown::Inexact
                }
            })
            .collect())
    }
}

/// Reads a table, and says nothing about it.
#[derive(Debug)]
pub(crate) struct SourceExec {
    /// See [`Fence::scan`].
    scan: usize,
    inner: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl SourceExec {
    /// Which scan of the query it reads for.
    pub(crate) fn scan(&self) -> usize {
        self.scan
    }

    fn try_new(inner: Arc<dyn ExecutionPlan>, scan: usize) -> Result<SourceExec> {
        if inner.boundedness().is_unbounded() {
            return internal_err!("a statistic needs a table that ends");
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(inner.schema()),
            Partitioning::UnknownPartitioning(inner.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(SourceExec {
            scan,
            inner,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for SourceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceExec")
    }
}

impl ExecutionPlan for SourceExec {
    fn name(&self) -> &str {
        "SourceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        config: &ConfigOptions,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(inner) = self.inner.repartitioned(target_partitions, config)? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(SourceExec::try_new(inner, self.scan)?)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }
}
