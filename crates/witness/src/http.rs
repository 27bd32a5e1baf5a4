//! The HTTP interface of tlog-witness: `POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint`.
//!
//! Whoever submits needs no identity beyond the log's signature. The disk is waited for apart from the connections, and
//! only so many requests at a time are worked on.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use lingqu_tlog::MAX_ADD_CHECKPOINT_BYTES;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::witness::{Answer, Witness};

#[derive(Clone)]
struct Shared {
    witness: Arc<Witness>,
    places: Arc<Semaphore>,
}

/// The routes of a witness; at most `in_flight_max` submissions are worked on at a time.
pub fn router(witness: Arc<Witness>, in_flight_max: usize) -> Router {
    let shared = Shared {
        witness,
        places: Arc::new(Semaphore::new(in_flight_max)),
    };
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{digest}/checkpoint", get(checkpoint))
        .layer(DefaultBodyLimit::max(MAX_ADD_CHECKPOINT_BYTES))
        .with_state(shared)
}

/// Serves plain HTTP on a loopback listener until `shutdown` completes; running requests finish first.
///
/// # Errors
/// What the operating system says when the listener fails.
pub async fn serve_loopback(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
}

async fn add_checkpoint(State(shared): State<Shared>, body: Bytes) -> Response {
    let Ok(place) = shared.places.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy\n").into_response();
    };
    let witness = Arc::clone(&shared.witness);
    // A client that hangs up ends its connection, never a check that has begun: the place goes with the work.
    let answered = tokio::task::spawn_blocking(move || {
        let _place = place;
        witness.add_checkpoint(&body)
    });
    match answered.await {
        Ok(answer) => respond(answer),
        Err(error) => {
            tracing::error!(%error, "a submission was not worked on to its end");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn checkpoint(State(shared): State<Shared>, Path(digest): Path<String>) -> Response {
    match shared.witness.checkpoint(&digest) {
        Some(note) => {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, note).into_response()
        }
        None => (
            StatusCode::NOT_FOUND,
            "nothing was cosigned under this origin\n",
        )
            .into_response(),
    }
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status)
        .expect("a witness answers with statuses of the specification only");
    let headers = [(header::CONTENT_TYPE, answer.content_type)];
    (status, headers, answer.body).into_response()
}

#[cfg(test)]
mod tests;
