//! Blocks: sets of atoms that answers take whole or not at all.
//!
//! A block holds enough entities, none of which dominates it, so it could be released by itself. What is too small is
//! merged with its like along one axis after the other, and what remains too small is withheld: it counts in no answer.
//! Every answer is then a sum of whole blocks, and so is every difference of answers.
//! Each kind of figure has blocks of its own, since a cell may be fit for counting people and unfit for summing incomes.

use std::collections::{BTreeMap, BTreeSet};

use lingqu_policy::Release;

use super::register::{ByAtom, Kept, MIXED, Register, known, tally};
use crate::gate::Broken;
use crate::query::Measure;
use crate::safeguard::{Safeguard, stands};
use crate::tally::{Known, Tally};

/// Not in any block: counts in no answer.
pub(crate) const WITHHELD: u32 = u32::MAX;
/// The region of what was in no block before.
pub(crate) const NEW: u32 = u32::MAX;

/// A kind of figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Which groups are shown, and `count(distinct entity)`.
    Entities,
    /// `count(*)`
    Rows,
    /// `count(column)`
    Present(String),
    /// `sum(column)` and `avg(column)`
    Measure(String, Measure),
}

impl Kind {
    /// The numbers that figures of this kind are made of.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        match self {
            Kind::Entities => Vec::new(),
            Kind::Rows => vec![Kept::Rows],
            Kind::Present(column) => vec![Kept::Present(column.clone())],
            Kind::Measure(column, measure) => vec![
                Kept::Sum(column.clone(), *measure),
                Kept::Count(column.clone(), *measure),
            ],
        }
    }
}

/// The blocks of one kind of figure.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    /// Per atom its block, or [`WITHHELD`].
    pub(crate) block: Vec<u32>,
}

/// Whether a set could be released by itself: enough entities, and per number none or enough contributors, none of whom
/// stands out.
pub(crate) fn is_safe(entities: usize, tallies: &[Tally], terms: &Release) -> bool {
    let enough = u64::try_from(entities).unwrap_or(u64::MAX) >= u64::from(terms.group_min());
    let shown = { tallies.iter() }.all(|tally| tally.is_nothing() || tally.may_show(terms));
    (enough || !stands(Safeguard::BlockSize)) && (shown || !stands(Safeguard::BlockFigures))
}

/// A set of atoms that is merged or stands alone, and what each entity has in it.
struct Unit {
    region: u32,
    atoms: Vec<u32>,
    /// Its class per axis, [`MIXED`] where it has several.
    at: Vec<u16>,
    members: BTreeMap<u32, Vec<i128>>,
}

impl Unit {
    fn absorb(&mut self, other: Unit) -> Result<(), Broken> {
        self.atoms.extend(other.atoms);
        for (mine, theirs) in self.at.iter_mut().zip(other.at) {
            if *mine != theirs {
                *mine = MIXED;
            }
        }
        for (entity, numbers) in other.members {
            match self.members.get_mut(&entity) {
                None => {
                    self.members.insert(entity, numbers);
                }
                Some(mine) => {
                    for (total, number) in mine.iter_mut().zip(numbers) {
                        *total = total.checked_add(number).ok_or(Broken)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_safe(&self, about: &[Known], terms: &Release) -> Result<bool, Broken> {
        let numbers = self.members.values().map(Vec::as_slice);
        let (entities, tallies) = tally(numbers, about)?;
        Ok(is_safe(entities, &tallies, terms))
    }
}

/// A sensitive axis, and per atom whether nearly all entities of its cell have one value there: no answer may tell the
/// values apart, not even by showing the only one.
pub(crate) type Blurred = (usize, Vec<bool>);

fn without(atom: &[u16], axis: usize) -> Vec<u16> {
    let mut rest = atom.to_vec();
    rest[axis] = MIXED;
    rest
}

/// Per sensitive axis, the atoms that it may not tell from others of their cell.
pub(crate) fn blurred(by_atom: &ByAtom<'_>, terms: &Release) -> Vec<Blurred> {
    let register = by_atom.register;
    let axes = register.axes.iter().enumerate();
    let sensitive = axes
        .filter(|(_, axis)| axis.sensitive)
        .map(|(axis, _)| axis);
    sensitive
        .map(|axis| {
            let mut lines: BTreeMap<Vec<u16>, Vec<u32>> = BTreeMap::new();
            for (number, atom) in (0_u32..).zip(&register.atoms) {
                lines.entry(without(atom, axis)).or_default().push(number);
            }
            let mut is_blurred = vec![false; register.atoms.len()];
            for line in lines
                .values()
                .filter(|line| is_homogeneous(by_atom, line, terms))
            {
                for atom in line {
                    is_blurred[*atom as usize] = true;
                }
            }
            (axis, is_blurred)
        })
        .collect()
}

fn is_homogeneous(by_atom: &ByAtom<'_>, line: &[u32], terms: &Release) -> bool {
    let all: BTreeSet<u32> = { line.iter() }
        .flat_map(|atom| by_atom.members(*atom).map(|(entity, _)| entity))
        .collect();
    let largest = line.iter().map(|atom| by_atom.size(*atom)).max();
    let share = usize::from(terms.homogeneity_percent_max());
    largest.unwrap_or(0) * 100 > all.len() * share && stands(Safeguard::Homogeneity)
}

/// A block, without what its entities have in it.
struct Made {
    region: u32,
    atoms: Vec<u32>,
    /// How many.
    entities: usize,
}

impl From<Unit> for Made {
    fn from(unit: Unit) -> Made {
        Made {
            region: unit.region,
            atoms: unit.atoms,
            entities: unit.members.len(),
        }
    }
}

/// The smallest atom of the unit: each atom points to a smaller one of its unit, or to itself.
fn root(unit_of: &[u32], mut atom: u32) -> u32 {
    while unit_of[atom as usize] != atom {
        atom = unit_of[atom as usize];
    }
    atom
}

/// The numbers of one kind of figure: where the register has them, and what is known of them.
struct Columns {
    places: Vec<usize>,
    known: Vec<Known>,
}

/// Makes the blocks of one kind.
pub(crate) struct Merger<'a> {
    pub(crate) by_atom: &'a ByAtom<'a>,
    pub(crate) blurred: &'a [Blurred],
    pub(crate) terms: &'a Release,
}

impl Merger<'_> {
    fn register(&self) -> &Register {
        self.by_atom.register
    }

    /// The blocks, none of which reaches beyond its region: per atom the block of before, or [`NEW`]. A region of before
    /// is filled completely, since its total is known already. Returns the regions that cannot be.
    ///
    /// Atoms that are `unknown` have no numbers of this kind, and are withheld.
    pub(crate) fn layer(
        &self,
        kind: Kind,
        regions: &[u32],
        unknown: &[bool],
    ) -> Result<(Layer, BTreeSet<u32>), Broken> {
        let wanted = kind.kept();
        let columns: Option<Vec<usize>> = wanted
            .iter()
            .map(|kept| self.register().kept_at(kept))
            .collect();
        let columns = Columns {
            places: columns.ok_or(Broken)?,
            known: known(&wanted)?,
        };
        let mut blocks: Vec<Made> = Vec::new();
        let mut pool = Vec::new();
        for mut atoms in self.first_units(regions)? {
            atoms.retain(|atom| !unknown[*atom as usize]);
            if let [only] = *atoms
                && self.is_safe_alone(only, &columns)?
            {
                blocks.push(Made {
                    region: regions[only as usize],
                    entities: self.by_atom.size(only),
                    atoms,
                });
                continue;
            }
            if atoms.is_empty() {
                continue;
            }
            let unit = self.unit(&atoms, regions, &columns)?;
            if unit.is_safe(&columns.known, self.terms)? {
                blocks.push(unit.into());
            } else {
                pool.push(unit);
            }
        }
        for axis in self.axes_by_use() {
            pool = self.along(axis, pool, &mut blocks, &columns.known)?;
        }
        let failed = self.across(pool, &mut blocks, regions, &columns)?;
        let mut block = vec![WITHHELD; self.register().atoms.len()];
        for (number, unit) in blocks.iter().enumerate() {
            for atom in &unit.atoms {
                block[*atom as usize] = u32::try_from(number).map_err(|_| Broken)?;
            }
        }
        Ok((Layer { kind, block }, failed))
    }

    /// Axes that few products tell apart come first: merging along them costs least.
    fn axes_by_use(&self) -> Vec<usize> {
        let axes = &self.register().axes;
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|axis| axes[*axis].products);
        order
    }

    /// Whether one atom is a block, without a copy of what its entities have: most atoms are, and large.
    fn is_safe_alone(&self, atom: u32, columns: &Columns) -> Result<bool, Broken> {
        let mut tallies = vec![Tally::default(); columns.places.len()];
        let values = &self.register().values;
        for (_, pair) in self.by_atom.members(atom) {
            let part = |at: usize| values[columns.places[at]].at(pair);
            Tally::add_entity(&mut tallies, &columns.known, part)?;
        }
        Ok(is_safe(self.by_atom.size(atom), &tallies, self.terms))
    }

    fn unit(&self, atoms: &[u32], regions: &[u32], columns: &Columns) -> Result<Unit, Broken> {
        let register = self.register();
        let mut unit: Option<Unit> = None;
        for atom in atoms.iter().copied() {
            let places = columns.places.iter();
            let numbers = |pair| places.clone().map(move |c| register.values[*c].at(pair));
            let members = { self.by_atom.members(atom) }
                .map(|(entity, pair)| (entity, numbers(pair).collect()))
                .collect();
            let one = Unit {
                region: regions[atom as usize],
                atoms: vec![atom],
                at: register.atoms[atom as usize].to_vec(),
                members,
            };
            match &mut unit {
                None => unit = Some(one),
                Some(unit) => unit.absorb(one)?,
            }
        }
        unit.ok_or(Broken)
    }

    /// Single atoms, but atoms that only a sensitive column tells apart, where it may not, are one unit.
    fn first_units(&self, regions: &[u32]) -> Result<Vec<Vec<u32>>, Broken> {
        let register = self.register();
        let count = u32::try_from(register.atoms.len()).map_err(|_| Broken)?;
        let mut unit_of: Vec<u32> = (0..count).collect();
        for (axis, is_blurred) in self.blurred {
            let mut lines: BTreeMap<(u32, Vec<u16>), Vec<u32>> = BTreeMap::new();
            for atom in (0..count).filter(|atom| is_blurred[*atom as usize]) {
                let rest = without(&register.atoms[atom as usize], *axis);
                let line = lines.entry((regions[atom as usize], rest)).or_default();
                line.push(atom);
            }
            for pair in lines.values().flat_map(|line| line.windows(2)) {
                let (one, two) = (root(&unit_of, pair[0]), root(&unit_of, pair[1]));
                unit_of[one.max(two) as usize] = one.min(two);
            }
        }
        let mut units: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for atom in 0..count {
            units.entry(root(&unit_of, atom)).or_default().push(atom);
        }
        Ok(units.into_values().collect())
    }

    /// Merges units of one line along an axis, neighbours first.
    fn along(
        &self,
        axis: usize,
        pool: Vec<Unit>,
        blocks: &mut Vec<Made>,
        about: &[Known],
    ) -> Result<Vec<Unit>, Broken> {
        let mut lines: BTreeMap<(u32, Vec<u16>), Vec<Unit>> = BTreeMap::new();
        for unit in pool {
            let mut rest = unit.at.clone();
            rest[axis] = MIXED;
            lines.entry((unit.region, rest)).or_default().push(unit);
        }
        let mut remaining = Vec::new();
        for mut line in lines.into_values() {
            line.sort_by(|one, two| one.at[axis].cmp(&two.at[axis]));
            let (made, rest) = self.accumulate(line, about)?;
            blocks.extend(made.into_iter().map(Made::from));
            remaining.extend(rest);
        }
        Ok(remaining)
    }

    /// Merges what is left within each region, whatever its classes, and fills regions of before.
    fn across(
        &self,
        pool: Vec<Unit>,
        blocks: &mut Vec<Made>,
        before: &[u32],
        columns: &Columns,
    ) -> Result<BTreeSet<u32>, Broken> {
        let mut regions: BTreeMap<u32, Vec<Unit>> = BTreeMap::new();
        for unit in pool {
            regions.entry(unit.region).or_default().push(unit);
        }
        let mut failed = BTreeSet::new();
        for (region, mut units) in regions {
            units.sort_by(|one, two| one.at.cmp(&two.at));
            let (made, rest) = self.accumulate(units, &columns.known)?;
            blocks.extend(made.into_iter().map(Made::from));
            // What is left of cells that no answer has held yet is withheld: it is in no block.
            let Some(rest) = rest.filter(|_| region != NEW) else {
                continue;
            };
            let smallest = { blocks.iter_mut() }
                .filter(|block| block.region == region)
                .min_by_key(|block| (block.entities, block.atoms.clone()));
            let filled = match smallest {
                None => false,
                Some(block) => {
                    let mut unit = self.unit(&block.atoms, before, columns)?;
                    unit.absorb(rest)?;
                    let is_safe = unit.is_safe(&columns.known, self.terms)?;
                    *block = unit.into();
                    is_safe
                }
            };
            if !filled {
                failed.insert(region);
            }
        }
        Ok(failed)
    }

    /// Merges one after the other until each set is safe. What remains is one unit, for the next axis.
    fn accumulate(
        &self,
        units: Vec<Unit>,
        about: &[Known],
    ) -> Result<(Vec<Unit>, Option<Unit>), Broken> {
        let mut made: Vec<Unit> = Vec::new();
        let mut current: Option<Unit> = None;
        for unit in units {
            let Some(mut merged) = current.take() else {
                current = Some(unit);
                continue;
            };
            merged.absorb(unit)?;
            if merged.is_safe(about, self.terms)? {
                made.push(merged);
            } else {
                current = Some(merged);
            }
        }
        Ok((made, current))
    }
}
