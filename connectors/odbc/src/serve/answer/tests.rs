use super::*;

#[test]
fn patterns_match_as_in_sql() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("%", "", true),
        ("人%", "人员", true),
        ("_", "员", true),
        ("__", "员", false),
        ("P_OPLE", "PEOPLE", true),
        ("%PLE", "PEOPLE", true),
        ("P%L%E", "PEOPLE", true),
        ("P%X", "PEOPLE", false),
        ("people", "PEOPLE", false),
        (
            "%%%%%%%%%%%%%%%%%%%%b",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            false,
        ),
    ] {
        assert_eq!(
            like(pattern.as_bytes(), text.as_bytes()),
            expected,
            "{pattern} {text}"
        );
    }
}
