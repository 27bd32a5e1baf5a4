//! The accountant against PyPI `dp-accounting`: `tests/data/dp/accounting.csv`, which `cargo xtask accounting` makes.

use std::fs;
use std::path::Path;

use super::super::accounting::{epsilon, epsilon_text};

/// ρ, δ and the ε of `dp-accounting`.
fn table() -> Vec<[f64; 3]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/dp/accounting.csv");
    let text = fs::read_to_string(path).unwrap();
    let number = |text: &str| text.parse::<f64>().unwrap();
    let row = |line: &str| {
        let numbers: Vec<f64> = line.split(',').map(number).collect();
        numbers.try_into().unwrap()
    };
    text.lines()
        .filter(|line| !line.starts_with(['#', 'r']))
        .map(row)
        .collect()
}

#[test]
fn rho_means_what_the_accountant_of_others_says() {
    let rows = table();
    assert!(rows.len() >= 60, "{}", rows.len());
    for [rho, delta, theirs] in rows {
        let ours = epsilon(rho, delta);
        // Theirs is the least over a grid of α, so it is never below ours but for the last digits that are written.
        assert!(
            ours <= theirs * (1.0 + 1e-9) + 1e-12,
            "ρ {rho}, δ {delta}: {ours} above {theirs}"
        );
        assert!(
            ours >= theirs * 0.999,
            "ρ {rho}, δ {delta}: {ours} below {theirs}"
        );
    }
}

#[test]
fn it_is_never_above_the_closed_form_and_grows() {
    let closed = |rho: f64, delta: f64| rho + 2.0 * (rho * (1.0 / delta).ln()).sqrt();
    for delta in [1e-12, 1e-9, 1e-6, 1e-3] {
        let mut before = 0.0;
        for step in 0..60 {
            let rho = 1e-6 * 1.4_f64.powi(step);
            let found = epsilon(rho, delta);
            assert!(
                found <= closed(rho, delta) && found >= before,
                "{rho} {delta}: {found}"
            );
            before = found;
        }
    }
    // As in the design's arithmetic: ε of 1 and 8 at 10⁻⁶ by the closed form.
    assert!(epsilon(0.0174, 1e-6) < 1.0 && epsilon(0.0174, 1e-6) > 0.8);
    assert!(epsilon(0.91, 1e-6) < 8.0 && epsilon(0.91, 1e-6) > 7.0);
}

#[test]
fn what_is_no_budget_is_no_epsilon() {
    assert_eq!(epsilon(0.0, 1e-6), 0.0);
    assert_eq!(epsilon(f64::NAN, 1e-6), 0.0);
    assert_eq!(epsilon(1.0, 0.0), f64::INFINITY);
    assert_eq!(epsilon_text(0.0, 1e-6), "0.000");
    let shown: f64 = epsilon_text(0.25, 1e-6).parse().unwrap();
    assert!(shown >= epsilon(0.25, 1e-6) && shown < epsilon(0.25, 1e-6) + 0.001);
}
