use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema};
use serde_json::json;

use super::*;

fn stream() -> Vec<u8> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("month", DataType::Utf8, false),
        Field::new("flights", DataType::Int64, true),
        Field::new("mean", DataType::Float64, true),
    ]));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(StringArray::from(vec!["2013-01", "2013\t02\u{1b}[2J"])),
            Arc::new(Int64Array::from(vec![Some(120), None])),
            Arc::new(Float64Array::from(vec![Some(0.5), None])),
        ],
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn a_table_is_read_with_its_types_and_cannot_move_the_cursor() {
    let rows = Rows::read(&stream()).unwrap();
    assert_eq!(rows.columns, ["month", "flights", "mean"]);
    assert_eq!(rows.values[0], json!(["2013-01", 120, 0.5]));
    assert_eq!(rows.values[1][1], Value::Null);
    assert_eq!(tab_separated(&rows.values[0]), "2013-01\t120\t0.5");
    let shown = tab_separated(&rows.values[1]);
    assert!(
        !shown.contains('\u{1b}') && shown.matches('\t').count() == 2,
        "{shown:?}"
    );
}

#[test]
fn what_is_no_table_is_refused() {
    let whole = stream();
    for wrong in [&b""[..], b"PAR1", &whole[..whole.len() - 16]] {
        assert!(Rows::read(wrong).is_err());
    }
}
