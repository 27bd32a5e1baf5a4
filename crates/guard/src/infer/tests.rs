//! What the compiler cannot watch: four plan nodes are `#[non_exhaustive]`, so their fields are held here by name.

use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};

/// Names of the fields of a node, from its `Debug`.
fn fields(debug: &str) -> Vec<&str> {
    debug
        .lines()
        .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn nodes_that_may_grow_have_not_grown() {
    let values = || LogicalPlanBuilder::values(vec![vec![lit(1)]]).unwrap();
    let node = |plan: LogicalPlan| match plan {
        LogicalPlan::Aggregate(node) => format!("{node:#?}"),
        LogicalPlan::Filter(node) => format!("{node:#?}"),
        LogicalPlan::Projection(node) => format!("{node:#?}"),
        LogicalPlan::SubqueryAlias(node) => format!("{node:#?}"),
        other => panic!("{other}"),
    };
    let column = || col("column1");
    let aggregate =
        values().aggregate(vec![column()], Vec::<datafusion::logical_expr::Expr>::new());
    assert_eq!(
        fields(&node(aggregate.unwrap().build().unwrap())),
        ["input", "group_expr", "aggr_expr", "schema"]
    );
    let filter = values()
        .filter(column().eq(lit(1)))
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(fields(&node(filter)), ["predicate", "input"]);
    let projection = values().project(vec![column()]).unwrap().build().unwrap();
    assert_eq!(fields(&node(projection)), ["expr", "input", "schema"]);
    let alias = values().alias("t").unwrap().build().unwrap();
    assert_eq!(fields(&node(alias)), ["input", "alias", "schema"]);
}

#[test]
fn the_functions_of_the_engine_are_one_object_each() {
    use datafusion::functions_aggregate::{average::avg_udaf, count::count_udaf, sum::sum_udaf};
    assert!(Arc::ptr_eq(&count_udaf(), &count_udaf()));
    assert!(Arc::ptr_eq(&sum_udaf(), &sum_udaf()));
    assert!(Arc::ptr_eq(&avg_udaf(), &avg_udaf()));
}
