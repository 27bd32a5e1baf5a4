//! `lingqu.v1.Registry`.

use lingqu_core::envelope::Envelope;
use lingqu_proto::pb::registry_server::Registry;
use lingqu_proto::{envelope_from_pb, envelope_to_pb, pb};
use tonic::{Request, Response, Status};

use super::grpc::{Services, malformed, party, status};

#[tonic::async_trait]
impl Registry for Services {
    async fn file(
        &self,
        request: Request<pb::FileRequest>,
    ) -> Result<Response<pb::FileResponse>, Status> {
        let caller = party(&request)?;
        let object = envelope(request.into_inner().object, "object")?;
        let registry = self.registry.clone();
        let filed = self
            .finish(async move { registry.file(&caller, object).await })
            .await?;
        Ok(Response::new(pb::FileResponse {
            number: filed.number,
            filing: Some(envelope_to_pb(&filed.filing)),
        }))
    }

    async fn revoke(
        &self,
        request: Request<pb::RevokeRequest>,
    ) -> Result<Response<pb::RevokeResponse>, Status> {
        let caller = party(&request)?;
        let revocation = envelope(request.into_inner().revocation, "revocation")?;
        let registry = self.registry.clone();
        let epoch = self
            .finish(async move { registry.revoke(&caller, revocation).await })
            .await?;
        Ok(Response::new(pb::RevokeResponse { epoch }))
    }

    async fn suspend(
        &self,
        request: Request<pb::SuspendRequest>,
    ) -> Result<Response<pb::SuspendResponse>, Status> {
        let caller = party(&request)?;
        let suspension = envelope(request.into_inner().suspension, "suspension")?;
        let registry = self.registry.clone();
        let (epoch, digest) = self
            .finish(async move { registry.suspend(&caller, suspension).await })
            .await?;
        Ok(Response::new(pb::SuspendResponse {
            epoch,
            suspension_digest: digest.0.to_vec(),
        }))
    }

    async fn lift(
        &self,
        request: Request<pb::LiftRequest>,
    ) -> Result<Response<pb::LiftResponse>, Status> {
        let caller = party(&request)?;
        let lifting = envelope(request.into_inner().lifting, "lifting")?;
        let registry = self.registry.clone();
        let epoch = self
            .finish(async move { registry.lift(&caller, lifting).await })
            .await?;
        Ok(Response::new(pb::LiftResponse { epoch }))
    }
}

pub(super) fn envelope(
    envelope: Option<pb::Envelope>,
    field: &'static str,
) -> Result<Envelope, Status> {
    let envelope = envelope.ok_or_else(|| malformed(field))?;
    envelope_from_pb(envelope).map_err(|invalid| status(invalid.into()))
}

/// An envelope that may be left out.
pub(super) fn optional(envelope: Option<pb::Envelope>) -> Result<Option<Envelope>, Status> {
    let read = envelope.map(envelope_from_pb).transpose();
    read.map_err(|invalid| status(invalid.into()))
}
