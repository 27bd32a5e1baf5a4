//! Conditions on rows: comparisons of one column with values, all of which must hold.

use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::node::{Term, term};
use super::{Origin, place};
use crate::rule::{Rule, TemplateRefused};

/// A value in a condition.
#[derive(Clone, PartialEq)]
pub(crate) enum Operand {
    /// Stands in the text.
    Literal(ScalarValue),
    /// `$name`.
    Placeholder(String),
}

/// One condition.
pub(crate) struct Condition {
    pub(crate) origin: Origin,
    pub(crate) test: Test<Operand>,
}

/// How a column is compared. NULL passes none of them, as in SQL.
#[derive(Clone)]
pub(crate) enum Test<V> {
    /// Lies above this value, the last one of what is left out.
    Above(V),
    /// Equals one of these.
    Among(Vec<V>),
    /// Is this edge or lies above it.
    AtLeast(V),
    /// Is this value or lies below it, the last one of what is taken.
    AtMost(V),
    /// Lies below this edge.
    Below(V),
    /// Is one of these or lies between them.
    Between(V, V),
    /// Is a value and none of these.
    NotAmong(Vec<V>),
}

impl<V> Test<V> {
    /// The values compared with, in the order of the text.
    pub(crate) fn values(&self) -> Vec<&V> {
        match self {
            Test::Among(values) | Test::NotAmong(values) => values.iter().collect(),
            Test::Above(value)
            | Test::AtLeast(value)
            | Test::AtMost(value)
            | Test::Below(value) => vec![value],
            Test::Between(low, high) => vec![low, high],
        }
    }

    /// The same comparison with other values.
    pub(crate) fn map<W>(&self, value: impl Fn(&V) -> W) -> Test<W> {
        let all = |values: &Vec<V>| values.iter().map(&value).collect();
        match self {
            Test::Above(edge) => Test::Above(value(edge)),
            Test::Among(values) => Test::Among(all(values)),
            Test::AtLeast(edge) => Test::AtLeast(value(edge)),
            Test::AtMost(edge) => Test::AtMost(value(edge)),
            Test::Below(edge) => Test::Below(value(edge)),
            Test::Between(low, high) => Test::Between(value(low), value(high)),
            Test::NotAmong(values) => Test::NotAmong(all(values)),
        }
    }
}

/// The comparisons of a condition, all of which must hold.
pub(super) fn tests(
    expr: &Expr,
    schema: &DFSchema,
    origins: &[Origin],
) -> Result<Vec<(Origin, Test<Operand>)>, TemplateRefused> {
    let all = |values: &[Expr]| values.iter().map(operand).collect::<Result<Vec<_>, _>>();
    let (column, test) = match term(expr) {
        Term::And(left, right) => {
            let mut all = tests(left, schema, origins)?;
            all.extend(tests(right, schema, origins)?);
            return Ok(all);
        }
        Term::Above(column, value) => (column, Test::Above(operand(value)?)),
        Term::AtLeast(column, value) => (column, Test::AtLeast(operand(value)?)),
        Term::AtMost(column, value) => (column, Test::AtMost(operand(value)?)),
        Term::Below(column, value) => (column, Test::Below(operand(value)?)),
        Term::Between(column, low, high) => (column, Test::Between(operand(low)?, operand(high)?)),
        Term::Equal(column, value) => (column, Test::Among(vec![operand(value)?])),
        Term::In(column, values) => (column, Test::Among(all(values)?)),
        Term::NotEqual(column, value) => (column, Test::NotAmong(vec![operand(value)?])),
        Term::NotIn(column, values) => (column, Test::NotAmong(all(values)?)),
        Term::Aggregate(_)
        | Term::Alias(_)
        | Term::Arithmetic(..)
        | Term::Case(_)
        | Term::Cast(..)
        | Term::Column(_)
        | Term::Function(_)
        | Term::Literal(_)
        | Term::Negative(_)
        | Term::Not(_)
        | Term::Or(..)
        | Term::Placeholder(_)
        | Term::Window(_) => {
            return Err(TemplateRefused::new(Rule::ConditionForm, "WHERE"));
        }
        Term::Refused(part) => return Err(TemplateRefused::new(Rule::ConditionForm, part)),
    };
    let Term::Column(column) = term(column) else {
        return Err(TemplateRefused::new(Rule::ConditionForm, "WHERE"));
    };
    Ok(vec![(origins[place(schema, column)?], test)])
}

fn operand(expr: &Expr) -> Result<Operand, TemplateRefused> {
    match term(expr) {
        Term::Literal(value) => Ok(Operand::Literal(value.clone())),
        Term::Placeholder(name) => Ok(Operand::Placeholder(name.to_owned())),
        _ => Err(TemplateRefused::new(Rule::ConditionForm, "WHERE")),
    }
}
