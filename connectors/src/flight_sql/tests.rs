pub(crate) mod served;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lingqu_connector_sdk::{LoadRequest, ReadLimits, SourceError};

use super::dial::host_and_port;
use crate::fixtures::{configure, load, query, source};
use served::{Served, Upstream};

fn socket(dialect: &str) -> String {
    format!("socket = \"upstream.sock\"\ndialect = \"{dialect}\"")
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn tables_are_described_and_read() {
    let served = Served::start(Upstream::default()).await;
    let source = source("flight_sql", &socket("datafusion"), served.base());
    let described = source.describe().await.unwrap();
    let names: Vec<String> = described.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(
        names,
        ["datafusion.public.people", "datafusion.public.wide"]
    );
    assert_eq!(
        load(source.as_ref(), "people", &["name", "id"])
            .await
            .unwrap(),
        ["灵渠|1", "|2", "NULL|3"]
    );
    let health = source.health().await.unwrap();
    assert_eq!(health.server, "a test 1.0");
    assert_eq!(health.verified_tls, None);
    assert!(health.may_write.is_empty());
    let missing = load(source.as_ref(), "nobody", &["id"]).await;
    assert!(
        matches!(missing, Err(SourceError::TableMissing(_))),
        "{missing:?}"
    );
}

#[tokio::test]
async fn only_what_means_the_same_is_pushed_down() {
    let served = Served::start(Upstream::default()).await;
    for (dialect, condition, expected) in [
        (
            "datafusion",
            "id = 2 AND name = ''",
            "WHERE \"id\" = 2 AND \"name\" = ''",
        ),
        (
            "datafusion",
            "id > 1 AND name = 'x'",
            "WHERE \"id\" > 1 AND \"name\" = 'x'",
        ),
        ("odbc", "id = 2 AND name = 'x'", "WHERE \"id\" = 2"),
        ("odbc", "id = 2 OR id = 3", "FROM \"people\""),
        ("ansi", "id = 2", "FROM \"people\""),
    ] {
        let source = source("flight_sql", &socket(dialect), served.base());
        let sql = format!("SELECT id FROM t WHERE {condition}");
        query(source.as_ref(), "people", &sql).await;
        let statement = served.last_statement();
        let found = statement.ends_with(expected) || condition.contains("name = ''");
        assert!(found, "{dialect}: {statement}");
    }
    let source = source("flight_sql", &socket("datafusion"), served.base());
    assert_eq!(
        query(source.as_ref(), "people", "SELECT id FROM t WHERE id >= 2").await,
        ["2", "3"]
    );
    query(source.as_ref(), "people", "SELECT id FROM t LIMIT 1").await;
    assert_eq!(
        served.last_statement(),
        "SELECT \"id\" FROM \"people\" LIMIT 1"
    );
}

#[tokio::test]
async fn secrets_are_sent_and_refusals_understood() {
    let served = Served::start(Upstream {
        authorization: Some("Basic dXNlcjpvcGVuIHNlc2FtZQ=="),
        ..Upstream::default()
    })
    .await;
    private(&served.base().join("password"), "open sesame\n");
    let known = format!(
        "{}\nuser = \"user\"\npassword = {{ file = \"password\" }}",
        socket("ansi")
    );
    let known = source("flight_sql", &known, served.base());
    assert_eq!(
        load(known.as_ref(), "people", &["id"]).await.unwrap().len(),
        3
    );
    assert!(!format!("{known:?}").contains("sesame"));
    let unknown = source("flight_sql", &socket("ansi"), served.base());
    let refused = load(unknown.as_ref(), "people", &["id"]).await;
    assert!(
        matches!(refused, Err(SourceError::AccountRefused)),
        "{refused:?}"
    );
    let away = source(
        "flight_sql",
        "socket = \"no.sock\"\ndialect = \"ansi\"",
        served.base(),
    );
    assert!(matches!(away.health().await, Err(SourceError::Unreachable)));
}

#[tokio::test]
async fn other_columns_than_described_are_not_taken() {
    let served = Served::start(Upstream {
        other_columns: true,
        ..Upstream::default()
    })
    .await;
    let source = source("flight_sql", &socket("ansi"), served.base());
    let refused = load(source.as_ref(), "people", &["id"]).await;
    assert!(
        matches!(refused, Err(SourceError::SchemaChanged(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused() {
    let served = Served::start(Upstream::default()).await;
    let settings = format!("{}\nmessage_bytes_max = 20000", socket("ansi"));
    let source = source("flight_sql", &settings, served.base());
    let refused = load(source.as_ref(), "wide", &["text"]).await;
    assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
}

#[tokio::test]
async fn a_dropped_reading_ends_the_work_there() {
    let served = Served::start(Upstream {
        endless: true,
        ..Upstream::default()
    })
    .await;
    let source = source("flight_sql", &socket("ansi"), served.base());
    let request = LoadRequest {
        table: "people".parse().unwrap(),
        columns: vec!["id".to_owned()],
        limits: ReadLimits::default(),
    };
    let reading = source.load(&request).await.unwrap();
    let mut batches = reading.batches;
    futures::StreamExt::next(&mut batches)
        .await
        .unwrap()
        .unwrap();
    drop(batches);
    served.until_nothing_runs().await;
}

#[tokio::test]
async fn tls_proves_both_sides() {
    let served = Served::start(Upstream::default()).await;
    let port = served.tls().await;
    let url = format!("url = \"https://localhost:{port}\"\ndialect = \"datafusion\"");
    let mutual = format!(
        "{url}\nca_file = \"ca.pem\"\ncert_file = \"client.pem\"\nkey_file = \"client.key\""
    );
    let both = source("flight_sql", &mutual, served.base());
    assert_eq!(
        load(both.as_ref(), "people", &["id"]).await.unwrap().len(),
        3
    );
    assert_eq!(both.health().await.unwrap().verified_tls, Some(true));
    let other_ca = mutual.replace("ca.pem", "other.pem");
    let other_ca = source("flight_sql", &other_ca, served.base());
    let refused = load(other_ca.as_ref(), "people", &["id"]).await;
    assert!(
        matches!(refused, Err(SourceError::Untrusted)),
        "{refused:?}"
    );
    let nobody = source(
        "flight_sql",
        &format!("{url}\nca_file = \"ca.pem\""),
        served.base(),
    );
    assert!(load(nobody.as_ref(), "people", &["id"]).await.is_err());
    let key = served.base().join("client.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = source("flight_sql", &mutual, served.base());
    assert!(load(open.as_ref(), "people", &["id"]).await.is_err());
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let base = Path::new("/nowhere");
    for settings in [
        "dialect = \"ansi\"",
        "socket = \"s\"",
        "socket = \"s\"\ndialect = \"oracle\"",
        "socket = \"s\"\nurl = \"https://h:1\"\ndialect = \"ansi\"",
        "socket = \"s\"\ndialect = \"ansi\"\nca_file = \"c\"",
        "url = \"https://h:1\"\ndialect = \"ansi\"",
        "url = \"http://h:1\"\nca_file = \"c\"\ndialect = \"ansi\"",
        "url = \"https://h:1\"\nca_file = \"c\"\ncert_file = \"c\"\ndialect = \"ansi\"",
        "socket = \"s\"\ndialect = \"ansi\"\nuser = \"u\"",
        "socket = \"s\"\ndialect = \"ansi\"\nuser = \"u:v\"\npassword = { env = \"X\" }",
        "socket = \"s\"\ndialect = \"ansi\"\nbearer = \"a secret itself\"",
    ] {
        assert!(
            configure("flight_sql", settings, base).is_err(),
            "{settings}"
        );
    }
    assert_eq!(
        host_and_port("https://[::1]:5"),
        Some(("::1".to_owned(), 5))
    );
    for url in [
        "https://h",
        "https://h:1/x",
        "https://u@h:1",
        "grpc://h:1",
        "https://h:1?x",
    ] {
        assert_eq!(host_and_port(url), None, "{url}");
    }
}
