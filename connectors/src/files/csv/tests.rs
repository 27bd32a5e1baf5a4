use std::num::NonZeroUsize;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use proptest::prelude::*;

use super::*;
use crate::declared::{Column, ColumnType};

fn form(columns: &[(&str, ColumnType)]) -> CsvForm {
    let column = |&(name, kind): &(&str, ColumnType)| Column::plain(name.to_owned(), kind, true);
    CsvForm {
        columns: Columns::of(columns.iter().map(column).collect()).unwrap(),
        encoding: TextEncoding::Utf8,
        delimiter: b',',
        quote: Some(b'"'),
        header: true,
        null: String::new(),
        record_bytes_max: 1_000,
    }
}

fn two_texts() -> CsvForm {
    form(&[("a", ColumnType::Text), ("b", ColumnType::Text)])
}

/// Every cell, row by row, read in chunks of `chunk` bytes.
fn cells(form: &CsvForm, bytes: &[u8], chunk: usize) -> Result<Vec<Option<String>>, SourceError> {
    let columns: Vec<usize> = (0..form.columns.list().len()).collect();
    let wanted = Wanted {
        columns,
        filters: Vec::new(),
        limit: None,
        batch_rows: NonZeroUsize::new(3).unwrap().get(),
    };
    let table: TableName = "t".parse().unwrap();
    let schema = form.columns.schema();
    let mut decoder = CsvDecoder::new(Arc::new(form.clone()), table, &wanted, schema);
    let mut cells = Vec::new();
    let mut chunks: Vec<&[u8]> = bytes.chunks(chunk).collect();
    chunks.push(&[]);
    for (at, slice) in chunks.iter().enumerate() {
        decoder.feed(slice, at + 1 == chunks.len());
        while let Some(batch) = decoder.next()? {
            assert!(batch.num_rows() <= 3);
            for row in 0..batch.num_rows() {
                for array in batch.columns() {
                    cells.push(
                        array
                            .is_valid(row)
                            .then(|| match array.as_string_opt::<i32>() {
                                Some(texts) => texts.value(row).to_owned(),
                                None => array.as_primitive::<Int64Type>().value(row).to_string(),
                            }),
                    );
                }
            }
        }
    }
    Ok(cells)
}

fn texts(form: &CsvForm, bytes: &[u8]) -> Result<Vec<Option<String>>, SourceError> {
    let whole = cells(form, bytes, 1 << 20);
    // However the bytes arrive, they say the same.
    for chunk in [1, 2, 7] {
        let again = cells(form, bytes, chunk);
        assert_eq!(
            format!("{whole:?}"),
            format!("{again:?}"),
            "in chunks of {chunk}"
        );
    }
    whole
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn quotes_line_ends_and_blank_lines() {
    let bytes = "\u{feff}a,b\r\n1,\"x,\"\"y\"\"\r\n\"\n\n\r\n\"2\",z".as_bytes();
    let found = texts(&two_texts(), bytes).unwrap();
    assert_eq!(found, some(&["1", "x,\"y\"\r\n", "2", "z"]));
}

#[test]
fn an_empty_text_is_a_value_and_nothing_is_none() {
    let found = texts(&two_texts(), b"a,b\n\"\",\n,\"\"\n").unwrap();
    assert_eq!(
        found,
        [Some(String::new()), None, None, Some(String::new())]
    );
    let form = CsvForm {
        null: "\\N".to_owned(),
        ..two_texts()
    };
    let found = texts(&form, b"a,b\n,\\N\n\"\\N\",x").unwrap();
    assert_eq!(
        found,
        [
            Some(String::new()),
            None,
            Some("\\N".into()),
            Some("x".into())
        ]
    );
}

#[test]
fn what_is_cut_or_broken_is_an_error() {
    let two = two_texts();
    for (bytes, expected) in [
        (&b"a,b\n1,\"x"[..], "truncated"),
        (b"", "truncated"),
        (b"a,b\n1\n", "csv-field-count"),
        (b"a,b\n1,2,3\n", "csv-field-count"),
        (b"a,b\n1,x\"y\n", "csv-malformed"),
        (b"a,b\n1,\"x\"y\n", "csv-malformed"),
        (b"a,b\n1,x\ry\n", "csv-malformed"),
        (b"a\n1\n", "csv-header"),
    ] {
        let error = texts(&two, bytes).unwrap_err();
        let SourceError::Failed { code } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(code.as_deref(), Some(expected), "{bytes:?}");
    }
    for bytes in [
        &b"b,a\n1,2\n"[..],
        b"a,a\n1,2\n",
        b"A,b\n1,2\n",
        b" a,b\n1,2\n",
    ] {
        let error = texts(&two, bytes).unwrap_err();
        assert!(matches!(error, SourceError::SchemaChanged(_)), "{error:?}");
    }
}

#[test]
fn malformed_bytes_name_their_column() {
    let gbk = CsvForm {
        encoding: TextEncoding::Gbk,
        ..two_texts()
    };
    assert_eq!(
        texts(&gbk, b"a,b\n\xc1\xe9,\xc7\xfe\n").unwrap(),
        some(&["灵", "渠"])
    );
    for (form, bytes, column) in [
        (&two_texts(), &b"a,b\n1,2\n\xff,x\n"[..], "a"),
        (&two_texts(), b"a,b\n1,\"x\n\xc1\xe9\"\n", "b"),
        (&gbk, b"a,b\n1,\xff\xff\n", "b"),
        (&gbk, b"a,b\n1,\xc1", "b"),
    ] {
        let error = texts(form, bytes).unwrap_err();
        let SourceError::ValueUnfit { column: found } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(found, column);
    }
}

#[test]
fn a_value_that_does_not_fit_names_its_column_only() {
    let form = form(&[("n", ColumnType::Int64), ("t", ColumnType::Text)]);
    assert_eq!(texts(&form, b"n,t\n-5,x\n").unwrap(), some(&["-5", "x"]));
    let error = texts(&form, b"n,t\n110101199003070000x,secret\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `n` has a value that does not fit its declared type"
    );
}

#[test]
fn a_field_without_end_is_bounded() {
    let mut decoder = {
        let form = two_texts();
        let schema = form.columns.schema();
        let wanted = Wanted {
            columns: vec![0, 1],
            filters: Vec::new(),
            limit: None,
            batch_rows: 10,
        };
        CsvDecoder::new(Arc::new(form), "t".parse().unwrap(), &wanted, schema)
    };
    decoder.feed(b"a,b\n\"", false);
    decoder.next().unwrap();
    let refused = (0..1_000_000).find_map(|_| {
        decoder.feed(&[b'x'; 100], false);
        decoder.next().err()
    });
    assert!(matches!(refused, Some(SourceError::TooLarge)));
    assert!(decoder.text.len() < 2_000);
    // The same in one piece.
    let whole = format!("a,b\n\"{}\",y\n", "x".repeat(2_000));
    let refused = texts(&two_texts(), whole.as_bytes());
    assert!(matches!(refused, Err(SourceError::TooLarge)));
}

#[test]
fn other_delimiters_and_no_quotes() {
    let form = CsvForm {
        delimiter: b'|',
        quote: None,
        header: false,
        ..two_texts()
    };
    // In GBK the second byte of a character may be `|`; it is no delimiter there.
    let gbk = CsvForm {
        encoding: TextEncoding::Gbk,
        ..form.clone()
    };
    assert_eq!(texts(&gbk, b"\x81|x|y\n").unwrap(), some(&["亅x", "y"]));
    assert_eq!(
        texts(&form, b"5\" disk|y\n").unwrap(),
        some(&["5\" disk", "y"])
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec(
        (prop::option::of("[a-z,\"\r\n灵]{0,6}"), prop::option::of("[x\\n\"]{0,3}")), 0..20)) {
        let mut text = String::from("a,b\r\n");
        let mut expected = Vec::new();
        for (a, b) in rows {
            for (value, end) in [(&a, ","), (&b, "\r\n")] {
                if let Some(value) = value {
                    text.push_str(&format!("\"{}\"", value.replace('"', "\"\"")));
                }
                text.push_str(end);
                expected.push(value.clone());
            }
        }
        prop_assert_eq!(texts(&two_texts(), text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::sample::select(b"a,b\"\r\n\xff\xc1\xe9x".to_vec()), 0..60)) {
        let mut whole = b"a,b\n".to_vec();
        whole.extend(bytes);
        let _ = texts(&two_texts(), &whole);
    }
}
