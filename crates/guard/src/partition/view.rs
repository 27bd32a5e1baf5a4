//! What one product would tell apart, and how much of it whole blocks can answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lingqu_policy::Release;

use super::axes::{Axis, AxisName, ever, fixed_set, name, splitters};
use super::blocks::WITHHELD;
use super::register::MIXED;
use super::settle::Settled;
use super::{OpenProduct, ProductRefused, StatisticProduct, kind_of};
use crate::infer::{Origin, Tree};
use crate::query::{Atom, Bindable, Cell};
use crate::safeguard::{Safeguard, stands};
use crate::template::Template;

/// How the product fares, or why it stays closed.
pub(super) fn view(
    product: &StatisticProduct,
    settled: &Settled,
    terms: &Release,
) -> Result<OpenProduct, ProductRefused> {
    let template = &product.template;
    let cells = &template.query().cells;
    let shows_entities = cells.iter().any(|cell| matches!(cell, Cell::Entities));
    let too_fine = 2 * terms.round_to() < terms.group_min();
    let overlaps = settled.register.overlaps() && stands(Safeguard::EntityRounding);
    if shows_entities && too_fine && overlaps {
        return Err(ProductRefused::EntitiesOverlap {
            round_to_min: terms.group_min().div_ceil(2),
        });
    }
    let finest = Finest::of(product, settled);
    let mut withheld = 0;
    let mut shown = BTreeSet::new();
    for layer in &settled.layers {
        let asked = cells
            .iter()
            .any(|cell| kind_of(template, *cell) == layer.kind);
        let groups = matches!(layer.kind, super::Kind::Entities);
        if !asked && !groups {
            continue;
        }
        let whole = finest.whole(&layer.block);
        if groups {
            shown = whole.iter().flatten().copied().collect();
        }
        withheld = withheld.max(finest.rows_withheld(&whole));
    }
    let percent = (withheld * 100).div_ceil(finest.rows().max(1));
    let withheld_percent = u8::try_from(percent).unwrap_or(100);
    if withheld_percent > terms.withheld_percent_max() && stands(Safeguard::WithheldShare) {
        return Err(ProductRefused::Withheld {
            withheld_percent,
            columns: columns(product),
        });
    }
    Ok(OpenProduct {
        name: product.name.clone(),
        cells: finest.cells(),
        cells_shown: shown.len(),
        withheld_percent,
    })
}

fn columns(product: &StatisticProduct) -> String {
    let names: BTreeSet<AxisName> = { splitters(&product.template).into_iter() }
        .map(|splitter| splitter.name)
        .collect();
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.column()))
        .collect();
    names.join(", ")
}

/// The cells of a product's finest answers.
struct Finest {
    /// Per atom: none if no answer ever takes its rows, else its cell; none within for one that is spread over several.
    cell_of: Vec<Option<Option<usize>>>,
    /// Per atom.
    rows: Vec<u64>,
}

impl Finest {
    fn of(product: &StatisticProduct, settled: &Settled) -> Finest {
        let register = &settled.register;
        let labels = labels(product, settled);
        let choices = reached(product, settled);
        let mut cells: HashMap<Vec<&[u32]>, usize> = HashMap::new();
        let blurred: Vec<&Vec<bool>> = { settled.blurred.iter() }
            .filter(|(axis, _)| labels.contains_key(axis))
            .map(|(_, is_blurred)| is_blurred)
            .collect();
        let cell_of = { register.atoms.iter().enumerate() }
            .map(|(number, atom)| {
                let mut at: Vec<&[u32]> = Vec::new();
                let mut spread = blurred.iter().any(|is_blurred| is_blurred[number]);
                for (axis, classes) in &labels {
                    match atom[*axis] {
                        MIXED => spread = true,
                        class => {
                            let (labels, reached) = &classes[usize::from(class)];
                            if !reached {
                                return None;
                            }
                            at.push(labels);
                        }
                    }
                }
                // What is spread may be asked about.
                let may = |(axis, ever): &(usize, Vec<bool>)| {
                    atom[*axis] == MIXED || ever[usize::from(atom[*axis])]
                };
                if !choices.iter().all(|choice| choice.holds(&may)) {
                    return None;
                }
                if spread {
                    return Some(None);
                }
                let next = cells.len();
                Some(Some(*cells.entry(at).or_insert(next)))
            })
            .collect();
        let mut rows = vec![0_u64; register.atoms.len()];
        for (pair, atom) in register.atom_of.iter().enumerate() {
            let counted = u64::try_from(register.values[0].at(pair)).unwrap_or(0);
            rows[*atom as usize] += counted;
        }
        Finest { cell_of, rows }
    }

    /// Per atom, the cell in which its block lies as a whole.
    fn whole(&self, blocks: &[u32]) -> Vec<Option<usize>> {
        let mut cell_of_block: HashMap<u32, Option<usize>> = HashMap::new();
        for (atom, block) in blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| **block != WITHHELD)
        {
            let mine = self.cell_of[atom].flatten();
            let known = cell_of_block.entry(*block).or_insert(mine);
            if *known != mine {
                *known = None;
            }
        }
        { blocks.iter() }
            .map(|block| cell_of_block.get(block).copied().flatten())
            .collect()
    }

    fn rows(&self) -> u64 {
        let reached = self
            .cell_of
            .iter()
            .zip(&self.rows)
            .filter(|(cell, _)| cell.is_some());
        reached.map(|(_, rows)| rows).sum()
    }

    fn rows_withheld(&self, whole: &[Option<usize>]) -> u64 {
        let atoms = self.cell_of.iter().zip(&self.rows).zip(whole);
        atoms
            .filter(|((cell, _), whole)| cell.is_some() && whole.is_none())
            .map(|((_, rows), _)| rows)
            .sum()
    }

    fn cells(&self) -> usize {
        let cells: BTreeSet<usize> = self.cell_of.iter().flatten().flatten().copied().collect();
        cells.len()
    }
}

/// The labels that a product's splitters give to a class, and whether it is ever asked about.
type Labelled = (Vec<u32>, bool);

/// Per axis that the product uses, its classes.
fn labels(product: &StatisticProduct, settled: &Settled) -> BTreeMap<usize, Vec<Labelled>> {
    let register = &settled.register;
    let mut labels: BTreeMap<usize, Vec<Labelled>> = BTreeMap::new();
    for splitter in splitters(&product.template) {
        let Some(at) = register
            .axes
            .iter()
            .position(|axis| axis.name == splitter.name)
        else {
            continue;
        };
        let classes = class_count(&register.axes[at]);
        let known = labels
            .entry(at)
            .or_insert_with(|| vec![(Vec::new(), true); classes]);
        if splitter.is_part {
            continue;
        }
        for (class, (labels, reached)) in known.iter_mut().enumerate() {
            let place = register.axes[at]
                .classes
                .iter()
                .position(|c| usize::from(*c) == class);
            let label = place.map_or(0, |place| splitter.labels[place]);
            labels.push(label);
            *reached &= !splitter.always || label == 1;
        }
    }
    labels
}

/// Which classes of an axis are taken for some argument.
type Ever = (usize, Vec<bool>);

/// Of each condition in which several comparisons decide together, the classes that are taken for some argument.
fn reached(product: &StatisticProduct, settled: &Settled) -> Vec<Tree<Ever>> {
    let choices = product.template.query().choices.iter();
    choices
        .map(|choice| reached_by(&product.template, &settled.register.axes, choice))
        .collect()
}

/// Comparisons of one column whose values stand in the text share classes, which only together they take as a whole: of
/// one alone, a class would count as taken for a place that another one leaves out.
fn reached_by(template: &Template, axes: &[Axis], choice: &Tree<Atom<Bindable>>) -> Tree<Ever> {
    if let Some((origin, places)) = fixed_set(template, choice) {
        return classes_of(template, axes, origin, &places);
    }
    let each = |parts: &[Tree<Atom<Bindable>>]| {
        { parts.iter() }
            .map(|part| reached_by(template, axes, part))
            .collect()
    };
    match choice {
        Tree::All(parts) => Tree::All(each(parts)),
        Tree::Any(parts) => Tree::Any(each(parts)),
        Tree::One(atom) => match template.rules(atom.origin.scan).domain(atom.origin.column) {
            Some(domain) => classes_of(template, axes, atom.origin, &ever(template, domain, atom)),
            None => Tree::All(Vec::new()),
        },
    }
}

/// The classes that these places of a column lie in.
fn classes_of(template: &Template, axes: &[Axis], origin: Origin, places: &[bool]) -> Tree<Ever> {
    let wanted = name(template, origin);
    let Some(at) = axes.iter().position(|axis| axis.name == wanted) else {
        return Tree::All(Vec::new());
    };
    let mut taken = vec![false; class_count(&axes[at])];
    for (class, is_taken) in axes[at].classes.iter().zip(places) {
        taken[usize::from(*class)] |= is_taken;
    }
    Tree::One((at, taken))
}

fn class_count(axis: &Axis) -> usize {
    axis.classes
        .iter()
        .max()
        .map_or(0, |most| usize::from(*most) + 1)
}
