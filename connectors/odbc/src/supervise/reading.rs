//! Rows on their way from a worker to a caller.
//!
//! A task of its own takes them from the pipe, so that the time of a query ends it also when its caller does not ask.
//! One batch waits at most; the pipe then fills up, and the driver waits. A stream ends well only if the worker said
//! that it was done and how many rows it had sent: whatever else happens is an error, never fewer rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamDecoder;
use arrow_schema::SchemaRef;
use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use super::{Supervisor, WorkError};
use crate::child::Worker;
use crate::failure::Failure;
use crate::frame::{Event, Frame};

/// A query under way.
pub(crate) struct Reading {
    pub(crate) schema: SchemaRef,
    batches: mpsc::Receiver<RecordBatch>,
    task: JoinHandle<Result<(), WorkError>>,
}

impl Reading {
    pub(super) fn new(
        supervisor: Arc<Supervisor>,
        worker: Worker,
        schema: SchemaRef,
        deadline: Instant,
        rows_max: u64,
    ) -> Reading {
        let (sender, batches) = mpsc::channel(1);
        let pump = Pump {
            intake: Intake {
                schema: Arc::clone(&schema),
                batch_rows: supervisor.source.limits.batch_rows,
                rows_left: rows_max,
                bytes_left: supervisor.source.limits.bytes_max,
                rows: 0,
            },
            supervisor,
            worker,
            sender,
        };
        Reading {
            schema,
            batches,
            task: tokio::spawn(pump.run(deadline)),
        }
    }

    /// Ends the work from elsewhere.
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.task.abort_handle()
    }

    /// The batches. After an error there is none.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<RecordBatch, WorkError>> {
        futures::stream::unfold(Some(self), async |state| {
            let mut reading = state?;
            if let Some(batch) = reading.batches.recv().await {
                return Some((Ok(batch), Some(reading)));
            }
            match reading.task.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((Err(error), None)),
                Err(ended) if ended.is_cancelled() => Some((Err(WorkError::Cancelled), None)),
                Err(_) => Some((Err(WorkError::Garbage), None)),
            }
        })
    }
}

/// What takes frames from a worker.
struct Pump {
    supervisor: Arc<Supervisor>,
    worker: Worker,
    sender: mpsc::Sender<RecordBatch>,
    intake: Intake,
}

impl Pump {
    async fn run(mut self, deadline: Instant) -> Result<(), WorkError> {
        // Dropping this without an end counts as a cancellation: an aborted task runs no further line.
        let mut outcome = Outcome {
            supervisor: Arc::clone(&self.supervisor),
            ended: false,
        };
        let caller = self.sender.clone();
        let result = tokio::select! {
            biased;
            () = caller.closed() => Err(WorkError::Cancelled),
            result = timeout_at(deadline, self.pump()) => result.unwrap_or(Err(WorkError::TimedOut)),
        };
        outcome.ended = true;
        self.supervisor.ended(result)
    }

    async fn pump(&mut self) -> Result<(), WorkError> {
        let mut decoder = StreamDecoder::new();
        loop {
            let body = match self.worker.frame().await? {
                Frame::Batch(body) => body,
                Frame::Event(Event::Done { rows }) if rows == self.intake.rows => return Ok(()),
                Frame::Event(Event::Failed(failure)) => {
                    return Err(WorkError::Failed(failure.bounded()));
                }
                Frame::Event(_) => return Err(WorkError::Garbage),
            };
            // Checking a batch takes time and, with bytes made for it, perhaps a panic: both end there.
            let decoded = spawn_blocking(move || decode(decoder, body)).await;
            let (rest, batch) = decoded.map_err(|_| WorkError::Garbage)?;
            decoder = rest;
            let batch = self.intake.take(batch.ok_or(WorkError::Garbage)?)?;
            let bytes = bytes_of(&batch);
            self.supervisor
                .counters
                .handed_on(batch.num_rows() as u64, bytes);
            if self.sender.send(batch).await.is_err() {
                return Err(WorkError::Cancelled);
            }
        }
    }
}

/// Counts a reading that nobody waited for.
struct Outcome {
    supervisor: Arc<Supervisor>,
    ended: bool,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !self.ended {
            self.supervisor.counters.ended(Some(&WorkError::Cancelled));
        }
    }
}

/// Exactly one batch from the bytes of one frame; Arrow checks offsets, UTF-8 and lengths.
fn decode(mut decoder: StreamDecoder, body: Vec<u8>) -> (StreamDecoder, Option<RecordBatch>) {
    let mut buffer = body.into();
    let batch = decoder.decode(&mut buffer).ok().flatten();
    let whole = buffer.is_empty() && decoder.finish().is_ok();
    (decoder, batch.filter(|_| whole))
}

/// Bytes of the values themselves: the buffers of a batch are slices of one allocation.
fn bytes_of(batch: &RecordBatch) -> u64 {
    let size = |column: &arrow_array::ArrayRef| column.to_data().get_slice_memory_size();
    batch
        .columns()
        .iter()
        .map(|column| size(column).unwrap_or(usize::MAX) as u64)
        .fold(0, u64::saturating_add)
}

/// What may still come.
struct Intake {
    schema: SchemaRef,
    batch_rows: usize,
    rows_left: u64,
    bytes_left: u64,
    rows: u64,
}

impl Intake {
    /// Takes a batch that is what was announced, and within all bounds.
    fn take(&mut self, batch: RecordBatch) -> Result<RecordBatch, WorkError> {
        let fits =
            batch.schema() == self.schema && (1..=self.batch_rows).contains(&batch.num_rows());
        if !fits {
            return Err(WorkError::Garbage);
        }
        let rows = batch.num_rows() as u64;
        let bytes = bytes_of(&batch);
        let too_large = || WorkError::Failed(Failure::TooLarge);
        self.rows_left = self.rows_left.checked_sub(rows).ok_or_else(too_large)?;
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(too_large)?;
        self.rows += rows;
        Ok(batch)
    }
}
