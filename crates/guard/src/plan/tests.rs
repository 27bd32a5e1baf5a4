//! The list of operators: a plan of any other shape does not run.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{col, lit};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::{DataFrame, SessionContext};

use super::*;
use crate::fence::Fence;

/// A plan over one fenced table with columns `a` and `b`.
fn plan(build: impl Fn(DataFrame) -> Result<DataFrame>) -> Arc<dyn ExecutionPlan> {
    let schema = Arc::new(Schema::new(vec![
        arrow_schema::Field::new("a", arrow_schema::DataType::Int64, true),
        arrow_schema::Field::new("b", arrow_schema::DataType::Int64, true),
    ]));
    let table = datafusion::datasource::MemTable::try_new(schema, vec![vec![]; 3]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context = SessionContext::new();
        let frame = context
            .read_table(Arc::new(Fence(Arc::new(table))))
            .unwrap();
        build(frame).unwrap().create_physical_plan().await.unwrap()
    })
}

fn by(columns: &[&str]) -> Vec<Expr> {
    columns.iter().map(|column| col(*column)).collect()
}

#[test]
fn only_a_grouping_by_all_keys_and_the_entity_is_accepted() {
    let grouped = |columns: &'static [&str]| {
        plan(move |frame| frame.aggregate(by(columns), vec![count(lit(1))]))
    };
    assert!(check(&grouped(&["a", "b"]), 2, 0).is_ok());
    assert!(check(&grouped(&["a"]), 2, 0).is_err());
    assert!(check(&grouped(&["a", "b"]), 1, 0).is_err());
    assert!(check(&grouped(&["a", "b"]), 2, 1).is_err());
}

#[test]
fn other_operators_are_refused() {
    let aggregated = |frame: DataFrame| frame.aggregate(by(&["a", "b"]), vec![]);
    for other in [
        plan(Ok),
        plan(|frame| aggregated(frame)?.sort(vec![col("a").sort(true, true)])),
        plan(|frame| aggregated(frame.limit(0, Some(3))?)),
        plan(|frame| aggregated(frame.clone().union(frame)?)),
        plan(|frame| aggregated(frame.clone())?.aggregate(by(&["a", "b"]), vec![count(lit(1))])),
    ] {
        assert!(check(&other, 2, 0).is_err(), "{other:?}");
    }
    let empty: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(Schema::empty())));
    assert!(check(&empty, 1, 0).is_err());
}
