//! The plan below the Gate: rows of the protected table, grouped by entity first.
//!
//! One row of its result is what one entity has in one group: how many rows, and per measure a bounded sum and how many
//! values. Entities themselves are not among its columns. What the optimisers make of it is read again before it runs,
//! by lineage: `logical.rs` and `physical.rs` read, `expected.rs` judges, `claim.rs` decides about conditions.

mod claim;
mod expected;
pub(crate) mod logical;
pub(crate) mod physical;

pub(crate) use expected::Expected;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{Column, Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::scalar::ScalarValue;

use crate::cells::{bounded, cell};
use crate::choice::{chosen, is_taken};
use crate::infer::{Origin, Test};
use crate::query::{Atom, Cell, Measure, Query};

/// The hidden name of the entity below the Gate.
const ENTITY: &str = "entity";

/// An optimiser made another plan than was decided. Says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed;

/// What the plan computes per entity and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// Its rows.
    Rows,
    /// Its rows in which the column has a value.
    Present(usize),
    /// Its rows in which the measure is a number.
    Count(usize, Measure),
    /// Its sum of the bounded measure.
    Sum(usize, Measure),
}

/// The partials that the answer needs, each once. Rows come first: every entity has some.
pub(crate) fn partials(cells: &[Cell]) -> Vec<Partial> {
    let mut partials = vec![Partial::Rows];
    let mut add = |partial| {
        if !partials.contains(&partial) {
            partials.push(partial);
        }
    };
    for cell in cells {
        match *cell {
            // A sum is judged by how far it is from the bounds of so many values.
            Cell::Average(column, measure) | Cell::Sum(column, measure) => {
                add(Partial::Sum(column, measure));
                add(Partial::Count(column, measure));
            }
            Cell::Present(column) => add(Partial::Present(column)),
            Cell::Entities | Cell::Rows => {}
        }
    }
    partials
}

/// Builds the plan; `providers` has one table per scan of the query, the protected one behind its fence.
pub(crate) fn build(
    query: &Query<ScalarValue>,
    schemas: &[arrow_schema::SchemaRef],
    providers: &[Arc<dyn TableProvider>],
    partials: &[Partial],
) -> Result<LogicalPlan> {
    let columns = Columns { schemas };
    let entity = Origin {
        scan: query.protected,
        column: query.entity,
    };
    let mut plan = scan(query, &columns, providers, query.protected)?
        .filter(columns.expr(entity).is_not_null())?;
    plan = taken(query, &columns, providers, plan)?;
    let mut inputs = vec![columns.expr(entity).alias(ENTITY)];
    let mut keys = Vec::new();
    for (index, key) in query.keys.iter().enumerate() {
        let name = format!("key{index}");
        inputs.push(cell(columns.expr(key.origin), &key.domain, key.recode.as_ref()).alias(&name));
        keys.push(named(&name));
    }
    let mut figures = Vec::new();
    for (index, partial) in partials.iter().enumerate() {
        let (input, figure) = figure(
            *partial,
            &columns,
            query.protected,
            &format!("input{index}"),
        );
        inputs.extend(input);
        figures.push(figure.alias(format!("figure{index}")));
    }
    let outputs: Vec<Expr> = keys
        .iter()
        .cloned()
        .chain((0..partials.len()).map(|index| named(&format!("figure{index}"))))
        .collect();
    let groups: Vec<Expr> = keys.into_iter().chain([named(ENTITY)]).collect();
    plan.project(inputs)?
        .aggregate(groups, figures)?
        .project(outputs)?
        .build()
}

/// The other tables joined to the protected one, and the conditions that are about more than one table or may be about NULL.
fn taken(
    query: &Query<ScalarValue>,
    columns: &Columns<'_>,
    providers: &[Arc<dyn TableProvider>],
    mut plan: LogicalPlanBuilder,
) -> Result<LogicalPlanBuilder> {
    for join in &query.joins {
        let (mine, other) = join
            .on
            .iter()
            .map(|(mine, other)| {
                let column = |scan, column| columns.column(Origin { scan, column });
                (column(query.protected, *mine), column(join.scan, *other))
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let kind = match join.outer {
            true => JoinType::Right,
            false => JoinType::Inner,
        };
        // The other table is the build side: it is small, and no statistics decide otherwise.
        plan = scan(query, columns, providers, join.scan)?.join(
            plan.build()?,
            kind,
            (other, mine),
            None,
        )?;
    }
    // A condition on a table that may be missing is about NULLs too, so it stands above the join.
    for atom in query.atoms.iter().filter(|atom| is_outer(query, atom)) {
        plan = plan.filter(condition(atom, columns))?;
    }
    // What several columns decide together is one function of theirs, which no optimiser takes apart.
    for choice in &query.choices {
        let (compared, chosen) = chosen(choice);
        let compared = compared.into_iter().map(|origin| columns.expr(origin));
        plan = plan.filter(is_taken(compared.collect(), chosen))?;
    }
    Ok(plan)
}

/// A partial: the input that it needs, under the name `input`, and the aggregate over it.
fn figure(
    partial: Partial,
    columns: &Columns<'_>,
    protected: usize,
    input: &str,
) -> (Option<Expr>, Expr) {
    let value = |column| {
        columns.expr(Origin {
            scan: protected,
            column,
        })
    };
    match partial {
        Partial::Rows => (None, count(lit(1_i64))),
        Partial::Present(column) => (Some(value(column).alias(input)), count(named(input))),
        Partial::Count(column, measure) => {
            let value = bounded(value(column), measure);
            (Some(value.alias(input)), count(named(input)))
        }
        Partial::Sum(column, measure) => {
            let value = bounded(value(column), measure);
            (Some(value.alias(input)), sum(named(input)))
        }
    }
}

/// A column below the aggregation, by its name and without reading the name as SQL.
fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// One table with its own conditions.
fn scan(
    query: &Query<ScalarValue>,
    columns: &Columns<'_>,
    providers: &[Arc<dyn TableProvider>],
    scan: usize,
) -> Result<LogicalPlanBuilder> {
    let provider = &providers[scan];
    let mut projection = Vec::new();
    for column in query.columns_of(scan) {
        let name = columns.schemas[scan].field(column).name();
        projection.push(provider.schema().index_of(name)?);
    }
    let source = provider_as_source(Arc::clone(provider));
    let mut plan = LogicalPlanBuilder::scan(table(scan), source, Some(projection))?;
    let own = |atom: &&Atom<ScalarValue>| atom.origin.scan == scan && !is_outer(query, atom);
    for atom in query.atoms.iter().filter(own) {
        plan = plan.filter(condition(atom, columns))?;
    }
    Ok(plan)
}

fn is_outer(query: &Query<ScalarValue>, atom: &Atom<ScalarValue>) -> bool {
    let mut joins = query.joins.iter();
    joins.any(|join| join.outer && join.scan == atom.origin.scan)
}

fn condition(atom: &Atom<ScalarValue>, columns: &Columns<'_>) -> Expr {
    let column = columns.expr(atom.origin);
    let value = |value: &ScalarValue| Expr::Literal(value.clone(), None);
    match &atom.test {
        Test::Above(last) => column.gt(value(last)),
        Test::Among(values) => column.in_list(values.iter().map(value).collect(), false),
        Test::AtLeast(edge) => column.gt_eq(value(edge)),
        Test::AtMost(last) => column.lt_eq(value(last)),
        Test::Below(edge) => column.lt(value(edge)),
        Test::Between(low, high) => {
            let from = column.clone().gt_eq(value(low));
            from.and(column.lt_eq(value(high)))
        }
        Test::NotAmong(values) => column.in_list(values.iter().map(value).collect(), true),
        Test::Outside(low, high) => {
            let below = column.clone().lt(value(low));
            below.or(column.gt(value(high)))
        }
    }
}

/// Tables go by their number, so that nothing in a plan is a name from outside.
fn table(scan: usize) -> TableReference {
    TableReference::bare(format!("scan{scan}"))
}

struct Columns<'a> {
    schemas: &'a [arrow_schema::SchemaRef],
}

impl Columns<'_> {
    fn column(&self, origin: Origin) -> Column {
        let name = self.schemas[origin.scan].field(origin.column).name();
        Column::new(Some(table(origin.scan)), name)
    }

    fn expr(&self, origin: Origin) -> Expr {
        Expr::Column(self.column(origin))
    }
}

#[cfg(test)]
mod tests;
