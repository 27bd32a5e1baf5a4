//! One answer: every pair is read, whatever is asked, and counts where its whole block lies in one group.
//!
//! The same work for every argument: which atoms are taken is decided per atom, not per row, and each pair is looked at
//! once. What comes out goes through the Gate as always, which holds the terms against the sums again.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use datafusion::scalar::ScalarValue;

use super::axes::{matched, name, places, taken};
use super::blocks::{Kind, WITHHELD};
use super::register::{MIXED, Register};
use super::{Partition, kept_of, kind_of};
use crate::answer;
use crate::engine::RunFailed;
use crate::gate::{Broken, Gate};
use crate::infer::Tree;
use crate::plan::{Partial, partials};
use crate::query::{Atom, Cell};
use crate::safeguard::{Safeguard, stands};
use crate::template::Bound;

/// No group: the rows are not taken, or not as a whole.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Answers a bound template of one of the open products.
pub(crate) fn answer(partition: &Partition, bound: &Bound) -> Result<RecordBatch, RunFailed> {
    if !partition.is_open(&bound.template) {
        return Err(RunFailed);
    }
    let query = &bound.query;
    let partials = partials(&query.cells);
    let atoms = groups_of_atoms(partition, bound)?;
    let mut columns = Vec::new();
    for partial in &partials {
        columns.push(Summed {
            column: partition.column(bound, *partial)?,
            groups: partition.whole(&kind_for(bound, *partial), &atoms)?,
        });
    }
    let present = partition.whole(&Kind::Entities, &atoms)?;
    let mut gate = Gate::new(query.release, &query.keys, query.groups, &partials)?;
    add_all(
        &partition.settled.register,
        &present,
        &columns,
        query.groups,
        &mut gate,
    )?;
    let released = gate.release(&query.cells)?;
    Ok(answer::build(query, released)?)
}

/// The kind of figure for which a number is summed.
fn kind_for(bound: &Bound, partial: Partial) -> Kind {
    match partial {
        Partial::Rows => Kind::Rows,
        Partial::Present(column) => kind_of(&bound.template, Cell::Present(column)),
        Partial::Count(column, measure) | Partial::Sum(column, measure) => {
            kind_of(&bound.template, Cell::Sum(column, measure))
        }
    }
}

impl Partition {
    fn column(&self, bound: &Bound, partial: Partial) -> Result<usize, Broken> {
        let wanted = kept_of(&bound.template, partial);
        self.settled.register.kept_at(&wanted).ok_or(Broken)
    }

    /// Per atom the group in which its whole block lies, for one kind of figure.
    pub(super) fn whole(&self, kind: &Kind, atoms: &[u32]) -> Result<Vec<u32>, Broken> {
        let layer = self.settled.layers.iter().find(|layer| layer.kind == *kind);
        let blocks = &layer.ok_or(Broken)?.block;
        if !stands(Safeguard::WholeBlocks) {
            return Ok(atoms.to_vec());
        }
        let mut group_of: HashMap<u32, u32> = HashMap::new();
        for (block, group) in blocks.iter().zip(atoms) {
            let known = group_of.entry(*block).or_insert(*group);
            if *known != *group || (*block == WITHHELD && stands(Safeguard::Withheld)) {
                *known = NOWHERE;
            }
        }
        let group = |block: &u32| group_of.get(block).copied().unwrap_or(NOWHERE);
        Ok(blocks.iter().map(group).collect())
    }
}

/// Per atom the group into which its rows fall, or [`NOWHERE`]; also where what is asked about is not told apart.
pub(super) fn groups_of_atoms(partition: &Partition, bound: &Bound) -> Result<Vec<u32>, Broken> {
    let register = &partition.settled.register;
    let asked = asked_axes(register, bound)?;
    let blurred = partition.settled.blurred.iter();
    let blurred: Vec<&Vec<bool>> = blurred
        .filter(|(axis, _)| asked.contains(axis))
        .map(|(_, is_blurred)| is_blurred)
        .collect();
    let groups = groups_in(register, bound)?.into_iter().enumerate();
    Ok(groups
        .map(|(number, group)| {
            let told = !blurred.iter().any(|is_blurred| is_blurred[number]);
            if told { group } else { NOWHERE }
        })
        .collect())
}

/// The axes by which the statement selects and groups.
fn asked_axes(register: &Register, bound: &Bound) -> Result<Vec<usize>, Broken> {
    let query = &bound.query;
    let template = &bound.template;
    let atoms = query.comparisons().map(|atom| name(template, atom.origin));
    let keys = query.keys.iter().map(|key| name(template, key.origin));
    let inner = query.joins.iter().filter(|join| !join.outer);
    let joins = inner.map(|join| matched(template, join.scan));
    { atoms.chain(keys).chain(joins) }
        .map(|asked| axis_of(register, &asked))
        .collect()
}

/// An axis, and which of its classes are taken.
type Taken = (usize, Vec<bool>);

/// Per atom the group into which its rows fall by the statement alone, or [`NOWHERE`].
pub(crate) fn groups_in(register: &Register, bound: &Bound) -> Result<Vec<u32>, Broken> {
    let query = &bound.query;
    let mut conditions: Vec<Taken> = Vec::new();
    for atom in &query.atoms {
        conditions.push(classes_taken(register, bound, &Tree::One(atom))?);
    }
    let choices: Result<Vec<Tree<Taken>>, Broken> = { query.choices.iter() }
        .map(|choice| by_column(register, bound, &choice.each()))
        .collect();
    let choices = choices?;
    for join in query.joins.iter().filter(|join| !join.outer) {
        let axis = axis_of(register, &matched(&bound.template, join.scan))?;
        conditions.push((axis, by_class(register, axis, &[false, true], false)?));
    }
    let mut keys: Vec<(usize, Vec<usize>, usize)> = Vec::new();
    for key in &query.keys {
        let axis = axis_of(register, &name(&bound.template, key.origin))?;
        let groups = key.groups();
        keys.push((axis, by_class(register, axis, &groups, 0)?, key.cells()));
    }
    let group_of = |atom: &[u16]| {
        // Of what is spread over several classes, or not known, nothing is said to be taken.
        let holds =
            |(axis, passes): &Taken| atom[*axis] != MIXED && passes[usize::from(atom[*axis])];
        let passes = conditions.iter().all(holds);
        if !passes || !choices.iter().all(|choice| choice.holds(&holds)) {
            return None;
        }
        let mut place = 0_usize;
        for (axis, groups, cells) in &keys {
            if atom[*axis] == MIXED {
                return None;
            }
            place = place * cells + groups[usize::from(atom[*axis])];
        }
        u32::try_from(place).ok()
    };
    let atoms = register.atoms.iter();
    Ok(atoms
        .map(|atom| group_of(atom).unwrap_or(NOWHERE))
        .collect())
}

/// The classes that comparisons of one column take together.
fn classes_taken(
    register: &Register,
    bound: &Bound,
    choice: &Tree<&Atom<ScalarValue>>,
) -> Result<Taken, Broken> {
    let leaves = choice.leaves();
    let first = leaves.first().ok_or(Broken)?;
    let axis = axis_of(register, &name(&bound.template, first.origin))?;
    let domain = register.axes[axis].domain.as_ref().ok_or(Broken)?;
    let sets = choice.map(&|atom: &&Atom<ScalarValue>| taken(domain, &atom.test));
    let holds = |place: usize| sets.holds(&|set: &Vec<bool>| set[place]);
    let places: Vec<bool> = (0..places(Some(domain))).map(holds).collect();
    Ok((axis, by_class(register, axis, &places, false)?))
}

/// The same for comparisons of several columns: what is of one column is decided together, for only together do they take
/// whole classes.
fn by_column(
    register: &Register,
    bound: &Bound,
    choice: &Tree<&Atom<ScalarValue>>,
) -> Result<Tree<Taken>, Broken> {
    let leaves = choice.leaves();
    let is_one = leaves
        .windows(2)
        .all(|pair| pair[0].origin == pair[1].origin);
    if is_one {
        return classes_taken(register, bound, choice).map(Tree::One);
    }
    let each = |parts: &[Tree<&Atom<ScalarValue>>]| {
        { parts.iter() }
            .map(|part| by_column(register, bound, part))
            .collect::<Result<Vec<_>, Broken>>()
    };
    Ok(match choice {
        Tree::All(parts) => Tree::All(each(parts)?),
        Tree::Any(parts) => Tree::Any(each(parts)?),
        Tree::One(_) => return Err(Broken),
    })
}

fn axis_of(register: &Register, wanted: &super::axes::AxisName) -> Result<usize, Broken> {
    let mut axes = register.axes.iter();
    axes.position(|axis| axis.name == *wanted).ok_or(Broken)
}

/// What holds of a class, from what holds of each of its places. Places of one class that differ in it would mean that
/// the product was not among those that the axis was refined for.
fn by_class<T: Copy + PartialEq>(
    register: &Register,
    axis: usize,
    places: &[T],
    empty: T,
) -> Result<Vec<T>, Broken> {
    let classes = &register.axes[axis].classes;
    if classes.len() != places.len() {
        return Err(Broken);
    }
    let count = classes
        .iter()
        .max()
        .map_or(0, |most| usize::from(*most) + 1);
    let mut known: Vec<Option<T>> = vec![None; count];
    for (class, holds) in classes.iter().zip(places) {
        let known = &mut known[usize::from(*class)];
        if known.is_some_and(|known| known != *holds) {
            return Err(Broken);
        }
        *known = Some(*holds);
    }
    Ok(known
        .into_iter()
        .map(|known| known.unwrap_or(empty))
        .collect())
}

/// One number that is summed, and per atom the group in which it counts.
struct Summed {
    column: usize,
    groups: Vec<u32>,
}

/// Adds entity by entity: its part of each group, then that to the Gate.
fn add_all(
    register: &Register,
    present: &[u32],
    columns: &[Summed],
    groups: usize,
    gate: &mut Gate,
) -> Result<(), Broken> {
    let width = columns.len();
    let mut sums = vec![0_i128; groups * width];
    let mut is_present = vec![false; groups];
    let mut is_touched = vec![false; groups];
    let mut touched: Vec<usize> = Vec::new();
    for entity in 0..register.entities.len() {
        for pair in register.pairs(entity) {
            let atom = register.atom_of[pair] as usize;
            let mut touch = |group: usize| {
                if !is_touched[group] {
                    is_touched[group] = true;
                    touched.push(group);
                }
            };
            if present[atom] != NOWHERE {
                let group = present[atom] as usize;
                is_present[group] = true;
                touch(group);
            }
            for (number, summed) in columns.iter().enumerate() {
                if summed.groups[atom] != NOWHERE {
                    let group = summed.groups[atom] as usize;
                    touch(group);
                    let sum = &mut sums[group * width + number];
                    let value = register.values[summed.column].at(pair);
                    *sum = sum.checked_add(value).ok_or(Broken)?;
                }
            }
        }
        for group in touched.drain(..) {
            let part = &mut sums[group * width..(group + 1) * width];
            gate.add_entity(group, is_present[group], part)?;
            part.fill(0);
            is_present[group] = false;
            is_touched[group] = false;
        }
    }
    Ok(())
}
