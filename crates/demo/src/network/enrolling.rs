//! How parties and nodes enrol: the agency issues a one-time code, the newcomer proves its key.

use lingqu_core::ErrorCode;
use lingqu_node::{Node, NodeConfig};
use lingqu_proto::{pb, role_to_pb};
use lingqu_tlog::Signer;
use lingqu_transport::PeerId;

use super::{During, Network, NetworkFailed, code};
use crate::cast::{Party, Unit};

impl Network {
    /// The agency issues a code for a party of the cast.
    pub async fn issue_party_code(&self, party: Party) -> Result<String, NetworkFailed> {
        let request = pb::IssueCodeRequest {
            subject: party.id().to_string(),
            roles: vec![role_to_pb(party.role()) as i32],
            region: party.region().to_string(),
            unit: String::new(),
            display_name: party.name().to_owned(),
        };
        self.issue_code(request).await
    }

    /// The agency issues a code for the transport bureau's node.
    pub async fn issue_node_code(&self) -> Result<String, NetworkFailed> {
        self.issue_node_code_of(Unit::Transport).await
    }

    /// The agency issues a code for a unit's node.
    pub async fn issue_node_code_of(&self, unit: Unit) -> Result<String, NetworkFailed> {
        let request = pb::IssueCodeRequest {
            subject: unit.node().to_string(),
            roles: Vec::new(),
            region: unit.city().to_owned(),
            unit: unit.party().id().to_string(),
            display_name: String::new(),
        };
        self.issue_code(request).await
    }

    async fn issue_code(&self, request: pb::IssueCodeRequest) -> Result<String, NetworkFailed> {
        let channel = self
            .dial_coordinator(&self.identity(Party::Agency)?)
            .await?;
        let mut enrolment = pb::enrolment_client::EnrolmentClient::new(channel);
        let response = enrolment
            .issue_code(request)
            .await
            .during("issuing a code")?;
        Ok(response.into_inner().code)
    }

    /// A party enrols its approval key.
    pub async fn enrol_party(
        &self,
        party: Party,
        one_time: &str,
    ) -> Result<Result<(), ErrorCode>, NetworkFailed> {
        let key = self.approval_key(party)?;
        let id = PeerId::Party(party.id());
        Ok(self
            .enrol(&id, one_time, "approval", &key)
            .await?
            .map(|_| ()))
    }

    /// The transport bureau's node enrols; see [`Self::enrol_node_of`].
    pub async fn enrol_node(
        &self,
        one_time: &str,
    ) -> Result<Result<String, ErrorCode>, NetworkFailed> {
        self.enrol_node_of(Unit::Transport, one_time).await
    }

    /// A unit's node enrols its log key; the origin of its stream is kept where the node looks for it.
    pub async fn enrol_node_of(
        &self,
        unit: Unit,
        one_time: &str,
    ) -> Result<Result<String, ErrorCode>, NetworkFailed> {
        let key = self.files().node_log_key_of(unit)?;
        let origin = self
            .enrol(&PeerId::Node(unit.node()), one_time, "log", &key)
            .await?;
        if let Ok(origin) = &origin {
            let config =
                NodeConfig::read(&self.files().node_toml_of(unit)).during("reading node.toml")?;
            Node::write_origin(&config, origin).during("keeping the stream's origin")?;
        }
        Ok(origin)
    }

    /// Enrols `key` as whoever `id` is.
    pub async fn enrol(
        &self,
        id: &PeerId,
        one_time: &str,
        usage: &str,
        key: &dyn Signer,
    ) -> Result<Result<String, ErrorCode>, NetworkFailed> {
        let identity = self.files().identity(id, self.clock())?;
        let channel = self.dial_coordinator(&identity).await?;
        let mut enrolment = pb::enrolment_client::EnrolmentClient::new(channel);
        let message =
            lingqu_proto::key_proof_message(one_time, id.as_str(), usage, key.public_key());
        let proof = pb::KeyProof {
            r#use: usage.to_owned(),
            public_key: key.public_key().to_vec(),
            signature: key.sign(&message),
        };
        let request = pb::EnrolRequest {
            code: one_time.to_owned(),
            keys: vec![proof],
        };
        match enrolment.enrol(request).await {
            Ok(response) => Ok(Ok(response.into_inner().stream_origin)),
            Err(status) => code(&status).map(Err),
        }
    }
}
