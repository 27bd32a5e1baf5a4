//! The listener of its own for metrics and health: HTTP/1.1 without TLS, for this machine.
//!
//! Connections, headers and their time are bounded, and one scrape is made at a time: whoever asks too often waits for
//! himself. Nothing can be sent to it but a path. A page in a browser on this machine could otherwise be made to read
//! the metrics under a foreign name, so that requests by another host name than this machine's are refused.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::exposition::MEDIA_TYPE;
use crate::settings::{Settings, is_local_name};

/// Time for a request's header, and for which a connection may be idle.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Time for which a connection lives at all, so that a reader who takes nothing does not keep his place.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Bytes of a request's head. The smallest that hyper takes.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Time to wait when the operating system gives no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is told in time.
pub type Told<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A process as it is seen from outside.
pub trait Observed: Send + Sync + 'static {
    /// All metrics, as Prometheus text. Never asked twice at a time.
    fn metrics(self: Arc<Self>) -> Told<String>;

    /// Whether work can be sent to it. Cheap, and may be asked at any time.
    fn health(&self) -> Health;
}

/// What being ready consists of: each condition by its name, and whether it holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health(pub Vec<(&'static str, bool)>);

impl Health {
    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        self.0.iter().all(|(_, holds)| *holds)
    }

    /// As JSON. The names are constants of the program and need no quoting.
    fn to_json(&self) -> String {
        let checks: Vec<String> = self
            .0
            .iter()
            .map(|(name, holds)| format!("\"{name}\":{holds}"))
            .collect();
        format!(
            "{{\"ready\":{},\"checks\":{{{}}}}}\n",
            self.is_ready(),
            checks.join(",")
        )
    }
}

/// Serves until the future is dropped, which closes every connection.
pub async fn serve(listener: TcpListener, settings: &Settings, observed: Arc<dyn Observed>) {
    let service = TowerToHyperService::new(router(settings, observed));
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!(%error, "no connections can be accepted for metrics and health");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let service = service.clone();
        connections.spawn(async move {
            let _place = place;
            // Whoever hangs up or is too slow loses his own answer.
            let _ = tokio::time::timeout(CONNECTION_TIME, answer(stream, service)).await;
        });
    }
}

async fn answer(
    stream: TcpStream,
    service: TowerToHyperService<Router>,
) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

#[derive(Clone)]
struct Shared {
    observed: Arc<dyn Observed>,
    /// Held while one scrape is made.
    scraping: Arc<tokio::sync::Mutex<()>>,
}

fn router(settings: &Settings, observed: Arc<dyn Observed>) -> Router {
    let shared = Shared {
        observed,
        scraping: Arc::default(),
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(shared);
    if settings.allow_remote {
        router
    } else {
        router.layer(middleware::from_fn(only_by_local_names))
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let _one_at_a_time = shared.scraping.lock().await;
    let text = shared.observed.metrics().await;
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response()
}

/// That this is answered is the answer.
async fn live() -> Response {
    json(StatusCode::OK, "{\"live\":true}\n".to_owned())
}

async fn ready(State(shared): State<Shared>) -> Response {
    let health = shared.observed.health();
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, health.to_json())
}

fn json(status: StatusCode, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

async fn only_by_local_names(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<http::uri::Authority>().ok());
    if host.is_some_and(|host| is_local_name(host.host())) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

#[cfg(test)]
mod tests;
