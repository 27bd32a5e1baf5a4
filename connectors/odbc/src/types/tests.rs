use super::*;

#[test]
fn every_name_of_a_type_reads_back() {
    for text in [
        "binary",
        "bool",
        "date",
        "decimal(38, 38)",
        "float32",
        "float64",
        "int16",
        "int32",
        "int64",
        "text",
        "time",
        "timestamp",
        "timestamp_ns",
        "timestamp_utc",
    ] {
        assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
    }
    assert_eq!(
        "decimal(9,2)".parse(),
        Ok(ColumnType::Decimal {
            precision: 9,
            scale: 2
        })
    );
}

#[test]
fn a_type_that_arrow_cannot_hold_is_refused() {
    for text in [
        "decimal(39,0)",
        "decimal(0,0)",
        "decimal(5,6)",
        "decimal(+5,2)",
        "decimal(5,-2)",
        "decimal(5)",
        "INT32",
        "int",
        "",
        "decimal(5, 2",
        "text ",
        "decimal(005,2)",
    ] {
        assert!(text.parse::<ColumnType>().is_err(), "{text}");
    }
    assert_eq!(ColumnType::decimal(5, -2), None);
}
