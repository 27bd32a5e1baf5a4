//! Batches from a task that works only as long as somebody reads them.
//!
//! The task decodes while the reader works, and at most [`WAITING`] batches lie between them. A stream that ends
//! without its task having said so is an error: a task that panicked must never look like a table with fewer rows.

use std::future::Future;

use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lingqu_connector_sdk::SourceError;
use tokio::sync::mpsc;

/// Batches between task and reader.
const WAITING: usize = 1;

/// What the task says.
enum Said {
    Batch(RecordBatch),
    End(Result<(), SourceError>),
}

/// Nobody reads any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

/// Where the task puts its batches.
pub(crate) struct Outlet(mpsc::Sender<Said>);

impl Outlet {
    /// Waits until there is room.
    pub(crate) async fn put(&self, batch: RecordBatch) -> Result<(), Gone> {
        self.0.send(Said::Batch(batch)).await.map_err(|_| Gone)
    }
}

/// The batches that `work` puts into its outlet. `work` is dropped as soon as the stream is.
pub(crate) fn relay<Work>(
    schema: SchemaRef,
    work: impl FnOnce(Outlet) -> Work,
) -> SendableRecordBatchStream
where
    Work: Future<Output = Result<(), SourceError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let outlet = Outlet(sender.clone());
    let work = work(outlet);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = work => ended,
            () = sender.closed() => return,
        };
        // The reader may have gone at this very moment; then nobody asks how it ended.
        let _ = sender.send(Said::End(ended)).await;
    });
    let batches = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Said::Batch(batch)) => Some((Ok(batch), Some(receiver))),
            Some(Said::End(Ok(()))) => None,
            Some(Said::End(Err(error))) => Some((Err(error.into()), None)),
            None => Some((Err(SourceError::Failed { code: None }.into()), None)),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// A stream whose opening is itself work at the source: nothing happens before it is polled.
pub(crate) fn opening(
    schema: SchemaRef,
    open: impl Future<Output = Result<SendableRecordBatchStream, SourceError>> + Send + 'static,
) -> SendableRecordBatchStream {
    let batches = stream::once(async { open.await.map_err(DataFusionError::from) })
        .try_flatten()
        .boxed();
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Bytes of the buffers behind a batch's rows; room that builders kept in reserve does not count.
pub(crate) fn bytes_of(batch: &RecordBatch) -> u64 {
    let bytes = |column: &ArrayRef| {
        let used = column.to_data().get_slice_memory_size();
        used.unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(bytes).sum::<usize>() as u64
}
