use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt as _;

use crate::{LoadRequest, ReadLimits, SourceError, StreamTable, TableName};

fn rows() -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..10);
    let names: StringArray = (0..10).map(|id| Some(format!("n{id}"))).collect();
    RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as Arc<dyn Array>),
        ("name", Arc::new(names)),
    ])
    .unwrap()
}

/// A table that counts the batches it was made to read.
fn table(read: Arc<AtomicUsize>) -> StreamTable {
    let name = TableName::of_one("t").unwrap();
    StreamTable::new(name, rows().schema(), move |columns, batch_rows| {
        let read = read.clone();
        let batches = (0..10).step_by(batch_rows).map(move |at| {
            read.fetch_add(1, Ordering::SeqCst);
            Ok(rows().project(&columns)?.slice(at, batch_rows.min(10 - at)))
        });
        futures::stream::iter(batches)
    })
}

fn request(columns: &[&str], batch_rows: usize) -> LoadRequest {
    LoadRequest {
        table: TableName::of_one("t").unwrap(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        limits: ReadLimits {
            batch_rows: batch_rows.try_into().unwrap(),
            ..ReadLimits::default()
        },
    }
}

#[tokio::test]
async fn a_query_and_a_load_read_the_same() {
    let table = table(Arc::default());
    let engine = SessionContext::new();
    engine.register_table("t", Arc::new(table.clone())).unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM t", 1),
        ("SELECT name, id FROM t WHERE id > 7 LIMIT 5", 2),
        ("SELECT 1 FROM t", 10),
    ] {
        let batches = engine.sql(sql).await.unwrap().collect().await.unwrap();
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found, expected, "{sql}");
    }
    let reading = table.load(&request(&["name", "id"], 4), Some("v1".into()));
    let reading = reading.unwrap();
    assert_eq!(reading.version.as_deref(), Some("v1"));
    let batches: Vec<RecordBatch> = reading.batches.try_collect().await.unwrap();
    let sizes: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(batches[0], rows().project(&[1, 0]).unwrap().slice(0, 4));
    let missing = table.load(&request(&["nothing"], 4), None).unwrap_err();
    assert_eq!(missing, SourceError::ColumnMissing("nothing".into()));
}

#[tokio::test]
async fn nothing_is_read_before_it_is_wanted() {
    let read = Arc::new(AtomicUsize::new(0));
    let table = table(read.clone());
    let mut reading = table.load(&request(&["id"], 1), None).unwrap();
    assert_eq!(read.load(Ordering::SeqCst), 0);
    reading.batches.try_next().await.unwrap().unwrap();
    assert_eq!(read.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_batch_with_other_columns_ends_the_reading() {
    let name = TableName::of_one("t").unwrap();
    let table = StreamTable::new(name.clone(), rows().schema(), |_, _| {
        // Both columns, whatever was asked for.
        futures::stream::iter([Ok(rows())])
    });
    let reading = table.load(&request(&["id"], 4), None).unwrap();
    let ended: Result<Vec<RecordBatch>, _> = reading.batches.try_collect().await;
    let error = SourceError::from(ended.unwrap_err());
    assert_eq!(error, SourceError::SchemaChanged(name));
}
