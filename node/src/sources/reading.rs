//! One table read whole, within bounds, from the first of its sources that can be reached.
//!
//! What was read is named by a digest over its rows, so that the same rows are the same load wherever and however they
//! were read. Errors name sources, tables and columns, never values.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use lingqu_connector_sdk::{
    BoundedReading, LoadRequest, ReadLimits, RowsHasher, SourceError, TableInfo,
};
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_tlog::Hash;
use tokio_util::sync::CancellationToken;

use super::columns::{plain, to_plain};
use super::schema::{Columns, Drift};
use super::{AsOf as AsOfRule, NamedSource, Resource};

mod as_of;

/// Why a resource could not be read, or what was read not be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadFailed {
    /// Its date cannot be told from the column that should say it.
    #[error("column `{0}` does not say a date that the data speaks for")]
    AsOf(String),
    /// The date that it speaks for is still to come.
    #[error("it speaks for {0}, which is still to come")]
    AsOfFuture(Timestamp),
    /// The table is not what the unit has looked at.
    #[error("the table has changed: {0}")]
    Changed(Box<Drift>),
    /// Its date lies before that of the load that answers now.
    #[error("it speaks for {found}, before {current} of the load that answers now")]
    GoesBack {
        /// Its date.
        found: Timestamp,
        /// The date of the load that answers now.
        current: Timestamp,
    },
    /// An open product would have to close.
    #[error("product `{product}` would have to close: {why}")]
    Product {
        /// The product.
        product: String,
        /// Why, without values.
        why: String,
    },
    /// The source.
    #[error("source `{source_name}`: {why}")]
    Source {
        /// Its name.
        source_name: String,
        /// Why, without values.
        why: String,
        /// Whether another source of the same table may do better.
        is_away: bool,
        /// Whether it is the limit that was crossed.
        is_too_large: bool,
    },
    /// The unit has stopped it, or the node ends.
    #[error("it was stopped")]
    Stopped,
    /// The unit has marked this very load as wrong.
    #[error("it is `{0}`, which the unit has marked as wrong")]
    Wrong(lingqu_core::LoadId),
}

impl LoadFailed {
    pub(crate) fn source(source: &NamedSource, error: &SourceError) -> LoadFailed {
        LoadFailed::Source {
            source_name: source.name.clone(),
            why: error.to_string(),
            is_away: is_away(error),
            is_too_large: matches!(error, SourceError::TooLarge),
        }
    }

    /// The code under which it is reported.
    pub fn code(&self) -> ErrorCode {
        match self {
            LoadFailed::AsOf(_) | LoadFailed::AsOfFuture(_) => ErrorCode::ResourceDateInvalid,
            LoadFailed::Changed(_) => ErrorCode::ResourceChanged,
            LoadFailed::GoesBack { .. } | LoadFailed::Product { .. } | LoadFailed::Wrong(_) => {
                ErrorCode::LoadRefused
            }
            LoadFailed::Source { is_too_large, .. } => match is_too_large {
                true => ErrorCode::ResourceTooLarge,
                false => ErrorCode::SourceUnavailable,
            },
            LoadFailed::Stopped => ErrorCode::LoadStopped,
        }
    }
}

/// Whether the fault lies with reaching this source, so that a replica may do better. What is wrong with the
/// table itself would be wrong there too.
fn is_away(error: &SourceError) -> bool {
    match error {
        SourceError::Unreachable
        | SourceError::Untrusted
        | SourceError::AccountRefused
        | SourceError::Secret(_)
        | SourceError::TimedOut
        | SourceError::Failed { .. } => true,
        SourceError::TableMissing(_)
        | SourceError::ColumnMissing(_)
        | SourceError::ColumnType { .. }
        | SourceError::ValueUnfit { .. }
        | SourceError::SchemaChanged(_)
        | SourceError::ChangedMeanwhile(_)
        | SourceError::Declaration { .. }
        | SourceError::Malformed { .. }
        | SourceError::TooLarge => false,
        // What a later version of the contract adds is not known to be a matter of reaching the source.
        _ => false,
    }
}

/// How far a reading has come. Read by whoever watches it, stopped by whoever may.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    expected: AtomicU64,
    source: Mutex<String>,
    stop: CancellationToken,
}

impl Progress {
    /// That ends when `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Progress {
        Progress {
            stop,
            ..Progress::default()
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes of memory so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Rows that the source expects, if it says so.
    pub fn expected(&self) -> Option<u64> {
        Some(self.expected.load(Ordering::Relaxed)).filter(|rows| *rows > 0)
    }

    /// The source that is being read.
    pub fn source(&self) -> String {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone()
    }

    /// Ends the reading.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    fn begin(&self, source: &str, expected: Option<u64>) {
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.expected
            .store(expected.unwrap_or(0), Ordering::Relaxed);
        let mut name = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone_into(&mut name);
    }
}

/// What is wanted of a table.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The columns that may be read. Those that are not there are left out: who needs one of them says so.
    pub columns: &'a [String],
    /// What the unit has looked at; none before the first load.
    pub accepted: Option<&'a Columns>,
    /// Bounds.
    pub limits: ReadLimits,
    /// The date that the unit says for this load, in place of the configured rule.
    pub as_of: Option<Timestamp>,
}

/// What was read.
#[derive(Clone)]
pub struct ReadTable {
    /// At least one batch, all of one schema: the wanted columns that are there.
    pub batches: Vec<RecordBatch>,
    /// Rows.
    pub rows: u64,
    /// Over the rows of the wanted columns.
    pub digest: Hash,
    /// The date that they speak for.
    pub as_of: Timestamp,
    /// How the source named the state that was read.
    pub version: Option<String>,
    /// The source.
    pub source: String,
    /// Every column of the table, the unwanted ones too.
    pub found: Columns,
    /// When the reading ended.
    pub ended: Timestamp,
}

impl std::fmt::Debug for ReadTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTable")
            .field("rows", &self.rows)
            .field("digest", &self.digest)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Reads a resource from the first of its sources that can be reached.
///
/// # Errors
/// [`LoadFailed`] of the last source that was tried, or of the first whose table itself is at fault.
pub async fn read(
    resource: &Resource,
    wanted: &Wanted<'_>,
    progress: &Progress,
    clock: &dyn Clock,
) -> Result<ReadTable, LoadFailed> {
    let mut last = LoadFailed::Stopped;
    for source in &resource.sources {
        let reading = read_from(resource, source, wanted, progress, clock);
        let stopped = progress.stop.cancelled();
        let read = tokio::select! {
            biased;
            () = stopped => return Err(LoadFailed::Stopped),
            read = tokio::time::timeout(wanted.limits.time_max, reading) => read,
        };
        let timed_out = |_| LoadFailed::source(source, &SourceError::TimedOut);
        match read.map_err(timed_out).and_then(|read| read) {
            Ok(read) => return Ok(read),
            Err(failed @ LoadFailed::Source { is_away: true, .. }) => {
                let resource = &resource.name;
                tracing::warn!(%failed, resource, "a source cannot be read");
                last = failed;
            }
            Err(failed) => return Err(failed),
        }
    }
    Err(last)
}

/// The table as the source describes it now.
///
/// # Errors
/// The source cannot be read, or has no such table.
pub async fn describe(
    resource: &Resource,
    source: &NamedSource,
) -> Result<(TableInfo, Columns), LoadFailed> {
    let failed = |error: &SourceError| LoadFailed::source(source, error);
    let tables = source.connector.describe().await.map_err(|e| failed(&e))?;
    let table = tables
        .into_iter()
        .find(|info| info.name == resource.table)
        .ok_or_else(|| failed(&SourceError::TableMissing(resource.table.clone())))?;
    let columns = Columns::of(&table.schema)
        .ok_or_else(|| failed(&SourceError::SchemaChanged(resource.table.clone())))?;
    Ok((table, columns))
}

/// The first rows of a table, for whoever drafts its labels on the unit's own machine. Columns whose types no reading
/// knows are left out; the source's work is stopped after the last row that is wanted.
///
/// # Errors
/// As [`read`].
pub async fn first_rows(
    resource: &Resource,
    source: &NamedSource,
    rows: u64,
    limits: ReadLimits,
) -> Result<(TableInfo, Vec<RecordBatch>), LoadFailed> {
    let failed = |error: SourceError| LoadFailed::source(source, &error);
    let (info, _) = describe(resource, source).await?;
    let is_known =
        |field: &&Arc<Field>| RowsHasher::new(&Schema::new(vec![Arc::clone(field)])).is_ok();
    let known = info.schema.fields().iter().filter(is_known);
    let request = LoadRequest {
        table: resource.table.clone(),
        columns: known.map(|field| field.name().clone()).collect(),
        limits,
    };
    if request.columns.is_empty() {
        return Ok((info, Vec::new()));
    }
    let declared = request.schema(&info.schema).map_err(failed)?;
    let connector = source.connector.as_ref();
    let reading = BoundedReading::begin(connector, Arc::clone(&declared), &request).await;
    let mut reading = reading.map_err(failed)?;
    let plain = plain(&declared);
    let (mut batches, mut left) = (Vec::new(), rows);
    while left > 0
        && let Some(batch) = reading.next().await.map_err(failed)?
    {
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(batch.num_rows());
        let unfit = |_| failed(SourceError::Failed { code: None });
        batches.push(to_plain(&batch.slice(0, wanted), &plain).map_err(unfit)?);
        left -= wanted as u64;
    }
    Ok((info, batches))
}

async fn read_from(
    resource: &Resource,
    source: &NamedSource,
    wanted: &Wanted<'_>,
    progress: &Progress,
    clock: &dyn Clock,
) -> Result<ReadTable, LoadFailed> {
    let failed = |error: SourceError| LoadFailed::source(source, &error);
    let began = clock.now();
    let (info, found) = describe(resource, source).await?;
    if let Some(accepted) = wanted.accepted
        && *accepted != found
    {
        let accepted = accepted.clone();
        return Err(LoadFailed::Changed(Box::new(Drift { accepted, found })));
    }
    progress.begin(&source.name, info.rows);
    let rule = as_of::Rule::of(resource, wanted, began);
    let (columns, is_extra) = rule.columns(wanted.columns, &info.schema)?;
    let request = LoadRequest {
        table: resource.table.clone(),
        columns,
        limits: wanted.limits,
    };
    // No connector is believed: rows, bytes, time and the columns that were described a moment ago are checked again.
    let declared = request.schema(&info.schema).map_err(failed)?;
    let reading = BoundedReading::begin(source.connector.as_ref(), Arc::clone(&declared), &request);
    let reading = reading.await.map_err(failed)?;
    let mut gathered = Gathered::new(&declared, &rule, is_extra);
    let facts = reading.for_each(|batch, so_far| {
        progress.rows.store(so_far.rows, Ordering::Relaxed);
        progress.bytes.store(so_far.bytes, Ordering::Relaxed);
        gathered.add(&batch)
    });
    let facts = facts.await.map_err(failed)?;
    let now = clock.now();
    let (as_of, batches) = gathered.finish(now)?;
    Ok(ReadTable {
        as_of,
        batches,
        rows: facts.rows,
        digest: Hash(facts.digest.0),
        version: facts.version,
        source: source.name.clone(),
        found,
        ended: now,
    })
}

/// What has come so far.
struct Gathered<'a> {
    plain: SchemaRef,
    /// Without the column that was read for its date alone, which stands last.
    kept: SchemaRef,
    batches: Vec<RecordBatch>,
    latest: as_of::Latest<'a>,
}

impl<'a> Gathered<'a> {
    fn new(declared: &SchemaRef, rule: &'a as_of::Rule, is_extra: bool) -> Gathered<'a> {
        let plain = plain(declared);
        let kept = plain.fields().len() - usize::from(is_extra);
        let kept: Vec<_> = plain.fields()[..kept].to_vec();
        Gathered {
            kept: Arc::new(Schema::new(kept)),
            plain,
            batches: Vec::new(),
            latest: as_of::Latest::of(rule),
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), SourceError> {
        let unfit = || SourceError::Failed { code: None };
        let mut batch = to_plain(batch, &self.plain).map_err(|_| unfit())?;
        self.latest.look_at(&batch);
        if batch.num_columns() > self.kept.fields().len() {
            let kept: Vec<usize> = (0..self.kept.fields().len()).collect();
            batch = batch.project(&kept).map_err(|_| unfit())?;
        }
        if batch.num_rows() > 0 {
            self.batches.push(batch);
        }
        Ok(())
    }

    fn finish(self, now: Timestamp) -> Result<(Timestamp, Vec<RecordBatch>), LoadFailed> {
        let as_of = self.latest.finish(now)?;
        Ok(match self.batches.is_empty() {
            true => (as_of, vec![RecordBatch::new_empty(self.kept)]),
            false => (as_of, self.batches),
        })
    }
}

#[cfg(test)]
mod tests;
