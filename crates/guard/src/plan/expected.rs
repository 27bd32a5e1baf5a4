//! What a plan below the Gate must do, and the judgement whether one that an optimiser made does exactly that.
//!
//! The logical and the physical plan are each read into the same [`Found`]: which tables, which conditions, which joins,
//! what every output column is. Names play no part; a column is what its lineage says.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, SchemaRef};
use datafusion::logical_expr::ScalarUDF;
use datafusion::scalar::ScalarValue;
use lingqu_policy::Domain;

use super::claim::{Claim, Comparison, Point, representatives};
use super::{Changed, Partial};
use crate::cells::{Own, own};
use crate::choice::{self, chosen};
use crate::infer::Origin;
use crate::query::{Key, Measure, Query, Recode};
use crate::tables::{is_integer, is_text};

/// What a column of a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// A column of a table as it is.
    Raw(Origin),
    /// The group of a column's value for the key of this number, or for the first of several equal ones.
    Cell(usize),
    /// A measure of the protected table, brought into its bounds.
    Bounded(usize, Measure),
    /// A value that is the same in every row and never NULL.
    Constant,
    /// What one aggregation hands to the next one of the same aggregate.
    State(Partial),
    /// What an entity has in a group.
    Figure(Partial),
}

/// A join as found.
pub(super) struct FoundJoin {
    /// The table beside the protected one.
    pub(super) scan: usize,
    pub(super) outer: bool,
    /// Pairs of a column of the protected table and one of the other.
    pub(super) on: BTreeSet<(usize, usize)>,
}

/// A condition as found: above the join of its table with the others, or below.
pub(super) struct FoundClaim {
    pub(super) claim: Claim,
    pub(super) is_joined: bool,
    /// Whether the plan applies it; what is only handed to a source may be left undone.
    pub(super) is_applied: bool,
}

/// What a plan does.
#[derive(Default)]
pub(super) struct Found {
    pub(super) scans: Vec<usize>,
    pub(super) joins: Vec<FoundJoin>,
    pub(super) claims: Vec<FoundClaim>,
}

/// What it must do.
pub(crate) struct Expected<'a> {
    pub(crate) query: &'a Query<ScalarValue>,
    /// Per scan.
    pub(crate) schemas: &'a [SchemaRef],
    pub(crate) partials: &'a [Partial],
}

impl Expected<'_> {
    pub(super) fn entity(&self) -> Origin {
        Origin {
            scan: self.query.protected,
            column: self.query.entity,
        }
    }

    /// A column of a scan by its name in the table.
    pub(super) fn column(&self, scan: usize, name: &str) -> Result<Label, Changed> {
        let schema = self.schemas.get(scan).ok_or(Changed)?;
        let column = schema.index_of(name).map_err(|_| Changed)?;
        let used = self.query.columns_of(scan).contains(&column);
        used.then_some(Label::Raw(Origin { scan, column }))
            .ok_or(Changed)
    }

    /// A column under a conversion that keeps every value and the order of all of them.
    pub(super) fn converted(&self, label: Label, to: &DataType) -> Result<Label, Changed> {
        let Label::Raw(origin) = label else {
            return Err(Changed);
        };
        let from = self.schemas[origin.scan].field(origin.column).data_type();
        let keeps = from == to
            || (is_text(from) && is_text(to))
            || (is_integer(from) && *to == DataType::Int64);
        keeps.then_some(label).ok_or(Changed)
    }

    /// What one of the guard's own functions makes of a column.
    pub(super) fn function(&self, called: &ScalarUDF, argument: Label) -> Result<Label, Changed> {
        match own(called) {
            Some(Own::Cell(domain, recode)) => self.cell(argument, domain, recode),
            Some(Own::Bounded(measure)) => self.bounded(argument, measure),
            None => Err(Changed),
        }
    }

    /// A condition that compares a column with a value, on either side.
    pub(super) fn compared(
        &self,
        comparison: Comparison,
        (left, left_value): (Option<Label>, Option<&ScalarValue>),
        (right, right_value): (Option<Label>, Option<&ScalarValue>),
    ) -> Result<Claim, Changed> {
        match (left, left_value, right, right_value) {
            (Some(Label::Raw(column)), None, _, Some(value)) => {
                Ok(Claim::Compare(column, comparison, Point::of(value)?))
            }
            (_, Some(value), Some(Label::Raw(column)), None) => Ok(Claim::Compare(
                column,
                comparison.turned(),
                Point::of(value)?,
            )),
            _ => Err(Changed),
        }
    }

    /// One of the query's choices, as the guard's own function of the columns that it compares.
    pub(super) fn choice(&self, called: &ScalarUDF, arguments: &[Label]) -> Result<Claim, Changed> {
        let found = choice::own(called).ok_or(Changed)?;
        let mut choices = self.query.choices.iter().map(chosen).enumerate();
        let place = choices.find_map(|(at, (columns, chosen))| {
            let same = |(column, found): (&Origin, &Label)| match found {
                Label::Raw(found) => column == found || self.equal_to(*column).contains(found),
                _ => false,
            };
            let fits = chosen == *found
                && columns.len() == arguments.len()
                && columns.iter().zip(arguments).all(same);
            let own = columns.iter().copied().map(Label::Raw);
            fits.then(|| Claim::Choice(at, own.eq(arguments.iter().copied())))
        });
        place.ok_or(Changed)
    }

    /// An equality of a join, either way round: the other table, and the pair of columns.
    pub(super) fn equality(
        &self,
        one: Label,
        two: Label,
    ) -> Result<(usize, (usize, usize)), Changed> {
        let (Label::Raw(one), Label::Raw(two)) = (one, two) else {
            return Err(Changed);
        };
        let protected = self.query.protected;
        match (one.scan == protected, two.scan == protected) {
            (true, false) => Ok((two.scan, (one.column, two.column))),
            (false, true) => Ok((one.scan, (two.column, one.column))),
            _ => Err(Changed),
        }
    }

    /// The cell of a column, if that is a key of the query under this domain.
    pub(super) fn cell(
        &self,
        column: Label,
        domain: &Domain,
        recode: Option<&Recode>,
    ) -> Result<Label, Changed> {
        let Label::Raw(origin) = column else {
            return Err(Changed);
        };
        let is = |key: &Key| {
            key.origin == origin && key.domain == *domain && key.recode.as_ref() == recode
        };
        let found = self.query.keys.iter().position(is);
        found.map(Label::Cell).ok_or(Changed)
    }

    /// What the keys are.
    fn keys(&self) -> Result<Vec<Label>, Changed> {
        { self.query.keys.iter() }
            .map(|key| self.cell(Label::Raw(key.origin), &key.domain, key.recode.as_ref()))
            .collect()
    }

    /// A bounded measure, if a figure of the query is made of it.
    pub(super) fn bounded(&self, column: Label, measure: Measure) -> Result<Label, Changed> {
        let found = match column {
            Label::Raw(origin) if origin.scan == self.query.protected => origin.column,
            _ => return Err(Changed),
        };
        let known = self.partials.iter().any(|partial| match partial {
            Partial::Count(column, of) | Partial::Sum(column, of) => {
                (*column, *of) == (found, measure)
            }
            Partial::Rows | Partial::Present(_) => false,
        });
        known
            .then_some(Label::Bounded(found, measure))
            .ok_or(Changed)
    }

    /// What an aggregate over one argument makes.
    pub(super) fn aggregate(&self, is_sum: bool, argument: Label) -> Result<Partial, Changed> {
        let protected = self.query.protected;
        match (is_sum, argument) {
            (true, Label::Bounded(column, measure)) => Ok(Partial::Sum(column, measure)),
            (false, Label::Bounded(column, measure)) => Ok(Partial::Count(column, measure)),
            (false, Label::Constant) => Ok(Partial::Rows),
            (false, Label::Raw(origin)) if origin.scan == protected => {
                Ok(Partial::Present(origin.column))
            }
            _ => Err(Changed),
        }
    }

    /// The columns by which rows are grouped must be the keys and the entity, all of them and nothing else.
    pub(super) fn grouped(&self, found: &[Label]) -> Result<(), Changed> {
        let mut wanted = self.keys()?;
        wanted.push(Label::Raw(self.entity()));
        let covers = |these: &[Label], those: &[Label]| these.iter().all(|l| those.contains(l));
        (covers(found, &wanted) && covers(&wanted, found))
            .then_some(())
            .ok_or(Changed)
    }

    /// The plan's output: cells of the keys, then figures. No other column, in no other order.
    pub(super) fn output(&self, found: &[Label]) -> Result<(), Changed> {
        let mut wanted = self.keys()?;
        wanted.extend(self.partials.iter().copied().map(Label::Figure));
        let fits =
            |(found, wanted): (&Label, &Label)| found == wanted || self.counts_all(*found, *wanted);
        let same = found.len() == wanted.len() && found.iter().zip(&wanted).all(fits);
        same.then_some(()).ok_or(Changed)
    }

    /// Values of a column that is never NULL are as many as rows.
    fn counts_all(&self, found: Label, wanted: Label) -> bool {
        match (found, wanted) {
            (Label::Figure(Partial::Rows), Label::Figure(Partial::Present(column))) => {
                let schema = &self.schemas[self.query.protected];
                !schema.field(column).is_nullable()
            }
            _ => false,
        }
    }

    /// Tables, joins and conditions.
    pub(super) fn accept(&self, found: &Found) -> Result<(), Changed> {
        let mut scans = found.scans.clone();
        scans.sort_unstable();
        if scans != (0..self.query.scans.len()).collect::<Vec<_>>() {
            return Err(Changed);
        }
        if found.joins.len() != self.query.joins.len() {
            return Err(Changed);
        }
        for join in &self.query.joins {
            let on: BTreeSet<(usize, usize)> = join.on.iter().copied().collect();
            let same = found.joins.iter().find(|found| found.scan == join.scan);
            let same = same.filter(|found| found.on == on).ok_or(Changed)?;
            // A condition on the other table takes no row that joined nothing, so the join may have become an inner one.
            let may_be_inner = !join.outer || self.asks(join.scan);
            if (same.outer && !join.outer) || (!same.outer && !may_be_inner) {
                return Err(Changed);
            }
        }
        self.conditions(found)
    }

    fn asks(&self, scan: usize) -> bool {
        self.query.atoms.iter().any(|atom| atom.origin.scan == scan)
    }

    /// What the query asks of each column.
    fn asked(&self) -> Result<BTreeMap<Origin, Claim>, Changed> {
        let mut asked: BTreeMap<Origin, Vec<Claim>> = BTreeMap::new();
        let present = Claim::Not(Box::new(Claim::IsNull(self.entity())));
        asked.entry(self.entity()).or_default().push(present);
        for atom in &self.query.atoms {
            let claim = Claim::asked(atom.origin, &atom.test)?;
            asked.entry(atom.origin).or_default().push(claim);
        }
        Ok({ asked.into_iter() }
            .map(|(column, claims)| (column, Claim::All(claims)))
            .collect())
    }

    fn conditions(&self, found: &Found) -> Result<(), Changed> {
        let asked = self.asked()?;
        let mut by_column: BTreeMap<Origin, Vec<FoundClaim>> = BTreeMap::new();
        let mut applied: BTreeSet<usize> = BTreeSet::new();
        for FoundClaim {
            claim,
            is_joined,
            is_applied,
        } in &found.claims
        {
            let mut parts = Vec::new();
            claim.clone().parts(&mut parts);
            for claim in parts {
                let columns: Vec<Origin> = claim.columns().into_iter().collect();
                let column = match (columns.as_slice(), &claim) {
                    // Of an equal column it drops what joins only rows that are dropped for their own.
                    ([], Claim::Choice(_, false)) => continue,
                    ([], Claim::Choice(choice, true)) => {
                        if *is_applied && (*is_joined || !self.is_outer(*choice, found)) {
                            applied.insert(*choice);
                        }
                        continue;
                    }
                    (_, claim) if claim.has_choice() => return Err(Changed),
                    ([column], _) => *column,
                    ([], Claim::Known(true)) => continue,
                    _ => return Err(Changed),
                };
                by_column.entry(column).or_default().push(FoundClaim {
                    claim,
                    is_joined: *is_joined,
                    is_applied: *is_applied,
                });
            }
        }
        // Of equal choices one is enough, and goes by the number of the first.
        let choices = &self.query.choices;
        for choice in choices.iter().map(chosen) {
            let first = choices.iter().position(|known| chosen(known) == choice);
            if !first.is_some_and(|first| applied.contains(&first)) {
                return Err(Changed);
            }
        }
        let columns: BTreeSet<Origin> = asked.keys().chain(by_column.keys()).copied().collect();
        for column in columns {
            let found_here = by_column.get(&column).map_or(&[][..], Vec::as_slice);
            self.condition(column, &asked, found_here, found)?;
        }
        Ok(())
    }

    /// Whether a choice is about a table whose rows may be missing: then only what stands above the join decides.
    fn is_outer(&self, choice: usize, found: &Found) -> bool {
        let (columns, _) = chosen(&self.query.choices[choice]);
        let is_outer =
            |scan: usize| { found.joins.iter() }.any(|join| join.scan == scan && join.outer);
        columns.into_iter().any(|column| is_outer(column.scan))
    }

    /// One column: what is applied takes nothing that is not asked for, and leaves nothing that is, but what no equal
    /// column of a joined table would have.
    fn condition(
        &self,
        column: Origin,
        asked: &BTreeMap<Origin, Claim>,
        here: &[FoundClaim],
        found: &Found,
    ) -> Result<(), Changed> {
        let mine = asked.get(&column);
        let equal: Vec<&Claim> = { self.equal_to(column).into_iter() }
            .filter_map(|other| asked.get(&other))
            .collect();
        let field = self.schemas[column.scan].field(column.column);
        let all = here.iter().map(|found| &found.claim);
        let all = all.chain(mine).chain(equal.iter().copied());
        let values = representatives(all, field.data_type(), field.is_nullable());
        // Where rows without a partner stay, only what stands above the join says which of them do.
        let is_outer = { found.joins.iter() }.any(|join| join.scan == column.scan && join.outer);
        let joins = !self.equal_to(column).is_empty();
        let decides = |found: &&FoundClaim| found.is_applied && (found.is_joined || !is_outer);
        let mut values_and_null = values;
        if is_outer && !values_and_null.contains(&None) {
            values_and_null.push(None);
        }
        for value in values_and_null.iter().map(Option::as_ref) {
            let wanted = mine.is_none_or(|claim| claim.takes(value));
            let taken = here.iter().filter(decides).all(|f| f.claim.takes(value));
            if taken && !wanted {
                return Err(Changed);
            }
            for part in here {
                let above = part.is_joined && is_outer;
                let possible = equal.iter().all(|claim| claim.takes(value))
                    && (value.is_some() || above || !self.drops_null(column, joins, found));
                if wanted && possible && !part.claim.takes(value) {
                    return Err(Changed);
                }
            }
        }
        Ok(())
    }

    /// Columns that a join makes equal to this one.
    fn equal_to(&self, column: Origin) -> Vec<Origin> {
        let mut equal = Vec::new();
        for join in &self.query.joins {
            for (mine, other) in &join.on {
                let mine = Origin {
                    scan: self.query.protected,
                    column: *mine,
                };
                let other = Origin {
                    scan: join.scan,
                    column: *other,
                };
                if mine == column {
                    equal.push(other);
                }
                if other == column {
                    equal.push(mine);
                }
            }
        }
        equal
    }

    /// Whether a row with NULL here is in no result in any case: it joins nothing and has to.
    fn drops_null(&self, column: Origin, joins: bool, found: &Found) -> bool {
        let is_protected = column.scan == self.query.protected;
        let inner = |join: &&FoundJoin| {
            let on = { join.on.iter() }.any(|(mine, _)| *mine == column.column);
            !join.outer && on
        };
        joins && (!is_protected || found.joins.iter().any(|join| inner(&join)))
    }
}

/// A value that stands in the plan.
pub(super) fn constant(value: &ScalarValue) -> Result<Label, Changed> {
    match value.is_null() {
        true => Err(Changed),
        false => Ok(Label::Constant),
    }
}
