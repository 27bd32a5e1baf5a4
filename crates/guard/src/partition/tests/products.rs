//! Which products open over a load, what they show, and that they show what the engine's own plan shows.

use proptest::prelude::*;

use super::*;
use crate::{Allowed, ParameterKind};

const BY_CARRIER: &str =
    "SELECT carrier, count(*) AS n, sum(distance) AS s FROM flights GROUP BY carrier";
const ALL: &str = "SELECT count(*) AS n, sum(distance) AS s FROM flights";

#[test]
fn a_small_cell_is_withheld_from_every_answer() {
    let bench = Bench::new(lenient_rules());
    let by_carrier = bench.product("by_carrier", BY_CARRIER);
    let all = bench.product("all", ALL);
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 20, "DL")).collect();
    flights.extend(fleet(200, 3, "AA"));
    let partition = bench
        .open(&[by_carrier.clone(), all.clone()], &flights, None)
        .unwrap();
    let shown = bench.rows(&partition, &by_carrier);
    assert_eq!(shown, [["DL", "20", "2000"], ["UA", "30", "3000"]]);
    // A total that had the three would tell them by its difference to the visible parts.
    assert_eq!(bench.rows(&partition, &all), [["50", "5000"]]);
    let report = partition.report();
    assert!(report.refused.is_empty());
    assert_eq!((report.open[0].cells, report.open[0].cells_shown), (3, 2));
    assert_eq!(report.open[0].withheld_percent, 6);
    // Alone, the total has everybody.
    let alone = bench
        .open(std::slice::from_ref(&all), &flights, None)
        .unwrap();
    assert_eq!(bench.rows(&alone, &all), [["53", "5300"]]);
}

/// A range is two comparisons, and neither of them alone says what is asked about.
#[test]
fn what_a_range_in_an_alternative_leaves_out_is_not_counted_as_asked() {
    let bench = Bench::new(lenient_rules());
    let product = bench.product(
        "some",
        "SELECT count(*) AS n FROM flights \
         WHERE carrier = 'AA' OR flown BETWEEN '2013-02-01' AND '2013-02-28'",
    );
    let on = |text: &str, flights: Vec<Flight>| {
        let day = day(text);
        flights
            .into_iter()
            .map(move |flight| Flight { day, ..flight })
    };
    let flights: Vec<Flight> = on("2013-01-15", fleet(0, 10, "AA").collect())
        .chain(on("2013-02-15", fleet(100, 9, "UA").collect()))
        .chain(on("2013-03-15", fleet(200, 200, "UA").collect()))
        .collect();
    let partition = bench
        .open(std::slice::from_ref(&product), &flights, None)
        .unwrap();
    assert_eq!(bench.rows(&partition, &product), [["10"]]);
    // Nine of nineteen, not nine of all.
    assert_eq!(partition.report().open[0].withheld_percent, 48);
}

#[test]
fn small_cells_are_merged_with_their_like() {
    let bench = Bench::new(lenient_rules());
    let by_month = bench.product(
        "by_month",
        "SELECT month, count(*) AS n FROM flights GROUP BY month",
    );
    let all = bench.product("all", "SELECT count(*) AS n FROM flights");
    let month = |month: i64, first: usize, count: usize| {
        fleet(first, count, "UA").map(move |flight| Flight { month, ..flight })
    };
    let flights: Vec<Flight> = { month(1, 0, 20) }
        .chain(month(2, 100, 6))
        .chain(month(3, 200, 7))
        .collect();
    let partition = bench
        .open(&[by_month.clone(), all.clone()], &flights, None)
        .unwrap();
    // Neither month is shown, but both count in the total: together they are thirteen.
    assert_eq!(bench.rows(&partition, &by_month), [["1", "20"]]);
    assert_eq!(bench.rows(&partition, &all), [["33"]]);
}

#[test]
fn a_product_whose_cells_are_too_small_does_not_open() {
    let bench = Bench::new(rules());
    let all = bench.product("all", ALL);
    let fine = bench.product(
        "fine",
        "SELECT carrier, month, count(*) AS n FROM flights GROUP BY carrier, month",
    );
    let flights: Vec<Flight> = (0..60)
        .map(|tail| Flight {
            carrier: ["AA", "DL", "UA"][tail % 3],
            month: 1 + (tail as i64 / 3) % 12,
            ..flight(tail)
        })
        .collect();
    let products = [all.clone(), fine.clone()];
    let partition = bench.open(&products, &flights, None).unwrap();
    assert!(partition.is_open(&all.template));
    assert!(!partition.is_open(&fine.template));
    // The open product is as if the other were not there.
    assert_eq!(bench.rows(&partition, &all), [["60", "6000"]]);
    let refused = &partition.report().refused;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].name, "fine");
    let reason = refused[0].reason.to_string();
    assert!(reason.contains("`carrier`, `month`"), "{reason}");
    let bound = fine.template.bind(&[]).unwrap();
    let place = bench.engine.enter().unwrap();
    assert!(block_on(bench.engine.answer(place, Arc::clone(&partition), bound)).is_err());
}

#[test]
fn numbers_of_entities_in_several_cells_need_rounding() {
    let sql = "SELECT carrier, count(distinct tailnum) AS e FROM flights GROUP BY carrier";
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").collect();
    flights.extend(fleet(20, 30, "DL"));
    for (round_to, opens) in [(1, false), (4, false), (5, true)] {
        let terms = lingqu_policy::Release::new(10, 50, round_to, 1_000).unwrap();
        let bench = Bench::new(rules_under(flights_policy().with_release(terms)));
        let product = bench.product("entities", sql);
        let partition = bench
            .open(std::slice::from_ref(&product), &flights, None)
            .unwrap();
        assert_eq!(partition.is_open(&product.template), opens, "{round_to}");
        if !opens {
            let reason = &partition.report().refused[0].reason;
            let wanted = ProductRefused::EntitiesOverlap { round_to_min: 5 };
            assert_eq!(*reason, wanted);
        }
        // Where nobody lies in two cells, they add up like everything else.
        let apart: Vec<Flight> = flights[..30].to_vec();
        let partition = bench
            .open(std::slice::from_ref(&product), &apart, None)
            .unwrap();
        assert!(partition.is_open(&product.template));
    }
}

#[test]
fn one_aircraft_alone_in_a_figure_hides_the_figure_everywhere_and_nothing_else() {
    let bench = Bench::new(lenient_rules());
    let by_carrier = bench.product("by_carrier", BY_CARRIER);
    let all = bench.product("all", ALL);
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 20, "DL")).collect();
    flights[45].distance = Some(5_000);
    let partition = bench
        .open(&[by_carrier.clone(), all.clone()], &flights, None)
        .unwrap();
    let shown = bench.rows(&partition, &by_carrier);
    assert_eq!(shown, [["DL", "20", "NULL"], ["UA", "30", "3000"]]);
    // The total less the visible part would be the dominated figure.
    assert_eq!(bench.rows(&partition, &all), [["50", "3000"]]);
}

#[test]
fn a_cell_of_one_sensitive_value_is_not_told_apart() {
    let policy = flights_policy()
        .with_sensitive("carrier")
        .unwrap()
        .with_release(lenient());
    let bench = Bench::new(rules_under(policy));
    let fine = bench.product(
        "fine",
        "SELECT origin, carrier, count(*) AS n FROM flights GROUP BY origin, carrier",
    );
    let by_origin = bench.product(
        "by_origin",
        "SELECT origin, count(*) AS n FROM flights GROUP BY origin",
    );
    let at = |origin: &'static str, flights: Vec<Flight>| {
        flights
            .into_iter()
            .map(move |flight| Flight { origin, ..flight })
    };
    let mixed = fleet(0, 15, "UA").chain(fleet(100, 15, "DL")).collect();
    let uniform = fleet(200, 20, "UA").collect();
    let flights: Vec<Flight> = at("EWR", mixed).chain(at("JFK", uniform)).collect();
    let partition = bench
        .open(&[fine.clone(), by_origin.clone()], &flights, None)
        .unwrap();
    // Everybody who is known to fly from JFK would be known to fly with UA.
    let shown = bench.rows(&partition, &fine);
    assert_eq!(shown, [["EWR", "DL", "15"], ["EWR", "UA", "15"]]);
    assert_eq!(
        bench.rows(&partition, &by_origin),
        [["EWR", "30"], ["JFK", "20"]]
    );
}

/// One flight per aircraft of a carrier, with these distances.
fn flown(first: usize, carrier: &'static str, distances: &[i64]) -> Vec<Flight> {
    let fleet = fleet(first, distances.len(), carrier).zip(distances);
    fleet
        .map(|(flight, distance)| Flight {
            distance: Some(*distance),
            ..flight
        })
        .collect()
}

/// Under a policy that publishes that no distance is below 4131 or above 21000.
fn between_bounds() -> Bench {
    let policy = flights_policy_within(4_131, 21_000);
    Bench::new(rules_under(policy.with_release(lenient())))
}

#[test]
fn a_sum_near_its_floor_or_ceiling_is_withheld_or_merged() {
    let bench = between_bounds();
    let by_carrier = bench.product("by_carrier", BY_CARRIER);
    let all = bench.product("all", ALL);
    let open = |flights: &[Flight]| {
        let partition = bench.open(&[by_carrier.clone(), all.clone()], flights, None);
        let partition = partition.unwrap();
        let shown = bench.rows(&partition, &by_carrier);
        (shown, bench.rows(&partition, &all))
    };
    let spread: Vec<i64> = (0..40).map(|at| 5_000 + at * 350).collect();
    let wide = flown(500, "DL", &spread);
    let wide_sum = spread.iter().sum::<i64>().to_string();
    let mut low = [4_131; 18];
    (low[15], low[16], low[17]) = (4_161, 5_019, 5_231);
    let mut high = [21_000; 18];
    (high[16], high[17]) = (20_000, 9_000);
    for (near, bound) in [(low, 4_131), (high, 21_000)] {
        // The second of the two that stand out would name the other within 1 percent.
        let guess = near.iter().sum::<i64>() - near[16] - 16 * bound;
        assert!((guess - near[17]).abs() * 100 <= near[17]);
        let one = [wide.clone(), flown(0, "UA", &near)].concat();
        let (shown, total) = open(&one);
        let wanted = [["DL", "40", wide_sum.as_str()], ["UA", "18", "NULL"]];
        assert_eq!(shown, wanted);
        // Nor does the total tell it by its difference to the part that is shown.
        assert_eq!(total, [["58", wide_sum.as_str()]]);
    }
    // Two carriers near the floor hide each other: neither is shown, both count in the total.
    let two = [wide.clone(), flown(0, "UA", &low), flown(100, "AA", &low)].concat();
    let (shown, total) = open(&two);
    assert_eq!(
        (shown[0][2].as_str(), shown[2][2].as_str()),
        ("NULL", "NULL")
    );
    let both = spread.iter().sum::<i64>() + 2 * low.iter().sum::<i64>();
    assert_eq!(total, [["76".to_owned(), both.to_string()]]);
}

#[test]
fn a_load_that_changes_a_sum_by_known_parts_waits() {
    let bench = between_bounds();
    let all = [bench.product("all", ALL)];
    let spread: Vec<i64> = (0..40).map(|at| 5_000 + at * 350).collect();
    let mut flights = flown(500, "DL", &spread);
    let before = bench.open(&all, &flights, None).unwrap();
    let mut low = [4_131; 18];
    (low[16], low[17]) = (5_019, 5_231);
    flights.extend(flown(0, "DL", &low));
    let after = bench.open(&all, &flights, Some(&before)).unwrap();
    assert!(after.report().cells_waiting > 0);
    assert_eq!(bench.rows(&after, &all[0]), bench.rows(&before, &all[0]));
}

#[test]
fn what_joins_and_what_does_not() {
    let bench = Bench::new(lenient_rules());
    let inner = bench.product(
        "inner",
        "SELECT state, count(*) AS n FROM flights JOIN airports ON origin = faa GROUP BY state",
    );
    let left = bench.product(
        "left",
        "SELECT state, count(*) AS n FROM flights LEFT JOIN airports ON origin = faa GROUP BY state",
    );
    let flights: Vec<Flight> = { fleet(0, 20, "UA") }
        .chain(fleet(100, 12, "UA").map(|flight| Flight {
            origin: "XXX",
            ..flight
        }))
        .collect();
    let partition = bench
        .open(&[inner.clone(), left.clone()], &flights, None)
        .unwrap();
    assert_eq!(bench.rows(&partition, &inner), [["NJ", "20"]]);
    assert_eq!(
        bench.rows(&partition, &left),
        [["NJ", "20"], ["NULL", "12"]]
    );
    // The engine's own plan says the same.
    let engine = engine(&flights);
    for product in [&inner, &left] {
        let plan = rows(&[run_template(&product.template, &engine, &[]).unwrap()]);
        assert_eq!(bench.rows(&partition, product), plan);
    }
}

#[test]
fn a_joined_table_with_a_key_twice_is_refused() {
    let bench = Bench::new(rules());
    let product = bench.product(
        "states",
        "SELECT state, count(*) AS n FROM flights JOIN airports ON origin = faa GROUP BY state",
    );
    let flights: Vec<Flight> = fleet(0, 20, "UA").collect();
    let mut tables = tables(&flights);
    let twice = [("EWR", "NJ"), ("EWR", "NY")];
    tables.insert("airports".to_owned(), table(airports(&twice)));
    let opened = block_on(bench.engine.partition(vec![product], tables, None));
    let wanted = ReadFailed::KeyTwice("airports".to_owned());
    assert_eq!(opened.unwrap_err(), PartitionRefused::Read(wanted));
}

#[test]
fn products_of_two_protected_tables_make_no_partition() {
    let bench = Bench::new(rules());
    let none = bench.open(&[], &[], None);
    assert_eq!(none.unwrap_err(), PartitionRefused::Products);
}

#[test]
fn nothing_of_the_rows_is_in_what_people_see() {
    let bench = Bench::new(rules());
    let product = bench.product("by_carrier", BY_CARRIER);
    let flights: Vec<Flight> = (0..40)
        .map(|tail| Flight {
            tail: Some(format!("{CANARY}-{tail}")),
            ..flight(tail)
        })
        .collect();
    let partition = bench.open(&[product], &flights, None).unwrap();
    assert!(!format!("{partition:?}").contains("CANARY"));
}

fn flights() -> impl Strategy<Value = Vec<Flight>> {
    let flight = (
        0..60_usize,
        prop::sample::select(vec!["AA", "DL", "ZZ"]),
        prop::sample::select(vec![1_i64, 2, 99]),
        prop::sample::select(vec!["EWR", "JFK", "XXX"]),
        prop::sample::select(vec!["2012-12-31", "2013-01-31", "2013-02-01", "2013-04-01"]),
        prop_oneof![4 => (1..=60_i64).prop_map(Some), 1 => Just(None)],
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
    prop::collection::vec(flight, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is shown is what the engine's plan shows, over the same argument; only less may be shown.
    #[test]
    fn what_is_shown_is_what_the_plan_shows(flights in flights()) {
        let bench = Bench::new(lenient_rules());
        let edges = || Allowed::Edges(vec![text("2013-01-01"), text("2013-02-01"), text("2013-04-01")]);
        let since = parameter("since", ParameterKind::Date, edges());
        let sql = "SELECT carrier, count(*) AS n, count(distance) AS c, sum(distance) AS s \
                   FROM flights WHERE flown >= $since GROUP BY carrier";
        let one = product("one", sql, vec![since], &bench.rules);
        let partition = bench.open(std::slice::from_ref(&one), &flights, None).unwrap();
        if !partition.is_open(&one.template) {
            return Ok(());
        }
        let engine = engine(&flights);
        for edge in ["2013-01-01", "2013-02-01", "2013-04-01"] {
            let args = [("since", text(edge))];
            let mine = bench.rows_for(&partition, &one, &args);
            let plan = rows(&[run_template(&one.template, &engine, &args).unwrap()]);
            for row in &mine {
                let full = plan.iter().find(|full| full[0] == row[0]);
                prop_assert!(full.is_some(), "{row:?}");
                for (shown, full) in row.iter().zip(full.unwrap()) {
                    let number = |text: &String| text.parse::<i64>().unwrap_or(0);
                    prop_assert!(shown == full || number(shown) <= number(full));
                }
            }
        }
    }
}

/// Of two blocks of one size, which one takes in what is too small must not depend on whose rows come first: a reader hands
/// them on as they come, and answers of two readings of the same rows would differ.
#[test]
fn the_order_of_rows_does_not_decide_which_cells_are_merged() {
    let all: Vec<Flight> = { fleet(0, 12, "AA") }
        .chain(fleet(20, 12, "DL"))
        .chain(fleet(40, 3, "UA"))
        .chain(fleet(60, 30, "ZZ"))
        .collect();
    let asked = |flights: &[Flight]| {
        let bench = Bench::new(lenient_rules());
        let whole = bench.product("whole", "SELECT count(*) AS n FROM flights");
        let sql =
            "SELECT carrier, count(*) AS n, count(distance) AS d FROM flights GROUP BY carrier";
        let by_carrier = bench.product("by_carrier", sql);
        // All is one block at first, which has to be filled when there are more products.
        let first = bench
            .open(std::slice::from_ref(&whole), flights, None)
            .unwrap();
        let both = [whole, by_carrier];
        let second = bench.open(&both, flights, Some(&first)).unwrap();
        assert_eq!(second.report().refused, []);
        bench.rows(&second, &both[1])
    };
    let reversed: Vec<Flight> = all.iter().rev().cloned().collect();
    let one = asked(&all);
    assert_eq!(one.len(), 2, "{one:?}");
    assert_eq!(one, asked(&reversed));
    let shifted: Vec<Flight> = [&all[12..], &all[..12]].concat();
    assert_eq!(one, asked(&shifted));
}

/// OR over one column is the list of its values, also in the cells that it makes; and NOT takes no NULL.
#[test]
fn a_choice_of_one_column_makes_the_cells_of_a_list() {
    let all: Vec<Flight> = { fleet(0, 15, "AA") }
        .chain(fleet(20, 15, "DL"))
        .chain(fleet(40, 15, "UA"))
        .chain(fleet(60, 15, "ZZ"))
        .collect();
    let told = |condition: &str| {
        let bench = Bench::new(lenient_rules());
        let sql = format!("SELECT count(*) AS n FROM flights WHERE {condition}");
        let product = bench.product("one", &sql);
        let partition = bench
            .open(std::slice::from_ref(&product), &all, None)
            .unwrap();
        let atoms = partition.settled.register.atoms.len();
        (atoms, bench.rows(&partition, &product))
    };
    let listed = told("carrier IN ('AA', 'DL')");
    assert_eq!(listed, (2, vec![vec!["30".to_owned()]]));
    for same in [
        "carrier = 'AA' OR carrier = 'DL'",
        "carrier = 'DL' OR carrier IN ('AA', 'DL')",
        "NOT (carrier <> 'AA' AND NOT carrier = 'DL')",
        "(carrier = 'AA' OR carrier = 'DL') AND NOT (carrier = 'UA' AND carrier = 'AA')",
    ] {
        assert_eq!(told(same), listed, "{same}");
    }
    // What nobody declared is a value, too. Both must hold, and each is told apart by itself.
    assert_eq!(told("NOT (carrier = 'AA' OR carrier = 'DL')").1, [["30"]]);
    assert_eq!(told("carrier = 'AA' OR NOT carrier = 'DL'").1, [["45"]]);
}

/// A block counts where all of it is asked about, whatever the columns are by which that is decided.
#[test]
fn a_choice_of_several_columns_counts_whole_blocks() {
    let of = |first: usize, count: usize, carrier: &'static str, month: i64| {
        fleet(first, count, carrier).map(move |flight| Flight { month, ..flight })
    };
    // Six of AA in February and six in March are too few for cells of their own, and are one block.
    let all: Vec<Flight> = { of(0, 20, "AA", 1) }
        .chain(of(20, 6, "AA", 2))
        .chain(of(30, 6, "AA", 3))
        .chain(of(40, 20, "DL", 2))
        .chain(of(60, 20, "DL", 3))
        .collect();
    let bench = Bench::new(lenient_rules());
    let ask = |condition: &str| {
        let by_both = "SELECT carrier, month, count(*) AS n FROM flights GROUP BY carrier, month";
        let by_both = bench.product("by_both", by_both);
        let sql = format!("SELECT count(*) AS n FROM flights WHERE {condition}");
        let product = bench.product("one", &sql);
        let both = [by_both, product.clone()];
        let partition = bench.open(&both, &all, None).unwrap();
        bench.rows(&partition, &product)
    };
    assert_eq!(ask("carrier = 'AA' OR month = 2"), [["52"]]);
    assert_eq!(ask("NOT (carrier = 'AA' OR month = 2)"), [["20"]]);
    // Of the twelve, half is asked about.
    assert_eq!(ask("carrier = 'DL' OR month = 2"), [["40"]]);
    assert_eq!(ask("NOT (carrier = 'DL' OR month = 2)"), [["20"]]);
    assert_eq!(
        ask("carrier = 'AA' AND month = 1 OR carrier = 'DL' AND month = 2"),
        [["40"]]
    );
}
