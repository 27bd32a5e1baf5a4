//! Cells of random tables, judged by the PyPI package `acro` and by the tally: the same outcome wherever both define it
//! alike. Where they do not is listed in `docs/disclosure.md`, and each difference is tried here.

use std::collections::BTreeMap;

use lingqu_policy::Release;

use crate::query::Measure;
use crate::tally::{Known, Tally};

/// Written by `cargo xtask acro`.
const CELLS: &str = include_str!("../../../tests/acro/cells.txt");

struct Cell<'a> {
    terms: Release,
    table: &'a str,
    contributions: Vec<i128>,
    acro: &'a str,
}

impl Cell<'_> {
    fn with(&self, contributions: Vec<i128>) -> Self {
        Cell {
            contributions,
            ..*self
        }
    }

    /// Whether the tally releases it: judged as parts alone, as acro does, or as a sum of one value each within bounds.
    fn is_shown(&self, bounds: Option<(i64, i64)>) -> bool {
        let mut tallies = [Tally::default(); 2];
        let sum = bounds.map(|(min, max)| Known::sum(Measure { min, max, scale: 0 }, 1));
        let known = [sum.unwrap_or(Known::Count), Known::Count];
        for contribution in &self.contributions {
            let part = |at: usize| [*contribution, 1][at];
            Tally::add_entity(&mut tallies, &known, part).unwrap();
        }
        tallies[0].may_show(&self.terms)
    }
}

fn cells(table: &str) -> Vec<Cell<'static>> {
    let lines = CELLS.lines().filter(|line| !line.starts_with('#'));
    let cells = lines.map(|line| {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [terms, table, contributions, acro] = parts[..] else {
            panic!("{line}")
        };
        let terms: Vec<u32> = terms.split(' ').map(|n| n.parse().unwrap()).collect();
        let percent = |at: usize| u8::try_from(terms[at]).unwrap();
        let release = Release::new(terms[0], percent(1), 1, 100);
        let contributions = contributions.split(' ').flat_map(|each| {
            let (value, times) = each.split_once('*').unwrap();
            vec![value.parse().unwrap(); times.parse().unwrap()]
        });
        Cell {
            terms: release.and_then(|r| r.with_p_percent(percent(2))).unwrap(),
            table,
            contributions: contributions.collect(),
            acro,
        }
    });
    cells.filter(|cell| cell.table == table).collect()
}

#[test]
fn cells_of_positive_parts_are_released_by_both_or_neither() {
    let mut decided: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells("plain") {
        *decided.entry(cell.acro).or_default() += 1;
        let (terms, parts) = (&cell.terms, &cell.contributions);
        assert_eq!(
            cell.is_shown(None),
            cell.acro == "ok",
            "{terms:?} {parts:?}"
        );
    }
    // Each rule is the only one to refuse some cells, and many are released.
    for alone in ["ok", "nk", "p", "threshold"] {
        assert!(decided[alone] >= 50, "{decided:?}");
    }
}

#[test]
fn bounds_that_are_known_only_keep_more_back() {
    let mut stricter = 0;
    for cell in cells("plain") {
        let most = cell.contributions.iter().max().unwrap();
        let shown = cell.is_shown(Some((0, i64::try_from(*most).unwrap())));
        assert!(!shown || cell.acro == "ok", "{:?}", cell.contributions);
        stricter += usize::from(!shown && cell.acro == "ok");
    }
    assert!(stricter > 0);
}

/// acro counts rows, the tally entities that have something other than zero.
#[test]
fn zeros_are_no_contributors() {
    let mut stricter = 0;
    for cell in cells("zeros") {
        let parts = &cell.contributions;
        assert!(!cell.is_shown(None), "nine contributors: {parts:?}");
        stricter += usize::from(cell.acro == "ok");
    }
    assert!(stricter > 10, "{stricter}");
}

/// The largest allowed share is allowed; to acro it is too large.
#[test]
fn a_share_at_its_limit_is_within_it() {
    let edges = cells("edge");
    assert!(!edges.is_empty());
    for cell in edges {
        assert_eq!((cell.is_shown(None), cell.acro), (true, "nk"));
        let mut more = cell.contributions.clone();
        *more.last_mut().unwrap() += 1;
        assert!(!cell.with(more).is_shown(None));
    }
}

/// acro calls the whole table undefined; the tally measures how large a part is, whatever its sign.
#[test]
fn negative_parts_are_measured_by_their_size() {
    for cell in cells("negative") {
        assert_eq!(cell.acro, "undefined");
        let sizes = cell.contributions.iter().map(|part| part.abs());
        let sizes = cell.with(sizes.collect());
        assert_eq!(cell.is_shown(None), sizes.is_shown(None));
    }
}
