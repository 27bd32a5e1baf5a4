//! What somebody looks for among the checked records: filters, a page of rows, totals, and counts over time.
//!
//! A search passes over the whole window once. It costs no more than the window is large, and holds the lock that long.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use lingqu_core::record::StreamId;
use lingqu_core::{Region, Timestamp};
use lingqu_tlog::Intl;

use super::window::{Class, Kept, Name, Row, Window};

/// Most values that a filter offers.
const CHOICES_MAX: usize = 200;
/// Most bars of a chart.
const BARS_MAX: i64 = 60;
/// Fewest bars of a chart that may begin earlier than its first event.
const BARS_MIN: i64 = 24;
/// Lengths of a bar, in seconds: what people count in.
const BAR_LENGTHS: [i64; 14] = [
    1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000,
];

/// Which records are looked for. Everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) party: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) kinds: Kinds,
    /// From this time on.
    pub(crate) from: Option<Timestamp>,
    /// Before this time.
    pub(crate) until: Option<Timestamp>,
    /// Only of these writers of streams, if any are named.
    pub(crate) owners: Option<BTreeSet<String>>,
}

/// Which outcome is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Any of a class.
    Class(Class),
    /// This code.
    Code(String),
}

/// Which kinds of records are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Calls and refusals.
    #[default]
    Calls,
    /// Everything else.
    Acts,
    /// Both.
    All,
}

/// Where a page begins: everything at or after it is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    pub(crate) time: Timestamp,
    pub(crate) stream: [u8; 16],
    pub(crate) index: u64,
}

/// A row and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) origin: String,
    pub(crate) owner: String,
    pub(crate) region: Region,
    pub(crate) row: Row,
    pub(crate) cursor: Cursor,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// A page, newest first.
    pub(crate) rows: Vec<Found>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Cursor>,
    /// How many calls and acts fit the filter, by class; a record of many refusals counts as many.
    pub(crate) totals: HashMap<Class, u64>,
    /// Records that fit the filter.
    pub(crate) records: u64,
    pub(crate) bars: Bars,
    /// Values that occur in the region, whatever the filter.
    pub(crate) choices: Choices,
    /// Whether older records of the region are not in the window any more.
    pub(crate) is_cut: bool,
}

/// What can be chosen.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    pub(crate) parties: BTreeSet<Name>,
    pub(crate) products: BTreeSet<Name>,
    pub(crate) purposes: BTreeSet<Name>,
    pub(crate) outcomes: BTreeSet<Name>,
    pub(crate) owners: BTreeSet<String>,
}

/// Counts over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bars {
    /// Where the first begins.
    pub(crate) start: Timestamp,
    /// Seconds of each.
    pub(crate) length_s: i64,
    /// Answered, failed and refused in each.
    pub(crate) counts: Vec<[u64; 3]>,
}

impl Window {
    /// Looks for records in `region` and below, up to `rows_max` of them older than `before`. `now` ends the chart.
    pub(crate) fn search(
        &self,
        region: &Region,
        filter: &Filter,
        before: Option<Cursor>,
        rows_max: usize,
        now: Timestamp,
    ) -> Findings {
        let mut findings = Findings::default();
        let mut seen = Seen::default();
        let mut page = Vec::new();
        let mut events = Vec::new();
        for kept in self.streams.values() {
            if !region.covers(&kept.stream.region) {
                continue;
            }
            findings.is_cut |= kept.is_cut;
            findings.choices.owners.insert(kept.stream.owner.clone());
            let owners = filter.owners.as_ref();
            let is_owner = owners.is_none_or(|owners| owners.contains(&kept.stream.owner));
            let stream = StreamId::of::<Intl>(&kept.stream.origin).0;
            for row in &kept.rows {
                seen.note(row, &mut findings.choices);
                if !is_owner || !filter.takes(row) {
                    continue;
                }
                findings.records += 1;
                *findings.totals.entry(row.class).or_default() += row.count;
                if row.class != Class::Act {
                    events.push((row.time, row.class, row.count));
                }
                let cursor = Cursor {
                    time: row.time,
                    stream,
                    index: row.index,
                };
                if before.is_none_or(|before| cursor < before) {
                    page.push((cursor, kept, row));
                }
            }
        }
        findings.bars = Bars::of(&events, filter, now);
        findings.page(page, rows_max);
        findings
    }
}

impl Findings {
    fn page(&mut self, mut page: Vec<(Cursor, &Kept, &Row)>, rows_max: usize) {
        let by = |(cursor, ..): &(Cursor, &Kept, &Row)| Reverse(*cursor);
        let has_more = page.len() > rows_max;
        if has_more {
            page.select_nth_unstable_by_key(rows_max, by);
            page.truncate(rows_max);
        }
        page.sort_unstable_by_key(by);
        let found = page.into_iter().map(|(cursor, kept, row)| Found {
            origin: kept.stream.origin.clone(),
            owner: kept.stream.owner.clone(),
            region: kept.stream.region.clone(),
            row: row.clone(),
            cursor,
        });
        self.rows = found.collect();
        let last = self.rows.last().map(|found| found.cursor);
        self.next = last.filter(|_| has_more);
    }
}

impl Filter {
    fn takes(&self, row: &Row) -> bool {
        let is = |wanted: &Option<String>, there: &Option<Name>| match wanted {
            Some(wanted) => there.as_deref() == Some(wanted.as_str()),
            None => true,
        };
        let kind = match self.kinds {
            Kinds::Calls => row.class != Class::Act,
            Kinds::Acts => row.class == Class::Act,
            Kinds::All => true,
        };
        let outcome = match &self.outcome {
            Some(Outcome::Class(class)) => row.class == *class,
            Some(Outcome::Code(code)) => row.outcome.as_deref() == Some(code.as_str()),
            None => true,
        };
        // A party is one that called, and one that acted or was acted upon.
        let party = match &self.party {
            Some(party) => [&row.caller, &row.actor, &row.subject]
                .into_iter()
                .any(|there| there.as_deref() == Some(party.as_str())),
            None => true,
        };
        kind && outcome
            && party
            && is(&self.product, &row.product)
            && is(&self.purpose, &row.purpose)
            && self.from.is_none_or(|from| row.time >= from)
            && self.until.is_none_or(|until| row.time < until)
    }
}

/// Names that were noted. Equal names of rows are one object, so where it lies is enough to know it.
#[derive(Default)]
struct Seen(HashSet<(u8, usize)>);

impl Seen {
    fn note(&mut self, row: &Row, choices: &mut Choices) {
        let columns = [
            (&row.caller, &mut choices.parties),
            (&row.product, &mut choices.products),
            (&row.purpose, &mut choices.purposes),
            (&row.outcome, &mut choices.outcomes),
        ];
        for ((name, choices), column) in columns.into_iter().zip(0..) {
            let Some(name) = name else { continue };
            let lies_at = name.as_ptr() as usize;
            if choices.len() < CHOICES_MAX && self.0.insert((column, lies_at)) {
                choices.insert(Name::clone(name));
            }
        }
    }
}

impl Bars {
    fn of(events: &[(Timestamp, Class, u64)], filter: &Filter, now: Timestamp) -> Bars {
        let first = events.iter().map(|(time, ..)| *time).min();
        let last = events.iter().map(|(time, ..)| *time).max();
        let (Some(first), Some(last)) = (filter.from.or(first), last) else {
            return Bars::default();
        };
        // A node's clock may be ahead of this one.
        let end = filter.until.unwrap_or(now).max(last);
        let (first, end) = (first.unix_s(), end.unix_s() + 1);
        let fits = |length: &&i64| (end - first) / **length + 2 <= BARS_MAX;
        let length_s = BAR_LENGTHS.iter().find(fits).copied();
        let length_s = length_s.unwrap_or((end - first) / (BARS_MAX - 2) + 1);
        // Days begin at midnight of UTC+8.
        let offset = 8 * 3_600;
        let start = (first + offset).div_euclid(length_s) * length_s - offset;
        let count = (end - start).div_euclid(length_s) + 1;
        // A few events at once are not a picture over time.
        let missing = (BARS_MIN - count).max(0);
        let missing = if filter.from.is_none() { missing } else { 0 };
        let (start, count) = (start - missing * length_s, count + missing);
        let mut counts = vec![[0; 3]; usize::try_from(count).unwrap_or(0)];
        for (time, class, count) in events {
            let at = (time.unix_s() - start).div_euclid(length_s);
            let column = match class {
                Class::Answered => 0,
                Class::Failed => 1,
                Class::Refused => 2,
                Class::Act => continue,
            };
            if let Some(bar) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
                bar[column] += count;
            }
        }
        Bars {
            start: Timestamp::from_unix_s(start),
            length_s,
            counts,
        }
    }
}
