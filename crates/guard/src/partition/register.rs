//! The tables of one resource as its statistics need them: what each entity has in each atomic cell.
//!
//! An atom is a combination of one class per axis in which some row lies. A pair is one entity in one atom, with its
//! number of rows and, per measure, a bounded sum and a number of values. Nothing else of the tables is kept: entities
//! are keyed digests, values of other columns are classes.

use std::collections::HashMap;

use super::axes::Axis;
use crate::gate::Broken;
use crate::query::Measure;
use crate::safeguard::{Safeguard, stands};
use crate::tally::{Known, Tally};

/// The class of an atom on an axis where it has none of its own: it is spread over several, or they are not known.
pub(crate) const MIXED: u16 = u16::MAX;

/// An entity, by a digest under a key of this process.
pub(crate) type Digest = [u8; 16];

/// What is kept of each pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its rows.
    Rows,
    /// Its rows in which the column has a value.
    Present(String),
    /// Its rows in which the measure is a number.
    Count(String, Measure),
    /// Its sum of the bounded measure.
    Sum(String, Measure),
}

/// One kept number of every pair.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Counts(Vec<u32>),
    Sums(Vec<i128>),
}

impl Values {
    pub(crate) fn of(kept: &Kept) -> Values {
        match kept {
            Kept::Rows | Kept::Present(_) | Kept::Count(..) => Values::Counts(Vec::new()),
            Kept::Sum(..) => Values::Sums(Vec::new()),
        }
    }

    pub(crate) fn at(&self, pair: usize) -> i128 {
        match self {
            Values::Counts(counts) => i128::from(counts[pair]),
            Values::Sums(sums) => sums[pair],
        }
    }

    pub(crate) fn push(&mut self, value: i128) -> Result<(), Broken> {
        match self {
            Values::Counts(counts) => counts.push(u32::try_from(value).map_err(|_| Broken)?),
            Values::Sums(sums) => sums.push(value),
        }
        Ok(())
    }

    /// Bytes of one entry.
    pub(crate) fn width(&self) -> usize {
        match self {
            Values::Counts(_) => size_of::<u32>(),
            Values::Sums(_) => size_of::<i128>(),
        }
    }
}

/// What every entity has in every atom.
pub(crate) struct Register {
    pub(crate) axes: Vec<Axis>,
    /// One class per axis.
    pub(crate) atoms: Vec<Box<[u16]>>,
    pub(crate) entities: Vec<Digest>,
    /// Per entity, where its pairs begin; one more at the end.
    pub(crate) starts: Vec<u32>,
    /// The atom of each pair; ascending within an entity.
    pub(crate) atom_of: Vec<u32>,
    /// Rows first.
    pub(crate) kept: Vec<Kept>,
    pub(crate) values: Vec<Values>,
}

impl Register {
    /// The pairs of an entity.
    pub(crate) fn pairs(&self, entity: usize) -> std::ops::Range<usize> {
        self.starts[entity] as usize..self.starts[entity + 1] as usize
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        let pair: usize = self.values.iter().map(Values::width).sum();
        self.atom_of.len() * (pair + size_of::<u32>())
            + self.entities.len() * (size_of::<Digest>() + size_of::<u32>())
            + self.atoms.len() * self.axes.len() * size_of::<u16>()
    }

    pub(crate) fn kept_at(&self, wanted: &Kept) -> Option<usize> {
        self.kept.iter().position(|kept| kept == wanted)
    }

    /// Whether some entity lies in more than one atom.
    pub(crate) fn overlaps(&self) -> bool {
        self.starts.windows(2).any(|pair| pair[1] - pair[0] > 1)
    }
}

/// Collects rows, then makes pairs of them.
pub(crate) struct Collector {
    axes: Vec<Axis>,
    atoms: Vec<Box<[u16]>>,
    known_atoms: HashMap<Box<[u16]>, u32>,
    entities: Vec<Digest>,
    known_entities: HashMap<Digest, u32>,
    /// Entity and atom of each row.
    places: Vec<(u32, u32)>,
    kept: Vec<Kept>,
    values: Vec<Values>,
}

impl Collector {
    pub(crate) fn new(axes: Vec<Axis>, kept: Vec<Kept>) -> Collector {
        Collector {
            axes,
            atoms: Vec::new(),
            known_atoms: HashMap::new(),
            entities: Vec::new(),
            known_entities: HashMap::new(),
            places: Vec::new(),
            values: kept.iter().map(Values::of).collect(),
            kept,
        }
    }

    /// Bytes that it holds, without what maps and allocations take besides.
    pub(crate) fn bytes(&self) -> usize {
        let row: usize = self.values.iter().map(Values::width).sum();
        let atom = 2 * (self.axes.len() * size_of::<u16>() + 32);
        self.places.len() * (row + 2 * size_of::<(u32, u32)>())
            + self.entities.len() * 3 * size_of::<Digest>()
            + self.atoms.len() * atom
    }

    /// Adds a row, or a pair: its numbers in the order of what is kept.
    pub(crate) fn add(
        &mut self,
        entity: &Digest,
        coordinates: &[u16],
        numbers: impl IntoIterator<Item = i128>,
    ) -> Result<(), Broken> {
        let atom = match self.known_atoms.get(coordinates) {
            Some(atom) => *atom,
            None => {
                let next = u32::try_from(self.atoms.len()).map_err(|_| Broken)?;
                self.atoms.push(coordinates.into());
                self.known_atoms.insert(coordinates.into(), next);
                next
            }
        };
        let entity = match self.known_entities.get(entity) {
            Some(known) => *known,
            None => {
                let next = u32::try_from(self.entities.len()).map_err(|_| Broken)?;
                self.entities.push(*entity);
                self.known_entities.insert(*entity, next);
                next
            }
        };
        self.places.push((entity, atom));
        for (values, number) in self.values.iter_mut().zip(numbers) {
            values.push(number)?;
        }
        Ok(())
    }

    /// One pair per entity and atom, sorted by entity: this is the stage "by entity first", done once per load.
    ///
    /// Atoms are numbered by their classes, not as rows came: which ones are merged may depend on their numbers, and
    /// readers hand rows on in any order. Entities are numbered as they came, since nothing depends on their numbers but
    /// in which order what they have is added up, and whole numbers are added.
    pub(crate) fn finish(mut self) -> Result<Register, Broken> {
        let rows = u32::try_from(self.places.len()).map_err(|_| Broken)?;
        if stands(Safeguard::AtomOrder) {
            drop(std::mem::take(&mut self.known_atoms));
            let numbers = by_classes(&mut self.atoms);
            for (_, atom) in &mut self.places {
                *atom = numbers[*atom as usize];
            }
        }
        let mut order: Vec<((u32, u32), u32)> = self.places.iter().copied().zip(0..rows).collect();
        drop(self.places);
        order.sort_unstable();
        let mut values: Vec<Values> = self.kept.iter().map(Values::of).collect();
        let (mut starts, mut atom_of) = (Vec::with_capacity(self.entities.len() + 1), Vec::new());
        let mut rest = order.as_slice();
        while let Some(((entity, atom), _)) = rest.first() {
            let (entity, atom) = (*entity, *atom);
            let same = rest.partition_point(|(place, _)| *place == (entity, atom));
            if starts.len() == entity as usize {
                starts.push(u32::try_from(atom_of.len()).map_err(|_| Broken)?);
            }
            atom_of.push(atom);
            for (mine, all) in values.iter_mut().zip(&self.values) {
                let total = rest[..same].iter().try_fold(0_i128, |total, (_, row)| {
                    total.checked_add(all.at(*row as usize))
                });
                mine.push(total.ok_or(Broken)?)?;
            }
            rest = &rest[same..];
        }
        starts.push(u32::try_from(atom_of.len()).map_err(|_| Broken)?);
        Ok(Register {
            axes: self.axes,
            atoms: self.atoms,
            entities: self.entities,
            starts,
            atom_of,
            kept: self.kept,
            values,
        })
    }
}

/// Sorts atoms by their classes. Returns the new number of each.
fn by_classes(atoms: &mut Vec<Box<[u16]>>) -> Vec<u32> {
    // As many as were numbered in 32 bits.
    let mut order: Vec<(Box<[u16]>, u32)> = std::mem::take(atoms).into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut numbers = vec![0; order.len()];
    for (number, (_, old)) in (0..).zip(&order) {
        numbers[*old as usize] = number;
    }
    atoms.extend(order.into_iter().map(|(atom, _)| atom));
    numbers
}

/// A register read by atom.
pub(crate) struct ByAtom<'a> {
    pub(crate) register: &'a Register,
    /// Per atom, where its pairs begin in `pairs`; one more at the end.
    starts: Vec<usize>,
    pairs: Vec<u32>,
    entity_of: Vec<u32>,
}

impl<'a> ByAtom<'a> {
    pub(crate) fn new(register: &'a Register) -> ByAtom<'a> {
        let mut starts = vec![0_usize; register.atoms.len() + 1];
        for atom in &register.atom_of {
            starts[*atom as usize + 1] += 1;
        }
        for atom in 0..register.atoms.len() {
            starts[atom + 1] += starts[atom];
        }
        let mut next = starts.clone();
        let mut pairs = vec![0_u32; register.atom_of.len()];
        let mut entity_of = vec![0_u32; register.atom_of.len()];
        for entity in 0..register.entities.len() {
            for pair in register.pairs(entity) {
                let place = &mut next[register.atom_of[pair] as usize];
                // Both numbers fit: the register was built with 32-bit numbers of them.
                pairs[*place] = u32::try_from(pair).unwrap_or(u32::MAX);
                entity_of[*place] = u32::try_from(entity).unwrap_or(u32::MAX);
                *place += 1;
            }
        }
        ByAtom {
            register,
            starts,
            pairs,
            entity_of,
        }
    }

    /// The entities of an atom with their pairs.
    pub(crate) fn members(&self, atom: u32) -> impl Iterator<Item = (u32, usize)> + '_ {
        let range = self.starts[atom as usize]..self.starts[atom as usize + 1];
        range.map(|place| (self.entity_of[place], self.pairs[place] as usize))
    }

    /// Number of entities of an atom.
    pub(crate) fn size(&self, atom: u32) -> usize {
        self.starts[atom as usize + 1] - self.starts[atom as usize]
    }
}

/// What is known of numbers that are kept together: a sum stands beside the number of its values.
pub(crate) fn known(kept: &[Kept]) -> Result<Vec<Known>, Broken> {
    let known = |number: &Kept| match number {
        Kept::Sum(column, measure) => {
            let wanted = Kept::Count(column.clone(), *measure);
            let values = kept.iter().position(|kept| *kept == wanted);
            Ok(Known::sum(*measure, values.ok_or(Broken)?))
        }
        Kept::Rows | Kept::Present(_) | Kept::Count(..) => Ok(Known::Count),
    };
    kept.iter().map(known).collect()
}

/// Numbers of entities with what each contributes, to hold against the release terms.
pub(crate) fn tally<'a>(
    contributions: impl IntoIterator<Item = &'a [i128]>,
    known: &[Known],
) -> Result<(usize, Vec<Tally>), Broken> {
    let mut tallies = vec![Tally::default(); known.len()];
    let mut entities = 0;
    for numbers in contributions {
        entities += 1;
        Tally::add_entity(&mut tallies, known, |at| numbers[at])?;
    }
    Ok((entities, tallies))
}
