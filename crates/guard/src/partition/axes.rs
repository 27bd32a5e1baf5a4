//! By what the answers of a resource tell rows apart: one axis per column, as finely as its products do and no finer.
//!
//! A raw place is where a value lies in its column's domain: one of the declared values or bins, beyond them, or NULL.
//! Products split the places: a group column tells its groups apart, a condition what it takes from what it leaves, a
//! parameter each of its values. What no product tells apart is one class, so that cells are as large as they can be.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::scalar::ScalarValue;
use lingqu_policy::{Day, Domain, DomainKind};

use crate::infer::{Origin, Test, Tree};
use crate::query::{Atom, Bindable};
use crate::template::Template;

/// How a row of the protected table comes to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Path {
    /// It has it.
    Own,
    /// By the one row of another table that it joins.
    Joined(Join),
}

/// A lookup in another table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Join {
    /// The other table's name.
    pub(crate) table: String,
    /// Pairs of a column of the protected table and one of the other, ascending.
    pub(crate) on: Vec<(String, String)>,
}

/// What an axis tells apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// The values of a column.
    Column(String),
    /// Whether the row joins any row at all, which an inner join asks.
    Matched,
}

/// The name of an axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AxisName {
    pub(crate) path: Path,
    pub(crate) what: What,
}

impl AxisName {
    /// The column, for people.
    pub(crate) fn column(&self) -> String {
        let table = match &self.path {
            Path::Own => return self.own().to_owned(),
            Path::Joined(join) => &join.table,
        };
        match &self.what {
            What::Column(column) => format!("{table}.{column}"),
            What::Matched => table.clone(),
        }
    }

    fn own(&self) -> &str {
        match &self.what {
            What::Column(column) => column,
            What::Matched => "",
        }
    }
}

/// One axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) name: AxisName,
    /// The column's domain; none for [`What::Matched`], whose places are no and yes.
    pub(crate) domain: Option<Domain>,
    /// Whether the unit called the column sensitive.
    pub(crate) sensitive: bool,
    /// The class of each raw place.
    pub(crate) classes: Vec<u16>,
    /// How many products split it.
    pub(crate) products: usize,
}

impl Axis {
    /// Splits classes so that places with different labels have different ones. Labels may repeat.
    fn split(&mut self, labels: &[u32]) {
        let mut known: BTreeMap<(u16, u32), u16> = BTreeMap::new();
        for (class, label) in self.classes.iter_mut().zip(labels) {
            let next = u16::try_from(known.len()).unwrap_or(u16::MAX);
            *class = *known.entry((*class, *label)).or_insert(next);
        }
    }

    /// The classes that one place of `old`'s class may have here, if there is only one such class.
    pub(crate) fn only_class(&self, old: &Axis, class: u16) -> Option<u16> {
        let places = old.classes.iter().zip(&self.classes);
        let found: BTreeSet<u16> = places
            .filter(|(known, _)| **known == class)
            .map(|(_, mine)| *mine)
            .collect();
        (found.len() == 1).then(|| found.into_iter().next())?
    }

    /// The class that `old` gives to the places of a class here, which is at least as fine.
    pub(crate) fn coarser(&self, old: &Axis, class: u16) -> Option<u16> {
        let place = self.classes.iter().position(|known| *known == class)?;
        old.classes.get(place).copied()
    }
}

/// Number of raw places of a domain: its values or the intervals between and beyond its edges, others, NULL.
pub(crate) fn places(domain: Option<&Domain>) -> usize {
    match domain.map(Domain::kind) {
        None => 2,
        Some(DomainKind::Texts(values)) => values.len() + 2,
        Some(DomainKind::Integers(values)) => values.len() + 2,
        Some(DomainKind::IntegerBins(edges)) => edges.len() + 2,
        Some(DomainKind::DateBins(edges)) => edges.len() + 2,
        Some(DomainKind::Bounds { .. }) => 1,
    }
}

/// The group in which a raw place is shown: that of its value or bin, or the last one, for everything else.
pub(crate) fn group(domain: &Domain, place: usize) -> usize {
    let cells = domain.cells();
    match domain.kind() {
        DomainKind::Texts(_) | DomainKind::Integers(_) => place.min(cells),
        DomainKind::IntegerBins(_) | DomainKind::DateBins(_) => match place.checked_sub(1) {
            Some(bin) if bin < cells => bin,
            Some(_) | None => cells,
        },
        DomainKind::Bounds { .. } => 0,
    }
}

/// Which raw places satisfy a condition. NULL satisfies none, as in SQL.
pub(crate) fn taken(domain: &Domain, test: &Test<ScalarValue>) -> Vec<bool> {
    let mut taken = vec![false; places(Some(domain))];
    let null = taken.len() - 1;
    let among = |values: &[ScalarValue]| -> Vec<usize> {
        let places = values.iter().map(|value| value_place(domain, value));
        places.flatten().collect()
    };
    let (at_least, below) = match test {
        Test::Among(values) => {
            among(values).into_iter().for_each(|at| taken[at] = true);
            return taken;
        }
        Test::NotAmong(values) => {
            taken[..null].fill(true);
            among(values).into_iter().for_each(|at| taken[at] = false);
            return taken;
        }
        // Every place but NULL that the range leaves.
        Test::Outside(low, high) => {
            let between = self::taken(domain, &Test::Between(low.clone(), high.clone()));
            let others = between[..null].iter().map(|between| !between);
            { taken.iter_mut().zip(others) }.for_each(|(taken, other)| *taken = other);
            return taken;
        }
        Test::Between(low, high) => match domain.kind() {
            DomainKind::Integers(numbers) => {
                let between = |number: &i64| (whole(low)..=whole(high)).contains(&Some(*number));
                let numbers = numbers.iter().map(between);
                { taken.iter_mut().zip(numbers) }.for_each(|(taken, between)| *taken = between);
                return taken;
            }
            // Of bins a range is two conditions.
            _ => return taken,
        },
        Test::Above(value) => (Some(after(domain, value)), None),
        Test::AtLeast(edge) => (Some(edge_index(domain, edge)), None),
        Test::AtMost(value) => (None, Some(after(domain, value))),
        Test::Below(edge) => (None, Some(edge_index(domain, edge))),
    };
    // An edge that is none takes nothing.
    let from = at_least.map_or(Some(0), |edge| edge.map(|edge| edge + 1));
    let to = below.map_or(Some(null), |edge| edge.map(|edge| edge + 1));
    if let (Some(from), Some(to)) = (from, to)
        && from < to
    {
        taken[from..to].fill(true);
    }
    taken
}

/// The place of one declared value; of bins, of one that holds nothing else.
fn value_place(domain: &Domain, value: &ScalarValue) -> Option<usize> {
    match (domain.kind(), value) {
        (DomainKind::Texts(texts), ScalarValue::Utf8(Some(text))) => texts.binary_search(text).ok(),
        (DomainKind::Integers(numbers), ScalarValue::Int64(Some(number))) => {
            numbers.binary_search(number).ok()
        }
        (DomainKind::IntegerBins(_) | DomainKind::DateBins(_), value) => {
            let edge = edge_index(domain, value)?;
            (after(domain, value)? == edge + 1).then_some(edge + 1)
        }
        _ => None,
    }
}

/// Whether a value is one whole place of the domain.
pub(crate) fn is_value(domain: &Domain, value: &ScalarValue) -> bool {
    value_place(domain, value).is_some()
}

/// The edge right after a value: where what is at most the value ends.
pub(crate) fn after(domain: &Domain, value: &ScalarValue) -> Option<usize> {
    edge_index(domain, &next(value)?)
}

/// The next whole number or day.
fn next(value: &ScalarValue) -> Option<ScalarValue> {
    match value {
        ScalarValue::Int64(Some(number)) => Some(ScalarValue::Int64(Some(number.checked_add(1)?))),
        ScalarValue::Date32(Some(days)) => Some(ScalarValue::Date32(Some(days.checked_add(1)?))),
        _ => None,
    }
}

fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(number) => *number,
        _ => None,
    }
}

pub(crate) fn edge_index(domain: &Domain, edge: &ScalarValue) -> Option<usize> {
    match (domain.kind(), edge) {
        (DomainKind::IntegerBins(edges), ScalarValue::Int64(Some(edge))) => {
            edges.binary_search(edge).ok()
        }
        (DomainKind::DateBins(edges), ScalarValue::Date32(Some(days))) => {
            edges.binary_search(&Day::from_days(*days)?).ok()
        }
        _ => None,
    }
}

/// The path of a scan of the template's query.
pub(crate) fn path(template: &Template, scan: usize) -> Path {
    let query = template.query();
    let Some(joined) = query.joins.iter().find(|join| join.scan == scan) else {
        return Path::Own;
    };
    let (mine, other) = (template.rules(query.protected), template.rules(scan));
    let mut on: Vec<(String, String)> = joined
        .on
        .iter()
        .map(|(left, right)| {
            (
                mine.column(*left).to_owned(),
                other.column(*right).to_owned(),
            )
        })
        .collect();
    on.sort_unstable();
    on.dedup();
    Path::Joined(Join {
        table: other.name.clone(),
        on,
    })
}

/// The name of the axis of a column.
pub(crate) fn name(template: &Template, origin: Origin) -> AxisName {
    let rules = template.rules(origin.scan);
    AxisName {
        path: path(template, origin.scan),
        what: What::Column(rules.column(origin.column).to_owned()),
    }
}

/// The name of the axis that tells whether a row joins.
pub(crate) fn matched(template: &Template, scan: usize) -> AxisName {
    AxisName {
        path: path(template, scan),
        what: What::Matched,
    }
}

/// A way in which one product tells the places of an axis apart.
pub(crate) struct Splitter {
    pub(crate) name: AxisName,
    pub(crate) domain: Option<Domain>,
    pub(crate) sensitive: bool,
    /// A label for each place; places with different labels can be told apart.
    pub(crate) labels: Vec<u32>,
    /// Whether only places of label 1 are ever asked about.
    pub(crate) always: bool,
    /// Whether it is a part of a condition over several columns that no argument changes: answers tell what the whole
    /// condition takes from what it leaves, and nothing within.
    pub(crate) is_part: bool,
}

/// Every splitter of a template, over all values of its parameters.
pub(crate) fn splitters(template: &Template) -> Vec<Splitter> {
    let query = template.query();
    let mut found = Vec::new();
    for key in &query.keys {
        let labels = key.groups().into_iter().map(label).collect();
        found.push(column(template, key.origin, &key.domain, (labels, false)));
    }
    for atom in &query.atoms {
        let rules = template.rules(atom.origin.scan);
        let Some(domain) = rules.domain(atom.origin.column) else {
            continue;
        };
        for test in possible(template, atom) {
            let labels = taken(domain, &test).into_iter().map(u32::from).collect();
            found.push(column(template, atom.origin, domain, (labels, false)));
        }
        // What no argument takes is never asked about; what some argument takes can be told from what it leaves.
        let ever = ever(template, domain, atom).into_iter().map(u32::from);
        found.push(column(
            template,
            atom.origin,
            domain,
            (ever.collect(), true),
        ));
    }
    for choice in &query.choices {
        let first = found.len();
        split_choice(template, choice, &mut found);
        let is_part = !choice.leaves().into_iter().any(has_parameter);
        { found[first..].iter_mut() }.for_each(|splitter| splitter.is_part = is_part);
    }
    for join in query.joins.iter().filter(|join| !join.outer) {
        found.push(Splitter {
            name: matched(template, join.scan),
            domain: None,
            sensitive: false,
            labels: vec![0, 1],
            always: true,
            is_part: false,
        });
    }
    found
}

/// Comparisons that decide together. Those of one column whose values stand in the text are the set of places that they
/// take together, which is told apart from the rest; each other one is told apart by itself, for every argument. What
/// they take together is then a union of classes, whatever joins them.
fn split_choice(template: &Template, choice: &Tree<Atom<Bindable>>, found: &mut Vec<Splitter>) {
    if let Some((origin, sets)) = fixed_set(template, choice) {
        if let Some(domain) = template.rules(origin.scan).domain(origin.column) {
            let labels = sets.into_iter().map(u32::from).collect();
            found.push(column(template, origin, domain, (labels, false)));
        }
        return;
    }
    match choice {
        Tree::All(parts) | Tree::Any(parts) => {
            { parts.iter() }.for_each(|part| split_choice(template, part, found));
        }
        Tree::One(atom) => {
            let Some(domain) = template.rules(atom.origin.scan).domain(atom.origin.column) else {
                return;
            };
            for test in possible(template, atom) {
                let labels = taken(domain, &test).into_iter().map(u32::from).collect();
                found.push(column(template, atom.origin, domain, (labels, false)));
            }
        }
    }
}

/// The places that comparisons of one column take together, if no parameter is in them.
pub(crate) fn fixed_set(
    template: &Template,
    choice: &Tree<Atom<Bindable>>,
) -> Option<(Origin, Vec<bool>)> {
    let leaves = choice.leaves();
    let (first, rest) = leaves.split_first()?;
    let origin = first.origin;
    let same = rest.iter().all(|atom| atom.origin == origin);
    if !same || leaves.into_iter().any(has_parameter) {
        return None;
    }
    let domain = template.rules(origin.scan).domain(origin.column)?;
    let sets = choice.map(&|atom: &Atom<Bindable>| ever(template, domain, atom));
    let holds = |place: usize| sets.holds(&|set: &Vec<bool>| set[place]);
    Some((origin, (0..places(Some(domain))).map(holds).collect()))
}

/// The places that a comparison takes for some argument.
pub(crate) fn ever(template: &Template, domain: &Domain, atom: &Atom<Bindable>) -> Vec<bool> {
    let mut ever = vec![false; places(Some(domain))];
    for test in possible(template, atom) {
        let these = taken(domain, &test);
        { ever.iter_mut().zip(these) }.for_each(|(ever, this)| *ever |= this);
    }
    ever
}

fn label(group: usize) -> u32 {
    u32::try_from(group).unwrap_or(u32::MAX)
}

fn column(
    template: &Template,
    origin: Origin,
    domain: &Domain,
    (labels, always): (Vec<u32>, bool),
) -> Splitter {
    let rules = template.rules(origin.scan);
    Splitter {
        name: name(template, origin),
        domain: Some(domain.clone()),
        sensitive: rules.policy.is_sensitive(rules.column(origin.column)),
        labels,
        always,
        is_part: false,
    }
}

fn has_parameter(atom: &Atom<Bindable>) -> bool {
    let values = atom.test.values();
    { values.iter() }.any(|value| matches!(value, Bindable::Parameter(_)))
}

/// What a condition may test, whatever its parameters are. Where a list has a parameter, each of its values by itself:
/// any list that can be bound is a union of these, and what is not in one an intersection of what is not in these. Of
/// ranges, each end with the farthest other: any range that can be bound is an intersection of two of these.
fn possible(template: &Template, atom: &Atom<Bindable>) -> Vec<Test<ScalarValue>> {
    let values = |value: &Bindable| template.possible(value);
    let each = |test: fn(ScalarValue) -> Test<ScalarValue>, value: &Bindable| {
        values(value).into_iter().map(test).collect()
    };
    match &atom.test {
        Test::Among(among) if !has_parameter(atom) => {
            vec![Test::Among(among.iter().flat_map(values).collect())]
        }
        Test::NotAmong(among) if !has_parameter(atom) => {
            vec![Test::NotAmong(among.iter().flat_map(values).collect())]
        }
        Test::Among(among) => (among.iter().flat_map(values))
            .map(|value| Test::Among(vec![value]))
            .collect(),
        Test::NotAmong(among) => (among.iter().flat_map(values))
            .map(|value| Test::NotAmong(vec![value]))
            .collect(),
        Test::Above(value) => each(Test::Above, value),
        Test::AtLeast(edge) => each(Test::AtLeast, edge),
        Test::AtMost(value) => each(Test::AtMost, value),
        Test::Below(edge) => each(Test::Below, edge),
        Test::Between(low, high) => ranges(values(low), values(high), Test::Between),
        Test::Outside(low, high) => ranges(values(low), values(high), Test::Outside),
    }
}

/// Each end with the farthest other. What is outside a range is a union of what is outside two of these.
fn ranges(
    lows: Vec<ScalarValue>,
    highs: Vec<ScalarValue>,
    test: fn(ScalarValue, ScalarValue) -> Test<ScalarValue>,
) -> Vec<Test<ScalarValue>> {
    let order = |a: &&ScalarValue, b: &&ScalarValue| whole(a).cmp(&whole(b));
    let (Some(lowest), Some(highest)) = (lows.iter().min_by(order), highs.iter().max_by(order))
    else {
        return Vec::new();
    };
    let from = lows.iter().map(|low| test(low.clone(), highest.clone()));
    let to = highs.iter().map(|high| test(lowest.clone(), high.clone()));
    from.chain(to).collect()
}

/// Two products, or a product and what was open before, see a column through different domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainsDiffer(pub(crate) String);

/// The common refinement of the products' axes, and of those of before.
pub(crate) fn refine(templates: &[&Template], before: &[Axis]) -> Result<Vec<Axis>, DomainsDiffer> {
    let mut axes: BTreeMap<AxisName, Axis> = BTreeMap::new();
    for axis in before {
        axes.insert(
            axis.name.clone(),
            Axis {
                products: 0,
                ..axis.clone()
            },
        );
    }
    for template in templates {
        let mut seen = BTreeSet::new();
        for splitter in splitters(template) {
            let axis = axes.entry(splitter.name.clone()).or_insert_with(|| Axis {
                name: splitter.name.clone(),
                domain: splitter.domain.clone(),
                sensitive: false,
                classes: vec![0; places(splitter.domain.as_ref())],
                products: 0,
            });
            if axis.domain != splitter.domain {
                return Err(DomainsDiffer(splitter.name.column()));
            }
            axis.sensitive |= splitter.sensitive;
            axis.products += usize::from(seen.insert(splitter.name));
            axis.split(&splitter.labels);
        }
    }
    Ok(axes.into_values().collect())
}
