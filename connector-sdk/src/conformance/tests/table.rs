//! A table that evaluates every filter and limit itself, rightly or with one fault.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::SessionContext;

use crate::scan::same_columns;
use crate::{SourceError, TableName};

use super::altered::altered;
use super::faulty::{Fault, Server};

/// Making one takes longer than what it is asked for here.
static ENGINE: LazyLock<SessionContext> = LazyLock::new(SessionContext::new);

pub(super) struct Table {
    pub(super) server: Arc<Server>,
    pub(super) name: TableName,
    /// As it was when it was opened.
    pub(super) opened: RecordBatch,
    pub(super) fault: Option<Fault>,
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Table")
    }
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.opened.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.current()?;
        let mut frame = ENGINE.read_batch(rows)?;
        let early = self.fault == Some(Fault::LimitBeforeFilter);
        if early {
            frame = frame.limit(0, limit)?;
        }
        if self.fault != Some(Fault::FilterIgnored) {
            for filter in filters {
                frame = frame.filter(self.understood(filter)?)?;
            }
        }
        let ignored = self.fault == Some(Fault::LimitClaimedAndIgnored);
        if let Some(limit) = limit
            && !early
            && !ignored
        {
            let fewer = usize::from(self.fault == Some(Fault::LimitOneTooSmall));
            frame = frame.limit(0, Some(limit.saturating_sub(fewer)))?;
        }
        if let Some(places) = projection
            && self.fault != Some(Fault::ProjectionIgnored)
        {
            let schema = self.schema();
            let columns = places.iter().map(|place| {
                let name = schema.field(*place).name();
                Expr::Column(datafusion::common::Column::from_name(name))
            });
            frame = frame.select(columns.collect::<Vec<_>>())?;
        }
        let plan = frame.create_physical_plan().await?;
        Ok(if ignored && limit.is_some() {
            Arc::new(Claiming { plan, limit })
        } else {
            plan
        })
    }
}

impl Table {
    fn current(&self) -> Result<RecordBatch> {
        if self.fault == Some(Fault::DriftIgnored) {
            return Ok(self.opened.clone());
        }
        let tables = self.server.tables.lock().unwrap();
        let now = tables.get(&self.name).map(|rows| altered(self.fault, rows));
        match now {
            Some(now) if same_columns(&now.schema(), &self.schema()) => Ok(now),
            Some(_) | None => Err(SourceError::SchemaChanged(self.name.clone()).into()),
        }
    }

    /// A filter as this source understands it.
    fn understood(&self, filter: &Expr) -> Result<Expr> {
        let fault = self.fault;
        let changed = filter.clone().transform(|expr| Ok(misread(fault, expr)))?;
        Ok(changed.data)
    }
}

fn misread(fault: Option<Fault>, expr: Expr) -> Transformed<Expr> {
    match (fault, expr) {
        (Some(Fault::OrAsAnd), Expr::BinaryExpr(mut of)) if of.op == Operator::Or => {
            of.op = Operator::And;
            Transformed::yes(Expr::BinaryExpr(of))
        }
        (Some(Fault::LessIsLessOrEqual), Expr::BinaryExpr(mut of)) if of.op == Operator::Lt => {
            of.op = Operator::LtEq;
            Transformed::yes(Expr::BinaryExpr(of))
        }
        (Some(Fault::LikeIgnoresCase), Expr::Like(mut of)) => {
            of.case_insensitive = true;
            Transformed::yes(Expr::Like(of))
        }
        (Some(Fault::ListShortened), Expr::InList(mut of)) => {
            of.list.pop();
            Transformed::yes(Expr::InList(of))
        }
        (Some(Fault::TrailingBlanksEqual), expr) => {
            literal(expr, |text| text.trim_end().to_owned())
        }
        (Some(Fault::CaseIgnored), expr) => literal(expr, str::to_lowercase),
        (Some(Fault::EmptyIsNull), Expr::IsNull(of)) => {
            let empty = of.as_ref().clone().eq(lit(""));
            let whole = Expr::IsNull(of).or(empty);
            // What was just made must not be taken apart again.
            Transformed::new(whole, true, TreeNodeRecursion::Jump)
        }
        (_, expr) => Transformed::no(expr),
    }
}

/// A text in a comparison, taken for another: what a collation does to it.
fn literal(expr: Expr, of: impl Fn(&str) -> String) -> Transformed<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
            Transformed::yes(lit(ScalarValue::Utf8(Some(of(&text)))))
        }
        expr => Transformed::no(expr),
    }
}

/// Says that it keeps a limit, and does not.
#[derive(Debug)]
struct Claiming {
    plan: Arc<dyn ExecutionPlan>,
    limit: Option<usize>,
}

impl DisplayAs for Claiming {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Claiming")
    }
}

impl ExecutionPlan for Claiming {
    fn name(&self) -> &str {
        "Claiming"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
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

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.plan.execute(partition, context)
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }
}
