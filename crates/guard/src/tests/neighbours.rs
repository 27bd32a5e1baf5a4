//! Random small registers: the answer equals an independent model, and one entity more or less changes only what the
//! thresholds let it change.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::register::*;

/// A question, and the model's reading of it: the group of a flight (none if it is filtered out).
struct Question {
    sql: &'static str,
    group: fn(&Flight) -> Option<Vec<String>>,
}

const FIGURES: &str = "count(*) AS n, count(distinct tailnum) AS e, count(distance) AS c, sum(distance) AS s, avg(distance) AS a";

fn state(origin: &str) -> Option<&'static str> {
    AIRPORTS
        .iter()
        .find(|(faa, _)| *faa == origin)
        .map(|(_, state)| *state)
}

fn known(carrier: &str) -> String {
    if ["AA", "DL", "UA"].contains(&carrier) {
        carrier.to_owned()
    } else {
        "NULL".to_owned()
    }
}

const QUESTIONS: &[Question] = &[
    Question {
        sql: "SELECT {} FROM flights",
        group: |_| Some(Vec::new()),
    },
    Question {
        sql: "SELECT carrier, {} FROM flights GROUP BY carrier",
        group: |f| Some(vec![known(f.carrier)]),
    },
    Question {
        sql: "SELECT state, {} FROM flights JOIN airports ON origin = faa GROUP BY state",
        group: |f| Some(vec![state(f.origin)?.to_owned()]),
    },
    Question {
        sql: "SELECT carrier, {} FROM flights WHERE month IN (1, 2) AND flown >= '2013-02-01' GROUP BY carrier",
        group: |f| {
            let inside = [1, 2].contains(&f.month) && f.day >= day("2013-02-01");
            inside.then(|| vec![known(f.carrier)])
        },
    },
];

fn flights() -> impl Strategy<Value = Vec<Flight>> {
    let flight = (
        0..26_usize,
        prop::sample::select(vec!["AA", "DL", "ZZ"]),
        1..=3_i64,
        prop::sample::select(vec!["EWR", "JFK", "XXX"]),
        prop::sample::select(vec!["2013-01-31", "2013-02-01"]),
        prop_oneof![4 => (-5..=60_i64).prop_map(Some), 1 => Just(None), 1 => Just(Some(9_000))],
    );
    let flight = flight.prop_map(|(tail, carrier, month, origin, flown, distance)| Flight {
        tail: (tail > 0).then(|| format!("N{tail}")),
        carrier,
        month,
        origin,
        day: day(flown),
        distance,
        delay: None,
    });
    prop::collection::vec(flight, 0..220)
}

/// What one entity has in a group: rows, values, and their sum.
type Has = (i128, i128, i128);

/// What the model shows per group: the row as texts.
fn model(question: &Question, flights: &[Flight]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut groups: BTreeMap<Vec<String>, BTreeMap<&str, Has>> = BTreeMap::new();
    for flight in flights {
        let (Some(tail), Some(group)) = (&flight.tail, (question.group)(flight)) else {
            continue;
        };
        let entity = groups.entry(group).or_default().entry(tail).or_default();
        entity.0 += 1;
        if let Some(distance) = flight.distance {
            entity.1 += 1;
            entity.2 += i128::from(distance.clamp(0, 5_000));
        }
    }
    groups
        .into_iter()
        .filter(|(_, entities)| entities.len() >= 10)
        .map(|(group, entities)| {
            let shown = |of: fn(&Has) -> i128| {
                let mut sizes: Vec<i128> = entities.values().map(of).filter(|v| *v != 0).collect();
                sizes.sort_unstable_by(|a, b| b.cmp(a));
                let total: i128 = sizes.iter().sum();
                let enough = sizes.len() >= 10
                    && sizes[0] * 100 <= total * 50
                    && (total - sizes[0] - sizes[1]) * 100 >= sizes[0] * 10;
                enough.then_some(total)
            };
            let (rows, present, sum) = (shown(|e| e.0), shown(|e| e.1), shown(|e| e.2));
            let average = sum
                .zip(present)
                .map(|(sum, present)| format!("{:.6}", sum as f64 / present as f64));
            let whole = |value: Option<i128>| value.map_or("NULL".to_owned(), |v| v.to_string());
            let mut row = group.clone();
            row.extend([
                whole(rows),
                entities.len().to_string(),
                whole(present),
                whole(sum),
                average.unwrap_or_else(|| "NULL".to_owned()),
            ]);
            (group, row)
        })
        .collect()
}

fn answer(question: &Question, flights: &[Flight]) -> BTreeMap<Vec<String>, Vec<String>> {
    let sql = question.sql.replace("{}", FIGURES);
    let template = register(&sql).unwrap();
    let batch = run_template(&template, &engine(flights), &[]).unwrap();
    let keys = batch.num_columns() - 5;
    rows(&[batch])
        .into_iter()
        .map(|row| (row[..keys].to_vec(), row))
        .collect()
}

fn entities<'a>(question: &Question, flights: &'a [Flight], group: &[String]) -> BTreeSet<&'a str> {
    flights
        .iter()
        .filter(|flight| (question.group)(flight).is_some_and(|found| found == group))
        .filter_map(|flight| flight.tail.as_deref())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_answer_is_the_models(flights in flights()) {
        for question in QUESTIONS {
            prop_assert_eq!(answer(question, &flights), model(question, &flights), "{}", question.sql);
        }
    }

    #[test]
    fn one_entity_changes_only_what_the_thresholds_allow(flights in flights(), leaves in 1..26_usize) {
        let leaves = format!("N{leaves}");
        let without: Vec<Flight> = flights
            .iter()
            .filter(|flight| flight.tail.as_ref() != Some(&leaves))
            .cloned()
            .collect();
        for question in QUESTIONS {
            let (with, less) = (answer(question, &flights), answer(question, &without));
            let groups: BTreeSet<_> = with.keys().chain(less.keys()).cloned().collect();
            for group in groups {
                let members = entities(question, &flights, &group);
                let touched = members.contains(leaves.as_str());
                let after = members.len() - usize::from(touched);
                // A group is there exactly when it has ten, on either side, whatever is in it.
                prop_assert_eq!(with.contains_key(&group), members.len() >= 10);
                prop_assert_eq!(less.contains_key(&group), after >= 10);
                if !touched {
                    prop_assert_eq!(with.get(&group), less.get(&group));
                }
            }
        }
    }
}
