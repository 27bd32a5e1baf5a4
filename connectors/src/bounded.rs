//! Readings in tasks of their own, and errors on their way through DataFusion.
//!
//! A dropped stream ends its task. An error of the task, or a panic, is an error at the end of the stream, never a
//! stream with fewer rows.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, stream};
use lingqu_connector_sdk::SourceError;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Batches that are ready before they are asked for.
const AHEAD: usize = 2;

/// One batch or the error that ends the reading.
pub(crate) type Item = Result<RecordBatch, DataFusionError>;

/// `error` as DataFusion carries it.
pub(crate) fn carried(error: SourceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The source's error that `error` carries. What else it says, which may be row data, ends here.
pub(crate) fn uncarried(error: DataFusionError) -> SourceError {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<SourceError>() {
            Ok(error) => *error,
            Err(inner) => found_in(inner.as_ref()),
        },
        other => found_in(&other),
    }
}

/// A failure that only has a name.
pub(crate) fn failed(code: &str) -> SourceError {
    SourceError::Failed {
        code: Some(code.to_owned()),
    }
}

fn found_in(error: &(dyn Error + 'static)) -> SourceError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<SourceError>() {
            return found.clone();
        }
        if let Some(DataFusionError::Shared(inner)) = error.downcast_ref::<DataFusionError>() {
            return found_in(inner.as_ref());
        }
        if let Some(found) = error.downcast_ref::<object_store::Error>() {
            return crate::files::store_error(found);
        }
        next = error.source();
    }
    SourceError::Failed { code: None }
}

/// The result of `work`, or the error when it takes longer than `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(SourceError::TimedOut))
}

/// `inner` in a task of its own, a few batches ahead of whoever reads.
pub(crate) fn spawned(inner: SendableRecordBatchStream) -> SendableRecordBatchStream {
    spawned_ahead(inner, AHEAD)
}

/// `inner` in a task of its own, up to `ahead` batches ahead of whoever reads.
pub(crate) fn spawned_ahead(
    mut inner: SendableRecordBatchStream,
    ahead: usize,
) -> SendableRecordBatchStream {
    produced_ahead(inner.schema(), ahead, move |sender| async move {
        while let Some(item) = inner.next().await {
            let batch = item.map_err(uncarried)?;
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    })
}

/// The batches that `work` sends, then its error if it ends with one. `work` runs in a task of its own, which ends when
/// the stream is dropped.
pub(crate) fn produced<W>(
    schema: SchemaRef,
    work: impl FnOnce(mpsc::Sender<Item>) -> W,
) -> SendableRecordBatchStream
where
    W: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    produced_ahead(schema, AHEAD, work)
}

fn produced_ahead<W>(
    schema: SchemaRef,
    ahead: usize,
    work: impl FnOnce(mpsc::Sender<Item>) -> W,
) -> SendableRecordBatchStream
where
    W: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(ahead);
    let work = work(sender.clone());
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = work.await {
            let _ = sender.send(Err(carried(error))).await;
        }
    }));
    let items = stream::unfold((receiver, Some(task)), |(mut receiver, task)| async move {
        if let Some(item) = receiver.recv().await {
            return Some((item, (receiver, task)));
        }
        // The task is over: by itself, or by a panic that must not look like the end of the table.
        match task?.await {
            Ok(()) => None,
            Err(_) => Some((
                Err(carried(SourceError::Failed { code: None })),
                (receiver, None),
            )),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, items))
}

/// Bytes of the values of a batch; shared buffers count once for each of their slices.
pub(crate) fn buffer_bytes(batch: &RecordBatch) -> u64 {
    let of = |array: &arrow_array::ArrayRef| {
        let data = array.to_data();
        data.get_slice_memory_size()
            .unwrap_or_else(|_| array.get_array_memory_size()) as u64
    };
    batch.columns().iter().map(of).sum()
}

/// The batch in pieces of at most `rows_max` rows.
pub(crate) fn pieces(batch: RecordBatch, rows_max: usize) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows)
        .step_by(rows_max)
        .map(move |start| batch.slice(start, rows_max.min(rows - start)))
}
