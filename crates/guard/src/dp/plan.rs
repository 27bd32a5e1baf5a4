//! How much noise: from the statement, the policy and the product alone.
//!
//! Two tables are neighbours if one has all rows of one more entity. That entity changes at most `groups_per_entity_max`
//! groups, and in each of them every number by at most its sensitivity Δ, since what it contributes is brought into
//! `[low, high]`, an interval that holds zero. Each of the m numbers of a group gets noise of σ = Δ·s with the same s, so
//! the whole answer is ρ-zCDP with ρ = g·Σ Δ²/(2σ²) = g·m/(2s²). The plan solves for s and rounds it up.

use std::num::NonZeroU64;

use super::{DpFigure, DpTerms};
use crate::plan::Partial;
use crate::query::{Bindable, Cell, Measure, Query};
use crate::template::Template;

/// Denominator of s. Rounding up by less than one part in it costs no more utility than that.
const PARTS: u128 = 1 << 20;

/// A number that is made noisy in each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// Entities.
    Entities,
    /// What an entity's rows add up to.
    Rows(Partial),
}

/// What one entity may contribute to one number of one group. Holds zero: an entity may be in no group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Interval {
    /// The most that adding or removing an entity changes the number.
    pub(super) fn sensitivity(self) -> u128 {
        self.low.unsigned_abs().max(self.high.unsigned_abs())
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) numbers: Vec<(Number, Interval)>,
    /// All declared groups.
    pub(super) groups: usize,
    /// Groups that one entity counts in.
    pub(super) groups_per_entity: usize,
    /// s in [`PARTS`].
    pub(super) multiplier: u128,
}

impl Plan {
    /// Of a statement whose terms are within their ranges.
    pub(super) fn of(query: &Query<Bindable>, terms: &DpTerms) -> Plan {
        let numbers: Vec<(Number, Interval)> = numbers(&query.cells)
            .into_iter()
            .map(|number| (number, interval(number, terms.rows_per_entity_max)))
            .collect();
        let limit = usize::try_from(terms.groups_per_entity_max).unwrap_or(usize::MAX);
        let groups_per_entity = limit.min(query.groups);
        let rho = NonZeroU64::new(terms.rho.0).unwrap_or(NonZeroU64::MIN);
        Plan {
            groups: query.groups,
            groups_per_entity,
            multiplier: multiplier(numbers.len(), groups_per_entity, rho),
            numbers,
        }
    }

    /// Noisy numbers of one answer.
    pub(super) fn draws(&self) -> usize {
        self.groups.saturating_mul(self.numbers.len())
    }

    /// σ of a number as a fraction, in the number's own unit.
    pub(super) fn sigma(&self, number: usize) -> (u128, u128) {
        (
            self.numbers[number].1.sensitivity() * self.multiplier,
            PARTS,
        )
    }

    pub(super) fn place(&self, wanted: Number) -> Option<usize> {
        self.numbers
            .iter()
            .position(|(number, _)| *number == wanted)
    }

    /// For people.
    pub(super) fn figures(&self, template: &Template) -> Vec<DpFigure> {
        let rules = template.rules(template.query().protected);
        let figure = |(at, (number, interval)): (usize, &(Number, Interval))| {
            let (what, unit) = match *number {
                Number::Entities => ("count(distinct entity)".to_owned(), 1.0),
                Number::Rows(Partial::Rows) => ("count(*)".to_owned(), 1.0),
                Number::Rows(Partial::Present(column) | Partial::Count(column, _)) => {
                    (format!("count({})", rules.column(column)), 1.0)
                }
                Number::Rows(Partial::Sum(column, measure)) => {
                    let unit = 10_f64.powi(i32::from(measure.scale));
                    (format!("sum({})", rules.column(column)), unit)
                }
            };
            let (over, under) = self.sigma(at);
            DpFigure {
                what,
                sensitivity: interval.sensitivity() as f64 / unit,
                sigma: over as f64 / under as f64 / unit,
            }
        };
        self.numbers.iter().enumerate().map(figure).collect()
    }
}

/// The numbers that the figures are made of, each once: what is used twice is paid for once.
fn numbers(cells: &[Cell]) -> Vec<Number> {
    let mut numbers = Vec::new();
    let mut add = |number| {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    };
    for cell in cells {
        match *cell {
            Cell::Average(column, measure) => {
                add(Number::Rows(Partial::Sum(column, measure)));
                add(Number::Rows(Partial::Count(column, measure)));
            }
            Cell::Entities => add(Number::Entities),
            Cell::Present(column) => add(Number::Rows(Partial::Present(column))),
            Cell::Rows => add(Number::Rows(Partial::Rows)),
            Cell::Sum(column, measure) => add(Number::Rows(Partial::Sum(column, measure))),
        }
    }
    numbers
}

/// Bounds are at most 10¹² in millionths and rows at most 10⁶, so every product fits.
fn interval(number: Number, rows: u32) -> Interval {
    let rows = i128::from(rows);
    match number {
        Number::Entities => Interval { low: 0, high: 1 },
        Number::Rows(Partial::Rows | Partial::Present(_) | Partial::Count(..)) => {
            Interval { low: 0, high: rows }
        }
        Number::Rows(Partial::Sum(_, Measure { min, max, scale })) => {
            let unit = 10_i128.pow(scale.unsigned_abs().into());
            Interval {
                low: i128::from(min).min(0) * unit * rows,
                high: i128::from(max).max(0) * unit * rows,
            }
        }
    }
}

/// The least s in [`PARTS`] with g·m/(2s²) ≤ ρ, so ⌈√(g·m·10⁶·PARTS²/(2·ρ_micro))⌉. With at most 64 numbers, 10⁶
/// groups and ρ_micro ≥ 1 the radicand has fewer than 90 bits.
fn multiplier(numbers: usize, groups: usize, rho_micro: NonZeroU64) -> u128 {
    let over = (numbers.max(1) as u128) * (groups.max(1) as u128) * 1_000_000 * PARTS * PARTS;
    let squared = over.div_ceil(2 * u128::from(rho_micro.get()));
    let root = squared.isqrt();
    if root * root < squared {
        root + 1
    } else {
        root
    }
}
