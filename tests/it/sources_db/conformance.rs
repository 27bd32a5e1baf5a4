//! Both connectors under the conformance kit, each against a server of its own that it may restart.

use std::sync::Arc;

use async_trait::async_trait;
use lingqu_connector_sdk::Connector;
use lingqu_connector_sdk::conformance::{
    Aspect, Control, Fixture, NotControlled, Options, Report, Specimen, Unfit, Verdict, check,
};
use lingqu_demo::servers::{MariaDb, Postgres};

use super::mysql::run;
use super::reading::{Trust, connector, table};

/// Rows of 200 bytes and more, so that no socket's buffer holds the table.
const LARGE_ROWS: usize = 300_000;

/// Checks everything, also by trying to write; says what failed.
async fn conforms(connector: Arc<dyn Connector>, fixture: Fixture) -> Report {
    let options = Options {
        probe_write: true,
        ..Options::default()
    };
    let report = check(connector, Some(fixture), options, |_| {}).await;
    let failed: Vec<String> = { report.outcomes.iter() }
        .filter(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }))
        .map(|outcome| format!("{}: {:?}", outcome.check.id, outcome.verdict.said()))
        .collect();
    assert!(report.conforms(), "{failed:#?}");
    report
}

struct PostgresControl(Arc<Postgres>);

#[async_trait]
impl Control for PostgresControl {
    async fn restart(&self) -> Result<(), NotControlled> {
        let done = self.0.restart();
        done.map_err(|error| NotControlled::Failed(error.to_string()))
    }

    async fn alter(&self) -> Result<(), NotControlled> {
        let sql = "ALTER TABLE drifting ALTER COLUMN id TYPE int8;";
        let done = self.0.execute(sql);
        done.map_err(|error| NotControlled::Failed(error.to_string()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms() {
    let trust = Trust::new();
    let server = Arc::new(Postgres::start(Some(&trust.identity)).unwrap());
    let specimen = Specimen::standard(table("public.specimen")).without(Aspect::TextGbk);
    let tables = format!(
        "SET TimeZone = 'UTC';
         CREATE ROLE reader LOGIN PASSWORD 'reads-only-7';
         CREATE TABLE specimen (id int4 NOT NULL, amount numeric(20, 4), moment timestamptz, words text, remark text,
           code char(8), number int8, born date);
         INSERT INTO specimen VALUES {};
         CREATE TABLE large AS SELECT g::int8 AS id, repeat('x', 200) || g AS name
           FROM generate_series(1, {LARGE_ROWS}) g;
         CREATE TABLE unfit (id int4, born date);
         INSERT INTO unfit VALUES (1, 'infinity');
         CREATE TABLE drifting (id int4, name text);
         INSERT INTO drifting VALUES (1, 'a'), (2, 'b');
         REVOKE ALL ON SCHEMA public FROM PUBLIC;
         GRANT USAGE ON SCHEMA public TO reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;",
        specimen.sql_values()
    );
    server.execute(&tables).unwrap();
    let settings = format!(
        "host = '127.0.0.1'\nport = {}\ndatabase = 'postgres'\nuser = 'reader'\n\
         password = {{ file = 'secret' }}\nca = 'ca.pem'\n",
        server.port()
    );
    let fixture = Fixture {
        specimens: vec![specimen],
        large: Some(table("public.large")),
        unfit: Some(Unfit {
            table: table("public.unfit"),
            canary: "infinity".to_owned(),
        }),
        drifting: Some(table("public.drifting")),
        secrets: vec!["reads-only-7".to_owned()],
        control: Some(Arc::new(PostgresControl(Arc::clone(&server)))),
    };
    let report = conforms(connector("postgres", &settings, trust.path()), fixture).await;
    assert_eq!(
        report.not_applicable().collect::<Vec<_>>(),
        ["types.text-gbk"]
    );
}

struct MariaDbControl(Arc<MariaDb>);

#[async_trait]
impl Control for MariaDbControl {
    async fn restart(&self) -> Result<(), NotControlled> {
        let done = self.0.restart();
        done.map_err(|error| NotControlled::Failed(error.to_string()))
    }

    async fn alter(&self) -> Result<(), NotControlled> {
        run(&self.0, &["ALTER TABLE register.drifting MODIFY id BIGINT"]).await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_conforms() {
    let trust = Trust::new();
    let server = Arc::new(MariaDb::start(Some(&trust.identity)).unwrap());
    let specimen = Specimen::standard(table("register.specimen"));
    let insert = format!("INSERT INTO specimen VALUES {}", specimen.sql_values());
    let large = format!(
        "INSERT INTO large SELECT seq, CONCAT(REPEAT('x', 200), seq) FROM seq_1_to_{LARGE_ROWS}"
    );
    let statements = [
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET SESSION time_zone = '+00:00'",
        "CREATE DATABASE register CHARACTER SET utf8mb4",
        "USE register",
        "CREATE TABLE specimen (id INT NOT NULL, amount DECIMAL(20, 4), moment TIMESTAMP(6) NULL, words TEXT, \
           hanzi VARCHAR(50) CHARACTER SET gbk, remark TEXT, code CHAR(8), number BIGINT, born DATE) ENGINE = InnoDB",
        &insert,
        "CREATE TABLE large (id BIGINT PRIMARY KEY, name TEXT) ENGINE = InnoDB",
        &large,
        "CREATE TABLE unfit (id INT, t TIME) ENGINE = InnoDB",
        "INSERT INTO unfit VALUES (1, '838:59:58')",
        "CREATE TABLE drifting (id INT, name TEXT) ENGINE = InnoDB",
        "INSERT INTO drifting VALUES (1, 'a'), (2, 'b')",
        "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reads-only-7'",
        "GRANT SELECT ON register.* TO reader@'127.0.0.1'",
    ];
    run(&server, &statements).await;
    let settings = format!(
        "host = '127.0.0.1'\nport = {}\ndatabase = 'register'\nuser = 'reader'\n\
         password = {{ file = 'secret' }}\nca = 'ca.pem'\n",
        server.port()
    );
    let fixture = Fixture {
        specimens: vec![specimen],
        large: Some(table("register.large")),
        unfit: Some(Unfit {
            table: table("register.unfit"),
            canary: "838:59:58".to_owned(),
        }),
        drifting: Some(table("register.drifting")),
        secrets: vec!["reads-only-7".to_owned()],
        control: Some(Arc::new(MariaDbControl(Arc::clone(&server)))),
    };
    let report = conforms(connector("mysql", &settings, trust.path()), fixture).await;
    assert_eq!(report.not_applicable().collect::<Vec<_>>(), [""; 0]);
}
