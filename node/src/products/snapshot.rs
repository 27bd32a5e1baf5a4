//! One verified reading of a resource, for as long as something answers from it.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::datasource::MemTable;
use lingqu_core::product::{Load, SignedPolicy};
use lingqu_core::{LoadId, Timestamp};
use lingqu_policy::{Policy, Use};
use lingqu_tlog::{Hash, Intl, Suite};

use crate::evaluate::statistic::USES;
use crate::sources::ColumnsUnfit;
use crate::sources::columns::project;
use crate::sources::reading::ReadTable;

/// See the module. The rows themselves are here only where a statistic reads them.
pub(crate) struct Snapshot {
    /// What answers name.
    pub(crate) load: Load,
    /// Rows read. For the load's record and the unit, never for callers.
    pub(crate) rows: u64,
    /// Digest of the content read; as `rows`.
    pub(crate) digest: Hash,
    /// The source that it was read from.
    pub(crate) source: String,
    /// How the source named the state that was read.
    pub(crate) version: Option<String>,
    /// When the reading ended.
    pub(crate) loaded: Timestamp,
    /// The policy whose open columns were read.
    pub(crate) policy: Arc<SignedPolicy>,
    /// What statistics may read of it.
    pub(crate) table: Option<Table>,
}

/// The columns that statistics may read, in memory.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: Arc<MemTable>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("load", &self.load)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Of a reading; `table` if a statistic is over it.
    pub(crate) fn of(
        resource: &str,
        label: &str,
        read: &ReadTable,
        policy: &Arc<SignedPolicy>,
        table: Option<Table>,
    ) -> Snapshot {
        let load = Load {
            id: load_id(label, read.as_of, &read.digest),
            resource: resource.to_owned(),
            as_of: read.as_of,
        };
        Snapshot {
            load,
            rows: read.rows,
            digest: read.digest,
            source: read.source.clone(),
            version: read.version.clone(),
            loaded: read.ended,
            policy: Arc::clone(policy),
            table,
        }
    }

    /// The same reading with the rows that statistics may read.
    pub(crate) fn with_table(&self, table: Option<Table>) -> Snapshot {
        Snapshot {
            load: self.load.clone(),
            rows: self.rows,
            digest: self.digest,
            source: self.source.clone(),
            version: self.version.clone(),
            loaded: self.loaded,
            policy: Arc::clone(&self.policy),
            table: table.or_else(|| self.table.clone()),
        }
    }
}

/// The same rows of the same date in the same resource are the same load, on every machine and after every restart.
pub(crate) fn load_id(label: &str, as_of: Timestamp, digest: &Hash) -> LoadId {
    let date = as_of.0.to_be_bytes();
    let named = Intl::digest(&[
        b"lingqu/load/v1\0",
        label.as_bytes(),
        b"\0",
        &date,
        &digest.0,
    ]);
    let id = format!("load_{}", hex::encode(&named.0[..10]));
    id.parse().expect("a prefix and 20 digits are an id")
}

/// Every column that the policy opens for anything, in order: nothing else is read.
pub(crate) fn open_columns(policy: &Policy) -> Vec<String> {
    let open = policy
        .columns()
        .filter(|(_, uses)| uses.iter().next().is_some());
    open.map(|(column, _)| column.to_owned()).collect()
}

/// The columns that the policy opens for statistics.
pub(crate) fn statistic_columns(policy: &Policy) -> Vec<&str> {
    let open = policy
        .columns()
        .filter(|(_, uses)| USES.iter().any(|wanted: &Use| uses.allows(*wanted)));
    open.map(|(column, _)| column).collect()
}

/// What statistics may read of these batches.
///
/// # Errors
/// A column that the policy opens for statistics is missing.
pub(crate) fn table(batches: &[RecordBatch], policy: &Policy) -> Result<Table, ColumnsUnfit> {
    let columns = statistic_columns(policy);
    let batches = batches
        .iter()
        .map(|batch| project(batch, &columns))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = batches.first().map(RecordBatch::schema);
    let schema = schema.ok_or(ColumnsUnfit::Unreadable)?;
    let rows = MemTable::try_new(Arc::clone(&schema), vec![batches]);
    Ok(Table {
        schema,
        rows: Arc::new(rows.map_err(|_| ColumnsUnfit::Unreadable)?),
    })
}
