//! What the coordinator shows of cases, read into types.

use std::str::FromStr;

use lingqu_core::case::{Stance, State};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::GrantKind;
use lingqu_core::{CaseId, GrantId, PartyId, Region, Timestamp};
use lingqu_proto::{envelope_from_pb, pb};
use lingqu_tlog::Hash;

use super::WorkflowFailed;

/// One case in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseListed {
    /// Where it stands in the list.
    pub place: u64,
    /// Its id.
    pub id: CaseId,
    /// Catalog or scenario.
    pub kind: GrantKind,
    /// Where it stands.
    pub state: State,
    /// Who applies.
    pub applicant: PartyId,
    /// The operating agency.
    pub agency: PartyId,
    /// The region that it is shown to.
    pub region: Region,
    /// When the current submission was received.
    pub accepted: Timestamp,
    /// First instant at which the agency's review is overdue.
    pub due: Timestamp,
    /// Whether it is.
    pub overdue: bool,
    /// The grant, once one is proposed.
    pub grant: Option<GrantId>,
}

/// One case with its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseSeen {
    /// State and dates.
    pub listed: CaseListed,
    /// What is filed, as of now: `VALID`, `SUSPENDED` and so on; empty before it is filed.
    pub standing: String,
    /// Items of the checklist that the submission lacks.
    pub missing_materials: Vec<String>,
    /// Whose data bureau organises the review.
    pub organiser_region: Option<Region>,
    /// That bureau, if it is known.
    pub organiser: Option<PartyId>,
    /// Whose opinions are needed, and what they said.
    pub reviewers: Vec<ReviewerSeen>,
    /// Whose signatures are needed, and who gave them.
    pub signers: Vec<SignerSeen>,
    /// Every act, in order.
    pub history: Vec<HistorySeen>,
    /// The current submission.
    pub application: Envelope,
    /// The one notice.
    pub notice: Option<Envelope>,
    /// The agreement that is proposed or filed.
    pub agreement: Option<Envelope>,
    /// The grant that comes with it.
    pub grant: Option<Envelope>,
    /// What the agreement is filed under; empty before.
    pub number: String,
    /// The coordinator's filing of the agreement.
    pub agreement_filing: Option<Envelope>,
    /// What the grant is filed under; empty before.
    pub grant_number: String,
    /// The coordinator's filing of the grant.
    pub grant_filing: Option<Envelope>,
    /// The credential of a filed catalog authorisation.
    pub credential: Option<Envelope>,
}

/// One reviewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewerSeen {
    /// Who.
    pub party: PartyId,
    /// What it said, if it did.
    pub stance: Option<Stance>,
    /// The signed opinion.
    pub opinion: Option<Envelope>,
}

/// One signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerSeen {
    /// Who.
    pub party: PartyId,
    /// Whether it is to sign the agreement.
    pub agreement_needed: bool,
    /// Whether it did.
    pub agreement_signed: bool,
    /// Whether it is to sign the grant.
    pub grant_needed: bool,
    /// Whether it did.
    pub grant_signed: bool,
}

impl SignerSeen {
    /// Whether a signature of it is still missing.
    pub fn is_missing(&self) -> bool {
        (self.agreement_needed && !self.agreement_signed)
            || (self.grant_needed && !self.grant_signed)
    }
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySeen {
    /// For example `ACCEPT`, `SUSPEND`.
    pub action: String,
    /// Who.
    pub actor: PartyId,
    /// When it was taken.
    pub at: Timestamp,
    /// The state after it, if it changed the state.
    pub state: Option<State>,
    /// Digest of what was signed, signatures included.
    pub evidence: Hash,
    /// Digest of the signed object.
    pub object_digest: Hash,
}

impl CaseListed {
    pub(super) fn read(case: pb::CaseSummary) -> Result<CaseListed, WorkflowFailed> {
        Ok(CaseListed {
            place: case.place,
            id: parsed("case_id", &case.case_id)?,
            kind: match pb::GrantKind::try_from(case.kind) {
                Ok(pb::GrantKind::Catalog) => GrantKind::Catalog,
                Ok(pb::GrantKind::Scenario) => GrantKind::Scenario,
                Ok(pb::GrantKind::Unspecified) | Err(_) => {
                    return Err(WorkflowFailed::Malformed("kind"));
                }
            },
            state: parsed("state", &case.state)?,
            applicant: parsed("applicant", &case.applicant)?,
            agency: parsed("agency", &case.agency)?,
            region: parsed("region", &case.region)?,
            accepted: Timestamp(case.accepted_us),
            due: Timestamp(case.due_us),
            overdue: case.overdue,
            grant: optional("grant", &case.grant)?,
        })
    }
}

impl CaseSeen {
    pub(super) fn read(view: pb::CaseView) -> Result<CaseSeen, WorkflowFailed> {
        let summary = view.summary.ok_or(WorkflowFailed::Malformed("summary"))?;
        let application = envelope("application", view.application)?;
        let reviewers = view.reviewers.into_iter().map(reviewer);
        let signers = view.signers.into_iter().map(signer);
        let history = view.history.into_iter().map(line);
        Ok(CaseSeen {
            listed: CaseListed::read(summary)?,
            standing: view.standing,
            missing_materials: view.missing_materials,
            organiser_region: optional("organiser_region", &view.organiser_region)?,
            organiser: optional("organiser", &view.organiser)?,
            reviewers: reviewers.collect::<Result<_, _>>()?,
            signers: signers.collect::<Result<_, _>>()?,
            history: history.collect::<Result<_, _>>()?,
            application: application.ok_or(WorkflowFailed::Malformed("application"))?,
            notice: envelope("notice", view.notice)?,
            agreement: envelope("agreement", view.agreement)?,
            grant: envelope("grant", view.grant)?,
            number: view.number,
            agreement_filing: envelope("agreement_filing", view.agreement_filing)?,
            grant_number: view.grant_number,
            grant_filing: envelope("grant_filing", view.grant_filing)?,
            credential: envelope("credential", view.credential)?,
        })
    }
}

fn reviewer(reviewer: pb::ReviewerView) -> Result<ReviewerSeen, WorkflowFailed> {
    Ok(ReviewerSeen {
        party: parsed("reviewers.party", &reviewer.party)?,
        stance: match pb::Stance::try_from(reviewer.stance) {
            Ok(pb::Stance::Agree) => Some(Stance::Agree),
            Ok(pb::Stance::Disagree) => Some(Stance::Disagree),
            Ok(pb::Stance::Unspecified) => None,
            Err(_) => return Err(WorkflowFailed::Malformed("reviewers.stance")),
        },
        opinion: envelope("reviewers.opinion", reviewer.opinion)?,
    })
}

fn signer(signer: pb::SignerView) -> Result<SignerSeen, WorkflowFailed> {
    Ok(SignerSeen {
        party: parsed("signers.party", &signer.party)?,
        agreement_needed: signer.agreement_needed,
        agreement_signed: signer.agreement_signed,
        grant_needed: signer.grant_needed,
        grant_signed: signer.grant_signed,
    })
}

fn line(entry: pb::HistoryEntry) -> Result<HistorySeen, WorkflowFailed> {
    Ok(HistorySeen {
        action: entry.action,
        actor: parsed("history.actor", &entry.actor)?,
        at: Timestamp(entry.at_us),
        state: optional("history.state", &entry.state)?,
        evidence: hash("history.evidence", &entry.evidence)?,
        object_digest: hash("history.object_digest", &entry.object_digest)?,
    })
}

pub(super) fn hash(field: &'static str, bytes: &[u8]) -> Result<Hash, WorkflowFailed> {
    let bytes = bytes
        .try_into()
        .map_err(|_| WorkflowFailed::Malformed(field))?;
    Ok(Hash(bytes))
}

fn parsed<T: FromStr>(field: &'static str, text: &str) -> Result<T, WorkflowFailed> {
    text.parse().map_err(|_| WorkflowFailed::Malformed(field))
}

fn optional<T: FromStr>(field: &'static str, text: &str) -> Result<Option<T>, WorkflowFailed> {
    if text.is_empty() {
        Ok(None)
    } else {
        parsed(field, text).map(Some)
    }
}

fn envelope(
    field: &'static str,
    envelope: Option<pb::Envelope>,
) -> Result<Option<Envelope>, WorkflowFailed> {
    let read = envelope.map(envelope_from_pb).transpose();
    read.map_err(|_| WorkflowFailed::Malformed(field))
}
