//! `lingqu grant revoke`: a signed request that the coordinator puts the grant into the next revocation list.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::epoch::Revocation;
use lingqu_core::{GrantId, PartyId};
use lingqu_proto::pb::registry_client::RegistryClient;
use lingqu_proto::{envelope_to_pb, open, pb, seal};
use lingqu_transport::signing_key;

use crate::connection::{CoordinatorAt, Identity, SigningIdentity};
use crate::failure::Failure;
use crate::session::Session;

/// `grant revoke --grant ID --reason TEXT --as PARTY --key approval.key …`
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The grant, `grant_…` · 授权令牌
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    /// Why, for the record; no personal data · 撤销原因（不得含个人信息）
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The party that asks, `party_…` · 申请方
    #[arg(long = "as", value_name = "PARTY")]
    by: PartyId,
    /// Its approval key · 审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: SigningIdentity,
}

impl Revoke {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let revocation = Revocation {
            by: self.by.clone(),
            target: self.grant.to_string(),
            reason: self.reason,
            issued: session.clock.now(),
        };
        let mut envelope = seal(&revocation);
        open::<Revocation>(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
        let key =
            signing_key::read(&self.key).map_err(|error| Failure::Unusable(error.to_string()))?;
        envelope.sign(self.by.as_str(), &key);
        let tls = Identity::from(self.identity).load(&session.clock)?;
        let response = session.wait(async {
            let mut registry = RegistryClient::new(self.coordinator.dial(&tls).await?);
            let request = pb::RevokeRequest {
                revocation: Some(envelope_to_pb(&envelope)),
            };
            let response = registry.revoke(request).await;
            response.map_err(|status| Failure::of_status(&status))
        })??;
        session.say(
            "revoked as of the revocation list with this number",
            "自该编号的撤销清单起生效",
        );
        session.line(response.into_inner().epoch)
    }
}
