use std::sync::Arc;

use arrow_array::Int64Array;
use futures::TryStreamExt as _;

use super::*;

fn batches(count: usize, rows: usize) -> SendableRecordBatchStream {
    let array = Arc::new(Int64Array::from(vec![7; rows]));
    let batch = RecordBatch::try_from_iter([("n", array as _)]).unwrap();
    let schema = batch.schema();
    let items = stream::iter((0..count).map(move |_| Ok(batch.clone())));
    Box::pin(RecordBatchStreamAdapter::new(schema, items))
}

async fn read(inner: SendableRecordBatchStream) -> Result<usize, SourceError> {
    let batches: Vec<RecordBatch> = spawned(inner).try_collect().await.map_err(uncarried)?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

#[tokio::test]
async fn everything_arrives_and_an_error_comes_last() {
    assert_eq!(read(batches(3, 25)).await, Ok(75));
    let schema = batches(1, 1).schema();
    let failing = batches(5, 5).chain(stream::once(async { Err(carried(SourceError::TimedOut)) }));
    let failing = Box::pin(RecordBatchStreamAdapter::new(schema, failing));
    assert_eq!(read(failing).await, Err(SourceError::TimedOut));
}

#[tokio::test]
async fn a_panic_is_no_end_of_the_table() {
    let schema = batches(1, 1).schema();
    let items = batches(1, 5).chain(stream::once(async { panic!("a defect of a decoder") }));
    let broken: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, items));
    let refused = read(broken).await;
    assert!(matches!(refused, Err(SourceError::Failed { code: None })));
}

#[tokio::test]
async fn a_dropped_stream_ends_the_work() {
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    let schema = batches(1, 1).schema();
    let items = stream::unfold(sender, |sender| async move {
        std::future::pending::<()>().await;
        Some((Err(carried(SourceError::Unreachable)), sender))
    });
    let stream = spawned(Box::pin(RecordBatchStreamAdapter::new(schema, items)));
    drop(stream);
    // The sender goes with the task that held it.
    assert_eq!(receiver.recv().await, None);
}

#[test]
fn what_an_error_quotes_does_not_pass() {
    let inner = DataFusionError::Execution("value '110101199003070000' is bad".to_owned());
    let error = uncarried(DataFusionError::Context("x".to_owned(), Box::new(inner)));
    assert_eq!(error.to_string(), "the source failed");
    let nested = DataFusionError::Context("x".to_owned(), Box::new(carried(SourceError::TooLarge)));
    assert!(matches!(uncarried(nested), SourceError::TooLarge));
}
