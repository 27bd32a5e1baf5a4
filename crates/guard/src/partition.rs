//! All statistic products of one resource over one load: atomic cells, blocks of them, and answers made of whole blocks.
//!
//! Built when products open or a load arrives ([`Engine::partition`]), asked for each call ([`Engine::answer`]). Two
//! answers, of whatever products, arguments, callers and loads, differ by whole blocks, each of which could be released
//! by itself: differencing is excluded by construction. The argument and its limits stand in `docs/disclosure.md`.
//! Start reading at [`build`], then `axes.rs`, `register.rs`, `blocks.rs`, `settle.rs`, and `ask.rs` for one answer.
//!
//! [`Engine::partition`]: crate::Engine::partition
//! [`Engine::answer`]: crate::Engine::answer

mod alone;
mod ask;
mod axes;
mod blocks;
mod read;
mod register;
mod settle;
mod view;

pub(crate) use alone::alone;
pub(crate) use ask::{NOWHERE, answer, groups_in};
pub(crate) use axes::{after, edge_index, group, is_value, places, taken};
pub use read::ReadFailed;
pub(crate) use register::Register;

use std::fmt;

use datafusion::execution::SessionState;
use lingqu_policy::Release;

use crate::engine::Tables;
use crate::gate::Broken;
use crate::limits::GuardLimits;
use crate::plan::{Partial, partials};
use crate::query::Cell;
use crate::template::Template;
use axes::Axis;
use blocks::Kind;
use read::{Reading, protected};
use register::Kept;
use settle::{Settled, first, supersede};
use view::view;

/// A statistic product that is to be open: its name, and its template.
#[derive(Clone, Debug)]
pub struct StatisticProduct {
    /// By which it is named in reports.
    pub name: String,
    /// Registered over the tables that are read.
    pub template: Template,
}

/// Statistic products of one resource over one load of its tables.
pub struct Partition {
    settled: Settled,
    open: Vec<StatisticProduct>,
    /// The strictest of all products.
    terms: Release,
    report: PartitionReport,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// What came of building a partition. For the unit that holds the data and for nobody else: the numbers depend on rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReport {
    /// The products that are open.
    pub open: Vec<OpenProduct>,
    /// The products that are not, and why.
    pub refused: Vec<RefusedProduct>,
    /// Cells that keep what they had in the load of before, since too few entities changed in them.
    pub cells_waiting: usize,
}

/// How well a product's finest answers can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenProduct {
    /// Its name.
    pub name: String,
    /// Cells of its finest answers that some row lies in.
    pub cells: usize,
    /// How many of them can be shown.
    pub cells_shown: usize,
    /// Rows that its finest figures leave out, in percent, rounded up.
    pub withheld_percent: u8,
}

/// A product that does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedProduct {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: ProductRefused,
}

/// Why a product does not open over a load.
///
/// That it does not is seen by its callers, and tells them one bit about the load, that some cells are too small. Which
/// columns and how much stands here, for the unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRefused {
    /// Entities lie in several cells, so that numbers of entities do not add up, and their rounding is too fine to hide
    /// how many lie in two.
    #[error("entities lie in several cells: state `round_to` of at least {round_to_min}")]
    EntitiesOverlap {
        /// Half of the minimum group, rounded up.
        round_to_min: u32,
    },
    /// Its cells are too small. Names the columns that make them.
    #[error(
        "its figures would leave out {withheld_percent} % of the rows: declare coarser bins of {columns}, or fewer parameters"
    )]
    Withheld {
        /// Rows left out, in percent, rounded up.
        withheld_percent: u8,
        /// The columns by which it tells rows apart, with commas.
        columns: String,
    },
}

/// Why there is no partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionRefused {
    /// No product, or products of several protected tables.
    #[error("the products of a partition read one protected table, and there is at least one")]
    Products,
    /// Two products see a column through different domains.
    #[error("two products see column `{0}` through different domains")]
    DomainsDiffer(String),
    /// The tables cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFailed),
    /// What was open before is about another table, or a column of it is not there or has another domain now. Opening
    /// without it is possible, but answers of before and after can then be compared.
    #[error("the partition of before is about other columns")]
    Unrelated,
    /// Numbers that do not fit, or no time.
    #[error("the partition could not be computed")]
    Failed,
}

impl From<Broken> for PartitionRefused {
    fn from(_: Broken) -> Self {
        PartitionRefused::Failed
    }
}

impl Partition {
    /// What came of building it. For the unit only.
    pub fn report(&self) -> &PartitionReport {
        &self.report
    }

    /// Bytes that it holds, without what allocations take besides.
    pub fn bytes(&self) -> usize {
        self.settled.register.bytes()
    }

    /// Whether the product with this template is open.
    pub fn is_open(&self, template: &Template) -> bool {
        self.open.iter().any(|open| open.template.is_same(template))
    }

    /// The strictest release terms of its products, by which its cells were made.
    pub fn terms(&self) -> Release {
        self.terms
    }
}

/// What a build needs besides products and tables.
pub(crate) struct Surroundings<'a> {
    pub(crate) state: &'a SessionState,
    pub(crate) limits: GuardLimits,
    pub(crate) key: &'a [u8; 32],
}

/// Builds the partition of all products. Where a product has to stay closed, products are admitted one after the other,
/// in their order, each only if all before it stay open.
pub(crate) async fn build(
    products: &[StatisticProduct],
    tables: &Tables,
    before: Option<&Partition>,
    around: &Surroundings<'_>,
) -> Result<Partition, PartitionRefused> {
    let attempt = try_build(products, tables, before, around).await?;
    if attempt.report.refused.is_empty() {
        return Ok(attempt);
    }
    let mut admitted: Vec<StatisticProduct> = Vec::new();
    let mut refused: Vec<RefusedProduct> = Vec::new();
    let mut last = None;
    for product in products {
        admitted.push(product.clone());
        let attempt = try_build(&admitted, tables, before, around).await?;
        match attempt.report.refused.first() {
            None => last = Some(attempt),
            Some(broken) => {
                admitted.pop();
                refused.push(RefusedProduct {
                    name: product.name.clone(),
                    reason: broken.reason.clone(),
                });
            }
        }
    }
    // With no product open there are still the cells of the last attempt; nothing can be asked of them.
    let mut partition = match last {
        Some(partition) => partition,
        None => Partition {
            open: Vec::new(),
            ..attempt
        },
    };
    partition.report.open.truncate(partition.open.len());
    partition.report.refused = refused;
    Ok(partition)
}

async fn try_build(
    products: &[StatisticProduct],
    tables: &Tables,
    before: Option<&Partition>,
    around: &Surroundings<'_>,
) -> Result<Partition, PartitionRefused> {
    let templates: Vec<&Template> = products.iter().map(|product| &product.template).collect();
    let terms = strictest(&templates)?;
    let known: &[Axis] = before.map_or(&[], |before| &before.settled.register.axes);
    let axes = axes::refine(&templates, known).map_err(|differ| match before {
        None => PartitionRefused::DomainsDiffer(differ.0),
        Some(_) => PartitionRefused::Unrelated,
    })?;
    let mut kinds = vec![Kind::Entities, Kind::Rows];
    let mut kept = before.map_or_else(|| vec![Kept::Rows], |b| b.settled.register.kept.clone());
    for template in &templates {
        add_kinds(template, &mut kinds, &mut kept);
    }
    let reading = Reading {
        templates: &templates,
        axes,
        kept,
        bytes_max: around.limits.memory_bytes_max,
        key: around.key,
    };
    let register = read::read(reading, tables, around.state).await;
    let settled = match (register, before) {
        (Ok(register), None) => first(register, &kinds, &terms)?,
        (Ok(register), Some(before)) => supersede(&register, &before.settled, &kinds, &terms)?,
        (Err(ReadFailed::Source(_)), Some(before)) if before.reads_more(&templates, tables) => {
            return Err(PartitionRefused::Unrelated);
        }
        (Err(failed), _) => return Err(failed.into()),
    };
    let mut report = PartitionReport {
        open: Vec::new(),
        refused: Vec::new(),
        cells_waiting: settled.waiting,
    };
    for product in products {
        match view(product, &settled, &terms) {
            Ok(open) => report.open.push(open),
            Err(reason) => report.refused.push(RefusedProduct {
                name: product.name.clone(),
                reason,
            }),
        }
    }
    Ok(Partition {
        settled,
        open: products.to_vec(),
        terms,
        report,
    })
}

impl Partition {
    /// Whether a column that it was read with is missing from the tables now.
    fn reads_more(&self, templates: &[&Template], tables: &Tables) -> bool {
        let Some(first) = templates.first() else {
            return false;
        };
        let own = protected(first).0;
        let missing = |table: &str, column: &str| {
            { tables.get(table) }.is_none_or(|table| table.schema().index_of(column).is_err())
        };
        let axes = self.settled.register.axes.iter();
        let by_axes = axes.map(|axis| &axis.name).any(|name| {
            let axes::What::Column(column) = &name.what else {
                return false;
            };
            match &name.path {
                axes::Path::Own => missing(&own, column),
                axes::Path::Joined(join) => missing(&join.table, column),
            }
        });
        let kept = self.settled.register.kept.iter();
        by_axes || { kept }.any(|kept| match kept {
            Kept::Rows => false,
            Kept::Present(column) | Kept::Count(column, _) | Kept::Sum(column, _) => {
                missing(&own, column)
            }
        })
    }
}

/// The meet of all terms. All templates must be about one protected table and one entity column of it.
fn strictest(templates: &[&Template]) -> Result<Release, PartitionRefused> {
    let Some((first, others)) = templates.split_first() else {
        return Err(PartitionRefused::Products);
    };
    let about = protected(first);
    let mut terms = first.query().release;
    for other in others {
        if protected(other) != about {
            return Err(PartitionRefused::Products);
        }
        terms = terms.meet(other.query().release);
    }
    Ok(terms)
}

/// The name of a column of the protected table.
fn own_column(template: &Template, column: usize) -> String {
    let rules = template.rules(template.query().protected);
    rules.column(column).to_owned()
}

fn kept_of(template: &Template, partial: Partial) -> Kept {
    let own = |column| own_column(template, column);
    match partial {
        Partial::Rows => Kept::Rows,
        Partial::Present(column) => Kept::Present(own(column)),
        Partial::Count(column, measure) => Kept::Count(own(column), measure),
        Partial::Sum(column, measure) => Kept::Sum(own(column), measure),
    }
}

fn kind_of(template: &Template, cell: Cell) -> Kind {
    let own = |column| own_column(template, column);
    match cell {
        Cell::Entities => Kind::Entities,
        Cell::Rows => Kind::Rows,
        Cell::Present(column) => Kind::Present(own(column)),
        Cell::Average(column, measure) | Cell::Sum(column, measure) => {
            Kind::Measure(own(column), measure)
        }
    }
}

/// The kinds of a template's figures and the numbers that they are made of.
fn add_kinds(template: &Template, kinds: &mut Vec<Kind>, kept: &mut Vec<Kept>) {
    let cells = &template.query().cells;
    for kind in cells.iter().map(|cell| kind_of(template, *cell)) {
        let numbers = kind.kept();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        for number in numbers {
            if !kept.contains(&number) {
                kept.push(number);
            }
        }
    }
    for number in partials(cells)
        .into_iter()
        .map(|partial| kept_of(template, partial))
    {
        if !kept.contains(&number) {
            kept.push(number);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
