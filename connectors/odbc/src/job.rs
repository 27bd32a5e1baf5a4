//! What a worker is told, through its standard input, as JSON: never in arguments, which every user of the machine can
//! read, and never in the environment, which a driver may print.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::request::Select;
use crate::secret::Secret;
use crate::types::Column;

/// One piece of work.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The ODBC connection string, secrets included.
    #[serde(with = "exposed")]
    connection: Secret,
    /// The process that started the worker, which is not to outlive it.
    pub(crate) parent: u32,
    /// Statements that prepare the session, by the unit.
    pub(crate) session: Vec<String>,
    pub(crate) dialect: Dialect,
    pub(crate) limits: WorkerLimits,
    pub(crate) task: Task,
}

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Columns of tables.
    Describe(Vec<Table>),
    /// Whether the source answers.
    Probe,
    /// Rows of a table.
    Read { select: Select, table: Table },
}

/// A table of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// One to three parts (catalog, schema, name), as written at the source, without quotes.
    pub(crate) name: Vec<String>,
    /// Its columns, if the unit declares them; then only these are there, with these types.
    #[serde(default)]
    pub(crate) columns: Option<Vec<Column>>,
}

/// Bounds that a worker keeps. The process that started it checks rows and bytes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkerLimits {
    pub(crate) rows_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) batch_rows: usize,
    pub(crate) text_bytes_max: usize,
    pub(crate) transit_bytes_max: usize,
    pub(crate) memory_bytes_max: u64,
    pub(crate) login_seconds_max: u32,
}

impl Job {
    pub(crate) fn new(
        connection: Secret,
        session: Vec<String>,
        dialect: Dialect,
        limits: WorkerLimits,
        task: Task,
    ) -> Job {
        Job {
            connection,
            parent: std::process::id(),
            session,
            dialect,
            limits,
            task,
        }
    }

    /// The connection string, for the one place that connects.
    pub(crate) fn connection(&self) -> &str {
        self.connection.expose()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// The one way in which a secret is written down: into the pipe to a worker.
mod exposed {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(super) fn serialize<S: Serializer>(
        secret: &Secret,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}
