use std::fs;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use lingqu_connector_sdk::{ReadLimits, SourceError};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::fixtures::{batches, load, query, source};

fn write(batch: &RecordBatch, rows_of_group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_of_group))
        .set_dictionary_page_size_limit(8 << 20)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// A few kilobytes that say gigabytes: one long text, repeated by a dictionary.
#[tokio::test]
async fn a_dictionary_of_long_texts_is_cut_into_bounded_batches() {
    let base = tempfile::tempdir().unwrap();
    let long = "x".repeat(1 << 20);
    let texts = StringArray::from_iter_values((0..200).map(|_| long.as_str()));
    let batch = RecordBatch::try_from_iter([("t", Arc::new(texts) as _)]).unwrap();
    let bytes = write(&batch, 1_000_000);
    assert!(bytes.len() < 2 << 20, "{}", bytes.len());
    fs::write(base.path().join("a.parquet"), &bytes).unwrap();
    let source = source("file", "path = \"a.parquet\"", base.path());
    let found = batches(source.as_ref(), "a", &["t"], ReadLimits::default())
        .await
        .unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 200);
    let longest = found
        .iter()
        .map(crate::bounded::buffer_bytes)
        .max()
        .unwrap();
    assert!(
        longest < super::views::COLUMN_BYTES_MAX + (1 << 20),
        "{longest}"
    );
    assert!(
        found
            .iter()
            .all(|batch| *batch.column(0).data_type() == DataType::Utf8)
    );
    // A limit ends it long before everything is copied.
    let limits = ReadLimits {
        bytes_max: 100 << 20,
        ..ReadLimits::default()
    };
    let refused = batches(source.as_ref(), "a", &["t"], limits).await;
    assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn a_column_that_says_too_much_is_not_opened() {
    let base = tempfile::tempdir().unwrap();
    let ids = Int64Array::from_iter_values(0..100_000);
    let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap();
    fs::write(base.path().join("a.parquet"), write(&batch, 1_000_000)).unwrap();
    let settings = "path = \"a.parquet\"\n[limits]\nblock_bytes_max = 1000";
    let source = source("file", settings, base.path());
    let refused = load(source.as_ref(), "a", &["id"]).await;
    assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn pruning_answers_as_the_engine_does() {
    let base = tempfile::tempdir().unwrap();
    let rows = 20_000;
    let ids: Int64Array = (0..rows).map(|id| (id % 7 != 0).then_some(id)).collect();
    let texts: StringArray = (0..rows)
        .map(|id| match id % 5 {
            0 => None,
            1 => Some(String::new()),
            _ => Some(format!("人{:05}", id)),
        })
        .collect();
    let columns = [("id", Arc::new(ids) as _), ("t", Arc::new(texts) as _)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    fs::write(base.path().join("a.parquet"), write(&batch, 1_000)).unwrap();
    let source = source("file", "path = \"a.parquet\"", base.path());
    let memory = datafusion::prelude::SessionContext::new();
    memory.register_batch("t", batch).unwrap();
    for condition in [
        "id = 12345",
        "id <> 5",
        "id < 10 OR id >= 19990",
        "t = '人12347'",
        "t = ''",
        "t IS NULL AND id > 19900",
        "t IN ('人00002', '人19999', 'x')",
        "t > '人19990'",
        "id BETWEEN 100 AND 120 AND t IS NOT NULL",
        "id IS NULL",
        "t LIKE '%42' AND id < 500",
        "NOT (id > 5)",
        "id = 5.0",
        "12 > id",
        "lower(t) = '人00003'",
    ] {
        let sql = format!("SELECT t, id FROM t WHERE {condition}");
        let expected = memory.sql(&sql).await.unwrap().collect().await.unwrap();
        let mut expected: Vec<String> = expected.iter().flat_map(crate::fixtures::rows).collect();
        expected.sort();
        assert_eq!(
            query(source.as_ref(), "a", &sql).await,
            expected,
            "{condition}"
        );
    }
    assert_eq!(
        query(source.as_ref(), "a", "SELECT id FROM t LIMIT 5")
            .await
            .len(),
        5
    );
    assert_eq!(
        query(source.as_ref(), "a", "SELECT count(*) FROM t").await,
        ["20000"]
    );
    // A load has the rows in the order of the file.
    let found = load(source.as_ref(), "a", &["id"]).await.unwrap();
    let mut sorted = found
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect::<Vec<i64>>();
    assert!(sorted.is_sorted());
    sorted.dedup();
    assert_eq!(found.len(), 20_000);
}

#[tokio::test]
async fn the_session_that_asks_learns_of_no_store() {
    let base = tempfile::tempdir().unwrap();
    let ids = Int64Array::from_iter_values(0..10);
    let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap();
    fs::write(base.path().join("a.parquet"), write(&batch, 10)).unwrap();
    let source = source("file", "path = \"a.parquet\"", base.path());
    let provider = source.open(&"a".parse().unwrap()).await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("t", provider).unwrap();
    context
        .sql("SELECT * FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let url = datafusion::execution::object_store::ObjectStoreUrl::parse("lingqu://files").unwrap();
    assert!(context.runtime_env().object_store(&url).is_err());
}
