//! The columns of a table as the unit has looked at them, to be compared with what is there now.
//!
//! Names and types count, in whatever order they stand; whether a column may be NULL does not. Any other difference,
//! be it a column more, is a change that the unit looks at before its products answer again.

use std::collections::BTreeMap;
use std::fmt;

use arrow_schema::Schema;
use lingqu_tlog::{Hash, Intl, Suite};
use serde::{Deserialize, Serialize};

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 4_096;

/// Column → type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns(BTreeMap<String, String>);

/// A table that is not what the unit has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// What the unit has looked at.
    pub accepted: Columns,
    /// What is there now.
    pub found: Columns,
}

impl Columns {
    /// The columns of a table; none if there are too many, or two of one name.
    pub fn of(schema: &Schema) -> Option<Columns> {
        let fields = schema.fields();
        let columns: BTreeMap<String, String> = fields
            .iter()
            .map(|field| (field.name().clone(), field.data_type().to_string()))
            .collect();
        (columns.len() == fields.len() && columns.len() <= COLUMNS_MAX).then_some(Columns(columns))
    }

    /// Names and types, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
    }

    /// SHA-256 over each name and type in order, each after its length as 8 bytes big-endian: what an order accepts.
    pub fn digest(&self) -> Hash {
        let mut bytes = b"lingqu/columns/v1\0".to_vec();
        for part in self.0.iter().flat_map(|(name, kind)| [name, kind]) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Intl::digest(&[&bytes])
    }
}

impl Drift {
    /// Columns that are new, gone or of another type, as `+name: type`, `-name: type`.
    pub fn differences(&self) -> Vec<String> {
        let gone = self
            .accepted
            .0
            .iter()
            .filter(|(name, kind)| self.found.0.get(*name) != Some(kind));
        let new = self
            .found
            .0
            .iter()
            .filter(|(name, kind)| self.accepted.0.get(*name) != Some(kind));
        let gone = gone.map(|(name, kind)| format!("-{name}: {kind}"));
        gone.chain(new.map(|(name, kind)| format!("+{name}: {kind}")))
            .collect()
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.differences().join(", "))
    }
}

#[cfg(test)]
mod tests;
