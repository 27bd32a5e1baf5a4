//! Enforces who may call what, before any handler runs and before a byte of the body is read.
//!
//! The table itself belongs to the services: they pass a function from path and peer to a decision. A request that
//! did not come through our accept loop carries no peer, and is decided as one of an untrusted certificate.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::Response;
use http::{HeaderMap, Request, header};
use lingqu_core::ErrorCode;
use tower::Layer;
use tower_service::Service;

use crate::connection::Connected;
use crate::identity::Peer;
use crate::status;

/// Decides one request from its path and its peer: `Ok` lets it through.
///
/// Contract: an unknown path is refused, and so is a peer that is an error, with that error.
pub type Decide = dyn Fn(&str, Result<&Peer, ErrorCode>) -> Result<(), ErrorCode> + Send + Sync;

/// Puts a [`Decide`] before a router.
#[derive(Clone)]
pub struct AccessLayer {
    decide: Arc<Decide>,
}

impl AccessLayer {
    /// A layer that asks `decide` about each request.
    pub fn new(decide: Arc<Decide>) -> Self {
        AccessLayer { decide }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access {
            decide: Arc::clone(&self.decide),
            inner,
        }
    }
}

impl fmt::Debug for AccessLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLayer")
    }
}

/// The service that [`AccessLayer`] makes.
#[derive(Clone)]
pub struct Access<S> {
    decide: Arc<Decide>,
    inner: S,
}

impl<S: fmt::Debug> fmt::Debug for Access<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for Access<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let connected = request.extensions().get::<Arc<Connected>>();
        let peer = connected.map_or(Err(ErrorCode::CallerCertUntrusted), |connected| {
            connected.peer()
        });
        match (self.decide)(request.uri().path(), peer) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(code) => {
                tracing::info!(
                    code = code.as_str(),
                    peer = peer.map_or("", |peer| peer.id.as_str()),
                    "request refused at the door"
                );
                let response = refusal(request.headers(), code);
                Box::pin(std::future::ready(Ok(response)))
            }
        }
    }
}

/// A gRPC client gets a response that consists of trailers only; any other gets a problem with an HTTP status,
/// because to it a gRPC refusal would look like a success without a body.
fn refusal(headers: &HeaderMap, code: ErrorCode) -> Response {
    let is_grpc = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if headers.get(header::CONTENT_TYPE).is_some_and(is_grpc) {
        status::status_of(code).into_http()
    } else {
        status::problem_of(code)
    }
}

#[cfg(test)]
mod tests;
