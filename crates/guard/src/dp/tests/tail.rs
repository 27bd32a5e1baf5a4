//! What an auditor computes: exact confidence bounds of a share, and tails of the χ² distribution.

/// ln Γ(x) for x > 0 (Lanczos).
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.001_208_650_973_866_179,
        -0.000_005_395_239_384_953,
    ];
    let base = x + 5.5;
    let mut series = 1.000_000_000_190_015;
    for (at, coefficient) in COEFFICIENTS.iter().enumerate() {
        series += coefficient / (x + 1.0 + at as f64);
    }
    (2.506_628_274_631_000_5 * series / x).ln() + (x + 0.5) * base.ln() - base
}

/// The regularised incomplete beta function, by its continued fraction.
fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    let tiny = 1e-300;
    let (mut c, mut d) = (1.0, 1.0 - (a + b) * x / (a + 1.0));
    d = 1.0 / if d.abs() < tiny { tiny } else { d };
    let mut fraction = d;
    for step in 1..500 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 + term * d;
            d = 1.0 / if d.abs() < tiny { tiny } else { d };
            c = 1.0 + term / c;
            c = if c.abs() < tiny { tiny } else { c };
            change = d * c;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front.exp() * fraction / a
}

fn solve(mut below: impl FnMut(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle
        } else {
            high = middle
        }
    }
    f64::midpoint(low, high)
}

/// Clopper–Pearson: the share is not below this, wrong with probability `alpha` at most.
pub(super) fn share_low(hits: usize, of: usize, alpha: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    let (hits, misses) = (hits as f64, (of - hits) as f64);
    solve(|p| beta_below(hits, misses + 1.0, p) < alpha)
}

/// Clopper–Pearson: the share is not above this, wrong with probability `alpha` at most.
pub(super) fn share_high(hits: usize, of: usize, alpha: f64) -> f64 {
    if hits == of {
        return 1.0;
    }
    let (hits, misses) = (hits as f64, (of - hits) as f64);
    solve(|p| beta_below(hits + 1.0, misses, p) < 1.0 - alpha)
}

/// The number of standard deviations by which χ² lies above what is expected (Wilson and Hilferty).
pub(super) fn chi_square_deviation(statistic: f64, freedom: f64) -> f64 {
    let part = 2.0 / (9.0 * freedom);
    ((statistic / freedom).cbrt() - (1.0 - part)) / part.sqrt()
}

#[test]
fn shares_are_bounded_as_in_printed_tables() {
    // Clopper and Pearson for 5 of 20 and 0 of 10 at 95 %, two-sided.
    assert!((share_low(5, 20, 0.025) - 0.0866).abs() < 1e-4);
    assert!((share_high(5, 20, 0.025) - 0.4910).abs() < 1e-4);
    assert!((share_high(0, 10, 0.025) - 0.3085).abs() < 1e-4);
    assert!((share_low(10, 10, 0.025) - 0.6915).abs() < 1e-4);
    // The upper 5 % and 0.1 % points of χ² with ten degrees are 18.307 and 29.588.
    assert!((chi_square_deviation(18.307, 10.0) - 1.645).abs() < 0.01);
    assert!((chi_square_deviation(29.588, 10.0) - 3.090).abs() < 0.03);
}
