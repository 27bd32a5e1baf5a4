//! What leaves: equal to the bare engine where the guard has nothing to hold back.

use arrow_array::Array;
use arrow_schema::DataType;

use super::register::*;
use crate::{Allowed, BindRefused, ParameterKind, Value};

/// 120 aircraft, several flights each, every group large.
fn busy() -> Vec<Flight> {
    let mut flights = Vec::new();
    for tail in 0..120_usize {
        for turn in 0..9_usize {
            flights.push(Flight {
                carrier: ["AA", "DL", "UA"][(tail + turn) % 3],
                month: 1 + (turn % 3) as i64,
                origin: ["EWR", "JFK", "LGA"][turn / 3],
                day: [day("2013-01-31"), day("2013-02-01"), day("2013-03-31")][turn % 3],
                distance: (turn != 4).then_some(100 + (tail * 7 + turn) as i64),
                delay: (turn != 5).then_some(tail as f64 / 4.0 - 3.25),
                ..flight(tail)
            });
        }
    }
    flights
}

/// Statements that the guard answers exactly as the bare engine does.
const EQUAL: &[&str] = &[
    "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY carrier",
    "SELECT count(*) AS n, count(distinct tailnum) AS planes FROM flights",
    "SELECT month, sum(distance) AS s, avg(distance) AS a, count(distance) AS c FROM flights GROUP BY month ORDER BY month",
    "SELECT month, sum(delay) AS s, avg(delay) AS a, count(delay) AS c FROM flights GROUP BY month ORDER BY month",
    "SELECT origin, carrier, count(*) AS n FROM flights GROUP BY origin, carrier ORDER BY n DESC, origin, carrier LIMIT 4",
    "SELECT carrier, count(*) AS n FROM flights WHERE origin = 'JFK' AND month IN (1, 2) GROUP BY carrier ORDER BY carrier",
    "SELECT count(*) AS n FROM flights WHERE flown >= '2013-02-01' AND flown < '2013-04-01'",
    "SELECT a.state, count(*) AS n, sum(f.distance) AS s FROM flights f JOIN airports a ON f.origin = a.faa GROUP BY a.state ORDER BY state",
    "SELECT state, carrier, avg(delay) AS d FROM airports INNER JOIN flights ON faa = origin WHERE state = 'NY' GROUP BY state, carrier ORDER BY state, carrier",
    "SELECT one.state, two.state AS other, count(*) AS n FROM flights JOIN airports one ON origin = one.faa JOIN airports two ON origin = two.faa GROUP BY one.state, two.state ORDER BY state",
    "SELECT carrier FROM flights GROUP BY carrier ORDER BY carrier DESC",
    "SELECT count(*) FROM flights WHERE (carrier = 'UA') AND (month = 1)",
];

#[test]
fn groups_in_calendar_units_and_in_words() {
    let months = [
        "2012-12-31",
        "2013-01-01",
        "2013-01-31",
        "2013-02-01",
        "2013-04-01",
    ];
    let flights: Vec<Flight> = (0..60)
        .map(|tail| Flight {
            day: day(months[tail % 5]),
            ..flight(tail)
        })
        .collect();
    let by_month = "SELECT date_trunc('month', flown) AS m, count(*) AS n FROM flights GROUP BY m";
    // What lies outside the declared months is one group.
    let shown = [["2013-01-01", "24"], ["2013-02-01", "12"], ["NULL", "24"]];
    assert_eq!(rows(&[ask(by_month, &flights)]), shown);
    let words = "SELECT CASE WHEN flown < '2013-02-01' THEN 'early' ELSE 'late' END AS x, count(*) AS n \
                 FROM flights GROUP BY x ORDER BY n";
    // The bare engine agrees, also about days that nobody declared.
    let shown = [["late", "24"], ["early", "36"]];
    assert_eq!(rows(&[ask(words, &flights)]), shown);
    assert_eq!(rows(&oracle(words, &flights)), shown);
}

#[test]
fn groups_above_the_threshold_equal_the_bare_engine() {
    let flights = busy();
    for sql in EQUAL {
        let answer = ask(sql, &flights);
        let expected = oracle(sql, &flights);
        assert!(answer.num_rows() > 0, "{sql}");
        assert_eq!(
            rows(std::slice::from_ref(&answer)),
            rows(&expected),
            "{sql}"
        );
        let names = |schema: &arrow_schema::Schema| -> Vec<String> {
            schema.fields().iter().map(|f| f.name().clone()).collect()
        };
        assert_eq!(
            names(&answer.schema()),
            names(&expected[0].schema()),
            "{sql}"
        );
        assert_eq!(
            answer.schema(),
            register(sql).unwrap().output_schema(),
            "{sql}"
        );
        assert!(answer.schema().metadata().is_empty());
    }
}

#[test]
fn bins_show_their_lower_edge_and_everything_else_is_one_group() {
    let mut flights = busy();
    for tail in 0..20 {
        flights.push(Flight {
            day: day("2020-01-01"),
            ..flight(tail)
        });
    }
    let answer = ask(
        "SELECT flown, count(*) AS n FROM flights GROUP BY flown",
        &flights,
    );
    assert_eq!(answer.schema().field(0).data_type(), &DataType::Date32);
    assert_eq!(
        rows(&[answer]),
        [
            ["2013-01-01", "360"],
            ["2013-02-01", "360"],
            ["2013-03-01", "360"],
            ["NULL", "20"],
        ]
    );
}

#[test]
fn a_value_outside_the_domain_never_leaves() {
    let flights: Vec<Flight> = (0..30)
        .map(|tail| Flight {
            carrier: CANARY,
            ..flight(tail)
        })
        .collect();
    let answer = ask(
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier",
        &flights,
    );
    assert_eq!(rows(&[answer]), [["NULL", "30"]]);
}

#[test]
fn a_parameter_is_one_of_its_declared_values() {
    let template = register_with(
        "SELECT count(*) AS n FROM flights WHERE carrier = $carrier AND month IN ($month, 2) AND flown >= $since",
        vec![
            parameter("carrier", ParameterKind::Text, Allowed::Values(vec![text("AA"), text("UA")])),
            parameter("month", ParameterKind::Integer, Allowed::Values(vec![Value::Integer(1)])),
            parameter("since", ParameterKind::Date, Allowed::Edges(vec![text("2013-01-01")])),
        ],
        &rules(),
    )
    .unwrap();
    let bind = |args: &[(&str, Value)]| {
        let args: Vec<_> = args
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.clone()))
            .collect();
        template.bind(&args).map(|bound| format!("{bound:?}"))
    };
    let month = ("month", Value::Integer(1));
    let since = ("since", text("2013-01-01"));
    let good = [("carrier", text("UA")), month.clone(), since.clone()];
    assert!(!bind(&good).unwrap().contains("UA"));
    let flights = busy();
    assert_eq!(
        rows(&[run_template(&template, &engine(&flights), &good).unwrap()]),
        rows(&oracle(
            "SELECT count(*) AS n FROM flights WHERE carrier = 'UA' AND month IN (1, 2)",
            &flights
        ))
    );
    let outside = |name: &str| Err(BindRefused::Outside(name.to_owned()));
    for (carrier, refused) in [
        (text("DL"), outside("carrier")),
        (text("UA' OR '1'='1"), outside("carrier")),
        (text("ua"), outside("carrier")),
        (text(""), outside("carrier")),
        (Value::Integer(1), outside("carrier")),
    ] {
        assert_eq!(
            bind(&[("carrier", carrier), month.clone(), since.clone()]),
            refused
        );
    }
    assert_eq!(
        bind(&[month.clone(), since.clone()]),
        Err(BindRefused::Missing("carrier".to_owned()))
    );
    let twice = [month.clone(), month.clone(), since, ("carrier", text("UA"))];
    assert_eq!(bind(&twice), Err(BindRefused::Twice("month".to_owned())));
    assert_eq!(
        bind(&[("N-CANARY-77", text("x"))]),
        Err(BindRefused::Unknown)
    );
}

#[test]
fn an_empty_range_is_an_empty_answer() {
    let answer = ask(
        "SELECT count(*) AS n FROM flights WHERE flown >= '2013-03-01' AND flown < '2013-02-01'",
        &busy(),
    );
    assert_eq!(answer.num_rows(), 0);
}

#[test]
fn counts_are_rounded_and_averages_do_not_tell_the_exact_count() {
    let rounding = lingqu_policy::Release::new(10, 50, 5, 100).unwrap();
    let rules = rules_under(flights_policy().with_release(rounding));
    let flights: Vec<Flight> = (0..13).map(flight).collect();
    let template = register_with(
        "SELECT count(*) AS n, count(distinct tailnum) AS e, sum(distance) AS s, avg(distance) AS a FROM flights",
        Vec::new(),
        &rules,
    )
    .unwrap();
    let answer = run_template(&template, &engine(&flights), &[]).unwrap();
    assert_eq!(rows(&[answer]), [["15", "15", "1300", "86.666667"]]);
}

#[test]
fn what_leaves_is_rebuilt() {
    let answer = ask(
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY n DESC LIMIT 1",
        &busy(),
    );
    assert_eq!(answer.num_rows(), 1);
    for column in answer.columns() {
        assert_eq!(column.offset(), 0);
        assert!(!matches!(column.data_type(), DataType::Dictionary(..)));
        for buffer in column.to_data().buffers() {
            // One text of two bytes or one number with its offsets: nothing of the rows that were cut off.
            assert!(buffer.len() <= 8, "{}", buffer.len());
        }
    }
}

#[test]
fn a_template_says_what_it_reads_and_releases() {
    let template = register(
        "SELECT a.state, avg(f.delay) AS d FROM flights f JOIN airports a ON f.origin = a.faa GROUP BY a.state",
    )
    .unwrap();
    let [first, second] = template.tables() else {
        panic!("two tables")
    };
    assert_eq!((first.name.as_str(), first.protected), ("flights", true));
    assert_eq!(first.columns, ["tailnum", "origin", "delay"]);
    assert_eq!(
        (second.name.as_str(), second.protected),
        ("airports", false)
    );
    assert_eq!(second.columns, ["faa", "state"]);
    let explanation = template.explain();
    let sentences = explanation.sentences.iter();
    let whole: String = sentences.map(|sentence| sentence.en.as_str()).collect();
    for part in [
        "tailnum",
        "airports",
        "state",
        "-60 to 600",
        "fewer than 10 entities",
        "50 %",
    ] {
        assert!(whole.contains(part), "{part}: {whole}");
    }
}
