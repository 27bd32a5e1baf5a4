//! Debian's drivers for PostgreSQL and MariaDB against the real servers, with the profiles of `deploy/odbc/`.

mod start;

use std::path::Path;

use tonic::Code;

use self::start::{MariaDb, Postgres};
use crate::program::{Program, drivers, reason};

/// The profile of `deploy/odbc/` with this machine's driver, server and tables; `replace` says what else differs.
fn source(profile: &str, driver: &str, replace: &[(&str, String)], tables: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/odbc")
        .join(profile);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, source) = text.split_once("[[source]]").unwrap();
    let (source, _) = source.split_once("[[source.table]]").unwrap();
    let (odbc, libraries) = drivers();
    let mut source = source.to_owned();
    let mut put = |from: &str, to: &str| {
        assert!(source.contains(from), "{from} is not in {profile}");
        source = source.replace(from, to);
    };
    put(
        &format!("/usr/lib/x86_64-linux-gnu/odbc/{driver}"),
        odbc.join(driver).to_str().unwrap(),
    );
    put(
        "\nsecrets",
        &format!(
            "\nenvironment = {{ LD_LIBRARY_PATH = \"{}\" }}\nsecrets",
            libraries.display()
        ),
    );
    for (from, to) in replace {
        put(from, to);
    }
    format!("[[source]]{source}{tables}")
}

/// A program with a password file beside its configuration.
fn program(password_file: &str, source: &str) -> Program {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(password_file);
    std::fs::write(&path, "pass;wo}rd\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    Program::start_in(directory, "", source)
}

const POSTGRES: &str = "
CREATE ROLE lingqu_reader LOGIN PASSWORD 'pass;wo}rd';
CREATE TABLE people (id bigint NOT NULL, name varchar(40), code char(6), born date, pay numeric(12,2), seen timestamp,
  zoned timestamptz, raw bytea, score double precision, small smallint, ok boolean, at time, note text, free numeric, u uuid);
INSERT INTO people VALUES
  (1, '张三', 'ab', '1969-12-31', 1234.50, '2024-02-29 23:59:59.123456', '2024-03-01 08:00:00+08', '\\x0001', 1.5, -7, true,
   '23:59:59.5', 'n', 1.25, '00000000-0000-0000-0000-000000000001'),
  (-9223372036854775808, NULL, NULL, '0001-01-01', -0.01, '1969-12-31 23:59:59.999999', NULL, NULL, NULL, NULL, NULL, NULL, '',
   1.23456789, NULL);
CREATE TABLE forever (d date, bc date, t timestamp);
INSERT INTO forever VALUES ('infinity', '2020-01-01', NULL), ('2020-01-01', '0044-03-15 BC', 'infinity');
CREATE TABLE hidden (id int);
GRANT SELECT ON people, forever TO lingqu_reader;
CREATE TABLE many AS SELECT g AS id, repeat('x', 100) AS text FROM generate_series(1, 50000) g;
GRANT SELECT ON many TO lingqu_reader;
";

const POSTGRES_TABLES: &str = r#"
[[source.table]]
name = ["public", "people"]
[[source.table]]
name = ["people"]
columns = [
  { name = "id", type = "int64", nullable = false },
  { name = "zoned", type = "timestamp_utc" },
  { name = "pay", type = "decimal(12, 2)" },
]
[[source.table]]
name = ["forever"]
[[source.table]]
name = ["hidden"]
[[source.table]]
name = ["gone"]
[[source.table]]
name = ["many"]
"#;

#[tokio::test]
async fn postgresql_through_debians_driver() {
    let server = Postgres::start();
    server.execute(POSTGRES);
    let source = source(
        "postgresql.toml",
        "psqlodbcw.so",
        &[
            ("\"5432\"", format!("\"{}\"", server.port)),
            ("\"hr\"", "\"postgres\"".to_owned()),
            ("verify-full", "disable".to_owned()),
        ],
        POSTGRES_TABLES,
    );
    let program = program("postgresql.password", &source);
    let mut client = program.client("postgresql").await;
    let rows = client
        .rows(
            r#"SELECT "id", "name", "code", "born", "pay", "seen", "raw", "score", "small", "ok", "at", "note", "u" FROM "public"."people""#,
        )
        .await
        .unwrap();
    assert_eq!(
        rows,
        [
            "1|张三|ab|1969-12-31|1234.50|2024-02-29T23:59:59.123456|0001|1.5|-7|true|23:59:59.500|n|00000000-0000-0000-0000-000000000001",
            "-9223372036854775808|NULL|NULL|0001-01-01|-0.01|1969-12-31T23:59:59.999999|NULL|NULL|NULL|NULL|NULL||NULL",
        ]
    );
    let declared = client
        .rows(r#"SELECT "zoned", "id", "pay" FROM "people" WHERE "id" > 0"#)
        .await;
    assert_eq!(declared.unwrap(), ["2024-03-01T00:00:00Z|1|1234.50"]);
    for (predicate, expected) in [
        (r#""born" = DATE '1969-12-31'"#, 1),
        (r#""seen" < TIMESTAMP '1970-01-01 00:00:00'"#, 1),
        (r#""pay" IN (1234.5, 7)"#, 1),
        (r#""pay" <> 0 AND "id" IS NOT NULL"#, 2),
    ] {
        let sql = format!(r#"SELECT "id" FROM "public"."people" WHERE {predicate}"#);
        assert_eq!(
            client.rows(&sql).await.unwrap().len(),
            expected,
            "{predicate}"
        );
    }
    for (sql, word) in [
        // More digits than the driver reports for a number without declared precision.
        (r#"SELECT "free" FROM "public"."people""#, "VALUE_UNFIT"),
        // The driver itself would make them today, the year 44 of our era, and the year 9999.
        (r#"SELECT "d" FROM "forever""#, "VALUE_UNFIT"),
        (r#"SELECT "bc" FROM "forever""#, "VALUE_UNFIT"),
        (r#"SELECT "t" FROM "forever""#, "VALUE_UNFIT"),
        (r#"SELECT "id" FROM "hidden""#, "TABLE_MISSING"),
        (r#"SELECT "id" FROM "gone""#, "TABLE_MISSING"),
        (r#"SELECT "ID" FROM "people""#, "COLUMN_MISSING"),
    ] {
        let error = client.rows(sql).await.expect_err(sql);
        assert_eq!(reason(&error).1, word, "{sql}: {error}");
    }
    let many = client
        .rows(r#"SELECT "text", "id" FROM "many""#)
        .await
        .unwrap();
    assert_eq!(many.len(), 50_000);
    assert!(many[49_999].ends_with("x|50000"));
    server.execute("ALTER ROLE lingqu_reader PASSWORD 'other'");
    let error = client
        .rows(r#"SELECT "id" FROM "people""#)
        .await
        .unwrap_err();
    assert!(
        matches!(error.code(), Code::Unauthenticated | Code::Unavailable),
        "{error}"
    );
    assert!(!format!("{error:?}{}", program.stop()).contains("wo}rd"));
}

const MARIADB: &str = "SET NAMES utf8mb4;\n\
CREATE DATABASE hr CHARACTER SET utf8mb4;\n\
CREATE USER lingqu_reader@'127.0.0.1' IDENTIFIED BY 'pass;wo}rd';\n\
GRANT SELECT ON hr.* TO lingqu_reader@'127.0.0.1';\n\
CREATE TABLE hr.people (id BIGINT UNSIGNED NOT NULL, name VARCHAR(40), code CHAR(6), born DATE, pay DECIMAL(12,2), seen DATETIME(6), raw VARBINARY(8), score DOUBLE, small SMALLINT UNSIGNED, at TIME(1), note TEXT, gbk VARCHAR(20) CHARACTER SET gbk);\n\
INSERT INTO hr.people VALUES (1, '张三', 'ab', '1969-12-31', 1234.50, '2024-02-29 23:59:59.123456', x'0001', 1.5, 65535, '23:59:59.5', 'n', '社保');\n\
INSERT INTO hr.people VALUES (18446744073709551615, NULL, NULL, '1000-01-01', -0.01, '1969-12-31 23:59:59.999999', NULL, NULL, NULL, NULL, '', NULL);\n\
CREATE TABLE hr.zero (d DATE, t TIME);\n\
SET SESSION sql_mode = '';\n\
INSERT INTO hr.zero VALUES ('0000-00-00', '838:59:59');\n\
CREATE TABLE hr.`odd``name` (`a``b` INT);\n\
INSERT INTO hr.`odd``name` VALUES (7);";

const MARIADB_TABLES: &str = r#"
[[source.table]]
name = ["hr", "people"]
[[source.table]]
name = ["hr", "zero"]
[[source.table]]
name = ["hr", "odd`name"]
[[source.table]]
name = ["hr", "gone"]
"#;

#[tokio::test]
async fn mariadb_through_debians_driver() {
    let server = MariaDb::start(MARIADB);
    let source = source(
        "mariadb.toml",
        "libmaodbc.so",
        &[("\"3306\"", format!("\"{}\"", server.port))],
        MARIADB_TABLES,
    );
    let program = program("mariadb.password", &source);
    let mut client = program.client("mariadb").await;
    let rows = client
        .rows(
            r#"SELECT "id", "name", "code", "born", "pay", "seen", "raw", "score", "small", "at", "note", "gbk" FROM "hr"."people""#,
        )
        .await
        .unwrap();
    assert_eq!(
        rows,
        [
            "1|张三|ab|1969-12-31|1234.50|2024-02-29T23:59:59.123456|0001|1.5|65535|23:59:59.500|n|社保",
            "18446744073709551615|NULL|NULL|1000-01-01|-0.01|1969-12-31T23:59:59.999999|NULL|NULL|NULL|NULL||NULL",
        ]
    );
    let odd = client
        .rows(r#"SELECT "a`b" FROM "hr"."odd`name""#)
        .await
        .unwrap();
    assert_eq!(odd, ["7"]);
    let some = client
        .rows(r#"SELECT "small" FROM "hr"."people" WHERE "id" = 18446744073709551615 OR "id" = 1"#)
        .await;
    assert_eq!(reason(&some.unwrap_err()).1, "REQUEST_INVALID");
    let some = client
        .rows(r#"SELECT "small" FROM "hr"."people" WHERE "born" >= DATE '1969-01-01'"#)
        .await;
    assert_eq!(some.unwrap(), ["65535"]);
    for (sql, word) in [
        (r#"SELECT "t" FROM "hr"."zero""#, "VALUE_UNFIT"),
        (r#"SELECT "d" FROM "hr"."zero""#, "VALUE_UNFIT"),
        (r#"SELECT "x" FROM "hr"."gone""#, "TABLE_MISSING"),
    ] {
        let error = client.rows(sql).await.expect_err(sql);
        assert_eq!(reason(&error).1, word, "{sql}: {error}");
    }
}
