//! When resources are read, and what is kept and recorded of it.
//!
//! One worker at a time reads, builds and swaps, off the calls' path and off every thread that calls, revocations or
//! orders wait for. A load is on record before anything answers from it; before the journal may be written nothing
//! answers at all ([`Node::ready`]). Start reading at `Node::settle`.

pub mod lineage;
mod orders;
mod remembered;
mod schedule;
pub mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use lingqu_connector_sdk::ReadLimits;
use lingqu_core::grant::Environment;
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::{ErrorCode, LoadId, Timestamp};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::Node;
use crate::admission::holdings::Pinned;
use crate::products::{Loaded, Settled, Task};
use crate::sources::reading::{LoadFailed, Progress, ReadTable, Wanted, read};
use crate::sources::schema::{Columns, Drift};
use crate::sources::{AsOf, Resource};
use crate::state::State;
use remembered::Kept;
use schedule::Attempt;
use status::SourceHealth;

pub(crate) use schedule::run;

/// Threads that sources are read on.
const THREADS: usize = 2;
/// Rows of one batch.
const BATCH_ROWS: NonZeroUsize = NonZeroUsize::new(8_192).expect("it is not zero");

/// What is under way, and what is known of each resource. The lists go by the places of the resources.
pub(crate) struct Loader {
    runtime: Option<Runtime>,
    node: OnceLock<Weak<Node>>,
    queue: Mutex<Queue>,
    settled: Condvar,
    /// Ends every reading when the node ends.
    closing: CancellationToken,
    attempts: Mutex<Vec<Attempt>>,
    kept: Kept,
    health: Mutex<BTreeMap<String, SourceHealth>>,
}

/// What is asked of the worker. It alone takes from it.
#[derive(Default)]
struct Queue {
    wanted: u64,
    done: u64,
    tasks: BTreeMap<usize, Task>,
    under_way: BTreeSet<usize>,
    progress: BTreeMap<usize, Arc<Progress>>,
    has_worker: bool,
}

/// Why the loader cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoaderRefused {
    /// Its threads.
    #[error("no threads to read sources on: {0}")]
    Threads(#[source] std::io::Error),
    /// What it keeps in the state directory.
    #[error(transparent)]
    State(#[from] remembered::KeptUnreadable),
}

impl Loader {
    pub(crate) fn open(
        state: &State,
        resources: &[Arc<Resource>],
        pinned: &Pinned,
    ) -> Result<Loader, LoaderRefused> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(8)
            .thread_name("source")
            .enable_all()
            .build()
            .map_err(LoaderRefused::Threads)?;
        Ok(Loader {
            runtime: Some(runtime),
            node: OnceLock::new(),
            queue: Mutex::default(),
            settled: Condvar::new(),
            closing: CancellationToken::new(),
            attempts: Mutex::new(vec![Attempt::default(); resources.len()]),
            kept: Kept::open(state, resources, pinned)?,
            health: Mutex::default(),
        })
    }

    /// Ends what is under way, and takes nothing more.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        let runtime = self.runtime.as_ref();
        runtime
            .expect("it is taken when the loader is dropped")
            .handle()
    }
}

impl Drop for Loader {
    /// Waiting for threads would block an asynchronous caller.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Node {
    /// Lets the loader know the node that it works for.
    pub(crate) fn begin_loading(self: &Arc<Node>) {
        // A node is opened once.
        let _ = self.loader.node.set(Arc::downgrade(self));
    }

    /// Opens what is approved and not open yet, and waits for it for at most `wait`: a long load goes on by itself.
    pub(crate) fn settle(&self, wait: Duration) {
        let mut queue = self.loader.queue();
        queue.wanted += 1;
        let mine = queue.wanted;
        self.start_worker(&mut queue);
        let waited = self
            .loader
            .settled
            .wait_timeout_while(queue, wait, |queue| queue.done < mine && queue.has_worker);
        drop(waited);
    }

    /// Begins to read a resource again. The products over it answer from what they have until all of them can answer
    /// from the new load.
    ///
    /// # Errors
    /// `RESOURCE_UNKNOWN`, `LOAD_RUNNING`, `RESOURCE_UNAVAILABLE` where no approved product asks the resource.
    pub fn begin_load(
        &self,
        name: &str,
        environment: Option<Environment>,
        as_of: Option<Timestamp>,
    ) -> Result<(), ErrorCode> {
        let place = self.place(name, environment)?;
        if !self.products.is_asked(place) {
            return Err(ErrorCode::ResourceUnavailable);
        }
        let corrects = None;
        self.enqueue(place, Task { as_of, corrects })
    }

    /// Ends the reading of a resource; what answered before goes on.
    ///
    /// # Errors
    /// `RESOURCE_UNKNOWN`; `LOAD_UNKNOWN` if none is under way.
    pub fn stop_load(&self, name: &str, environment: Option<Environment>) -> Result<(), ErrorCode> {
        let place = self.place(name, environment)?;
        let mut queue = self.loader.queue();
        let was_waiting = queue.tasks.remove(&place).is_some();
        match queue.progress.get(&place) {
            Some(progress) => progress.stop(),
            None if was_waiting => {}
            None => return Err(ErrorCode::LoadUnknown),
        }
        Ok(())
    }

    /// The one resource of this name that serves the environment; of this name at all if none is given.
    fn place(&self, name: &str, environment: Option<Environment>) -> Result<usize, ErrorCode> {
        let mut places = { self.products.resources().iter().enumerate() }
            .filter(|(_, resource)| resource.is(name, environment))
            .map(|(place, _)| place);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (_, _) => Err(ErrorCode::ResourceUnknown),
        }
    }

    fn enqueue(&self, place: usize, task: Task) -> Result<(), ErrorCode> {
        let mut queue = self.loader.queue();
        if queue.under_way.contains(&place) || queue.tasks.contains_key(&place) {
            return Err(ErrorCode::LoadRunning);
        }
        queue.tasks.insert(place, task);
        self.start_worker(&mut queue);
        Ok(())
    }

    fn start_worker(&self, queue: &mut Queue) {
        let node = self.loader.node.get().and_then(Weak::upgrade);
        let Some(node) = node.filter(|_| !self.loader.closing.is_cancelled()) else {
            return;
        };
        if !queue.has_worker {
            queue.has_worker = true;
            let handle = self.loader.handle().clone();
            let worker = move || {
                let mut guard = WorkerEnds(Some(&node.loader));
                while let Some((tasks, upto)) = node.loader.next() {
                    node.work(&tasks);
                    node.loader.finish(upto);
                }
                // It has signed off already, and another one may have begun.
                guard.0 = None;
            };
            self.blocking.spawn_blocking_on(worker, &handle);
        }
    }

    /// Reads, builds, records, swaps. Runs on the worker.
    fn work(&self, tasks: &BTreeMap<usize, Task>) {
        let holdings = self.holdings();
        let is_wrong = |load: &LoadId| self.loader.kept.is_wrong(load);
        let settled =
            self.products
                .settle(&holdings, tasks, &is_wrong, &|place, columns, as_of| {
                    self.read(place, columns, as_of)
                });
        for (place, failed) in &settled.failed {
            self.note_failure(*place, failed);
        }
        let loads: Vec<Draft> = { settled.loads.iter() }
            .map(|loaded| self.note_load(loaded, tasks.get(&loaded.place)))
            .collect();
        self.record_loads(loads);
        // Before the journal may be written nothing is answered, and what waits is written first.
        if self.journal.reconciled() {
            self.loader.handle().block_on(self.record_pending());
        }
        self.swap_in(&settled, &is_wrong);
    }

    fn swap_in(&self, settled: &Settled, is_wrong: &dyn Fn(&LoadId) -> bool) {
        self.products.swap(settled, is_wrong, || self.holdings());
        for loaded in &settled.loads {
            self.products.set_drift(loaded.place, None);
        }
    }

    fn read(
        &self,
        place: usize,
        columns: &[String],
        said: Option<Timestamp>,
    ) -> Result<ReadTable, LoadFailed> {
        let resource = Arc::clone(&self.products.resources()[place]);
        let progress = Arc::new(Progress::new(self.loader.closing.child_token()));
        let mut queue = self.loader.queue();
        queue.progress.insert(place, Arc::clone(&progress));
        drop(queue);
        self.loader.attempts()[place].begin(self.clock.monotonic(), self.clock.now());
        let accepted = self.loader.kept.accepted(place);
        let wanted = Wanted {
            columns,
            accepted: accepted.as_ref(),
            limits: self.read_limits(),
            as_of: said.or_else(|| self.said_before(place, &resource)),
        };
        let reading = read(&resource, &wanted, &progress, self.clock.as_ref());
        let read = self.loader.handle().block_on(reading);
        self.loader.queue().progress.remove(&place);
        read
    }

    fn read_limits(&self) -> ReadLimits {
        let limits = &self.config.limits;
        ReadLimits {
            rows_max: limits.rows_max as u64,
            bytes_max: limits.load_bytes_max,
            batch_rows: BATCH_ROWS,
            time_max: Duration::from_secs(limits.load_seconds_max),
        }
    }

    /// The date that the unit said with an earlier load, if it is later than the configured one.
    fn said_before(&self, place: usize, resource: &Resource) -> Option<Timestamp> {
        let AsOf::Fixed(configured) = resource.as_of else {
            return None;
        };
        let said = self.loader.kept.said_as_of(place);
        said.filter(|said| *said > configured)
    }

    /// Keeps what is to be known of a load after a restart, and drafts its record.
    fn note_load(&self, loaded: &Loaded, task: Option<&Task>) -> Draft {
        let place = loaded.place;
        let snapshot = &loaded.snapshot;
        let load = &snapshot.load;
        let said = task.and_then(|task| task.as_of);
        let previous = self
            .loader
            .kept
            .note_load(place, load, &loaded.columns, said);
        self.loader.attempts()[place].succeed();
        let resource = &self.products.resources()[place];
        let corrects = task.and_then(|task| task.corrects.as_ref());
        let mut clear = about(resource)
            .text(
                Field::Action,
                if corrects.is_some() {
                    "correct"
                } else {
                    "load"
                },
            )
            .text(Field::Load, load.id.as_str())
            .number(Field::AsOf, u64::try_from(load.as_of.0).unwrap_or(0))
            .number(Field::Count, snapshot.rows)
            .bytes(Field::ObjectDigest, &snapshot.digest.0)
            .text(Field::Source, &snapshot.source)
            .text(
                Field::SourceVersion,
                snapshot.version.as_deref().unwrap_or_default(),
            );
        if let Some(previous) = previous.filter(|previous| *previous != load.id) {
            clear = clear.text(Field::PreviousLoad, previous.as_str());
        }
        if let Some(correction) = corrects {
            clear = clear
                .text(Field::WrongLoad, correction.wrong.as_str())
                .text(Field::Reason, &correction.reason)
                .number(Field::SourceOrder, correction.number);
        }
        let label = resource.label();
        tracing::info!(resource = label, load = %load.id, rows = snapshot.rows, "loaded");
        load_draft(clear)
    }

    fn note_failure(&self, place: usize, failed: &LoadFailed) {
        let code = failed.code();
        let resource = self.products.resources()[place].label();
        let serves = self.products.snapshot(place).is_some();
        tracing::error!(resource, %code, %failed, serves, "a load failed; what answered before goes on");
        self.loader.attempts()[place].fail(code, failed.to_string());
        if let LoadFailed::Changed(drift) = failed {
            self.note_drift(place, Some(Drift::clone(drift)));
        }
    }

    /// Blocks the products of a resource whose table has changed, and has it recorded; or lets them answer again when the
    /// table is what it was.
    fn note_drift(&self, place: usize, drift: Option<Drift>) {
        let before = self.products.drift(place);
        if before.as_deref() == drift.as_ref() {
            return;
        }
        let resource = &self.products.resources()[place];
        match &drift {
            Some(drift) => {
                let label = resource.label();
                tracing::error!(resource = label, %drift, "the table has changed: the unit must look at it");
                let clear = about(resource)
                    .text(Field::Action, "changed")
                    .text(Field::Outcome, ErrorCode::ResourceChanged.as_str())
                    .bytes(Field::ObjectDigest, &drift.found.digest().0);
                self.record_loads(vec![load_draft(clear)]);
            }
            None => {
                tracing::info!(
                    resource = resource.label(),
                    "the table is as the unit has seen it"
                );
            }
        }
        self.products.set_drift(place, drift);
    }

    /// What is there now against what the unit has looked at; nothing before the first load.
    fn compare(&self, place: usize, found: Columns) -> Option<Drift> {
        let accepted = self.loader.kept.accepted(place)?;
        (accepted != found).then_some(Drift { accepted, found })
    }
}

impl Loader {
    /// What is to be done next; none lets the worker end.
    fn next(&self) -> Option<(BTreeMap<usize, Task>, u64)> {
        let mut queue = self.queue();
        let has_work = queue.done < queue.wanted || !queue.tasks.is_empty();
        if !has_work || self.closing.is_cancelled() {
            queue.has_worker = false;
            self.settled.notify_all();
            return None;
        }
        let tasks = std::mem::take(&mut queue.tasks);
        queue.under_way = tasks.keys().copied().collect();
        Some((tasks, queue.wanted))
    }

    fn finish(&self, upto: u64) {
        let mut queue = self.queue();
        queue.done = upto;
        queue.under_way.clear();
        queue.progress.clear();
        self.settled.notify_all();
    }
}

/// If the worker breaks, the next request starts another one, and nobody waits for this one.
struct WorkerEnds<'a>(Option<&'a Loader>);

impl Drop for WorkerEnds<'_> {
    fn drop(&mut self) {
        let Some(loader) = self.0 else {
            return;
        };
        let mut queue = loader.queue();
        queue.has_worker = false;
        queue.under_way.clear();
        queue.progress.clear();
        loader.settled.notify_all();
    }
}

/// The resource and the environments that it serves, as a record names them.
fn about(resource: &Resource) -> Clear {
    let words: Vec<&str> = { resource.environments.iter() }
        .map(|environment| environment.as_str())
        .collect();
    Clear::default()
        .text(Field::Resource, &resource.name)
        .text(Field::Environment, &words.join(" "))
}

fn load_draft(clear: Clear) -> Draft {
    let mut draft = Draft::new(Kind::Load);
    draft.clear = clear;
    draft
}
