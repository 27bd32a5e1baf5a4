//! Conditions on rows: comparisons of one column with values, joined by AND, OR and NOT.
//!
//! NOT is carried down to the comparisons, each of which has its opposite. What is left is built of AND and OR alone, and
//! there what is unknown, a comparison of NULL, decides as what is false does: no row is taken for it. So each comparison
//! may be read as the set of values that it takes, and the whole as unions and intersections of such sets.

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

/// One comparison.
pub(crate) struct Condition {
    pub(crate) origin: Origin,
    pub(crate) test: Test<Operand>,
}

/// Comparisons that decide together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tree<T> {
    /// All of these hold.
    All(Vec<Tree<T>>),
    /// One of these holds.
    Any(Vec<Tree<T>>),
    One(T),
}

impl<T> Tree<T> {
    /// Every comparison, in the order of the text.
    pub(crate) fn leaves(&self) -> Vec<&T> {
        match self {
            Tree::All(parts) | Tree::Any(parts) => parts.iter().flat_map(Tree::leaves).collect(),
            Tree::One(leaf) => vec![leaf],
        }
    }

    /// The same with other comparisons.
    pub(crate) fn map<U>(&self, leaf: &impl Fn(&T) -> U) -> Tree<U> {
        let all = |parts: &[Tree<T>]| parts.iter().map(|part| part.map(leaf)).collect();
        match self {
            Tree::All(parts) => Tree::All(all(parts)),
            Tree::Any(parts) => Tree::Any(all(parts)),
            Tree::One(one) => Tree::One(leaf(one)),
        }
    }

    /// The same of borrowed comparisons.
    pub(crate) fn each(&self) -> Tree<&T> {
        match self {
            Tree::All(parts) => Tree::All(parts.iter().map(Tree::each).collect()),
            Tree::Any(parts) => Tree::Any(parts.iter().map(Tree::each).collect()),
            Tree::One(one) => Tree::One(one),
        }
    }

    /// The same with a tree in the place of each comparison, where that may be refused.
    pub(crate) fn try_grow<U, E>(
        &self,
        leaf: &impl Fn(&T) -> Result<Tree<U>, E>,
    ) -> Result<Tree<U>, E> {
        let all = |parts: &[Tree<T>]| {
            let parts = parts.iter().map(|part| part.try_grow(leaf));
            parts.collect::<Result<Vec<_>, E>>()
        };
        Ok(match self {
            Tree::All(parts) => Tree::All(all(parts)?),
            Tree::Any(parts) => Tree::Any(all(parts)?),
            Tree::One(one) => leaf(one)?,
        })
    }

    /// Whether it holds, given which comparisons do.
    pub(crate) fn holds(&self, leaf: &impl Fn(&T) -> bool) -> bool {
        match self {
            Tree::All(parts) => parts.iter().all(|part| part.holds(leaf)),
            Tree::Any(parts) => parts.iter().any(|part| part.holds(leaf)),
            Tree::One(one) => leaf(one),
        }
    }

    /// The parts all of which must hold, none of which is made of such parts again.
    pub(crate) fn conjuncts(self) -> Vec<Tree<T>> {
        match self {
            Tree::All(parts) => parts.into_iter().flat_map(Tree::conjuncts).collect(),
            other => vec![other],
        }
    }
}

/// How a column is compared. NULL passes none of them, as in SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Is a value, none of these, and does not lie between them.
    Outside(V, V),
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
            Test::Between(low, high) | Test::Outside(low, high) => vec![low, high],
        }
    }

    /// The same comparison with other values.
    pub(crate) fn map<'a, W>(&'a self, value: impl Fn(&'a V) -> W) -> Test<W> {
        let all = |values: &'a Vec<V>| values.iter().map(&value).collect();
        match self {
            Test::Above(edge) => Test::Above(value(edge)),
            Test::Among(values) => Test::Among(all(values)),
            Test::AtLeast(edge) => Test::AtLeast(value(edge)),
            Test::AtMost(edge) => Test::AtMost(value(edge)),
            Test::Below(edge) => Test::Below(value(edge)),
            Test::Between(low, high) => Test::Between(value(low), value(high)),
            Test::NotAmong(values) => Test::NotAmong(all(values)),
            Test::Outside(low, high) => Test::Outside(value(low), value(high)),
        }
    }

    /// What takes the values that this one leaves. NULL is taken by neither, as in SQL.
    fn opposite(self) -> Test<V> {
        match self {
            Test::Above(last) => Test::AtMost(last),
            Test::Among(values) => Test::NotAmong(values),
            Test::AtLeast(edge) => Test::Below(edge),
            Test::AtMost(last) => Test::Above(last),
            Test::Below(edge) => Test::AtLeast(edge),
            Test::Between(low, high) => Test::Outside(low, high),
            Test::NotAmong(values) => Test::Among(values),
            Test::Outside(low, high) => Test::Between(low, high),
        }
    }
}

/// Reads a condition, or what it leaves if it is `negated`.
pub(super) fn read(
    expr: &Expr,
    negated: bool,
    schema: &DFSchema,
    origins: &[Origin],
) -> Result<Tree<Condition>, TemplateRefused> {
    let refused = || TemplateRefused::new(Rule::ConditionForm, "WHERE");
    let both = |left, right| {
        let parts = [left, right].map(|part| read(part, negated, schema, origins));
        parts.into_iter().collect::<Result<Vec<_>, _>>()
    };
    let all = |values: &[Expr]| values.iter().map(operand).collect::<Result<Vec<_>, _>>();
    let (column, test) = match term(expr) {
        Term::And(left, right) if negated => return both(left, right).map(Tree::Any),
        Term::And(left, right) => return both(left, right).map(Tree::All),
        Term::Or(left, right) if negated => return both(left, right).map(Tree::All),
        Term::Or(left, right) => return both(left, right).map(Tree::Any),
        Term::Not(inner) => return read(inner, !negated, schema, origins),
        Term::Above(column, value) => (column, Test::Above(operand(value)?)),
        Term::AtLeast(column, value) => (column, Test::AtLeast(operand(value)?)),
        Term::AtMost(column, value) => (column, Test::AtMost(operand(value)?)),
        Term::Below(column, value) => (column, Test::Below(operand(value)?)),
        Term::Between(column, low, high) => (column, Test::Between(operand(low)?, operand(high)?)),
        Term::Equal(column, value) => (column, Test::Among(vec![operand(value)?])),
        Term::In(column, values) => (column, Test::Among(all(values)?)),
        Term::NotBetween(column, low, high) => {
            (column, Test::Outside(operand(low)?, operand(high)?))
        }
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
        | Term::Placeholder(_)
        | Term::Window(_) => return Err(refused()),
        Term::Refused(part) => return Err(TemplateRefused::new(Rule::ConditionForm, part)),
    };
    let Term::Column(column) = term(column) else {
        return Err(refused());
    };
    let origin = origins[place(schema, column)?];
    let test = if negated { test.opposite() } else { test };
    Ok(Tree::One(Condition { origin, test }))
}

fn operand(expr: &Expr) -> Result<Operand, TemplateRefused> {
    match term(expr) {
        Term::Literal(value) => Ok(Operand::Literal(value.clone())),
        Term::Placeholder(name) => Ok(Operand::Placeholder(name.to_owned())),
        _ => Err(TemplateRefused::new(Rule::ConditionForm, "WHERE")),
    }
}
