use std::path::Path;

use lingqu_connector_sdk::{LoadRequest, ReadLimits, SourceError};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::fixtures::{load, query, rows, source};

async fn database(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

const PEOPLE: &str = "
CREATE TABLE people (
  id INTEGER PRIMARY KEY, name VARCHAR(20) COLLATE NOCASE, paid DECIMAL(18, 2), born DATE,
  seen DATETIME, share REAL, ok BOOLEAN, photo BLOB);
INSERT INTO people VALUES
  (1, '灵渠', 12.5, '1949-10-01', '2024-02-29 08:00:00', 0.5, 1, x'00ff'),
  (2, '', '0.10', NULL, NULL, 2, 0, x''),
  (9007199254740993, NULL, 7, '2024-02-29', '2024-02-29T08:00:00.25', NULL, NULL, NULL);
CREATE VIEW named AS SELECT id, name FROM people WHERE name IS NOT NULL;
";

#[tokio::test]
async fn values_have_the_declared_types() {
    let base = tempfile::tempdir().unwrap();
    database(&base.path().join("a.db"), PEOPLE).await;
    let source = source("sqlite", "path = \"a.db\"", base.path());
    let described = source.describe().await.unwrap();
    let names: Vec<String> = described.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["named", "people"]);
    let columns = ["id", "name", "paid", "born", "seen", "share", "ok", "photo"];
    assert_eq!(
        load(source.as_ref(), "people", &columns).await.unwrap(),
        [
            "1|灵渠|12.50|1949-10-01|2024-02-29T08:00:00|0.5|true|00ff",
            "2||0.10|NULL|NULL|2.0|false|",
            "9007199254740993|NULL|7.00|2024-02-29|2024-02-29T08:00:00.250|NULL|NULL|NULL",
        ]
    );
    assert_eq!(
        load(source.as_ref(), "named", &["name"]).await.unwrap(),
        ["灵渠", ""]
    );
    let health = source.health().await.unwrap();
    assert!(health.server.starts_with("SQLite 3"), "{health:?}");
}

#[tokio::test]
async fn conditions_mean_the_same_there() {
    let base = tempfile::tempdir().unwrap();
    database(&base.path().join("a.db"), PEOPLE).await;
    database(
        &base.path().join("a.db"),
        "INSERT INTO people (id, name) VALUES (10, 'a'), (11, 'A'), (12, 'b''; DROP TABLE people; --')",
    )
    .await;
    let source = source("sqlite", "path = \"a.db\"", base.path());
    for (condition, expected) in [
        // The column's own collation takes both for the same; the engine does not.
        ("name = 'a'", &["10"][..]),
        ("name <> 'a' AND id BETWEEN 10 AND 12", &["11", "12"]),
        ("name = ''", &["2"]),
        ("name = 'b''; DROP TABLE people; --'", &["12"]),
        ("id >= 11 AND id < 100", &["11", "12"]),
        ("paid = 12.5", &["1"]),
        ("name IS NULL", &["9007199254740993"]),
        ("id > 9007199254740992", &["9007199254740993"]),
    ] {
        let sql = format!("SELECT id FROM t WHERE {condition}");
        assert_eq!(
            query(source.as_ref(), "people", &sql).await,
            expected,
            "{condition}"
        );
    }
    assert_eq!(
        query(source.as_ref(), "people", "SELECT count(*) FROM t").await,
        ["6"]
    );
    assert_eq!(
        query(source.as_ref(), "people", "SELECT id FROM t LIMIT 2")
            .await
            .len(),
        2
    );
}

#[tokio::test]
async fn a_cell_of_another_type_ends_the_reading() {
    let base = tempfile::tempdir().unwrap();
    for (at, (declared, value)) in [
        ("INTEGER", "'x'"),
        ("INTEGER", "1.5"),
        ("INTEGER", "x'01'"),
        ("TEXT", "x'ff'"),
        ("REAL", "'x'"),
        ("BLOB", "'text'"),
        ("BOOLEAN", "2"),
        ("DATE", "20240229"),
        ("DATE", "'2024-02-30'"),
        ("DECIMAL(4,2)", "0.123"),
        ("DECIMAL(4,2)", "'x'"),
        ("TEXT NOT NULL DEFAULT ''", "zeroblob(17000000)"),
        ("BLOB", "zeroblob(17000000)"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = base.path().join(format!("{at}.db"));
        let sql = format!("CREATE TABLE t (v {declared}); INSERT INTO t VALUES ({value});");
        database(&path, Box::leak(sql.into_boxed_str())).await;
        let source = source("sqlite", &format!("path = \"{at}.db\""), base.path());
        let refused = load(source.as_ref(), "t", &["v"]).await;
        let Err(SourceError::ValueUnfit { column }) = &refused else {
            panic!("{declared} {value}: {refused:?}");
        };
        assert_eq!(column, "v");
    }
}

#[tokio::test]
async fn nothing_can_be_written_or_made() {
    let base = tempfile::tempdir().unwrap();
    let missing = source("sqlite", "path = \"new.db\"", base.path());
    assert!(matches!(
        missing.health().await,
        Err(SourceError::Unreachable)
    ));
    assert!(!base.path().join("new.db").exists());
    database(&base.path().join("a.db"), PEOPLE).await;
    let before = std::fs::read(base.path().join("a.db")).unwrap();
    let source = source("sqlite", "path = \"a.db\"", base.path());
    for name in [
        "people\"; DROP TABLE people; --",
        "PEOPLE",
        "sqlite_schema",
        "people.x",
    ] {
        let table = lingqu_connector_sdk::TableName::new([name.to_owned()]).unwrap();
        let refused = source.open(&table).await;
        assert!(
            matches!(refused, Err(SourceError::TableMissing(_))),
            "{name}"
        );
    }
    assert_eq!(std::fs::read(base.path().join("a.db")).unwrap(), before);
}

#[tokio::test]
async fn a_changed_table_is_noticed_and_declared_columns_count() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("a.db");
    database(
        &path,
        "CREATE TABLE t (a, b TEXT); INSERT INTO t VALUES ('1.10', 'x')",
    )
    .await;
    // Without a declared type nobody knows what a column is.
    let plain = source("sqlite", "path = \"a.db\"", base.path());
    let refused = load(plain.as_ref(), "t", &["b"]).await;
    assert!(
        matches!(refused, Err(SourceError::ColumnType { .. })),
        "{refused:?}"
    );
    let settings = "path = \"a.db\"\n[[tables]]\nname = \"t\"\ncolumns = [{ name = \"a\", type = \"decimal(5,2)\" }]";
    let declared = source("sqlite", settings, base.path());
    assert_eq!(
        load(declared.as_ref(), "t", &["a"]).await.unwrap(),
        ["1.10"]
    );
    database(&path, "DROP TABLE t; CREATE TABLE t (c INTEGER)").await;
    let refused = load(declared.as_ref(), "t", &["a"]).await;
    assert!(
        matches!(refused, Err(SourceError::ColumnMissing(_))),
        "{refused:?}"
    );
    let source = source("sqlite", "path = \"a.db\"", base.path());
    let provider = source.open(&"t".parse().unwrap()).await.unwrap();
    database(&path, "ALTER TABLE t ADD COLUMN d TEXT").await;
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("t", provider).unwrap();
    let error = context
        .sql("SELECT c FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    let error = crate::bounded::uncarried(error);
    assert!(matches!(error, SourceError::SchemaChanged(_)), "{error:?}");
}

#[tokio::test]
async fn a_statement_without_rows_is_interrupted() {
    let base = tempfile::tempdir().unwrap();
    // Counting for ever: not one row comes, so only an interrupt inside SQLite ends it.
    let endless = "CREATE VIEW v (n) AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) \
                   SELECT CAST(n AS INTEGER) FROM c WHERE n < 0;";
    database(&base.path().join("a.db"), endless).await;
    let settings =
        "path = \"a.db\"\n[[tables]]\nname = \"v\"\ncolumns = [{ name = \"n\", type = \"int64\" }]";
    let source = source("sqlite", settings, base.path());
    let request = LoadRequest {
        table: "v".parse().unwrap(),
        columns: vec!["n".to_owned()],
        limits: ReadLimits {
            time_max: std::time::Duration::from_millis(300),
            ..ReadLimits::default()
        },
    };
    let reading = source.load(&request).await.unwrap();
    let found: Result<Vec<_>, _> =
        futures::TryStreamExt::try_collect::<Vec<_>>(reading.batches).await;
    let error = crate::bounded::uncarried(found.unwrap_err());
    assert!(matches!(error, SourceError::TimedOut), "{error:?}");
    // The thread of the driver ends with its statement; otherwise there would be one that never does.
    loop {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let busy = threads.flatten().any(|task| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.starts_with("sqlx-sqlite")
                && std::fs::read_to_string(task.path().join("stat"))
                    .is_ok_and(|stat| stat.contains(") R "))
        });
        if !busy {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reading_sees_one_state() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("a.db");
    database(
        &path,
        "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); \
         WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 50000) INSERT INTO t SELECT n FROM c",
    )
    .await;
    let source = source("sqlite", "path = \"a.db\"", base.path());
    let request = LoadRequest {
        table: "t".parse().unwrap(),
        columns: vec!["n".to_owned()],
        limits: ReadLimits::default(),
    };
    let reading = source.load(&request).await.unwrap();
    let mut stream = reading.batches;
    let first = futures::StreamExt::next(&mut stream)
        .await
        .unwrap()
        .unwrap();
    database(&path, "UPDATE t SET n = -1").await;
    let rest: Vec<_> = futures::TryStreamExt::try_collect(stream).await.unwrap();
    let all = std::iter::once(&first).chain(&rest).flat_map(rows);
    assert!(all.enumerate().all(|(at, n)| n == (at + 1).to_string()));
}
