//! What is proposed and signed: an agreement, and for a scenario the grant that comes with it.
//!
//! The bytes are those that the agency signed first. A signature counts if it is by the signer's pinned key over exactly
//! these bytes; nothing else of what a signer sends is kept. So nobody can change what others have signed.

use lingqu_core::agreement::Agreement;
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::grant::{Grant, GrantKind};
use lingqu_core::{ErrorCode, GrantId, PartyId, Timestamp};

use super::case::{Case, Step};
use crate::refusal::Refusal;

/// An agreement with its signatures so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) agreement: Agreement,
    pub(crate) envelope: Envelope,
    pub(crate) grant: Option<(Grant, Envelope)>,
    /// Who has signed: the agreement, the grant.
    pub(crate) signed: [Vec<PartyId>; 2],
}

impl Proposed {
    /// What the agency proposes in `case`, if it fits what was reviewed and what was filed before.
    pub(super) fn new(
        case: &Case,
        step: &Step,
        key: &[u8],
        (agreement, envelope): (Agreement, &Envelope),
        granted: Option<(Grant, &Envelope)>,
    ) -> Result<Proposed, Refusal> {
        check_agreement(case, &agreement)?;
        match (&granted, agreement.grant) {
            (None, None) => {}
            (Some((grant, bytes)), Some(digest)) if bytes.digest() == digest => {
                check_grant(case, &agreement, grant)?;
            }
            _ => return Err(Refusal::of(ErrorCode::ObjectInvalid, "grant_digest")),
        }
        let ends = granted
            .as_ref()
            .map_or(agreement.not_after, |(grant, _)| grant.not_after);
        if let Some(filed) = &case.filed {
            check_renewal(filed, step.at, ends)?;
        }
        let agency = vec![agreement.agency.clone()];
        let grant = granted.map(|(grant, bytes)| {
            let only = with_only(bytes, key).ok_or(ErrorCode::ObjectSignatureInvalid)?;
            Ok::<_, Refusal>((grant, only))
        });
        Ok(Proposed {
            envelope: with_only(envelope, key).ok_or(ErrorCode::ObjectSignatureInvalid)?,
            signed: [
                agency.clone(),
                if grant.is_some() { agency } else { Vec::new() },
            ],
            grant: grant.transpose()?,
            agreement,
        })
    }

    /// Whether the party is to sign the agreement, and the grant.
    pub(crate) fn needs(&self, party: &PartyId) -> (bool, bool) {
        let both = self.agreement.agency == *party || self.agreement.licensee == *party;
        let grants = self.grant.is_some() && (both || self.units().any(|unit| unit == party));
        (both, grants)
    }

    /// Whether the party has signed the agreement, and the grant.
    pub(crate) fn has(&self, party: &PartyId) -> (bool, bool) {
        let [agreement, grant] = &self.signed;
        (agreement.contains(party), grant.contains(party))
    }

    /// The units that the grant touches; each once.
    pub(crate) fn units(&self) -> impl Iterator<Item = &PartyId> {
        let quotas = self.grant.iter().flat_map(|(grant, _)| &grant.quotas);
        let units: std::collections::BTreeSet<&PartyId> = quotas.map(|quota| &quota.unit).collect();
        units.into_iter()
    }

    /// Everybody whose signature is needed.
    pub(crate) fn signers(&self) -> impl Iterator<Item = &PartyId> {
        let both = [&self.agreement.agency, &self.agreement.licensee];
        let others = self.units().filter(move |unit| !both.contains(unit));
        both.into_iter().chain(others)
    }

    /// The code for the first signature that is missing.
    pub(super) fn missing(&self) -> Option<ErrorCode> {
        let lacks = |party: &&PartyId| self.needs(party) != self.has(party);
        let party = self.signers().find(lacks)?;
        Some(if *party == self.agreement.agency {
            ErrorCode::GrantUnsignedByAgency
        } else if *party == self.agreement.licensee {
            ErrorCode::GrantUnsignedByLicensee
        } else {
            ErrorCode::GrantUnsignedByUnit
        })
    }

    /// First instant at which what it allows is over.
    pub(crate) fn ends(&self) -> Timestamp {
        let grant = self.grant.as_ref();
        grant.map_or(self.agreement.not_after, |(grant, _)| grant.not_after)
    }

    /// First instant at which it allows anything.
    pub(crate) fn begins(&self) -> Timestamp {
        let grant = self.grant.as_ref();
        grant.map_or(self.agreement.not_before, |(grant, _)| grant.not_before)
    }

    pub(crate) fn grant_id(&self) -> Option<GrantId> {
        self.grant.as_ref().map(|(grant, _)| grant.id.clone())
    }

    /// Adds a signer's signatures: all that it is to give, in one act.
    pub(super) fn add(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let needed = self.needs(&step.actor);
        if self.has(&step.actor) != (false, false) {
            return Err(ErrorCode::IllegalTransition.into());
        }
        if needed.0 != step.object.is_some() {
            return Err(Refusal::of(ErrorCode::RequestInvalid, "agreement"));
        }
        if needed.1 != step.granted.is_some() {
            return Err(Refusal::of(ErrorCode::RequestInvalid, "grant"));
        }
        if let Some(signed) = &step.object {
            merge(&mut self.envelope, signed, key)?;
            self.signed[0].push(step.actor.clone());
        }
        if let (Some(signed), Some((_, grant))) = (&step.granted, &mut self.grant) {
            merge(grant, signed, key)?;
            self.signed[1].push(step.actor.clone());
        }
        Ok(())
    }
}

fn check_agreement(case: &Case, agreement: &Agreement) -> Result<(), Refusal> {
    let invalid = |field| Err(Refusal::of(ErrorCode::ObjectInvalid, field));
    let filed = case.filed.as_ref();
    let round = filed.map_or(0, |filed| filed.agreement.round);
    if agreement.case != case.row.id {
        invalid("case_id")
    } else if agreement.round != round.saturating_add(1) {
        invalid("round")
    } else if agreement.application != case.application_envelope.digest() {
        invalid("application_digest")
    } else if agreement.previous != filed.map(|filed| filed.envelope.digest()) {
        invalid("previous_digest")
    } else if agreement.kind != case.row.kind {
        invalid("kind")
    } else if agreement.agency != case.row.agency {
        invalid("agency")
    } else if agreement.licensee != case.row.applicant {
        invalid("licensee")
    } else {
        Ok(())
    }
}

/// The grant may be narrower than application and agreement, never wider.
fn check_grant(case: &Case, agreement: &Agreement, grant: &Grant) -> Result<(), Refusal> {
    let invalid = |field| Err(Refusal::of(ErrorCode::ObjectInvalid, field));
    let before = case.filed.as_ref().and_then(|filed| filed.grant.as_ref());
    let version = before.map_or(0, |(before, _)| before.version);
    if grant.kind != GrantKind::Scenario {
        return invalid("grant.kind");
    }
    if grant.agency != agreement.agency || grant.licensee != agreement.licensee {
        return invalid("grant.licensee");
    }
    if before.is_some_and(|(before, _)| before.id != grant.id) {
        return invalid("grant.id");
    }
    if grant.version != version.saturating_add(1) {
        return invalid("grant.version");
    }
    if grant.not_before < agreement.not_before || grant.not_after > agreement.not_after {
        return Err(Refusal::of(
            ErrorCode::GrantExceedsApplication,
            "not_after_us",
        ));
    }
    let demand = case.application.demand.as_ref();
    let demand = demand.ok_or(ErrorCode::Internal)?;
    match demand.exceeded_by(grant) {
        Some(what) => Err(Refusal::of(ErrorCode::GrantExceedsApplication, what)),
        None => Ok(()),
    }
}

/// A renewal comes before the end of what it renews, and reaches further.
fn check_renewal(filed: &Proposed, at: Timestamp, ends: Timestamp) -> Result<(), Refusal> {
    if at >= filed.ends() {
        Err(ErrorCode::AlreadyExpired.into())
    } else if ends <= filed.ends() {
        Err(Refusal::of(ErrorCode::ObjectInvalid, "not_after_us"))
    } else {
        Ok(())
    }
}

/// The same bytes with nothing but the signature by `key`.
fn with_only(envelope: &Envelope, key: &[u8]) -> Option<Envelope> {
    let mut only = envelope.clone();
    envelope
        .signatures
        .iter()
        .filter(|signature| signature.public_key == key)
        .find_map(|signature| {
            only.signatures = vec![signature.clone()];
            (only.signed_by(key) == SignedBy::Yes).then(|| only.clone())
        })
}

/// Adds the signature by `key` that `signed` carries, if it is over exactly the same bytes.
fn merge(kept: &mut Envelope, signed: &Envelope, key: &[u8]) -> Result<(), Refusal> {
    if signed.payload_type != kept.payload_type || signed.payload != kept.payload {
        return Err(ErrorCode::AgreementAltered.into());
    }
    let only = with_only(signed, key).ok_or(ErrorCode::ObjectSignatureInvalid)?;
    kept.signatures.extend(only.signatures);
    Ok(())
}
