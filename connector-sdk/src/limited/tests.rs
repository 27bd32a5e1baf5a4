use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt as _};

use crate::{LoadRequest, ReadLimits, Reading, SourceError};

fn schema() -> Arc<Schema> {
    let id = Field::new("id", DataType::Int64, false);
    Arc::new(Schema::new(vec![id]))
}

fn batch(rows: usize) -> RecordBatch {
    let ids: Int64Array = (0..rows as i64).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(ids)]).unwrap()
}

fn request(limits: ReadLimits) -> LoadRequest {
    LoadRequest {
        table: "people".parse().unwrap(),
        columns: vec!["id".into()],
        limits,
    }
}

fn reading(
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
) -> Reading {
    Reading {
        batches: Box::pin(RecordBatchStreamAdapter::new(schema(), batches)),
        version: None,
    }
}

/// Rows of each batch, then how it ended; and that nothing follows an error.
async fn drained(
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
    limits: ReadLimits,
) -> (Vec<usize>, Result<(), SourceError>) {
    let mut batches = reading(batches).within(schema(), &request(limits)).batches;
    let mut rows = Vec::new();
    while let Some(next) = batches.next().await {
        match next {
            Ok(batch) => rows.push(batch.num_rows()),
            Err(error) => {
                assert!(batches.next().await.is_none());
                return (rows, Err(error.into()));
            }
        }
    }
    (rows, Ok(()))
}

fn given(rows: &[usize]) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + use<> {
    let batches: Vec<_> = rows.iter().map(|rows| Ok(batch(*rows))).collect();
    futures::stream::iter(batches)
}

#[tokio::test]
async fn the_last_row_allowed_comes_and_the_next_is_an_error() {
    let limits = |rows_max| ReadLimits {
        rows_max,
        ..ReadLimits::default()
    };
    assert_eq!(
        drained(given(&[5, 0, 5]), limits(10)).await,
        (vec![5, 5], Ok(()))
    );
    assert_eq!(
        drained(given(&[5, 0, 6]), limits(10)).await,
        (vec![5], Err(SourceError::TooLarge))
    );
}

#[tokio::test]
async fn bytes_are_those_of_the_rows_shown() {
    // Slices of one large batch: each counts what it shows, not what lies behind it.
    let large = batch(1_000);
    let slices: Vec<_> = (0..10).map(|at| Ok(large.slice(at * 100, 100))).collect();
    let limits = |bytes_max| ReadLimits {
        bytes_max,
        ..ReadLimits::default()
    };
    let (rows, end) = drained(futures::stream::iter(slices), limits(8_000)).await;
    assert_eq!((rows.len(), end), (10, Ok(())));
    let (rows, end) = drained(given(&[500, 500]), limits(7_999)).await;
    assert_eq!((rows.len(), end), (1, Err(SourceError::TooLarge)));
}

#[tokio::test]
async fn a_large_batch_comes_in_parts() {
    let limits = ReadLimits {
        batch_rows: NonZeroUsize::new(4).unwrap(),
        ..ReadLimits::default()
    };
    assert_eq!(
        drained(given(&[9, 1]), limits).await,
        (vec![4, 4, 1, 1], Ok(()))
    );
}

#[tokio::test]
async fn a_source_that_hangs_is_left() {
    let limits = ReadLimits {
        time_max: Duration::from_millis(1),
        ..ReadLimits::default()
    };
    let hanging = given(&[3]).chain(futures::stream::pending());
    assert_eq!(
        drained(hanging, limits).await,
        (vec![3], Err(SourceError::TimedOut))
    );
}

/// On one thread, a source that always has another batch at once must not keep the timer from running.
#[tokio::test(flavor = "current_thread")]
async fn a_source_that_never_ends_is_left() {
    let limits = ReadLimits {
        time_max: Duration::from_millis(1),
        rows_max: u64::MAX,
        bytes_max: u64::MAX,
        ..ReadLimits::default()
    };
    let endless = futures::stream::repeat_with(|| Ok(batch(1)));
    let (_, end) = drained(endless, limits).await;
    assert_eq!(end, Err(SourceError::TimedOut));
}

#[tokio::test]
async fn another_schema_or_a_null_where_none_may_be_is_an_error() {
    let other = |name: &str, column: ArrayRef| {
        let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
        drained(
            futures::stream::iter(vec![Ok(batch)]),
            ReadLimits::default(),
        )
    };
    let changed = SourceError::SchemaChanged("people".parse().unwrap());
    let numbers = || Arc::new(Int64Array::from(vec![1]));
    assert_eq!(
        other("ID", numbers()).await.1,
        Err(changed.clone()),
        "a name"
    );
    let texts = Arc::new(StringArray::from(vec!["1"]));
    assert_eq!(other("id", texts).await.1, Err(changed), "a type");
    let nulls = Arc::new(Int64Array::from(vec![Some(1), None]));
    assert_eq!(
        other("id", nulls).await.1,
        Err(SourceError::ValueUnfit {
            column: "id".into()
        })
    );
    assert_eq!(other("id", numbers()).await, (vec![1], Ok(())));
}

#[tokio::test]
async fn the_stream_of_the_source_is_dropped_at_the_first_error() {
    let alive = Arc::new(());
    let held = alive.clone();
    let endless = futures::stream::repeat_with(move || {
        let _ = &held;
        Ok(batch(10))
    });
    let limits = ReadLimits {
        rows_max: 15,
        ..ReadLimits::default()
    };
    let mut batches = reading(endless).within(schema(), &request(limits)).batches;
    assert!(batches.next().await.is_some_and(|next| next.is_ok()));
    assert!(batches.next().await.is_some_and(|next| next.is_err()));
    assert_eq!(Arc::strong_count(&alive), 1);
}
