//! Orders and customers of TPC-H, whose customer is the entity that must not be singled out.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use lingqu_guard::TableRules;
use lingqu_policy::{AuditTerms, Domain, Policy, Preset, Release, UseSet};
use tpchgen::generators::{CustomerGenerator, OrderGenerator};
use tpchgen_arrow::{CustomerArrow, OrderArrow};

/// What is asked.
pub(super) const SQL: &str = "SELECT c_mktsegment, o_orderpriority, count(*) AS orders, sum(o_totalprice) AS total \
     FROM orders JOIN customer ON o_custkey = c_custkey \
     GROUP BY c_mktsegment, o_orderpriority ORDER BY c_mktsegment, o_orderpriority";
/// The same, and how many customers each group has.
pub(super) const SQL_DISTINCT: &str = "SELECT c_mktsegment, o_orderpriority, count(*) AS orders, \
     sum(o_totalprice) AS total, count(distinct o_custkey) AS customers \
     FROM orders JOIN customer ON o_custkey = c_custkey \
     GROUP BY c_mktsegment, o_orderpriority ORDER BY c_mktsegment, o_orderpriority";

const FITS: &str = "the policy is written for this register";

type Tables = HashMap<String, Arc<dyn TableProvider>>;

/// Both tables, what the guard is told of them, and how many orders there are.
pub(super) fn tables(scale: f64) -> Result<(Tables, Vec<TableRules>, usize), DataFusionError> {
    let customers: Result<Vec<RecordBatch>, ArrowError> =
        CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)).collect();
    let orders: Result<Vec<RecordBatch>, ArrowError> =
        OrderArrow::new(OrderGenerator::new(scale, 1, 1)).collect();
    let (customers, orders) = (customers?, orders?);
    let count = orders.iter().map(RecordBatch::num_rows).sum();
    let segments = [
        "AUTOMOBILE",
        "BUILDING",
        "FURNITURE",
        "HOUSEHOLD",
        "MACHINERY",
    ];
    let priorities = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
    let dimension = Preset::Dimension.uses();
    let customer = policy("c_custkey", [("c_mktsegment", dimension, texts(&segments))]);
    let bounds = Domain::bounds(0, 1_000_000).expect(FITS);
    let order = policy(
        "o_custkey",
        [
            ("o_orderpriority", dimension, texts(&priorities)),
            ("o_totalprice", Preset::Measure.uses(), bounds),
        ],
    );
    let mut tables = Tables::new();
    let mut rules = Vec::new();
    for (name, policy, batches) in [("customer", customer, customers), ("orders", order, orders)] {
        let schema = batches.first().map(RecordBatch::schema);
        let schema = schema.unwrap_or_else(|| Arc::new(arrow_schema::Schema::empty()));
        let table = MemTable::try_new(Arc::clone(&schema), vec![batches])?;
        tables.insert(name.to_owned(), Arc::new(table));
        rules.push(TableRules {
            name: name.to_owned(),
            schema,
            policy: Arc::new(policy),
        });
    }
    Ok((tables, rules, count))
}

fn texts(values: &[&str]) -> Domain {
    Domain::texts(values.iter().map(|value| (*value).to_owned()).collect()).expect(FITS)
}

fn policy<const N: usize>(entity: &str, columns: [(&str, UseSet, Domain); N]) -> Policy {
    let own = [(entity.to_owned(), Preset::Entity.uses())];
    let uses = columns
        .iter()
        .map(|(name, uses, _)| ((*name).to_owned(), *uses));
    let audit = AuditTerms::Mirrored { wait_ms_max: 5_000 };
    let policy = Policy::new(
        own.into_iter().chain(uses),
        ["BENCH".to_owned()],
        audit,
        600,
    );
    let policy = policy.and_then(|policy| policy.with_space(entity, "customer"));
    let policy = columns
        .into_iter()
        .fold(policy, |policy, (name, _, domain)| {
            policy.and_then(|policy| policy.with_domain(name, domain))
        });
    let release = Release::new(10, Release::DOMINANCE_PERCENT_USUAL, 1, 1_000).expect(FITS);
    policy.expect(FITS).with_release(release)
}
