//! JSON over HTTPS on the node's port, for those who have no gRPC: the same calls, the same records, the same codes.
//!
//! What is read is strict: a field that nobody knows, one that is there twice, a number that is no integer or a body of
//! another type is refused, since it may be a restriction that its sender relies on. An error is a problem (RFC 9457)
//! whose `type` is the code.

mod answer;
mod openapi;
mod problem;
mod request;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use lingqu_core::ErrorCode;
use lingqu_proto::{CallInvalid, ProductCall};
use lingqu_transport::Connected;

use self::problem::Problem;
use self::request::{CallBody, ExplainRequest, QueryRequest, ScoreRequest, VerifyRequest};
use super::calling::Calling;
use crate::admission::caller::Caller;

pub use openapi::document;

/// The routes. What is not among them the access layer has refused already.
pub(super) fn routes(calling: Calling) -> Router {
    Router::new()
        .route("/v1/explain", post(call::<ExplainRequest>))
        .route("/v1/verify", post(call::<VerifyRequest>))
        .route("/v1/score", post(call::<ScoreRequest>))
        .route("/v1/query", post(call::<QueryRequest>))
        .route("/v1/products", get(products))
        .route("/openapi.json", get(openapi_json))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(calling)
}

/// Makes a call from a body.
async fn call<B: CallBody>(
    State(calling): State<Calling>,
    Extension(connected): Extension<Arc<Connected>>,
    request: Request,
) -> Response {
    match called::<B>(&calling, &connected, request).await {
        Ok(answer) => private(Json(answer).into_response()),
        Err(problem) => private(problem.into_response()),
    }
}

async fn called<B: CallBody>(
    calling: &Calling,
    connected: &Connected,
    request: Request,
) -> Result<answer::CallAnswer, Problem> {
    let caller = connected.peer().and_then(Caller::from_peer)?;
    // A place first: bodies that are sent slowly are bounded like calls.
    let place = calling.place(&caller)?;
    let limits = &calling.node().config.limits;
    let body_time = Duration::from_secs(limits.request_body_s.max(1));
    let read = read::<B>(request, limits.request_bytes_max, body_time).await;
    // The call takes its own.
    drop(place);
    let given = calling.make(&caller, read).await.into_answer()?;
    let answer = answer::CallAnswer::of(&given.answer, &given.receipt, given.level)?;
    Ok(answer)
}

/// The call that a request asks for.
async fn read<B: CallBody>(
    request: Request,
    bytes_max: usize,
    time_max: Duration,
) -> Result<ProductCall, CallInvalid> {
    let (head, body) = request.into_parts();
    if head.uri.query().is_some() {
        return Err(invalid("query", "is not read here"));
    }
    // A browser sends this type to another site only if that site agrees beforehand, and no node ever does.
    if !head.headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(invalid("content-type", "is not `application/json`"));
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(invalid("content-encoding", "is not read here"));
    }
    let body = tokio::time::timeout(time_max, bytes(body, bytes_max))
        .await
        .map_err(|_| invalid("body", "did not arrive in time"))??;
    let parsed: B = serde_json::from_slice(&body).map_err(|error| match error.classify() {
        // serde's own words quote the body.
        serde_json::error::Category::Data => invalid(
            "body",
            "has a field that is missing, unknown, there twice or of another type",
        ),
        serde_json::error::Category::Eof
        | serde_json::error::Category::Io
        | serde_json::error::Category::Syntax => invalid("body", "is not JSON"),
    })?;
    parsed.into_call()
}

async fn bytes(body: Body, bytes_max: usize) -> Result<axum::body::Bytes, CallInvalid> {
    axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|_| invalid("body", "is larger than the node reads, or broke off"))
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else {
        return false;
    };
    let text = text.to_ascii_lowercase();
    match text.split_once(';') {
        None => text.trim() == "application/json",
        Some((media_type, parameter)) => {
            media_type.trim() == "application/json"
                && ["charset=utf-8", "charset=\"utf-8\""].contains(&parameter.trim())
        }
    }
}

fn invalid(field: &'static str, reason: &'static str) -> CallInvalid {
    CallInvalid {
        code: ErrorCode::RequestInvalid,
        field,
        reason,
    }
}

/// What this caller may use.
async fn products(
    State(calling): State<Calling>,
    Extension(connected): Extension<Arc<Connected>>,
) -> Response {
    let listed = || -> Result<answer::Products, Problem> {
        let caller = connected.peer().and_then(Caller::from_peer)?;
        let _place = calling.place(&caller)?;
        let node = calling.node();
        Ok(answer::Products::of(
            node.id(),
            &node.visible_products(&caller),
        ))
    };
    match listed() {
        Ok(products) => private(Json(products).into_response()),
        Err(problem) => private(problem.into_response()),
    }
}

async fn openapi_json() -> Response {
    let mut response = document().into_response();
    let media_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

async fn method_not_allowed() -> Response {
    let mut response = Problem::from(ErrorCode::RequestInvalid).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Nobody between keeps a copy, and no browser guesses another type.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests;
