//! What ends calls: a revocation through the coordinator, a unit's own order at its node.

use lingqu_core::ErrorCode;
use lingqu_core::epoch::Revocation;
use lingqu_core::stop::{StopOrder, StopScope};
use lingqu_node::admin::{self, AdminRequest};
use lingqu_proto::{encode_envelope, envelope_to_pb, pb};

use super::{During, Network, NetworkFailed, code};
use crate::cast::{Party, Unit};

impl Network {
    /// Revokes `target` as `party`: the new epoch's number, or the code of the refusal.
    pub async fn revoke(
        &self,
        party: Party,
        target: &str,
        reason: &str,
    ) -> Result<Result<u64, ErrorCode>, NetworkFailed> {
        let revocation = Revocation {
            by: party.id(),
            target: target.to_owned(),
            reason: reason.to_owned(),
            issued: self.clock().now(),
        };
        let envelope = self.signed(&revocation, &[party])?;
        let channel = self.dial_coordinator(&self.identity(party)?).await?;
        let mut registry = pb::registry_client::RegistryClient::new(channel);
        let request = pb::RevokeRequest {
            revocation: Some(envelope_to_pb(&envelope)),
        };
        match registry.revoke(request).await {
            Ok(response) => Ok(Ok(response.into_inner().epoch)),
            Err(status) => code(&status).map(Err),
        }
    }

    /// Gives the transport bureau's signed order to its node; see [`Self::order_of`].
    pub async fn order(
        &self,
        number: u64,
        lift: bool,
        scope: StopScope,
    ) -> Result<bool, NetworkFailed> {
        self.order_of(Unit::Transport, number, lift, scope).await
    }

    /// Gives the unit's signed order to its node over the local socket; whether it was carried out.
    pub async fn order_of(
        &self,
        unit: Unit,
        number: u64,
        lift: bool,
        scope: StopScope,
    ) -> Result<bool, NetworkFailed> {
        let order = StopOrder {
            unit: unit.party().id(),
            node: unit.node(),
            number,
            issued: self.clock().now(),
            lift,
            scope,
        };
        let envelope = self.signed(&order, &[unit.party()])?;
        let request = AdminRequest::Stop {
            order: hex::encode(encode_envelope(&envelope)),
        };
        let node = self
            .node_of(unit)
            .ok_or("it is not running")
            .during("asking the node")?;
        let socket = node.config().admin_socket();
        let response = admin::ask(&socket, &request)
            .await
            .during("asking the node")?;
        Ok(response.ok)
    }
}
