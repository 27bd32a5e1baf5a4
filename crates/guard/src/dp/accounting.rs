//! What ρ means as (ε, δ). For people: nothing that is charged or released is computed here.
//!
//! ρ of several answers over one space add up. A ρ-zCDP mechanism is (ε, δ)-DP for every δ with the ε of Canonne, Kamath
//! and Steinke, Proposition 12: the least over α > 1 of ρα + (ln(1/δ) + (α−1)·ln(1−1/α) − ln α)/(α−1). Each α gives a
//! true bound, so a search that stops early tells an ε that is too large, never one too small.

/// Steps of the search. Each leaves less than 0.62 of the interval.
const STEPS: usize = 200;
/// The golden ratio less one.
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// An ε such that ρ-zCDP is (ε, δ)-DP, with δ between 0 and 1; within 10⁻⁹ of the least that Proposition 12 gives.
pub fn epsilon(rho: f64, delta: f64) -> f64 {
    if rho.is_nan() || rho <= 0.0 {
        return 0.0;
    }
    if delta.is_nan() || delta <= 0.0 {
        return f64::INFINITY;
    }
    // ln(α−1), since the best α lies anywhere between just above one and very large.
    let (mut low, mut high) = (-30.0_f64, 60.0_f64);
    for _ in 0..STEPS {
        let span = (high - low) * GOLDEN;
        let (one, other) = (high - span, low + span);
        if at(rho, delta, one) < at(rho, delta, other) {
            high = other;
        } else {
            low = one;
        }
    }
    at(rho, delta, f64::midpoint(low, high)).max(0.0)
}

/// The bound of one α = 1 + eˣ.
fn at(rho: f64, delta: f64, x: f64) -> f64 {
    let above = x.exp();
    let alpha = 1.0 + above;
    // ln(1−1/α) = ln((α−1)/α)
    let entropy = x - alpha.ln();
    rho * alpha + entropy - (delta.ln() + alpha.ln()) / above
}

/// The same in words of three digits after the point, rounded up.
pub fn epsilon_text(rho: f64, delta: f64) -> String {
    let epsilon = epsilon(rho, delta);
    format!("{:.3}", (epsilon * 1_000.0).ceil() / 1_000.0)
}
