use super::*;
use crate::request::Select;

fn rendered(dialect: Dialect, sql: &str) -> Result<String, DatesRefused> {
    let select: Select = sql.parse().unwrap();
    dialect.select(&select.columns, &[true], &select.table, &select.predicates)
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

#[test]
fn moments_are_cast_where_the_driver_cannot_be_trusted_with_them() {
    let sql = r#"SELECT "a""b", "c" FROM "t""#;
    let with = |moments, quote| {
        let dialect = Dialect {
            moments,
            quote,
            ..Dialect::default()
        };
        rendered(dialect, sql).unwrap()
    };
    assert_eq!(
        with(Moments::CastVarchar, Quote::Double),
        r#"SELECT CAST("a""b" AS VARCHAR(64)), "c" FROM "t""#
    );
    assert_eq!(
        with(Moments::CastChar, Quote::Backtick),
        r#"SELECT CAST(`a"b` AS CHAR(64)), `c` FROM `t`"#
    );
    assert_eq!(with(Moments::Driver, Quote::Double), sql);
}
