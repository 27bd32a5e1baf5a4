//! What entities contribute to one figure, and whether nobody can tell one of the contributions from it.
//!
//! A part of a sum is not only measured from zero. Policies publish the bounds into which each value is brought, and how
//! many values somebody has is often known (who flew, who is insured): so a sum near its floor or near its ceiling leaves
//! of each part only the distance from that bound to be known. The terms are therefore held against three spreads: the
//! parts, their distances from the floor, and their distances from the ceiling. The argument is in `docs/disclosure.md`.

use lingqu_policy::Release;

use crate::gate::Broken;
use crate::query::Measure;
use crate::safeguard::{Safeguard, stands};

/// What is known of a number of an entity before any figure leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    /// A count: it is not negative.
    Count,
    /// A sum of values, each of them within bounds in the measure's smallest unit.
    Sum {
        /// Which of the entity's numbers is the number of its values.
        values: usize,
        floor: i128,
        ceiling: i128,
    },
}

impl Known {
    /// A sum of the measure, beside whose number of values stands at `values`.
    pub(crate) fn sum(measure: Measure, values: usize) -> Known {
        let unit = 10_i128.pow(measure.scale.unsigned_abs().into());
        Known::Sum {
            values,
            floor: i128::from(measure.min) * unit,
            ceiling: i128::from(measure.max) * unit,
        }
    }
}

/// Sizes of which none may stand out.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    all: u128,
    largest: u128,
    second: u128,
}

impl Spread {
    fn add(&mut self, size: u128) -> Result<(), Broken> {
        self.all = self.all.checked_add(size).ok_or(Broken)?;
        if size > self.largest {
            self.second = self.largest;
            self.largest = size;
        } else if size > self.second {
            self.second = size;
        }
        Ok(())
    }

    /// Whether nobody has too large a share. A product that does not fit answers no.
    fn is_shared(&self, release: &Release) -> bool {
        let share = u128::from(release.dominance_percent_max());
        let (largest, allowed) = (self.largest.checked_mul(100), self.all.checked_mul(share));
        { largest.zip(allowed) }.is_some_and(|(largest, allowed)| largest <= allowed)
    }

    /// Whether what the two largest leave hides every part: who knows the second-largest and takes all others to be at
    /// the bound is wrong by that much, which must be p percent of the part that is looked for. `part` is the largest.
    fn hides(&self, part: u128, release: &Release) -> bool {
        let others = self.all - self.largest - self.second;
        let needed = self.largest.max(part);
        let needed = needed.checked_mul(release.p_percent().into());
        { others.checked_mul(100).zip(needed) }.is_some_and(|(others, needed)| others >= needed)
    }
}

/// One figure of one group, over its entities.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    total: i128,
    /// Entities whose contribution is not zero.
    contributors: u64,
    /// Absolute contributions.
    parts: Spread,
    /// Distances from the floor and from the ceiling, where bounds are known.
    distances: Option<[Spread; 2]>,
}

impl Tally {
    /// Adds what one entity contributes to each figure: `part` gives its number at a place of `known`.
    pub(crate) fn add_entity(
        tallies: &mut [Tally],
        known: &[Known],
        part: impl Fn(usize) -> i128,
    ) -> Result<(), Broken> {
        for (at, (tally, known)) in tallies.iter_mut().zip(known).enumerate() {
            let contribution = part(at);
            tally.add(contribution)?;
            if let Known::Sum {
                values,
                floor,
                ceiling,
            } = *known
            {
                tally.add_distances(contribution, part(values), floor, ceiling)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, contribution: i128) -> Result<(), Broken> {
        self.total = self.total.checked_add(contribution).ok_or(Broken)?;
        self.contributors += u64::from(contribution != 0);
        self.parts.add(contribution.unsigned_abs())
    }

    /// The bounds of a sum are those of one value, as often as there are values. The number of values is negative in a
    /// change from one load to the next by which values went away; the ceiling is the lower bound then. Where values
    /// changed and none came, both distances are the change.
    fn add_distances(
        &mut self,
        contribution: i128,
        values: i128,
        floor: i128,
        ceiling: i128,
    ) -> Result<(), Broken> {
        let bounds = [floor, ceiling].map(|bound| bound.checked_mul(values));
        let [Some(one), Some(other)] = bounds else {
            return Err(Broken);
        };
        let distances = self.distances.get_or_insert_default();
        for (spread, bound) in distances.iter_mut().zip([one.min(other), one.max(other)]) {
            spread.add(contribution.abs_diff(bound))?;
        }
        Ok(())
    }

    /// The sum of all contributions.
    pub(crate) fn total(&self) -> i128 {
        self.total
    }

    /// The sum of the absolute contributions: what a count counts.
    pub(crate) fn magnitude(&self) -> u128 {
        self.parts.all
    }

    /// Whether nobody contributes anything.
    pub(crate) fn is_nothing(&self) -> bool {
        self.contributors == 0
    }

    /// Whether enough entities stand behind the total, none of them nearly alone, and none whose part can be told from
    /// the total and what is known of the others.
    pub(crate) fn may_show(&self, release: &Release) -> bool {
        let distances =
            { self.distances.iter().flatten() }.filter(|_| stands(Safeguard::KnownBounds));
        let spreads = || std::iter::once(&self.parts).chain(distances.clone());
        let enough = self.contributors >= u64::from(release.group_min());
        let shared = spreads().all(|spread| spread.is_shared(release));
        let hidden = spreads().all(|spread| spread.hides(self.parts.largest, release));
        (enough || !stands(Safeguard::Contributors))
            && (shared || !stands(Safeguard::Dominance))
            && (hidden || !stands(Safeguard::PPercent))
    }
}

#[cfg(test)]
mod tests;
