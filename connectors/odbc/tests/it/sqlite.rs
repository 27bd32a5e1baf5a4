//! Debian's driver for SQLite: the whole way, without a server.

use arrow_flight::sql::CommandGetTables;
use sqlx::{Connection, Executor};

use crate::program::{Program, described, drivers, reason};
use tonic::Code;

async fn database(path: &std::path::Path, statements: &[&str]) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in statements {
        connection
            .execute(sqlx::AssertSqlSafe(*statement))
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}

async fn start(statements: &[&str], tables: &str) -> Program {
    let directory = tempfile::tempdir().unwrap();
    database(&directory.path().join("t.db"), statements).await;
    let (odbc, libraries) = drivers();
    let source = format!(
        r#"
[[source]]
name = "lite"
driver = "{}/libsqlite3odbc.so"
parameters = {{ Database = "DIR/t.db" }}
environment = {{ LD_LIBRARY_PATH = "{}" }}
limits = {{ batch_rows = 2, text_bytes_max = 64 }}
{tables}
"#,
        odbc.display(),
        libraries.display()
    );
    Program::start_in(directory, "", &source)
}

const PEOPLE: &[&str] = &[
    "CREATE TABLE \"people\" (id INTEGER NOT NULL, name VARCHAR(20), born DATE, pay DECIMAL(12,2), seen TIMESTAMP, \
     score DOUBLE, \"odd \"\"name]`\" INTEGER)",
    "INSERT INTO \"people\" VALUES (1, '张三', '1969-12-31', '1234.50', '2024-02-29 23:59:59', 1.5, 1)",
    "INSERT INTO \"people\" VALUES (2, NULL, '2000-02-29', '-0.01', '1969-12-31 23:59:59.123', NULL, 2)",
    "INSERT INTO \"people\" VALUES (3, '', NULL, NULL, NULL, -0.5, NULL)",
    "CREATE TABLE \"secrets\" (id INTEGER)",
    "INSERT INTO \"secrets\" VALUES (7731)",
    "CREATE TABLE \"bad\" (amount VARCHAR(30), day VARCHAR(10), long VARCHAR(200), id INTEGER)",
    "INSERT INTO \"bad\" VALUES ('12.345', '2021-02-30', 'CANARY-7731', 1)",
    "INSERT INTO \"bad\" VALUES ('12.34', '2021-02-28', printf('%200s', 'CANARY-7731'), 2)",
];

const TABLES: &str = r#"
[[source.table]]
name = ["people"]
[[source.table]]
name = ["gone"]
[[source.table]]
name = ["bad"]
columns = [
  { name = "amount", type = "decimal(5,2)" },
  { name = "day", type = "date" },
  { name = "long", type = "text" },
  { name = "id", type = "int32", nullable = false },
]
"#;

#[tokio::test]
async fn rows_arrive_as_they_are() {
    let program = start(PEOPLE, TABLES).await;
    let mut client = program.client("lite").await;
    let rows = client
        .rows(r#"SELECT "id", "name", "born", "seen", "score", "odd ""name]`" FROM "people""#)
        .await
        .unwrap();
    assert_eq!(
        rows,
        [
            "1|张三|1969-12-31|2024-02-29T23:59:59|1.5|1",
            "2|NULL|2000-02-29|1969-12-31T23:59:59.123|NULL|2",
            "3||NULL|NULL|-0.5|NULL",
        ]
    );
    // Columns in the order in which they are asked for, rows that a predicate lets through, as many as wanted.
    let rows = client
        .rows(r#"SELECT "name", "id" FROM "people" WHERE "id" >= 2 AND "name" IS NOT NULL"#)
        .await
        .unwrap();
    assert_eq!(rows, ["|3"]);
    let rows = client
        .rows(r#"SELECT "id" FROM "people" LIMIT 1"#)
        .await
        .unwrap();
    assert_eq!(rows, ["1"]);
    let rows = client
        .rows(r#"SELECT "id" FROM "people" WHERE "id" NOT IN (1, 3)"#)
        .await
        .unwrap();
    assert_eq!(rows, ["2"]);
    let rows = client
        .rows(r#"SELECT "id" FROM "people" LIMIT 0"#)
        .await
        .unwrap();
    assert!(rows.is_empty());
    let counters = client.counters().await;
    assert_eq!(counters["done"], 5);
    assert_eq!(counters["rows"], 6);
    assert_eq!(counters["crashed"], 0);
}

#[tokio::test]
async fn tables_are_described_by_the_database() {
    let program = start(PEOPLE, TABLES).await;
    let mut client = program.client("lite").await;
    let wanted = |name: &str| CommandGetTables {
        include_schema: true,
        table_name_filter_pattern: Some(name.to_owned()),
        ..CommandGetTables::default()
    };
    let schema = described(&client.tables(wanted("people")).await.unwrap());
    let types: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    assert_eq!(types[0], "id Int32");
    assert_eq!(types[1], "name Utf8");
    assert_eq!(types[2], "born Date32");
    assert!(types[4].starts_with("seen Timestamp"), "{types:?}");
    assert_eq!(types[5], "score Float64");
    // A table that is not there is a reason if it is the only one, and is left out beside others.
    let gone = client.tables(wanted("gone")).await.unwrap_err();
    // This driver says of every error that it is a general one.
    assert_eq!(reason(&gone), (Code::Internal, "SOURCE_FAILED".to_owned()));
    let all = CommandGetTables {
        include_schema: true,
        ..CommandGetTables::default()
    };
    let batches = client.tables(all).await.unwrap();
    assert_eq!(batches[0].num_rows(), 2);
    // Tables that the configuration does not name do not exist.
    let hidden = client.tables(wanted("secrets")).await.unwrap();
    assert_eq!(
        hidden
            .iter()
            .map(arrow_array::RecordBatch::num_rows)
            .sum::<usize>(),
        0
    );
    let refused = client
        .rows(r#"SELECT "id" FROM "secrets""#)
        .await
        .unwrap_err();
    assert_eq!(
        reason(&refused),
        (Code::NotFound, "TABLE_MISSING".to_owned())
    );
    let info = client.sql_info().await.unwrap();
    assert!(info[0].num_rows() >= 5);
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_without_the_value() {
    let program = start(PEOPLE, TABLES).await;
    let mut client = program.client("lite").await;
    for (sql, word) in [
        (r#"SELECT "amount" FROM "bad""#, "VALUE_UNFIT"),
        (r#"SELECT "day" FROM "bad""#, "VALUE_UNFIT"),
        (r#"SELECT "long" FROM "bad""#, "VALUE_TOO_LONG"),
        (r#"SELECT "nothing" FROM "bad""#, "COLUMN_MISSING"),
        (
            r#"SELECT "id" FROM "bad" WHERE "long" = 1"#,
            "PREDICATE_UNFIT",
        ),
        (
            r#"SELECT "id" FROM "bad" WHERE "day" = DATE '2021-02-28'"#,
            "PREDICATE_UNFIT",
        ),
        (r#"SELECT "id" FROM "gone""#, "SOURCE_FAILED"),
    ] {
        let error = client.rows(sql).await.expect_err(sql);
        assert_eq!(reason(&error).1, word, "{sql}: {error}");
        for secret in ["CANARY", "12.345", "2021-02-30"] {
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
    let good = client
        .rows(r#"SELECT "amount", "day", "id" FROM "bad" WHERE "id" = 2"#)
        .await
        .unwrap();
    assert_eq!(good, ["12.34|2021-02-28|2"]);
    let log = program.stop();
    assert!(log.contains("failed") && !log.contains("CANARY"), "{log}");
}

#[tokio::test]
async fn a_limit_ends_a_reading_with_an_error_and_never_with_fewer_rows() {
    let program = start(PEOPLE, "[[source.table]]\nname = [\"people\"]\n").await;
    drop(program);
    let directory = tempfile::tempdir().unwrap();
    database(&directory.path().join("t.db"), PEOPLE).await;
    let (odbc, libraries) = drivers();
    let source = format!(
        "[[source]]\nname = \"lite\"\ndriver = \"{}/libsqlite3odbc.so\"\nparameters = {{ Database = \"DIR/t.db\" }}\n\
         environment = {{ LD_LIBRARY_PATH = \"{}\" }}\nlimits = {{ rows_max = 2, batch_rows = 1 }}\n\
         [[source.table]]\nname = [\"people\"]\n",
        odbc.display(),
        libraries.display()
    );
    let program = Program::start_in(directory, "", &source);
    let mut client = program.client("lite").await;
    let error = client
        .rows(r#"SELECT "id" FROM "people""#)
        .await
        .unwrap_err();
    assert_eq!(
        reason(&error),
        (Code::ResourceExhausted, "TOO_LARGE".to_owned())
    );
    assert_eq!(
        client
            .rows(r#"SELECT "id" FROM "people" LIMIT 2"#)
            .await
            .unwrap()
            .len(),
        2
    );
}
