use super::*;

#[test]
fn names_stay_in_their_quotes_and_texts_are_digits() {
    assert_eq!(
        identifier("a`; DROP TABLE t; --"),
        "`a``; DROP TABLE t; --`"
    );
    assert_eq!(text("it's"), "_utf8mb4 X'69742773'");
    let selection = Selection {
        columns: &[],
        table: ("d", "t`"),
        condition: None,
        limit: Some(3),
    };
    assert_eq!(select(&selection), "SELECT 1 FROM `d`.`t``` LIMIT 3");
    let parts_of = |name: &str| parts(&name.parse().unwrap(), "d").is_some();
    assert_eq!(
        ["t", "d.t", "e.t", "d.d.t"].map(parts_of),
        [true, true, false, false]
    );
}
