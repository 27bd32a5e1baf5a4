//! An audit by answers alone: two registers that differ in one aircraft, many answers over each, and the largest ε that
//! they prove. A correct mechanism stays below what ρ claims; mechanisms with half the noise, without limits, or that
//! leave out empty groups are each found, which shows what the audit can see.
//!
//! Answers over either register are put on the one line on which Gaussians differ most, the ratio of their likelihoods.
//! On one half of them the threshold is chosen whose event proves most, on the other half it is counted. With D and D′
//! the shares of the event over both registers, (ε, δ)-DP means D ≤ e^ε·D′ + δ; the bounds are Clopper and Pearson's.

use super::super::accounting::epsilon;
use super::super::plan::Plan;
use super::super::product::blur;
use super::tail::{share_high, share_low};
use super::{engine, open, plan, register, seeded, terms, totals};
use crate::dp::{DpProduct, DpTemplate, DpTerms};
use crate::tests::register::{Flight, block_on, flight};

/// At which δ the claim is held.
const DELTA: f64 = 0.01;
/// Answers over each of the two registers: 2·10⁵ runs in all.
const RUNS: usize = 100_000;
/// Answers over each of the two through the whole engine: 2,000 in all.
const PRODUCT_RUNS: usize = 1_000;

const SQL: &str = "SELECT carrier, count(distinct tailnum) AS n FROM flights GROUP BY carrier";
const CARRIERS: [&str; 3] = ["AA", "DL", "UA"];

/// An aircraft that flies for every airline, three times each.
fn target() -> Vec<Flight> {
    let mut flights = Vec::new();
    for carrier in CARRIERS {
        flights.extend((0..3).map(|_| Flight {
            carrier,
            ..flight(999)
        }));
    }
    flights
}

/// Forty others, all for one airline: two declared groups have nobody in them.
fn others() -> Vec<Flight> {
    (0..40).map(flight).collect()
}

struct Pair {
    template: DpTemplate,
    with: Vec<i128>,
    without: Vec<i128>,
}

fn pair(sql: &str, terms: &DpTerms) -> Pair {
    let (engine, template) = (engine(), register(sql, terms));
    let without = totals(&open(&engine, &template, &others()), &[]);
    let mut flights = others();
    flights.extend(target());
    let with = totals(&open(&engine, &template, &flights), &[]);
    Pair {
        template,
        with,
        without,
    }
}

/// Where an answer lies between the two registers: the sum of differences over variances.
fn line(plan: &Plan, with: &[i128], without: &[i128]) -> Vec<f64> {
    let variance = |at: usize| {
        let (over, under) = plan.sigma(at % plan.numbers.len());
        (over as f64 / under as f64).powi(2)
    };
    let differences = with.iter().zip(without).enumerate();
    differences
        .map(|(at, (one, other))| (one - other) as f64 / variance(at))
        .collect()
}

fn on_line(answer: &[i128], zero: &[i128], line: &[f64]) -> f64 {
    let parts = answer.iter().zip(zero).zip(line);
    parts
        .map(|((one, zero), weight)| (one - zero) as f64 * weight)
        .sum()
}

/// The largest ε at [`DELTA`] that the answers prove, wrong with probability 2·`alpha` at most. Answers are numbers on a
/// line; of both registers as many.
fn proven(with: &[f64], without: &[f64], alpha: f64) -> f64 {
    let half = with.len() / 2;
    let (choose_with, count_with) = with.split_at(half);
    let (choose_without, count_without) = without.split_at(half);
    let mut sorted: Vec<f64> = choose_with.iter().chain(choose_without).copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    let candidates = sorted.iter().step_by((sorted.len() / 200).max(1));
    let above = |answers: &[f64], threshold: f64| {
        answers
            .iter()
            .filter(|answer| **answer >= threshold)
            .count()
    };
    let told = |low: f64, high: f64| ((low - DELTA).max(0.0) / high).ln();
    let proves = |one: &[f64], other: &[f64], threshold: f64| {
        let (hits, misses) = (above(one, threshold), above(other, threshold));
        let up = told(
            share_low(hits, one.len(), alpha),
            share_high(misses, other.len(), alpha),
        );
        let (hits, misses) = (other.len() - misses, one.len() - hits);
        let down = told(
            share_low(hits, other.len(), alpha),
            share_high(misses, one.len(), alpha),
        );
        up.max(down)
    };
    let best = candidates.copied().max_by(|one, other| {
        let of = |threshold: &f64| proves(choose_with, choose_without, *threshold);
        of(one).total_cmp(&of(other))
    });
    proves(count_with, count_without, best.expect("there are answers"))
}

fn claimed(terms: &DpTerms) -> f64 {
    epsilon(terms.rho.0 as f64 / 1e6, DELTA)
}

/// So many answers of the mechanism over these totals, on the line.
fn answers(
    totals: &[i128],
    zero: &[i128],
    line: &[f64],
    (plan, runs, seed): (&Plan, usize, u64),
) -> Vec<f64> {
    let mut random = seeded(seed);
    (0..runs)
        .map(|_| {
            let mut numbers = totals.to_vec();
            blur(&mut numbers, plan, &mut random).unwrap();
            on_line(&numbers, zero, line)
        })
        .collect()
}

/// What a mechanism that noises as `plan` says proves of these two registers.
fn audited(with: &[i128], without: &[i128], plan: &Plan, runs: usize) -> f64 {
    let line = line(plan, with, without);
    let one = answers(with, without, &line, (plan, runs, 1));
    let other = answers(without, without, &line, (plan, runs, 2));
    proven(&one, &other, 1e-6)
}

/// The entire group in which the two registers differ, so that draws are not wasted on the others.
fn differing(pair: &Pair) -> (Vec<i128>, Vec<i128>) {
    let parts = pair.with.iter().zip(&pair.without);
    parts
        .filter(|(one, other)| one != other)
        .map(|(one, other)| (*one, *other))
        .unzip()
}

#[test]
fn the_mechanism_keeps_its_claim_in_two_hundred_thousand_answers() {
    let terms = terms();
    let pair = pair(SQL, &terms);
    let (with, without) = differing(&pair);
    assert_eq!((with.len(), without.len()), (1, 1));
    let found = audited(&with, &without, plan(&pair.template), RUNS);
    println!(
        "proven ε {found:.3}, claimed {:.3} at δ = {DELTA}",
        claimed(&terms)
    );
    assert!(found <= claimed(&terms), "{found}");
    // The audit sees: what it proves is near the true ε of a Gaussian one σ apart, 2.2 at this δ.
    assert!(found > 1.7, "{found}");
}

#[test]
fn a_mechanism_with_half_the_noise_is_found() {
    let terms = terms();
    let pair = pair(SQL, &terms);
    let (with, without) = differing(&pair);
    let mut half = plan(&pair.template).clone();
    half.multiplier /= 2;
    let found = audited(&with, &without, &half, RUNS / 5);
    assert!(found > claimed(&terms), "{found}");
}

#[test]
fn a_mechanism_without_limits_is_found() {
    let terms = DpTerms {
        rows_per_entity_max: 1,
        ..terms()
    };
    let sql = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier";
    let pair = pair(sql, &terms);
    let (with, without) = differing(&pair);
    let found = audited(&with, &without, plan(&pair.template), RUNS / 5);
    assert!(found <= claimed(&terms), "{found}");
    // All rows of the aircraft count, in all of its groups.
    let unlimited: Vec<i128> = pair
        .without
        .iter()
        .enumerate()
        .map(|(at, n)| {
            let flies = at < CARRIERS.len();
            n + i128::from(flies) * 3
        })
        .collect();
    let found = audited(&unlimited, &pair.without, plan(&pair.template), RUNS / 20);
    assert!(found > claimed(&terms), "{found}");
}

#[test]
fn a_mechanism_that_leaves_out_empty_groups_is_found() {
    let terms = terms();
    let found = |skips: bool| {
        let seen = |flights: &[Flight], seed: u64| -> Vec<f64> {
            let (engine, template) = (engine(), register(SQL, &terms));
            let totals = totals(&open(&engine, &template, flights), &[]);
            let mut random = seeded(seed);
            let answer = |_| {
                let mut numbers = totals.clone();
                blur(&mut numbers, plan(&template), &mut random).unwrap();
                // The auditor looks whether the group of an aircraft that flies for nobody else is there.
                let shown = totals.iter().filter(|total| !skips || **total != 0);
                shown.count() as f64
            };
            (0..PRODUCT_RUNS * 2).map(answer).collect()
        };
        let lone = Flight {
            carrier: "AA",
            ..flight(999)
        };
        let mut with = others();
        with.push(lone);
        proven(&seen(&with, 1), &seen(&others(), 2), 1e-6)
    };
    assert!(found(true) > claimed(&terms));
    assert!(found(false) <= claimed(&terms));
}

/// Answers of the whole product: the engine, its randomness, what leaves.
fn whole(product: DpProduct, zero: &[i128], line: &[f64]) -> Vec<f64> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let (engine, product) = (engine(), std::sync::Arc::new(product));
    let answer = |_| {
        let bound = product.template().bind(&[]).unwrap();
        let place = engine.enter().unwrap();
        let rows = block_on(engine.answer_dp(place, product.clone(), bound)).unwrap();
        let numbers = rows.column(1).as_primitive::<Int64Type>();
        let numbers: Vec<i128> = numbers.values().iter().map(|n| i128::from(*n)).collect();
        on_line(&numbers, zero, line)
    };
    (0..PRODUCT_RUNS).map(answer).collect()
}

/// Fresh randomness in every run, so the bounds are wrong with 10⁻⁹ at most. At 2,000 answers the audit finds what is
/// grossly wrong: no noise, no limits, a group too few.
#[test]
fn the_whole_product_keeps_its_claim_in_two_thousand_answers() {
    let terms = terms();
    let pair = pair(SQL, &terms);
    let line = line(plan(&pair.template), &pair.with, &pair.without);
    let engine = engine();
    let mut flights = others();
    let without = open(&engine, &pair.template, &flights);
    flights.extend(target());
    let with = open(&engine, &pair.template, &flights);
    // Each engine chooses for itself the group in which the aircraft counts; the line must know which.
    let truth = totals(&with, &[]);
    let line = match truth == pair.with {
        true => line,
        false => self::line(plan(&pair.template), &truth, &pair.without),
    };
    let with = whole(with, &pair.without, &line);
    let without = whole(without, &pair.without, &line);
    let found = proven(&with, &without, 5e-10);
    println!("proven ε {found:.3} of {:.3}", claimed(&terms));
    assert!(found <= claimed(&terms), "{found}");
    // So few answers prove next to nothing of what is right, by chance not even that; but had there been no noise, this
    // many would have shown it.
    let bare = |totals: &[i128]| vec![on_line(totals, &pair.without, &line); PRODUCT_RUNS];
    let found = proven(&bare(&truth), &bare(&pair.without), 5e-10);
    assert!(found > claimed(&terms), "{found}");
}
