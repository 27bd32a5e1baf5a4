//! What the gRPC services share: their state, who is calling, and how refusals become statuses.
//!
//! Every path goes through the access table before its body is read. An act that was begun is finished even if its
//! caller hangs up, so acts run in tasks of their own.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use futures::{Stream, StreamExt};
use lingqu_core::{ErrorCode, NodeId, PartyId};
use lingqu_proto::pb;
use lingqu_transport::{AccessLayer, Connected, Connections, Peer, PeerId, status_of, status_with};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Status};

use super::health::Readiness;
use super::pages;
use crate::audit::Auditor;
use crate::mirror::Mirror;
use crate::places::Places;
use crate::refusal::Refusal;
use crate::registry::Registry;

/// Messages that wait for a slow subscriber. Small: each may have a mebibyte.
const WAITING_MAX: usize = 4;

/// Bytes of one received message of services that take envelopes or resume points: an envelope has little more than a
/// mebibyte.
const MESSAGE_BYTES_MAX: usize = 2 << 20;

/// Bytes of one received message where nothing large is said. Whoever has a certificate may send one to be enrolled, many
/// at a time, and each is kept until it is whole.
const SMALL_MESSAGE_BYTES_MAX: usize = 16 << 10;

/// A stream of answers.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What every service holds.
#[derive(Clone)]
pub(crate) struct Services {
    /// What was read back from the mirror's disk and checked, for people to look at.
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) mirror: Arc<Mirror>,
    /// Places for subscriptions of regulators.
    pub(crate) followers: Places,
    /// Places for nodes that read their stream back.
    pub(crate) readers: Places,
    /// Places for nodes that replicate: each may keep a batch here that is not whole yet, and some that wait.
    pub(crate) writers: Places,
    /// Places for pages that are being made.
    pub(crate) viewers: Places,
    /// Who is connected.
    pub(crate) connections: Connections,
    /// Cancelled when the coordinator ends: streams that would go on for ever end with it.
    pub(crate) ending: CancellationToken,
}

impl Services {
    /// The router of all services behind the access table.
    pub(crate) fn router(self) -> Router {
        let registry = Arc::clone(&self.registry);
        let bytes_max = self.mirror.limits.message_bytes_max;
        let (pages, health) = (pages::router(self.clone()), Readiness::server(self.clone()));
        let audit = pb::audit_server::AuditServer::new(self.clone());
        let enrolment = pb::enrolment_server::EnrolmentServer::new(self.clone());
        let mirror = pb::mirror_server::MirrorServer::new(self.clone());
        let filing = pb::registry_server::RegistryServer::new(self.clone());
        let workflow = pb::workflow_server::WorkflowServer::new(self.clone());
        let sync = pb::sync_server::SyncServer::new(self);
        Routes::new(audit.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(enrolment.max_decoding_message_size(SMALL_MESSAGE_BYTES_MAX))
            .add_service(mirror.max_decoding_message_size(bytes_max))
            .add_service(filing.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(sync.max_decoding_message_size(SMALL_MESSAGE_BYTES_MAX))
            .add_service(workflow.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(health)
            .prepare()
            .into_axum_router()
            .merge(pages)
            .layer(AccessLayer::new(Arc::new(move |path, peer| {
                registry.admit(path, peer)
            })))
    }

    /// Finishes what was begun, whether or not the caller stays.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Status> {
        match self.mirror.tasks.spawn(act).await {
            Ok(outcome) => outcome.map_err(status),
            Err(error) => {
                tracing::error!(%error, "an act's task failed");
                Err(status_of(ErrorCode::Internal))
            }
        }
    }

    /// Runs `task`, which sends into the returned stream, until it or the coordinator ends.
    ///
    /// The stream ends in order only if the task did. One that was cut, by the end of the coordinator or because its
    /// reader took nothing, would otherwise look complete to whoever reads it.
    pub(crate) fn stream<T, U>(
        &self,
        translate: impl Fn(T) -> U + Send + 'static,
        task: impl FnOnce(mpsc::Sender<Result<T, ErrorCode>>) -> Task,
    ) -> Answers<U>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let (cut, was_cut) = oneshot::channel();
        let (task, ending) = (task(sender), self.ending.clone());
        self.mirror.tasks.spawn(async move {
            let ended = tokio::select! {
                () = ending.cancelled() => Err(Status::unavailable("the coordinator is ending")),
                ended = task => ended.map_err(status_of),
            };
            if let Err(status) = ended {
                // Whoever hung up does not need to know.
                let _ = cut.send(status);
            }
        });
        let answers = ReceiverStream::new(receiver);
        let answers = answers.map(move |sent| sent.map(&translate).map_err(status_of));
        // Apart from the messages, so that a reader who leaves their queue full holds nothing up.
        let cut = futures::stream::once(was_cut);
        Box::pin(answers.chain(cut.filter_map(async |cut| cut.ok().map(Err))))
    }
}

/// The work behind a stream of answers; the code with which the stream is cut, unless it ends in order.
pub(crate) type Task = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + Send>>;

/// Who is calling.
pub(crate) fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let connected = request.extensions().get::<Arc<Connected>>();
    let connected = connected.ok_or_else(|| status_of(ErrorCode::CallerCertUntrusted))?;
    connected.peer().cloned().map_err(status_of)
}

/// The calling party.
pub(crate) fn party<T>(request: &Request<T>) -> Result<PartyId, Status> {
    match peer(request)?.id {
        PeerId::Party(id) => Ok(id),
        PeerId::Coordinator(_) | PeerId::Node(_) => Err(status_of(ErrorCode::CallerRoleForbidden)),
    }
}

/// The calling node.
pub(crate) fn node<T>(request: &Request<T>) -> Result<NodeId, Status> {
    match peer(request)?.id {
        PeerId::Node(id) => Ok(id),
        PeerId::Coordinator(_) | PeerId::Party(_) => Err(status_of(ErrorCode::CallerRoleForbidden)),
    }
}

/// A refusal on the wire.
pub(crate) fn status(refusal: Refusal) -> Status {
    match refusal.field {
        Some(field) => status_with(refusal.code, field),
        None => status_of(refusal.code),
    }
}

/// A malformed field of a request.
pub(crate) fn malformed(field: &'static str) -> Status {
    status_with(ErrorCode::RequestInvalid, field)
}
