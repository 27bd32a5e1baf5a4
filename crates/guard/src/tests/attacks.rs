//! The attack catalogue: what an ungoverned engine answers and the guard refuses, each with its rule.
//!
//! Rows are `rule | engine | statement`; of those with ANSWERED in place of a rule the guard answers the same over two
//! registers that differ in the aircraft that is looked for. `tells` means that bare DataFusion answers the statement over two registers that
//! differ in one aircraft, and that the answers differ, so the refusal is the guard's and there was something to refuse;
//! `runs` that it answers both alike, `plans` that it at least plans the statement (it is not run, since it would leave the
//! process or answer nothing), `fails` that the engine does not know it either. `LINGQU_WRITE_DOCS=1` writes the column.

use datafusion::prelude::SessionContext;

use super::register::*;
use crate::{Allowed, ParameterKind, Rule, Value};

const CATALOGUE: &str = include_str!("attacks.txt");

struct Attack {
    code: &'static str,
    engine: &'static str,
    sql: &'static str,
}

impl Attack {
    fn is_answered(&self) -> bool {
        self.code == "ANSWERED"
    }
}

fn catalogue() -> Vec<Attack> {
    CATALOGUE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.splitn(3, " | ").map(str::trim);
            let mut next = || parts.next().expect("three parts");
            Attack {
                code: next(),
                engine: next(),
                sql: next(),
            }
        })
        .collect()
}

fn fleet() -> Vec<Flight> {
    (0..60)
        .map(|tail| Flight {
            tail: Some(if tail == 42 {
                CANARY.to_owned()
            } else {
                format!("N{tail}")
            }),
            distance: Some(if tail == 42 { 4_321 } else { 100 }),
            ..flight(tail)
        })
        .collect()
}

/// The same, but the one that is looked for flies alone, in a month of its own.
fn fleet_beside_one() -> Vec<Flight> {
    let alone = |flight: Flight| match flight.tail.as_deref() {
        Some(CANARY) => Flight {
            month: 7,
            day: day("2013-03-15"),
            ..flight
        },
        _ => flight,
    };
    fleet().into_iter().map(alone).collect()
}

fn without_it(flights: &[Flight]) -> Vec<Flight> {
    let others = flights.iter();
    others
        .filter(|flight| flight.tail.as_deref() != Some(CANARY))
        .cloned()
        .collect()
}

#[test]
fn what_is_answered_does_not_depend_on_the_one() {
    let with = fleet_beside_one();
    let engines = [engine(&with), engine(&without_it(&with))];
    let (mut asked, mut shown) = (0, 0);
    for Attack { sql, .. } in catalogue().iter().filter(|attack| attack.is_answered()) {
        let template = register(sql).unwrap_or_else(|refused| panic!("{sql}: {refused}"));
        let [one, other] = engines.each_ref().map(|engine| {
            let answer = run_template(&template, engine, &[]).unwrap();
            rows(&[answer])
        });
        assert_eq!(one, other, "{sql}");
        let told = format!("{one:?}");
        assert!(!told.contains(CANARY) && !told.contains("4321"), "{told}");
        asked += 1;
        shown += one.len();
    }
    assert!(asked >= 15 && shown > 5, "{asked} {shown}");
}

#[test]
fn every_attack_is_refused_by_its_rule() {
    let attacks = catalogue();
    assert!(attacks.len() >= 60, "{}", attacks.len());
    let mut wrong = Vec::new();
    for Attack { code, sql, .. } in &attacks {
        let found = match register(sql) {
            Ok(_) => "ANSWERED",
            Err(refused) => refused.code(),
        };
        if found != *code {
            wrong.push(format!("{found}, not {code}: {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the bare engine says over these flights.
fn bare(sql: &str, flights: &[Flight]) -> Result<Vec<Vec<String>>, &'static str> {
    block_on(async {
        let context = SessionContext::new();
        let (own, public) = (table(batch(flights)), table(airports(&AIRPORTS)));
        context.register_table("flights", own).unwrap();
        context.register_table("airports", public).unwrap();
        let Ok(plan) = context.state().create_logical_plan(sql).await else {
            return Err("fails");
        };
        // These would leave the process or change the session.
        let leaves = !matches!(
            sql.split([' ', '(']).next(),
            Some("SELECT" | "WITH" | "VALUES" | "")
        );
        if leaves {
            return Err("plans");
        }
        let Ok(frame) = context.execute_logical_plan(plan).await else {
            return Err("plans");
        };
        let mut shown = rows(&frame.collect().await.map_err(|_| "plans")?);
        shown.sort();
        Ok(shown)
    })
}

#[test]
fn the_engine_alone_would_have_told() {
    let registers = [fleet(), fleet_beside_one()].map(|with| {
        let without = without_it(&with);
        (with, without)
    });
    let mut wrong = Vec::new();
    let mut text = CATALOGUE.to_owned();
    let mut telling = 0;
    for attack in catalogue() {
        let (with, without) = &registers[usize::from(attack.is_answered())];
        let Attack { code, engine, sql } = attack;
        let outcome = match (bare(sql, with), bare(sql, without)) {
            (Ok(one), Ok(other)) if one != other => "tells",
            (Ok(_), Ok(_)) => "runs",
            (Err(outcome), _) | (_, Err(outcome)) => outcome,
        };
        telling += usize::from(outcome == "tells");
        if outcome != engine {
            wrong.push(format!("{outcome}, not {engine}: {sql}"));
            let row = |engine: &str| format!("{code} | {engine} | {sql}");
            text = text.replace(&row(engine), &row(outcome));
        }
    }
    if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/attacks.txt");
        std::fs::write(path, text).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(telling >= 60, "{telling}");
}

#[test]
fn a_refusal_repeats_no_literal() {
    let refused = catalogue().into_iter();
    for Attack { sql, .. } in refused.filter(|attack| !attack.is_answered()) {
        let refused = register(sql).unwrap_err();
        let texts = [
            refused.en(),
            refused.zh(),
            refused.to_string(),
            format!("{refused:?}"),
        ];
        for text in texts {
            for secret in [CANARY, "4321", "/etc/passwd"] {
                assert!(!text.contains(secret), "{sql}: {text}");
            }
        }
    }
}

#[test]
fn every_rule_of_the_statement_has_an_attack() {
    let attacked: Vec<&str> = catalogue().iter().map(|attack| attack.code).collect();
    // These are about the declaration, not about the statement; `policies.rs` has them.
    let elsewhere = [
        Rule::EntityRule,
        Rule::FunctionUse,
        Rule::GroupsMany,
        Rule::PlanUnexpected,
        // Of statistics with noise; `dp/tests/refused.rs` has them.
        Rule::PrivacyBudget,
        Rule::PrivacyForm,
        Rule::PrivacyTerms,
        Rule::ReleaseTerms,
        Rule::ResultLarge,
        Rule::SqlLong,
        Rule::TableRulesUnfit,
        Rule::TypeUnfit,
    ];
    for rule in Rule::ALL {
        assert!(
            elsewhere.contains(rule) || attacked.contains(&rule.code()),
            "{}",
            rule.code()
        );
    }
}

#[test]
fn a_parameter_cannot_leave_its_column() {
    let sql = "SELECT count(*) AS n FROM flights WHERE carrier = $c";
    let text_values = |values: &[&str]| Allowed::Values(values.iter().map(|v| text(v)).collect());
    let refused = |sql: &str, parameters| {
        register_with(sql, parameters, &rules())
            .map(|_| ())
            .unwrap_err()
            .code()
    };
    let one = |kind, allowed| vec![parameter("c", kind, allowed)];
    let text_kind = ParameterKind::Text;
    for parameters in [
        Vec::new(),
        one(text_kind, text_values(&[])),
        one(text_kind, text_values(&["UA", "UA"])),
        one(text_kind, text_values(&["UA", CANARY])),
        one(text_kind, Allowed::Edges(vec![text("UA")])),
        one(
            ParameterKind::Integer,
            Allowed::Values(vec![Value::Integer(1)]),
        ),
        one(ParameterKind::Date, text_values(&["2013-01-01"])),
        vec![
            parameter("c", text_kind, text_values(&["UA"])),
            parameter("c", text_kind, text_values(&["UA"])),
        ],
        vec![
            parameter("c", text_kind, text_values(&["UA"])),
            parameter("unused", text_kind, text_values(&["UA"])),
        ],
        vec![parameter("C", text_kind, text_values(&["UA"]))],
    ] {
        assert_eq!(
            refused(sql, parameters.clone()),
            "PARAMETER",
            "{parameters:?}"
        );
    }
    // The entity is not a parameter's column, whatever its values.
    let by_tail = "SELECT count(*) AS n FROM flights WHERE tailnum = $c";
    assert_eq!(
        refused(by_tail, one(text_kind, text_values(&["N1"]))),
        "FILTER_USE"
    );
    let between = "SELECT count(*) AS n FROM flights WHERE flown >= $c";
    let off_edge = Allowed::Edges(vec![text("2013-01-02")]);
    assert_eq!(
        refused(between, one(ParameterKind::Date, off_edge)),
        "PARAMETER"
    );
}

#[test]
fn deep_and_long_texts_are_refused() {
    let deep = format!(
        "SELECT count(*) FROM flights WHERE {}carrier = 'UA'{}",
        "(".repeat(5_000),
        ")".repeat(5_000)
    );
    assert_eq!(register(&deep).unwrap_err().code(), "SQL_LONG");
    let nested = format!(
        "SELECT count(*) FROM flights WHERE {}carrier = 'UA'{}",
        "(".repeat(200),
        ")".repeat(200)
    );
    assert_eq!(register(&nested).unwrap_err().code(), "NOT_ONE_SELECT");
    let long = format!(
        "SELECT count(*) FROM flights WHERE carrier = '{}'",
        "x".repeat(20_000)
    );
    assert_eq!(register(&long).unwrap_err().code(), "SQL_LONG");
}
