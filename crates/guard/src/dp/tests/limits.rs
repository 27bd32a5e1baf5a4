//! What one entity adds, which groups it counts in, and what is released where nobody is.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use lingqu_policy::MicroRho;

use super::super::answer::average;
use super::super::plan::Plan;
use super::{
    BY_CARRIER, engine, open, plan, policy, register, register_with, rules, terms, totals,
};
use crate::dp::{Clamp, DpTerms};
use crate::query::Measure;
use crate::tests::register::{Flight, block_on, flight, parameter, rules_under, text};
use crate::value::{Allowed, ParameterKind};

const CARRIERS: [&str; 3] = ["AA", "DL", "UA"];

/// One aircraft's flights, so many for each airline and month.
fn busy(tail: usize, months: i64, each: usize) -> Vec<Flight> {
    let mut flights = Vec::new();
    for carrier in CARRIERS {
        for month in 1..=months {
            for _ in 0..each {
                flights.push(Flight {
                    carrier,
                    month,
                    ..flight(tail)
                });
            }
        }
    }
    flights
}

/// With the numbers of the plan: no budget of noise, so the totals can be compared.
#[test]
fn one_entity_changes_what_the_plan_says_and_no_more() {
    let engine = engine();
    for (rows, groups) in [(1, 1), (2, 2), (5, 3), (1_000, 4)] {
        let terms = DpTerms {
            rows_per_entity_max: rows,
            groups_per_entity_max: groups,
            ..terms()
        };
        let sql = "SELECT carrier, month, count(distinct tailnum) AS a, count(*) AS f, \
            count(distance) AS p, sum(distance) AS s, avg(delay) AS l \
            FROM flights GROUP BY carrier, month";
        let template = register(sql, &terms);
        let without: Vec<Flight> = (0..30).map(flight).collect();
        let mut added = busy(999, 12, 40);
        for (at, one) in added.iter_mut().enumerate() {
            one.distance = Some([i64::MIN, i64::MAX, 3][at % 3]);
            one.delay = Some([f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0][at % 4]);
        }
        let mut with = without.clone();
        with.extend(added);
        let before = totals(&open(&engine, &template, &without), &[]);
        let after = totals(&open(&engine, &template, &with), &[]);
        let plan = plan(&template);
        check_neighbours(plan, &before, &after);
    }
}

/// At most so many groups differ, each number by its sensitivity at most, and ρ is what is charged.
fn check_neighbours(plan: &Plan, before: &[i128], after: &[i128]) {
    let width = plan.numbers.len();
    let (mut differ, mut loss) = (0, 0.0);
    for group in 0..plan.groups {
        let mut changed = false;
        for number in 0..width {
            let at = group * width + number;
            let difference = before[at].abs_diff(after[at]);
            assert!(difference <= plan.numbers[number].1.sensitivity());
            changed |= difference > 0;
            let (over, under) = plan.sigma(number);
            let sigma = over as f64 / under as f64;
            loss += (difference as f64 / sigma).powi(2) / 2.0;
        }
        differ += usize::from(changed);
    }
    assert!(differ > 0 && differ <= plan.groups_per_entity, "{differ}");
    assert!(loss <= 0.5, "{loss}");
}

#[test]
fn the_widths_are_rounded_up_by_less_than_a_millionth() {
    let sql = "SELECT carrier, count(distinct tailnum) AS a, count(*) AS n, sum(distance) AS s \
        FROM flights GROUP BY carrier";
    for rho_micro in [1, 2, 3, 999, 500_000, 9_999_999] {
        for groups_per_entity_max in [1, 2, 3, 4, 1_000_000] {
            let terms = DpTerms {
                rho: MicroRho(rho_micro),
                groups_per_entity_max,
                ..terms()
            };
            let template = register(sql, &terms);
            let plan = plan(&template);
            assert_eq!(
                plan.groups_per_entity,
                groups_per_entity_max.min(4) as usize
            );
            let spent: f64 = (0..plan.numbers.len())
                .map(|number| {
                    let (over, under) = plan.sigma(number);
                    let sigma = over as f64 / under as f64;
                    let most = plan.numbers[number].1.sensitivity() as f64;
                    plan.groups_per_entity as f64 * most * most / (2.0 * sigma * sigma)
                })
                .sum();
            let charged = rho_micro as f64 / 1e6;
            assert!(spent <= charged * (1.0 + 1e-12), "{spent} of {charged}");
            assert!(spent > charged * (1.0 - 2e-5), "{spent} of {charged}");
        }
    }
}

#[test]
fn which_groups_count_depends_on_nobody_else() {
    let engine = engine();
    let sql = "SELECT month, count(distinct tailnum) AS aircraft FROM flights GROUP BY month";
    let terms = DpTerms {
        groups_per_entity_max: 3,
        ..terms()
    };
    let template = register(sql, &terms);
    let of = |flights: &[Flight]| totals(&open(&engine, &template, flights), &[]);
    let mine = busy(7, 12, 1);
    let alone = of(&mine);
    assert_eq!(alone.iter().sum::<i128>(), 3);
    let mut turned = mine.clone();
    turned.reverse();
    assert_eq!(of(&turned), alone);
    let others: Vec<Flight> = (100..140).flat_map(|tail| busy(tail, 12, 1)).collect();
    let crowd = of(&others);
    let mut both = others.clone();
    both.splice(17..17, mine);
    let together = of(&both);
    let added: Vec<i128> = together.iter().zip(&crowd).map(|(a, b)| a - b).collect();
    assert_eq!(added, alone);
    // Entities choose differently: no group is preferred.
    assert!(crowd[..12].iter().all(|number| *number > 0), "{crowd:?}");
}

#[test]
fn rows_without_an_entity_do_not_count() {
    let engine = engine();
    let template = register(BY_CARRIER, &terms());
    let nobody: Vec<Flight> = (0..50)
        .map(|tail| Flight {
            tail: None,
            ..flight(tail)
        })
        .collect();
    assert!(
        totals(&open(&engine, &template, &nobody), &[])
            .iter()
            .all(|n| *n == 0)
    );
}

#[test]
fn narrower_bounds_limit_values() {
    let engine = engine();
    let terms = DpTerms {
        clamps: vec![Clamp {
            column: "distance".to_owned(),
            min: 0,
            max: 60,
        }],
        ..terms()
    };
    let template = register("SELECT sum(distance) AS s FROM flights", &terms);
    let flights: Vec<Flight> = (0..10).map(flight).collect();
    assert_eq!(totals(&open(&engine, &template, &flights), &[]), [600]);
    assert_eq!(template.figures()[0].sensitivity, 120.0);
}

fn answer(flights: &[Flight], sql: &str) -> RecordBatch {
    let engine = engine();
    let template = register(sql, &terms());
    let product = std::sync::Arc::new(open(&engine, &template, flights));
    let bound = template.bind(&[]).unwrap();
    block_on(engine.answer_dp(engine.enter().unwrap(), product, bound)).unwrap()
}

#[test]
fn every_declared_group_is_released_whoever_is_in_it() {
    for flights in [vec![], vec![flight(1)], (0..500).map(flight).collect()] {
        let rows = answer(&flights, BY_CARRIER);
        let names = rows.column(0).as_string::<i32>();
        let names: Vec<Option<&str>> = names.iter().collect();
        assert_eq!(names, [Some("AA"), Some("DL"), Some("UA"), None]);
        for figure in 1..5 {
            assert_eq!(rows.column(figure).null_count(), 0);
        }
    }
    // Without groups there is one row, also over nobody.
    assert_eq!(
        answer(&[], "SELECT count(*) AS n FROM flights").num_rows(),
        1
    );
}

#[test]
fn no_two_answers_have_the_same_noise() {
    let flights: Vec<Flight> = (0..40).map(flight).collect();
    let [one, other] = [(); 2].map(|()| answer(&flights, BY_CARRIER));
    // Eight integers of σ above two: equal by chance once in 10⁷.
    assert_ne!(one, other);
}

#[test]
fn no_float_leaves() {
    let template = register(BY_CARRIER, &terms());
    let schema = template.output_schema();
    let types: Vec<&DataType> = schema
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    let decimal = DataType::Decimal128(38, 6);
    let whole = DataType::Int64;
    assert_eq!(types, [&DataType::Utf8, &whole, &whole, &whole, &decimal]);
    let rows = answer(&[flight(1)], BY_CARRIER);
    assert_eq!(rows.schema(), schema);
    let late = rows.column(4).as_primitive::<Decimal128Type>();
    assert!(
        late.values()
            .iter()
            .all(|late| (-60_000_000..=600_000_000).contains(late))
    );
}

#[test]
fn averages_are_defined_for_every_count() {
    let measure = |min, max, scale| Measure { min, max, scale };
    let whole = measure(-60, 600, 0);
    assert_eq!(average(100, 8, whole), 12_500_000);
    assert_eq!(average(-1, 3, whole), -333_333);
    assert_eq!(average(-2, 3, whole), -666_667);
    assert_eq!(average(0, 0, whole), 0);
    assert_eq!(average(0, -5, whole), 0);
    assert_eq!(average(1_000, 0, whole), 600_000_000);
    assert_eq!(average(-1_000, -7, whole), -60_000_000);
    for extreme in [i128::MIN, i128::MAX] {
        for count in [i128::MIN, -1, 0, 1, i128::MAX] {
            let value = average(extreme, count, measure(-5, 5, 6));
            assert!((-5_000_000..=5_000_000).contains(&value));
        }
    }
}

#[test]
fn sorting_and_cutting_follow_what_is_released() {
    let sql = "SELECT carrier, count(distinct tailnum) AS n FROM flights GROUP BY carrier \
        ORDER BY n DESC LIMIT 2";
    for flights in [vec![], (0..40).map(flight).collect::<Vec<_>>()] {
        let rows = answer(&flights, sql);
        let numbers = rows.column(1).as_primitive::<Int64Type>();
        assert_eq!(rows.num_rows(), 2);
        assert!(numbers.value(0) >= numbers.value(1));
    }
}

#[test]
fn arguments_select_and_equal_questions_are_equal_bytes() {
    let carriers = CARRIERS.map(text).to_vec();
    let parameters = vec![parameter(
        "who",
        ParameterKind::Text,
        Allowed::Values(carriers),
    )];
    let sql = "SELECT count(*) AS n FROM flights WHERE carrier = $who";
    let template = register_with(sql, parameters, &terms(), &rules()).unwrap();
    let engine = engine();
    let product = open(&engine, &template, &busy(1, 1, 2));
    let of = |who: &str| vec![("who".to_owned(), text(who))];
    for who in CARRIERS {
        assert_eq!(totals(&product, &of(who)), [2]);
    }
    let bytes: BTreeSet<Vec<u8>> = { CARRIERS.iter() }
        .map(|who| template.bind(&of(who)).unwrap().canonical())
        .collect();
    assert_eq!(bytes.len(), 3);
    assert!(template.bind(&of("ZZ")).is_err());
}

#[test]
fn public_tables_are_joined_and_cannot_multiply_rows() {
    let sql = "SELECT airports.state, count(*) AS n FROM flights \
        JOIN airports ON flights.origin = airports.faa GROUP BY airports.state";
    let template = register(sql, &terms());
    let engine = engine();
    let flights: Vec<Flight> = (0..20).map(flight).collect();
    let product = open(&engine, &template, &flights);
    assert_eq!(totals(&product, &[]), [20, 0, 0]);
    let mut tables = super::tables(&flights);
    let twice = crate::tests::register::airports(&[("EWR", "NJ"), ("EWR", "NY")]);
    tables.insert("airports".to_owned(), crate::tests::register::table(twice));
    assert!(block_on(engine.open_dp(&template, tables)).is_err());
}

#[test]
fn what_is_said_of_it_names_width_and_cost_and_no_row() {
    let template = register(BY_CARRIER, &terms());
    let told = template.explain();
    let all: String = told
        .sentences
        .iter()
        .map(|one| format!("{}\n", one.en))
        .collect();
    assert!(
        all.contains("`count(distinct entity)` gets discrete Gaussian noise of standard deviation")
    );
    assert!(all.contains("all 4 declared groups are released"));
    assert!(all.contains("ρ = 0.5 of the 2 that all callers together have for `aircraft`"));
    assert!(!all.contains("left out, exactly"), "{all}");
    assert_eq!(template.cost().space, "aircraft");
    let bound = template.bind(&[]).unwrap();
    assert_eq!(bound.explain(), told);
    assert!(!format!("{template:?} {bound:?}").contains("AA"));
}

#[test]
fn a_policy_that_is_narrower_has_less_noise() {
    let narrow = crate::tests::register::flights_policy_within(0, 500)
        .with_release(crate::tests::register::terms(10))
        .with_space("tailnum", "aircraft")
        .unwrap()
        .with_dp(super::budget());
    let sql = "SELECT sum(distance) AS s FROM flights";
    let wide = register_with(sql, Vec::new(), &terms(), &rules_under(policy())).unwrap();
    let narrow = register_with(sql, Vec::new(), &terms(), &rules_under(narrow)).unwrap();
    let ratio = wide.figures()[0].sigma / narrow.figures()[0].sigma;
    assert!((ratio - 10.0).abs() < 1e-6);
}
