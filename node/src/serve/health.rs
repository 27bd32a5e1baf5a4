//! The standard health service of gRPC on the main port: the same readiness as `/health/ready`, in one word.
//!
//! Only `Check` is open. `Watch` would keep a stream for each of those who ask, and the door refuses it.

use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_telemetry::Observed;
use lingqu_transport::status_of;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Node;

/// Bytes of one request: the name of a service.
const REQUEST_BYTES_MAX: usize = 1 << 10;

/// Answers for the node as a whole.
pub(super) struct Readiness(Arc<Node>);

impl Readiness {
    pub(super) fn server(node: Arc<Node>) -> HealthServer<Readiness> {
        HealthServer::new(Readiness(node)).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl Health for Readiness {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // There is one readiness; the empty name stands for the server.
        let service = request.into_inner().service;
        if !service.is_empty() && service != "lingqu.v1.Calls" {
            return Err(Status::not_found("unknown service"));
        }
        let status = if self.0.health().is_ready() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
        }))
    }

    type WatchStream = tokio_stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(status_of(ErrorCode::RequestInvalid))
    }
}
