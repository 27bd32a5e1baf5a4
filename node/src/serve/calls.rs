//! The gRPC service `Calls`: verdicts, scores and tables, unary and streamed.

use std::pin::Pin;
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_proto::pb;
use lingqu_proto::pb::calls_server::{Calls as CallsService, CallsServer};
use lingqu_proto::{
    CallRequest, environment_to_pb, load_to_pb, product_call, receipt_to_pb, score_to_pb,
    verdict_to_pb,
};
use lingqu_transport::{Connected, status_of, status_of_fault};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::calling::Calling;
use crate::admission::caller::Caller;
use crate::call::{Given, Refused};
use crate::evaluate::AnswerValue;

/// Calls of one stream that are worked on at the same time.
const STREAM_CALLS_MAX: usize = 64;

/// Requests for links that are worked on at the same time.
const LINKS_AT_ONCE_MAX: usize = 2;

/// Hands each call to a task of its own.
#[derive(Clone)]
pub(super) struct Calls {
    calling: Calling,
    tasks: TaskTracker,
    /// Requests for links that are worked on.
    links: Arc<Semaphore>,
}

impl Calls {
    pub(super) fn new(calling: Calling, tasks: TaskTracker) -> Self {
        Calls {
            calling,
            tasks,
            links: Arc::new(Semaphore::new(LINKS_AT_ONCE_MAX)),
        }
    }

    pub(super) fn into_server(self, request_bytes_max: usize) -> CallsServer<Self> {
        CallsServer::new(self).max_decoding_message_size(request_bytes_max)
    }

    async fn run<R: CallRequest>(&self, caller: &Caller, request: R) -> Result<Given, Refused> {
        let asked = product_call(&request);
        self.calling.make(caller, asked).await.into_answer()
    }

    async fn unary<R: CallRequest, T>(
        &self,
        request: Request<R>,
        to_pb: impl FnOnce(Given) -> Result<T, ErrorCode>,
    ) -> Result<Response<T>, Status> {
        let caller = caller(request.extensions())?;
        let given = self.run(&caller, request.into_inner()).await;
        let response = given.and_then(|given| Ok(to_pb(given)?));
        response
            .map(Response::new)
            .map_err(|refused| status(&refused))
    }
}

#[tonic::async_trait]
impl CallsService for Calls {
    async fn verify(
        &self,
        request: Request<pb::VerifyRequest>,
    ) -> Result<Response<pb::VerifyResponse>, Status> {
        self.unary(request, verified).await
    }

    async fn score(
        &self,
        request: Request<pb::ScoreRequest>,
    ) -> Result<Response<pb::ScoreResponse>, Status> {
        self.unary(request, scored).await
    }

    async fn query(
        &self,
        request: Request<pb::QueryRequest>,
    ) -> Result<Response<pb::QueryResponse>, Status> {
        self.unary(request, queried).await
    }

    async fn explain(
        &self,
        request: Request<pb::ExplainRequest>,
    ) -> Result<Response<pb::ExplainResponse>, Status> {
        self.unary(request, explained).await
    }

    async fn links(
        &self,
        request: Request<pb::LinksRequest>,
    ) -> Result<Response<pb::LinksResponse>, Status> {
        let caller = caller(request.extensions())?;
        let after = request.into_inner().after;
        // A few at a time, as with every request of a party: they read files, and nothing is charged for them.
        let _of_party = self.calling.place(&caller).map_err(status_of)?;
        let _of_all = self.links.acquire().await;
        let links = self.calling.links(after).await.map_err(status_of)?;
        Ok(Response::new(pb::LinksResponse {
            first_records: links,
        }))
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
                    let given = calls.run(&item.0, item.1).await;
                    let outcome = match given.and_then(|given| Ok(verified(given)?)) {
                        Ok(answer) => pb::verify_stream_response::Outcome::Answer(answer),
                        Err(why) => pb::verify_stream_response::Outcome::Refusal(refusal(&why)),
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

pub(super) fn caller(extensions: &tonic::Extensions) -> Result<Caller, Status> {
    caller_of(connected(extensions)?.as_ref())
}

fn caller_of(connected: &Connected) -> Result<Caller, Status> {
    connected
        .peer()
        .and_then(Caller::from_peer)
        .map_err(status_of)
}

fn refusal(refused: &Refused) -> pb::Refusal {
    let text = refused.code.message_en();
    pb::Refusal {
        code: refused.code.as_str().to_owned(),
        message: match &refused.fault {
            Some(fault) => format!("{text} ({fault})"),
            None => text.to_owned(),
        },
    }
}

/// A refusal as a status.
pub(super) fn status(refused: &Refused) -> Status {
    match &refused.fault {
        Some(fault) => status_of_fault(refused.code, fault),
        None => status_of(refused.code),
    }
}

// The plan refuses an operation on a product of another kind, so that the values below fit; were one not to fit, it
// would not leave.

fn verified(given: Given) -> Result<pb::VerifyResponse, ErrorCode> {
    let AnswerValue::Verdict(verdict) = *given.answer.value else {
        return Err(ErrorCode::ProductKindMismatch);
    };
    Ok(pb::VerifyResponse {
        call_id: given.answer.call.0.to_vec(),
        verdict: verdict_to_pb(verdict) as i32,
        load: given.answer.loads.first().map(load_to_pb),
        receipt: Some(receipt_to_pb(&given.receipt, given.level)),
        opening_key: given.answer.opening_key.to_vec(),
        environment: environment_to_pb(given.answer.environment).into(),
    })
}

fn scored(given: Given) -> Result<pb::ScoreResponse, ErrorCode> {
    let AnswerValue::Score(score) = &*given.answer.value else {
        return Err(ErrorCode::ProductKindMismatch);
    };
    Ok(pb::ScoreResponse {
        call_id: given.answer.call.0.to_vec(),
        result: Some(score_to_pb(score)),
        load: given.answer.loads.first().map(load_to_pb),
        receipt: Some(receipt_to_pb(&given.receipt, given.level)),
        opening_key: given.answer.opening_key.to_vec(),
        environment: environment_to_pb(given.answer.environment).into(),
    })
}

fn queried(given: Given) -> Result<pb::QueryResponse, ErrorCode> {
    let AnswerValue::Table(table) = &*given.answer.value else {
        return Err(ErrorCode::ProductKindMismatch);
    };
    Ok(pb::QueryResponse {
        call_id: given.answer.call.0.to_vec(),
        table: table.stream.clone(),
        loads: given.answer.loads.iter().map(load_to_pb).collect(),
        receipt: Some(receipt_to_pb(&given.receipt, given.level)),
        opening_key: given.answer.opening_key.to_vec(),
        environment: environment_to_pb(given.answer.environment).into(),
    })
}

fn explained(given: Given) -> Result<pb::ExplainResponse, ErrorCode> {
    let AnswerValue::Table(table) = &*given.answer.value else {
        return Err(ErrorCode::ProductKindMismatch);
    };
    Ok(pb::ExplainResponse {
        call_id: given.answer.call.0.to_vec(),
        table: table.stream.clone(),
        loads: given.answer.loads.iter().map(load_to_pb).collect(),
        receipt: Some(receipt_to_pb(&given.receipt, given.level)),
        opening_key: given.answer.opening_key.to_vec(),
        environment: environment_to_pb(given.answer.environment).into(),
    })
}
