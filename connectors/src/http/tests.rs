use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use lingqu_connector_sdk::SourceError;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::fixtures::{configure, load, query, source};

/// A server on this machine, until it is dropped.
struct Server {
    base: TempDir,
    port: u16,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Asked = State<Arc<AtomicUsize>>;

fn parameters(uri: &Uri) -> BTreeMap<String, String> {
    let url: reqwest::Url = format!("http://here{uri}").parse().unwrap();
    url.query_pairs().into_owned().collect()
}

fn rows(from: u64, to: u64) -> String {
    let row = |n| format!(r#"{{"id": {n}, "paid": {n}.10, "name": "人{n}", "extra": {{}}}}"#);
    (from..to).map(row).collect::<Vec<_>>().join(",")
}

fn json(body: String) -> Response {
    ([("content-type", "application/json")], body).into_response()
}

async fn numbered(State(asked): Asked, uri: Uri) -> Response {
    let query = parameters(&uri);
    asked.fetch_add(1, Ordering::Relaxed);
    let of = |name: &str| query.get(name).and_then(|text| text.parse().ok());
    let size: u64 = of("size").unwrap_or(10);
    let from = of("offset").unwrap_or_else(|| (of("page").unwrap_or(1) - 1) * size);
    let to = (from + size).min(25);
    json(format!(
        r#"{{"data": {{"items": [{}]}}}}"#,
        rows(from.min(to), to)
    ))
}

async fn cursor(uri: Uri) -> Response {
    let query = parameters(&uri);
    match query.get("cursor").map(String::as_str) {
        None => json(format!(r#"{{"items": [{}], "next": "a&b"}}"#, rows(0, 2))),
        Some("a&b") => json(format!(r#"{{"items": [{}], "next": null}}"#, rows(2, 3))),
        Some(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn linked(uri: Uri) -> Response {
    let query = parameters(&uri);
    let (from, link) = match query.get("p").map(String::as_str) {
        None => (0, "</linked?p=2>; rel=\"next\""),
        Some("2") => (1, "</linked>; rel=\"first\""),
        _ => (2, "<http://127.0.0.2/>; rel=next"),
    };
    ([("link", link)], format!("[{}]", rows(from, from + 1))).into_response()
}

async fn endless(State(asked): Asked) -> Response {
    let n = asked.fetch_add(1, Ordering::Relaxed) as u64;
    json(format!(
        r#"{{"items": [{}], "next": "{n}"}}"#,
        rows(n, n + 1)
    ))
}

async fn same() -> Response {
    json(format!(r#"{{"items": [{}], "next": "x"}}"#, rows(0, 1)))
}

async fn flaky(State(asked): Asked) -> Response {
    match asked.fetch_add(1, Ordering::Relaxed) {
        0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        1 => StatusCode::TOO_MANY_REQUESTS.into_response(),
        _ => json(format!("[{}]", rows(0, 1))),
    }
}

async fn guarded(headers: HeaderMap) -> Response {
    match headers.get("x-api-key").map(|key| key.as_bytes()) {
        Some(b"open sesame") => json(format!("[{}]", rows(0, 1))),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn large() -> Response {
    json(format!("[{}]", rows(0, 5_000)))
}

async fn unfit() -> Response {
    json(r#"[{"id": "110101199003070000x"}]"#.to_owned())
}

async fn server() -> Server {
    let base = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let router = Router::new()
        .route("/numbered", get(numbered))
        .route("/cursor", get(cursor))
        .route("/linked", get(linked))
        .route("/endless", get(endless))
        .route("/same", get(same))
        .route("/flaky", get(flaky))
        .route("/guarded", get(guarded))
        .route("/large", get(large))
        .route("/unfit", get(unfit))
        .route("/moved", get(async || Redirect::temporary("/linked?p=2")))
        .route(
            "/elsewhere",
            get(async || Redirect::temporary("http://127.0.0.2:9/x")),
        )
        .route(
            "/stalls",
            get(async || std::future::pending::<Response>().await),
        )
        .route("/nonsense", get(async || "<html>"))
        .with_state(Arc::clone(&asked));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    });
    Server {
        base,
        port,
        asked,
        task,
    }
}

impl Server {
    fn settings(&self, more: &str, path: &str, table: &str) -> String {
        format!(
            "base_url = \"http://127.0.0.1:{}/\"\n{more}\n[[tables]]\nname = \"t\"\npath = \"{path}\"\n{table}\n\
             columns = [{{ name = \"id\", type = \"int64\" }}, {{ name = \"paid\", type = \"decimal(10,2)\" }}, \
             {{ name = \"name\", type = \"text\" }}]\n",
            self.port
        )
    }

    async fn ids(&self, more: &str, path: &str, table: &str) -> Result<Vec<String>, SourceError> {
        let settings = self.settings(more, path, table);
        let source = source("http", &settings, self.base.path());
        load(source.as_ref(), "t", &["id"]).await
    }
}

fn upto(n: u64) -> Vec<String> {
    (0..n).map(|n| n.to_string()).collect()
}

const CURSOR: &str =
    "rows = \"/items\"\npaging = { by = \"cursor\", parameter = \"cursor\", pointer = \"/next\" }";

#[tokio::test]
async fn pages_follow_one_another() {
    let server = server().await;
    for paging in [
        "{ by = \"page\", parameter = \"page\", size_parameter = \"size\", size = 10 }",
        "{ by = \"page\", parameter = \"page\", size_parameter = \"size\", size = 5 }",
        "{ by = \"offset\", parameter = \"offset\", size_parameter = \"size\", size = 7 }",
    ] {
        let table = format!("rows = \"/data/items\"\npaging = {paging}");
        assert_eq!(
            server.ids("", "numbered", &table).await.unwrap(),
            upto(25),
            "{paging}"
        );
    }
    assert_eq!(server.ids("", "cursor", CURSOR).await.unwrap(), upto(3));
    let link = "paging = { by = \"link\" }";
    assert_eq!(server.ids("", "linked", link).await.unwrap(), ["0", "1"]);
    let settings = server.settings("", "linked?p=2", "");
    let source = source("http", &settings, server.base.path());
    let found = load(source.as_ref(), "t", &["name", "paid"]).await.unwrap();
    assert_eq!(found, ["人1|1.10"]);
    let sql = "SELECT name FROM t WHERE id = 1";
    assert_eq!(query(source.as_ref(), "t", sql).await, ["人1"]);
    assert_eq!(source.health().await.unwrap().verified_tls, Some(false));
    assert_eq!(source.describe().await.unwrap().len(), 1);
}

#[tokio::test]
async fn endless_pages_end() {
    let server = server().await;
    let refused = server.ids("pages_max = 20", "endless", CURSOR).await;
    assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
    assert_eq!(server.asked.load(Ordering::Relaxed), 20);
    let refused = server.ids("", "same", CURSOR).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the source failed with code `http-page-repeats`"
    );
    let page = "paging = { by = \"page\", parameter = \"p\", size_parameter = \"n\", size = 100 }";
    let refused = server.ids("", "large", page).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the source failed with code `http-page-oversized`"
    );
}

#[tokio::test]
async fn nobody_else_is_asked() {
    let server = server().await;
    assert_eq!(server.ids("", "moved", "").await.unwrap(), ["1"]);
    let refused = server.ids("", "elsewhere", "").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the source failed with code `HTTP 307`"
    );
    let link = "paging = { by = \"link\" }";
    let refused = server.ids("", "linked?p=9", link).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the source failed with code `http-link-elsewhere`"
    );
    for (base, path) in [
        ("http://10.0.0.1/", "t"),
        ("http://localhost.example/", "t"),
        ("https://user:secret@host/", "t"),
        ("https://host/?key=secret", "t"),
        ("https://host/api", "t"),
        ("https://host/api/", "../t"),
        ("https://host/api/", "/t"),
        ("https://host/api/", "//evil/api/t"),
        ("https://host/api/", "https://evil/api/t"),
    ] {
        let settings = server
            .settings("", path, "")
            .replace(&format!("http://127.0.0.1:{}/", server.port), base);
        assert!(
            configure("http", &settings, server.base.path()).is_err(),
            "{base} {path}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_slow_or_large_is_bounded() {
    let server = server().await;
    let refused = server.ids("request_time_max_s = 1", "stalls", "").await;
    assert!(matches!(refused, Err(SourceError::TimedOut)), "{refused:?}");
    let refused = server.ids("page_bytes_max = 1000", "large", "").await;
    assert!(matches!(refused, Err(SourceError::TooLarge)), "{refused:?}");
    assert_eq!(server.ids("", "flaky", "").await.unwrap(), ["0"]);
    assert_eq!(server.asked.load(Ordering::Relaxed), 3);
    let refused = server
        .ids("retries_max = 0", "nowhere", "")
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the source failed with code `HTTP 404`"
    );
    for path in ["nonsense", "cursor"] {
        let refused = server.ids("", path, "").await.unwrap_err();
        assert!(
            matches!(refused, SourceError::Failed { code: Some(_) }),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn secrets_and_values_are_not_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = server().await;
    let file = server.base.path().join("key");
    std::fs::write(&file, "open sesame\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = "headers = { x-api-key = { file = \"key\" } }";
    assert_eq!(server.ids(key, "guarded", "").await.unwrap(), ["0"]);
    let refused = server.ids("", "guarded", "").await;
    assert!(
        matches!(refused, Err(SourceError::AccountRefused)),
        "{refused:?}"
    );
    let settings = server.settings(key, "guarded", "");
    let source = source("http", &settings, server.base.path());
    load(source.as_ref(), "t", &["id"]).await.unwrap();
    assert!(!format!("{source:?}").contains("sesame"));
    let refused = server.ids("", "unfit", "").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "column `id` has a value that does not fit its declared type"
    );
    let host = server.settings("headers = { host = { env = \"X\" } }", "guarded", "");
    assert!(configure("http", &host, server.base.path()).is_err());
}
