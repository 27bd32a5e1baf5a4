//! `lingqu.v1.Sync`.

use lingqu_proto::pb::sync_server::Sync;
use lingqu_proto::pb::watch_response;
use lingqu_proto::{envelope_to_pb, pb};
use lingqu_transport::status_of;
use tonic::{Request, Response, Status};

use super::grpc::{Answers, Services, node};
use crate::registry::watch::{Update, watch};

#[tonic::async_trait]
impl Sync for Services {
    type WatchStream = Answers<pb::WatchResponse>;

    async fn watch(
        &self,
        request: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let id = node(&request)?;
        let node = self.registry.node(&id).map_err(status_of)?;
        let seen = request.into_inner().epoch_seen;
        let current = self.registry.current_epoch().number;
        if seen > current {
            // The node will refuse what it is sent. It is served all the same: refusing is its decision to make.
            tracing::error!(node = %id, seen, current, "a node has seen a later epoch than there is");
        }
        let registry = self.registry.clone();
        let updates = self.stream(message, |sender| Box::pin(watch(registry, node, sender)));
        Ok(Response::new(updates))
    }
}

fn message(update: Update) -> pb::WatchResponse {
    let update = match update {
        Update::Epoch(epoch) => watch_response::Update::Epoch(envelope_to_pb(&epoch)),
        Update::Object { object, filing } => watch_response::Update::Object(pb::FiledObject {
            object: Some(envelope_to_pb(&object)),
            filing: Some(envelope_to_pb(&filing)),
        }),
    };
    pb::WatchResponse {
        update: Some(update),
    }
}
