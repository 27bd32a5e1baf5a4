//! A register of flights, what a policy opens on it, and what must hold of every statement about it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use arrow_schema::{DataType, Field, Schema};
use lingqu_guard::{GuardLimits, TableRules, Template, TemplateSource};
use lingqu_policy::{AuditTerms, Domain, Policy, Preset, Release, Use, UseSet};

const COLUMNS: [(&str, DataType); 8] = [
    ("tailnum", DataType::Utf8),
    ("carrier", DataType::Utf8),
    ("month", DataType::Int64),
    ("origin", DataType::Utf8),
    ("flown", DataType::Date32),
    ("distance", DataType::Int64),
    ("delay", DataType::Float64),
    ("pilot", DataType::Utf8),
];

/// What the bits open: two of each column, for grouping and selecting, or for aggregates.
fn uses(bits: u64) -> Vec<(String, UseSet)> {
    let columns = COLUMNS.iter().enumerate();
    columns
        .map(|(at, (name, _))| {
            let open = |bit: usize| bits >> (2 * at + bit) & 1 == 1;
            let mut uses: Vec<Use> = Vec::new();
            match *name {
                "tailnum" => uses.extend([Use::Entity, Use::Link]),
                "pilot" => {}
                "distance" | "delay" if open(0) => uses.push(Use::Aggregate),
                "distance" | "delay" => {}
                _ => {
                    uses.extend(open(0).then_some(Use::Group));
                    uses.extend(open(1).then_some(Use::Filter));
                }
            }
            ((*name).to_owned(), uses.into_iter().collect())
        })
        .collect()
}

fn texts(values: &[&str]) -> Domain {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Domain::texts(values).expect("the values are in order")
}

fn policy(columns: Vec<(String, UseSet)>) -> Policy {
    let audit = AuditTerms::Mirrored { wait_ms_max: 1_000 };
    Policy::new(columns, [], audit, 600).expect("the policy is well formed")
}

fn flights(bits: u64) -> Policy {
    let days = ["2013-01-01", "2013-02-01", "2013-03-01"];
    let days = days.map(|day| day.parse().expect("the days are days"));
    policy(uses(bits))
        .with_domain("carrier", texts(&["AA", "DL", "UA"]))
        .and_then(|p| p.with_domain("month", Domain::integers((1..=12).collect()).expect("months")))
        .and_then(|p| p.with_domain("origin", texts(&["EWR", "JFK", "LGA"])))
        .and_then(|p| p.with_domain("flown", Domain::date_bins(days.into()).expect("edges")))
        .and_then(|p| p.with_domain("distance", Domain::bounds(0, 5_000).expect("bounds")))
        .and_then(|p| p.with_domain("delay", Domain::bounds(-60, 600).expect("bounds")))
        .expect("the columns are in the policy")
        .with_release(Release::new(10, 50, 5, 1_000).expect("the terms are allowed"))
}

fn airports() -> &'static TableRules {
    static AIRPORTS: OnceLock<TableRules> = OnceLock::new();
    AIRPORTS.get_or_init(|| {
        let public = Preset::Public.uses();
        let columns = ["faa", "state"].map(|name| (name.to_owned(), public));
        let fields = ["faa", "state"].map(|name| Field::new(name, DataType::Utf8, true));
        let policy = policy(columns.to_vec()).with_domain("state", texts(&["NJ", "NY"]));
        TableRules {
            name: "airports".to_owned(),
            schema: Arc::new(Schema::new(fields.to_vec())),
            policy: Arc::new(policy.expect("the column is in the policy")),
        }
    })
}

/// Registration waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("registration waits"),
    }
}

/// Registers the statement under the policy of these bits.
pub(crate) fn judge(sql: &str, bits: u64) {
    let fields = COLUMNS.map(|(name, of)| Field::new(name, of, true));
    let own = TableRules {
        name: "flights".to_owned(),
        schema: Arc::new(Schema::new(fields.to_vec())),
        policy: Arc::new(flights(bits)),
    };
    let rules = [own, airports().clone()];
    let source = TemplateSource {
        sql: sql.to_owned(),
        parameters: Vec::new(),
    };
    match now(Template::register(&source, &rules, &GuardLimits::default())) {
        Err(refused) => {
            // Names a column, a parameter, a clause: never a piece of text.
            let subject = refused.subject().unwrap_or_default();
            assert!(subject.len() <= 64 && !subject.contains(['\'', '\n']), "{subject}");
            assert!(!refused.en().is_empty() && !refused.zh().is_empty());
        }
        Ok(template) => accepted(&template, bits),
    }
}

fn accepted(template: &Template, bits: u64) {
    let open = uses(bits);
    let protected: Vec<_> = template.tables().iter().filter(|table| table.protected).collect();
    assert_eq!(protected.len(), 1);
    assert_eq!(protected[0].name, "flights");
    assert!(protected[0].columns.contains(&"tailnum".to_owned()));
    for column in &protected[0].columns {
        let (_, uses) = open.iter().find(|(name, _)| name == column).expect("a column of the table");
        assert_ne!(*uses, UseSet::default(), "{column} is not open");
    }
    let sentences = template.explain().sentences;
    assert!(sentences.iter().all(|told| !told.en.is_empty() && !told.zh.is_empty()));
    assert!(!template.output_schema().fields().is_empty());
    assert!(template.bind(&[]).is_ok());
}
