use super::*;

#[test]
fn names_and_texts_stay_in_their_quotes() {
    assert_eq!(
        identifier("a\"; DROP TABLE t; --"),
        "\"a\"\"; DROP TABLE t; --\""
    );
    assert_eq!(
        text("it's \\' all").as_deref(),
        Some("'it''s \\'' all'::pg_catalog.text")
    );
    assert_eq!(text("a\0b"), None);
    let selection = Selection {
        columns: &["a", "b\"c"],
        table: ("s", "t"),
        condition: Some("(\"a\" IS NULL)"),
        limit: Some(3),
    };
    assert_eq!(
        copy(&selection),
        "COPY (SELECT \"a\", \"b\"\"c\" FROM \"s\".\"t\" WHERE (\"a\" IS NULL) LIMIT 3) TO STDOUT (FORMAT binary)"
    );
}

#[test]
fn a_table_of_another_database_is_none() {
    let parts_of = |name: &str| {
        let table: TableName = name.parse().unwrap();
        parts(&table, "db").map(|(schema, name)| (schema.to_owned(), name.to_owned()))
    };
    let named = |schema: &str| Some((schema.to_owned(), "t".to_owned()));
    assert_eq!(parts_of("t"), named("public"));
    assert_eq!(parts_of("s.t"), named("s"));
    assert_eq!(parts_of("db.s.t"), named("s"));
    assert_eq!(parts_of("other.s.t"), None);
}
