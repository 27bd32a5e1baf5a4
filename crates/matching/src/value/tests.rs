use super::Value;

#[test]
fn debug_names_the_type_and_not_the_content() {
    let values = [
        Value::Date(4_711),
        Value::Integer(4_711),
        Value::Null,
        Value::Text("4711"),
    ];
    let shown = format!("{values:?} {values:#?}");
    assert!(
        !shown.contains("4711") && !shown.contains("4_711"),
        "{shown}"
    );
    for name in ["Date", "Integer", "Null", "Text"] {
        assert!(shown.contains(name), "{shown}");
    }
}
