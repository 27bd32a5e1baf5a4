use super::*;
use crate::postgres::columns::Kind;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;

fn column(name: &str, kind: Kind, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable,
        bytewise: true,
        described: (0, -1),
    }
}

fn columns() -> Vec<Column> {
    vec![
        column("id", Kind::Int4, false),
        column("name", Kind::Text, true),
    ]
}

fn header() -> Vec<u8> {
    [&SIGNATURE[..], &[0; 8]].concat()
}

fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = i16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        match field {
            None => bytes.extend((-1_i32).to_be_bytes()),
            Some(value) => {
                bytes.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(*value);
            }
        }
    }
    bytes
}

fn stream() -> Vec<u8> {
    let rows = [
        header(),
        row(&[Some(&[0, 0, 0, 1]), Some("张".as_bytes())]),
        row(&[Some(&[255; 4]), None]),
        row(&[Some(&[0, 0, 1, 0]), Some(b"")]),
        (-1_i16).to_be_bytes().to_vec(),
    ];
    rows.concat()
}

#[test]
fn rows_are_the_same_however_the_stream_is_cut() {
    let stream = stream();
    for length in 1..=stream.len() {
        let mut decoder = Decoder::new(&columns(), 100);
        for part in stream.chunks(length) {
            decoder.push(part).unwrap();
        }
        decoder.end().unwrap();
        let batch = decoder.take(true).unwrap().unwrap();
        assert_eq!(
            batch.column(0).as_primitive::<Int32Type>().values(),
            &[1, -1, 256]
        );
        let names: Vec<_> = batch.column(1).as_string::<i32>().iter().collect();
        assert_eq!(names, [Some("张"), None, Some("")]);
        assert!(decoder.take(true).unwrap().is_none());
    }
}

#[test]
fn a_stream_that_ends_early_or_goes_on_is_never_fewer_rows() {
    let whole = stream();
    for length in 0..whole.len() {
        let mut decoder = Decoder::new(&columns(), 100);
        decoder.push(&whole[..length]).unwrap();
        assert!(decoder.end().is_err(), "{length}");
    }
    let mut decoder = Decoder::new(&columns(), 100);
    assert!(decoder.push(&[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn bytes_of_another_form_are_refused() {
    let mut flags = header();
    flags[12] = 1;
    let mut extension = header();
    extension[15] = 127;
    let long = [header(), row(&[Some(&[0; 4]), None, None])].concat();
    let negative = [header(), vec![0, 2], (-2_i32).to_be_bytes().to_vec()].concat();
    for bytes in [b"PGCOPX".to_vec(), flags, extension, long, negative] {
        let mut decoder = Decoder::new(&columns(), 100);
        assert_eq!(decoder.push(&bytes), Err(malformed()), "{bytes:?}");
    }
}

#[test]
fn values_that_do_not_fit_name_their_column_only() {
    let cases: [(Kind, &[u8]); 12] = [
        (Kind::Int4, &[0; 8]),
        (Kind::Int8, &[0; 4]),
        (Kind::Bool, &[2]),
        (Kind::Date, &[0x7f, 0xff, 0xff, 0xff]),
        (Kind::Date, &[0x80, 0, 0, 0]),
        (
            Kind::Timestamp,
            &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (Kind::TimestampTz, &[0x80, 0, 0, 0, 0, 0, 0, 0]),
        (Kind::Time, &[0, 0, 0, 0x14, 0x1d, 0xd7, 0x60, 0]),
        (Kind::Uuid, &[0; 15]),
        (Kind::Jsonb, b"\x02{}"),
        (Kind::Jsonb, b""),
        (
            Kind::Numeric {
                precision: 5,
                scale: 2,
            },
            &[0; 3],
        ),
    ];
    for (kind, bytes) in cases {
        let mut decoder = Decoder::new(&[column("c", kind, true)], 10);
        let stream = [header(), row(&[Some(bytes)])].concat();
        let unfit = SourceError::ValueUnfit {
            column: "c".to_owned(),
        };
        assert_eq!(decoder.push(&stream), Err(unfit), "{kind:?}");
    }
    // Not UTF-8, and NULL where there is none.
    let mut decoder = Decoder::new(&[column("c", Kind::Text, true)], 10);
    decoder
        .push(&[header(), row(&[Some(&[0xff])])].concat())
        .unwrap();
    assert!(decoder.take(true).is_err());
    let mut decoder = Decoder::new(&[column("c", Kind::Text, false)], 10);
    assert!(decoder.push(&[header(), row(&[None])].concat()).is_err());
}

#[test]
fn rows_without_columns_are_counted_and_batches_are_full() {
    let mut decoder = Decoder::new(&[], 2);
    decoder.push(&header()).unwrap();
    let mut rows = Vec::new();
    for _ in 0..5 {
        decoder.push(&[0, 0]).unwrap();
        rows.extend(decoder.take(false).unwrap().map(|batch| batch.num_rows()));
    }
    decoder.push(&[0xff, 0xff]).unwrap();
    decoder.end().unwrap();
    rows.extend(decoder.take(true).unwrap().map(|batch| batch.num_rows()));
    assert_eq!(rows, [2, 2, 1]);
}
