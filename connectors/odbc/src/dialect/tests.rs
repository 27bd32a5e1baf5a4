use super::*;
use crate::request::Select;

fn rendered(dialect: Dialect, sql: &str) -> Result<String, DatesRefused> {
    let select: Select = sql.parse().unwrap();
    dialect.select(&select.columns, &select.table, &select.predicates)
}

#[test]
fn names_cannot_leave_their_quotes() {
    let sql = r#"SELECT "a""; DROP TABLE x; --", "b`]c" FROM "s""x"."t]; DELETE FROM t""#;
    let with = |quote| {
        rendered(
            Dialect {
                quote,
                ..Dialect::default()
            },
            sql,
        )
        .unwrap()
    };
    assert_eq!(with(Quote::Double), sql);
    assert_eq!(
        with(Quote::Backtick),
        r#"SELECT `a"; DROP TABLE x; --`, `b``]c` FROM `s"x`.`t]; DELETE FROM t`"#
    );
    assert_eq!(
        with(Quote::Bracket),
        r#"SELECT [a"; DROP TABLE x; --], [b`]]c] FROM [s"x].[t]]; DELETE FROM t]"#
    );
}

#[test]
fn values_are_written_from_checked_digits() {
    let sql = r#"SELECT "a" FROM "t" WHERE "a" IN (-1, 2.50) AND "b" < DATE '2020-01-31' AND "c" IS NULL"#;
    let with = |dates| {
        rendered(
            Dialect {
                dates,
                ..Dialect::default()
            },
            sql,
        )
    };
    assert_eq!(with(Dates::Ansi).unwrap(), sql);
    assert_eq!(
        with(Dates::Escape).unwrap(),
        r#"SELECT "a" FROM "t" WHERE "a" IN (-1, 2.50) AND "b" < {d '2020-01-31'} AND "c" IS NULL"#
    );
    assert_eq!(with(Dates::Refused), Err(DatesRefused));
}

#[test]
fn describing_asks_for_no_row() {
    let dialect = Dialect::default();
    assert_eq!(
        dialect.describe(&[], &["t".to_owned()]),
        r#"SELECT * FROM "t" WHERE 1 = 0"#
    );
}
