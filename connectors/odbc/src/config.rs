//! The configuration: what stands in it is what can be reached, and nothing else.
//!
//! Sources, their tables and their limits are declared here by the unit; a request names a declared table or is
//! refused. Unknown keys are refused, `Debug` shows no secret, and each sample in `deploy/odbc/` is parsed by a test.

mod connection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub(crate) use self::connection::ConnectionRefused;
use crate::dialect::Dialect;
use crate::job::{Table, WorkerLimits};
use crate::secret::SecretSource;
use crate::types::is_name;

/// Everything that is configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    #[serde(rename = "source", default)]
    pub(crate) sources: Vec<Source>,
    /// The directory of the file, to which relative paths are relative.
    #[serde(skip)]
    pub(crate) base: PathBuf,
}

/// The sockets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// Where the sockets lie, one per source: `NAME.sock`. The directory must belong to this process's user or to
    /// root, and others must not be able to write to it or to enter it.
    pub(crate) directory: PathBuf,
    /// Who can connect by the rights of the socket file.
    #[serde(default)]
    pub(crate) access: Access,
    /// User ids that are served; the kernel says who connects. Default: the user of this process.
    #[serde(default)]
    pub(crate) peer_uids: Option<Vec<u32>>,
    /// Most connections at once per socket; further ones are closed at once.
    #[serde(default = "connections_max")]
    pub(crate) connections_max: usize,
    /// A connection without a running request is closed after this many seconds without a byte.
    #[serde(default = "idle_seconds_max")]
    pub(crate) idle_seconds_max: u64,
}

fn connections_max() -> usize {
    16
}

fn idle_seconds_max() -> u64 {
    300
}

/// Rights of the socket files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    /// 0600: the user of this process.
    #[default]
    Owner,
    /// 0660: also the group of the directory, for a node with a user of its own. `peer_uids` still says who is served.
    Group,
}

/// One database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Names the socket: letters, digits, `-` and `_`, at most 64.
    pub(crate) name: String,
    /// The driver's shared library, by absolute path. Either this or `dsn`.
    #[serde(default)]
    pub(crate) driver: Option<PathBuf>,
    /// A data source name of the machine's `odbc.ini`. Either this or `driver`.
    #[serde(default)]
    pub(crate) dsn: Option<String>,
    /// Parts of the connection string that are no secrets.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
    /// Parts that are: where they are kept.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    /// Statements that every session begins with, such as `SET TRANSACTION READ ONLY`.
    #[serde(default)]
    pub(crate) session: Vec<String>,
    /// The whole environment of the workers; they inherit nothing.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) dialect: Dialect,
    #[serde(default)]
    pub(crate) limits: Limits,
    /// What is known of the product. Information for people; nothing depends on it.
    #[serde(default)]
    pub(crate) profile: Option<Profile>,
    /// The tables that can be read.
    #[serde(rename = "table")]
    pub(crate) tables: Vec<Table>,
}

/// Bounds of the work at one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Most rows of one query; more is an error, never fewer rows.
    pub(crate) rows_max: u64,
    /// Most bytes of Arrow buffers of one query.
    pub(crate) bytes_max: u64,
    /// Rows of one batch at most.
    pub(crate) batch_rows: usize,
    /// Buffer for one text or binary value, in bytes. A longer value is an error, never cut off.
    pub(crate) text_bytes_max: usize,
    /// Buffers that a driver fills at once, in bytes; wide rows come in smaller batches.
    pub(crate) transit_bytes_max: usize,
    /// Longest time of one query from its start to its last byte; then the worker is killed.
    pub(crate) query_seconds_max: u64,
    /// Longest time for the driver to connect, as far as it keeps to it; 0 leaves it to the driver. The time of the
    /// query bounds it in any case.
    pub(crate) login_seconds_max: u32,
    /// Address space of one worker, in bytes.
    pub(crate) memory_bytes_max: u64,
    /// Workers at once, each with one connection to the database.
    pub(crate) workers_max: usize,
    /// Queries that wait for a worker; further ones are refused.
    pub(crate) queue_max: usize,
    /// Longest pause after failed workers; pauses begin at 100 ms and double.
    pub(crate) back_off_seconds_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rows_max: 5_000_000,
            bytes_max: 4 << 30,
            batch_rows: 8_192,
            text_bytes_max: 32 << 10,
            transit_bytes_max: 64 << 20,
            query_seconds_max: 3_600,
            login_seconds_max: 0,
            memory_bytes_max: 2 << 30,
            workers_max: 4,
            queue_max: 16,
            back_off_seconds_max: 30,
        }
    }
}

/// What is known of a product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The product.
    pub(crate) product: String,
    /// Whether this profile was run against the product itself.
    pub(crate) tested: bool,
    /// What to know about it.
    #[serde(default)]
    pub(crate) quirks: Vec<String>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigRefused {
    /// The file cannot be read.
    #[error("the configuration `{path}` cannot be read: {source}")]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A key is missing, unknown or malformed.
    #[error("the configuration is malformed: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A value is not usable.
    #[error("source `{source_name}`: {why}")]
    Source {
        source_name: String,
        why: &'static str,
    },
    /// A value is not usable.
    #[error("`server`: {0}")]
    Server(&'static str),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is not usable.
    pub(crate) fn read(path: &Path) -> Result<Config, ConfigRefused> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigRefused::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, base)
    }

    /// Parses and checks a text.
    ///
    /// # Errors
    /// Something in it is not usable.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Config, ConfigRefused> {
        let mut config: Config = toml::from_str(text)?;
        config.base = base.to_owned();
        config.server.check()?;
        if config.sources.is_empty() {
            return Err(ConfigRefused::Server("there is no [[source]]"));
        }
        let mut names = HashSet::new();
        for source in &config.sources {
            let refused = |why| ConfigRefused::Source {
                source_name: source.name.clone(),
                why,
            };
            source.check().map_err(refused)?;
            if !names.insert(&source.name) {
                return Err(refused("the name is taken"));
            }
        }
        Ok(config)
    }
}

impl Server {
    fn check(&self) -> Result<(), ConfigRefused> {
        if !self.directory.is_absolute() {
            return Err(ConfigRefused::Server("`directory` is no absolute path"));
        }
        if !(1..=1_024).contains(&self.connections_max) {
            return Err(ConfigRefused::Server("`connections_max` is 1 to 1024"));
        }
        if !(1..=86_400).contains(&self.idle_seconds_max) {
            return Err(ConfigRefused::Server("`idle_seconds_max` is 1 to 86400"));
        }
        if self.peer_uids.as_ref().is_some_and(Vec::is_empty) {
            return Err(ConfigRefused::Server("`peer_uids` names nobody"));
        }
        Ok(())
    }
}

impl Source {
    fn check(&self) -> Result<(), &'static str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err("a name is 1 to 64 letters, digits, `-` and `_`");
        }
        self.check_connection()?;
        if self.tables.is_empty() || self.tables.len() > 4_096 {
            return Err("there are 1 to 4096 [[source.table]]");
        }
        let mut names = HashSet::new();
        for table in &self.tables {
            if !(1..=3).contains(&table.name.len()) || !table.name.iter().all(|part| is_name(part))
            {
                return Err(
                    "a table is named by one to three parts of 1 to 128 bytes without control characters",
                );
            }
            if !names.insert(&table.name) {
                return Err("a table is declared twice");
            }
            check_columns(table)?;
        }
        self.limits.check()
    }

    /// The table of this name, if the unit declared it.
    pub(crate) fn table(&self, name: &[String]) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

fn check_columns(table: &Table) -> Result<(), &'static str> {
    let Some(columns) = &table.columns else {
        return Ok(());
    };
    let mut names = HashSet::new();
    if columns.is_empty() || columns.len() > crate::request::ITEMS_MAX {
        return Err("a table with declared columns has 1 to 2048");
    }
    for column in columns {
        if !is_name(&column.name) || !names.insert(&column.name) {
            return Err("a column has a name of 1 to 128 bytes, which no other has");
        }
    }
    Ok(())
}

impl Limits {
    fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (self.rows_max >= 1, "`rows_max` is at least 1"),
            (self.bytes_max >= 1, "`bytes_max` is at least 1"),
            (
                (1..=1 << 16).contains(&self.batch_rows),
                "`batch_rows` is 1 to 65536",
            ),
            (
                (16..=64 << 20).contains(&self.text_bytes_max),
                "`text_bytes_max` is 16 bytes to 64 MiB",
            ),
            (
                (4 << 10..=512 << 20).contains(&self.transit_bytes_max),
                "`transit_bytes_max` is 4 KiB to 512 MiB",
            ),
            (
                (1..=86_400).contains(&self.query_seconds_max),
                "`query_seconds_max` is 1 to 86400",
            ),
            (
                (64 << 20..=1 << 40).contains(&self.memory_bytes_max),
                "`memory_bytes_max` is 64 MiB to 1 TiB",
            ),
            (
                (1..=64).contains(&self.workers_max),
                "`workers_max` is 1 to 64",
            ),
            (self.queue_max <= 1_024, "`queue_max` is at most 1024"),
            (
                (1..=3_600).contains(&self.back_off_seconds_max),
                "`back_off_seconds_max` is 1 to 3600",
            ),
        ];
        rules
            .iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, why)| Err(*why))
    }

    /// What a worker itself keeps to.
    pub(crate) fn worker(&self) -> WorkerLimits {
        WorkerLimits {
            rows_max: self.rows_max,
            bytes_max: self.bytes_max,
            batch_rows: self.batch_rows,
            text_bytes_max: self.text_bytes_max,
            transit_bytes_max: self.transit_bytes_max,
            memory_bytes_max: self.memory_bytes_max,
            login_seconds_max: self.login_seconds_max,
        }
    }

    /// Longest frame with a batch. Text may grow by half when it is decoded, and Arrow adds its own framing.
    pub(crate) fn batch_bytes_max(&self) -> u32 {
        u32::try_from(2 * self.transit_bytes_max + (1 << 20))
            .expect("the transit buffer is at most 512 MiB")
    }

    /// Longest time of one query.
    pub(crate) fn query_time_max(&self) -> Duration {
        Duration::from_secs(self.query_seconds_max)
    }
}
