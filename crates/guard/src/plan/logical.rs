//! The second inference: the plan below the Gate as the optimiser left it is read again, before it is made physical.
//!
//! An optimiser moves conditions into scans, merges projections, shares expressions and turns joins round. None of that
//! changes what a column is, so every output is followed back to its table, and tables, joins, conditions, groups and
//! outputs must be those that were decided. The matches have no wildcard arm.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::NullEquality;
use datafusion::datasource::source_as_provider;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Alias, Cast, InList, ScalarFunction,
};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, JoinType, LogicalPlan, Operator, TableScan,
};
use datafusion::scalar::ScalarValue;

use super::Changed;
use super::claim::{Claim, Comparison, Point};
use super::expected::{Expected, Found, FoundClaim, FoundJoin, Label, constant};
use crate::infer::{Node, classify};
use crate::safeguard::{Safeguard, stands};

/// Accepts the optimised plan if it does what was decided, and nothing else. `providers` are the tables by scan.
pub(crate) fn accept(
    plan: &LogicalPlan,
    expected: &Expected<'_>,
    providers: &[Arc<dyn TableProvider>],
) -> Result<(), Changed> {
    let mut reader = Reader {
        expected,
        providers,
        found: Found::default(),
        aggregates: 0,
    };
    if !stands(Safeguard::OptimisedPlan) {
        return Ok(());
    }
    let output = reader.node(plan)?;
    if reader.aggregates != 1 {
        return Err(Changed);
    }
    expected.output(&output.labels)?;
    expected.accept(&reader.found)
}

/// What a part of the plan puts out, and the scans below it.
struct Side {
    labels: Vec<Label>,
    scans: BTreeSet<usize>,
}

struct Reader<'a> {
    expected: &'a Expected<'a>,
    providers: &'a [Arc<dyn TableProvider>],
    found: Found,
    aggregates: usize,
}

impl Reader<'_> {
    fn node(&mut self, plan: &LogicalPlan) -> Result<Side, Changed> {
        let side = match classify(plan) {
            Node::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Node::Filter(filter) => {
                let side = self.node(&filter.input)?;
                let claim = self.claim(&filter.predicate, &filter.input, &side)?;
                self.found.claims.push(FoundClaim {
                    claim,
                    is_joined: side.scans.len() > 1,
                    is_applied: self.aggregates == 0,
                });
                side
            }
            Node::Join(join) => self.join(join)?,
            Node::Projection(projection) => {
                let side = self.node(&projection.input)?;
                let labels = { projection.expr.iter() }
                    .map(|expr| self.label(expr, &projection.input, &side))
                    .collect::<Result<_, _>>()?;
                Side { labels, ..side }
            }
            Node::Scan(scan) => self.scan(scan)?,
            Node::Alias(_)
            | Node::Limit(_)
            | Node::Sort(_)
            | Node::Window(_)
            | Node::Refused(_) => {
                return Err(Changed);
            }
        };
        match side.labels.len() == plan.schema().fields().len() {
            true => Ok(side),
            false => Err(Changed),
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Side, Changed> {
        let TableScan {
            table_name: _, // identity decides, not the name
            source,
            projection: _, // the schema says it
            projected_schema,
            filters,
            fetch,
            statistics_requests,
        } = scan;
        if fetch.is_some() || !statistics_requests.is_empty() {
            return Err(Changed);
        }
        let provider = source_as_provider(source).map_err(|_| Changed)?;
        let mut providers = self.providers.iter();
        let number = providers.position(|known| Arc::ptr_eq(known, &provider));
        let number = number.ok_or(Changed)?;
        let label = |name: &str| self.expected.column(number, name);
        let labels = { projected_schema.fields().iter() }
            .map(|field| label(field.name()))
            .collect::<Result<_, _>>()?;
        for filter in filters {
            // A filter may be about columns that are not put out, so it is read by the table's own names.
            let columns = |expr: &Expr| match expr {
                Expr::Column(column) => label(&column.name).ok(),
                _ => None,
            };
            let claim = claim(self.expected, filter, &columns)?;
            self.found.claims.push(FoundClaim {
                claim,
                is_joined: false,
                is_applied: false,
            });
        }
        self.found.scans.push(number);
        Ok(Side {
            labels,
            scans: BTreeSet::from([number]),
        })
    }

    fn join(&mut self, join: &datafusion::logical_expr::Join) -> Result<Side, Changed> {
        let datafusion::logical_expr::Join {
            left,
            right,
            on,
            filter,
            join_type,
            join_constraint: _, // ON and USING put out the same columns here: the labels are counted
            schema: _,
            null_equality,
            null_aware,
        } = join;
        if filter.is_some() || *null_equality != NullEquality::NullEqualsNothing || *null_aware {
            return Err(Changed);
        }
        let (one, two) = (self.node(left)?, self.node(right)?);
        let protected = self.expected.query.protected;
        let (kept, other) = match join_type {
            JoinType::Inner if one.scans.contains(&protected) => (&one, &two),
            JoinType::Inner | JoinType::Right => (&two, &one),
            JoinType::Left => (&one, &two),
            JoinType::Full
            | JoinType::LeftSemi
            | JoinType::RightSemi
            | JoinType::LeftAnti
            | JoinType::RightAnti
            | JoinType::LeftMark
            | JoinType::RightMark => return Err(Changed),
        };
        let [scan] = Vec::from_iter(other.scans.iter().copied())[..] else {
            return Err(Changed);
        };
        if !kept.scans.contains(&protected) {
            return Err(Changed);
        }
        let mut pairs = BTreeSet::new();
        for (left_key, right_key) in on {
            let keys = (
                self.label(left_key, left, &one)?,
                self.label(right_key, right, &two)?,
            );
            let (of, pair) = self.expected.equality(keys.0, keys.1)?;
            if of != scan {
                return Err(Changed);
            }
            pairs.insert(pair);
        }
        self.found.joins.push(FoundJoin {
            scan,
            outer: *join_type != JoinType::Inner,
            on: pairs,
        });
        let Side { mut labels, scans } = one;
        labels.extend(two.labels);
        let scans = scans.union(&two.scans).copied().collect();
        Ok(Side { labels, scans })
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Side, Changed> {
        let side = self.node(&aggregate.input)?;
        self.aggregates += 1;
        let input = &aggregate.input;
        let mut labels: Vec<Label> = { aggregate.group_expr.iter() }
            .map(|key| self.label(key, input, &side))
            .collect::<Result<_, _>>()?;
        self.expected.grouped(&labels)?;
        for figure in &aggregate.aggr_expr {
            let function = aggregated(figure)?;
            let AggregateFunctionParams {
                args,
                distinct,
                filter,
                order_by,
                null_treatment,
            } = &function.params;
            let plain =
                !distinct && filter.is_none() && order_by.is_empty() && null_treatment.is_none();
            let ([argument], true) = (args.as_slice(), plain) else {
                return Err(Changed);
            };
            let is_sum = function.func == sum_udaf();
            if !is_sum && function.func != count_udaf() {
                return Err(Changed);
            }
            let argument = self.label(argument, input, &side)?;
            labels.push(Label::Figure(self.expected.aggregate(is_sum, argument)?));
        }
        Ok(Side { labels, ..side })
    }

    fn label(&self, expr: &Expr, input: &LogicalPlan, side: &Side) -> Result<Label, Changed> {
        label(self.expected, expr, &columns(input, side))
    }

    fn claim(&self, expr: &Expr, input: &LogicalPlan, side: &Side) -> Result<Claim, Changed> {
        claim(self.expected, expr, &columns(input, side))
    }
}

/// What the columns of an input are.
fn columns<'a>(input: &'a LogicalPlan, side: &'a Side) -> impl Fn(&Expr) -> Option<Label> + 'a {
    |expr| match expr {
        Expr::Column(column) => {
            let place = input.schema().index_of_column(column).ok()?;
            side.labels.get(place).copied()
        }
        _ => None,
    }
}

fn aggregated(expr: &Expr) -> Result<&AggregateFunction, Changed> {
    match expr {
        Expr::AggregateFunction(function) => Ok(function),
        Expr::Alias(Alias { expr, .. }) => aggregated(expr),
        _ => Err(Changed),
    }
}

/// What an expression makes of its columns.
fn label(
    expected: &Expected<'_>,
    expr: &Expr,
    columns: &impl Fn(&Expr) -> Option<Label>,
) -> Result<Label, Changed> {
    match expr {
        Expr::Alias(Alias { expr, .. }) => label(expected, expr, columns),
        Expr::Cast(Cast { expr, field }) => {
            expected.converted(label(expected, expr, columns)?, field.data_type())
        }
        Expr::Column(_) => columns(expr).ok_or(Changed),
        Expr::Literal(value, _) => constant(value),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match args.as_slice() {
            [argument] => expected.function(func, label(expected, argument, columns)?),
            _ => Err(Changed),
        },
        Expr::AggregateFunction(_)
        | Expr::Between(_)
        | Expr::BinaryExpr(_)
        | Expr::Case(_)
        | Expr::Exists(_)
        | Expr::GroupingSet(_)
        | Expr::HigherOrderFunction(_)
        | Expr::InList(_)
        | Expr::InSubquery(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotNull(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsUnknown(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_)
        | Expr::Like(_)
        | Expr::Negative(_)
        | Expr::Not(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Placeholder(_)
        | Expr::ScalarSubquery(_)
        | Expr::ScalarVariable(..)
        | Expr::SetComparison(_)
        | Expr::SimilarTo(_)
        | Expr::TryCast(_)
        | Expr::Unnest(_)
        | Expr::WindowFunction(_) => Err(Changed),
        #[expect(
            deprecated,
            reason = "the variant still exists, so it is still decided about"
        )]
        Expr::Wildcard { .. } => Err(Changed),
    }
}

/// A condition. What is not read here is no condition that the guard asked for, in whatever form.
fn claim(
    expected: &Expected<'_>,
    expr: &Expr,
    columns: &impl Fn(&Expr) -> Option<Label>,
) -> Result<Claim, Changed> {
    let raw = |expr: &Expr| match label(expected, expr, columns)? {
        Label::Raw(column) => Ok(column),
        _ => Err(Changed),
    };
    match expr {
        Expr::Alias(Alias { expr, .. }) => claim(expected, expr, columns),
        Expr::Literal(ScalarValue::Boolean(Some(truth)), _) => Ok(Claim::Known(*truth)),
        Expr::Not(inner) => Ok(Claim::Not(Box::new(claim(expected, inner, columns)?))),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            let arguments: Result<Vec<Label>, Changed> = { args.iter() }
                .map(|argument| label(expected, argument, columns))
                .collect();
            expected.choice(func, &arguments?)
        }
        Expr::IsNull(inner) => Ok(Claim::IsNull(raw(inner)?)),
        Expr::IsNotNull(inner) => Ok(Claim::Not(Box::new(Claim::IsNull(raw(inner)?)))),
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let points: Result<Vec<Point>, Changed> = { list.iter() }
                .map(|value| Point::of(literal(value).ok_or(Changed)?))
                .collect();
            Ok(Claim::among(raw(expr)?, points?, *negated))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => {
                let parts = vec![
                    claim(expected, left, columns)?,
                    claim(expected, right, columns)?,
                ];
                Ok(match op {
                    Operator::And => Claim::All(parts),
                    _ => Claim::Any(parts),
                })
            }
            comparison => expected.compared(
                Comparison::of(*comparison)?,
                (label(expected, left, columns).ok(), literal(left)),
                (label(expected, right, columns).ok(), literal(right)),
            ),
        },
        _ => Err(Changed),
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}
