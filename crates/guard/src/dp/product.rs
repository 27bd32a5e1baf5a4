//! A statistic with noise over one load: its register, and one answer.
//!
//! Every pair of entity and cell is read for every answer, whatever is asked. An entity's part of each group is added up
//! first, the groups that it counts in are limited, each number is brought into its interval, and only then do entities
//! meet. All of it is integers.

use std::fmt;

use arrow_array::RecordBatch;
use rand_0_10::Rng;

use super::answer;
use super::noise::{Entropy, Noise};
use super::plan::{Number, Plan};
use super::{DpBound, DpTemplate};
use crate::engine::{RunFailed, Tables};
use crate::gate::Broken;
use crate::partition::{NOWHERE, PartitionRefused, Register, Surroundings, alone, groups_in};
use crate::safeguard::{Safeguard, stands};
use crate::template::Bound;

/// A statistic with noise, open over one load of its tables.
pub struct DpProduct {
    template: DpTemplate,
    register: Register,
    /// Per number of the plan its place among what the register keeps; none for entities.
    columns: Vec<Option<usize>>,
}

impl fmt::Debug for DpProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpProduct")
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

impl DpProduct {
    /// Reads the tables, by entity first.
    pub(crate) async fn open(
        template: DpTemplate,
        tables: &Tables,
        around: &Surroundings<'_>,
    ) -> Result<DpProduct, PartitionRefused> {
        let plan = &template.0.plan;
        let rows = |number: &Number| match number {
            Number::Entities => None,
            Number::Rows(partial) => Some(*partial),
        };
        let wanted = plan.numbers.iter().map(|(number, _)| rows(number));
        let partials: Vec<_> = wanted.clone().flatten().collect();
        let (register, places) = alone(&template.0.template, &partials, tables, around).await?;
        let mut places = places.into_iter();
        let columns = wanted
            .map(|partial| partial.and_then(|_| places.next()))
            .collect();
        Ok(DpProduct {
            columns,
            register,
            template,
        })
    }

    /// The template that it was opened with.
    pub fn template(&self) -> &DpTemplate {
        &self.template
    }

    /// Bytes that it holds, without what allocations take besides.
    pub fn bytes(&self) -> usize {
        self.register.bytes()
    }

    /// One answer with fresh noise.
    pub(crate) fn answer(&self, bound: &DpBound) -> Result<RecordBatch, RunFailed> {
        if !std::sync::Arc::ptr_eq(&self.template.0, &bound.template.0) {
            return Err(RunFailed);
        }
        let plan = &self.template.0.plan;
        let mut numbers = self.totals(&bound.bound)?;
        // From here on nothing is looked at but the totals, and they only to be hidden.
        let shown = shown(&numbers, plan);
        blur(&mut numbers, plan, &mut Entropy::new()).ok_or(RunFailed)?;
        Ok(answer::build(&bound.bound.query, plan, &numbers, &shown)?)
    }

    /// What the limited entities add up to: the numbers of the first group, then of the next.
    pub(super) fn totals(&self, bound: &Bound) -> Result<Vec<i128>, Broken> {
        let plan = &self.template.0.plan;
        let register = &self.register;
        let width = plan.numbers.len();
        let group_of = groups_in(register, bound)?;
        let mut totals = vec![0_i128; plan.groups * width];
        let mut part = vec![0_i128; plan.groups * width];
        let mut is_touched = vec![false; plan.groups];
        let mut touched: Vec<usize> = Vec::new();
        for (entity, digest) in register.entities.iter().enumerate() {
            for pair in register.pairs(entity) {
                let group = group_of[register.atom_of[pair] as usize];
                if group == NOWHERE {
                    continue;
                }
                let group = group as usize;
                if !is_touched[group] {
                    is_touched[group] = true;
                    touched.push(group);
                }
                let part = &mut part[group * width..][..width];
                for (sum, column) in part.iter_mut().zip(&self.columns) {
                    *sum = match column {
                        Some(column) => sum.saturating_add(register.values[*column].at(pair)),
                        None => 1,
                    };
                }
            }
            let kept = kept_groups(&mut touched, plan.groups_per_entity, digest);
            for group in &touched[..kept] {
                let place = group * width;
                let numbers = plan.numbers.iter().zip(&part[place..][..width]);
                for (total, ((_, interval), number)) in totals[place..].iter_mut().zip(numbers) {
                    let limited = match stands(Safeguard::DpContribution) {
                        true => (*number).clamp(interval.low, interval.high),
                        false => *number,
                    };
                    *total = total.saturating_add(limited);
                }
            }
            for group in touched.drain(..) {
                part[group * width..][..width].fill(0);
                is_touched[group] = false;
            }
        }
        Ok(totals)
    }
}

/// All groups.
fn shown(totals: &[i128], plan: &Plan) -> Vec<usize> {
    let is_empty = |group: usize| {
        let mut numbers = totals[group * plan.numbers.len()..][..plan.numbers.len()].iter();
        numbers.all(|number| *number == 0)
    };
    { 0..plan.groups }
        .filter(|group| stands(Safeguard::DpEmptyGroups) || !is_empty(*group))
        .collect()
}

/// How many of the groups an entity counts in: they stand first then. Which ones depends on the entity's own digest,
/// which is keyed, and on nothing of other entities; not on the order of rows either.
fn kept_groups(touched: &mut [usize], most: usize, digest: &[u8; 16]) -> usize {
    if touched.len() <= most || !stands(Safeguard::DpGroups) {
        return touched.len();
    }
    let (multiplier, offset) = digest.split_at(8);
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    let (multiplier, offset) = (word(multiplier) | 1, word(offset));
    touched.sort_unstable_by_key(|group| {
        let mixed = (*group as u64)
            .wrapping_mul(multiplier)
            .wrapping_add(offset);
        // The upper half depends on all bits of the group, the group itself breaks ties.
        (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    most
}

/// Adds noise to every number of every group, also where nobody is.
pub(super) fn blur(numbers: &mut [i128], plan: &Plan, random: &mut impl Rng) -> Option<()> {
    let width = plan.numbers.len();
    let widths: Option<Vec<Noise>> = (0..width)
        .map(|number| Noise::of(plan.sigma(number)))
        .collect();
    let widths = widths?;
    for (at, number) in numbers.iter_mut().enumerate() {
        let noise = widths[at % width].draw(random);
        if stands(Safeguard::DpNoise) {
            *number = number.saturating_add(noise);
        }
    }
    Some(())
}
