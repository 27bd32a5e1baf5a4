//! An independent model of what may be shown: written from the manual, over rows and not over arrays.

use std::collections::BTreeMap;

use super::statement::{Asked, Choice, Figure};
use super::world::{Row, World};

/// What one entity has in a group.
#[derive(Default)]
pub(super) struct Part {
    rows: i128,
    measures: Vec<Summed>,
}

#[derive(Clone, Default)]
struct Summed {
    /// Rows with a value.
    present: i128,
    /// Rows whose value is a number.
    numbers: i128,
    sum: i128,
}

type Parts = BTreeMap<u8, Part>;

/// Everything that a statement asks about, by group.
pub(super) struct Model<'a> {
    world: &'a World,
    pub(super) groups: BTreeMap<Vec<String>, Parts>,
}

impl<'a> Model<'a> {
    pub(super) fn new(world: &'a World, rows: &[Row], asked: &Asked, choice: &Choice) -> Model<'a> {
        let mut groups: BTreeMap<Vec<String>, Parts> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.entity > 0) {
            let Some(group) = asked.group(world, row, choice) else {
                continue;
            };
            let part = groups
                .entry(group)
                .or_default()
                .entry(row.entity)
                .or_default();
            part.rows += 1;
            part.measures
                .resize(world.measures.len(), Summed::default());
            for (at, measure) in world.measures.iter().enumerate() {
                let (code, summed) = (row.measures[at], &mut part.measures[at]);
                summed.present += i128::from(measure.is_present(code));
                if let Some(value) = measure.clamped(code) {
                    summed.numbers += 1;
                    summed.sum += value;
                }
            }
        }
        Model { world, groups }
    }

    /// Number of entities of a group.
    pub(super) fn entities(&self, group: &[String]) -> usize {
        self.groups.get(group).map_or(0, BTreeMap::len)
    }

    /// Whether the parts of a figure may be shown together.
    fn may_show(&self, parts: &[i128]) -> bool {
        let contributors = parts.iter().filter(|part| **part != 0).count();
        contributors >= self.world.group_min as usize && self.hides(parts, parts)
    }

    /// Whether none of these stands out, measured against the parts that somebody may look for.
    fn hides(&self, distances: &[i128], parts: &[i128]) -> bool {
        let mut sizes: Vec<u128> = distances.iter().map(|d| d.unsigned_abs()).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let all: u128 = sizes.iter().sum();
        let largest = |at: usize| sizes.get(at).copied().unwrap_or(0);
        let sought = parts.iter().map(|part| part.unsigned_abs()).max();
        let sought = sought.unwrap_or(0).max(largest(0));
        largest(0) * 100 <= all * u128::from(self.world.dominance)
            && (all - largest(0) - largest(1)) * 100 >= sought * u128::from(self.world.p_percent)
    }

    /// Whether a sum may be shown: by its parts, and by how far each is from the declared bounds of its values.
    fn may_show_sum(&self, parts: &Parts, at: usize) -> bool {
        let measure = &self.world.measures[at];
        let sums: Vec<i128> = parts.values().map(|part| part.measures[at].sum).collect();
        let from = |bound: i64| -> Vec<i128> {
            let bound = i128::from(bound) * 10_i128.pow(measure.scale());
            let distance = |part: &Part| part.measures[at].sum - part.measures[at].numbers * bound;
            parts.values().map(distance).collect()
        };
        self.may_show(&sums)
            && self.hides(&from(measure.low), &sums)
            && self.hides(&from(measure.high), &sums)
    }

    fn rounded(&self, count: i128) -> i128 {
        let base = i128::from(self.world.round_to);
        (count + base / 2) / base * base
    }

    /// Whether so many contribute that the figure may be shown, taken by itself.
    pub(super) fn allows(&self, group: &[String], figure: Figure) -> bool {
        let Some(parts) = self.groups.get(group) else {
            return false;
        };
        let parts_of =
            |of: &dyn Fn(&Part) -> i128| -> Vec<i128> { parts.values().map(of).collect() };
        match figure {
            Figure::Entities => parts.len() >= self.world.group_min as usize,
            Figure::Rows => self.may_show(&parts_of(&|part| part.rows)),
            Figure::Present(at) => self.may_show(&parts_of(&|part| part.measures[at].present)),
            Figure::Sum(at) => self.may_show_sum(parts, at),
            Figure::Average(at) => {
                self.may_show_sum(parts, at)
                    && self.may_show(&parts_of(&|part| part.measures[at].numbers))
            }
        }
    }

    /// How many of a count there are, before rounding; none for other figures.
    pub(super) fn total(&self, group: &[String], figure: Figure) -> Option<i128> {
        let parts = self.groups.get(group)?;
        match figure {
            Figure::Entities => Some(parts.len() as i128),
            Figure::Rows => Some(parts.values().map(|part| part.rows).sum()),
            Figure::Present(at) => Some(parts.values().map(|p| p.measures[at].present).sum()),
            Figure::Average(_) | Figure::Sum(_) => None,
        }
    }

    /// What each group shows where every cell may be shown by itself.
    pub(super) fn answer(&self, asked: &Asked) -> BTreeMap<Vec<String>, Vec<String>> {
        let shown = { self.groups.iter() }
            .filter(|(_, parts)| parts.len() >= self.world.group_min as usize);
        shown
            .map(|(group, parts)| {
                let figures = asked.figures.iter().map(|figure| {
                    if !self.allows(group, *figure) {
                        return "NULL".to_owned();
                    }
                    self.figure(parts, *figure)
                });
                (group.clone(), figures.collect())
            })
            .collect()
    }

    fn figure(&self, parts: &Parts, figure: Figure) -> String {
        let total = |of: &dyn Fn(&Part) -> i128| -> i128 { parts.values().map(of).sum() };
        match figure {
            Figure::Entities => self.rounded(parts.len() as i128).to_string(),
            Figure::Rows => self.rounded(total(&|part| part.rows)).to_string(),
            Figure::Present(at) => self
                .rounded(total(&|part| part.measures[at].present))
                .to_string(),
            Figure::Sum(at) => {
                let sum = total(&|part| part.measures[at].sum);
                match self.world.measures[at].scale() {
                    0 => sum.to_string(),
                    _ => format!("{:.6}", sum as f64 / 1e6),
                }
            }
            Figure::Average(at) => {
                let count = self.rounded(total(&|part| part.measures[at].numbers));
                if count == 0 {
                    return "NULL".to_owned();
                }
                let unit = 10_f64.powi(self.world.measures[at].scale() as i32);
                let sum = total(&|part| part.measures[at].sum) as f64 / unit;
                format!("{:.6}", sum / count as f64)
            }
        }
    }
}
