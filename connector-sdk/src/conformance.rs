//! The conformance kit: whether a connector keeps its contract, against the real source.
//!
//! [`check`] runs every row of [`CHECKS`] against any [`Connector`]. With a [`Fixture`], which a test prepares at the
//! source, all of them apply. Against a unit's own database, of which the kit knows nothing, those that need prepared
//! contents are *not applicable* and say what to prepare. The kit only reads; it tries to write only where
//! [`Options::probe_write`] says so. A report quotes no value of a table but the keys of prepared rows.
//!
//! Start reading at [`check`]; the checks themselves are one theme a file.
//!
//! # A whole fixture
//!
//! The test of the connector that the crate's documentation begins with, as it runs in this crate:
//!
//! ```text
#![doc = include_str!("lines/tests.rs")]
//! ```

mod access;
mod catalogue;
mod change;
mod fidelity;
mod fixture;
mod flow;
mod leaks;
mod limits;
mod loads;
mod predicates;
mod preparation;
mod push_down;
mod random;
mod report;
mod rows;
mod shape;
mod specimen;
mod subject;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::{Connector, SourceError, TableName};

pub use catalogue::{CHECKS, Check};
pub use fixture::{Aspect, Control, Fixture, NotControlled, Unfit};
pub use report::{Outcome, Report, Text, Verdict};
pub use specimen::Specimen;

use report::text;
use subject::Subject;

/// How thoroughly to check. [`Options::default`] checks everything that needs no writing; each field says its default.
#[derive(Clone, Debug)]
pub struct Options {
    /// Checks to run, by their ids; empty (the default) for all. An id that is none is a fault of the test, and nothing
    /// is checked then.
    pub only: Vec<String>,
    /// Tables to check; empty for those that the source describes, in their order, up to [`Options::tables_max`].
    /// None by default.
    pub tables: Vec<TableName>,
    /// Most tables that are checked; 8.
    pub tables_max: usize,
    /// Whether to try to write; no. What is tried leaves nothing behind, but a unit may not want it tried at all.
    pub probe_write: bool,
    /// Largest table in rows that is read whole and compared row by row; 100,000.
    pub rows_compared_max: u64,
    /// Rows of one batch in readings of the kit; 8,192.
    pub batch_rows: NonZeroUsize,
    /// Predicates of one kind on one table at most; 24.
    pub predicates_max: usize,
    /// What the generated predicates begin with; the same seed on the same data asks the same. 1.
    pub seed: u64,
    /// How long a slow consumer pauses at least; half a second. It pauses for twice the time that the whole table takes,
    /// and this.
    pub pause: Duration,
    /// Bytes of rows that the sockets of a connection may hold, beside what the connector reads ahead; 12 MiB, a little
    /// more than Linux gives one connection. Where there is no connection none are allowed.
    pub socket_bytes: u64,
    /// How long to wait for a source to do what it must: to stop a cancelled query, to come back after a restart. 20
    /// seconds.
    pub patience: Duration,
    /// Longest time of one check; then it has failed. Five minutes.
    pub check_time_max: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            only: Vec::new(),
            tables: Vec::new(),
            tables_max: 8,
            probe_write: false,
            rows_compared_max: 100_000,
            batch_rows: NonZeroUsize::new(8_192).expect("it is not zero"),
            predicates_max: 24,
            seed: 1,
            pause: Duration::from_millis(500),
            socket_bytes: 12 << 20,
            patience: Duration::from_secs(20),
            check_time_max: Duration::from_secs(300),
        }
    }
}

/// Runs every check, one after the other, in the order of [`CHECKS`]. `progress` is told of each check before it begins.
///
/// Options and fixture are looked at first. What of them cannot be used stands in [`Report::unusable`]; then nothing is
/// checked, and the report does not conform.
pub async fn check(
    connector: Arc<dyn Connector>,
    fixture: Option<Fixture>,
    options: Options,
    mut progress: impl FnMut(&Check),
) -> Report {
    let mut subject = Subject::new(connector, fixture, options);
    let mut found = BTreeMap::new();
    let unusable = unblamed(&mut subject, |subject| {
        Box::pin(preparation::unusable(subject))
    });
    let unusable = unusable.await.unwrap_or_default();
    if !unusable.is_empty() {
        return subject.report(found, unusable);
    }
    // The checks of one run prepare what the later ones need, and what changes the source comes last.
    let only = subject.options.only.clone();
    let wanted = |check: &&Check| only.is_empty() || only.iter().any(|id| id == check.id);
    for check in CHECKS.iter().filter(wanted) {
        progress(check);
        let verdict = guarded(run(check.id, &mut subject)).await;
        found.insert(check.id, verdict);
    }
    // The heading says what was checked, whichever checks ran.
    let introduced = unblamed(&mut subject, |subject| {
        Box::pin(async move { (subject.health().await, subject.described().await) })
    });
    introduced.await;
    subject.report(found, Vec::new())
}

/// What comes of asking the connector outside of any check; a hang or a panic is left to the checks.
async fn unblamed<T>(
    subject: &mut Subject,
    ask: impl for<'a> FnOnce(&'a mut Subject) -> BoxFuture<'a, T>,
) -> Option<T> {
    let time = subject.options.check_time_max;
    let asked = AssertUnwindSafe(ask(subject)).catch_unwind();
    tokio::time::timeout(time, asked).await.ok()?.ok()
}

/// What a check found, or how it ended otherwise: a hang and a panic are failures of the connector.
async fn guarded(check: BoxFuture<'_, Result<Verdict, SourceError>>) -> Verdict {
    match AssertUnwindSafe(check).catch_unwind().await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => {
            let error = leaks::named(&error);
            Verdict::failed(text(
                format!("it ended with an error: {error}"),
                format!("检查中断，错误：{error}"),
            ))
        }
        Err(_) => Verdict::failed(text("the connector panicked", "数据源适配器发生 panic")),
    }
}

fn run<'a>(
    id: &'static str,
    subject: &'a mut Subject,
) -> BoxFuture<'a, Result<Verdict, SourceError>> {
    let time = subject.options.check_time_max;
    let found = async move {
        match id {
            "reach" => access::reach(subject).await,
            "describe" => shape::describe(subject).await,
            "encrypted" => access::encrypted(subject).await,
            "read-only.account" => access::account(subject).await,
            "read-only.attempt" => access::attempt(subject).await,
            "secrets" => access::secrets(subject),
            "load.columns" => shape::columns(subject).await,
            "load.stable" => loads::stable(subject).await,
            "load.concurrent" => loads::concurrent(subject).await,
            "limit.rows" => limits::rows(subject).await,
            "limit.bytes" => limits::bytes(subject).await,
            "limit.batch" => limits::batch(subject).await,
            "limit.time" => limits::time(subject).await,
            "push-down.projection" => push_down::projection(subject).await,
            "push-down.limit" => push_down::limit(subject).await,
            "flow.cancel" => flow::cancel(subject).await,
            "flow.back-pressure" => flow::back_pressure(subject).await,
            "change.restart" => change::restart(subject).await,
            "change.schema" => change::schema(subject).await,
            "errors.values" => leaks::values(subject).await,
            other => match other.split_once('.') {
                Some(("types", _)) => fidelity::aspect(subject, other).await,
                _ => push_down::filter(subject, other).await,
            },
        }
    };
    Box::pin(async move {
        let ended = tokio::time::timeout(time, found).await;
        ended.unwrap_or_else(|_| {
            Ok(Verdict::failed(text(
                format!("it did not end within {} seconds", time.as_secs()),
                format!("{} 秒内未结束", time.as_secs()),
            )))
        })
    })
}

#[cfg(test)]
mod tests;
