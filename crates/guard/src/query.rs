//! A reading that the policies allow: who may see what is decided here, before any data is touched.
//!
//! [`check`] is the truth table of this crate: each use of each column is held against the policy of its table.

mod conditions;
mod joins;
mod recode;

use conditions::Taken;
pub(crate) use conditions::check_parameters;
pub(crate) use recode::{Recode, Words};

use std::collections::BTreeSet;

use datafusion::scalar::ScalarValue;
use lingqu_policy::{Domain, DomainKind, Function, Release, Use};

use crate::formula::{Computed, Kept};
use crate::gate::Figure as Number;
use crate::infer::{Figure, OrderKey, Origin, Output, Reading, Shown, Test, Tree};
use crate::limits::GuardLimits;
use crate::partition::{group, places};
use crate::rule::{Rule, TemplateRefused, refuse};
use crate::safeguard::{Safeguard, stands};
use crate::tables::{TableRules, fits, measure_scale};
use crate::value::Parameter;
use crate::window::Window;

/// Most group columns.
const GROUPS_MAX: usize = 8;
/// Most aggregates, each of which is kept for every group.
const FIGURES_MAX: usize = 32;
/// Bytes of a number, a date or an offset, with its share of the null bitmap.
const CELL_BYTES: usize = 9;
/// The same of a decimal.
const DECIMAL_BYTES: usize = 17;

/// A value in a condition, in its canonical form.
#[derive(Clone)]
pub(crate) enum Bindable {
    /// Stands in the text.
    Fixed(ScalarValue),
    /// Index into the parameters.
    Parameter(usize),
}

/// A comparison on a declared domain.
#[derive(Clone)]
pub(crate) struct Atom<V> {
    pub(crate) origin: Origin,
    pub(crate) test: Test<V>,
}

/// A table joined to the protected one: a public one, or a protected one on the entity.
#[derive(Clone)]
pub(crate) struct Joined {
    /// Which scan.
    pub(crate) scan: usize,
    /// Whether rows of the protected table that join nothing stay, with NULL for every column of this one.
    pub(crate) outer: bool,
    /// Pairs of a column of the protected table and a column of this one, equal in the join.
    pub(crate) on: Vec<(usize, usize)>,
}

/// A group column: its cells are those of its domain, and one for everything else.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) origin: Origin,
    pub(crate) domain: Domain,
    /// Set if the statement makes the column coarser.
    pub(crate) recode: Option<Recode>,
}

impl Key {
    /// Number of cells, with the one for NULL and for values outside the domain.
    pub(crate) fn cells(&self) -> usize {
        let shown = match &self.recode {
            Some(recode) => recode.words.len(),
            None => self.domain.cells(),
        };
        shown + 1
    }

    /// Where a cell stands among all cells in the order of their values: words of a statement are declared in no order.
    pub(crate) fn rank(&self, cell: usize) -> usize {
        match &self.recode {
            Some(recode) => match &recode.words {
                Words::Days(_) => cell,
                Words::Texts(texts) => {
                    let own = texts.get(cell);
                    texts.iter().filter(|text| Some(*text) < own).count()
                }
            },
            None => cell,
        }
    }

    /// The group of each raw place of the domain.
    pub(crate) fn groups(&self) -> Vec<usize> {
        match &self.recode {
            Some(recode) => recode.groups.clone(),
            None => { 0..places(Some(&self.domain)) }
                .map(|place| group(&self.domain, place))
                .collect(),
        }
    }
}

/// A measure that is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// Digits after the point that sums are kept with.
    pub(crate) scale: i8,
}

/// An aggregate of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Average(usize, Measure),
    Entities,
    Present(usize),
    Rows,
    Sum(usize, Measure),
}

/// The statement, allowed. `V` is what conditions compare with: [`Bindable`], then bound values.
#[derive(Clone)]
pub(crate) struct Query<V> {
    /// Per scan, its index among the tables of the template.
    pub(crate) scans: Vec<usize>,
    /// Which scan is the protected one.
    pub(crate) protected: usize,
    /// The entity column of the protected table.
    pub(crate) entity: usize,
    pub(crate) joins: Vec<Joined>,
    /// Comparisons all of which hold of the rows that are taken.
    pub(crate) atoms: Vec<Atom<V>>,
    /// Of each of these too; in each several comparisons decide together.
    pub(crate) choices: Vec<Tree<Atom<V>>>,
    pub(crate) keys: Vec<Key>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) computed: Vec<Computed>,
    /// What computed outputs ask of the groups beside a group.
    pub(crate) windows: Vec<Window>,
    pub(crate) having: Option<Kept>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Option<usize>,
    pub(crate) release: Release,
    /// Product of the keys' cells: the answer's most rows.
    pub(crate) groups: usize,
    /// Per parameter its number, once it is bound, if it is one.
    pub(crate) numbers: Vec<Option<Number>>,
}

impl<V> Query<V> {
    /// The same query with values in its conditions, and the numbers of its parameters: how values are bound.
    pub(crate) fn bound<W>(
        &self,
        value: &impl Fn(&V) -> W,
        numbers: Vec<Option<Number>>,
    ) -> Query<W> {
        let atom = |atom: &Atom<V>| Atom {
            origin: atom.origin,
            test: atom.test.map(value),
        };
        let Query {
            scans,
            protected,
            entity,
            joins,
            atoms,
            choices,
            keys,
            cells,
            computed,
            windows,
            having,
            outputs,
            order,
            limit,
            release,
            groups,
            numbers: _,
        } = self;
        Query {
            scans: scans.clone(),
            protected: *protected,
            entity: *entity,
            joins: joins.clone(),
            atoms: atoms.iter().map(atom).collect(),
            choices: choices.iter().map(|choice| choice.map(&atom)).collect(),
            keys: keys.clone(),
            cells: cells.clone(),
            computed: computed.clone(),
            windows: windows.clone(),
            having: having.clone(),
            outputs: outputs.clone(),
            order: order.clone(),
            limit: *limit,
            release: *release,
            groups: *groups,
            numbers,
        }
    }

    /// Every comparison by which rows are taken.
    pub(crate) fn comparisons(&self) -> impl Iterator<Item = &Atom<V>> {
        self.atoms
            .iter()
            .chain(self.choices.iter().flat_map(Tree::leaves))
    }

    /// The columns that a scan needs, ascending.
    pub(crate) fn columns_of(&self, scan: usize) -> BTreeSet<usize> {
        let mut used = BTreeSet::new();
        used.extend(
            self.comparisons()
                .map(|atom| atom.origin)
                .filter(|o| o.scan == scan)
                .map(|o| o.column),
        );
        used.extend(
            self.keys
                .iter()
                .map(|key| key.origin)
                .filter(|o| o.scan == scan)
                .map(|o| o.column),
        );
        for join in &self.joins {
            used.extend(join.on.iter().filter_map(|(mine, other)| {
                if scan == self.protected {
                    Some(*mine)
                } else {
                    (scan == join.scan).then_some(*other)
                }
            }));
        }
        if scan == self.protected {
            used.insert(self.entity);
            used.extend(self.cells.iter().filter_map(|cell| match cell {
                Cell::Average(column, _) | Cell::Present(column) | Cell::Sum(column, _) => {
                    Some(*column)
                }
                Cell::Entities | Cell::Rows => None,
            }));
        }
        used
    }
}

/// Holds every use of every column against the policies.
pub(crate) fn check(
    reading: Reading,
    tables: &[TableRules],
    parameters: &[Parameter],
    limits: &GuardLimits,
) -> Result<Query<Bindable>, TemplateRefused> {
    let checker = Checker {
        reading: &reading,
        tables,
    };
    let protected = checker.protected()?;
    let rules = checker.table(protected);
    let entity = rules.entity()?;
    let joins = checker.joins(protected)?;
    let release = checker.release(protected, &joins)?;
    let Taken { atoms, choices } = checker.taken(protected, &joins, parameters)?;
    let keys = checker.keys()?;
    let cells = checker.cells(protected, entity)?;
    checker.functions(release)?;
    let groups = checker.groups(&keys, release, limits)?;
    checker.size(&keys, groups, limits)?;
    Ok(Query {
        scans: reading.scans.clone(),
        protected,
        entity,
        joins,
        atoms,
        choices,
        keys,
        cells,
        computed: reading.computed,
        windows: reading.windows,
        having: reading.having,
        outputs: reading.outputs,
        order: reading.order,
        limit: reading.limit,
        release,
        groups,
        numbers: Vec::new(),
    })
}

struct Checker<'a> {
    reading: &'a Reading,
    tables: &'a [TableRules],
}

impl<'a> Checker<'a> {
    fn table(&self, scan: usize) -> &'a TableRules {
        &self.tables[self.reading.scans[scan]]
    }

    fn name(&self, origin: Origin) -> &'a str {
        self.table(origin.scan).column(origin.column)
    }

    fn refuse<T>(&self, rule: Rule, origin: Origin) -> Result<T, TemplateRefused> {
        refuse(rule, self.name(origin))
    }

    /// Every column that the statement names, by scan.
    fn named(&self, scan: usize) -> BTreeSet<usize> {
        let reading = self.reading;
        let in_figures = reading.figures.iter().filter_map(|figure| match figure {
            Figure::Average(origin)
            | Figure::Distinct(origin)
            | Figure::Present(origin)
            | Figure::Sum(origin) => Some(*origin),
            Figure::Rows => None,
        });
        let in_joins = reading
            .equalities
            .iter()
            .flat_map(|(one, other)| [*one, *other]);
        let in_conditions =
            { reading.conditions.iter().flat_map(Tree::leaves) }.map(|condition| condition.origin);
        (reading.groups.iter().map(|grouped| grouped.origin))
            .chain(in_figures)
            .chain(in_joins)
            .chain(in_conditions)
            .filter(|origin| origin.scan == scan)
            .map(|origin| origin.column)
            .collect()
    }

    /// The first table that is not public in every column that the statement names: its rows are counted. Any other
    /// protected table must hang on it by the entity ([`Checker::joins`]).
    fn protected(&self) -> Result<usize, TemplateRefused> {
        let first = (0..self.reading.scans.len()).find(|scan| !self.is_public(*scan));
        match first {
            Some(first) if !self.reading.outer.contains(&first) => Ok(first),
            Some(outer) => refuse(Rule::JoinForm, self.table(outer).name.as_str()),
            None => Err(TemplateRefused::bare(Rule::ProtectedTable)),
        }
    }

    fn is_public(&self, scan: usize) -> bool {
        self.table(scan).is_public(&self.named(scan))
    }

    /// Whether the column identifies an entity of its table.
    fn is_entity(&self, origin: Origin) -> bool {
        let table = self.table(origin.scan);
        let mut entities = table.policy.entities();
        entities.any(|entity| entity == table.column(origin.column))
            && stands(Safeguard::EntityHidden)
    }

    /// The strictest terms of all protected tables that are read.
    fn release(&self, protected: usize, joins: &[Joined]) -> Result<Release, TemplateRefused> {
        let others = joins.iter().map(|join| join.scan);
        let mut strictest: Option<Release> = None;
        for scan in others
            .filter(|scan| !self.is_public(*scan))
            .chain([protected])
        {
            let rules = self.table(scan);
            let Some(release) = rules.policy.release() else {
                return refuse(Rule::ReleaseTerms, rules.name.as_str());
            };
            strictest = Some(strictest.map_or(release, |terms| terms.meet(release)));
        }
        strictest.ok_or_else(|| TemplateRefused::bare(Rule::ReleaseTerms))
    }

    fn keys(&self) -> Result<Vec<Key>, TemplateRefused> {
        if self.reading.groups.len() > GROUPS_MAX {
            return refuse(Rule::GroupsMany, "GROUP BY");
        }
        let mut keys = Vec::new();
        for grouped in &self.reading.groups {
            let origin = &grouped.origin;
            let table = self.table(origin.scan);
            let open = table.allows(origin.column, Use::Group) || !stands(Safeguard::GroupUse);
            if self.is_entity(*origin) || !open {
                return self.refuse(Rule::GroupUse, *origin);
            }
            let domain = self.domain(*origin)?;
            if domain.cells() == 0 {
                return self.refuse(Rule::DomainMissing, *origin);
            }
            keys.push(Key {
                origin: *origin,
                domain: domain.clone(),
                recode: self.recode(grouped, domain)?,
            });
        }
        Ok(keys)
    }

    /// The declared domain, which must fit the column's type.
    fn domain(&self, origin: Origin) -> Result<&'a Domain, TemplateRefused> {
        let table = self.table(origin.scan);
        let Some(domain) = table.domain(origin.column) else {
            return self.refuse(Rule::DomainMissing, origin);
        };
        if fits(domain, table.data_type(origin.column)) {
            Ok(domain)
        } else {
            self.refuse(Rule::TypeUnfit, origin)
        }
    }

    fn cells(&self, protected: usize, entity: usize) -> Result<Vec<Cell>, TemplateRefused> {
        if self.reading.figures.len() > FIGURES_MAX {
            return refuse(Rule::SqlLong, "aggregates");
        }
        let figures = self.reading.figures.iter();
        figures
            .map(|figure| match *figure {
                Figure::Rows => Ok(Cell::Rows),
                Figure::Distinct(origin) => {
                    let entity = Origin {
                        scan: protected,
                        column: entity,
                    };
                    if origin == entity {
                        Ok(Cell::Entities)
                    } else {
                        self.refuse(Rule::AggregateUse, origin)
                    }
                }
                Figure::Present(origin) => {
                    self.aggregated(origin, protected, entity)?;
                    Ok(Cell::Present(origin.column))
                }
                Figure::Sum(origin) => {
                    self.aggregated(origin, protected, entity)?;
                    Ok(Cell::Sum(origin.column, self.measure(origin)?))
                }
                Figure::Average(origin) => {
                    self.aggregated(origin, protected, entity)?;
                    Ok(Cell::Average(origin.column, self.measure(origin)?))
                }
            })
            .collect()
    }

    /// The unit lists the functions that may be asked.
    fn functions(&self, release: Release) -> Result<(), TemplateRefused> {
        for figure in &self.reading.figures {
            let function = match figure {
                Figure::Average(_) => Function::Average,
                Figure::Distinct(_) => Function::Entities,
                Figure::Present(_) | Figure::Rows => Function::Count,
                Figure::Sum(_) => Function::Sum,
            };
            if !release.functions().allows(function) && stands(Safeguard::Functions) {
                return refuse(Rule::FunctionUse, function.as_str());
            }
        }
        Ok(())
    }

    /// A figure of a public table would be a weight on the rows of the protected one.
    fn aggregated(
        &self,
        origin: Origin,
        protected: usize,
        entity: usize,
    ) -> Result<(), TemplateRefused> {
        let table = self.table(origin.scan);
        let open = origin.scan == protected
            && origin.column != entity
            && table.allows(origin.column, Use::Aggregate);
        if open || !stands(Safeguard::AggregateUse) {
            Ok(())
        } else {
            self.refuse(Rule::AggregateUse, origin)
        }
    }

    fn measure(&self, origin: Origin) -> Result<Measure, TemplateRefused> {
        let data_type = self.table(origin.scan).data_type(origin.column);
        let DomainKind::Bounds { min, max } = *self.domain(origin)?.kind() else {
            return self.refuse(Rule::DomainMissing, origin);
        };
        match measure_scale(data_type) {
            Some(scale) => Ok(Measure { min, max, scale }),
            None => self.refuse(Rule::TypeUnfit, origin),
        }
    }

    /// The number of groups follows from the declared domains, so exceeding the limit says nothing about the rows.
    fn groups(
        &self,
        keys: &[Key],
        release: Release,
        limits: &GuardLimits,
    ) -> Result<usize, TemplateRefused> {
        let groups = keys
            .iter()
            .try_fold(1_usize, |groups, key| groups.checked_mul(key.cells()))
            .unwrap_or(usize::MAX);
        let allowed = usize::try_from(release.groups_max()).unwrap_or(usize::MAX);
        if groups <= allowed.min(limits.rows_out_max) {
            Ok(groups)
        } else {
            refuse(Rule::GroupsMany, "GROUP BY")
        }
    }

    fn size(
        &self,
        keys: &[Key],
        groups: usize,
        limits: &GuardLimits,
    ) -> Result<(), TemplateRefused> {
        let widest = |key: &Key| match (&key.recode, key.domain.kind()) {
            (Some(recode), _) => match &recode.words {
                Words::Texts(texts) => texts.iter().map(String::len).max().unwrap_or(0),
                Words::Days(_) => 0,
            },
            (None, kind) => widest_of(kind),
        };
        let row: usize = self
            .reading
            .outputs
            .iter()
            .map(|output| match output.shown {
                Shown::Group(key) => CELL_BYTES + widest(&keys[key]),
                Shown::Figure(_) => CELL_BYTES,
                Shown::Computed(_) => DECIMAL_BYTES,
            })
            .sum();
        if groups.saturating_mul(row) <= limits.result_bytes_max {
            Ok(())
        } else {
            Err(TemplateRefused::bare(Rule::ResultLarge))
        }
    }
}

/// Bytes of the longest word of a domain.
fn widest_of(kind: &DomainKind) -> usize {
    match kind {
        DomainKind::Texts(texts) => texts.iter().map(String::len).max().unwrap_or(0),
        DomainKind::Integers(_)
        | DomainKind::IntegerBins(_)
        | DomainKind::DateBins(_)
        | DomainKind::Bounds { .. } => 0,
    }
}
