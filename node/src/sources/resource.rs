//! A resource as configured: which table of which source, the date that it speaks for, and when it is read again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lingqu_connector_sdk::{Connector, TableName};
use lingqu_core::Timestamp;
use lingqu_core::grant::Environment;

/// A source under the name that it has in `node.toml`.
#[derive(Clone, Debug)]
pub struct NamedSource {
    /// The name.
    pub name: String,
    /// The connector with its settings.
    pub connector: Arc<dyn Connector>,
}

/// One table of one source, under the name that products and policies use.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The name.
    pub name: String,
    /// The environments that it serves; never TEST and another.
    pub environments: Vec<Environment>,
    /// Where it is read: the source first, then its replicas in the order in which they are tried.
    pub sources: Vec<NamedSource>,
    /// What the sources call the table.
    pub table: TableName,
    /// The date that it speaks for.
    pub as_of: AsOf,
    /// When it is read again without being asked.
    pub refresh: Refresh,
    /// How often the unit brings it up to date; older data is reported as stale.
    pub update_cycle: Option<Duration>,
}

impl Resource {
    /// Name and environments, apart by `@`: resources of one name in other environments are other resources.
    pub fn label(&self) -> String {
        let words: Vec<&str> = self.environments.iter().map(|one| one.as_str()).collect();
        format!("{}@{}", self.name, words.join("+"))
    }

    /// Whether it is the one of this name that serves `environment`; of this name at all if none is given.
    pub fn is(&self, name: &str, environment: Option<Environment>) -> bool {
        self.name == name && environment.is_none_or(|one| self.environments.contains(&one))
    }
}

/// How the date is known that a load speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The latest day or instant in this column.
    Column(String),
    /// The unit says it, in the configuration or with the load.
    Fixed(Timestamp),
    /// The source is kept up to date: the moment at which the load began.
    Load,
}

/// When a resource is read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// Whenever this time has passed since the last load began.
    Every(Duration),
    /// When the unit asks for it.
    #[default]
    Manual,
}

/// Shortest time between two loads.
const REFRESH_MIN: Duration = Duration::from_secs(60);
/// Longest.
const REFRESH_MAX: Duration = Duration::from_secs(366 * 86_400);

/// A text that is no rule of refreshing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `manual`, or `every` and a time from `1m` to `366d`, for example `every 24h`")]
pub struct RefreshRefused;

impl FromStr for Refresh {
    type Err = RefreshRefused;

    fn from_str(text: &str) -> Result<Refresh, RefreshRefused> {
        if text == "manual" {
            return Ok(Refresh::Manual);
        }
        let time = text.strip_prefix("every ").ok_or(RefreshRefused)?;
        let unit_s = match time.chars().last() {
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(RefreshRefused),
        };
        let digits = &time[..time.len() - 1];
        let count: u32 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| RefreshRefused)?,
            false => return Err(RefreshRefused),
        };
        let every = Duration::from_secs(u64::from(count) * unit_s);
        match (REFRESH_MIN..=REFRESH_MAX).contains(&every) {
            true => Ok(Refresh::Every(every)),
            false => Err(RefreshRefused),
        }
    }
}

impl fmt::Display for Refresh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refresh::Every(every) = self else {
            return formatter.write_str("manual");
        };
        let seconds = every.as_secs();
        match (seconds % 86_400, seconds % 3_600) {
            (0, _) => write!(formatter, "every {}d", seconds / 86_400),
            (_, 0) => write!(formatter, "every {}h", seconds / 3_600),
            (_, _) => write!(formatter, "every {}m", seconds / 60),
        }
    }
}

#[cfg(test)]
mod tests;
