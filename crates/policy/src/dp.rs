//! The privacy budget of a resource: how much all differentially private answers over its entity spaces may cost
//! together, for ever.
//!
//! Costs are those of zero-concentrated differential privacy (zCDP; Bun and Steinke, 2016): they add up, whoever asks.
//! They are whole millionths of ρ, so that no sum is ever rounded. A resource without a budget answers no such
//! statistic. Several resources compose to the strictest ([`DpBudget::meet`]).

use std::fmt;
use std::str::FromStr;

/// Millionths in one ρ.
const MICROS: u64 = 1_000_000;
/// Digits behind the point.
const DIGITS: usize = 6;

/// A cost or a budget of zCDP in millionths of ρ.
///
/// As text it is a decimal number with at most six digits behind the point, `0.05`. Sums are checked, never wrapped and
/// never rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroRho(pub u64);

/// A text is no number of ρ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number of ρ has digits and at most six more behind a point, as in `0.05`")]
pub struct MicroRhoMalformed;

impl MicroRho {
    /// Nothing.
    pub const ZERO: MicroRho = MicroRho(0);

    /// The sum; none if it cannot be counted.
    #[must_use]
    pub fn checked_add(self, other: MicroRho) -> Option<MicroRho> {
        self.0.checked_add(other.0).map(MicroRho)
    }

    /// What is left of this after `spent`: nothing if more was spent.
    #[must_use]
    pub fn left_after(self, spent: MicroRho) -> MicroRho {
        MicroRho(self.0.saturating_sub(spent.0))
    }

    /// Whether `more` fits under this limit on top of `spent`. A sum that cannot be counted does not.
    #[must_use]
    pub fn has_room(self, spent: MicroRho, more: MicroRho) -> bool {
        spent.checked_add(more).is_some_and(|sum| sum <= self)
    }
}

impl fmt::Display for MicroRho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / MICROS, self.0 % MICROS);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let rest = format!("{rest:06}");
        write!(f, "{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl FromStr for MicroRho {
    type Err = MicroRhoMalformed;

    fn from_str(text: &str) -> Result<MicroRho, MicroRhoMalformed> {
        let (whole, rest) = match text.split_once('.') {
            Some((whole, rest)) => (whole, Some(rest)),
            None => (text, None),
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let rest = rest.unwrap_or("0");
        if !is_number(whole) || !is_number(rest) || rest.len() > DIGITS {
            return Err(MicroRhoMalformed);
        }
        let whole: u64 = whole.parse().map_err(|_| MicroRhoMalformed)?;
        let micros: u64 = format!("{rest:0<6}")
            .parse()
            .map_err(|_| MicroRhoMalformed)?;
        let sum = whole
            .checked_mul(MICROS)
            .and_then(|whole| whole.checked_add(micros));
        sum.map(MicroRho).ok_or(MicroRhoMalformed)
    }
}

/// How much may be learned of the entities of a resource's spaces, by everybody together.
///
/// The account is the space's and not the resource's: what was spent on one table of persons is spent for all of them,
/// and it stays spent, whatever later version of a policy is signed. A later version may raise the total, and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DpBudget {
    rho_total: MicroRho,
    delta_exponent: u8,
}

/// A number of a privacy budget is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be between {floor} and {ceiling}")]
pub struct DpBudgetRefused {
    /// The number's name.
    pub field: &'static str,
    /// Its smallest value.
    pub floor: MicroRhoOrCount,
    /// Its largest value.
    pub ceiling: MicroRhoOrCount,
}

/// A bound in the unit of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MicroRhoOrCount {
    /// Of ρ.
    Rho(MicroRho),
    /// A plain number.
    Count(u8),
}

impl fmt::Display for MicroRhoOrCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MicroRhoOrCount::Rho(rho) => rho.fmt(f),
            MicroRhoOrCount::Count(count) => count.fmt(f),
        }
    }
}

impl DpBudget {
    /// Largest total: 1,000 ρ. Far below it nothing of privacy is left; it bounds mistakes, not risk.
    pub const RHO_TOTAL_MAX: MicroRho = MicroRho(1_000 * MICROS);
    /// Smallest exponent of δ: 10⁻⁵.
    pub const DELTA_EXPONENT_MIN: u8 = 5;
    /// Largest.
    pub const DELTA_EXPONENT_MAX: u8 = 18;

    /// A budget of `rho_total`, told to people as (ε, δ) with δ = 10^-`delta_exponent`. δ should be well below one over
    /// the number of entities; it changes what is told and nothing that is answered.
    ///
    /// # Errors
    /// [`DpBudgetRefused`] for a total of zero or above [`Self::RHO_TOTAL_MAX`], or an exponent outside 5 to 18.
    pub fn new(rho_total: MicroRho, delta_exponent: u8) -> Result<DpBudget, DpBudgetRefused> {
        if rho_total == MicroRho::ZERO || rho_total > Self::RHO_TOTAL_MAX {
            return Err(DpBudgetRefused {
                field: "rho_total",
                floor: MicroRhoOrCount::Rho(MicroRho(1)),
                ceiling: MicroRhoOrCount::Rho(Self::RHO_TOTAL_MAX),
            });
        }
        if !(Self::DELTA_EXPONENT_MIN..=Self::DELTA_EXPONENT_MAX).contains(&delta_exponent) {
            return Err(DpBudgetRefused {
                field: "delta_exponent",
                floor: MicroRhoOrCount::Count(Self::DELTA_EXPONENT_MIN),
                ceiling: MicroRhoOrCount::Count(Self::DELTA_EXPONENT_MAX),
            });
        }
        Ok(DpBudget {
            rho_total,
            delta_exponent,
        })
    }

    /// What all callers together may spend on each entity space of the resource, per class of environments.
    pub fn rho_total(self) -> MicroRho {
        self.rho_total
    }

    /// The n of δ = 10⁻ⁿ.
    pub fn delta_exponent(self) -> u8 {
        self.delta_exponent
    }

    /// δ, for telling people.
    pub fn delta(self) -> f64 {
        10_f64.powi(-i32::from(self.delta_exponent))
    }

    /// The ε for this δ that spending all of it amounts to: ρ + 2·√(ρ·ln(1/δ)) (Bun and Steinke, Proposition 1.3), an
    /// upper bound. For telling people; nothing is decided by it.
    pub fn epsilon(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a total has at most 30 bits, which a float holds exactly"
        )]
        let rho = self.rho_total.0 as f64 / MICROS as f64;
        rho + 2.0 * (rho * f64::from(self.delta_exponent) * std::f64::consts::LN_10).sqrt()
    }

    /// What satisfies both: the smaller total and the smaller δ.
    #[must_use]
    pub fn meet(self, other: DpBudget) -> DpBudget {
        DpBudget {
            rho_total: self.rho_total.min(other.rho_total),
            delta_exponent: self.delta_exponent.max(other.delta_exponent),
        }
    }
}

#[cfg(test)]
mod tests;
