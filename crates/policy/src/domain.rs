//! What a column's values may be asked about: a closed list, bins, or bounds.
//!
//! A domain is metadata that the unit signs. Statistics select, group and answer only in its words: a value of the
//! table that is not in it never leaves, whatever it is.

use crate::Day;

/// Most values or edges of one domain.
const ENTRIES_MAX: usize = 1_024;
/// Longest text value, in bytes.
const TEXT_LEN_MAX: usize = 256;
/// Largest bound of a measure, so that no sum over any number of rows that a node can hold overflows.
pub const BOUND_MAX: i64 = 1_000_000_000_000;

/// The declared domain of one column. Built only by its functions, so lists are sorted and without repetition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain(DomainKind);

/// The kinds of domain, for reading.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DomainKind {
    /// These texts and nothing else, in ascending order of their bytes.
    Texts(Vec<String>),
    /// These integers and nothing else, ascending.
    Integers(Vec<i64>),
    /// Bins between ascending integer edges; each holds its lower edge and not its upper.
    IntegerBins(Vec<i64>),
    /// Bins between ascending days; each holds its lower edge and not its upper.
    DateBins(Vec<Day>),
    /// A measure: each value is brought into `min..=max` before it is summed.
    Bounds {
        /// Least value that counts.
        min: i64,
        /// Largest value that counts.
        max: i64,
    },
}

/// Why a domain is refused. Texts name no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainRefused {
    /// The list is empty or too long, or there is no bin between fewer than two edges.
    #[error(
        "a domain has between 1 and {ENTRIES_MAX} values, or between 2 and {ENTRIES_MAX} edges"
    )]
    Size,
    /// A value or edge is not larger than the one before it.
    #[error("values and edges of a domain stand in ascending order, each once")]
    Order,
    /// A text is empty, too long or has control characters.
    #[error("a text of a domain has 1 to {TEXT_LEN_MAX} bytes and no control characters")]
    Text,
    /// The bounds are not ascending or beyond what a sum can hold.
    #[error("bounds lie within ±{BOUND_MAX} and the least is below the largest")]
    Bounds,
}

impl Domain {
    /// A closed list of texts, ascending by their bytes.
    pub fn texts(values: Vec<String>) -> Result<Domain, DomainRefused> {
        if values.iter().any(|text| {
            text.is_empty() || text.len() > TEXT_LEN_MAX || text.chars().any(char::is_control)
        }) {
            return Err(DomainRefused::Text);
        }
        ascending(&values, 1)?;
        Ok(Domain(DomainKind::Texts(values)))
    }

    /// A closed list of integers, ascending.
    pub fn integers(values: Vec<i64>) -> Result<Domain, DomainRefused> {
        ascending(&values, 1)?;
        Ok(Domain(DomainKind::Integers(values)))
    }

    /// Bins between integer edges, ascending.
    pub fn integer_bins(edges: Vec<i64>) -> Result<Domain, DomainRefused> {
        ascending(&edges, 2)?;
        Ok(Domain(DomainKind::IntegerBins(edges)))
    }

    /// Bins between days, ascending.
    pub fn date_bins(edges: Vec<Day>) -> Result<Domain, DomainRefused> {
        ascending(&edges, 2)?;
        Ok(Domain(DomainKind::DateBins(edges)))
    }

    /// The bounds of a measure, both included.
    pub fn bounds(min: i64, max: i64) -> Result<Domain, DomainRefused> {
        let within = |bound: i64| (-BOUND_MAX..=BOUND_MAX).contains(&bound);
        if min < max && within(min) && within(max) {
            Ok(Domain(DomainKind::Bounds { min, max }))
        } else {
            Err(DomainRefused::Bounds)
        }
    }

    /// What it is.
    pub fn kind(&self) -> &DomainKind {
        &self.0
    }

    /// How many cells a column has under this domain, without the one that holds everything outside it. Bounds make
    /// no cells.
    pub fn cells(&self) -> usize {
        match &self.0 {
            DomainKind::Texts(values) => values.len(),
            DomainKind::Integers(values) => values.len(),
            DomainKind::IntegerBins(edges) => edges.len() - 1,
            DomainKind::DateBins(edges) => edges.len() - 1,
            DomainKind::Bounds { .. } => 0,
        }
    }
}

fn ascending<T: Ord>(entries: &[T], least: usize) -> Result<(), DomainRefused> {
    if entries.len() < least || entries.len() > ENTRIES_MAX {
        Err(DomainRefused::Size)
    } else if entries.windows(2).any(|pair| pair[0] >= pair[1]) {
        Err(DomainRefused::Order)
    } else {
        Ok(())
    }
}
