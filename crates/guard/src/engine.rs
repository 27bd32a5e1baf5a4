//! One engine per environment: its tables, its threads, its memory, and the run of one bound template.
//!
//! The engine never sees SQL. It has no catalog, no file, no object store and no disk to spill to; a plan reads the
//! tables that were put here and nothing else. Whatever goes wrong after data was touched is one constant answer.

mod noisy;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arrow_array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::limits::GuardLimits;
use crate::partition::{
    self, Partition, PartitionRefused, ReadFailed, StatisticProduct, Surroundings,
};
use crate::run::run;
use crate::template::Bound;

/// Runs at a time. Each has an equal share of the memory to itself, so that no caller's run depends on another's.
pub(crate) const RUNS_MAX: usize = 4;
/// Most calls that wait for a place.
const WAITING_MAX: usize = 64;

/// How much longer than a run the reading of a load may take.
const LOAD_TIMES: u64 = 30;

/// A run failed: time, memory, arithmetic, a source that is gone, anything. There is nothing else to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statistic could not be computed")]
pub struct RunFailed;

/// As many runs wait as may. Nothing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many statistics wait")]
pub struct Crowded;

/// A place among the runs that wait or go on; dropping it gives it back. Whoever charges for a run takes one first, so
/// that nobody pays for a run that could not begin.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// The engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineRefused {
    /// A limit is zero.
    #[error("a limit of the statistics engine is zero")]
    Limits,
    /// Its threads could not be started.
    #[error("the statistics engine's threads could not be started")]
    Threads(#[source] std::io::Error),
    /// The operating system gives no random numbers.
    #[error("there are no random numbers")]
    Random,
}

/// Runs bound templates over the tables that were put into it.
pub struct Engine {
    /// Set until the engine is dropped.
    runtime: Option<Runtime>,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    limits: GuardLimits,
    tables: RwLock<Tables>,
    /// Under which entities are digested, so that loads can be compared without keeping ids. Gone with the process.
    key: [u8; 32],
}

/// Tables by the names that SQL knows them by.
pub type Tables = HashMap<String, Arc<dyn TableProvider>>;

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine with threads of its own, so that a heavy statistic never holds up the threads that serve calls.
    ///
    /// # Errors
    /// [`EngineRefused`] when a limit is zero or the threads cannot be started.
    pub fn new(limits: GuardLimits) -> Result<Engine, EngineRefused> {
        let GuardLimits {
            memory_bytes_max,
            rows_out_max,
            seconds_max,
            partitions,
            result_bytes_max,
            sql_bytes_max,
        } = limits;
        let sizes = [
            memory_bytes_max,
            rows_out_max,
            partitions,
            result_bytes_max,
            sql_bytes_max,
        ];
        if sizes.contains(&0) || seconds_max == 0 {
            return Err(EngineRefused::Limits);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(partitions)
            .max_blocking_threads(partitions)
            .thread_name("statistic")
            .enable_all()
            .build()
            .map_err(EngineRefused::Threads)?;
        let mut key = [0; 32];
        SystemRandom::new()
            .fill(&mut key)
            .map_err(|_| EngineRefused::Random)?;
        Ok(Engine {
            key,
            runtime: Some(runtime),
            places: Arc::new(Semaphore::new(RUNS_MAX)),
            waiting: Arc::new(Semaphore::new(RUNS_MAX + WAITING_MAX)),
            limits,
            tables: RwLock::default(),
        })
    }

    /// Puts a table, or replaces the one of the same name. Runs that have begun keep what they began with.
    pub fn put_table(&self, name: impl Into<String>, table: Arc<dyn TableProvider>) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(name.into(), table);
    }

    /// Takes a table away.
    pub fn remove_table(&self, name: &str) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.remove(name);
    }

    /// Takes a place for one run.
    ///
    /// # Errors
    /// [`Crowded`] when there is none.
    pub fn enter(&self) -> Result<Place, Crowded> {
        let permit = Arc::clone(&self.waiting).try_acquire_owned();
        permit.map(Place).map_err(|_| Crowded)
    }

    /// Runs a bound template, if there is a place. See [`Engine::run_at`].
    ///
    /// # Errors
    /// [`RunFailed`], whatever the reason.
    pub async fn run(&self, bound: Bound) -> Result<RecordBatch, RunFailed> {
        let place = self.enter().map_err(|Crowded| RunFailed)?;
        self.run_at(place, bound).await
    }

    /// Runs a bound template. The answer is whole, gated, rebuilt and sorted; dropping the future ends the run.
    ///
    /// # Errors
    /// [`RunFailed`], whatever the reason.
    pub async fn run_at(&self, place: Place, bound: Bound) -> Result<RecordBatch, RunFailed> {
        let tables = {
            let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
            tables.clone()
        };
        self.run_over(place, bound, tables).await
    }

    /// As [`Engine::run_at`], over these tables and none of those that were put here: whoever holds several readings of
    /// one resource says for each run which of them it is over.
    ///
    /// # Errors
    /// [`RunFailed`], whatever the reason.
    pub async fn run_over(
        &self,
        place: Place,
        bound: Bound,
        tables: Tables,
    ) -> Result<RecordBatch, RunFailed> {
        let Some(runtime) = &self.runtime else {
            return Err(RunFailed);
        };
        let places = Arc::clone(&self.places);
        let limits = self.limits;
        let task = runtime.spawn(async move {
            let _place = place;
            let _running = in_time(limits, places.acquire_owned()).await?;
            let state = session(limits).map_err(|_| RunFailed)?;
            in_time(limits, run(bound, tables, state, limits)).await
        });
        let mut task = Ends(task);
        (&mut task.0).await.unwrap_or(Err(RunFailed))
    }

    /// Opens products over a load of their tables: all that read one protected table, in the order in which they were
    /// approved. `before` is what was open until now, over an earlier load or with other products; nothing that it has
    /// released is undone by the difference to what will be.
    ///
    /// Takes up to thirty times the longest run. What it returns holds at most the engine's memory again.
    ///
    /// # Errors
    /// [`PartitionRefused`]. A product that stays closed by itself is no error but in the report.
    pub async fn partition(
        &self,
        products: Vec<StatisticProduct>,
        tables: Tables,
        before: Option<Arc<Partition>>,
    ) -> Result<Partition, PartitionRefused> {
        let Some(runtime) = &self.runtime else {
            return Err(PartitionRefused::Failed);
        };
        let (limits, key) = (self.limits, self.key);
        let handle = runtime.handle().clone();
        // Merging is long and never waits, so it has a thread that nothing else waits for.
        let task = runtime.spawn_blocking(move || {
            let state = session(limits).map_err(|_| PartitionRefused::Failed)?;
            let around = Surroundings {
                state: &state,
                limits,
                key: &key,
            };
            let built = partition::build(&products, &tables, before.as_deref(), &around);
            let longest = Duration::from_secs(limits.seconds_max.saturating_mul(LOAD_TIMES));
            let timed = async { tokio::time::timeout(longest, built).await };
            match handle.block_on(timed) {
                Ok(built) => built,
                Err(_) => Err(ReadFailed::Source(String::new()).into()),
            }
        });
        let mut task = Ends(task);
        (&mut task.0).await.unwrap_or(Err(PartitionRefused::Failed))
    }

    /// Answers a bound template from a partition in which its product is open. The work does not depend on the
    /// arguments.
    ///
    /// # Errors
    /// [`RunFailed`], whatever the reason.
    pub async fn answer(
        &self,
        place: Place,
        partition: Arc<Partition>,
        bound: Bound,
    ) -> Result<RecordBatch, RunFailed> {
        let Some(runtime) = &self.runtime else {
            return Err(RunFailed);
        };
        let running = in_time(self.limits, Arc::clone(&self.places).acquire_owned()).await?;
        let task = runtime.spawn_blocking(move || {
            let (_place, _running) = (place, running);
            partition::answer(&partition, &bound)
        });
        task.await.unwrap_or(Err(RunFailed))
    }
}

impl Drop for Engine {
    /// Waiting for threads would block an asynchronous caller.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task that ends with whoever waits for it.
struct Ends<T>(JoinHandle<T>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn in_time<T, E>(
    limits: GuardLimits,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, RunFailed> {
    match tokio::time::timeout(Duration::from_secs(limits.seconds_max), work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(RunFailed),
    }
}

/// A session of one run: an equal share of the memory, no disk, no object store, no catalog, no dynamic filters.
pub(crate) fn session(limits: GuardLimits) -> datafusion::common::Result<SessionState> {
    let memory = (limits.memory_bytes_max / RUNS_MAX).max(1);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let environment: Arc<RuntimeEnv> = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    // A fresh environment knows the local files; nothing here may.
    environment.deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())?;
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_collect_statistics(false)
        .with_repartition_joins(false);
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.enable_dynamic_filter_pushdown = false;
    optimizer.enable_join_dynamic_filter_pushdown = false;
    optimizer.enable_topk_dynamic_filter_pushdown = false;
    optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .build())
}
