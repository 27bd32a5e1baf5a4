//! Whatever goes wrong is one constant answer, and no claim of a connector decides what is counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::register::*;
use crate::{Crowded, Engine, EngineRefused, GuardLimits, Place, RunFailed};

const COUNT: &str =
    "SELECT carrier, count(*) AS n FROM flights WHERE carrier = 'UA' GROUP BY carrier";

/// How a source misbehaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Says that it filters exactly, and does not filter.
    Lies,
    /// Fails with a value in its message.
    Tells,
    /// Never answers.
    Waits,
}

#[derive(Debug)]
struct Bad {
    manner: Manner,
    inner: Arc<MemTable>,
}

impl TableProvider for Bad {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    fn scan<'own, 'session, 'projection, 'filters, 'all>(
        &'own self,
        state: &'session dyn Session,
        projection: Option<&'projection Vec<usize>>,
        _filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'all>>
    where
        'own: 'all,
        'session: 'all,
        'projection: 'all,
        'filters: 'all,
        Self: 'all,
    {
        Box::pin(async move {
            match self.manner {
                Manner::Lies => self.inner.scan(state, projection, &[], limit).await,
                Manner::Tells => Err(DataFusionError::Execution(CANARY.to_owned())),
                Manner::Waits => std::future::pending().await,
            }
        })
    }
}

fn mixed(count: usize) -> Vec<Flight> {
    (0..count)
        .map(|tail| Flight {
            carrier: ["UA", "AA"][tail % 2],
            ..flight(tail)
        })
        .collect()
}

fn with(
    limits: GuardLimits,
    provider: Arc<dyn TableProvider>,
) -> std::result::Result<RecordBatch, RunFailed> {
    let engine = Engine::new(limits).unwrap();
    engine.put_table("flights", provider);
    engine.put_table("airports", table(airports(&AIRPORTS)));
    run_template(&register(COUNT).unwrap(), &engine, &[])
}

fn bad(manner: Manner) -> Arc<dyn TableProvider> {
    Arc::new(Bad {
        manner,
        inner: table(batch(&mixed(60))),
    })
}

#[test]
fn a_source_that_lies_about_its_filters_is_filtered_again() {
    let answer = with(limits(), bad(Manner::Lies)).unwrap();
    assert_eq!(rows(&[answer]), [["UA", "30"]]);
}

#[test]
fn a_failure_says_nothing() {
    let failed = with(limits(), bad(Manner::Tells)).unwrap_err();
    assert_eq!(failed.to_string(), "the statistic could not be computed");
    assert_eq!(format!("{failed:?}"), "RunFailed");
    assert!(std::error::Error::source(&failed).is_none());
}

#[test]
fn a_source_that_never_answers_ends_at_the_time_limit() {
    let short = GuardLimits {
        seconds_max: 1,
        ..limits()
    };
    assert_eq!(with(short, bad(Manner::Waits)), Err(RunFailed));
}

#[test]
fn too_little_memory_ends_the_run() {
    let many: Vec<Flight> = (0..40_000).map(flight).collect();
    let tight = GuardLimits {
        memory_bytes_max: 1 << 20,
        ..limits()
    };
    assert_eq!(with(tight, table(batch(&many))), Err(RunFailed));
    assert!(with(limits(), table(batch(&many))).is_ok());
}

#[test]
fn a_table_that_is_gone_or_changed_ends_the_run() {
    let template = register(COUNT).unwrap();
    let engine = engine(&mixed(60));
    engine.remove_table("flights");
    assert_eq!(run_template(&template, &engine, &[]), Err(RunFailed));
    // The entity is a number now: what was checked is no longer what would be read.
    let unchanged = schema();
    let fields = unchanged.fields().iter().map(|field| {
        if field.name() == "tailnum" {
            Field::new("tailnum", DataType::Int64, true)
        } else {
            field.as_ref().clone()
        }
    });
    let changed = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    engine.put_table("flights", table(RecordBatch::new_empty(changed)));
    assert_eq!(run_template(&template, &engine, &[]), Err(RunFailed));
    // Other columns may come and go.
    let fewer = batch(&mixed(60)).project(&[0, 1]).unwrap();
    engine.put_table("flights", table(fewer));
    assert!(run_template(&template, &engine, &[]).is_ok());
}

#[test]
fn an_entity_in_several_partitions_is_one_entity() {
    let nine: Vec<Flight> = (0..9).map(flight).collect();
    let partitions = (0..5).map(|_| vec![batch(&nine), batch(&nine)]).collect();
    let spread = Arc::new(MemTable::try_new(schema(), partitions).unwrap());
    assert_eq!(with(limits(), spread).unwrap().num_rows(), 0);
    let ten: Vec<Flight> = (0..10).map(flight).collect();
    let partitions = (0..5).map(|_| vec![batch(&ten)]).collect();
    let spread = Arc::new(MemTable::try_new(schema(), partitions).unwrap());
    assert_eq!(rows(&[with(limits(), spread).unwrap()]), [["UA", "50"]]);
}

#[test]
fn places_are_counted_and_given_back() {
    let engine = engine(&mixed(60));
    let mut places: Vec<Place> = std::iter::from_fn(|| engine.enter().ok())
        .take(1_000)
        .collect();
    assert!((1..1_000).contains(&places.len()), "there is a bound");
    assert_eq!(engine.enter().unwrap_err(), Crowded);
    let template = register(COUNT).unwrap();
    assert_eq!(run_template(&template, &engine, &[]), Err(RunFailed));
    places.pop();
    assert!(run_template(&template, &engine, &[]).is_ok());
    // The run has given its place back.
    assert!(engine.enter().is_ok());
}

#[test]
fn limits_of_zero_are_refused() {
    for broken in [
        GuardLimits {
            memory_bytes_max: 0,
            ..limits()
        },
        GuardLimits {
            rows_out_max: 0,
            ..limits()
        },
        GuardLimits {
            seconds_max: 0,
            ..limits()
        },
        GuardLimits {
            partitions: 0,
            ..limits()
        },
        GuardLimits {
            result_bytes_max: 0,
            ..limits()
        },
        GuardLimits {
            sql_bytes_max: 0,
            ..limits()
        },
    ] {
        assert!(matches!(Engine::new(broken), Err(EngineRefused::Limits)));
    }
}

#[test]
fn an_engine_may_be_dropped_by_an_asynchronous_caller() {
    block_on(async {
        drop(Engine::new(limits()).unwrap());
    });
}
