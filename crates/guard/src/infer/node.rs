//! Every node of a plan and every expression, by hand: what is read further, and what is refused.
//!
//! The two matches have no wildcard arm, so a new DataFusion version whose plans can say something new does not compile
//! until somebody has decided about it.

use arrow_schema::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::expr::{
    AggregateFunction, Alias, InList, Placeholder, ScalarFunction, WindowFunction,
};
use datafusion::logical_expr::{
    Aggregate, Between, BinaryExpr, Case, Cast, Expr, Filter, Join, Limit, LogicalPlan, Operator,
    Projection, Sort, SubqueryAlias, TableScan, Window,
};
use datafusion::scalar::ScalarValue;

/// A node of the plan.
pub(crate) enum Node<'a> {
    Aggregate(&'a Aggregate),
    Alias(&'a SubqueryAlias),
    Filter(&'a Filter),
    Join(&'a Join),
    Limit(&'a Limit),
    Projection(&'a Projection),
    Scan(&'a TableScan),
    Sort(&'a Sort),
    Window(&'a Window),
    /// Has no place in a template.
    Refused(&'static str),
}

pub(crate) fn classify(plan: &LogicalPlan) -> Node<'_> {
    match plan {
        LogicalPlan::Aggregate(node) => Node::Aggregate(node),
        LogicalPlan::Filter(node) => Node::Filter(node),
        LogicalPlan::Join(node) => Node::Join(node),
        LogicalPlan::Limit(node) => Node::Limit(node),
        LogicalPlan::Projection(node) => Node::Projection(node),
        LogicalPlan::Sort(node) => Node::Sort(node),
        LogicalPlan::SubqueryAlias(node) => Node::Alias(node),
        LogicalPlan::TableScan(node) => Node::Scan(node),
        LogicalPlan::Analyze(_) | LogicalPlan::Explain(_) => Node::Refused("EXPLAIN"),
        LogicalPlan::Copy(_) => Node::Refused("COPY"),
        LogicalPlan::Ddl(_) => Node::Refused("definition"),
        LogicalPlan::DescribeTable(_) => Node::Refused("DESCRIBE"),
        LogicalPlan::Distinct(_) => Node::Refused("DISTINCT"),
        LogicalPlan::Dml(_) => Node::Refused("change of data"),
        LogicalPlan::EmptyRelation(_) => Node::Refused("no table"),
        LogicalPlan::Extension(_) => Node::Refused("extension"),
        LogicalPlan::RecursiveQuery(_) => Node::Refused("WITH RECURSIVE"),
        LogicalPlan::Repartition(_) => Node::Refused("DISTRIBUTE BY"),
        LogicalPlan::Statement(_) => Node::Refused("statement"),
        LogicalPlan::Subquery(_) => Node::Refused("subquery"),
        LogicalPlan::Union(_) => Node::Refused("UNION"),
        LogicalPlan::Unnest(_) => Node::Refused("UNNEST"),
        LogicalPlan::Values(_) => Node::Refused("VALUES"),
        LogicalPlan::Window(node) => Node::Window(node),
    }
}

/// One of the four operations with numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Divide,
    Multiply,
    Subtract,
}

/// An expression.
pub(super) enum Term<'a> {
    Above(&'a Expr, &'a Expr),
    Aggregate(&'a AggregateFunction),
    Alias(&'a Expr),
    And(&'a Expr, &'a Expr),
    Arithmetic(Operation, &'a Expr, &'a Expr),
    AtLeast(&'a Expr, &'a Expr),
    AtMost(&'a Expr, &'a Expr),
    Below(&'a Expr, &'a Expr),
    Between(&'a Expr, &'a Expr, &'a Expr),
    Case(&'a Case),
    Cast(&'a Expr, &'a DataType),
    Column(&'a Column),
    Equal(&'a Expr, &'a Expr),
    Function(&'a ScalarFunction),
    In(&'a Expr, &'a [Expr]),
    Literal(&'a ScalarValue),
    Negative(&'a Expr),
    Not(&'a Expr),
    NotBetween(&'a Expr, &'a Expr, &'a Expr),
    NotEqual(&'a Expr, &'a Expr),
    NotIn(&'a Expr, &'a [Expr]),
    Or(&'a Expr, &'a Expr),
    /// The name without `$`.
    Placeholder(&'a str),
    Window(&'a WindowFunction),
    /// Has no place in a template.
    Refused(&'static str),
}

pub(super) fn term(expr: &Expr) -> Term<'_> {
    match expr {
        Expr::AggregateFunction(function) => Term::Aggregate(function),
        Expr::Alias(Alias {
            expr,
            relation: _, // the name of an output does not change what it is
            name: _,
            metadata: None,
        }) => Term::Alias(expr),
        Expr::Alias(_) => Term::Refused("metadata"),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => binary(left, *op, right),
        Expr::Column(column) => Term::Column(column),
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => Term::In(expr, list),
        Expr::InList(InList {
            expr,
            list,
            negated: true,
        }) => Term::NotIn(expr, list),
        Expr::Literal(value, None) => Term::Literal(value),
        Expr::Literal(_, Some(_)) => Term::Refused("metadata"),
        // The field is what the engine guesses of its type; the domain of the column decides.
        Expr::Placeholder(Placeholder { id, field: _ }) => id
            .strip_prefix('$')
            .map_or(Term::Refused("placeholder"), Term::Placeholder),
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => Term::Between(expr, low, high),
        Expr::Between(Between {
            expr,
            negated: true,
            low,
            high,
        }) => Term::NotBetween(expr, low, high),
        Expr::Case(case) => Term::Case(case),
        Expr::Cast(Cast { expr, field }) => Term::Cast(expr, field.data_type()),
        Expr::TryCast(_) => Term::Refused("TRY_CAST"),
        Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::ScalarSubquery(_)
        | Expr::SetComparison(_) => Term::Refused("subquery"),
        Expr::GroupingSet(_) => Term::Refused("GROUPING SETS"),
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
            Term::Refused("function")
        }
        Expr::ScalarFunction(function) => Term::Function(function),
        Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotNull(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsUnknown(_) => Term::Refused("IS"),
        Expr::Like(_) | Expr::SimilarTo(_) => Term::Refused("LIKE"),
        Expr::Negative(inner) => Term::Negative(inner),
        Expr::Not(inner) => Term::Not(inner),
        Expr::ScalarVariable(..) => Term::Refused("variable"),
        Expr::Unnest(_) => Term::Refused("UNNEST"),
        #[expect(
            deprecated,
            reason = "the variant still exists, so it is still decided about"
        )]
        Expr::Wildcard { .. } => Term::Refused("*"),
        Expr::WindowFunction(function) => Term::Window(function),
    }
}

fn binary<'a>(left: &'a Expr, op: Operator, right: &'a Expr) -> Term<'a> {
    match op {
        Operator::And => Term::And(left, right),
        Operator::Divide => Term::Arithmetic(Operation::Divide, left, right),
        Operator::Eq => Term::Equal(left, right),
        Operator::Gt => Term::Above(left, right),
        Operator::GtEq => Term::AtLeast(left, right),
        Operator::Lt => Term::Below(left, right),
        Operator::LtEq => Term::AtMost(left, right),
        Operator::Minus => Term::Arithmetic(Operation::Subtract, left, right),
        Operator::Multiply => Term::Arithmetic(Operation::Multiply, left, right),
        Operator::NotEq => Term::NotEqual(left, right),
        Operator::Or => Term::Or(left, right),
        Operator::Plus => Term::Arithmetic(Operation::Add, left, right),
        _ => Term::Refused("operator"),
    }
}
