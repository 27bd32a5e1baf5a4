use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, LargeStringArray, NullArray,
    RecordBatchOptions, StringArray, StringViewArray, UInt64Array,
};
use arrow_flight::encode::DictionaryHandling;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_schema::Schema;

use super::*;

const BYTES_MAX: usize = 65_536;

async fn bound(batches: Vec<RecordBatch>) -> Result<Vec<ClaimValue>, CallInvalid> {
    let messages: Vec<FlightData> = FlightDataEncoderBuilder::new()
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(stream::iter(batches.into_iter().map(Ok)))
        .try_collect()
        .await
        .unwrap();
    let mut messages = messages.into_iter();
    let first = messages.next().unwrap();
    read(first, stream::iter(messages.map(Ok::<_, ()>)), BYTES_MAX).await
}

fn row(columns: Vec<ArrayRef>) -> RecordBatch {
    let named = columns.into_iter().enumerate();
    RecordBatch::try_from_iter_with_nullable(named.map(|(at, c)| (at.to_string(), c, true)))
        .unwrap()
}

fn one(column: impl Array + 'static) -> Vec<RecordBatch> {
    vec![row(vec![Arc::new(column)])]
}

fn text(value: &str) -> ClaimValue {
    ClaimValue::Text(value.to_owned())
}

#[tokio::test]
async fn texts_and_integers_are_bound_by_position() {
    let dictionary: DictionaryArray<Int32Type> = ["青禾"].into_iter().collect();
    let batch = row(vec![
        Arc::new(StringArray::from(vec!["a"])),
        Arc::new(LargeStringArray::from(vec!["b"])),
        Arc::new(StringViewArray::from(vec![
            "a text that is longer than a view holds",
        ])),
        Arc::new(Int64Array::from(vec![i64::MIN])),
        Arc::new(UInt64Array::from(vec![7])),
        Arc::new(dictionary),
    ]);
    assert_eq!(
        bound(vec![batch]).await.unwrap(),
        [
            text("a"),
            text("b"),
            text("a text that is longer than a view holds"),
            ClaimValue::Integer(i64::MIN),
            ClaimValue::Integer(7),
            text("青禾")
        ]
    );
}

#[tokio::test]
async fn other_types_nulls_and_overflows_are_refused() {
    let null_in_dictionary: DictionaryArray<Int32Type> = [None::<&str>].into_iter().collect();
    let null_value = DictionaryArray::<Int32Type>::try_new(
        vec![0].into(),
        Arc::new(StringArray::from(vec![None::<&str>])),
    )
    .unwrap();
    let floats: DictionaryArray<Int32Type> =
        DictionaryArray::try_new(vec![0].into(), Arc::new(Float64Array::from(vec![1.0]))).unwrap();
    for refused in [
        one(Float64Array::from(vec![1.0])),
        one(BooleanArray::from(vec![true])),
        one(NullArray::new(1)),
        one(StringArray::from(vec![None::<&str>])),
        one(Int64Array::from(vec![None])),
        one(UInt64Array::from(vec![u64::MAX])),
        one(null_in_dictionary),
        one(null_value),
        one(floats),
    ] {
        let refused = bound(refused).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::ParameterInvalid);
    }
}

#[tokio::test]
async fn there_is_exactly_one_row() {
    let number = |rows: Vec<i64>| row(vec![Arc::new(Int64Array::from(rows)) as ArrayRef]);
    let got = bound(vec![number(vec![]), number(vec![1]), number(vec![])]).await;
    assert_eq!(got.unwrap(), [ClaimValue::Integer(1)]);
    for refused in [
        vec![number(vec![])],
        vec![number(vec![1, 2])],
        vec![number(vec![1]), number(vec![2])],
        vec![number(vec![1; 1_000])],
    ] {
        assert_eq!(
            bound(refused).await.unwrap_err().code,
            ErrorCode::ParameterInvalid
        );
    }
    // Rows without columns cost nothing to send; there may be any number of them.
    let options = RecordBatchOptions::new().with_row_count(Some(1 << 40));
    let nothing = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options);
    assert!(bound(vec![nothing.unwrap()]).await.is_err());
    let wide = row(vec![Arc::new(Int64Array::from(vec![1])) as ArrayRef; 33]);
    assert!(bound(vec![wide]).await.is_err());
}

#[tokio::test]
async fn what_is_read_is_bounded() {
    let long = one(StringArray::from(vec!["x".repeat(BYTES_MAX)]));
    assert!(bound(long).await.is_err());
    let endless = stream::repeat_with(|| Ok::<_, ()>(FlightData::default()));
    assert!(
        read(FlightData::default(), endless, BYTES_MAX)
            .await
            .is_err()
    );
    let broken = stream::iter([Err::<FlightData, _>(())]);
    assert!(
        read(FlightData::default(), broken, BYTES_MAX)
            .await
            .is_err()
    );
}

/// No byte of a stream can be turned so that it harms: it is refused or it is bound, and the task ends.
#[tokio::test]
async fn damaged_streams_end_in_a_refusal() {
    let batch = row(vec![
        Arc::new(StringArray::from(vec!["N10156"])),
        Arc::new(Int64Array::from(vec![2004])),
    ]);
    let messages: Vec<FlightData> = FlightDataEncoderBuilder::new()
        .build(stream::iter([Ok(batch)]))
        .try_collect()
        .await
        .unwrap();
    let mut refused = 0;
    for message in 0..messages.len() {
        for at in 0..messages[message].data_header.len() {
            for flip in [0xff, 0x80, 0x01] {
                let mut damaged = messages.clone();
                let mut header = damaged[message].data_header.to_vec();
                header[at] ^= flip;
                damaged[message].data_header = header.into();
                let first = damaged.remove(0);
                let rest = stream::iter(damaged.into_iter().map(Ok::<_, ()>));
                refused += usize::from(read(first, rest, BYTES_MAX).await.is_err());
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
