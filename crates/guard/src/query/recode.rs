//! Group columns that are made coarser in the statement: calendar units, and words for sets of values.
//!
//! A recoding is a function of the place that a value has in its column's declared domain, so its groups are unions of
//! declared groups: it can only tell less than the column itself. Conditions inside compare with declared values and
//! edges, so which place goes where is decided here, once, and never by a row.

use datafusion::scalar::ScalarValue;
use lingqu_policy::{Day, Domain, DomainKind};

use super::Checker;
use super::conditions::Compared;
use crate::infer::{By, Grain, Grouped, Test, Tree};
use crate::partition::{places, taken};
use crate::query::Bindable;
use crate::rule::{Rule, TemplateRefused};

/// Most words of one recoding.
const WORDS_MAX: usize = 64;
/// Longest word, in bytes.
const WORD_LEN_MAX: usize = 64;

/// What each place of a domain is shown as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recode {
    /// Per raw place of the domain its group; the number of words is the group that is shown as NULL.
    pub(crate) groups: Vec<usize>,
    pub(crate) words: Words,
}

/// The groups in their own words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Words {
    Days(Vec<Day>),
    Texts(Vec<String>),
}

impl Words {
    pub(crate) fn len(&self) -> usize {
        match self {
            Words::Days(days) => days.len(),
            Words::Texts(texts) => texts.len(),
        }
    }
}

impl Checker<'_> {
    /// How a group column is shown; none if by the domain's own values and bins.
    pub(super) fn recode(
        &self,
        grouped: &Grouped,
        domain: &Domain,
    ) -> Result<Option<Recode>, TemplateRefused> {
        let refused = || TemplateRefused::new(Rule::GroupForm, self.name(grouped.origin));
        match &grouped.by {
            By::Value => Ok(None),
            By::Grain(grain) => truncated(*grain, domain).map(Some).ok_or_else(refused),
            By::Cases { arms, rest } => {
                let on = Compared {
                    column: self.name(grouped.origin),
                    domain,
                    parameters: &[],
                };
                let mut decided = Vec::with_capacity(arms.len());
                for (condition, word) in arms {
                    let tests = condition.try_grow(&|condition| on.tests(&condition.test))?;
                    let taken = tests.try_grow(&|test| {
                        let test = fixed(test).ok_or_else(refused)?;
                        Ok(Tree::One(taken(domain, &test)))
                    })?;
                    let holds = |place: usize| taken.holds(&|these: &Vec<bool>| these[place]);
                    let all = (0..places(Some(domain))).map(holds).collect();
                    decided.push((all, word.as_str()));
                }
                cases(&decided, rest.as_deref(), places(Some(domain)))
                    .map(Some)
                    .ok_or_else(refused)
            }
        }
    }
}

/// A condition of which every value stands in the text.
fn fixed(test: &Test<Bindable>) -> Option<Test<ScalarValue>> {
    let value = |value: &Bindable| match value {
        Bindable::Fixed(value) => Some(value.clone()),
        Bindable::Parameter(_) => None,
    };
    let whole = test
        .values()
        .into_iter()
        .all(|bindable| value(bindable).is_some());
    whole.then(|| test.map(|bindable| value(bindable).unwrap_or(ScalarValue::Null)))
}

/// The first arm that takes a place names it, as in SQL.
fn cases(arms: &[(Vec<bool>, &str)], rest: Option<&str>, places: usize) -> Option<Recode> {
    let mut texts: Vec<String> = Vec::new();
    for word in arms.iter().map(|(_, word)| *word).chain(rest) {
        let well_formed = (1..=WORD_LEN_MAX).contains(&word.len());
        if !well_formed || word.chars().any(char::is_control) {
            return None;
        }
        if !texts.iter().any(|known| known == word) {
            texts.push(word.to_owned());
        }
    }
    if texts.len() > WORDS_MAX || arms.len() > WORDS_MAX {
        return None;
    }
    let group = |word: &str| texts.iter().position(|known| known == word);
    let groups = (0..places).map(|place| {
        let taken = arms.iter().find(|(taken, _)| taken[place]);
        let word = taken.map(|(_, word)| *word).or(rest);
        word.and_then(group).unwrap_or(texts.len())
    });
    Some(Recode {
        groups: groups.collect(),
        words: Words::Texts(texts.clone()),
    })
}

/// Whole calendar units between the first and the last edge, if each of them begins at an edge: otherwise a unit would be
/// shown that is only a part of it.
fn truncated(grain: Grain, domain: &Domain) -> Option<Recode> {
    let DomainKind::DateBins(edges) = domain.kind() else {
        return None;
    };
    let begins: Vec<Day> = edges.iter().map(|edge| begin(grain, *edge)).collect();
    let whole = |place: usize| edges[place] == begins[place];
    if !whole(0) || !whole(edges.len() - 1) {
        return None;
    }
    let mut days: Vec<Day> = Vec::new();
    for (edge, begin) in edges.iter().zip(&begins) {
        match days.last() {
            // The next unit, and at its own beginning.
            Some(last) if *begin != *last => {
                if edge != begin || next(grain, *last) != Some(*begin) {
                    return None;
                }
                days.push(*begin);
            }
            Some(_) => {}
            None => days.push(*begin),
        }
    }
    // The last edge ends the last unit.
    days.pop();
    let mut groups = vec![days.len(); places(Some(domain))];
    for (bin, begin) in begins[..edges.len() - 1].iter().enumerate() {
        groups[bin + 1] = days.iter().position(|day| day == begin)?;
    }
    Some(Recode {
        groups,
        words: Words::Days(days),
    })
}

fn parts(day: Day) -> (i32, u32) {
    let text = day.to_string();
    let number = |part: Option<&str>| part.and_then(|part| part.parse().ok()).unwrap_or(0);
    let mut parts = text.split('-');
    let year = number(parts.next());
    (year, number(parts.next()).unsigned_abs())
}

fn first_of(year: i32, month: u32) -> Option<Day> {
    format!("{year:04}-{month:02}-01").parse().ok()
}

/// The first day of the unit in which a day lies.
fn begin(grain: Grain, day: Day) -> Day {
    let (year, month) = parts(day);
    let month = match grain {
        Grain::Month => month,
        Grain::Quarter => (month.max(1) - 1) / 3 * 3 + 1,
        Grain::Year => 1,
    };
    first_of(year, month).unwrap_or(day)
}

fn next(grain: Grain, begin: Day) -> Option<Day> {
    let (year, month) = parts(begin);
    let later = match grain {
        Grain::Month => month + 1,
        Grain::Quarter => month + 3,
        Grain::Year => month + 12,
    };
    match later {
        within if within <= 12 => first_of(year, within),
        over => first_of(year + 1, over - 12),
    }
}

#[cfg(test)]
mod tests;
