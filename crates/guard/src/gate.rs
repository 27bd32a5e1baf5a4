//! The Gate: the only place where protected becomes released.
//!
//! It takes one row per entity and group from the plan below, adds entities up, and decides per group and per figure
//! what may be shown. There is one memory cell per possible group, so neither memory nor order depend on which groups
//! occur; a group that is too small leaves exactly what an empty one leaves, nothing.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type};
use arrow_array::{Array, Decimal128Array, Int32Array, Int64Array, RecordBatch};
use lingqu_policy::Release;

use crate::plan::Partial;
use crate::query::{Cell, Key, Measure};
use crate::safeguard::{Safeguard, stands};
use crate::tally::{Known, Tally};

/// Something below the Gate was not as planned. Says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// A figure as it may be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A count or a sum of integers.
    Whole(i64),
    /// A sum of numbers with a fraction, or an average.
    Real(f64),
}

/// A group that may be shown: its number, and its figures, kept-back ones as none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Its place in the product of the keys' cells; the last key varies fastest.
    pub(crate) place: usize,
    pub(crate) figures: Vec<Option<Figure>>,
    /// What figures are before they are rounded or kept back: what nothing above the Gate may see.
    #[cfg(test)]
    pub(crate) raw: Vec<Option<Figure>>,
    /// Whether it is too small to leave, and is handed on only to see that somebody notices.
    #[cfg(test)]
    pub(crate) is_hidden: bool,
}

impl Group {
    /// What is seen above the Gate.
    pub(crate) fn seen(&self) -> &[Option<Figure>] {
        #[cfg(test)]
        if !stands(Safeguard::ReleasedOnly) || self.is_hidden {
            return &self.raw;
        }
        &self.figures
    }

    /// Whether it leaves. Every group that the Gate releases does.
    #[cfg(not(test))]
    pub(crate) const fn is_shown(&self) -> bool {
        true
    }

    /// The same; but a test may let windows see a group that does not leave.
    #[cfg(test)]
    pub(crate) fn is_shown(&self) -> bool {
        !self.is_hidden
    }
}

/// Adds up what entities contribute, group by group.
pub(crate) struct Gate {
    release: Release,
    /// Cells of each key, the one for everything else included.
    sizes: Vec<usize>,
    partials: Vec<Partial>,
    /// What is known of each partial.
    known: Vec<Known>,
    /// Entities per group.
    entities: Vec<u64>,
    /// One tally per group and partial.
    tallies: Vec<Tally>,
}

impl Gate {
    pub(crate) fn new(
        release: Release,
        keys: &[Key],
        groups: usize,
        partials: &[Partial],
    ) -> Result<Gate, Broken> {
        Ok(Gate {
            release,
            sizes: keys.iter().map(Key::cells).collect(),
            partials: partials.to_vec(),
            known: known(partials)?,
            entities: vec![0; groups],
            tallies: vec![Tally::default(); groups * partials.len()],
        })
    }

    /// Adds a batch of the plan below: the keys' cells, then the partials. Each of its rows is another entity in its
    /// group.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        if batch.num_columns() != self.sizes.len() + self.partials.len() {
            return Err(Broken);
        }
        let (keys, partials) = batch.columns().split_at(self.sizes.len());
        let keys: Vec<&Int32Array> = keys
            .iter()
            .map(|key| key.as_primitive_opt::<Int32Type>().ok_or(Broken))
            .collect::<Result<_, _>>()?;
        let columns: Vec<Contributions<'_>> = partials
            .iter()
            .map(|partial| Contributions::of(partial.as_ref()))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let group = self.place(&keys, row)?;
            self.entities[group] += 1;
            let tallies = &mut self.tallies[group * columns.len()..][..columns.len()];
            Tally::add_entity(tallies, &self.known, |partial| columns[partial].at(row))?;
        }
        Ok(())
    }

    /// Adds what one entity contributes to one group, in the order of the partials, and counts it as one of the group
    /// if it is `present`. Called once per entity and group.
    pub(crate) fn add_entity(
        &mut self,
        group: usize,
        present: bool,
        contributions: &[i128],
    ) -> Result<(), Broken> {
        let width = self.partials.len();
        let entities = self.entities.get_mut(group).ok_or(Broken)?;
        *entities += u64::from(present);
        if contributions.len() != width {
            return Err(Broken);
        }
        let tallies = &mut self.tallies[group * width..][..width];
        Tally::add_entity(tallies, &self.known, |partial| contributions[partial])
    }

    fn place(&self, keys: &[&Int32Array], row: usize) -> Result<usize, Broken> {
        let mut place = 0;
        for (key, size) in keys.iter().zip(&self.sizes) {
            let other = size - 1;
            let cell = if key.is_null(row) {
                other
            } else {
                usize::try_from(key.value(row)).map_err(|_| Broken)?
            };
            if cell > other {
                return Err(Broken);
            }
            place = place * size + cell;
        }
        Ok(place)
    }

    /// The groups that may be shown, in the order of the domains.
    pub(crate) fn release(self, cells: &[Cell]) -> Result<Vec<Group>, Broken> {
        let least = u64::from(self.release.group_min());
        let mut shown = Vec::new();
        for (place, entities) in self.entities.iter().enumerate() {
            let is_small = *entities < least && stands(Safeguard::MinimumGroup);
            if is_small && (stands(Safeguard::ShownGroups) || *entities == 0) {
                continue;
            }
            let figures: Result<Vec<_>, Broken> =
                cells.iter().map(|cell| self.figure(place, *cell)).collect();
            shown.push(Group {
                place,
                figures: figures?,
                #[cfg(test)]
                raw: cells.iter().map(|cell| self.raw(place, *cell)).collect(),
                #[cfg(test)]
                is_hidden: is_small,
            });
        }
        Ok(shown)
    }

    fn figure(&self, group: usize, cell: Cell) -> Result<Option<Figure>, Broken> {
        Ok(match cell {
            Cell::Entities => self.rounded(self.entities[group].into()),
            Cell::Rows => self.count(group, Partial::Rows)?,
            Cell::Present(column) => self.count(group, Partial::Present(column))?,
            Cell::Sum(column, measure) => {
                let tally = self.tally(group, Partial::Sum(column, measure))?;
                let sum = || match measure.scale {
                    0 => i64::try_from(tally.total()).ok().map(Figure::Whole),
                    _ => Some(Figure::Real(real(tally.total(), measure))),
                };
                tally.may_show(&self.release).then(sum).flatten()
            }
            Cell::Average(column, measure) => {
                let sum = self.tally(group, Partial::Sum(column, measure))?;
                let count = self.count(group, Partial::Count(column, measure))?;
                match count {
                    // The rounded count divides: an exact average beside a sum would tell the exact count.
                    Some(Figure::Whole(count)) if count > 0 && sum.may_show(&self.release) => {
                        Some(Figure::Real(real(sum.total(), measure) / count as f64))
                    }
                    _ => None,
                }
            }
        })
    }

    /// A figure without any of the rules, for the test that takes away the rule that nobody sees it.
    #[cfg(test)]
    fn raw(&self, group: usize, cell: Cell) -> Option<Figure> {
        let total = |partial| Some(self.tally(group, partial).ok()?.total());
        let whole = |number: i128| i64::try_from(number).ok().map(Figure::Whole);
        match cell {
            Cell::Entities => whole(self.entities[group].into()),
            Cell::Rows => whole(total(Partial::Rows)?),
            Cell::Present(column) => whole(total(Partial::Present(column))?),
            Cell::Sum(column, measure) if measure.scale == 0 => {
                whole(total(Partial::Sum(column, measure))?)
            }
            Cell::Sum(column, measure) => {
                let sum = total(Partial::Sum(column, measure))?;
                Some(Figure::Real(real(sum, measure)))
            }
            Cell::Average(column, measure) => {
                let sum = real(total(Partial::Sum(column, measure))?, measure);
                let count = total(Partial::Count(column, measure))? as f64;
                Some(Figure::Real(sum / count))
            }
        }
    }

    fn count(&self, group: usize, partial: Partial) -> Result<Option<Figure>, Broken> {
        let tally = self.tally(group, partial)?;
        if tally.may_show(&self.release) {
            Ok(self.rounded(tally.magnitude()))
        } else {
            Ok(None)
        }
    }

    fn rounded(&self, count: u128) -> Option<Figure> {
        let base = match stands(Safeguard::Rounding) {
            true => u128::from(self.release.round_to()),
            false => 1,
        };
        let rounded = count.checked_add(base / 2)? / base * base;
        i64::try_from(rounded).ok().map(Figure::Whole)
    }

    fn tally(&self, group: usize, partial: Partial) -> Result<&Tally, Broken> {
        let index = self.partials.iter().position(|known| *known == partial);
        let index = index.ok_or(Broken)?;
        Ok(&self.tallies[group * self.partials.len() + index])
    }
}

/// What is known of each partial: a sum stands beside the number of its values.
fn known(partials: &[Partial]) -> Result<Vec<Known>, Broken> {
    let known = |partial: &Partial| match *partial {
        Partial::Sum(column, measure) => {
            let wanted = Partial::Count(column, measure);
            let values = partials.iter().position(|partial| *partial == wanted);
            Ok(Known::sum(measure, values.ok_or(Broken)?))
        }
        Partial::Rows | Partial::Present(_) | Partial::Count(..) => Ok(Known::Count),
    };
    partials.iter().map(known).collect()
}

/// Sums are kept in the measure's smallest unit.
fn real(total: i128, measure: Measure) -> f64 {
    total as f64 / 10_f64.powi(i32::from(measure.scale))
}

/// A column of contributions.
enum Contributions<'a> {
    Counts(&'a Int64Array),
    Sums(&'a Decimal128Array),
}

impl<'a> Contributions<'a> {
    fn of(column: &'a dyn Array) -> Result<Self, Broken> {
        let counts = column.as_primitive_opt::<Int64Type>();
        let sums = column.as_primitive_opt::<Decimal128Type>();
        counts
            .map(Contributions::Counts)
            .or(sums.map(Contributions::Sums))
            .ok_or(Broken)
    }

    /// An entity without any value has no sum and contributes nothing.
    fn at(&self, row: usize) -> i128 {
        match self {
            Contributions::Counts(counts) => i128::from(counts.value(row)),
            Contributions::Sums(sums) if sums.is_null(row) => 0,
            Contributions::Sums(sums) => sums.value(row),
        }
    }
}
