//! `lingqu.v1.Enrolment`.

use lingqu_core::PartyId;
use lingqu_proto::pb::enrolment_server::Enrolment;
use lingqu_proto::{pb, roles_from_pb};
use tonic::{Request, Response, Status};

use super::grpc::{Services, malformed, party, peer};
use crate::registry::codes::{KeyProof, NewCode};

#[tonic::async_trait]
impl Enrolment for Services {
    async fn issue_code(
        &self,
        request: Request<pb::IssueCodeRequest>,
    ) -> Result<Response<pb::IssueCodeResponse>, Status> {
        let issuer = party(&request)?;
        let request = request.into_inner();
        let unit = match request.unit.as_str() {
            "" => None,
            unit => Some(unit.parse::<PartyId>().map_err(|_| malformed("unit"))?),
        };
        let new = NewCode {
            subject: request.subject,
            roles: roles_from_pb(&request.roles).map_err(|_| malformed("roles"))?,
            region: request.region.parse().map_err(|_| malformed("region"))?,
            unit,
            display_name: request.display_name,
        };
        let registry = self.registry.clone();
        let (code, expires) = self
            .finish(async move { registry.issue_code(&issuer, new).await })
            .await?;
        Ok(Response::new(pb::IssueCodeResponse {
            code,
            expires_us: expires.0,
        }))
    }

    async fn enrol(
        &self,
        request: Request<pb::EnrolRequest>,
    ) -> Result<Response<pb::EnrolResponse>, Status> {
        let peer = peer(&request)?;
        let request = request.into_inner();
        let keys = request.keys.into_iter().map(|proof| KeyProof {
            purpose: proof.r#use,
            public_key: proof.public_key,
            signature: proof.signature,
        });
        let keys: Vec<KeyProof> = keys.collect();
        let registry = self.registry.clone();
        let enrol = async move { registry.enrol(peer.id.as_str(), &request.code, keys).await };
        let origin = self.finish(enrol).await?;
        Ok(Response::new(pb::EnrolResponse {
            stream_origin: origin.unwrap_or_default(),
        }))
    }
}
