//! The serving side of a source: starts a worker for each piece of work, believes nothing that it sends, ends it.
//!
//! | what a driver or its worker does | what then holds |
//! |---|---|
//! | crashes, exits, is killed for its memory | the query ends with [`WorkError::Crashed`]; the next one gets a new worker, after a pause that doubles |
//! | hangs, in connecting, reading or at the end | killed at `query_seconds_max` with all that it started |
//! | sends garbage, or more than it was asked for | [`WorkError::Garbage`]; killed |
//! | goes on after the caller has hung up | killed at once |

mod back_off;
mod counters;
mod reading;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::back_off::BackOff;
pub(crate) use self::counters::Counters;
pub(crate) use self::reading::Reading;
use crate::child::Worker;
use crate::config::{ConnectionRefused, Source};
use crate::failure::Failure;
use crate::frame::{Event, Frame, FrameError};
use crate::job::{Job, Table, Task};
use crate::request::Select;
use crate::types::{Column, is_name};

/// Why a piece of work came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// Workers failed shortly before; nothing is started until the pause is over.
    #[error("workers of this source failed; it pauses before the next one")]
    BackOff,
    /// All workers are busy and the queue is full.
    #[error("all workers of this source are busy")]
    Busy,
    /// The work was ended on request.
    #[error("the query was cancelled")]
    Cancelled,
    /// There is no connection string.
    #[error(transparent)]
    Connection(#[from] ConnectionRefused),
    /// The worker is gone before it was done.
    #[error("the worker crashed")]
    Crashed,
    /// The source or its driver reports a failure.
    #[error(transparent)]
    Failed(Failure),
    /// The worker broke its protocol.
    #[error("the worker sent what it must not")]
    Garbage,
    /// No process can be started.
    #[error("no worker can be started: {0}")]
    Start(std::io::Error),
    /// The time of the query is over.
    #[error("the source did not answer in time")]
    TimedOut,
}

impl From<FrameError> for WorkError {
    fn from(error: FrameError) -> WorkError {
        match error {
            FrameError::Ended => WorkError::Crashed,
            FrameError::Garbage => WorkError::Garbage,
        }
    }
}

/// A described table.
pub(crate) type Described = (Table, Result<Vec<Column>, Failure>);

/// One source and its workers.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) source: Arc<Source>,
    pub(crate) counters: Counters,
    base: PathBuf,
    slots: Arc<Semaphore>,
    queue: Semaphore,
    back_off: Mutex<BackOff>,
}

impl Supervisor {
    /// Relative paths of secrets are relative to `base`.
    pub(crate) fn new(source: Source, base: PathBuf) -> Arc<Supervisor> {
        let limits = source.limits;
        Arc::new(Supervisor {
            source: Arc::new(source),
            counters: Counters::default(),
            base,
            slots: Arc::new(Semaphore::new(limits.workers_max)),
            queue: Semaphore::new(limits.workers_max + limits.queue_max),
            back_off: Mutex::new(BackOff::new(limits.back_off_seconds_max)),
        })
    }

    /// What the source calls itself: proof that it can be reached.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) async fn probe(&self) -> Result<String, WorkError> {
        let deadline = self.deadline();
        let work = async {
            let mut worker = self.start(Task::Probe).await?;
            match worker.frame().await? {
                Frame::Event(Event::Probed { server }) if is_name(&server) => Ok(server),
                Frame::Event(Event::Failed(failure)) => Err(WorkError::Failed(failure.bounded())),
                Frame::Batch(_) | Frame::Event(_) => Err(WorkError::Garbage),
            }
        };
        let result = timeout_at(deadline, work).await;
        self.ended(result.unwrap_or(Err(WorkError::TimedOut)))
    }

    /// The columns of tables, or of each why there are none.
    ///
    /// # Errors
    /// The source cannot be reached, or its worker failed.
    pub(crate) async fn describe(&self, tables: Vec<Table>) -> Result<Vec<Described>, WorkError> {
        let deadline = self.deadline();
        let work = async {
            let mut worker = self.start(Task::Describe(tables.clone())).await?;
            let mut described = Vec::with_capacity(tables.len());
            for (index, wanted) in tables.into_iter().enumerate() {
                match worker.frame().await? {
                    Frame::Event(Event::Described { table, columns })
                        if table == index
                            && columns.as_ref().map_or(true, |c| may_be(c, &wanted)) =>
                    {
                        described.push((wanted, columns.map_err(Failure::bounded)));
                    }
                    Frame::Event(Event::Failed(failure)) => {
                        return Err(WorkError::Failed(failure.bounded()));
                    }
                    Frame::Batch(_) | Frame::Event(_) => return Err(WorkError::Garbage),
                }
            }
            Ok(described)
        };
        let result = timeout_at(deadline, work).await;
        self.ended(result.unwrap_or(Err(WorkError::TimedOut)))
    }

    /// Begins to read rows. The rows come through the [`Reading`]; dropping it ends the work at the source.
    ///
    /// # Errors
    /// It failed before the first row.
    pub(crate) async fn read(
        self: &Arc<Self>,
        select: Select,
        table: Table,
    ) -> Result<Reading, WorkError> {
        let deadline = self.deadline();
        let columns = select.columns.clone();
        let rows_max = select.limit.map_or(self.source.limits.rows_max, |limit| {
            limit.min(self.source.limits.rows_max)
        });
        let declared = table.clone();
        let work = async {
            let mut worker = self.start(Task::Read { select, table }).await?;
            match worker.frame().await? {
                Frame::Event(Event::Began(began))
                    if began.iter().map(|column| &column.name).eq(&columns)
                        && may_be(&began, &declared) =>
                {
                    Ok((worker, began))
                }
                Frame::Event(Event::Failed(failure)) => Err(WorkError::Failed(failure.bounded())),
                Frame::Batch(_) | Frame::Event(_) => Err(WorkError::Garbage),
            }
        };
        let result = timeout_at(deadline, work).await;
        match result.unwrap_or(Err(WorkError::TimedOut)) {
            Ok((worker, began)) => Ok(Reading::new(
                Arc::clone(self),
                worker,
                crate::types::schema(&began),
                deadline,
                rows_max,
            )),
            Err(error) => self.ended(Err(error)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.source.limits.query_time_max()
    }

    /// A worker with a place of its own, as soon as there is one.
    async fn start(&self, task: Task) -> Result<Worker, WorkError> {
        let _waiting = self.queue.try_acquire().map_err(|_| WorkError::Busy)?;
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        if self.lock_back_off().pauses(Instant::now()) {
            return Err(WorkError::BackOff);
        }
        let source = &self.source;
        let job = Job::new(
            source.connection(&self.base)?,
            source.session.clone(),
            source.dialect,
            source.limits.worker(),
            task,
        );
        self.counters.started();
        let started = Worker::start(source, &job, slot).await;
        started.map_err(WorkError::Start)
    }

    /// Counts how a piece of work ended, and draws the consequence for the next one.
    fn ended<T>(&self, result: Result<T, WorkError>) -> Result<T, WorkError> {
        match &result {
            Ok(_) | Err(WorkError::Failed(_)) => self.lock_back_off().clear(),
            Err(WorkError::Crashed | WorkError::Garbage | WorkError::Start(_)) => {
                self.lock_back_off().failed(Instant::now());
            }
            Err(
                WorkError::BackOff
                | WorkError::Busy
                | WorkError::Cancelled
                | WorkError::Connection(_)
                | WorkError::TimedOut,
            ) => {}
        }
        self.counters.ended(result.as_ref().err());
        if let Err(error) = &result {
            tracing::warn!(source = %self.source.name, %error, "a piece of work failed");
        }
        result
    }

    fn lock_back_off(&self) -> std::sync::MutexGuard<'_, BackOff> {
        self.back_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a worker may say this of a table: plain names, and nothing but what the unit declared.
fn may_be(columns: &[Column], table: &Table) -> bool {
    let declared = |column: &Column| match &table.columns {
        Some(declared) => declared.contains(column),
        None => column.nullable,
    };
    columns.len() <= crate::request::ITEMS_MAX
        && columns
            .iter()
            .all(|column| is_name(&column.name) && declared(column))
}
