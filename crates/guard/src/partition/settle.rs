//! A new load, or new products, after answers have left already: what may be replaced, and what waits.
//!
//! What was released before is a set of regions: the blocks of before. A region gives way to its new content only if its
//! new blocks fill it and what changes in it could be released by itself: nobody's part, or enough entities', none of
//! whom stands out. Otherwise all its atoms keep what they had. So the answers of before and after are all sums of
//! blocks, regions and safe changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lingqu_policy::Release;

use super::blocks::{Blurred, Kind, Layer, Merger, NEW, WITHHELD, blurred, is_safe};
use super::register::{ByAtom, Collector, Digest, MIXED, Register, known as known_of, tally};
use crate::gate::Broken;
use crate::safeguard::{Safeguard, stands};

/// A register with the blocks of every kind of figure.
pub(crate) struct Settled {
    pub(crate) register: Register,
    pub(crate) layers: Vec<Layer>,
    pub(crate) blurred: Vec<Blurred>,
    /// Atoms of before that keep what they had.
    pub(crate) waiting: usize,
}

/// Makes blocks for a first load.
pub(crate) fn first(
    register: Register,
    kinds: &[Kind],
    terms: &Release,
) -> Result<Settled, Broken> {
    let regions = vec![NEW; register.atoms.len()];
    let unknown = vec![false; register.atoms.len()];
    let by_atom = ByAtom::new(&register);
    let blurred = blurred(&by_atom, terms);
    let merger = Merger {
        by_atom: &by_atom,
        blurred: &blurred,
        terms,
    };
    let layers: Result<Vec<Layer>, Broken> = { kinds.iter() }
        .map(|kind| Ok(merger.layer(kind.clone(), &regions, &unknown)?.0))
        .collect();
    Ok(Settled {
        layers: layers?,
        blurred,
        register,
        waiting: 0,
    })
}

/// Replaces `before` by what was read, as far as it may be. The axes and numbers of `read` are those of `before` or
/// finer and more.
pub(crate) fn supersede(
    read: &Register,
    before: &Settled,
    kinds: &[Kind],
    terms: &Release,
) -> Result<Settled, Broken> {
    let mut held = vec![false; before.register.atoms.len()];
    loop {
        let mixed = mix(read, &before.register, &held)?;
        let (layers, again) = settle(&mixed, before, kinds, terms, &held)?;
        let newly: Vec<usize> = again.into_iter().filter(|atom| !held[*atom]).collect();
        if newly.is_empty() {
            return Ok(Settled {
                blurred: blurred(&ByAtom::new(&mixed.register), terms),
                register: mixed.register,
                layers,
                waiting: held.iter().filter(|held| **held).count(),
            });
        }
        for atom in newly {
            held[atom] = true;
        }
    }
}

/// What was read, but for the atoms that wait.
struct Mixed {
    register: Register,
    /// Per atom, the atom of before in whose cell it lies.
    origins: Vec<Option<usize>>,
    /// Per atom, whether it has its content from before.
    is_old: Vec<bool>,
}

fn mix(read: &Register, before: &Register, held: &[bool]) -> Result<Mixed, Broken> {
    let lookup = Origins::new(before);
    let read_origins: Vec<Option<usize>> = read
        .atoms
        .iter()
        .map(|atom| lookup.find(read, atom))
        .collect();
    let mut collector = Collector::new(read.axes.clone(), read.kept.clone());
    let mut origins: BTreeMap<Box<[u16]>, (Option<usize>, bool)> = BTreeMap::new();
    for (entity, digest) in read.entities.iter().enumerate() {
        for pair in read.pairs(entity) {
            let atom = read.atom_of[pair] as usize;
            let origin = read_origins[atom];
            if origin.is_some_and(|origin| held[origin]) {
                continue;
            }
            let at = &read.atoms[atom];
            origins.insert(at.clone(), (origin, false));
            collector.add(digest, at, read.values.iter().map(|values| values.at(pair)))?;
        }
    }
    let columns: Vec<Option<usize>> = read.kept.iter().map(|kept| before.kept_at(kept)).collect();
    for (entity, digest) in before.entities.iter().enumerate() {
        for pair in before.pairs(entity) {
            let atom = before.atom_of[pair] as usize;
            if !held[atom] {
                continue;
            }
            let at = translated(read, before, &before.atoms[atom]);
            let numbers = columns.iter().map(|column| {
                // A number that was not kept before is not known; its layer withholds the atom.
                column.map_or(0, |column| before.values[column].at(pair))
            });
            collector.add(digest, &at, numbers)?;
            origins.insert(at, (Some(atom), true));
        }
    }
    let register = collector.finish()?;
    let found: Option<Vec<(Option<usize>, bool)>> = { register.atoms.iter() }
        .map(|atom| origins.get(atom).copied())
        .collect();
    let (origins, is_old) = found.ok_or(Broken)?.into_iter().unzip();
    Ok(Mixed {
        register,
        origins,
        is_old,
    })
}

/// The classes that an atom of before has now; mixed where they are not known.
fn translated(read: &Register, before: &Register, atom: &[u16]) -> Box<[u16]> {
    let class = |axis: &super::axes::Axis| {
        let old = before.axes.iter().position(|old| old.name == axis.name)?;
        match atom[old] {
            MIXED => None,
            class => axis.only_class(&before.axes[old], class),
        }
    };
    read.axes
        .iter()
        .map(|axis| class(axis).unwrap_or(MIXED))
        .collect()
}

/// Finds the atom of before in whose cell an atom lies.
struct Origins<'a> {
    before: &'a Register,
    exact: HashMap<&'a [u16], usize>,
    spread: Vec<usize>,
}

impl<'a> Origins<'a> {
    fn new(before: &'a Register) -> Origins<'a> {
        let atoms = || before.atoms.iter().enumerate();
        Origins {
            before,
            exact: atoms()
                .map(|(number, atom)| (atom.as_ref(), number))
                .collect(),
            spread: atoms()
                .filter(|(_, atom)| atom.contains(&MIXED))
                .map(|(number, _)| number)
                .collect(),
        }
    }

    fn find(&self, read: &Register, atom: &[u16]) -> Option<usize> {
        let class = |old: &super::axes::Axis| {
            let axis = read.axes.iter().position(|axis| axis.name == old.name)?;
            read.axes[axis].coarser(old, atom[axis])
        };
        let at: Option<Vec<u16>> = self.before.axes.iter().map(class).collect();
        let at = at?;
        if let Some(found) = self.exact.get(at.as_slice()) {
            return Some(*found);
        }
        let fits = |spread: &&usize| {
            let classes = self.before.atoms[**spread].iter().zip(&at);
            classes
                .into_iter()
                .all(|(old, mine)| *old == MIXED || old == mine)
        };
        self.spread.iter().find(fits).copied()
    }
}

/// Layers over the mixed register, and the atoms of before that have to wait.
fn settle(
    mixed: &Mixed,
    before: &Settled,
    kinds: &[Kind],
    terms: &Release,
    held: &[bool],
) -> Result<(Vec<Layer>, BTreeSet<usize>), Broken> {
    let by_atom = ByAtom::new(&mixed.register);
    let blurred = blurred(&by_atom, terms);
    let merger = Merger {
        by_atom: &by_atom,
        blurred: &blurred,
        terms,
    };
    let mut wait = BTreeSet::new();
    let mut layers = Vec::new();
    for kind in kinds {
        let old = before.layers.iter().find(|layer| layer.kind == *kind);
        let region = |origin: &Option<usize>| match (old, origin) {
            (Some(old), Some(origin)) => old.block[*origin],
            _ => NEW,
        };
        let regions: Vec<u32> = mixed.origins.iter().map(region).collect();
        let was_kept = kind
            .kept()
            .iter()
            .all(|kept| before.register.kept_at(kept).is_some());
        let unknown: Vec<bool> = mixed
            .is_old
            .iter()
            .map(|is_old| *is_old && !was_kept)
            .collect();
        let (mut layer, mut bad) = merger.layer(kind.clone(), &regions, &unknown)?;
        if let Some(old) = old {
            bad.extend(unsafe_changes(mixed, &regions, before, old, terms)?);
            let atoms = |region: u32| {
                let blocks = old.block.iter().enumerate();
                blocks
                    .filter(move |(_, block)| **block == region)
                    .map(|(atom, _)| atom)
            };
            for region in bad {
                wait.extend(atoms(region));
                // Terms may have become stricter than those under which all of the region waits already: then nothing
                // of it is released any more.
                if atoms(region).all(|atom| held[atom]) {
                    for (atom, known) in regions.iter().enumerate() {
                        if *known == region {
                            layer.block[atom] = WITHHELD;
                        }
                    }
                }
            }
        }
        layers.push(layer);
    }
    Ok((layers, wait))
}

/// One entity's part of each region: what it had, or what it has.
type Parts = BTreeMap<u32, Vec<i128>>;

fn parts(register: &Register, entity: usize, regions: &[u32], columns: &[usize]) -> Parts {
    let mut parts = Parts::new();
    for pair in register.pairs(entity) {
        let region = regions[register.atom_of[pair] as usize];
        if region == NEW {
            continue;
        }
        let part = parts
            .entry(region)
            .or_insert_with(|| vec![0; columns.len()]);
        for (total, column) in part.iter_mut().zip(columns) {
            *total += register.values[*column].at(pair);
        }
    }
    parts
}

/// The regions whose change could not be released by itself.
fn unsafe_changes(
    mixed: &Mixed,
    regions: &[u32],
    before: &Settled,
    old: &Layer,
    terms: &Release,
) -> Result<BTreeSet<u32>, Broken> {
    let kept = old.kind.kept();
    let about = known_of(&kept)?;
    let columns = |register: &Register| -> Result<Vec<usize>, Broken> {
        kept.iter()
            .map(|kept| register.kept_at(kept).ok_or(Broken))
            .collect()
    };
    let (now, then) = (columns(&mixed.register)?, columns(&before.register)?);
    let mut known: HashMap<&Digest, usize> = HashMap::new();
    for (number, digest) in before.register.entities.iter().enumerate() {
        known.insert(digest, number);
    }
    let mut changes: BTreeMap<u32, Vec<Vec<i128>>> = BTreeMap::new();
    let mut note = |has: Parts, had: Parts| {
        let touched: BTreeSet<u32> = has.keys().chain(had.keys()).copied().collect();
        for region in touched {
            let (new, old) = (has.get(&region), had.get(&region));
            if new == old {
                continue;
            }
            let number = |part: Option<&Vec<i128>>, at: usize| part.map_or(0, |part| part[at]);
            let change = (0..kept.len())
                .map(|at| number(new, at) - number(old, at))
                .collect();
            changes.entry(region).or_default().push(change);
        }
    };
    for (entity, digest) in mixed.register.entities.iter().enumerate() {
        let has = parts(&mixed.register, entity, regions, &now);
        let had = known
            .remove(digest)
            .map(|had| parts(&before.register, had, &old.block, &then));
        note(has, had.unwrap_or_default());
    }
    for had in known.into_values() {
        note(
            Parts::new(),
            parts(&before.register, had, &old.block, &then),
        );
    }
    let mut found = BTreeSet::new();
    for (region, changes) in changes {
        let numbers = changes.iter().map(Vec::as_slice);
        let (entities, tallies) = tally(numbers, &about)?;
        if !is_safe(entities, &tallies, terms) && stands(Safeguard::SafeChanges) {
            found.insert(region);
        }
    }
    Ok(found)
}
