//! The list of operators: a physical plan of any other shape does not run, and each expression in it is read again.
//!
//! Operators are known by their type. Every column is followed from its table to the output, so that a rule of the
//! physical optimiser can no more bring out a column, drop a condition or group by less than one of the logical one.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::NullEquality;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::{JoinType, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::scalar::ScalarValue;

use super::claim::{Claim, Comparison, Point};
use super::expected::{Expected, Found, FoundClaim, FoundJoin, Label, constant};
use super::{Changed, Partial};
use crate::fence::SourceExec;
use crate::safeguard::{Safeguard, stands};

/// Accepts a physical plan that does what was decided.
pub(crate) fn accept(
    plan: &Arc<dyn ExecutionPlan>,
    expected: &Expected<'_>,
) -> Result<(), Changed> {
    let mut reader = Reader {
        expected,
        found: Found::default(),
        completed: 0,
    };
    if !stands(Safeguard::PhysicalPlan) {
        return Ok(());
    }
    let output = reader.operator(plan)?;
    if reader.completed != 1 {
        return Err(Changed);
    }
    expected.output(&output.labels)?;
    expected.accept(&reader.found)
}

/// What an operator puts out, and the scans below it.
struct Side {
    labels: Vec<Label>,
    scans: BTreeSet<usize>,
}

impl Side {
    fn projected(self, projection: Option<&[usize]>) -> Result<Side, Changed> {
        let Some(projection) = projection else {
            return Ok(self);
        };
        let labels = { projection.iter() }
            .map(|place| self.labels.get(*place).copied().ok_or(Changed))
            .collect::<Result<_, _>>()?;
        Ok(Side { labels, ..self })
    }
}

struct Reader<'a> {
    expected: &'a Expected<'a>,
    found: Found,
    /// Aggregations that complete their groups.
    completed: usize,
}

impl Reader<'_> {
    fn operator(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Side, Changed> {
        let operator = plan.as_ref();
        if operator.fetch().is_some() {
            return Err(Changed);
        }
        let side = if let Some(source) = operator.downcast_ref::<SourceExec>() {
            self.source(source)?
        } else if let Some(filter) = operator.downcast_ref::<FilterExec>() {
            let side = self.operator(filter.input())?;
            let claim = self.claim(filter.predicate(), &side)?;
            self.found.claims.push(FoundClaim {
                claim,
                is_joined: side.scans.len() > 1,
                is_applied: self.completed == 0,
            });
            side.projected(filter.projection().as_deref())?
        } else if let Some(projection) = operator.downcast_ref::<ProjectionExec>() {
            let side = self.operator(projection.input())?;
            let labels = { projection.expr().iter() }
                .map(|output| self.label(&output.expr, &side))
                .collect::<Result<_, _>>()?;
            Side { labels, ..side }
        } else if let Some(join) = operator.downcast_ref::<HashJoinExec>() {
            self.join(join)?
        } else if let Some(aggregate) = operator.downcast_ref::<AggregateExec>() {
            self.aggregate(aggregate)?
        } else if operator.is::<CoalescePartitionsExec>()
            || operator.is::<CooperativeExec>()
            || operator.is::<RepartitionExec>()
        {
            match operator.children().as_slice() {
                [only] => self.operator(only)?,
                _ => return Err(Changed),
            }
        } else {
            return Err(Changed);
        };
        match side.labels.len() == plan.schema().fields().len() {
            true => Ok(side),
            false => Err(Changed),
        }
    }

    fn source(&mut self, source: &SourceExec) -> Result<Side, Changed> {
        let scan = source.scan();
        let schema = source.schema();
        let labels = { schema.fields().iter() }
            .map(|field| self.expected.column(scan, field.name()))
            .collect::<Result<_, _>>()?;
        self.found.scans.push(scan);
        Ok(Side {
            labels,
            scans: BTreeSet::from([scan]),
        })
    }

    fn join(&mut self, join: &HashJoinExec) -> Result<Side, Changed> {
        let plain = join.filter().is_none()
            && join.null_equality() == NullEquality::NullEqualsNothing
            && !join.null_aware;
        if !plain {
            return Err(Changed);
        }
        let (left, right) = (self.operator(join.left())?, self.operator(join.right())?);
        let protected = self.expected.query.protected;
        let is_left = left.scans.contains(&protected);
        let other = match (join.join_type(), is_left) {
            (JoinType::Inner | JoinType::Left, true) => &right,
            (JoinType::Inner | JoinType::Right, false) => &left,
            _ => return Err(Changed),
        };
        let [scan] = Vec::from_iter(other.scans.iter().copied())[..] else {
            return Err(Changed);
        };
        let mut on = BTreeSet::new();
        for (left_key, right_key) in join.on() {
            let keys = (self.label(left_key, &left)?, self.label(right_key, &right)?);
            let (of, pair) = self.expected.equality(keys.0, keys.1)?;
            if of != scan {
                return Err(Changed);
            }
            on.insert(pair);
        }
        self.found.joins.push(FoundJoin {
            scan,
            outer: *join.join_type() != JoinType::Inner,
            on,
        });
        let Side { mut labels, scans } = left;
        labels.extend(right.labels);
        let scans = scans.union(&right.scans).copied().collect();
        Side { labels, scans }.projected(join.projection.as_deref())
    }

    fn aggregate(&mut self, aggregate: &AggregateExec) -> Result<Side, Changed> {
        let side = self.operator(aggregate.input())?;
        let groups = aggregate.group_expr();
        let plain = !groups.has_grouping_set()
            && aggregate.limit_options().is_none()
            && aggregate.filter_expr().iter().all(Option::is_none);
        if !plain {
            return Err(Changed);
        }
        let mut labels: Vec<Label> = { groups.expr().iter() }
            .map(|(key, _)| self.label(key, &side))
            .collect::<Result<_, _>>()?;
        self.expected.grouped(&labels)?;
        let (takes_states, gives_states) = match aggregate.mode() {
            AggregateMode::Partial => (false, true),
            AggregateMode::PartialReduce => (true, true),
            AggregateMode::Final | AggregateMode::FinalPartitioned => (true, false),
            AggregateMode::Single | AggregateMode::SinglePartitioned => (false, false),
        };
        let states = labels.len()..;
        for (state, function) in states.zip(aggregate.aggr_expr()) {
            let is_sum = *function.fun() == *sum_udaf();
            let known = is_sum || *function.fun() == *count_udaf();
            let plain = !function.is_distinct()
                && !function.ignore_nulls()
                && function.order_bys().is_empty();
            if !known || !plain {
                return Err(Changed);
            }
            let partial = match takes_states {
                true => stated(&side, state, is_sum)?,
                false => {
                    let arguments = function.expressions();
                    let [argument] = arguments.as_slice() else {
                        return Err(Changed);
                    };
                    let argument = self.label(argument, &side)?;
                    self.expected.aggregate(is_sum, argument)?
                }
            };
            // Counts and sums hand on one column each.
            if function.state_fields().map_err(|_| Changed)?.len() != 1 {
                return Err(Changed);
            }
            labels.push(match gives_states {
                true => Label::State(partial),
                false => Label::Figure(partial),
            });
        }
        self.completed += usize::from(!gives_states);
        Ok(Side { labels, ..side })
    }

    fn label(&self, expr: &Arc<dyn PhysicalExpr>, side: &Side) -> Result<Label, Changed> {
        let expr = expr.as_ref();
        if let Some(column) = expr.downcast_ref::<Column>() {
            return side.labels.get(column.index()).copied().ok_or(Changed);
        }
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            return constant(literal.value());
        }
        if let Some(cast) = expr.downcast_ref::<CastExpr>() {
            let inner = self.label(cast.expr(), side)?;
            return self.expected.converted(inner, cast.cast_type());
        }
        let function = expr.downcast_ref::<ScalarFunctionExpr>().ok_or(Changed)?;
        match function.args() {
            [argument] => {
                let argument = self.label(argument, side)?;
                self.expected.function(function.fun(), argument)
            }
            _ => Err(Changed),
        }
    }

    fn raw(
        &self,
        expr: &Arc<dyn PhysicalExpr>,
        side: &Side,
    ) -> Result<crate::infer::Origin, Changed> {
        match self.label(expr, side)? {
            Label::Raw(column) => Ok(column),
            _ => Err(Changed),
        }
    }

    fn claim(&self, expr: &Arc<dyn PhysicalExpr>, side: &Side) -> Result<Claim, Changed> {
        let any = expr.as_ref();
        if let Some(value) = literal(expr) {
            return match value {
                ScalarValue::Boolean(Some(truth)) => Ok(Claim::Known(*truth)),
                _ => Err(Changed),
            };
        }
        if let Some(function) = any.downcast_ref::<ScalarFunctionExpr>() {
            let arguments: Result<Vec<Label>, Changed> = { function.args().iter() }
                .map(|argument| self.label(argument, side))
                .collect();
            return self.expected.choice(function.fun(), &arguments?);
        }
        if let Some(not) = any.downcast_ref::<NotExpr>() {
            return Ok(Claim::Not(Box::new(self.claim(not.arg(), side)?)));
        }
        if let Some(null) = any.downcast_ref::<IsNullExpr>() {
            return Ok(Claim::IsNull(self.raw(null.arg(), side)?));
        }
        if let Some(value) = any.downcast_ref::<IsNotNullExpr>() {
            let null = Claim::IsNull(self.raw(value.arg(), side)?);
            return Ok(Claim::Not(Box::new(null)));
        }
        if let Some(among) = any.downcast_ref::<InListExpr>() {
            let points: Result<Vec<Point>, Changed> = { among.list().iter() }
                .map(|value| Point::of(literal(value).ok_or(Changed)?))
                .collect();
            let column = self.raw(among.expr(), side)?;
            return Ok(Claim::among(column, points?, among.negated()));
        }
        let binary = any.downcast_ref::<BinaryExpr>().ok_or(Changed)?;
        let (left, right) = (binary.left(), binary.right());
        match binary.op() {
            Operator::And => Ok(Claim::All(vec![
                self.claim(left, side)?,
                self.claim(right, side)?,
            ])),
            Operator::Or => Ok(Claim::Any(vec![
                self.claim(left, side)?,
                self.claim(right, side)?,
            ])),
            comparison => self.expected.compared(
                Comparison::of(*comparison)?,
                (self.label(left, side).ok(), literal(left)),
                (self.label(right, side).ok(), literal(right)),
            ),
        }
    }
}

/// The partial whose state stands at this place of the input.
fn stated(side: &Side, place: usize, is_sum: bool) -> Result<Partial, Changed> {
    match side.labels.get(place) {
        Some(Label::State(partial)) if matches!(partial, Partial::Sum(..)) == is_sum => {
            Ok(*partial)
        }
        _ => Err(Changed),
    }
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.as_ref().downcast_ref::<Literal>().map(Literal::value)
}
