//! Above the Gate: what a figure is among the groups that are shown, such as the total of all, the group before, a rank.
//!
//! A window is evaluated over the very groups that leave: those that the Gate releases and HAVING keeps, with figures as
//! they are released. A group that is not shown is not there, exactly as one that is empty, and a figure that is kept
//! back is NULL. So the table of released figures determines every window, and whoever has that table computes the same:
//! an answer with windows tells nothing that the answer without them does not. Nothing here can fail, and every order is
//! total: ties stand in the order of the domains, which is that of the groups.

use std::cmp::Ordering;

use crate::formula::{Formula, Line, Texts, as_real, compared, real};
use crate::gate::{Figure as Number, Group};
use crate::query::Key;

/// Farthest group that `lag` and `lead` look at.
pub(crate) const DISTANCE_MAX: usize = 1_000;

/// What is asked of the groups beside a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// The number of the group so many places before.
    Lag(Formula, usize),
    /// The number of the group so many places after.
    Lead(Formula, usize),
    /// One more than how many groups stand before it; ties have the same.
    Rank,
    /// Its place, from one.
    RowNumber,
    /// The sum of the numbers that are known, of all groups, or of those up to and with this one and its ties.
    Sum(Formula),
}

/// By what groups are ordered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    /// A number computed from figures.
    Formula(Formula),
    /// A group column; index into the keys of the statement.
    Group(usize),
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderBy {
    pub(crate) by: By,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// A window: `function(…) OVER (PARTITION BY … ORDER BY …)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) asked: Asked,
    /// Group columns whose values groups of one part share; indexes into the keys of the statement.
    pub(crate) partition: Vec<usize>,
    pub(crate) order: Vec<OrderBy>,
}

impl Window {
    /// As SQL, given how figures, parameters and group columns are written.
    pub(crate) fn text(&self, texts: &Texts, keys: &[String]) -> String {
        let key = |key: &usize| keys.get(*key).cloned().unwrap_or_default();
        let called = match &self.asked {
            Asked::Lag(of, distance) => format!("lag({}, {distance})", of.text(texts)),
            Asked::Lead(of, distance) => format!("lead({}, {distance})", of.text(texts)),
            Asked::Rank => "rank()".to_owned(),
            Asked::RowNumber => "row_number()".to_owned(),
            Asked::Sum(of) => format!("sum({})", of.text(texts)),
        };
        let mut over = Vec::new();
        if !self.partition.is_empty() {
            let columns: Vec<String> = self.partition.iter().map(key).collect();
            over.push(format!("PARTITION BY {}", columns.join(", ")));
        }
        if !self.order.is_empty() {
            let order = self.order.iter().map(|order| {
                let by = match &order.by {
                    By::Formula(formula) => formula.text(texts),
                    By::Group(group) => key(group),
                };
                let direction = if order.descending { " DESC" } else { "" };
                // As the engine's language has it, NULL is larger than everything where nothing is said.
                let nulls = match (order.descending, order.nulls_first) {
                    (false, true) => " NULLS FIRST",
                    (true, false) => " NULLS LAST",
                    _ => "",
                };
                format!("{by}{direction}{nulls}")
            });
            let order: Vec<String> = order.collect();
            over.push(format!("ORDER BY {}", order.join(", ")));
        }
        format!("{called} OVER ({})", over.join(" "))
    }
}

/// What each window says of each group, in the order of the groups. They are the groups that are shown, in the order of
/// the domains.
pub(crate) fn evaluate(
    windows: &[Window],
    keys: &[Key],
    groups: &[Group],
    parameters: &[Option<Number>],
) -> Vec<Vec<Option<Number>>> {
    let shown = Shown {
        keys,
        groups,
        parameters,
    };
    let mut lines = vec![Vec::with_capacity(windows.len()); groups.len()];
    for window in windows {
        let said = shown.said(window);
        for (line, number) in lines.iter_mut().zip(said) {
            line.push(number);
        }
    }
    lines
}

/// The groups that a window sees.
struct Shown<'a> {
    keys: &'a [Key],
    groups: &'a [Group],
    parameters: &'a [Option<Number>],
}

/// One value by which groups are ordered.
#[derive(Clone, Copy)]
enum Place {
    /// Of a column's declared values.
    Value(usize),
    Number(Number),
}

impl Shown<'_> {
    fn said(&self, window: &Window) -> Vec<Option<Number>> {
        let mut said = vec![None; self.groups.len()];
        for part in self.parts(window) {
            let ordered = self.ordered(window, part);
            match &window.asked {
                Asked::Lag(of, distance) => {
                    self.beside(of, &ordered, &mut said, |at| at.checked_sub(*distance))
                }
                Asked::Lead(of, distance) => {
                    self.beside(of, &ordered, &mut said, |at| at.checked_add(*distance))
                }
                Asked::Rank => ranked(&ordered, &mut said, true),
                Asked::RowNumber => ranked(&ordered, &mut said, false),
                Asked::Sum(of) => self.summed(of, &ordered, &mut said),
            }
        }
        said
    }

    /// The cell of a group on a key; none for that of everything else, which is shown as NULL.
    fn cell(&self, key: usize, group: &Group) -> Option<usize> {
        let below: usize = self.keys[key + 1..].iter().map(Key::cells).product();
        let cells = self.keys[key].cells();
        let cell = group.place / below % cells;
        (cell + 1 < cells).then_some(cell)
    }

    /// Groups of one part, each part in the order of the domains.
    fn parts(&self, window: &Window) -> Vec<Vec<usize>> {
        let mut parts: std::collections::BTreeMap<Vec<Option<usize>>, Vec<usize>> =
            std::collections::BTreeMap::new();
        for (at, group) in self.groups.iter().enumerate() {
            let columns = window.partition.iter();
            let shared = columns.map(|key| self.cell(*key, group)).collect();
            parts.entry(shared).or_default().push(at);
        }
        parts.into_values().collect()
    }

    /// The groups of a part as the window orders them, those that tie together: nothing but the order of the domains is
    /// between them.
    fn ordered(&self, window: &Window, part: Vec<usize>) -> Vec<Vec<usize>> {
        let mut placed: Vec<(Vec<Option<Place>>, usize)> = { part.into_iter() }
            .map(|at| {
                let order = window.order.iter();
                (order.map(|order| self.place(&order.by, at)).collect(), at)
            })
            .collect();
        let compare = |one: &[Option<Place>], other: &[Option<Place>]| {
            let places = one.iter().zip(other).zip(&window.order);
            places
                .map(|((one, other), order)| order.compare(*one, *other))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        // A stable sort: what ties stays in the order of the domains.
        placed.sort_by(|(one, _), (other, _)| compare(one, other));
        let ties = placed.chunk_by(|(one, _), (other, _)| compare(one, other).is_eq());
        ties.map(|tied| tied.iter().map(|(_, at)| *at).collect())
            .collect()
    }

    fn place(&self, by: &By, at: usize) -> Option<Place> {
        match by {
            By::Formula(formula) => self.number(formula, at).map(Place::Number),
            By::Group(key) => {
                let cell = self.cell(*key, &self.groups[at])?;
                Some(Place::Value(self.keys[*key].rank(cell)))
            }
        }
    }

    fn number(&self, of: &Formula, at: usize) -> Option<Number> {
        of.value(Line {
            figures: self.groups[at].seen(),
            windows: &[],
            parameters: self.parameters,
        })
    }

    fn beside(
        &self,
        of: &Formula,
        ordered: &[Vec<usize>],
        said: &mut [Option<Number>],
        other: impl Fn(usize) -> Option<usize>,
    ) {
        let line: Vec<usize> = ordered.iter().flatten().copied().collect();
        for (at, group) in line.iter().enumerate() {
            let other = other(at).and_then(|other| line.get(other));
            said[*group] = other.and_then(|other| self.number(of, *other));
        }
    }

    /// Numbers that are not known do not count, as in SQL; a sum of none is not known. Without an order all tie.
    fn summed(&self, of: &Formula, ordered: &[Vec<usize>], said: &mut [Option<Number>]) {
        let mut total = Total::default();
        for tied in ordered {
            for group in tied {
                if let Some(number) = self.number(of, *group) {
                    total.add(number);
                }
            }
            let sum = total.sum();
            for group in tied {
                said[*group] = sum;
            }
        }
    }
}

/// Ranks, or places.
fn ranked(ordered: &[Vec<usize>], said: &mut [Option<Number>], is_rank: bool) {
    let mut before = 0_i64;
    for tied in ordered {
        for (at, group) in (0_i64..).zip(tied) {
            let ahead = if is_rank { before } else { before + at };
            said[*group] = Some(Number::Whole(ahead + 1));
        }
        // There are no more groups than an answer may have rows.
        before += i64::try_from(tied.len()).unwrap_or(i64::MAX);
    }
}

impl OrderBy {
    fn compare(&self, one: Option<Place>, other: Option<Place>) -> Ordering {
        let (one, other) = match (one, other) {
            (Some(one), Some(other)) => (one, other),
            (None, None) => return Ordering::Equal,
            (None, Some(_)) if self.nulls_first => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) if self.nulls_first => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
        };
        let ordering = match (one, other) {
            (Place::Value(one), Place::Value(other)) => one.cmp(&other),
            // Numbers above the Gate are finite, so that each two can be compared.
            (Place::Number(one), Place::Number(other)) => {
                compared(one, other).unwrap_or(Ordering::Equal)
            }
            (Place::Value(_), Place::Number(_)) => Ordering::Less,
            (Place::Number(_), Place::Value(_)) => Ordering::Greater,
        };
        match self.descending {
            true => ordering.reverse(),
            false => ordering,
        }
    }
}

/// A running sum. Whole numbers are added in more digits than any sum of them needs.
#[derive(Default)]
struct Total {
    whole: i128,
    fraction: Option<f64>,
    is_known: bool,
}

impl Total {
    fn add(&mut self, number: Number) {
        self.is_known = true;
        match number {
            Number::Whole(number) => self.whole += i128::from(number),
            Number::Real(_) => *self.fraction.get_or_insert(0.0) += as_real(number),
        }
    }

    /// None where there is nothing to add, or where the sum does not fit.
    fn sum(&self) -> Option<Number> {
        match self.fraction {
            _ if !self.is_known => None,
            None => i64::try_from(self.whole).ok().map(Number::Whole),
            Some(fraction) => real(fraction + self.whole as f64),
        }
    }
}

#[cfg(test)]
mod tests;
