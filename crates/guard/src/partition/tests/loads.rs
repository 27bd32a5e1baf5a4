//! New loads: what gives way and what waits; products that come later.

use super::*;

const BY_CARRIER: &str =
    "SELECT carrier, count(*) AS n, sum(distance) AS s FROM flights GROUP BY carrier";

fn setting() -> (Bench, StatisticProduct) {
    let bench = Bench::new(lenient_rules());
    let product = bench.product("by_carrier", BY_CARRIER);
    (bench, product)
}

#[test]
fn a_cell_in_which_few_entities_change_waits() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 30, "DL")).collect();
    let before = bench.open(&products, &flights, None).unwrap();
    // One aircraft more with one carrier, twelve more with the other.
    flights.extend(fleet(500, 1, "UA").chain(fleet(600, 12, "DL")));
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(
        bench.rows(&after, &product),
        [["DL", "42", "4200"], ["UA", "30", "3000"]]
    );
    assert_eq!(after.report().cells_waiting, 1);
    // The next load brings enough others: together they may be seen.
    flights.extend(fleet(700, 9, "UA"));
    let then = bench.open(&products, &flights, Some(&after)).unwrap();
    assert_eq!(
        bench.rows(&then, &product),
        [["DL", "42", "4200"], ["UA", "40", "4000"]]
    );
    assert_eq!(then.report().cells_waiting, 0);
}

#[test]
fn a_correction_of_one_entity_waits() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").collect();
    let before = bench.open(&products, &flights, None).unwrap();
    flights[7].distance = Some(140);
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(bench.rows(&after, &product), [["UA", "30", "3000"]]);
    assert_eq!(after.report().cells_waiting, 1);
}

#[test]
fn one_entity_that_leaves_waits_even_if_its_cell_becomes_too_small() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let mut flights: Vec<Flight> = fleet(0, 10, "UA").collect();
    let before = bench.open(&products, &flights, None).unwrap();
    flights.pop();
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(bench.rows(&after, &product), [["UA", "10", "1000"]]);
    assert_eq!(after.report().cells_waiting, 1);
}

#[test]
fn a_change_that_one_entity_dominates_waits() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").collect();
    let before = bench.open(&products, &flights, None).unwrap();
    for (tail, flight) in flights.iter_mut().enumerate().take(12) {
        flight.distance = Some(if tail == 3 { 500 } else { 101 });
    }
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(bench.rows(&after, &product), [["UA", "30", "3000"]]);
}

#[test]
fn the_same_load_again_changes_nothing() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 4, "DL")).collect();
    let before = bench.open(&products, &flights, None).unwrap();
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(bench.rows(&after, &product), bench.rows(&before, &product));
    assert_eq!(after.report(), before.report());
}

#[test]
fn what_was_withheld_stays_so_until_it_can_stand_alone() {
    let (bench, product) = setting();
    let products = [product.clone()];
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 4, "DL")).collect();
    let before = bench.open(&products, &flights, None).unwrap();
    assert_eq!(bench.rows(&before, &product), [["UA", "30", "3000"]]);
    flights.extend(fleet(110, 6, "DL"));
    let after = bench.open(&products, &flights, Some(&before)).unwrap();
    assert_eq!(
        bench.rows(&after, &product),
        [["DL", "10", "1000"], ["UA", "30", "3000"]]
    );
}

#[test]
fn a_product_that_comes_later_splits_only_what_stays_whole() {
    let (bench, product) = setting();
    let at = |origin: &'static str, first: usize, count: usize| {
        fleet(first, count, "UA").map(move |flight| Flight { origin, ..flight })
    };
    let finer = bench.product(
        "finer",
        "SELECT carrier, origin, count(*) AS n FROM flights GROUP BY carrier, origin",
    );
    let flights: Vec<Flight> = at("EWR", 0, 20)
        .chain(at("JFK", 100, 15))
        .chain(at("LGA", 200, 3))
        .collect();
    let before = bench
        .open(std::slice::from_ref(&product), &flights, None)
        .unwrap();
    assert_eq!(bench.rows(&before, &product), [["UA", "38", "3800"]]);
    let both = [product.clone(), finer.clone()];
    let after = bench.open(&both, &flights, Some(&before)).unwrap();
    // The total is known, so the three of LGA may not be the difference to what is shown: they hide in JFK's cell,
    // which is then not shown.
    assert_eq!(bench.rows(&after, &product), [["UA", "38", "3800"]]);
    assert_eq!(bench.rows(&after, &finer), [["UA", "EWR", "20"]]);
}

#[test]
fn a_product_that_comes_with_a_new_figure_over_waiting_cells_has_none_there() {
    let (bench, _) = setting();
    let counts = bench.product(
        "counts",
        "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier",
    );
    let sums = bench.product("sums", BY_CARRIER);
    let mut flights: Vec<Flight> = fleet(0, 30, "UA").chain(fleet(100, 30, "DL")).collect();
    let before = bench
        .open(std::slice::from_ref(&counts), &flights, None)
        .unwrap();
    flights.extend(fleet(500, 1, "UA"));
    let both = [counts, sums.clone()];
    let after = bench.open(&both, &flights, Some(&before)).unwrap();
    assert_eq!(
        bench.rows(&after, &sums),
        [["DL", "30", "3000"], ["UA", "30", "NULL"]]
    );
}

#[test]
fn another_table_or_domain_is_not_compared() {
    let (bench, product) = setting();
    let flights: Vec<Flight> = fleet(0, 30, "UA").collect();
    let before = bench.open(&[product], &flights, None).unwrap();
    let mut rules = lenient_rules();
    let months = lingqu_policy::Domain::integers(vec![1, 2]).unwrap();
    let mut policy = lingqu_policy::Policy::new(
        rules[0]
            .policy
            .columns()
            .map(|(name, uses)| (name.to_owned(), uses)),
        ["AUDIT".to_owned()],
        rules[0].policy.audit(),
        600,
    )
    .unwrap()
    .with_domain("carrier", texts(&["UA"]))
    .unwrap();
    policy = policy
        .with_domain("month", months)
        .unwrap()
        .with_release(lenient());
    rules[0].policy = Arc::new(policy);
    let sql = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier";
    let other = super::product("other", sql, Vec::new(), &rules);
    let opened = bench.open(&[other], &flights, Some(&before));
    assert_eq!(opened.unwrap_err(), PartitionRefused::Unrelated);
}
