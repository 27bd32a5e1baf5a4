//! Nine, ten, eleven: entities are what counts, not rows, and one of them must not stand for the rest.

use super::register::*;

/// `entities` aircraft with `each` flights.
fn fleet(entities: usize, each: usize) -> Vec<Flight> {
    (0..entities)
        .flat_map(|tail| std::iter::repeat_n(flight(tail), each))
        .collect()
}

#[test]
fn entities_count_not_rows() {
    for (entities, each, shown) in [
        (9, 100, 0),
        (10, 1, 1),
        (10, 100, 1),
        (11, 1, 1),
        (1, 1_000, 0),
    ] {
        let flights = fleet(entities, each);
        for sql in [
            "SELECT count(*) AS n FROM flights",
            "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier",
            "SELECT count(distinct tailnum) AS n FROM flights",
            "SELECT sum(distance) AS n FROM flights",
            "SELECT avg(delay) AS n FROM flights WHERE month = 1",
            "SELECT state, count(*) AS n FROM flights JOIN airports ON origin = faa GROUP BY state",
        ] {
            assert_eq!(
                ask(sql, &flights).num_rows(),
                shown,
                "{entities} × {each}: {sql}"
            );
        }
    }
}

#[test]
fn an_empty_and_a_small_group_look_the_same() {
    let sql = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier";
    let mut flights = fleet(12, 2);
    let without = ask(sql, &flights);
    flights.extend((0..9).map(|tail| Flight {
        carrier: "DL",
        ..flight(100 + tail)
    }));
    assert_eq!(ask(sql, &flights), without);
    let global = "SELECT count(*) AS n FROM flights WHERE carrier = 'DL'";
    assert_eq!(ask(global, &flights), ask(global, &fleet(12, 2)));
}

#[test]
fn rows_without_an_entity_do_not_count() {
    let mut flights = fleet(9, 3);
    flights.extend((0..50).map(|_| Flight {
        tail: None,
        ..flight(0)
    }));
    assert_eq!(
        ask("SELECT count(*) AS n FROM flights", &flights).num_rows(),
        0
    );
    flights.extend(fleet(10, 3));
    assert_eq!(
        rows(&[ask("SELECT count(*) AS n FROM flights", &flights)]),
        [["57"]]
    );
}

#[test]
fn a_join_makes_no_entities_and_a_repeated_key_ends_the_run() {
    let sql =
        "SELECT state, count(*) AS n FROM flights JOIN airports ON origin = faa GROUP BY state";
    let template = register(sql).unwrap();
    let engine = engine(&fleet(12, 1));
    assert_eq!(
        rows(&[run_template(&template, &engine, &[]).unwrap()]),
        [["NJ", "12"]]
    );
    engine.put_table(
        "airports",
        table(airports(&[("EWR", "NJ"), ("JFK", "NY"), ("EWR", "NJ")])),
    );
    assert!(run_template(&template, &engine, &[]).is_err());
}

#[test]
fn a_figure_needs_ten_contributors_of_its_own() {
    let mut flights = fleet(30, 1);
    for (index, flight) in flights.iter_mut().enumerate() {
        flight.distance = Some(if index < 9 { 100 } else { 0 });
        flight.delay = (index < 9).then_some(1.0);
    }
    let sql = "SELECT count(*) AS n, sum(distance) AS s, avg(distance) AS a, count(distance) AS c, \
               sum(delay) AS t, count(delay) AS u FROM flights";
    assert_eq!(
        rows(&[ask(sql, &flights)]),
        [["30", "NULL", "NULL", "30", "NULL", "NULL"]]
    );
}

#[test]
fn nobody_is_most_of_a_figure() {
    let mut flights = fleet(20, 1);
    flights[0].distance = Some(5_000);
    let sql = "SELECT count(*) AS n, sum(distance) AS s, avg(distance) AS a FROM flights";
    assert_eq!(rows(&[ask(sql, &flights)]), [["20", "NULL", "NULL"]]);
    // An aircraft that flies more than all the others together would be told by the number of flights.
    let mut flights = fleet(20, 1);
    flights.extend(std::iter::repeat_n(flight(0), 21));
    assert_eq!(rows(&[ask(sql, &flights)]), [["NULL", "NULL", "NULL"]]);
}

#[test]
fn the_second_largest_cannot_tell_the_largest() {
    // 47 % and 47 %: neither is above the half, but the rest is below 10 % of the first.
    let mut flights = fleet(12, 1);
    for flight in &mut flights {
        flight.distance = Some(1);
    }
    flights[0].distance = Some(1_000);
    flights[1].distance = Some(1_000);
    assert_eq!(
        rows(&[ask("SELECT sum(distance) AS s FROM flights", &flights)]),
        [["NULL"]]
    );
}

#[test]
fn an_outlier_is_brought_into_the_bounds() {
    let mut flights = fleet(20, 1);
    flights[0].distance = Some(i64::MAX);
    flights[1].distance = Some(i64::MIN);
    flights[2].delay = Some(f64::NAN);
    flights[3].delay = Some(f64::INFINITY);
    for flight in &mut flights[4..] {
        flight.distance = Some(5_000);
    }
    // Only some are late, or the total so near its ceiling would tell the few that are not.
    for flight in &mut flights[4..10] {
        flight.delay = Some(600.0);
    }
    let sql = "SELECT sum(distance) AS s, sum(delay) AS d, count(delay) AS c FROM flights";
    // 17 × 5,000 and two ordinary hundreds; 7 × 600, twelve of 1.5, and one that is not a number.
    assert_eq!(
        rows(&[ask(sql, &flights)]),
        [["85200", "4218.000000", "20"]]
    );
}
