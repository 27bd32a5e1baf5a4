//! MariaDB, which stands for MySQL's protocol.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use futures::StreamExt as _;
use lingqu_connector_sdk::{Connector, SourceError, WriteProbe};
use lingqu_demo::servers::MariaDb;

use super::reading::{
    Trust, connector, load, printed, request, same_as_engine, table, until_nothing_runs,
};

/// A server with accounts and the tables below.
struct World {
    server: MariaDb,
    trust: Trust,
}

/// One statement a line.
const TABLES: &str = r#"
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ALLOW_INVALID_DATES';
SET SESSION time_zone = '+08:00';
CREATE DATABASE register CHARACTER SET utf8mb4;
CREATE DATABASE other;
CREATE TABLE other.secret (id INT);
USE register;
CREATE TABLE kinds (id BIGINT PRIMARY KEY, tiny TINYINT, flag TINYINT(1), utiny TINYINT UNSIGNED, small SMALLINT, usmall SMALLINT UNSIGNED, medium MEDIUMINT, umedium MEDIUMINT UNSIGNED, whole INT, uwhole INT UNSIGNED ZEROFILL, ubig BIGINT UNSIGNED, price DECIMAL(12, 2), wide DECIMAL(38, 10), single FLOAT, twice DOUBLE, bits BIT(10), name VARCHAR(50) NOT NULL, padded CHAR(6), gbk VARCHAR(50) CHARACTER SET gbk, long_text TEXT, raw VARBINARY(10), fixed BINARY(4), picture BLOB, born DATE, made DATETIME(6), seen TIMESTAMP(6) NULL, at_noon TIME(6), grown YEAR, feels ENUM('calm', '急'), many SET('a', 'b'), doc JSON) ENGINE = InnoDB;
INSERT INTO kinds VALUES (1, -128, 1, 255, -32768, 65535, -8388608, 16777215, 2147483647, 42, 18446744073709551615, 0.01, 1234567890123456789012345678.0123456789, 0.1, 0.1, b'1000000001', '张三', 'ab', '李四', '', X'00FF', X'AB', X'', '1969-12-31', '1969-12-31 23:59:59.999999', '2020-01-01 08:00:00.000001', '23:59:59.999999', 1999, 'calm', 'a,b', '{"a": 1}');
INSERT INTO kinds (id, name) VALUES (9223372036854775807, '');
INSERT INTO kinds VALUES (-9223372036854775808, 127, 0, 0, 32767, 0, 8388607, 0, -2147483648, 0, 0, -9999999999.99, -0.0000000001, -3.4e38, -1.5e300, b'0', 'a''b"c\d', 'x ', '丂', 'long', X'', X'', X'0102', '9999-12-31', '1000-01-01 00:00:00', '1970-01-01 08:00:01', '00:00:00', 2155, '急', '', 'null');
CREATE TABLE filters (id BIGINT, whole INT, ubig BIGINT UNSIGNED, price DECIMAL(8, 2), born DATE, made DATETIME(6), seen TIMESTAMP(6) NULL, name VARCHAR(20), bin VARCHAR(20) COLLATE utf8mb4_bin, gbk VARCHAR(20) CHARACTER SET gbk, padded CHAR(4), twice DOUBLE) ENGINE = InnoDB;
INSERT INTO filters VALUES (1, 10, 18446744073709551615, 1.50, '1969-12-31', '1969-12-31 23:59:59.5', '2024-02-29 20:00:00', 'a', 'a', '张', 'a', 0.0);
INSERT INTO filters VALUES (2, -10, 0, -1.50, '2024-02-29', '2024-02-29', '2000-01-01 08:00:00', 'A', 'A', '张 ', 'A', 1.5);
INSERT INTO filters VALUES (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO filters VALUES (4, 0, 1, 0.00, '2000-01-01', '2000-01-01 00:00:00.000001', '2000-01-01 08:00:00.000001', 'a ', 'a ', 'x', 'ä', -1.5);
INSERT INTO filters VALUES (5, 2147483647, 9223372036854775808, 999999.99, '9999-12-31', '9999-12-31 23:59:59.999999', '2030-01-01 00:00:00', 'ä', 'é''\', '', '', 2.5);
CREATE TABLE odd (id INT, wide DECIMAL(60, 2), place POINT);
CREATE TABLE zeros (id INT, born DATE, made DATETIME NOT NULL);
INSERT INTO zeros VALUES (1, '0000-00-00', '2000-01-01 00:00:00'), (2, '2000-02-00', '0000-00-00 00:00:00'), (3, '2000-01-01', '2000-01-01 00:00:00'), (4, NULL, '2000-01-01 00:00:00');
CREATE TABLE feb (born DATE);
INSERT INTO feb VALUES ('2023-02-31');
CREATE TABLE times (t TIME);
INSERT INTO times VALUES ('-01:00:00'), ('100:00:00');
CREATE TABLE `we``ird.; DROP TABLE kinds; --` (`a``b` INT, `姓名` VARCHAR(10));
INSERT INTO `we``ird.; DROP TABLE kinds; --` VALUES (7, '李四');
CREATE TABLE growing (id INT PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO growing SELECT seq FROM seq_1_to_50000;
CREATE VIEW many AS SELECT seq AS id, REPEAT('x', 1000) AS filler FROM seq_1_to_100000000;
CREATE VIEW slow AS SELECT COUNT(*) AS n FROM seq_1_to_100000000000 WHERE seq % 7 = 8;
CREATE VIEW faulty AS SELECT id, (SELECT f.id FROM filters f WHERE f.id <= filters.id) AS broken FROM filters;
CREATE TABLE moved (id INT, note VARCHAR(10)) ENGINE = InnoDB;
INSERT INTO moved VALUES (1, 'x');
CREATE TABLE part (id INT, hidden VARCHAR(10));
INSERT INTO part VALUES (1, 'secret');
CREATE ROLE clerks;
GRANT INSERT ON register.filters TO clerks;
CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT, SHOW VIEW ON register.* TO reader@'127.0.0.1';
CREATE USER leaver@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT ON register.* TO leaver@'127.0.0.1';
CREATE USER limited@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT ON register.* TO limited@'127.0.0.1';
CREATE USER unlucky@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT ON register.* TO unlucky@'127.0.0.1';
CREATE USER writer@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT ON register.* TO writer@'127.0.0.1';
GRANT UPDATE (whole) ON register.filters TO writer@'127.0.0.1';
GRANT clerks TO writer@'127.0.0.1';
CREATE USER owner@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT ALL PRIVILEGES ON *.* TO owner@'127.0.0.1' WITH GRANT OPTION;
CREATE USER narrow@'127.0.0.1' IDENTIFIED BY 'reads-only-7';
GRANT SELECT (id) ON register.part TO narrow@'127.0.0.1';
"#;

/// The one server of all tests that run now.
fn world() -> Arc<World> {
    static SHARED: Mutex<Weak<World>> = Mutex::new(Weak::new());
    // A test that failed while it held the lock left nothing half made.
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(world) = shared.upgrade() {
        return world;
    }
    let trust = Trust::new();
    let server = MariaDb::start(Some(&trust.identity)).unwrap();
    let world = Arc::new(World { server, trust });
    // On a thread of its own, since the test that comes first is on a runtime already.
    let filled = Arc::clone(&world);
    let fill = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let statements: Vec<&str> = TABLES.trim().lines().collect();
        runtime.unwrap().block_on(filled.execute(&statements));
    };
    std::thread::spawn(fill).join().unwrap();
    *shared = Arc::downgrade(&world);
    world
}

impl World {
    fn with(&self, more: &str) -> Arc<dyn Connector> {
        self.as_user("reader", more)
    }

    fn as_user(&self, user: &str, more: &str) -> Arc<dyn Connector> {
        let settings = format!(
            "host = '127.0.0.1'\nport = {}\ndatabase = 'register'\nuser = '{user}'\n\
             password = {{ file = 'secret' }}\nca = 'ca.pem'\n{more}",
            self.server.port()
        );
        connector("mysql", &settings, self.trust.path())
    }

    async fn execute(&self, statements: &[&str]) {
        run(&self.server, statements).await;
    }
}

/// Runs statements as the account that may do everything.
pub(super) async fn run(server: &MariaDb, statements: &[&str]) {
    use mysql_async::prelude::Queryable as _;
    let opts = mysql_async::OptsBuilder::default()
        .user(Some("root"))
        .socket(Some(server.socket().display().to_string()));
    let mut conn = mysql_async::Conn::new(opts).await.unwrap();
    for statement in statements {
        let done = conn.query_drop(*statement).await;
        done.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn every_type_keeps_its_values_in_both_protocols() {
    let world = world();
    for protocol in ["prepared", "text"] {
        let source = world.with(&format!("protocol = '{protocol}'"));
        let infos = source.describe().await.unwrap();
        let kinds = infos
            .iter()
            .find(|info| info.name.name() == "kinds")
            .unwrap();
        let columns: Vec<&str> = { kinds.schema.fields().iter() }
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(columns.len(), 31, "{:?}", kinds.schema);
        let rows = load(&source, &request("register.kinds", &columns))
            .await
            .unwrap();
        assert_eq!(rows[0].schema(), kinds.schema);
        let (nothing, mut printed) = ("|".repeat(30), printed(&rows));
        printed.sort();
        assert_eq!(
            printed,
            [
                "-9223372036854775808|127|0|0|32767|0|8388607|0|-2147483648|0|0|-9999999999.99|-0.0000000001|-3.4e38|\
                 -1.5e300|0|a'b\"c\\d|x|丂|long||00000000|0102|9999-12-31|1000-01-01T00:00:00|1970-01-01T00:00:01Z|\
                 00:00:00|2155|急||null",
                "1|-128|1|255|-32768|65535|-8388608|16777215|2147483647|42|18446744073709551615|0.01|\
                 1234567890123456789012345678.0123456789|0.1|0.1|513|张三|ab|李四||00ff|ab000000||1969-12-31|\
                 1969-12-31T23:59:59.999999|2020-01-01T00:00:00.000001Z|23:59:59.999999|1999|calm|a,b|{\"a\": 1}",
                &format!("9223372036854775807{nothing}"),
            ],
            "{protocol}"
        );
        let name = kinds.schema.field_with_name("name").unwrap();
        assert!(!name.is_nullable() && kinds.schema.field_with_name("gbk").unwrap().is_nullable());
    }
}

#[tokio::test]
async fn dates_that_are_none_are_refused_or_null_as_the_unit_has_declared() {
    let world = world();
    let unfit = |column: &str| SourceError::ValueUnfit {
        column: column.to_owned(),
    };
    for protocol in ["prepared", "text"] {
        let source = world.with(&format!("protocol = '{protocol}'"));
        for column in ["born", "made"] {
            let refused = load(&source, &request("zeros", &["id", column])).await;
            assert_eq!(refused.unwrap_err(), unfit(column));
        }
        let refused = load(&source, &request("times", &["t"])).await;
        assert_eq!(refused.unwrap_err(), unfit("t"));
        let declared = world.with(&format!("protocol = '{protocol}'\nzero_dates = 'null'"));
        let rows = load(&declared, &request("zeros", &["id", "born", "made"]))
            .await
            .unwrap();
        let expected = [
            "1||2000-01-01T00:00:00",
            "2||",
            "3|2000-01-01|2000-01-01T00:00:00",
            "4||2000-01-01T00:00:00",
        ];
        assert_eq!(printed(&rows), expected);
        // A day that is none is not a zero date.
        let refused = load(&declared, &request("feb", &["born"])).await;
        assert_eq!(refused.unwrap_err(), unfit("born"));
        let date = lit(ScalarValue::Date32(Some(10_957)));
        for filter in [
            col("born").lt(date.clone()),
            col("born").is_null(),
            col("made").is_null(),
        ] {
            assert!(
                !same_as_engine(&declared, "zeros", &filter).await,
                "pushed: {filter}"
            );
        }
    }
    for (column, found) in [("wide", "decimal(60,2)"), ("place", "point")] {
        let refused = load(&world.with(""), &request("odd", &[column])).await;
        let expected = SourceError::ColumnType {
            column: column.to_owned(),
            found: found.to_owned(),
        };
        assert_eq!(refused.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn filters_give_what_the_engine_gives() {
    let world = world();
    let source = world.with("");
    let date = |days| lit(ScalarValue::Date32(Some(days)));
    let at = |microseconds| lit(ScalarValue::TimestampMicrosecond(Some(microseconds), None));
    let utc = |microseconds| {
        lit(ScalarValue::TimestampMicrosecond(
            Some(microseconds),
            Some("UTC".into()),
        ))
    };
    let price = |value| lit(ScalarValue::Decimal128(Some(value), 8, 2));
    let pushed: Vec<Expr> = vec![
        col("id").eq(lit(1_i64)),
        col("whole").gt(lit(-10_i32)),
        lit(0_i32).gt_eq(col("whole")),
        col("ubig").gt(lit(9_223_372_036_854_775_807_u64)),
        col("price").lt(price(0)),
        col("price").between(price(-150), price(150)),
        col("born").lt_eq(date(-1)),
        col("born").in_list(vec![date(-1), date(19_782)], true),
        col("made").gt(at(-1)),
        col("made").eq(at(946_684_800_000_001)),
        col("seen").eq(utc(946_684_800_000_000)),
        col("name").eq(lit("a")),
        col("name").not_eq(lit("a")),
        col("name").eq(lit("ä")),
        col("name").in_list(vec![lit("a"), lit("A")], true),
        col("bin").eq(lit("a")),
        col("bin").eq(lit("é'\\")),
        col("bin").eq(lit("' OR 1 = 1 -- ")),
        col("gbk").eq(lit("张")),
        col("gbk").eq(lit("🚀")),
        col("padded").eq(lit("a")),
        col("padded").eq(lit("")),
        col("twice").is_null(),
        col("name").is_not_null(),
        Expr::Not(Box::new(
            col("whole").gt(lit(0_i32)).or(col("name").eq(lit("a"))),
        )),
        col("whole").gt(lit(0_i32)).is_not_true(),
    ];
    for filter in &pushed {
        assert!(
            same_as_engine(&source, "filters", filter).await,
            "not pushed: {filter}"
        );
    }
    let kept: Vec<Expr> = vec![
        col("name").gt(lit("a")),
        col("name").like(lit("a%")),
        col("twice").gt(lit(1.0)),
        col("born").is_null(),
        col("whole").eq(col("id")),
        col("whole").in_list(vec![lit(0_i32), lit(ScalarValue::Int32(None))], false),
    ];
    for filter in &kept {
        assert!(
            !same_as_engine(&source, "filters", filter).await,
            "pushed: {filter}"
        );
    }
}

#[tokio::test]
async fn projection_limit_and_names_that_look_like_sql() {
    let world = world();
    let source = world.with("");
    let context = datafusion::prelude::SessionContext::new();
    let odd = lingqu_connector_sdk::TableName::new([
        "register".to_owned(),
        "we`ird.; DROP TABLE kinds; --".to_owned(),
    ]);
    let provider = source.open(&odd.unwrap()).await.unwrap();
    context.register_table("odd", provider).unwrap();
    let rows = context
        .sql("SELECT \"姓名\", \"a`b\" FROM odd WHERE \"姓名\" = '李四'")
        .await;
    assert_eq!(printed(&rows.unwrap().collect().await.unwrap()), ["李四|7"]);
    let provider = source.open(&table("growing")).await.unwrap();
    context.register_table("growing", provider).unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM growing", "50000"),
        (
            "SELECT count(*) FROM (SELECT 1 FROM growing LIMIT 10)",
            "10",
        ),
        (
            "SELECT count(*) FROM (SELECT id FROM growing WHERE id > 49990 LIMIT 100)",
            "10",
        ),
        (
            "SELECT count(*) FROM (SELECT id FROM growing WHERE id % 25000 = 0 LIMIT 3)",
            "2",
        ),
    ] {
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        assert_eq!(printed(&rows), [expected], "{sql}");
    }
    for missing in ["nothing", "KINDS ", "other.secret", "mysql.user", "a.b.c"] {
        let refused = source.open(&table(missing)).await.unwrap_err();
        assert_eq!(refused, SourceError::TableMissing(table(missing)));
    }
    let narrow = world.as_user("narrow", "");
    let rows = load(&narrow, &request("part", &["id"])).await.unwrap();
    assert_eq!(printed(&rows), ["1"]);
    let refused = load(&narrow, &request("part", &["id", "hidden"]))
        .await
        .unwrap_err();
    assert_eq!(refused, SourceError::ColumnMissing("hidden".to_owned()));
}

#[tokio::test]
async fn what_nobody_reads_any_more_stops_at_the_server() {
    let world = world();
    let source = world.as_user("leaver", "connections_max = 2");
    let mut reading = source
        .load(&request("many", &["id", "filler"]))
        .await
        .unwrap();
    reading.batches.next().await.unwrap().unwrap();
    assert_eq!(source.running_queries().await.unwrap(), Some(1));
    drop(reading);
    until_nothing_runs(&source).await;
    // No row ever comes, so only the kill can stop it.
    drop(source.load(&request("slow", &["n"])).await.unwrap());
    until_nothing_runs(&source).await;
    let one = source.load(&request("many", &["id"])).await.unwrap();
    let two = source.load(&request("many", &["id"])).await.unwrap();
    drop((one, two));
    until_nothing_runs(&source).await;
}

#[tokio::test]
async fn limits_end_a_reading_with_an_error_and_never_with_fewer_rows() {
    let world = world();
    let source = world.as_user("limited", "connections_max = 1\nconnect_timeout_s = 1\n");
    let mut rows = request("growing", &["id"]);
    rows.limits.rows_max = 49_999;
    assert_eq!(
        load(&source, &rows).await.unwrap_err(),
        SourceError::TooLarge
    );
    rows.limits.rows_max = 50_000;
    let all = load(&source, &rows).await.unwrap();
    assert_eq!(
        all.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        50_000
    );
    assert!(all.iter().all(|batch| batch.num_rows() <= 8_192));
    let mut bytes = request("many", &["filler"]);
    bytes.limits.bytes_max = 10 << 20;
    assert_eq!(
        load(&source, &bytes).await.unwrap_err(),
        SourceError::TooLarge
    );
    let mut time = request("slow", &["n"]);
    time.limits.time_max = Duration::from_millis(300);
    assert_eq!(
        load(&source, &time).await.unwrap_err(),
        SourceError::TimedOut
    );
    until_nothing_runs(&source).await;
    let held = source.load(&request("many", &["id"])).await.unwrap();
    let refused = source.load(&request("growing", &["id"])).await.unwrap_err();
    assert_eq!(refused, SourceError::TimedOut);
    drop(held);
}

#[tokio::test]
async fn a_reading_sees_one_state_and_changed_columns_are_seen_before_any_row() {
    let world = world();
    let source = world.with("");
    let make = [
        "USE register",
        "CREATE TABLE steps (id INT PRIMARY KEY, filler TEXT) ENGINE = InnoDB",
        "INSERT INTO steps SELECT seq, REPEAT('x', 500) FROM seq_1_to_60000",
    ];
    world.execute(&make).await;
    let mut reading = source
        .load(&request("steps", &["id", "filler"]))
        .await
        .unwrap();
    let mut count = reading.batches.next().await.unwrap().unwrap().num_rows();
    world
        .execute(&["DELETE FROM register.steps WHERE id % 2 = 0"])
        .await;
    while let Some(batch) = reading.batches.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!(count, 60_000);
    let provider = source.open(&table("moved")).await.unwrap();
    let alter = ["ALTER TABLE register.moved MODIFY id BIGINT, ADD COLUMN more INT"];
    world.execute(&alter).await;
    let context = datafusion::prelude::SessionContext::new();
    context.register_table("moved", provider).unwrap();
    let found = context
        .sql("SELECT id FROM moved")
        .await
        .unwrap()
        .collect()
        .await;
    let found: SourceError = found.unwrap_err().into();
    assert_eq!(found, SourceError::SchemaChanged(table("moved")));
    let rows = context
        .sql("SELECT note FROM moved")
        .await
        .unwrap()
        .collect()
        .await;
    assert_eq!(printed(&rows.unwrap()), ["x"]);
}

#[tokio::test]
async fn errors_of_the_server_carry_its_code_and_none_of_its_text() {
    let world = world();
    let failed = load(&world.with(""), &request("faulty", &["id", "broken"])).await;
    let failed = failed.unwrap_err();
    let SourceError::Failed { code: Some(code) } = &failed else {
        panic!("{failed:?}");
    };
    assert_eq!(code.len(), 5);
    assert_eq!(
        failed.to_string(),
        format!("the source failed with code `{code}`")
    );
}

#[tokio::test]
async fn an_account_that_could_write_is_found_out() {
    let world = world();
    let health = world.with("").health().await.unwrap();
    assert!(health.server.starts_with("MariaDB "), "{health:?}");
    assert_eq!(health.verified_tls, Some(true));
    assert!(health.may_write.is_empty(), "{health:?}");
    let refused = WriteProbe::Refused {
        code: Some("42000".to_owned()),
    };
    assert_eq!(world.with("").probe_write().await.unwrap(), refused);
    let writer = world.as_user("writer", "");
    assert_eq!(
        writer.health().await.unwrap().may_write,
        [
            "INSERT on `register`.`filters`",
            "UPDATE on `register`.`filters`"
        ]
    );
    let accepted = WriteProbe::Accepted {
        what: "UPDATE".to_owned(),
    };
    assert_eq!(writer.probe_write().await.unwrap(), accepted);
    let found = world.as_user("owner", "").health().await.unwrap().may_write;
    assert_eq!(found, ["ALL PRIVILEGES on *.*", "GRANT OPTION on *.*"]);
    assert!(matches!(
        world.as_user("owner", "").probe_write().await.unwrap(),
        WriteProbe::Accepted { .. }
    ));
}

#[tokio::test]
async fn only_the_right_server_with_the_right_secret_is_read() {
    let world = world();
    let port = world.server.port();
    let with = |port: u16, ca: &str, secret: &str| {
        let settings = format!(
            "host = '127.0.0.1'\nport = {port}\ndatabase = 'register'\nuser = 'reader'\n\
             password = {{ file = '{secret}' }}\nca = '{ca}'\nconnect_timeout_s = 2\n"
        );
        connector("mysql", &settings, world.trust.path())
    };
    let refused = |source: Arc<dyn Connector>| async move { source.health().await.unwrap_err() };
    assert_eq!(
        refused(with(port, "stranger.pem", "secret")).await,
        SourceError::Untrusted
    );
    assert_eq!(
        refused(with(port, "ca.pem", "wrong")).await,
        SourceError::AccountRefused
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().port();
    assert_eq!(
        refused(with(silent, "ca.pem", "secret")).await,
        SourceError::Unreachable
    );
    drop(listener);
    assert_eq!(
        refused(with(silent, "ca.pem", "secret")).await,
        SourceError::Unreachable
    );
}

#[tokio::test]
async fn a_connection_that_was_cut_is_replaced() {
    let world = world();
    let source = world.as_user("unlucky", "");
    load(&source, &request("growing", &["id"])).await.unwrap();
    world.execute(&["KILL USER unlucky@'127.0.0.1'"]).await;
    let rows = load(&source, &request("growing", &["id"])).await.unwrap();
    assert_eq!(
        rows.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        50_000
    );
    let mut reading = source
        .load(&request("many", &["id", "filler"]))
        .await
        .unwrap();
    reading.batches.next().await.unwrap().unwrap();
    world.execute(&["KILL USER unlucky@'127.0.0.1'"]).await;
    let mut last = None;
    while let Some(batch) = reading.batches.next().await {
        last = Some(batch);
    }
    assert!(last.unwrap().is_err());
    load(&source, &request("growing", &["id"])).await.unwrap();
}
