use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, TableProvider};

use super::{BoundedReading, Progress};
use crate::{
    Connector, Health, LoadRequest, ReadLimits, Reading, SourceError, TableInfo, TableName,
};

/// One column of numbers; `hangs` never begins to read.
#[derive(Debug)]
struct Numbers {
    rows: i64,
    hangs: bool,
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

#[async_trait]
impl Connector for Numbers {
    async fn describe(&self) -> Result<Vec<TableInfo>, SourceError> {
        Ok(Vec::new())
    }

    async fn open(&self, _: &TableName) -> Result<Arc<dyn TableProvider>, SourceError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let numbers = Arc::new(Int64Array::from_iter_values(0..self.rows));
        let batch = RecordBatch::try_new(schema(), vec![numbers]).unwrap();
        let halves = vec![
            vec![batch.slice(0, batch.num_rows() / 2)],
            vec![batch.slice(batch.num_rows() / 2, batch.num_rows().div_ceil(2))],
        ];
        Ok(Arc::new(MemTable::try_new(schema(), halves)?))
    }

    async fn health(&self) -> Result<Health, SourceError> {
        Err(SourceError::Unreachable)
    }
}

fn request(columns: &[&str]) -> LoadRequest {
    LoadRequest {
        table: "numbers".parse().unwrap(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        limits: ReadLimits {
            time_max: Duration::from_secs(600),
            ..ReadLimits::default()
        },
    }
}

#[tokio::test]
async fn the_default_load_keeps_the_order_of_partitions_and_tells_of_its_progress() {
    let numbers = Numbers {
        rows: 20_001,
        hangs: false,
    };
    let reading = BoundedReading::begin(&numbers, schema(), &request(&["n"])).await;
    let mut seen = Vec::new();
    let read = reading.unwrap().collect(|so_far| seen.push(so_far)).await;
    let read = read.unwrap();
    assert_eq!(read.facts.rows, 20_001);
    let last = Progress {
        rows: 20_001,
        bytes: read.facts.bytes,
    };
    assert_eq!(seen.last(), Some(&last));
    let mut next = 0;
    for batch in &read.batches {
        assert!(batch.num_rows() <= 8_192);
        let column: &Int64Array = batch.column(0).as_any().downcast_ref().unwrap();
        for value in column.values() {
            assert_eq!(*value, next);
            next += 1;
        }
    }
    assert!(!format!("{read:?}").contains("20000"), "rows in `Debug`");
}

#[tokio::test]
async fn a_source_that_does_not_begin_is_left() {
    let numbers = Numbers {
        rows: 1,
        hangs: true,
    };
    let mut request = request(&["n"]);
    request.limits.time_max = Duration::from_millis(1);
    let begun = BoundedReading::begin(&numbers, schema(), &request).await;
    assert_eq!(begun.map(|_| ()), Err(SourceError::TimedOut));
}

#[tokio::test]
async fn other_columns_than_declared_are_noticed_before_any_row() {
    let numbers = Numbers {
        rows: 1,
        hangs: false,
    };
    let declared = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let begun = BoundedReading::begin(&numbers, declared, &request(&["n"])).await;
    let changed = SourceError::SchemaChanged("numbers".parse().unwrap());
    assert_eq!(begun.map(|_| ()), Err(changed));
}

#[tokio::test]
async fn a_column_that_is_not_there_or_wanted_twice_is_refused() {
    let numbers = Numbers {
        rows: 1,
        hangs: false,
    };
    for columns in [&["m"][..], &["n", "n"]] {
        let reading: Result<Reading, _> = numbers.load(&request(columns)).await;
        let missing = SourceError::ColumnMissing(columns.last().unwrap().to_string());
        assert_eq!(reading.map(|_| ()), Err(missing));
    }
}
