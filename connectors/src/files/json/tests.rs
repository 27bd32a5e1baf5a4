use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Int64Type};

use super::*;
use crate::declared::{Column, ColumnType};

fn form() -> JsonForm {
    let column = |name: &str, kind| Column::plain(name.to_owned(), kind, true);
    JsonForm {
        columns: Columns::of(vec![
            column("n", ColumnType::Int64),
            column("d", ColumnType::Decimal(20, 2)),
            column("t", ColumnType::Text),
            column("b", ColumnType::Boolean),
            column("day", ColumnType::Date),
        ])
        .unwrap(),
        encoding: TextEncoding::Utf8,
        record_bytes_max: 1_000,
    }
}

fn read(bytes: &[u8], chunk: usize) -> Result<Vec<RecordBatch>, SourceError> {
    let wanted = Wanted {
        columns: vec![2, 0, 1],
        filters: Vec::new(),
        limit: None,
        batch_rows: 2,
    };
    let mut decoder = LineDecoder::new(&form(), &wanted);
    let mut batches = Vec::new();
    let mut chunks: Vec<&[u8]> = bytes.chunks(chunk).collect();
    chunks.push(&[]);
    for (at, slice) in chunks.iter().enumerate() {
        decoder.feed(slice, at + 1 == chunks.len());
        while let Some(batch) = decoder.next()? {
            batches.push(batch);
        }
    }
    Ok(batches)
}

#[test]
fn values_are_taken_as_they_are() {
    let lines = concat!(
        r#"{"n": 9007199254740993, "d": 90071992547409.93, "t": "灵\u6e20", "other": [1, {"n": 2}]}"#,
        "\r\n\r\n",
        r#"{"t": "", "d": "1.10"}"#,
        "\n",
        r#"{"n": null}"#,
    );
    for chunk in [1, 3, 1_000] {
        let batches = read(lines.as_bytes(), chunk).unwrap();
        assert_eq!(
            batches
                .iter()
                .map(RecordBatch::num_rows)
                .collect::<Vec<_>>(),
            [2, 1]
        );
        let texts = batches[0].column(0).as_string::<i32>();
        assert_eq!((texts.value(0), texts.value(1)), ("灵渠", ""));
        let numbers = batches[0].column(1).as_primitive::<Int64Type>();
        assert_eq!(numbers.value(0), 9_007_199_254_740_993);
        assert!(numbers.is_null(1));
        let decimals = batches[0].column(2).as_primitive::<Decimal128Type>();
        assert_eq!(decimals.values()[..], [9_007_199_254_740_993, 110]);
        assert_eq!(batches[1].column(0).null_count(), 1);
    }
}

#[test]
fn other_kinds_of_values_are_refused_by_column() {
    for (line, column) in [
        (r#"{"n": "5"}"#, None),
        (r#"{"n": 5.0}"#, Some("n")),
        (r#"{"n": 9223372036854775808}"#, Some("n")),
        (r#"{"n": true}"#, Some("n")),
        (r#"{"d": 1.101}"#, Some("d")),
        (r#"{"t": 5}"#, Some("t")),
        (r#"{"t": {"x": 1}}"#, Some("t")),
        (r#"{"t": "a", "t": "b"}"#, Some("t")),
        (r#"{"t": "\ud800"}"#, Some("t")),
    ] {
        match (read(line.as_bytes(), 1_000), column) {
            (Ok(_), None) => {}
            (Err(SourceError::ValueUnfit { column: found }), Some(column)) => {
                assert_eq!(found, column, "{line}");
            }
            (other, _) => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    for line in [
        "[1]",
        "5",
        "{\"n\": 1} {\"n\": 2}",
        "{\"n\": 1",
        "{\"n\": 1}x",
        "nonsense",
    ] {
        let error = read(line.as_bytes(), 1_000).unwrap_err();
        assert!(
            matches!(&error, SourceError::Failed { code: Some(_) }),
            "{line} {error:?}"
        );
    }
    let deep = format!("{{\"x\": {}", "[".repeat(900));
    assert!(read(deep.as_bytes(), 1_000).is_err());
    let long = format!("{{\"t\": \"{}\"}}", "x".repeat(1_000));
    assert!(matches!(
        read(long.as_bytes(), 10),
        Err(SourceError::TooLarge)
    ));
    let error = read(b"{\"n\": 1, \"t\": \"\xff\"}\n", 1_000).unwrap_err();
    assert!(matches!(&error, SourceError::ValueUnfit { column } if column == "t"));
}
