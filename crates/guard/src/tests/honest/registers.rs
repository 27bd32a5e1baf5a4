//! What honest analysts ask about: the demo's flights and TPC-H, each table with the policy that a unit would sign.
//!
//! The tests of a running network read this file too, so that the questions are asked of the same tables there.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use lingqu_policy::{AuditTerms, Domain, Policy, Preset, Release, UseSet};
use tpchgen::generators::{CustomerGenerator, NationGenerator, OrderGenerator};
use tpchgen_arrow::{CustomerArrow, NationArrow, OrderArrow};

/// Fewest entities behind a group and behind a figure.
pub(crate) const LEAST: usize = 10;
/// Counts are multiples of this.
pub(crate) const ROUND_TO: u32 = 5;
/// Largest share of one entity, in percent.
pub(crate) const SHARE: u8 = 50;
/// What the policies allow statistics for.
pub(crate) const PURPOSE: &str = "LENDING_CREDIT";

/// A table, with what may be done with it.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Table {
    fn new(name: &'static str, policy: Policy, batches: Vec<RecordBatch>) -> Table {
        Table {
            name,
            policy,
            batches,
        }
    }
}

type Column = (&'static str, UseSet, Option<Domain>);

fn policy(columns: Vec<Column>, entity: Option<(&str, &str)>) -> Policy {
    let uses: Vec<_> = columns
        .iter()
        .map(|(name, uses, _)| ((*name).to_owned(), *uses))
        .collect();
    let audit = AuditTerms::Mirrored { wait_ms_max: 5_000 };
    let mut policy = Policy::new(uses, [PURPOSE.to_owned()], audit, 3_600).unwrap();
    for (name, _, domain) in columns {
        if let Some(domain) = domain {
            policy = policy.with_domain(name, domain).unwrap();
        }
    }
    let Some((column, space)) = entity else {
        return policy;
    };
    let least = u32::try_from(LEAST).unwrap();
    let terms = Release::new(least, SHARE, ROUND_TO, 5_000).unwrap();
    let terms = terms.with_withheld_percent_max(50).unwrap();
    policy
        .with_space(column, space)
        .unwrap()
        .with_release(terms)
}

fn numbers(range: Range<i64>) -> Option<Domain> {
    Some(Domain::integers(range.collect()).unwrap())
}

fn bins(range: RangeInclusive<i64>) -> Option<Domain> {
    Some(Domain::integer_bins(range.collect()).unwrap())
}

fn bounds(min: i64, max: i64) -> Option<Domain> {
    Some(Domain::bounds(min, max).unwrap())
}

fn words(values: &[&str]) -> Option<Domain> {
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    values.sort_unstable();
    values.dedup();
    Some(Domain::texts(values).unwrap())
}

/// The distinct texts of a column.
fn values(batches: &[RecordBatch], column: &str) -> Option<Domain> {
    let mut found = Vec::new();
    for batch in batches {
        let texts = cast(batch.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
        let texts = texts.as_any().downcast_ref::<StringArray>().unwrap();
        found.extend(texts.iter().flatten().map(str::to_owned));
    }
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    words(&found)
}

fn quarters() -> Option<Domain> {
    let starts = (1992..1999).flat_map(|year| ["01", "04", "07", "10"].map(|month| (year, month)));
    let starts = starts.chain([(1999, "01")]);
    let days = starts.map(|(year, month)| format!("{year}-{month}-01").parse().unwrap());
    Some(Domain::date_bins(days.collect()).unwrap())
}

fn customer(scale: f64) -> Table {
    let (dimension, measure) = (Preset::Dimension.uses(), Preset::Measure.uses());
    let segments = [
        "AUTOMOBILE",
        "BUILDING",
        "FURNITURE",
        "HOUSEHOLD",
        "MACHINERY",
    ];
    let policy = policy(
        vec![
            ("c_custkey", Preset::Entity.uses(), None),
            ("c_nationkey", dimension, numbers(0..25)),
            ("c_acctbal", measure, bounds(-1_000, 10_000)),
            ("c_mktsegment", dimension, words(&segments)),
        ],
        Some(("c_custkey", "customer")),
    );
    let made = CustomerArrow::new(CustomerGenerator::new(scale, 1, 1));
    Table::new("customer", policy, made.map(Result::unwrap).collect())
}

fn orders(scale: f64) -> Table {
    let (dimension, measure) = (Preset::Dimension.uses(), Preset::Measure.uses());
    let priorities = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
    let policy = policy(
        vec![
            ("o_custkey", Preset::Entity.uses(), None),
            ("o_orderstatus", dimension, words(&["F", "O", "P"])),
            ("o_totalprice", measure, bounds(0, 1_000_000)),
            ("o_orderdate", dimension, quarters()),
            ("o_orderpriority", dimension, words(&priorities)),
        ],
        Some(("o_custkey", "customer")),
    );
    let made = OrderArrow::new(OrderGenerator::new(scale, 1, 1));
    Table::new("orders", policy, made.map(Result::unwrap).collect())
}

fn nation(scale: f64) -> Table {
    let public = Preset::Public.uses();
    let made = NationArrow::new(NationGenerator::new(scale, 1, 1));
    let nations: Vec<RecordBatch> = made.map(Result::unwrap).collect();
    let policy = policy(
        vec![
            ("n_nationkey", public, None),
            ("n_name", public, values(&nations, "n_name")),
            ("n_regionkey", public, numbers(0..5)),
        ],
        None,
    );
    Table::new("nation", policy, nations)
}

/// TPC-H: who orders is the entity.
pub(crate) fn tpch() -> Vec<Table> {
    const SCALE: f64 = 0.01;
    vec![customer(SCALE), orders(SCALE), nation(SCALE)]
}

async fn parquet(directory: &Path, name: &str) -> Vec<RecordBatch> {
    let path = directory.join(format!("{name}.parquet"));
    // In the file's order: several readers would give their rows as they come, and its first fifth would be another one
    // each time.
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config);
    let path = path.to_str().unwrap();
    let read = context.read_parquet(path, ParquetReadOptions::default());
    let batches = read.await.unwrap().collect().await.unwrap();
    let schema = batches[0].schema();
    // A fifth of the flights keeps an unoptimised build quick.
    let whole = concat_batches(&schema, &batches).unwrap();
    let rows = if name == "flights" {
        whole.num_rows() / 5
    } else {
        whole.num_rows()
    };
    vec![whole.slice(0, rows)]
}

fn airlines() -> Table {
    let public = Preset::Public.uses();
    let airlines = [
        ("B6", "JetBlue Airways"),
        ("DL", "Delta Air Lines"),
        ("UA", "United Air Lines"),
        ("VX", "Virgin America"),
    ];
    let schema = Arc::new(Schema::new(vec![
        Field::new("carrier", DataType::Utf8, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    let column = |of: fn(&(&'static str, &'static str)) -> &'static str| {
        Arc::new(StringArray::from_iter_values(airlines.iter().map(of))) as ArrayRef
    };
    let batch = RecordBatch::try_new(schema, vec![column(|a| a.0), column(|a| a.1)]).unwrap();
    let names: Vec<&str> = airlines.iter().map(|airline| airline.1).collect();
    let policy = policy(
        vec![("carrier", public, None), ("name", public, words(&names))],
        None,
    );
    Table::new("airlines", policy, vec![batch])
}

/// The demo's register of flights, whose entity is the aircraft; `directory` has its files.
pub(crate) async fn flights(directory: &Path) -> Vec<Table> {
    let (dimension, measure) = (Preset::Dimension.uses(), Preset::Measure.uses());
    let entity = Preset::Entity.uses();
    let batches = parquet(directory, "flights").await;
    let own = policy(
        vec![
            ("tailnum", entity, None),
            ("carrier", dimension, values(&batches, "carrier")),
            ("month", dimension, numbers(1..13)),
            ("origin", dimension, words(&["EWR", "JFK", "LGA"])),
            ("hour", dimension, bins(0..=24)),
            ("arr_delay", measure, bounds(-1_000, 3_000)),
            ("dep_delay", measure, bounds(-1_000, 3_000)),
            ("distance", measure, bounds(0, 6_000)),
        ],
        Some(("tailnum", "aircraft")),
    );
    let flights = Table::new("flights", own, batches);
    let batches = parquet(directory, "planes").await;
    let planes = policy(
        vec![
            ("tailnum", entity, None),
            ("engine", dimension, values(&batches, "engine")),
            ("engines", dimension, numbers(1..5)),
            ("manufacturer", dimension, values(&batches, "manufacturer")),
            ("year", dimension, bins(1_900..=2_020)),
        ],
        Some(("tailnum", "aircraft")),
    );
    vec![flights, Table::new("planes", planes, batches), airlines()]
}
