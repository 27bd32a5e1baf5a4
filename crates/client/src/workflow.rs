//! A party at the coordinator: hands in its signed acts, and sees the cases that it takes part in.
//!
//! What the coordinator shows is its own word until a signature bears it out. Whoever signs reads the bytes that it
//! signs; [`CaseSeen`] therefore has them as they are.

use lingqu_core::case::{Action, CaseAct, Opinion, Stance, State};
use lingqu_core::envelope::Envelope;
use lingqu_core::{CaseId, ErrorCode, PartyId, Timestamp};
use lingqu_proto::pb::registry_client::RegistryClient;
use lingqu_proto::pb::workflow_client::WorkflowClient;
use lingqu_proto::{envelope_to_pb, pb, seal};
use lingqu_tlog::{Hash, Signer};
use lingqu_transport::code_of;
use tonic::Status;
use tonic::transport::Channel;

mod seen;

pub use seen::{CaseListed, CaseSeen, HistorySeen, ReviewerSeen, SignerSeen};

/// Largest answer, in bytes: a case with its documents.
const ANSWER_LEN_MAX: usize = 8 << 20;

/// Why an act was not taken, or a case not shown.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowFailed {
    /// The coordinator refused, with its code.
    #[error("{code}: {}", code.message_en())]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The whole message, which may name a field.
        message: String,
    },
    /// The connection failed, or the answer was none that a coordinator gives.
    #[error("transport: {0}")]
    Transport(String),
    /// The answer cannot be read.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
}

impl WorkflowFailed {
    /// The coordinator's code, if it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            WorkflowFailed::Refused { code, .. } => Some(*code),
            WorkflowFailed::Malformed(_) | WorkflowFailed::Transport(_) => None,
        }
    }
}

impl From<Status> for WorkflowFailed {
    fn from(status: Status) -> Self {
        match code_of(&status) {
            Some(code) => WorkflowFailed::Refused {
                code,
                message: status.message().to_owned(),
            },
            None => WorkflowFailed::Transport(status.to_string()),
        }
    }
}

/// A party's connection to a coordinator.
#[derive(Clone)]
pub struct Workflow {
    cases: WorkflowClient<Channel>,
    registry: RegistryClient<Channel>,
}

/// Which cases to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those whose review is overdue.
    pub overdue_only: bool,
    /// Only those after this place.
    pub after: u64,
    /// Most cases; 0 for as many as the coordinator gives at a time.
    pub count: u32,
}

impl Workflow {
    /// Acts over a channel to the coordinator, as the party whose certificate it was made with.
    pub fn over(channel: Channel) -> Workflow {
        Workflow {
            cases: WorkflowClient::new(channel.clone()).max_decoding_message_size(ANSWER_LEN_MAX),
            registry: RegistryClient::new(channel),
        }
    }

    /// Hands in a signed application.
    pub async fn apply(&self, application: &Envelope) -> Result<CaseSeen, WorkflowFailed> {
        let application = Some(envelope_to_pb(application));
        let mut cases = self.cases.clone();
        let response = cases.apply(pb::ApplyRequest { application }).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// Hands in a signed act.
    pub async fn act(&self, act: &Envelope) -> Result<CaseSeen, WorkflowFailed> {
        let act = Some(envelope_to_pb(act));
        let response = self.cases.clone().act(pb::ActRequest { act }).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// Hands in a signed opinion.
    pub async fn opine(&self, opinion: &Envelope) -> Result<CaseSeen, WorkflowFailed> {
        let opinion = Some(envelope_to_pb(opinion));
        let response = self.cases.clone().opine(pb::OpineRequest { opinion }).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// Proposes a signed agreement, and for a scenario the signed grant that it names.
    pub async fn propose(
        &self,
        agreement: &Envelope,
        grant: Option<&Envelope>,
    ) -> Result<CaseSeen, WorkflowFailed> {
        let request = pb::ProposeRequest {
            agreement: Some(envelope_to_pb(agreement)),
            grant: grant.map(envelope_to_pb),
        };
        let response = self.cases.clone().propose(request).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// Hands in what was proposed with the own signature: the licensee's on both, a unit's on the grant.
    pub async fn sign(
        &self,
        case: &CaseId,
        agreement: Option<&Envelope>,
        grant: Option<&Envelope>,
    ) -> Result<CaseSeen, WorkflowFailed> {
        let request = pb::SignRequest {
            case_id: case.to_string(),
            agreement: agreement.map(envelope_to_pb),
            grant: grant.map(envelope_to_pb),
        };
        let response = self.cases.clone().sign(request).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// One case.
    pub async fn show(&self, case: &CaseId) -> Result<CaseSeen, WorkflowFailed> {
        let case_id = case.to_string();
        let response = self.cases.clone().show(pb::ShowRequest { case_id }).await;
        seen(response.map(|response| response.into_inner().view))
    }

    /// The cases that the party may see, oldest first, one page.
    pub async fn list(&self, wanted: &Wanted) -> Result<Vec<CaseListed>, WorkflowFailed> {
        let request = pb::ListRequest {
            state: wanted
                .state
                .map(|state| state.to_string())
                .unwrap_or_default(),
            overdue_only: wanted.overdue_only,
            after: wanted.after,
            count: wanted.count,
        };
        let response = self.cases.clone().list(request).await?.into_inner();
        response.cases.into_iter().map(CaseListed::read).collect()
    }

    /// Hands in a signed suspension: the epoch's number, and the digest by which it is lifted.
    pub async fn suspend(&self, suspension: &Envelope) -> Result<(u64, Hash), WorkflowFailed> {
        let suspension = Some(envelope_to_pb(suspension));
        let mut registry = self.registry.clone();
        let response = registry.suspend(pb::SuspendRequest { suspension }).await?;
        let response = response.into_inner();
        let digest = seen::hash("suspension_digest", &response.suspension_digest)?;
        Ok((response.epoch, digest))
    }

    /// Hands in a signed lifting: the epoch's number.
    pub async fn lift(&self, lifting: &Envelope) -> Result<u64, WorkflowFailed> {
        let lifting = Some(envelope_to_pb(lifting));
        let mut registry = self.registry.clone();
        let response = registry.lift(pb::LiftRequest { lifting }).await?;
        Ok(response.into_inner().epoch)
    }
}

impl CaseSeen {
    /// An act on the case as it is seen here, to be signed.
    pub fn act(&self, action: Action, by: &PartyId, reason: &str, now: Timestamp) -> CaseAct {
        CaseAct {
            case: self.listed.id.clone(),
            basis: self.basis(),
            action,
            by: by.clone(),
            reason: reason.to_owned(),
            missing: Vec::new(),
            supplement_due: None,
            issued: now,
        }
    }

    /// An opinion on the application that is seen here, to be signed.
    pub fn opinion(&self, stance: Stance, by: &PartyId, reason: &str, now: Timestamp) -> Opinion {
        Opinion {
            case: self.listed.id.clone(),
            application: self.application.digest(),
            by: by.clone(),
            stance,
            reason: reason.to_owned(),
            issued: now,
        }
    }

    /// What acts are about now: the application, or the agreement once one is proposed.
    pub fn basis(&self) -> Hash {
        self.agreement
            .as_ref()
            .unwrap_or(&self.application)
            .digest()
    }

    /// The documents that `by` is still to sign, signed with its key: agreement and grant.
    pub fn signed(&self, by: &PartyId, key: &dyn Signer) -> (Option<Envelope>, Option<Envelope>) {
        let signer = self.signers.iter().find(|signer| signer.party == *by);
        let Some(signer) = signer else {
            return (None, None);
        };
        let signed = |envelope: &Option<Envelope>, needed: bool| {
            let envelope = envelope.as_ref().filter(|_| needed)?;
            let mut signed = Envelope::new(envelope.payload_type.clone(), envelope.payload.clone());
            signed.sign(by.as_str(), key);
            Some(signed)
        };
        (
            signed(&self.agreement, signer.agreement_needed),
            signed(&self.grant, signer.grant_needed),
        )
    }
}

/// The envelope of `object` with one signature.
pub fn signed_by<T: lingqu_proto::SignedObject>(
    object: &T,
    by: &PartyId,
    key: &dyn Signer,
) -> Envelope {
    let mut envelope = seal(object);
    envelope.sign(by.as_str(), key);
    envelope
}

fn seen(view: Result<Option<pb::CaseView>, Status>) -> Result<CaseSeen, WorkflowFailed> {
    CaseSeen::read(view?.ok_or(WorkflowFailed::Malformed("view"))?)
}
