//! An honest analyst is served: questions over the demo's flights and TPC-H, against the bare engine.
//!
//! The bare engine says per group how many entities it has and what each of them contributes; from that it follows which
//! groups and figures may be shown, and exactly those are, equal within the declared rounding.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{Array, Float64Array, RecordBatch};
use arrow_schema::DataType;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use lingqu_policy::{AuditTerms, Domain, DomainKind, Policy, Preset, Release, UseSet};
use tpchgen::generators::{CustomerGenerator, NationGenerator, OrderGenerator};
use tpchgen_arrow::{CustomerArrow, NationArrow, OrderArrow};

use super::register::{block_on, limits, register_with, rows, texts};
use crate::{Engine, StatisticProduct, TableRules};

const QUESTIONS: &str = include_str!("../../tests/honest.txt");
const LEAST: usize = 10;
const ROUND_TO: u32 = 5;
const SHARE: i128 = 50;

/// One register: its tables, with what the guard is told of them.
struct Tables {
    rules: Vec<TableRules>,
    tables: HashMap<String, Arc<dyn TableProvider>>,
    bare: SessionContext,
}

type Column = (&'static str, UseSet, Option<Domain>);

fn policy(columns: Vec<Column>, entity: Option<(&str, &str)>) -> Policy {
    let uses: Vec<_> = columns
        .iter()
        .map(|(name, uses, _)| ((*name).to_owned(), *uses))
        .collect();
    let audit = AuditTerms::Mirrored { wait_ms_max: 1_000 };
    let mut policy = Policy::new(uses, ["AUDIT".to_owned()], audit, 600).unwrap();
    for (name, _, domain) in columns {
        if let Some(domain) = domain {
            policy = policy.with_domain(name, domain).unwrap();
        }
    }
    let Some((column, space)) = entity else {
        return policy;
    };
    let terms = Release::new(10, 50, ROUND_TO, 5_000).unwrap();
    let terms = terms.with_withheld_percent_max(50).unwrap();
    policy
        .with_space(column, space)
        .unwrap()
        .with_release(terms)
}

fn numbers(range: std::ops::Range<i64>) -> Option<Domain> {
    Some(Domain::integers(range.collect()).unwrap())
}

fn bins(range: std::ops::RangeInclusive<i64>) -> Option<Domain> {
    Some(Domain::integer_bins(range.collect()).unwrap())
}

fn bounds(min: i64, max: i64) -> Option<Domain> {
    Some(Domain::bounds(min, max).unwrap())
}

fn words(values: &[&str]) -> Option<Domain> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    Some(texts(&values))
}

impl Tables {
    fn new() -> Tables {
        Tables {
            rules: Vec::new(),
            tables: HashMap::new(),
            bare: SessionContext::new(),
        }
    }

    fn add(&mut self, name: &str, policy: Policy, batches: Vec<RecordBatch>) {
        let schema = batches[0].schema();
        let table = Arc::new(MemTable::try_new(Arc::clone(&schema), vec![batches]).unwrap());
        self.bare
            .register_table(name, Arc::<MemTable>::clone(&table))
            .unwrap();
        self.tables.insert(name.to_owned(), table);
        self.rules.push(TableRules {
            name: name.to_owned(),
            schema,
            policy: Arc::new(policy),
        });
    }
}

fn tpch() -> Tables {
    const SCALE: f64 = 0.01;
    let whole = |batches: Vec<RecordBatch>| batches;
    let (dimension, measure) = (Preset::Dimension.uses(), Preset::Measure.uses());
    let (entity, public) = (Preset::Entity.uses(), Preset::Public.uses());
    let mut tables = Tables::new();
    let segments = [
        "AUTOMOBILE",
        "BUILDING",
        "FURNITURE",
        "HOUSEHOLD",
        "MACHINERY",
    ];
    let customer = policy(
        vec![
            ("c_custkey", entity, None),
            ("c_nationkey", dimension, numbers(0..25)),
            ("c_acctbal", measure, bounds(-1_000, 10_000)),
            ("c_mktsegment", dimension, words(&segments)),
        ],
        Some(("c_custkey", "customer")),
    );
    let made = CustomerArrow::new(CustomerGenerator::new(SCALE, 1, 1));
    tables.add(
        "customer",
        customer,
        whole(made.map(Result::unwrap).collect()),
    );
    let priorities = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
    let starts = (1992..1999).flat_map(|year| ["01", "04", "07", "10"].map(|month| (year, month)));
    let starts = starts.chain([(1999, "01")]);
    let quarters = starts.map(|(year, month)| format!("{year}-{month}-01").parse().unwrap());
    let dates = Domain::date_bins(quarters.collect()).unwrap();
    let orders = policy(
        vec![
            ("o_custkey", entity, None),
            ("o_orderstatus", dimension, words(&["F", "O", "P"])),
            ("o_totalprice", measure, bounds(0, 1_000_000)),
            ("o_orderdate", dimension, Some(dates)),
            ("o_orderpriority", dimension, words(&priorities)),
        ],
        Some(("o_custkey", "customer")),
    );
    let made = OrderArrow::new(OrderGenerator::new(SCALE, 1, 1));
    tables.add("orders", orders, made.map(Result::unwrap).collect());
    let made = NationArrow::new(NationGenerator::new(SCALE, 1, 1));
    let nations: Vec<RecordBatch> = made.map(Result::unwrap).collect();
    let names = rows(&nations)
        .into_iter()
        .map(|row| row[1].clone())
        .collect::<Vec<_>>();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let nation = policy(
        vec![
            ("n_nationkey", public, None),
            ("n_name", public, words(&names)),
            ("n_regionkey", public, numbers(0..5)),
        ],
        None,
    );
    tables.add("nation", nation, nations);
    tables
}

/// The distinct texts of a column.
fn values(batches: &[RecordBatch], column: &str) -> Option<Domain> {
    let mut found = Vec::new();
    for batch in batches {
        let one = batch
            .project(&[batch.schema().index_of(column).unwrap()])
            .unwrap();
        found.extend(rows(&[one]).into_iter().map(|row| row[0].clone()));
    }
    let found: Vec<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|text| *text != "NULL")
        .collect();
    words(&found)
}

fn parquet(name: &str) -> Vec<RecordBatch> {
    let path = format!("{}/../demo/data/{name}.parquet", env!("CARGO_MANIFEST_DIR"));
    block_on(async {
        let context = SessionContext::new();
        let read = context
            .read_parquet(path, ParquetReadOptions::default())
            .await
            .unwrap();
        let batches = read.collect().await.unwrap();
        let schema = batches[0].schema();
        // A fifth of the flights keeps an unoptimised build quick.
        let whole = concat_batches(&schema, &batches).unwrap();
        let rows = if name == "flights" {
            whole.num_rows() / 5
        } else {
            whole.num_rows()
        };
        vec![whole.slice(0, rows)]
    })
}

fn flights() -> Tables {
    let (dimension, measure) = (Preset::Dimension.uses(), Preset::Measure.uses());
    let (entity, public) = (Preset::Entity.uses(), Preset::Public.uses());
    let mut tables = Tables::new();
    let batches = parquet("flights");
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
    tables.add("flights", own, batches);
    let batches = parquet("planes");
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
    tables.add("planes", planes, batches);
    let airlines = [
        ("B6", "JetBlue Airways"),
        ("DL", "Delta Air Lines"),
        ("UA", "United Air Lines"),
        ("VX", "Virgin America"),
    ];
    let schema = Arc::new(arrow_schema::Schema::new(vec![
        arrow_schema::Field::new("carrier", DataType::Utf8, true),
        arrow_schema::Field::new("name", DataType::Utf8, true),
    ]));
    let column = |of: fn(&(&'static str, &'static str)) -> &'static str| {
        Arc::new(arrow_array::StringArray::from_iter_values(
            airlines.iter().map(of),
        )) as arrow_array::ArrayRef
    };
    let batch = RecordBatch::try_new(schema, vec![column(|a| a.0), column(|a| a.1)]).unwrap();
    let names: Vec<&str> = airlines.iter().map(|airline| airline.1).collect();
    let policy = policy(
        vec![("carrier", public, None), ("name", public, words(&names))],
        None,
    );
    tables.add("airlines", policy, vec![batch]);
    tables
}

fn floats(batch: &RecordBatch, column: usize) -> Vec<Option<f64>> {
    let column = cast(batch.column(column), &DataType::Float64).unwrap();
    let floats = column.as_any().downcast_ref::<Float64Array>().unwrap();
    floats.iter().collect()
}

/// One figure of the question: its text.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Average,
    Count,
    Entities,
    Sum,
}

/// A question taken apart, as far as the oracle needs it.
struct Question<'a> {
    sql: &'a str,
    keys: Vec<&'a str>,
    figures: Vec<(Asked, &'a str)>,
    /// From FROM to before GROUP BY.
    body: &'a str,
    limit: Option<usize>,
}

impl<'a> Question<'a> {
    fn read(sql: &'a str) -> Question<'a> {
        let (select, rest) = sql
            .strip_prefix("SELECT ")
            .unwrap()
            .split_once(" FROM ")
            .unwrap();
        let body = rest.split(" GROUP BY ").next().unwrap();
        let limit = sql
            .rsplit_once(" LIMIT ")
            .map(|(_, limit)| limit.parse().unwrap());
        let (mut keys, mut figures) = (Vec::new(), Vec::new());
        for output in select.split(", ") {
            let expression = output.split(" AS ").next().unwrap();
            match expression {
                distinct if distinct.starts_with("count(distinct") => {
                    figures.push((Asked::Entities, expression));
                }
                count if count.starts_with("count(") => figures.push((Asked::Count, expression)),
                sum if sum.starts_with("sum(") => figures.push((Asked::Sum, expression)),
                average if average.starts_with("avg(") => {
                    figures.push((Asked::Average, expression));
                }
                key => keys.push(key),
            }
        }
        Question {
            sql,
            keys,
            figures,
            body,
            limit,
        }
    }

    /// What each entity contributes to each group: keys, entity, and two numbers per figure, a sum and a count.
    fn oracle_sql(&self, entity: &str) -> String {
        let mut outputs: Vec<String> = self.keys.iter().map(|key| (*key).to_owned()).collect();
        for (asked, expression) in &self.figures {
            match asked {
                Asked::Average => {
                    outputs.push(expression.replace("avg(", "sum("));
                    outputs.push(expression.replace("avg(", "count("));
                }
                Asked::Count => {
                    outputs.push((*expression).to_owned());
                    outputs.push("count(*)".to_owned());
                }
                Asked::Sum => {
                    outputs.push((*expression).to_owned());
                    outputs.push(expression.replace("sum(", "count("));
                }
                Asked::Entities => outputs.extend(["count(*)".to_owned(), "count(*)".to_owned()]),
            }
        }
        let outputs: Vec<String> = outputs
            .iter()
            .enumerate()
            .map(|(at, output)| format!("{output} AS o{at}"))
            .collect();
        let mut groups: Vec<&str> = self.keys.clone();
        groups.push(entity);
        let joined = if self.body.contains(" WHERE ") {
            "AND"
        } else {
            "WHERE"
        };
        format!(
            "SELECT {} FROM {} {joined} {entity} IS NOT NULL GROUP BY {}",
            outputs.join(", "),
            self.body,
            groups.join(", ")
        )
    }
}

/// Whether enough contribute, none of them nearly all, none telling another.
fn may_show(parts: &[f64]) -> bool {
    let mut sizes: Vec<i128> = { parts.iter() }
        .map(|part| (part * 1e6).round().abs() as i128)
        .filter(|size| *size != 0)
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let total: i128 = sizes.iter().sum();
    sizes.len() >= LEAST
        && sizes[0] * 100 <= total * SHARE
        && (total - sizes[0] - sizes[1]) * 10 >= sizes[0]
}

/// The declared bounds of the column in a figure's parentheses.
fn bounds_of(expression: &str, rules: &[TableRules]) -> (f64, f64) {
    let column = expression.split(['(', ')']).nth(1).unwrap();
    let column = column.rsplit('.').next().unwrap();
    let mut domains = rules.iter().filter_map(|rules| rules.policy.domain(column));
    match domains.next().unwrap().kind() {
        DomainKind::Bounds { min, max } => (*min as f64, *max as f64),
        other => panic!("{expression}: {other:?}"),
    }
}

/// The same for a sum: also of how far each part is from the bounds of its values.
fn may_show_sum(sums: &[f64], counts: &[f64], (min, max): (f64, f64)) -> bool {
    let part = sums.iter().fold(0.0_f64, |most, sum| most.max(sum.abs()));
    let hides = |bound: f64| {
        let mut away: Vec<f64> = { sums.iter().zip(counts) }
            .map(|(sum, count)| (sum - count * bound).abs())
            .collect();
        away.sort_unstable_by(|a, b| b.total_cmp(a));
        let total: f64 = away.iter().sum();
        away[0] * 100.0 <= total * SHARE as f64
            && (total - away[0] - away[1]) * 10.0 >= away[0].max(part)
    };
    may_show(sums) && hides(min) && hides(max)
}

/// Per group, per figure the parts of its entities.
type Parts = BTreeMap<Vec<String>, Vec<Vec<(f64, f64)>>>;

fn oracle(tables: &Tables, question: &Question<'_>, entity: &str) -> Parts {
    let sql = question.oracle_sql(entity);
    let batches = block_on(async {
        tables
            .bare
            .sql(&sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .collect()
            .await
            .unwrap()
    });
    let keys = question.keys.len();
    let mut parts = Parts::new();
    for batch in &batches {
        let shown = rows(std::slice::from_ref(batch));
        let columns: Vec<_> = (keys..batch.num_columns())
            .map(|column| floats(batch, column))
            .collect();
        for (row, texts) in shown.iter().enumerate() {
            // The engine's `date_trunc` shows the time of a day too.
            let day = |text: &String| text.strip_suffix("T00:00:00").unwrap_or(text).to_owned();
            let group = parts
                .entry(texts[..keys].iter().map(day).collect())
                .or_default();
            group.resize(question.figures.len(), Vec::new());
            for (figure, pair) in columns.chunks(2).enumerate() {
                let number = |column: &Vec<Option<f64>>| column[row].unwrap_or(0.0);
                group[figure].push((number(&pair[0]), number(&pair[1])));
            }
        }
    }
    parts
}

fn check_figure(
    asked: Asked,
    parts: &[(f64, f64)],
    bounds: impl Fn() -> (f64, f64),
    shown: Option<f64>,
    told: &str,
) {
    let rounding = f64::from(ROUND_TO) / 2.0;
    let (sums, counts): (Vec<f64>, Vec<f64>) = parts.iter().copied().unzip();
    let (total, count): (f64, f64) = (sums.iter().sum(), counts.iter().sum());
    let allowed = match asked {
        Asked::Entities => true,
        Asked::Average => may_show_sum(&sums, &counts, bounds()) && may_show(&counts),
        Asked::Count => may_show(&sums),
        Asked::Sum => may_show_sum(&sums, &counts, bounds()),
    };
    let Some(shown) = shown else {
        assert!(!allowed, "{told}: kept back though it may be shown");
        return;
    };
    assert!(allowed, "{told}: shown though it may not be");
    let (wanted, tolerance) = match asked {
        Asked::Entities => (parts.len() as f64, rounding),
        Asked::Count => (total, rounding),
        Asked::Sum => (total, 1e-6 * total.abs().max(1.0)),
        Asked::Average => {
            let mean = total / count;
            (mean, mean.abs() * rounding / (count - rounding) + 1e-6)
        }
    };
    assert!(
        (shown - wanted).abs() <= tolerance,
        "{told}: {shown}, not {wanted}"
    );
}

fn check(tables: &Tables, engine: &Engine, sql: &str) -> (usize, usize) {
    let question = Question::read(sql);
    let template = register_with(sql, Vec::new(), &tables.rules)
        .unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    let product = StatisticProduct {
        name: "question".to_owned(),
        template: template.clone(),
    };
    let answer = block_on(async {
        let built = engine
            .partition(vec![product], tables.tables.clone(), None)
            .await;
        let partition = Arc::new(built.unwrap());
        assert!(
            partition.is_open(&template),
            "{sql}: {:?}",
            partition.report()
        );
        let bound = template.bind(&[]).unwrap();
        engine
            .answer(engine.enter().unwrap(), partition, bound)
            .await
            .unwrap()
    });
    let entity = match question.body {
        body if body.starts_with("customer") => "c_custkey",
        body if body.starts_with("orders") => "o_custkey",
        _ => "flights.tailnum",
    };
    let parts = oracle(tables, &question, entity);
    let enough = parts
        .values()
        .filter(|group| group[0].len() >= LEAST)
        .count();
    let wanted = question.limit.unwrap_or(usize::MAX).min(enough);
    assert_eq!(answer.num_rows(), wanted, "{}", question.sql);
    let texts = rows(std::slice::from_ref(&answer));
    let keys = question.keys.len();
    for (row, text) in texts.iter().enumerate() {
        let group = { parts.get(&text[..keys]) }.unwrap_or_else(|| panic!("{sql}: {text:?}"));
        assert!(group[0].len() >= LEAST, "{sql}: {text:?}");
        for (figure, (asked, expression)) in question.figures.iter().enumerate() {
            let shown = floats(&answer, keys + figure)[row];
            let bounds = || bounds_of(expression, &tables.rules);
            let told = format!("{sql}: {text:?}");
            check_figure(*asked, &group[figure], bounds, shown, &told);
        }
    }
    (enough, parts.len() - enough)
}

#[test]
fn every_honest_question_is_answered() {
    let engine = Engine::new(limits()).unwrap();
    let registers = [("tpch", tpch()), ("flights", flights())];
    let (mut asked, mut shown, mut hidden) = (0, 0, 0);
    for line in QUESTIONS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (register, sql) = line.split_once(" | ").unwrap();
        let (_, tables) = registers
            .iter()
            .find(|(name, _)| *name == register)
            .unwrap();
        let (enough, small) = check(tables, &engine, sql);
        asked += 1;
        shown += enough;
        hidden += small;
    }
    // The register has groups of both kinds, or nothing would have been shown about suppression.
    assert!(
        asked >= 40 && shown > 300 && hidden > 10,
        "{asked} {shown} {hidden}"
    );
}
