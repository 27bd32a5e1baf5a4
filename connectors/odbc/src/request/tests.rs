use super::*;
use crate::types::ColumnType;

fn refused(sql: &str) -> RequestRefused {
    sql.parse::<Select>().expect_err(sql)
}

#[test]
fn the_whole_form_parses() {
    let select: Select =
        r#"select "a", "b""c" FROM "s"."t" WHERE "a" >= -10.5 AND "d" NOT IN (DATE '2020-01-31')
        and "e" IS NOT NULL AND "f" <> TIMESTAMP '1969-12-31 23:59:59.123456' LIMIT 7"#
            .parse()
            .unwrap();
    assert_eq!(select.columns, ["a", "b\"c"]);
    assert_eq!(select.table, ["s", "t"]);
    assert_eq!(select.limit, Some(7));
    assert_eq!(select.predicates.len(), 4);
    assert_eq!(
        select.predicates[0].test,
        Test::Compare(
            Comparison::GreaterOrEqual,
            Literal::Number("-10.5".to_owned().try_into().unwrap())
        )
    );
    assert_eq!(select.predicates[2].test, Test::IsNull { negated: true });
}

#[test]
fn anything_else_of_sql_is_refused() {
    for sql in [
        "",
        "SELECT",
        "SELECT * FROM \"t\"",
        "SELECT a FROM \"t\"",
        "SELECT \"a\" FROM t",
        "SELECT \"a\" FROM \"t\";",
        "SELECT \"a\" FROM \"t\"; DROP TABLE \"t\"",
        "SELECT \"a\" FROM \"t\" -- rest",
        "SELECT \"a\" FROM \"t\" /* rest */",
        "SELECT \"a\" FROM \"t\" UNION SELECT \"a\" FROM \"u\"",
        "SELECT \"a\", FROM \"t\"",
        "SELECT \"a\" AS \"b\" FROM \"t\"",
        "SELECT \"a\" FROM \"t\" \"u\"",
        "SELECT \"a\" FROM \"t\", \"u\"",
        "SELECT \"a\" FROM (SELECT \"a\" FROM \"t\")",
        "SELECT DISTINCT \"a\" FROM \"t\"",
        "SELECT \"a\" FROM \"t\" WHERE",
        "SELECT \"a\" FROM \"t\" WHERE 1 = 1",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = \"b\"",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 'x'",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 1 OR \"a\" = 2",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = NULL",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 1e5",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 0x10",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = --1",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 1.2.3",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = 1.",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" >> 1",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" IN ()",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = DATE '2020-01-31 00:00:00'",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = DATE '2020-01-31''; --'",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = TIMESTAMP '2020-01-31 00:00:00.'",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = TIMESTAMP '2020-01-31T00:00:00'",
        "SELECT \"a\" FROM \"t\" WHERE \"a\" = ?",
        "SELECT \"a\" FROM \"t\" LIMIT -1",
        "SELECT \"a\" FROM \"t\" LIMIT 99999999999999999999999",
        "SELECT \"a\" FROM \"t\" LIMIT 1 OFFSET 2",
        "SELECT \"a\" FROM \"t\" FOR UPDATE",
        "SELECT \"a\" FROM \"t",
        "SELECT \"a\u{0}\" FROM \"t\"\u{0}",
        "DELETE FROM \"t\"",
    ] {
        let refusal = refused(sql);
        assert!(
            matches!(refusal, RequestRefused::Form(_)),
            "{sql}: {refusal}"
        );
    }
}

#[test]
fn names_are_bounded_and_plain() {
    assert_eq!(refused("SELECT \"\" FROM \"t\""), RequestRefused::Name);
    assert_eq!(refused("SELECT \"a\nb\" FROM \"t\""), RequestRefused::Name);
    assert_eq!(
        refused("SELECT \"a\u{0}\" FROM \"t\""),
        RequestRefused::Name
    );
    let long = "x".repeat(129);
    assert_eq!(
        refused(&format!("SELECT \"{long}\" FROM \"t\"")),
        RequestRefused::Name
    );
    assert_eq!(
        refused("SELECT \"a\", \"a\" FROM \"t\""),
        RequestRefused::ColumnTwice
    );
}

#[test]
fn size_is_bounded() {
    let many: Vec<String> = (0..=ITEMS_MAX).map(|n| format!("\"c{n}\"")).collect();
    assert_eq!(
        refused(&format!("SELECT {} FROM \"t\"", many.join(","))),
        RequestRefused::TooLong
    );
    assert_eq!(
        refused("SELECT \"a\" FROM \"c\".\"s\".\"t\".\"x\""),
        RequestRefused::TooLong
    );
    let long = format!("SELECT \"a\" FROM \"t\"{}", " ".repeat(BYTES_MAX));
    assert_eq!(refused(&long), RequestRefused::TooLong);
    let values = vec!["1"; ITEMS_MAX + 1].join(",");
    assert_eq!(
        refused(&format!(
            "SELECT \"a\" FROM \"t\" WHERE \"a\" IN ({values})"
        )),
        RequestRefused::TooLong
    );
}

#[test]
fn a_refusal_repeats_nothing_of_the_request() {
    let refusal = refused("SELECT \"a\" FROM \"t\" WHERE \"a\" = 'CANARY-7731'");
    assert!(!refusal.to_string().contains("CANARY"), "{refusal}");
}

#[test]
fn values_are_compared_with_columns_of_their_own_kind_only() {
    let fits = |test: &str, column_type: ColumnType| {
        let select: Select = format!("SELECT \"a\" FROM \"t\" WHERE \"a\" {test}")
            .parse()
            .unwrap();
        select.predicates[0].fits(&Column {
            name: "a".to_owned(),
            column_type,
            nullable: true,
        })
    };
    assert!(fits("= 1", ColumnType::Int64));
    assert!(fits(
        "= 1.50",
        ColumnType::Decimal {
            precision: 9,
            scale: 2
        }
    ));
    assert!(fits("= DATE '2020-01-31'", ColumnType::Date));
    assert!(fits("IS NULL", ColumnType::Text));
    assert!(!fits("= 1", ColumnType::Text));
    assert!(!fits("= 1", ColumnType::Float64));
    assert!(!fits("IN (1, DATE '2020-01-31')", ColumnType::Int32));
    assert!(!fits("= DATE '2020-01-31'", ColumnType::Timestamp));
    assert!(!fits(
        "= TIMESTAMP '2020-01-31 00:00:00'",
        ColumnType::TimestampUtc
    ));
}

/// Text of every kind of byte must be refused or parsed, never panic; the seed makes a failure repeatable.
#[test]
fn garbage_never_panics() {
    let pieces = [
        "SELECT ", "\"", "a", "名", "'", "-", ".", "<", ">", "=", "(", ")", ",", " WHERE ",
        " FROM ", "DATE ", "0", "\u{0}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut sql = String::new();
        for _ in 0..12 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sql.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let _ = sql.parse::<Select>();
    }
}
