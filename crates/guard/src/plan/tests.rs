//! Rules planted in the optimisers: whatever they change, the plan does not run.

mod claims;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{
    Aggregate, Filter, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, cast, col, lit,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::expressions::Column as PhysicalColumn;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::*;
use crate::RunFailed;
use crate::engine::{Tables, session};
use crate::fence::Fence;
use crate::run::run;
use crate::template::Bound;
use crate::tests::register::{
    AIRPORTS, Flight, airports, batch, block_on, flight, limits, register, rows, table as in_memory,
};

/// Every way in which a statement can be made: conditions of each kind, joins of each kind, every figure.
const STATEMENTS: [&str; 19] = [
    "SELECT count(*) AS n FROM flights",
    "SELECT carrier, count(*) AS n, count(distance) AS c, sum(distance) AS s, avg(distance) AS a, sum(delay) AS d FROM flights GROUP BY carrier",
    "SELECT month, carrier, sum(distance) AS s FROM flights WHERE carrier IN ('AA', 'DL', 'UA') GROUP BY month, carrier",
    "SELECT count(*) AS n FROM flights WHERE month IN (1, 2, 3, 4, 5, 6) AND carrier = 'UA'",
    "SELECT count(*) AS n FROM flights WHERE flown >= '2013-01-01' AND flown < '2013-03-01'",
    "SELECT count(*) AS n FROM flights WHERE flown >= '2013-01-01' AND flown >= '2013-02-01' AND month = 1",
    "SELECT state, avg(delay) AS a FROM flights JOIN airports ON origin = faa GROUP BY state",
    "SELECT state, count(*) AS n FROM flights LEFT JOIN airports ON origin = faa GROUP BY state",
    "SELECT count(*) AS n FROM flights JOIN airports ON origin = faa WHERE origin = 'EWR'",
    "SELECT count(*) AS n FROM flights LEFT JOIN airports ON origin = faa WHERE state = 'NY'",
    "SELECT state, count(*) AS n FROM flights LEFT JOIN airports ON origin = faa WHERE origin IN ('EWR', 'LGA') GROUP BY state",
    "SELECT carrier, count(*) AS n FROM flights JOIN airports ON origin = faa WHERE state IN ('NJ', 'NY') AND carrier = 'UA' AND origin = 'JFK' GROUP BY carrier",
    "SELECT date_trunc('month', flown) AS m, count(*) AS n FROM flights GROUP BY date_trunc('month', flown)",
    "SELECT CASE WHEN carrier = 'UA' THEN 'it' ELSE 'others' END AS c, carrier, sum(delay) AS s FROM flights GROUP BY c, carrier",
    "SELECT count(*) AS n FROM flights WHERE carrier = 'UA' OR month = 1",
    "SELECT count(*) AS n FROM flights WHERE NOT (carrier = 'UA' AND month = 1)",
    "SELECT count(*) AS n FROM flights WHERE (carrier = 'UA' OR month = 2) AND (carrier = 'AA' OR month = 1)",
    "SELECT state, count(*) AS n FROM flights LEFT JOIN airports ON origin = faa WHERE state = 'NY' OR month = 1 GROUP BY state",
    "SELECT state, count(*) AS n FROM flights JOIN airports ON origin = faa WHERE origin NOT IN ('LGA', 'JFK') OR origin = 'JFK' GROUP BY state",
];

/// A bound statement with everything that its plan is made of.
struct Made {
    query: Query<ScalarValue>,
    schemas: Vec<SchemaRef>,
    partials: Vec<Partial>,
    providers: Vec<Arc<dyn TableProvider>>,
    optimised: LogicalPlan,
}

impl Made {
    fn expected(&self) -> Expected<'_> {
        Expected {
            query: &self.query,
            schemas: &self.schemas,
            partials: &self.partials,
        }
    }

    fn accepts(&self, plan: &LogicalPlan) -> bool {
        logical::accept(plan, &self.expected(), &self.providers).is_ok()
    }

    /// Whether the plan is still accepted after `change`, which must change something.
    fn accepts_after(
        &self,
        change: impl Fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
    ) -> bool {
        let changed = self.optimised.clone().transform_up(change).unwrap();
        assert!(changed.transformed, "{}", self.optimised.display_indent());
        self.accepts(&changed.data)
    }

    fn physical(&self) -> Arc<dyn ExecutionPlan> {
        let state = session(limits()).unwrap();
        block_on(
            state
                .query_planner()
                .create_physical_plan(&self.optimised, &state),
        )
        .unwrap()
    }

    fn accepts_physical(&self, plan: &Arc<dyn ExecutionPlan>) -> bool {
        physical::accept(plan, &self.expected()).is_ok()
    }
}

/// Aircraft have numbers for names, which an engine can make integers of.
fn fleet() -> Vec<Flight> {
    (0..40)
        .map(|tail| Flight {
            tail: Some((1_000 + tail).to_string()),
            carrier: ["UA", "AA"][tail % 2],
            ..flight(tail)
        })
        .collect()
}

fn tables() -> Tables {
    Tables::from([
        (
            "flights".to_owned(),
            in_memory(batch(&fleet())) as Arc<dyn TableProvider>,
        ),
        ("airports".to_owned(), in_memory(airports(&AIRPORTS))),
    ])
}

fn bound(sql: &str) -> Bound {
    register(sql).unwrap().bind(&[]).unwrap()
}

fn made(sql: &str) -> Made {
    let Bound { query, template } = bound(sql);
    let (mut schemas, mut providers) = (Vec::new(), Vec::<Arc<dyn TableProvider>>::new());
    for scan in 0..query.scans.len() {
        let rules = template.rules(scan);
        schemas.push(Arc::clone(&rules.schema));
        let table = Arc::clone(&tables()[&rules.name]);
        providers.push(Arc::new(Fence { scan, table }));
    }
    let partials = partials(&query.cells);
    let plan = build(&query, &schemas, &providers, &partials).unwrap();
    let optimised = session(limits()).unwrap().optimize(&plan).unwrap();
    Made {
        query,
        schemas,
        partials,
        providers,
        optimised,
    }
}

#[test]
fn what_the_optimisers_make_of_every_form_is_accepted() {
    for sql in STATEMENTS {
        let made = made(sql);
        assert!(
            made.accepts(&made.optimised),
            "{sql}\n{}",
            made.optimised.display_indent()
        );
        let physical = made.physical();
        assert!(made.accepts_physical(&physical), "{sql}\n{physical:?}");
    }
}

#[test]
fn a_plan_of_another_statement_is_not_accepted() {
    let all: Vec<Made> = STATEMENTS.into_iter().map(made).collect();
    for (one, mine) in all.iter().enumerate() {
        for (two, other) in all.iter().enumerate().filter(|(two, _)| *two != one) {
            // The tables of one are not those of the other, so the other's plan is read with its own.
            let expected = mine.expected();
            let read = logical::accept(&other.optimised, &expected, &other.providers);
            assert!(read.is_err(), "{} for {}", STATEMENTS[two], STATEMENTS[one]);
        }
    }
}

type Change = fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>;

fn on_filter(
    plan: LogicalPlan,
    change: impl Fn(Filter) -> Result<LogicalPlan>,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Filter(filter) => change(filter).map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    }
}

fn on_aggregate(
    plan: LogicalPlan,
    change: impl Fn(Aggregate) -> Result<LogicalPlan>,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => change(aggregate).map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    }
}

/// The entity's own name as the number that is released.
fn moves_the_entity_out(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = plan else {
        return Ok(Transformed::no(plan));
    };
    let above = matches!(projection.input.as_ref(), LogicalPlan::Aggregate(_));
    if !above {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    let id = cast(col(ENTITY), arrow_schema::DataType::Int64).alias("figure0");
    let is_figure = |expr: &Expr| expr.schema_name().to_string() == "figure0";
    let moved = |expr: Expr| if is_figure(&expr) { id.clone() } else { expr };
    let outputs = projection.expr.into_iter().map(moved).collect();
    let moved = Projection::try_new(outputs, projection.input)?;
    Ok(Transformed::yes(LogicalPlan::Projection(moved)))
}

fn drops_the_condition(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    on_filter(plan, |filter| Ok(filter.input.as_ref().clone()))
}

fn forgets_the_entity(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    on_aggregate(plan, |aggregate| {
        let keys = { aggregate.group_expr.into_iter() }
            .filter(|key| !key.schema_name().to_string().contains(ENTITY))
            .collect();
        let fewer = Aggregate::try_new(aggregate.input, keys, aggregate.aggr_expr)?;
        Ok(LogicalPlan::Aggregate(fewer))
    })
}

const CHANGES: &[(&str, Change)] = &[
    ("moves the entity out", moves_the_entity_out),
    ("drops the condition", drops_the_condition),
    ("forgets the entity", forgets_the_entity),
    ("widens the condition", |plan| {
        on_filter(plan, |filter| {
            let wide = filter.predicate.or(col("scan0.carrier").eq(lit("AA")));
            Ok(LogicalPlan::Filter(Filter::try_new(wide, filter.input)?))
        })
    }),
    ("narrows the condition to one entity", |plan| {
        on_filter(plan, |filter| {
            let narrow = filter.predicate.and(col("scan0.tailnum").eq(lit("1001")));
            Ok(LogicalPlan::Filter(Filter::try_new(narrow, filter.input)?))
        })
    }),
    ("leaves one entity out", |plan| {
        on_filter(plan, |filter| {
            let less = filter
                .predicate
                .and(col("scan0.tailnum").not_eq(lit("1001")));
            Ok(LogicalPlan::Filter(Filter::try_new(less, filter.input)?))
        })
    }),
    ("groups by a bare column", |plan| {
        on_aggregate(plan, |aggregate| {
            let mut keys = aggregate.group_expr;
            keys.push(col("input1"));
            let more = Aggregate::try_new(aggregate.input, keys, aggregate.aggr_expr)?;
            Ok(LogicalPlan::Aggregate(more))
        })
    }),
    ("counts some rows only", |plan| {
        on_aggregate(plan, |aggregate| {
            let rows = datafusion::functions_aggregate::expr_fn::count_distinct(lit(1));
            let mut figures = aggregate.aggr_expr;
            let name = figures[0].schema_name().to_string();
            figures[0] = rows.alias(name);
            let other = Aggregate::try_new(aggregate.input, aggregate.group_expr, figures)?;
            Ok(LogicalPlan::Aggregate(other))
        })
    }),
    ("reads a few rows", |plan| match plan {
        LogicalPlan::TableScan(mut scan) => {
            scan.fetch = Some(3);
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    }),
    ("limits rows", |plan| match plan {
        LogicalPlan::TableScan(_) => LogicalPlanBuilder::from(plan)
            .limit(0, Some(3))?
            .build()
            .map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    }),
    ("reads rows twice", |plan| match plan {
        LogicalPlan::TableScan(_) => LogicalPlanBuilder::from(plan.clone())
            .union(plan)?
            .build()
            .map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    }),
];

#[test]
fn no_change_of_the_logical_plan_is_accepted() {
    for rows in [
        "carrier IN ('UA', 'DL') AND month = 1",
        "carrier = 'UA' OR month = 1",
        "NOT (carrier = 'UA' AND month = 1)",
    ] {
        let sql = format!(
            "SELECT carrier, sum(distance) AS s FROM flights WHERE {rows} GROUP BY carrier"
        );
        let made = made(&sql);
        assert!(made.accepts(&made.optimised));
        for (name, change) in CHANGES {
            assert!(!made.accepts_after(change), "{name}: {rows}");
        }
    }
}

#[test]
fn functions_and_joins_are_held_to_what_was_decided() {
    let summed = made(STATEMENTS[1]);
    let loosened = |plan: LogicalPlan| match plan {
        LogicalPlan::Projection(projection)
            if !matches!(projection.input.as_ref(), LogicalPlan::Aggregate(_)) =>
        {
            let loose = |expr: Expr| {
                let name = expr.schema_name().to_string();
                let is_bounded = matches!(&expr, Expr::Alias(alias) if matches!(&*alias.expr, Expr::ScalarFunction(f) if f.func.name() == "lingqu_bounded"));
                let measure = Measure {
                    min: 0,
                    max: i64::MAX,
                    scale: 0,
                };
                match is_bounded {
                    true => bounded(col("scan0.distance"), measure).alias(name),
                    false => expr,
                }
            };
            let outputs = projection.expr.iter().cloned().map(loose).collect();
            let loose = Projection::try_new(outputs, projection.input)?;
            Ok(Transformed::yes(LogicalPlan::Projection(loose)))
        }
        other => Ok(Transformed::no(other)),
    };
    assert!(!summed.accepts_after(loosened));
    let joined = made(STATEMENTS[7]);
    let inner = |plan: LogicalPlan| match plan {
        LogicalPlan::Join(mut join) => {
            join.join_type = JoinType::Inner;
            Ok(Transformed::yes(LogicalPlan::Join(join)))
        }
        other => Ok(Transformed::no(other)),
    };
    assert!(!joined.accepts_after(inner));
    let crossed = |plan: LogicalPlan| match plan {
        LogicalPlan::Join(mut join) => {
            join.on.clear();
            Ok(Transformed::yes(LogicalPlan::Join(join)))
        }
        other => Ok(Transformed::no(other)),
    };
    assert!(!joined.accepts_after(crossed));
}

#[test]
fn another_source_of_the_same_name_is_not_accepted() {
    let (one, two) = (made(STATEMENTS[0]), made(STATEMENTS[0]));
    assert!(logical::accept(&one.optimised, &one.expected(), &two.providers).is_err());
}

/// A rule that is planted in the logical optimiser.
#[derive(Debug)]
struct Planted(Change);

impl OptimizerRule for Planted {
    fn name(&self) -> &str {
        "planted"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up(self.0)
    }
}

type Rewriting = fn(Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>>;

/// A rule that is planted in the physical optimiser.
#[derive(Debug)]
struct PlantedBelow(Rewriting);

impl PhysicalOptimizerRule for PlantedBelow {
    fn name(&self) -> &str {
        "planted"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(self.0).map(|changed| changed.data)
    }

    fn schema_check(&self) -> bool {
        false
    }
}

const BY_CARRIER: &str =
    "SELECT carrier, count(*) AS n FROM flights WHERE carrier IN ('UA', 'DL') GROUP BY carrier";

#[test]
fn a_planted_rule_ends_the_run_where_it_would_have_told() {
    let state = || session(limits()).unwrap();
    let answer = block_on(run(bound(BY_CARRIER), tables(), state(), limits())).unwrap();
    assert_eq!(rows(&[answer]), [["UA", "20"]]);
    for (name, change) in [
        ("moves the entity out", moves_the_entity_out as Change),
        ("drops the condition", drops_the_condition),
        ("forgets the entity", forgets_the_entity),
    ] {
        let planted = SessionStateBuilder::new_from_existing(state())
            .with_optimizer_rule(Arc::new(Planted(change)))
            .build();
        // The engine itself has no objection: the plan is made, and its numbers would have been others.
        let made = made(BY_CARRIER);
        let changed = planted.optimize(&made.optimised).unwrap();
        let plan = block_on(
            planted
                .query_planner()
                .create_physical_plan(&changed, &planted),
        );
        let collected = datafusion::physical_plan::collect(plan.unwrap(), planted.task_ctx());
        assert!(!block_on(collected).unwrap().is_empty(), "{name}");
        let failed = block_on(run(bound(BY_CARRIER), tables(), planted, limits()));
        assert_eq!(failed.map(|_| ()), Err(RunFailed), "{name}");
    }
}

fn limited(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    match plan.downcast_ref::<crate::fence::SourceExec>() {
        None => Ok(Transformed::no(plan)),
        Some(_) => Ok(Transformed::yes(Arc::new(GlobalLimitExec::new(
            plan,
            0,
            Some(3),
        )))),
    }
}

fn unfiltered(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    match plan.downcast_ref::<FilterExec>() {
        Some(filter) => {
            let everything = datafusion::physical_plan::expressions::lit(true);
            let projection = filter.projection().as_ref().map(|places| places.to_vec());
            let open = FilterExecBuilder::new(everything, Arc::clone(filter.input()))
                .apply_projection(projection)?
                .build()?;
            Ok(Transformed::yes(Arc::new(open)))
        }
        None => Ok(Transformed::no(plan)),
    }
}

/// Puts out the entity, or whatever stands in its place, where the first figure was.
fn moved(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(projection) = plan.downcast_ref::<ProjectionExec>() else {
        return Ok(Transformed::no(plan));
    };
    let schema = projection.input().schema();
    let mut outputs = projection.expr().to_vec();
    let place = outputs.iter().position(|output| output.alias == "figure0");
    let (Some(place), Ok(entity)) = (place, schema.index_of(ENTITY)) else {
        return Ok(Transformed::no(plan));
    };
    outputs[place].expr = Arc::new(PhysicalColumn::new(ENTITY, entity));
    let moved = ProjectionExec::try_new(outputs, Arc::clone(projection.input()))?;
    Ok(Transformed::yes(Arc::new(moved)))
}

#[test]
fn no_change_of_the_physical_plan_is_accepted() {
    for (name, change) in [
        ("limited", limited as fn(_) -> _),
        ("unfiltered", unfiltered),
        ("moved", moved),
    ] {
        let made = made(STATEMENTS[3]);
        let plan = made.physical();
        assert!(made.accepts_physical(&plan), "{name}");
        let changed = plan.transform_up(change).unwrap();
        assert!(changed.transformed, "{name}");
        assert!(!made.accepts_physical(&changed.data), "{name}");
        let planted = SessionStateBuilder::new_from_existing(session(limits()).unwrap())
            .with_physical_optimizer_rule(Arc::new(PlantedBelow(change)))
            .build();
        let failed = block_on(run(bound(STATEMENTS[3]), tables(), planted, limits()));
        assert_eq!(failed.map(|_| ()), Err(RunFailed), "{name}");
    }
}
