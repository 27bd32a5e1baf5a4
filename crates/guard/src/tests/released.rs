//! Above the Gate: HAVING, arithmetic and ordering see figures as they are released, and nothing there can fail.

use super::register::*;
use crate::tests::register::Flight;
use crate::{Allowed, ParameterKind, Value};
use lingqu_policy::Release;

/// Thirteen aircraft of UA with a flight each, one of which flew nearly all the miles; nine of AA; sixteen of DL.
fn fleet() -> Vec<Flight> {
    let of = |tails: std::ops::Range<usize>, carrier: &'static str, distance: i64| {
        tails.map(move |tail| Flight {
            carrier,
            distance: Some(distance),
            ..flight(tail)
        })
    };
    let mut flights: Vec<Flight> = of(0..13, "UA", 10).collect();
    flights[0].distance = Some(4_321);
    flights.extend(of(20..29, "AA", 4_000));
    flights.extend(of(40..56, "DL", 100));
    flights
}

/// Counts rounded to fives: 15 of UA, whose sum is kept back, and 15 of DL.
fn asked(sql: &str) -> Vec<Vec<String>> {
    let terms = Release::new(10, 50, 5, 1_000).unwrap();
    let rules = rules_under(flights_policy().with_release(terms));
    let template = register_with(sql, Vec::new(), &rules).unwrap_or_else(|e| panic!("{sql}: {e}"));
    rows(&[run_template(&template, &engine(&fleet()), &[]).unwrap()])
}

fn carriers(having: &str) -> Vec<String> {
    let sql =
        format!("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING {having}");
    asked(&sql).into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn having_sees_rounded_counts() {
    let both = ["DL", "UA"];
    assert_eq!(carriers("count(*) = 15"), both);
    assert_eq!(carriers("n = 15"), both);
    assert_eq!(carriers("count(*) <= 15 AND count(*) > 14"), both);
    assert_eq!(carriers("count(distinct tailnum) BETWEEN 15 AND 15"), both);
    for exact in [
        "count(*) = 13",
        "count(*) = 16",
        "count(distinct tailnum) < 15",
    ] {
        assert!(carriers(exact).is_empty(), "{exact}");
    }
    // Who is too few is there under no condition.
    for small in [
        "count(*) < 15",
        "count(*) = 9",
        "NOT count(*) >= 10",
        "count(*) <> 15",
    ] {
        assert!(carriers(small).is_empty(), "{small}");
    }
}

#[test]
fn having_does_not_see_what_is_kept_back() {
    assert_eq!(carriers("sum(distance) > 0"), ["DL"]);
    for probe in [
        "sum(distance) >= 4321",
        "sum(distance) > 1600",
        "NOT sum(distance) < 4321",
        "sum(distance) <> 1600",
        "sum(distance) BETWEEN 4000 AND 5000",
        "avg(distance) > 200",
        "-sum(distance) < -4000",
        "sum(distance) - sum(distance) <> 0",
        "nullif(sum(distance), 1600) > 0",
        "abs(sum(distance)) > 2000",
    ] {
        assert!(carriers(probe).is_empty(), "{probe}");
    }
    // What is known of both does not depend on it.
    assert_eq!(
        carriers("sum(distance) > 2000 OR count(*) = 15"),
        ["DL", "UA"]
    );
}

#[test]
fn arithmetic_sees_what_is_released_and_has_a_value_or_none() {
    let one = |formula: &str| {
        let sql = format!(
            "SELECT carrier, {formula} AS x FROM flights GROUP BY carrier ORDER BY carrier"
        );
        let shown: Vec<String> = asked(&sql).into_iter().map(|row| row[1].clone()).collect();
        shown
    };
    assert_eq!(one("sum(distance) / count(*)"), ["106", "NULL"]);
    assert_eq!(
        one("100.0 * count(delay) / count(*)"),
        ["100.000000", "100.000000"]
    );
    assert_eq!(one("count(*) - 15"), ["0", "0"]);
    assert_eq!(one("1 / (count(*) - 15)"), ["NULL", "NULL"]);
    assert_eq!(one("1.0 / (count(*) - 15)"), ["NULL", "NULL"]);
    assert_eq!(one("0.0 / (count(*) - 15)"), ["NULL", "NULL"]);
    assert_eq!(one("count(*) / nullif(count(*), 15)"), ["NULL", "NULL"]);
    assert_eq!(one("count(*) * 999999999999999999"), ["NULL", "NULL"]);
    assert_eq!(one("round(avg(distance) / 3, 1)"), ["35.600000", "NULL"]);
    assert_eq!(one("CAST(count(*) AS DECIMAL(5, 2))"), ["15.00", "15.00"]);
    assert_eq!(one("CAST(count(*) AS DECIMAL(3, 2))"), ["NULL", "NULL"]);
    assert_eq!(
        one("CAST(count(*) AS DOUBLE) / 2"),
        ["7.500000", "7.500000"]
    );
    assert_eq!(one("sum(distance) - sum(distance)"), ["0", "NULL"]);
}

#[test]
fn an_order_sees_what_is_released() {
    let first = |order: &str| {
        let sql = format!(
            "SELECT carrier, sum(distance) AS s, sum(distance) - 1 AS t FROM flights GROUP BY carrier \
             ORDER BY {order} LIMIT 1"
        );
        asked(&sql)[0][0].clone()
    };
    // NULL comes last, whatever it is.
    assert_eq!(first("s DESC NULLS LAST"), "DL");
    assert_eq!(first("t DESC NULLS LAST"), "DL");
    assert_eq!(first("t NULLS LAST"), "DL");
    assert_eq!(first("sum(distance) DESC NULLS LAST"), "DL");
    assert_eq!(first("sum(distance) - 1 DESC NULLS LAST"), "DL");
}

/// The nine aircraft of AA are not there, the sum of UA is kept back, and counts are rounded: windows see that and no more.
#[test]
fn a_window_sees_the_groups_that_are_shown_and_what_is_released_of_them() {
    let said = |window: &str| {
        let sql =
            format!("SELECT carrier, {window} AS x FROM flights GROUP BY carrier ORDER BY carrier");
        let shown: Vec<String> = asked(&sql).into_iter().map(|row| row[1].clone()).collect();
        shown
    };
    assert_eq!(said("sum(count(*)) OVER ()"), ["30", "30"]);
    assert_eq!(said("sum(sum(distance)) OVER ()"), ["1600", "1600"]);
    assert_eq!(
        said("100.0 * sum(distance) / sum(sum(distance)) OVER ()"),
        ["100.000000", "NULL"]
    );
    assert_eq!(
        said("sum(sum(distance)) OVER (PARTITION BY carrier)"),
        ["1600", "NULL"]
    );
    assert_eq!(
        said("sum(count(*)) OVER (ORDER BY carrier DESC)"),
        ["30", "15"]
    );
    assert_eq!(
        said("lag(count(*)) OVER (ORDER BY carrier)"),
        ["NULL", "15"]
    );
    assert_eq!(
        said("lag(sum(distance)) OVER (ORDER BY carrier)"),
        ["NULL", "1600"]
    );
    assert_eq!(
        said("lead(sum(distance)) OVER (ORDER BY carrier)"),
        ["NULL", "NULL"]
    );
    // Both are fifteen, so neither is ahead; who is first of the two is the order of the domain, not of the thirteen.
    assert_eq!(said("rank() OVER (ORDER BY count(*))"), ["1", "1"]);
    assert_eq!(said("row_number() OVER (ORDER BY count(*))"), ["1", "2"]);
    assert_eq!(said("row_number() OVER (ORDER BY carrier)"), ["1", "2"]);
    assert_eq!(
        said("rank() OVER (ORDER BY sum(distance) DESC NULLS LAST)"),
        ["1", "2"]
    );
    assert_eq!(said("1.0 / (sum(count(*)) OVER () - 30)"), ["NULL", "NULL"]);
    assert_eq!(
        said("CAST(sum(count(*)) OVER () AS DECIMAL(5, 1))"),
        ["30.0", "30.0"]
    );
}

/// As in SQL: what HAVING leaves out is in no window.
#[test]
fn a_window_sees_what_having_keeps() {
    let sql = "SELECT carrier, sum(count(*)) OVER () AS x FROM flights GROUP BY carrier HAVING sum(distance) > 0";
    assert_eq!(asked(sql), [["DL", "15"]]);
}

/// A caller's number is compared with what is released, like one that stands in the text.
#[test]
fn a_parameter_above_the_gate_sees_what_is_released() {
    let terms = Release::new(10, 50, 5, 1_000).unwrap();
    let rules = rules_under(flights_policy().with_release(terms));
    let numbers = [13, 14, 15, 16, -1, i64::MAX];
    let allowed = || Allowed::Values(numbers.map(Value::Integer).to_vec());
    let whole = || vec![parameter("least", ParameterKind::Integer, allowed())];
    let ask = |sql: &str, least: i64| {
        let template = register_with(sql, whole(), &rules);
        let template = template.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
        let told = format!("{:?}", template.explain());
        assert!(told.contains("$least"), "{told}");
        let arguments = [("least", Value::Integer(least))];
        rows(&[run_template(&template, &engine(&fleet()), &arguments).unwrap()])
    };
    let having =
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier HAVING count(*) = $least";
    for exact in [13, 14, 16, -1] {
        assert!(ask(having, exact).is_empty(), "{exact}");
    }
    assert_eq!(ask(having, 15).len(), 2);
    let above = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier \
                 HAVING sum(distance) + $least > 0 AND n BETWEEN 0 AND $least";
    assert_eq!(ask(above, 15), [["DL", "15"]]);
    // What does not fit is unknown, and keeps no group.
    assert!(ask(above, i64::MAX).is_empty());
    let computed = "SELECT carrier, count(*) - $least AS a, 100.0 * count(*) / $least AS b, \
                    1 / ($least - 15) AS c, sum(count(*) + $least) OVER () AS d FROM flights GROUP BY carrier \
                    HAVING sum(distance) > 0";
    let refused = register_with(computed, whole(), &rules)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.code(), "OUTPUT_FORM", "an output without a figure");
    let computed = computed.replace("1 / ($least - 15)", "count(*) / ($least - 15)");
    assert_eq!(
        ask(&computed, 15),
        [["DL", "0", "100.000000", "NULL", "30"]]
    );
    assert_eq!(ask(&computed, 14)[0][1..], ["1", "107.142857", "-15", "29"]);
    // Only whole numbers, and only declared ones.
    for (kind, value) in [
        (ParameterKind::Text, "15"),
        (ParameterKind::Date, "2013-01-01"),
    ] {
        let other = vec![parameter("least", kind, Allowed::Values(vec![text(value)]))];
        let refused = register_with(having, other, &rules)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refused.code(), "PARAMETER");
    }
    let template = register_with(having, whole(), &rules).unwrap();
    let undeclared = [("least".to_owned(), Value::Integer(17))];
    assert!(template.bind(&undeclared).is_err());
}

/// Figures that only HAVING names are under the same rules as all others.
#[test]
fn a_figure_in_having_is_held_against_the_policy() {
    let refused = |having: &str| {
        let sql = format!("SELECT count(*) AS n FROM flights HAVING {having}");
        register(&sql).map(|_| ()).unwrap_err().code()
    };
    for (having, code) in [
        ("sum(month) > 1", "AGGREGATE_USE"),
        ("count(tailnum) > 1", "AGGREGATE_USE"),
        ("count(pilot) > 1", "AGGREGATE_USE"),
        ("count(distinct carrier) > 1", "AGGREGATE_USE"),
        ("max(distance) > 1", "AGGREGATE_FORM"),
        ("distance > 1", "COLUMN_UNKNOWN"),
    ] {
        assert_eq!(refused(having), code, "{having}");
    }
    let listed: lingqu_policy::Functions = ["count".parse().unwrap()].into_iter().collect();
    let rules = rules_under(flights_policy().with_release(terms(10).with_functions(listed)));
    for sql in [
        "SELECT count(*) AS n FROM flights HAVING sum(distance) > 1",
        "SELECT count(*) / sum(distance) AS n FROM flights",
    ] {
        let refused = register_with(sql, Vec::new(), &rules).unwrap_err();
        assert_eq!(refused.code(), "FUNCTION_USE", "{sql}");
    }
}
