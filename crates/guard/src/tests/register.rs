//! The register of flights, its policy, public airports, and short ways to register, bind and run.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use lingqu_policy::{AuditTerms, Day, Domain, Policy, Preset, Release, Use, UseSet};

use crate::{
    Allowed, Engine, GuardLimits, Parameter, ParameterKind, RunFailed, TableRules, Template,
    TemplateRefused, TemplateSource, Value,
};

/// A value that stands in protected columns and must never be seen anywhere.
pub(crate) const CANARY: &str = "N-CANARY-77";

/// One flight.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) tail: Option<String>,
    pub(crate) carrier: &'static str,
    pub(crate) month: i64,
    pub(crate) origin: &'static str,
    pub(crate) day: Day,
    pub(crate) distance: Option<i64>,
    pub(crate) delay: Option<f64>,
}

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A flight of aircraft number `tail` with everything else usual.
pub(crate) fn flight(tail: usize) -> Flight {
    Flight {
        tail: Some(format!("N{tail}")),
        carrier: "UA",
        month: 1,
        origin: "EWR",
        day: day("2013-01-15"),
        distance: Some(100),
        delay: Some(1.5),
    }
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("tailnum", DataType::Utf8, true),
        Field::new("carrier", DataType::Utf8, true),
        Field::new("month", DataType::Int64, true),
        Field::new("origin", DataType::Utf8, true),
        Field::new("flown", DataType::Date32, true),
        Field::new("distance", DataType::Int64, true),
        Field::new("delay", DataType::Float64, true),
        Field::new("pilot", DataType::Utf8, true),
    ]))
}

pub(crate) fn batch(flights: &[Flight]) -> RecordBatch {
    fn column<T>(flights: &[Flight], of: impl Fn(&Flight) -> T) -> Vec<T> {
        flights.iter().map(of).collect()
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(column(flights, |f| f.tail.clone()))),
        Arc::new(StringArray::from(column(flights, |f| f.carrier))),
        Arc::new(Int64Array::from(column(flights, |f| f.month))),
        Arc::new(StringArray::from(column(flights, |f| f.origin))),
        Arc::new(Date32Array::from(column(flights, |f| f.day.days()))),
        Arc::new(Int64Array::from(column(flights, |f| f.distance))),
        Arc::new(Float64Array::from(column(flights, |f| f.delay))),
        Arc::new(StringArray::from(column(flights, |_| CANARY))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

pub(crate) fn table(batch: RecordBatch) -> Arc<MemTable> {
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn policy(columns: &[(&str, UseSet)]) -> Policy {
    let audit = AuditTerms::Mirrored { wait_ms_max: 1_000 };
    let columns = columns
        .iter()
        .map(|(name, uses)| ((*name).to_owned(), *uses));
    Policy::new(columns, ["AUDIT".to_owned()], audit, 600).unwrap()
}

pub(crate) fn texts(values: &[&str]) -> Domain {
    Domain::texts(values.iter().map(|value| (*value).to_owned()).collect()).unwrap()
}

pub(crate) fn months() -> Domain {
    Domain::date_bins(
        ["2013-01-01", "2013-02-01", "2013-03-01", "2013-04-01"]
            .map(day)
            .into(),
    )
    .unwrap()
}

/// The flights' policy without release terms.
pub(crate) fn flights_policy() -> Policy {
    flights_policy_within(0, 5_000)
}

/// The same with these bounds of distances.
pub(crate) fn flights_policy_within(min: i64, max: i64) -> Policy {
    flights_policy_with(min, max, Domain::integers((1..=12).collect()).unwrap())
}

/// The flights' policy with these months, without release terms.
pub(crate) fn flights_policy_of(months: Domain) -> Policy {
    flights_policy_with(0, 5_000, months)
}

fn flights_policy_with(min: i64, max: i64, months: Domain) -> Policy {
    let both: UseSet = [Use::Group, Use::Filter].into_iter().collect();
    policy(&[
        ("tailnum", Preset::Entity.uses()),
        ("carrier", both),
        ("month", both),
        ("origin", both),
        ("flown", both),
        ("distance", Preset::Measure.uses()),
        ("delay", Preset::Measure.uses()),
        ("pilot", Preset::Forbidden.uses()),
    ])
    .with_domain("carrier", texts(&["AA", "DL", "UA"]))
    .and_then(|p| p.with_domain("month", months))
    .and_then(|p| p.with_domain("origin", texts(&["EWR", "JFK", "LGA"])))
    .and_then(|p| p.with_domain("flown", self::months()))
    .and_then(|p| p.with_domain("distance", Domain::bounds(min, max).unwrap()))
    .and_then(|p| p.with_domain("delay", Domain::bounds(-60, 600).unwrap()))
    .unwrap()
}

pub(crate) fn airports_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("faa", DataType::Utf8, true),
        Field::new("state", DataType::Utf8, true),
        Field::new("altitude", DataType::Int64, true),
    ]))
}

pub(crate) fn airports(rows: &[(&str, &str)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            rows.iter()
                .map(|(faa, _)| Some(*faa))
                .collect::<StringArray>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(_, state)| Some(*state))
                .collect::<StringArray>(),
        ),
        Arc::new(rows.iter().map(|_| Some(7)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(airports_schema(), columns).unwrap()
}

pub(crate) const AIRPORTS: [(&str, &str); 3] = [("EWR", "NJ"), ("JFK", "NY"), ("LGA", "NY")];

fn airports_policy() -> Policy {
    let public = Preset::Public.uses();
    policy(&[("faa", public), ("state", public), ("altitude", public)])
        .with_domain("state", texts(&["NJ", "NY"]))
        .unwrap()
}

/// Release terms with the usual dominance and no rounding.
pub(crate) fn terms(group_min: u32) -> Release {
    Release::new(group_min, Release::DOMINANCE_PERCENT_USUAL, 1, 1_000).unwrap()
}

pub(crate) fn rules_under(flights: Policy) -> Vec<TableRules> {
    vec![
        TableRules {
            name: "flights".to_owned(),
            schema: schema(),
            policy: Arc::new(flights),
        },
        TableRules {
            name: "airports".to_owned(),
            schema: airports_schema(),
            policy: Arc::new(airports_policy()),
        },
    ]
}

pub(crate) fn rules() -> Vec<TableRules> {
    rules_under(flights_policy().with_release(terms(10)))
}

pub(crate) fn limits() -> GuardLimits {
    GuardLimits::default()
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn register_with(
    sql: &str,
    parameters: Vec<Parameter>,
    rules: &[TableRules],
) -> Result<Template, TemplateRefused> {
    let source = TemplateSource {
        sql: sql.to_owned(),
        parameters,
    };
    block_on(Template::register(&source, rules, &limits()))
}

pub(crate) fn register(sql: &str) -> Result<Template, TemplateRefused> {
    register_with(sql, Vec::new(), &rules())
}

/// An engine with these flights and the usual airports.
pub(crate) fn engine(flights: &[Flight]) -> Engine {
    let engine = Engine::new(limits()).unwrap();
    engine.put_table("flights", table(batch(flights)));
    engine.put_table("airports", table(airports(&AIRPORTS)));
    engine
}

pub(crate) fn run_template(
    template: &Template,
    engine: &Engine,
    args: &[(&str, Value)],
) -> Result<RecordBatch, RunFailed> {
    let args: Vec<(String, Value)> = args
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    block_on(engine.run(template.bind(&args).unwrap()))
}

/// Registers and runs a statement without parameters.
pub(crate) fn ask(sql: &str, flights: &[Flight]) -> RecordBatch {
    run_template(&register(sql).unwrap(), &engine(flights), &[]).unwrap()
}

/// The same statement in bare DataFusion.
pub(crate) fn oracle(sql: &str, flights: &[Flight]) -> Vec<RecordBatch> {
    block_on(async {
        let context = SessionContext::new();
        context
            .register_table("flights", table(batch(flights)))
            .unwrap();
        context
            .register_table("airports", table(airports(&AIRPORTS)))
            .unwrap();
        context.sql(sql).await.unwrap().collect().await.unwrap()
    })
}

/// A batch as rows of texts, floats to six digits.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                if let Some(floats) = column.as_any().downcast_ref::<Float64Array>()
                    && !arrow_array::Array::is_null(floats, row)
                {
                    return format!("{:.6}", floats.value(row));
                }
                let options = FormatOptions::default().with_null("NULL");
                let formatter = ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
                formatter.value(row).to_string()
            };
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    rows
}

pub(crate) fn parameter(name: &str, kind: ParameterKind, allowed: Allowed) -> Parameter {
    Parameter {
        name: name.to_owned(),
        kind,
        allowed,
    }
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
