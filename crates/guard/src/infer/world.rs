//! The world in which a template is planned: the declared tables, three aggregates, calendar units, a few functions and
//! windows of figures, nothing else.
//!
//! There is no catalog, no file, no function of rows, no variable and no setting to read, so nothing else can be named.

use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result as PlanResult, TableReference, plan_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::functions_window::rank::rank_udwf;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::Statement;

use super::above;
use super::group::{DATE_TRUNC, date_trunc};
use crate::rule::{Rule, TemplateRefused};
use crate::tables::TableRules;

/// A declared table, known by its index.
struct Declared {
    index: usize,
    schema: SchemaRef,
}

impl TableSource for Declared {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The declared table behind a source of a plan.
pub(super) fn table_of(source: &Arc<dyn TableSource>) -> Option<usize> {
    source
        .downcast_ref::<Declared>()
        .map(|declared| declared.index)
}

/// Plans the statement. The planner's own message is dropped: it may repeat literals of the text.
pub(super) fn plan(
    statement: Statement,
    tables: &[TableRules],
) -> Result<LogicalPlan, TemplateRefused> {
    let world = World {
        tables: tables
            .iter()
            .enumerate()
            .map(|(index, table)| {
                let schema = Arc::clone(&table.schema);
                (table.name.clone(), Arc::new(Declared { index, schema }))
            })
            .collect(),
        planners: vec![Arc::new(AggregateFunctionPlanner)],
        options: ConfigOptions::default(),
    };
    SqlToRel::new(&world)
        .sql_statement_to_plan(statement)
        .map_err(|_| TemplateRefused::bare(Rule::ColumnUnknown))
}

struct World {
    tables: Vec<(String, Arc<Declared>)>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl ContextProvider for World {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let TableReference::Bare { table } = name else {
            return plan_err!("a table's name has one part");
        };
        let declared = self.tables.iter().find(|(known, _)| **known == *table);
        match declared {
            Some((_, declared)) => Ok(Arc::clone(declared) as Arc<dyn TableSource>),
            None => plan_err!("no such table"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match name {
            DATE_TRUNC => Some(date_trunc()),
            other => above::function(other),
        }
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        match name {
            "avg" => Some(avg_udaf()),
            "count" => Some(count_udaf()),
            "sum" => Some(sum_udaf()),
            _ => None,
        }
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        match name {
            "lag" => Some(lag_udwf()),
            "lead" => Some(lead_udwf()),
            "rank" => Some(rank_udwf()),
            "row_number" => Some(row_number_udwf()),
            _ => None,
        }
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
