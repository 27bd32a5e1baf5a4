use arrow_odbc::odbc_api::buffers::ColumnarDynBuffer;

use super::*;

fn reader(column_type: &str, reported: DataType) -> Reader {
    let column_type = column_type.parse().unwrap();
    Reader::new(column_type, true, reported, &Dialect::default(), 1_000)
}

#[test]
fn a_driver_is_never_asked_to_convert_between_kinds_that_lose() {
    let decimal = DataType::Decimal {
        precision: 10,
        scale: 2,
    };
    assert_eq!(reader("int64", decimal).way, Way::IntegerText);
    assert_eq!(reader("int32", DataType::BigInt).way, Way::IntegerText);
    assert_eq!(reader("int64", DataType::Integer).way, Way::I64);
    assert_eq!(reader("bool", DataType::Integer).way, Way::TruthText);
    let timestamp = DataType::Timestamp { precision: 0 };
    assert_eq!(reader("date", timestamp).way, Way::DateOfTimestamp);
    let text = DataType::Varchar { length: None };
    assert_eq!(reader("date", text).way, Way::DateText);
    assert_eq!(reader("timestamp_utc", text).way, Way::TimestampText);
    assert_eq!(integer::<i16>(b"32768"), Err(Unfit));
    assert_eq!(integer::<i16>(b"-32768.00"), Ok(-32_768));
    assert_eq!(integer::<i64>(b"1.5"), Err(Unfit));
    assert_eq!(truth_text(b"2"), Err(Unfit));
}

#[test]
fn buffers_are_bounded_whatever_a_driver_reports() {
    let length = |length: usize| DataType::Varchar {
        length: length.try_into().ok(),
    };
    for (reported, expected) in [(0, 1_000), (1, 8), (100, 400), (usize::MAX / 8, 1_000)] {
        assert_eq!(
            reader("text", length(reported)).buffer(),
            BufferDesc::Text {
                max_str_len: expected
            },
            "{reported}"
        );
    }
}

#[test]
fn a_fresh_buffer_is_null_and_a_declared_column_refuses_that() {
    let mut reader = reader("text", DataType::Varchar { length: None });
    let filled = ColumnarDynBuffer::from_descs(2, [reader.buffer()]);
    // The driver has filled no row yet.
    assert_eq!(reader.array(filled.column(0)).unwrap().len(), 0);
    reader.nullable = false;
    assert!(reader.array(filled.column(0)).is_ok());
}
