//! PostgreSQL.

use std::sync::{Arc, Mutex, Weak};

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use futures::StreamExt as _;
use lingqu_connector_sdk::{Connector, SourceError, WriteProbe};
use lingqu_demo::servers::Postgres;

use super::reading::{
    Trust, connector, load, printed, request, same_as_engine, table, until_nothing_runs,
};

/// A server with an account that only reads, one that may write, and the tables below.
struct World {
    server: Postgres,
    trust: Trust,
}

const TABLES: &str = r#"
CREATE ROLE reader LOGIN PASSWORD 'reads-only-7';
CREATE ROLE writer LOGIN PASSWORD 'reads-only-7';
CREATE ROLE parttime LOGIN PASSWORD 'reads-only-7' NOINHERIT;
CREATE TYPE mood AS ENUM ('calm', '急');
CREATE DOMAIN money_cn AS numeric(12, 2) CHECK (VALUE >= -1000000);
CREATE DOMAIN salary AS money_cn;
CREATE TABLE kinds (
  id int8 PRIMARY KEY, small int2, whole int4, flag bool, single float4, twice float8,
  price numeric(12, 2), long numeric(38, 10), wage salary, name text NOT NULL, short varchar(20), padded char(6),
  raw bytea, born date, at_noon time, made timestamp, seen timestamptz, who uuid, doc json, docb jsonb, feels mood);
INSERT INTO kinds VALUES
  (1, -32768, 2147483647, true, 1.5, 0.1, 0.01, 1234567890123456789012345678.0123456789, 4200.50,
   '张三', '', 'ab', '\x00ff', '1969-12-31', '23:59:59.999999', '1969-12-31 23:59:59.999999',
   '2020-01-01 08:00:00+08', '6F9619FF-8B86-D011-B42D-00C04FC964FF', '{"a": 1}', '{"b":  2}', 'calm'),
  (9223372036854775807, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL),
  (-9223372036854775808, 0, -2147483648, false, 'NaN', '-Infinity', -9999999999.99, -0.0000000001, -0.01,
   '|a''b"c\d', 'x ', '', '', '0001-01-01', '00:00', '9999-12-31 23:59:59', '0001-01-01 00:00:00+00',
   '00000000-0000-0000-0000-000000000000', 'null', '"x"', '急');
CREATE TABLE filters (
  id int8, whole int4, price numeric(8, 2), born date, made timestamp, seen timestamptz, flag bool, name text,
  padded char(4), twice float8, who uuid);
INSERT INTO filters VALUES
  (1, 10, 1.50, '1969-12-31', '1969-12-31 23:59:59.5', '2024-02-29 12:00+00', true, 'a', 'a', 0.0,
   '6f9619ff-8b86-d011-b42d-00c04fc964ff'),
  (2, -10, -1.50, '2024-02-29', '2024-02-29 00:00', '1900-01-01 00:00+00', false, 'A', 'a ', '-0', NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 0.00, '2000-01-01', '2000-01-01 00:00:00.000001', '2000-01-01 00:00+00', true, 'a ', 'b', 'NaN', NULL),
  (5, 2147483647, 999999.99, '0001-01-01', '9999-12-31 23:59:59.999999', '9999-12-31 00:00+00', false, 'é''\', '', 1.5,
   '00000000-0000-0000-0000-000000000000');
CREATE TABLE odd (id int4, tags text[], net inet, span interval, free numeric, wide numeric(60, 2), late timetz);
INSERT INTO odd (id, free) VALUES (1, 12.345);
CREATE TABLE forever (id int4, born date, made timestamp);
INSERT INTO forever VALUES (1, 'infinity', '2000-01-01'), (2, '2000-01-01', '-infinity');
CREATE TABLE "we""ird.; DROP TABLE kinds; --" ("a""b" int4, "姓名" text);
INSERT INTO "we""ird.; DROP TABLE kinds; --" VALUES (7, '李四');
CREATE TABLE guarded (id int4, unit text);
INSERT INTO guarded VALUES (1, 'a'), (2, 'b');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded FOR SELECT TO reader USING (unit = 'a');
CREATE TABLE part (id int4, hidden text);
INSERT INTO part VALUES (1, 'secret-value');
CREATE TABLE none (id int4);
CREATE VIEW many AS SELECT id, repeat('x', 1000) AS filler FROM (SELECT generate_series(1, 100000000) AS id) s;
CREATE VIEW slow AS SELECT 1 AS n FROM (SELECT pg_sleep(100000)) s;
CREATE VIEW faulty AS SELECT id, 1 / (id - 4) AS quotient, name FROM filters;
CREATE TABLE moved (id int4, note text);
INSERT INTO moved VALUES (1, 'x');
CREATE TABLE growing (id int4);
INSERT INTO growing SELECT generate_series(1, 50000);
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO reader, writer, parttime;
GRANT SELECT ON kinds, filters, odd, forever, "we""ird.; DROP TABLE kinds; --", guarded, many, slow, faulty, moved,
  growing TO reader, writer, parttime;
GRANT SELECT (id) ON part TO reader;
GRANT UPDATE (whole) ON filters TO writer;
CREATE ROLE clerks; GRANT INSERT ON filters TO clerks; GRANT clerks TO parttime;
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
    let server = Postgres::start(Some(&trust.identity)).unwrap();
    server.execute(TABLES).unwrap();
    let world = Arc::new(World { server, trust });
    *shared = Arc::downgrade(&world);
    world
}

impl World {
    fn with(&self, more: &str) -> Arc<dyn Connector> {
        self.as_user("reader", more)
    }

    /// As an account of its own, so that nobody else's sessions are counted or cut.
    fn alone(&self, user: &str, more: &str) -> Arc<dyn Connector> {
        let sql = format!("CREATE ROLE {user} LOGIN PASSWORD 'reads-only-7' IN ROLE reader;");
        self.server.execute(&sql).unwrap();
        self.as_user(user, more)
    }

    fn as_user(&self, user: &str, more: &str) -> Arc<dyn Connector> {
        let settings = format!(
            "host = '127.0.0.1'\nport = {}\ndatabase = 'postgres'\nuser = '{user}'\n\
             password = {{ file = 'secret' }}\nca = 'ca.pem'\n{more}",
            self.server.port()
        );
        connector("postgres", &settings, self.trust.path())
    }
}

#[tokio::test]
async fn every_type_keeps_its_values() {
    let world = world();
    let source = world.with("");
    let infos = source.describe().await.unwrap();
    let kinds = infos
        .iter()
        .find(|info| info.name.name() == "kinds")
        .unwrap();
    let columns: Vec<&str> = { kinds.schema.fields().iter() }
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(columns.len(), 21);
    let rows = load(&source, &request("public.kinds", &columns))
        .await
        .unwrap();
    assert_eq!(rows[0].schema(), kinds.schema);
    assert_eq!(
        printed(&rows),
        [
            "1|-32768|2147483647|true|1.5|0.1|0.01|1234567890123456789012345678.0123456789|4200.50|张三||ab|00ff|\
             1969-12-31|23:59:59.999999|1969-12-31T23:59:59.999999|2020-01-01T00:00:00Z|\
             6f9619ff-8b86-d011-b42d-00c04fc964ff|{\"a\": 1}|{\"b\": 2}|calm",
            "9223372036854775807||||||||||||||||||||",
            "-9223372036854775808|0|-2147483648|false|NaN|-inf|-9999999999.99|-0.0000000001|-0.01||a'b\"c\\d|x|||\
             0001-01-01|00:00:00|9999-12-31T23:59:59|0001-01-01T00:00:00Z|00000000-0000-0000-0000-000000000000|\
             null|\"x\"|急",
        ]
    );
    // An empty text is not NULL, padding is no part of a value, other blanks are.
    let short = load(
        &source,
        &request("public.kinds", &["name", "short", "padded"]),
    )
    .await;
    let short = &short.unwrap()[0];
    let text = |column: usize, row: usize| {
        let values: &arrow_array::StringArray =
            short.column(column).as_any().downcast_ref().unwrap();
        let value = values.value(row).to_owned();
        (!arrow_array::Array::is_null(values, row)).then_some(value)
    };
    assert_eq!(text(1, 0).as_deref(), Some(""));
    assert_eq!((text(0, 1).as_deref(), text(1, 1)), (Some(""), None));
    assert_eq!(
        (text(1, 2).as_deref(), text(2, 2).as_deref()),
        (Some("x "), Some(""))
    );
    assert_eq!(text(2, 0).as_deref(), Some("ab"));
    assert!(!kinds.schema.field_with_name("name").unwrap().is_nullable());
}

#[tokio::test]
async fn types_without_a_counterpart_are_named_and_values_that_do_not_fit_are_not_told() {
    let world = world();
    let source = world.with("");
    let provider = source.open(&table("odd")).await.unwrap();
    assert_eq!(
        provider.schema().fields().len(),
        1,
        "{:?}",
        provider.schema()
    );
    for (column, found) in [
        ("tags", "text[]"),
        ("net", "inet"),
        ("span", "interval"),
        ("wide", "numeric(60,2)"),
        ("late", "time with time zone"),
    ] {
        let refused = load(&source, &request("odd", &[column])).await.unwrap_err();
        let expected = SourceError::ColumnType {
            column: column.to_owned(),
            found: found.to_owned(),
        };
        assert_eq!(refused, expected);
    }
    let refused = load(&source, &request("odd", &["free"])).await.unwrap_err();
    assert!(
        refused.to_string().contains("`numeric` in the settings"),
        "{refused}"
    );
    let declared = world.with("numeric = { 'public.odd.free' = [10, 3] }");
    let rows = load(&declared, &request("odd", &["free"])).await.unwrap();
    assert_eq!(printed(&rows), ["12.345"]);
    let narrow = world.with("numeric = { 'public.odd.free' = [10, 2] }");
    let unfit = |column: &str| SourceError::ValueUnfit {
        column: column.to_owned(),
    };
    let refused = load(&narrow, &request("odd", &["id", "free"])).await;
    assert_eq!(refused.unwrap_err(), unfit("free"));
    for column in ["born", "made"] {
        let refused = load(&source, &request("forever", &["id", column])).await;
        assert_eq!(refused.unwrap_err(), unfit(column));
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
        col("whole").not_eq(lit(0_i32)),
        col("price").lt(price(0)),
        col("price").eq(price(-150)),
        col("price").between(price(-150), price(150)),
        col("born").lt_eq(date(-1)),
        col("born").in_list(vec![date(-1), date(19_782), date(10_957)], false),
        col("born").in_list(vec![date(-1)], true),
        col("made").gt(at(-1)),
        col("made").eq(at(946_684_800_000_001)),
        col("seen").lt(utc(0)),
        col("flag"),
        col("flag").is_not_true(),
        Expr::Not(Box::new(col("flag"))),
        col("flag").eq(lit(false)),
        col("name").eq(lit("a")),
        col("name").not_eq(lit("a")),
        col("name").eq(lit("é'\\")),
        col("name").eq(lit("'; DROP TABLE kinds; --")),
        col("name").in_list(vec![lit("a"), lit("A")], false),
        col("padded").eq(lit("a")),
        col("padded").eq(lit("")),
        col("twice").is_null(),
        col("name").is_not_null(),
        col("who").eq(lit("6f9619ff-8b86-d011-b42d-00c04fc964ff")),
        Expr::Not(Box::new(
            col("whole").gt(lit(0_i32)).or(col("name").eq(lit("a"))),
        )),
        col("whole").gt(lit(0_i32)).and(col("born").is_not_null()),
    ];
    for filter in &pushed {
        assert!(
            same_as_engine(&source, "filters", filter).await,
            "not pushed: {filter}"
        );
    }
    let kept: Vec<Expr> = vec![
        // Ordered by collation there and by bytes here.
        col("name").gt(lit("a")),
        col("name").like(lit("a%")),
        // Blanks at the end count here.
        col("padded").eq(lit("a ")),
        // -0 and NaN.
        col("twice").eq(lit(0.0)),
        col("twice").gt(lit(1.0)),
        // Upper case is another text, and the same number there.
        col("who").eq(lit("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
        col("whole").in_list(vec![lit(0_i32), lit(ScalarValue::Int32(None))], false),
        col("whole").eq(col("id")),
        (col("whole") + lit(1_i32)).gt(lit(0_i32)),
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
        "public".to_owned(),
        "we\"ird.; DROP TABLE kinds; --".to_owned(),
    ]);
    let provider = source.open(&odd.unwrap()).await.unwrap();
    context.register_table("odd", provider).unwrap();
    let rows = context
        .sql("SELECT \"姓名\", \"a\"\"b\" FROM odd WHERE \"姓名\" = '李四'")
        .await;
    assert_eq!(printed(&rows.unwrap().collect().await.unwrap()), ["李四|7"]);
    let provider = source.open(&table("growing")).await.unwrap();
    context.register_table("growing", provider).unwrap();
    // Filtered after the limit there would be no rows at all.
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
    for missing in [
        "nothing",
        "none",
        "pg_catalog.pg_authid",
        "other.public.kinds",
    ] {
        let refused = source.open(&table(missing)).await.unwrap_err();
        assert_eq!(refused, SourceError::TableMissing(table(missing)));
    }
    let rows = load(&source, &request("part", &["id"])).await.unwrap();
    assert_eq!(printed(&rows), ["1"]);
    for columns in [&["id", "hidden"][..], &["id", "id"]] {
        let refused = load(&source, &request("part", columns)).await.unwrap_err();
        assert_eq!(refused, SourceError::ColumnMissing(columns[1].to_owned()));
    }
}

#[tokio::test]
async fn what_nobody_reads_any_more_stops_at_the_server() {
    let world = world();
    let source = world.alone("leaver", "connections_max = 2");
    // Rows come, and then the reader goes.
    let mut reading = source
        .load(&request("many", &["id", "filler"]))
        .await
        .unwrap();
    reading.batches.next().await.unwrap().unwrap();
    assert_eq!(source.running_queries().await.unwrap(), Some(1));
    drop(reading);
    until_nothing_runs(&source).await;
    // No row ever comes, so only the cancel request can stop it.
    drop(source.load(&request("slow", &["n"])).await.unwrap());
    until_nothing_runs(&source).await;
    // Both connections are free again.
    let one = source.load(&request("many", &["id"])).await.unwrap();
    let two = source.load(&request("many", &["id"])).await.unwrap();
    drop((one, two));
    until_nothing_runs(&source).await;
}

#[tokio::test]
async fn limits_end_a_reading_with_an_error_and_never_with_fewer_rows() {
    let world = world();
    let source = world.alone("limited", "connections_max = 1\nconnect_timeout_s = 1\n");
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
    time.limits.time_max = std::time::Duration::from_millis(300);
    assert_eq!(
        load(&source, &time).await.unwrap_err(),
        SourceError::TimedOut
    );
    // The only connection is in use: whoever comes waits, and is told.
    until_nothing_runs(&source).await;
    let held = source.load(&request("many", &["id"])).await.unwrap();
    let refused = source.load(&request("growing", &["id"])).await.unwrap_err();
    assert_eq!(refused, SourceError::TimedOut);
    drop(held);
}

#[tokio::test]
async fn a_reading_sees_one_state_and_the_next_one_the_next() {
    let world = world();
    let sql = "CREATE TABLE steps (id int4, filler text); GRANT SELECT ON steps TO reader; \
               INSERT INTO steps SELECT g, repeat('x', 500) FROM generate_series(1, 60000) g;";
    world.server.execute(sql).unwrap();
    let source = world.with("");
    let mut reading = source
        .load(&request("steps", &["id", "filler"]))
        .await
        .unwrap();
    let version = reading.version.clone().unwrap();
    assert!(version.starts_with("snapshot "), "{version}");
    let mut count = reading.batches.next().await.unwrap().unwrap().num_rows();
    world
        .server
        .execute("DELETE FROM steps WHERE id % 2 = 0; INSERT INTO steps VALUES (-1, '');")
        .unwrap();
    while let Some(batch) = reading.batches.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!(count, 60_000);
    let later = source.load(&request("steps", &["id"])).await.unwrap();
    assert_ne!(later.version.clone().unwrap(), version);
    let rows: Vec<_> = later.batches.map(Result::unwrap).collect().await;
    assert_eq!(
        rows.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        30_001
    );
}

#[tokio::test]
async fn changed_columns_are_seen_before_any_row() {
    let world = world();
    let source = world.with("");
    let provider = source.open(&table("moved")).await.unwrap();
    world
        .server
        .execute(
            "ALTER TABLE moved ALTER COLUMN id TYPE int8; ALTER TABLE moved ADD COLUMN more int4;",
        )
        .unwrap();
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
    // A column that stayed as it was can still be read.
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
    let source = world.with("");
    // The server's message for this quotes nothing, its DETAIL and CONTEXT may; only the code is kept.
    let failed = load(&source, &request("faulty", &["name", "quotient"]))
        .await
        .unwrap_err();
    let expected = SourceError::Failed {
        code: Some("22012".to_owned()),
    };
    assert_eq!(failed, expected);
    assert_eq!(failed.to_string(), "the source failed with code `22012`");
}

#[tokio::test]
async fn rows_that_are_hidden_from_the_account_are_an_error_unless_that_is_meant() {
    let world = world();
    let refused = load(&world.with(""), &request("guarded", &["id"])).await;
    assert_eq!(
        refused.unwrap_err(),
        SourceError::TableMissing(table("guarded"))
    );
    let meant = world.with("row_security = 'apply'");
    let rows = load(&meant, &request("guarded", &["id"])).await.unwrap();
    assert_eq!(printed(&rows), ["1"]);
}

#[tokio::test]
async fn an_account_that_could_write_is_found_out() {
    let world = world();
    let health = world.with("").health().await.unwrap();
    assert!(health.server.starts_with("PostgreSQL "), "{health:?}");
    assert_eq!(health.verified_tls, Some(true));
    assert!(health.may_write.is_empty(), "{health:?}");
    let probe = world.with("").probe_write().await.unwrap();
    assert_eq!(
        probe,
        WriteProbe::Refused {
            code: Some("42501".to_owned())
        }
    );
    let writer = world.as_user("writer", "");
    let found = writer.health().await.unwrap().may_write;
    assert_eq!(found, ["UPDATE on public.filters"]);
    assert_eq!(
        writer.probe_write().await.unwrap(),
        WriteProbe::Accepted {
            what: "UPDATE".to_owned()
        }
    );
    // What the account would only have after taking on a role counts as well.
    let found = world
        .as_user("parttime", "")
        .health()
        .await
        .unwrap()
        .may_write;
    assert_eq!(found, ["INSERT on public.filters"]);
    let socket = format!(
        "host = '{}'\nport = {}\ndatabase = 'postgres'\nuser = 'postgres'\ntls = 'off-loopback-only'",
        world.server.socket().display(),
        world.server.port()
    );
    let superuser = connector("postgres", &socket, world.trust.path());
    let health = superuser.health().await.unwrap();
    assert_eq!(health.verified_tls, Some(false));
    assert!(
        health.may_write.contains(&"SUPERUSER".to_owned()),
        "{health:?}"
    );
    assert!(matches!(
        superuser.probe_write().await.unwrap(),
        WriteProbe::Accepted { .. }
    ));
}

#[tokio::test]
async fn only_the_right_server_with_the_right_secret_is_read() {
    let world = world();
    let port = world.server.port();
    let with = |port: u16, ca: &str, secret: &str, user: &str| {
        let settings = format!(
            "host = '127.0.0.1'\nport = {port}\ndatabase = 'postgres'\nuser = '{user}'\n\
             password = {{ file = '{secret}' }}\nca = '{ca}'\nconnect_timeout_s = 2\n"
        );
        connector("postgres", &settings, world.trust.path())
    };
    let refused = |source: Arc<dyn Connector>| async move { source.health().await.unwrap_err() };
    assert_eq!(
        refused(with(port, "stranger.pem", "secret", "reader")).await,
        SourceError::Untrusted
    );
    assert_eq!(
        refused(with(port, "ca.pem", "wrong", "reader")).await,
        SourceError::AccountRefused
    );
    assert_eq!(
        refused(with(port, "ca.pem", "secret", "nobody")).await,
        SourceError::AccountRefused
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().port();
    let source = with(silent, "ca.pem", "secret", "reader");
    assert_eq!(refused(source).await, SourceError::Unreachable);
    // Whoever listens there and says no to encryption gets no password.
    let says_no = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        // The first connection is of the attempt before.
        drop(listener.accept().unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).unwrap();
        stream.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let source = with(silent, "ca.pem", "secret", "reader");
    assert_eq!(refused(source).await, SourceError::Untrusted);
    assert_eq!(
        says_no.join().unwrap(),
        b"",
        "something was sent in the clear"
    );
}

#[tokio::test]
async fn a_connection_that_was_cut_is_replaced() {
    let world = world();
    let source = world.alone("unlucky", "");
    load(&source, &request("growing", &["id"])).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'unlucky' AND state = 'idle';";
    world.server.execute(cut).unwrap();
    let rows = load(&source, &request("growing", &["id"])).await.unwrap();
    assert_eq!(
        rows.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        50_000
    );
    // Cut in the middle, the reading fails; it does not end.
    let mut reading = source
        .load(&request("many", &["id", "filler"]))
        .await
        .unwrap();
    reading.batches.next().await.unwrap().unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE usename = 'unlucky' AND query LIKE 'COPY%';";
    world.server.execute(cut).unwrap();
    let mut last = None;
    while let Some(batch) = reading.batches.next().await {
        last = Some(batch);
    }
    assert!(last.unwrap().is_err());
    load(&source, &request("growing", &["id"])).await.unwrap();
}
