//! The baseline: a gRPC service that answers what it was sent, extended to the length of a real answer, and does
//! nothing else. What it costs is TLS, HTTP/2 and tonic; the difference to ours is everything that we add.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc as ServerGrpc, NamedService, UnaryService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::Failed;
use super::load::Target;

const PATH: &str = "/lingqu.bench.Echo/Echo";

/// What goes both ways.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
    /// Length that the answer's `bytes` must have.
    #[prost(uint32, tag = "2")]
    answer_len: u32,
}

/// The service.
#[derive(Clone, Copy)]
pub(super) struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = "lingqu.bench.Echo";
}

impl Service<http::Request<Body>> for EchoServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = ServerGrpc::new(ProstCodec::default());
            Ok(grpc.unary(EchoServer, request).await)
        })
    }
}

impl UnaryService<Payload> for EchoServer {
    type Response = Payload;
    type Future = Ready<Result<Response<Payload>, Status>>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        let mut payload = request.into_inner();
        // The only caller is ours, but a length from outside is bounded all the same.
        payload
            .bytes
            .resize(payload.answer_len.min(1 << 16) as usize, 0);
        ready(Ok(Response::new(payload)))
    }
}

/// One connection to it.
#[derive(Clone)]
pub(super) struct Echo {
    grpc: Grpc<Channel>,
    payload: Payload,
}

impl Echo {
    /// Calls with these lengths of request and answer, in bytes.
    pub(super) fn new(channel: Channel, (request_len, answer_len): (usize, usize)) -> Echo {
        let payload = Payload {
            bytes: vec![0x5a; request_len],
            answer_len: u32::try_from(answer_len).unwrap_or(u32::MAX),
        };
        Echo {
            grpc: Grpc::new(channel),
            payload,
        }
    }
}

impl Target for Echo {
    type Request = Payload;
    type Answer = Payload;

    fn request(&self, _number: usize) -> Payload {
        self.payload.clone()
    }

    async fn call(&mut self, request: Payload) -> Result<Payload, Status> {
        let not_ready = |error| Status::unavailable(format!("{error}"));
        self.grpc.ready().await.map_err(not_ready)?;
        let path = http::uri::PathAndQuery::from_static(PATH);
        let codec: ProstCodec<Payload, Payload> = ProstCodec::default();
        let answer = self.grpc.unary(Request::new(request), path, codec).await?;
        Ok(answer.into_inner())
    }

    fn check(&self, request: &Payload, answer: Payload) -> Result<(), Failed> {
        if answer.bytes.len() == request.answer_len as usize {
            Ok(())
        } else {
            Err(Failed::Call("the echo is of another length".to_owned()))
        }
    }
}
