//! `[domains]` of `policy.toml`: values, edges or bounds of one column.

use lingqu_policy::{Day, Domain, DomainKind};
use serde::{Deserialize, Serialize};

use super::super::DocumentRefused;

/// One of the three: `{ values = […] }`, `{ edges = […] }`, `{ min = …, max = … }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum DomainToml {
    /// A closed list of texts or of integers, ascending.
    Values(ValuesToml),
    /// Bins between ascending integers or days (YYYY-MM-DD); each holds its lower edge and not its upper.
    Edges(EdgesToml),
    /// Each value is brought into these before it is summed.
    Bounds(BoundsToml),
}

/// A closed list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValuesToml {
    values: List,
}

/// Bins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EdgesToml {
    edges: List,
}

/// Bounds of a measure, both included.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundsToml {
    min: i64,
    max: i64,
}

/// Integers or texts, never both.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum List {
    Integers(Vec<i64>),
    Texts(Vec<String>),
}

impl DomainToml {
    pub(super) fn read(self) -> Result<Domain, DocumentRefused> {
        let refused = |error| DocumentRefused::key("domains", error);
        match self {
            DomainToml::Values(ValuesToml { values }) => match values {
                List::Integers(values) => Domain::integers(values).map_err(refused),
                List::Texts(values) => Domain::texts(values).map_err(refused),
            },
            DomainToml::Edges(EdgesToml { edges }) => match edges {
                List::Integers(edges) => Domain::integer_bins(edges).map_err(refused),
                List::Texts(days) => {
                    let days: Result<Vec<Day>, _> = days.iter().map(|day| day.parse()).collect();
                    let days = days.map_err(|error| DocumentRefused::key("domains", error))?;
                    Domain::date_bins(days).map_err(refused)
                }
            },
            DomainToml::Bounds(BoundsToml { min, max }) => {
                Domain::bounds(min, max).map_err(refused)
            }
        }
    }

    pub(super) fn write(domain: &Domain) -> DomainToml {
        let values = |values| DomainToml::Values(ValuesToml { values });
        let edges = |edges| DomainToml::Edges(EdgesToml { edges });
        match domain.kind() {
            DomainKind::Texts(texts) => values(List::Texts(texts.clone())),
            DomainKind::Integers(integers) => values(List::Integers(integers.clone())),
            DomainKind::IntegerBins(integers) => edges(List::Integers(integers.clone())),
            DomainKind::DateBins(days) => {
                edges(List::Texts(days.iter().map(Day::to_string).collect()))
            }
            DomainKind::Bounds { min, max } => DomainToml::Bounds(BoundsToml {
                min: *min,
                max: *max,
            }),
        }
    }
}
