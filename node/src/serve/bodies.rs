//! The gRPC service `Bodies`: what a regulator's recorded order names, handed out.

use std::pin::Pin;
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_proto::pb::bodies_server::{Bodies as BodiesService, BodiesServer};
use lingqu_proto::{envelope_from_pb, pb};
use lingqu_transport::status_of;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use super::calls::caller;
use crate::Node;

/// Messages that wait for a slow reader. Each is as large as a body may be.
const WAITING_MAX: usize = 4;

/// Opens bodies.
#[derive(Clone)]
pub(super) struct Opening {
    node: Arc<Node>,
}

impl Opening {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Opening { node }
    }

    pub(super) fn into_server(self, request_bytes_max: usize) -> BodiesServer<Self> {
        BodiesServer::new(self).max_decoding_message_size(request_bytes_max)
    }
}

#[tonic::async_trait]
impl BodiesService for Opening {
    type OpenBodiesStream =
        Pin<Box<dyn Stream<Item = Result<pb::OpenBodiesResponse, Status>> + Send>>;

    async fn open_bodies(
        &self,
        request: Request<pb::OpenBodiesRequest>,
    ) -> Result<Response<Self::OpenBodiesStream>, Status> {
        let caller = caller(request.extensions())?;
        let order = request.into_inner().order;
        let order = order
            .map(envelope_from_pb)
            .and_then(Result::ok)
            .ok_or_else(|| status_of(ErrorCode::ObjectInvalid))?;
        let opening = self.node.open_bodies(&caller.party, &order).await;
        let opening = opening.map_err(status_of)?;
        let (giving, given) = mpsc::channel(WAITING_MAX);
        let bodies = Arc::clone(&self.node.bodies);
        // Files are read: not on a task that others wait for.
        self.node
            .blocking
            .spawn_blocking(move || opening.hand_out(&bodies, &giving));
        let given = ReceiverStream::new(given).map(|item| item.map_err(status_of));
        Ok(Response::new(Box::pin(given)))
    }
}
