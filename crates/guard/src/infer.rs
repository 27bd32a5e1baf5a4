//! The second gate: what does the planned statement read, select, group and compute?
//!
//! DataFusion plans the statement in an empty world, where only the declared tables and three aggregates exist. The
//! plan is then read top-down into a [`Reading`]: columns by their place in a table, tables by the identity of their
//! source, functions by the identity of their implementation, never by name. What is not understood is refused.

mod above;
mod condition;
mod group;
mod node;
mod over;
mod world;

pub(crate) use condition::{Condition, Operand, Test, Tree};
pub(crate) use group::{By, Grain, Grouped};
pub(crate) use node::Operation;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::NullEquality;
use datafusion::common::{Column, DFSchema};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::COUNT_STAR_EXPANSION;
use datafusion::logical_expr::{Expr, JoinConstraint, JoinType, LogicalPlan, Projection, SortExpr};
use datafusion::scalar::ScalarValue;

use crate::rule::{Rule, TemplateRefused};
use crate::shape::Shape;
use crate::tables::TableRules;
pub(crate) use node::{Node, classify};
use node::{Term, term};

use crate::formula::{Computed, Kept};
use crate::value::Parameter;
use crate::window::Window;

/// Where a column comes from: which table of the statement, and which column of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// Index into [`Reading::scans`].
    pub(crate) scan: usize,
    /// Index into the table's schema.
    pub(crate) column: usize,
}

/// An aggregate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// `avg(column)`
    Average(Origin),
    /// `count(distinct column)`
    Distinct(Origin),
    /// `count(column)`
    Present(Origin),
    /// `count(*)`
    Rows,
    /// `sum(column)`
    Sum(Origin),
}

/// What an output shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Index into [`Reading::groups`].
    Group(usize),
    /// Index into [`Reading::figures`].
    Figure(usize),
    /// Index into [`Reading::computed`].
    Computed(usize),
}

/// An output column.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) shown: Shown,
}

/// A key of ORDER BY.
#[derive(Clone, Copy)]
pub(crate) struct OrderKey {
    /// Index into the outputs.
    pub(crate) output: usize,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// What a statement does, in the words of this crate.
#[derive(Default)]
pub(crate) struct Reading {
    /// Per table of the statement, its index among the declared tables.
    pub(crate) scans: Vec<usize>,
    pub(crate) equalities: Vec<(Origin, Origin)>,
    /// Scans on the right of a left join: their columns are NULL where nothing joins.
    pub(crate) outer: BTreeSet<usize>,
    /// All of these hold of the rows that are taken.
    pub(crate) conditions: Vec<Tree<Condition>>,
    pub(crate) groups: Vec<Grouped>,
    pub(crate) figures: Vec<Figure>,
    /// Outputs that are computed from released figures.
    pub(crate) computed: Vec<Computed>,
    /// What computed outputs ask of the groups beside a group.
    pub(crate) windows: Vec<Window>,
    /// HAVING: which groups are kept, by released figures.
    pub(crate) having: Option<Kept>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Option<usize>,
}

/// Plans the statement over `tables` and reads the plan.
pub(crate) fn infer(
    shape: Shape,
    tables: &[TableRules],
    parameters: &[Parameter],
) -> Result<Reading, TemplateRefused> {
    let plan = world::plan(shape.statement, tables)?;
    let mut reading = Reading::default();
    reading.answer(&plan, parameters)?;
    Ok(reading)
}

fn unexpected(part: &'static str) -> TemplateRefused {
    TemplateRefused::new(Rule::PlanUnexpected, part)
}

impl Reading {
    /// LIMIT, ORDER BY and SELECT: what happens to released values.
    fn answer(
        &mut self,
        plan: &LogicalPlan,
        parameters: &[Parameter],
    ) -> Result<(), TemplateRefused> {
        let plan = self.cut(plan)?;
        let (plan, sort) = match classify(plan) {
            Node::Sort(sort) => {
                let datafusion::logical_expr::Sort { expr, input, fetch } = sort;
                if fetch.is_some() {
                    return Err(unexpected("ORDER BY"));
                }
                (input.as_ref(), expr.as_slice())
            }
            _ => (plan, [].as_slice()),
        };
        let Node::Projection(projection) = classify(plan) else {
            return Err(unexpected("SELECT"));
        };
        self.sorted(sort, plan.schema())?;
        self.outputs(projection, parameters)?;
        over::check(&self.windows, self.groups.len(), &self.outputs)
    }

    /// LIMIT. Returns what is below.
    fn cut<'a>(&mut self, plan: &'a LogicalPlan) -> Result<&'a LogicalPlan, TemplateRefused> {
        let Node::Limit(limit) = classify(plan) else {
            return Ok(plan);
        };
        let datafusion::logical_expr::Limit { skip, fetch, input } = limit;
        let Some(Expr::Literal(ScalarValue::Int64(Some(rows)), None)) = fetch.as_deref() else {
            return Err(unexpected("LIMIT"));
        };
        let rows = usize::try_from(*rows).ok().filter(|rows| *rows > 0);
        if skip.is_some() || rows.is_none() {
            return Err(TemplateRefused::new(Rule::OrderForm, "LIMIT"));
        }
        self.limit = rows;
        Ok(input)
    }

    /// ORDER BY.
    fn sorted(&mut self, sort: &[SortExpr], schema: &DFSchema) -> Result<(), TemplateRefused> {
        for SortExpr {
            expr,
            asc,
            nulls_first,
        } in sort
        {
            let Term::Column(column) = term(expr) else {
                return Err(TemplateRefused::new(Rule::OrderForm, "ORDER BY"));
            };
            self.order.push(OrderKey {
                output: place(schema, column)?,
                descending: !asc,
                nulls_first: *nulls_first,
            });
        }
        Ok(())
    }

    /// SELECT, with the windows in it, and HAVING.
    fn outputs(
        &mut self,
        projection: &Projection,
        parameters: &[Parameter],
    ) -> Result<(), TemplateRefused> {
        let (windows, below) = over::peel(&projection.input);
        let (rows, having) = match classify(below) {
            Node::Filter(filter) => (filter.input.as_ref(), Some(&filter.predicate)),
            // What is ordered by is no output: the planner has put it in beside them.
            Node::Sort(_) => return Err(TemplateRefused::new(Rule::OrderForm, "ORDER BY")),
            _ => (below, None),
        };
        let mut shown = self.aggregated(rows)?;
        let figures = above::Figures {
            schema: rows.schema(),
            shown: &shown,
            parameters,
        };
        self.having = having.map(|kept| figures.kept(kept)).transpose()?;
        self.windows = over::read(&windows, &figures)?;
        shown.extend((0..self.windows.len()).map(above::Column::Window));
        let figures = above::Figures {
            schema: projection.input.schema(),
            shown: &shown,
            parameters,
        };
        for (output, field) in projection.expr.iter().zip(projection.schema.fields()) {
            let shown = match figures.output(output)? {
                above::Output::Shown(shown) => shown,
                above::Output::Computed(computed) => {
                    self.computed.push(computed);
                    Shown::Computed(self.computed.len() - 1)
                }
            };
            self.outputs.push(Output {
                name: field.name().clone(),
                shown,
            });
        }
        Ok(())
    }

    /// GROUP BY and the aggregates. Returns what each column of the aggregation shows.
    fn aggregated(&mut self, plan: &LogicalPlan) -> Result<Vec<above::Column>, TemplateRefused> {
        let Node::Aggregate(aggregate) = classify(plan) else {
            return Err(TemplateRefused::bare(Rule::OutputForm));
        };
        let origins = self.rows(&aggregate.input)?;
        let schema = aggregate.input.schema();
        let mut shown = Vec::new();
        for key in &aggregate.group_expr {
            shown.push(above::Column::Group(self.groups.len()));
            self.groups.push(group::read(key, schema, &origins)?);
        }
        for output in &aggregate.aggr_expr {
            let Term::Aggregate(function) = unnamed(output) else {
                return Err(TemplateRefused::bare(Rule::AggregateForm));
            };
            shown.push(above::Column::Figure(self.figures.len()));
            self.figures.push(figure(function, schema, &origins)?);
        }
        if shown.len() == aggregate.schema.fields().len() {
            Ok(shown)
        } else {
            Err(unexpected("GROUP BY"))
        }
    }

    /// FROM, JOIN and WHERE. Returns where each column of the rows comes from.
    fn rows(&mut self, plan: &LogicalPlan) -> Result<Vec<Origin>, TemplateRefused> {
        let origins = match classify(plan) {
            Node::Filter(filter) => {
                let origins = self.rows(&filter.input)?;
                self.condition(&filter.predicate, filter.input.schema(), &origins)?;
                origins
            }
            Node::Join(join) => self.join(join)?,
            Node::Alias(alias) => match classify(&alias.input) {
                Node::Scan(_) => self.rows(&alias.input)?,
                _ => return Err(unexpected("AS")),
            },
            Node::Scan(scan) => self.scan(scan)?,
            Node::Aggregate(_)
            | Node::Limit(_)
            | Node::Projection(_)
            | Node::Sort(_)
            | Node::Window(_) => {
                return Err(unexpected("FROM"));
            }
            Node::Refused(part) => return Err(unexpected(part)),
        };
        if origins.len() == plan.schema().fields().len() {
            Ok(origins)
        } else {
            Err(unexpected("columns"))
        }
    }

    fn scan(
        &mut self,
        scan: &datafusion::logical_expr::TableScan,
    ) -> Result<Vec<Origin>, TemplateRefused> {
        let datafusion::logical_expr::TableScan {
            table_name: _, // identity decides, not the name
            source,
            projection,
            projected_schema,
            filters,
            fetch,
            statistics_requests,
        } = scan;
        let whole = projection.is_none()
            && filters.is_empty()
            && fetch.is_none()
            && statistics_requests.is_empty();
        let table = world::table_of(source).ok_or_else(|| unexpected("FROM"))?;
        if !whole {
            return Err(unexpected("FROM"));
        }
        let scan = self.scans.len();
        self.scans.push(table);
        Ok((0..projected_schema.fields().len())
            .map(|column| Origin { scan, column })
            .collect())
    }

    fn join(
        &mut self,
        join: &datafusion::logical_expr::Join,
    ) -> Result<Vec<Origin>, TemplateRefused> {
        let datafusion::logical_expr::Join {
            left,
            right,
            on,
            filter,
            join_type,
            join_constraint,
            schema,
            null_equality,
            null_aware,
        } = join;
        let plain = matches!(join_type, JoinType::Inner | JoinType::Left)
            && *join_constraint == JoinConstraint::On
            && *null_equality == NullEquality::NullEqualsNothing
            && !null_aware;
        if !plain {
            return Err(TemplateRefused::bare(Rule::JoinForm));
        }
        let mut origins = self.rows(left)?;
        let first = self.scans.len();
        origins.extend(self.rows(right)?);
        if self.scans.len() != first + 1 {
            return Err(TemplateRefused::bare(Rule::JoinForm));
        }
        if *join_type == JoinType::Left {
            self.outer.insert(first);
        }
        for (one, other) in on {
            self.equality(one, other, schema, &origins)?;
        }
        match filter {
            Some(filter) => self.equalities(filter, schema, &origins)?,
            None if on.is_empty() => return Err(TemplateRefused::bare(Rule::JoinForm)),
            None => {}
        }
        Ok(origins)
    }

    fn equalities(
        &mut self,
        expr: &Expr,
        schema: &DFSchema,
        origins: &[Origin],
    ) -> Result<(), TemplateRefused> {
        match term(expr) {
            Term::And(left, right) => {
                self.equalities(left, schema, origins)?;
                self.equalities(right, schema, origins)
            }
            Term::Equal(left, right) => self.equality(left, right, schema, origins),
            _ => Err(TemplateRefused::bare(Rule::JoinForm)),
        }
    }

    fn equality(
        &mut self,
        left: &Expr,
        right: &Expr,
        schema: &DFSchema,
        origins: &[Origin],
    ) -> Result<(), TemplateRefused> {
        let (Term::Column(left), Term::Column(right)) = (term(left), term(right)) else {
            return Err(TemplateRefused::bare(Rule::JoinForm));
        };
        let pair = (
            origins[place(schema, left)?],
            origins[place(schema, right)?],
        );
        self.equalities.push(pair);
        Ok(())
    }

    fn condition(
        &mut self,
        expr: &Expr,
        schema: &DFSchema,
        origins: &[Origin],
    ) -> Result<(), TemplateRefused> {
        let taken = condition::read(expr, false, schema, origins)?;
        self.conditions.extend(taken.conjuncts());
        Ok(())
    }
}

/// Which column of `schema` an expression means.
fn place(schema: &DFSchema, column: &Column) -> Result<usize, TemplateRefused> {
    schema
        .index_of_column(column)
        .map_err(|_| TemplateRefused::new(Rule::ColumnUnknown, column.name.clone()))
}

/// What an output is, under the names that were given to it.
fn unnamed(expr: &Expr) -> Term<'_> {
    match term(expr) {
        Term::Alias(inner) => unnamed(inner),
        other => other,
    }
}

fn figure(
    function: &AggregateFunction,
    schema: &DFSchema,
    origins: &[Origin],
) -> Result<Figure, TemplateRefused> {
    let AggregateFunction {
        func,
        params:
            AggregateFunctionParams {
                args,
                distinct,
                filter,
                order_by,
                null_treatment,
            },
    } = function;
    let refused = || TemplateRefused::new(Rule::AggregateForm, func.name());
    if filter.is_some() || !order_by.is_empty() || null_treatment.is_some() {
        return Err(refused());
    }
    let [argument] = args.as_slice() else {
        return Err(refused());
    };
    let column = |argument: &Expr| match term(argument) {
        Term::Column(column) => place(schema, column).map(|at| origins[at]),
        _ => Err(refused()),
    };
    if Arc::ptr_eq(func, &count_udaf()) {
        match (term(argument), *distinct) {
            (Term::Literal(value), false) if *value == COUNT_STAR_EXPANSION => Ok(Figure::Rows),
            (_, true) => column(argument).map(Figure::Distinct),
            (_, false) => column(argument).map(Figure::Present),
        }
    } else if Arc::ptr_eq(func, &sum_udaf()) && !distinct {
        column(argument).map(Figure::Sum)
    } else if Arc::ptr_eq(func, &avg_udaf()) && !distinct {
        column(argument).map(Figure::Average)
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests;
