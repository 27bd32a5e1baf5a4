use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float64Array, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema};

use super::{RowsDigest, RowsHasher};
use crate::SourceError;

fn digest_of(batches: &[RecordBatch]) -> RowsDigest {
    let mut hasher = RowsHasher::new(&batches[0].schema()).unwrap();
    for batch in batches {
        hasher.update(batch).unwrap();
    }
    hasher.finish()
}

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Recomputed by these lines of Python, which know the documentation of the encoding and not this code:
///
/// ```python
/// import hashlib, struct
/// u32 = lambda n: struct.pack('<I', n)
/// cols = [('id', 'int64', [1, -2, None]), ('name', 'text', ['汉', None, '']),
///         ('amount', 'decimal128(10,2)', [12345, None, -1]), ('flag', 'bool', [True, None, False]),
///         ('day', 'date32', [-1, 0, None])]
/// enc = {'int64': lambda v: struct.pack('<q', v), 'text': lambda v: v.encode(), 'bool': lambda v: bytes([v]),
///        'decimal128(10,2)': lambda v: v.to_bytes(16, 'little', signed=True), 'date32': lambda v: struct.pack('<i', v)}
/// h = hashlib.sha256(b'lingqu rows 1\n' + u32(len(cols)))
/// for n, t, _ in cols: h.update(u32(len(n.encode())) + n.encode() + u32(len(t)) + t.encode())
/// h.update(struct.pack('<Q', 3))
/// for n, t, vs in cols:
///     bits = sum(1 << i for i, v in enumerate(vs) if v is not None)
///     vals = [enc[t](v) for v in vs if v is not None]
///     lens = b''.join(u32(len(v)) for v in vals) if t == 'text' else b''
///     for part in (bytes([bits]), lens, b''.join(vals)): h.update(hashlib.sha256(part).digest())
/// print(h.hexdigest())
/// ```
#[test]
fn the_golden_vector() {
    let amount = Decimal128Array::from(vec![Some(12345), None, Some(-1)])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let batch = table(vec![
        (
            "id",
            Arc::new(Int64Array::from(vec![Some(1), Some(-2), None])),
        ),
        (
            "name",
            Arc::new(StringArray::from(vec![Some("汉"), None, Some("")])),
        ),
        ("amount", Arc::new(amount)),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(-1), Some(0), None])),
        ),
    ]);
    assert_eq!(
        digest_of(&[batch]).to_string(),
        "c07ebd3cecc2620e0efefdf3234b7031c713997dac2559a2efeeb4c6dc87bf6b"
    );
}

fn many(rows: usize) -> RecordBatch {
    let some = |row: usize, every: usize| !row.is_multiple_of(every);
    let numbers: Int64Array = (0..rows)
        .map(|row| some(row, 3).then_some(row as i64))
        .collect();
    let texts: StringArray = (0..rows)
        .map(|row| some(row, 5).then(|| "x".repeat(row % 7)))
        .collect();
    let flags: BooleanArray = (0..rows)
        .map(|row| some(row, 4).then_some(row.is_multiple_of(2)))
        .collect();
    let bytes: BinaryArray = (0..rows)
        .map(|row| some(row, 2).then(|| vec![row as u8]))
        .collect();
    let full: Float64Array = (0..rows).map(|row| Some(row as f64)).collect();
    table(vec![
        ("numbers", Arc::new(numbers)),
        ("texts", Arc::new(texts)),
        ("flags", Arc::new(flags)),
        ("bytes", Arc::new(bytes)),
        ("full", Arc::new(full)),
        ("nothing", Arc::new(NullArray::new(rows))),
    ])
}

#[test]
fn where_batches_begin_and_end_does_not_matter() {
    let whole = many(1_000);
    let expected = digest_of(std::slice::from_ref(&whole));
    for size in [1, 3, 7, 8, 64, 333, 999] {
        let parts: Vec<_> = (0..1_000)
            .step_by(size)
            .map(|at| whole.slice(at, size.min(1_000 - at)))
            .collect();
        assert_eq!(digest_of(&parts), expected, "batches of {size}");
    }
    let empty = whole.slice(0, 0);
    assert_eq!(digest_of(&[empty.clone(), whole, empty]), expected);
}

#[test]
fn how_text_is_stored_does_not_matter() {
    let texts = vec![
        Some("甲"),
        None,
        Some(""),
        Some("a long text that no view holds inline"),
    ];
    let dictionary: DictionaryArray<Int32Type> = texts.iter().copied().collect();
    let stored: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts.clone())),
        Arc::new(dictionary),
    ];
    let digests: Vec<_> = stored
        .into_iter()
        .map(|texts| digest_of(&[table(vec![("t", texts)])]))
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn what_lies_under_a_null_does_not_matter() {
    let shown = Int64Array::from(vec![Some(1), None]);
    let hidden = Int64Array::new(vec![1, 99].into(), shown.nulls().cloned());
    let one = digest_of(&[table(vec![("n", Arc::new(shown))])]);
    assert_eq!(digest_of(&[table(vec![("n", Arc::new(hidden))])]), one);
}

/// Every change that a person would call one changes the digest.
#[test]
fn every_change_of_names_types_values_or_order_is_seen() {
    let texts = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let numbers = |numbers: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(numbers)) };
    let moments = |zone: Option<&str>| -> ArrayRef {
        let moments = TimestampMicrosecondArray::from(vec![1, 2]);
        Arc::new(moments.with_timezone_opt(zone.map(str::to_owned)))
    };
    let tables = [
        vec![("a", texts(vec![Some("x"), Some("")]))],
        vec![("b", texts(vec![Some("x"), Some("")]))],
        vec![("a", texts(vec![Some("x"), None]))],
        vec![("a", texts(vec![Some(""), Some("x")]))],
        vec![("a", texts(vec![None, Some("x")]))],
        vec![("a", texts(vec![Some("x")]))],
        vec![("a", texts(vec![Some("x"), Some(""), Some("")]))],
        vec![("a", texts(vec![Some("xy"), Some("z")]))],
        vec![("a", texts(vec![Some("x"), Some("yz")]))],
        vec![("a", numbers(vec![1, 2])), ("b", numbers(vec![3, 4]))],
        vec![("b", numbers(vec![3, 4])), ("a", numbers(vec![1, 2]))],
        vec![("a", numbers(vec![1, 3])), ("b", numbers(vec![2, 4]))],
        vec![("a", moments(None))],
        vec![("a", moments(Some("UTC")))],
        vec![("a", moments(Some("+08:00")))],
        vec![("a", numbers(vec![1, 2]))],
    ];
    let digests: Vec<_> = tables
        .into_iter()
        .map(|columns| digest_of(&[table(columns)]))
        .collect();
    for (at, digest) in digests.iter().enumerate() {
        assert!(
            !digests[..at].contains(digest),
            "table {at} is like another"
        );
    }
}

#[test]
fn nested_types_are_refused() {
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let schema = Schema::new(vec![Field::new("list", DataType::List(item), true)]);
    let refused = RowsHasher::new(&schema).map(|_| ()).unwrap_err();
    assert!(matches!(refused, SourceError::ColumnType { column, .. } if column == "list"));
}
