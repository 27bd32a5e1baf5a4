//! The gRPC service `Calls`: the only file of the node that knows tonic.

use std::pin::Pin;
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_journal::{Outcome, Released};
use lingqu_proto::pb;
use lingqu_proto::pb::calls_server::{Calls as CallsService, CallsServer};
use lingqu_proto::{load_to_pb, receipt_to_pb, verdict_to_pb};
use lingqu_transport::{Connected, status_of};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::Node;
use crate::admission::caller::Caller;
use crate::call::{self, Answer};

/// Calls of one stream that are worked on at the same time.
const STREAM_CALLS_MAX: usize = 64;

/// Hands each call to a task of its own.
#[derive(Clone)]
pub(super) struct Calls {
    node: Arc<Node>,
    tasks: TaskTracker,
}

impl Calls {
    pub(super) fn new(node: Arc<Node>, tasks: TaskTracker) -> Self {
        Calls { node, tasks }
    }

    pub(super) fn into_server(self, request_bytes_max: usize) -> CallsServer<Self> {
        CallsServer::new(self).max_decoding_message_size(request_bytes_max)
    }

    /// A call runs in its own task: a client that hangs up cancels its handler, never the bookkeeping.
    async fn run(&self, caller: Caller, request: pb::VerifyRequest) -> Released<Answer> {
        let node = Arc::clone(&self.node);
        let task = self
            .tasks
            .spawn(async move { call::serve(&node, &caller, &request).await });
        // A panic outside the evaluation is a defect of ours; nothing has left.
        task.await
            .unwrap_or_else(|_| Released::unrecorded(lingqu_journal::Unrecorded::AuditUnavailable))
    }
}

#[tonic::async_trait]
impl CallsService for Calls {
    async fn verify(
        &self,
        request: Request<pb::VerifyRequest>,
    ) -> Result<Response<pb::VerifyResponse>, Status> {
        let caller = caller(request.extensions())?;
        let released = self.run(caller, request.into_inner()).await;
        to_response(released).map(Response::new).map_err(status_of)
    }

    type VerifyStreamStream =
        Pin<Box<dyn Stream<Item = Result<pb::VerifyStreamResponse, Status>> + Send>>;

    async fn verify_stream(
        &self,
        request: Request<Streaming<pb::VerifyRequest>>,
    ) -> Result<Response<Self::VerifyStreamStream>, Status> {
        // The connection is asked again for each call: a certificate may expire in the middle of a stream.
        let connected = connected(request.extensions())?;
        let mut requests = request.into_inner();
        let (answers, stream) = mpsc::channel(STREAM_CALLS_MAX);
        let calls = self.clone();
        self.tasks.spawn(async move {
            while let Some(next) = requests.next().await {
                // A place in the answers' channel first: a slow reader slows its own calls and nothing else.
                let Ok(place) = answers.clone().reserve_owned().await else {
                    return;
                };
                let item = match (next, caller_of(&connected)) {
                    (Ok(request), Ok(caller)) => (caller, request),
                    (Err(status), _) | (_, Err(status)) => {
                        place.send(Err(status));
                        return;
                    }
                };
                let calls = calls.clone();
                tokio::spawn(async move {
                    let call_id = item
                        .1
                        .context
                        .as_ref()
                        .map(|c| c.call_id.clone())
                        .unwrap_or_default();
                    let outcome = match to_response(calls.run(item.0, item.1).await) {
                        Ok(answer) => pb::verify_stream_response::Outcome::Answer(answer),
                        Err(code) => pb::verify_stream_response::Outcome::Refusal(refusal(code)),
                    };
                    place.send(Ok(pb::VerifyStreamResponse {
                        call_id,
                        outcome: Some(outcome),
                    }));
                });
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn connected(extensions: &tonic::Extensions) -> Result<Arc<Connected>, Status> {
    let found = extensions.get::<Arc<Connected>>().map(Arc::clone);
    found.ok_or_else(|| status_of(ErrorCode::CallerCertUntrusted))
}

fn caller(extensions: &tonic::Extensions) -> Result<Caller, Status> {
    caller_of(connected(extensions)?.as_ref())
}

fn caller_of(connected: &Connected) -> Result<Caller, Status> {
    connected
        .peer()
        .and_then(Caller::from_peer)
        .map_err(status_of)
}

fn refusal(code: ErrorCode) -> pb::Refusal {
    pb::Refusal {
        code: code.as_str().to_owned(),
        message: code.message_en().to_owned(),
    }
}

/// The one place where a released outcome becomes bytes.
fn to_response(released: Released<Answer>) -> Result<pb::VerifyResponse, ErrorCode> {
    match released.into_outcome() {
        Outcome::Answered {
            result,
            receipt,
            level,
        } => Ok(pb::VerifyResponse {
            call_id: result.call.0.to_vec(),
            verdict: verdict_to_pb(result.verdict) as i32,
            load: Some(load_to_pb(&result.load)),
            receipt: Some(receipt_to_pb(&receipt, level)),
            opening_key: result.opening_key.to_vec(),
        }),
        Outcome::Failed { code, .. } | Outcome::Denied(code) | Outcome::Unrecorded(code) => {
            Err(code)
        }
    }
}
