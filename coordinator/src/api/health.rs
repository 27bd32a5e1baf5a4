//! The standard health service of gRPC on the main port: the same readiness as `/health/ready`, in one word.
//!
//! Only `Check` is open. `Watch` would keep a stream for each of those who ask, and the door refuses it.

use lingqu_core::ErrorCode;
use lingqu_transport::status_of;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::grpc::Services;
use crate::observe::health;

/// Bytes of one request: the name of a service.
const REQUEST_BYTES_MAX: usize = 1 << 10;

/// Answers for the coordinator as a whole.
pub(crate) struct Readiness(Services);

impl Readiness {
    pub(crate) fn server(services: Services) -> HealthServer<Readiness> {
        HealthServer::new(Readiness(services)).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl Health for Readiness {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // There is one readiness, and the empty name stands for the server.
        if !request.into_inner().service.is_empty() {
            return Err(Status::not_found("unknown service"));
        }
        let status = if health(&self.0).is_ready() {
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
