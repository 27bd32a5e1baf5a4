use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, LargeStringArray, NullArray,
    RecordBatchOptions, StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow_flight::encode::DictionaryHandling;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::{Field, Schema};

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

async fn messages(batch: RecordBatch, options: IpcWriteOptions) -> Vec<FlightData> {
    FlightDataEncoderBuilder::new()
        .with_options(options)
        .build(stream::iter([Ok(batch)]))
        .try_collect()
        .await
        .unwrap()
}

async fn read_all(mut messages: Vec<FlightData>) -> Result<Vec<ClaimValue>, CallInvalid> {
    let first = messages.remove(0);
    let rest = stream::iter(messages.into_iter().map(Ok::<_, ()>));
    read(first, rest, BYTES_MAX).await
}

/// A compressed body says how large it is. Whoever believes it asks for memory that no machine has, and ends.
#[tokio::test]
async fn a_body_that_states_its_own_size_is_not_decoded() {
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(compression))
            .unwrap();
        let batch = row(vec![Arc::new(StringArray::from(vec!["x".repeat(10_000)]))]);
        let honest = messages(batch, options).await;
        for size in [None, Some(1_u64 << 40), Some(i64::MAX as u64)] {
            let mut sent = honest.clone();
            let body = &mut sent.last_mut().unwrap().data_body;
            if let Some(size) = size {
                // Each buffer begins with its size, and the values' is the only long one.
                let mut bytes = body.to_vec();
                let real = 10_000_u64.to_le_bytes();
                let at = bytes.windows(8).rposition(|w| w == real).unwrap();
                bytes[at..at + 8].copy_from_slice(&size.to_le_bytes());
                *body = bytes.into();
            }
            let refused = read_all(sent).await.unwrap_err();
            assert_eq!(refused, invalid("are compressed"));
        }
    }
}

#[tokio::test]
async fn what_is_nested_is_not_decoded() {
    let mut nested: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for _ in 0..20 {
        let field = Arc::new(Field::new("x", nested.data_type().clone(), true));
        nested = Arc::new(StructArray::from(vec![(field, nested)]));
    }
    let sent = messages(row(vec![nested]), IpcWriteOptions::default()).await;
    assert_eq!(read_all(sent).await.unwrap_err(), OTHER_TYPE);
}

#[tokio::test]
async fn headers_without_sense_are_refused() {
    let batch = || row(vec![Arc::new(Int64Array::from(vec![1]))]);
    let good = messages(batch(), IpcWriteOptions::default()).await;
    for header in [vec![0], vec![0xff; 4], vec![0; 1_000], vec![0xff; 1_000]] {
        for at in 0..good.len() {
            let mut sent = good.clone();
            sent[at].data_header = header.clone().into();
            assert!(read_all(sent).await.is_err(), "{at}");
        }
    }
    // Rows before their schema, rows without their body, and a body that ends early.
    let mut swapped = good.clone();
    swapped.reverse();
    let mut bare = good.clone();
    bare.last_mut().unwrap().data_body = Default::default();
    let mut short = messages(
        row(vec![Arc::new(StringArray::from(vec!["x".repeat(100)]))]),
        IpcWriteOptions::default(),
    )
    .await;
    let body = &mut short.last_mut().unwrap().data_body;
    *body = body.slice(..body.len() / 2);
    for sent in [swapped, bare, short] {
        assert_eq!(read_all(sent).await.unwrap_err(), malformed());
    }
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
