//! One case as the fold of its signed acts.
//!
//! [`Case::take`] holds everything that follows from the acts themselves: the table of `lingqu_core::case`, who acts,
//! what the act is about, and its signature. What depends on the registry (roles, filed products, limits) is checked
//! before it, once, when the act comes in.

use std::collections::BTreeMap;

use lingqu_core::agreement::Agreement;
use lingqu_core::application::Application;
use lingqu_core::case::{Action, Actor, CaseAct, Opinion, Stance, State, transition};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::grant::{Grant, GrantKind};
use lingqu_core::{ErrorCode, PartyId, Timestamp};
use lingqu_proto::{SignedObject, decode_envelope, encode_envelope, open};
use lingqu_tlog::{Hash, Intl, Suite};

use super::agreeing::Proposed;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::store::cases::{ActRow, CaseRow};

/// Longest time that a notice may give to supplement, in microseconds: a year.
const SUPPLEMENT_MAX_US: i64 = 366 * 86_400_000_000;

/// One act with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) actor: PartyId,
    pub(crate) at: Timestamp,
    /// The signed object; a unit signs a grant and no agreement.
    pub(crate) object: Option<Envelope>,
    /// The grant that comes with an agreement.
    pub(crate) granted: Option<Envelope>,
    /// Of an application: when the agency's review is overdue.
    pub(crate) due: Option<Timestamp>,
    /// Of a passed initial review: whose opinions are needed.
    pub(crate) reviewers: Vec<PartyId>,
}

impl Step {
    /// An act that is one signed object.
    pub(crate) fn of(action: Action, actor: &PartyId, at: Timestamp, object: Envelope) -> Step {
        Step {
            action,
            actor: actor.clone(),
            at,
            object: Some(object),
            granted: None,
            due: None,
            reviewers: Vec::new(),
        }
    }

    /// Digest of the act's name and of everything that was signed, signatures included: two signers of the same bytes
    /// leave two pieces of evidence.
    pub(crate) fn evidence(&self) -> Hash {
        let bytes =
            |envelope: &Option<Envelope>| envelope.as_ref().map_or(Vec::new(), encode_envelope);
        let object = bytes(&self.object);
        let length = (object.len() as u64).to_be_bytes();
        let action = self.action.as_str().as_bytes();
        let granted = bytes(&self.granted);
        Intl::digest(&[b"lingqu/case\0", action, b"\0", &length, &object, &granted])
    }

    pub(crate) fn to_row(&self) -> ActRow {
        ActRow {
            action: self.action,
            actor: self.actor.clone(),
            at: self.at,
            object: self.object.as_ref().map(encode_envelope),
            granted: self.granted.as_ref().map(encode_envelope),
            evidence: self.evidence(),
            due: self.due,
            reviewers: self.reviewers.clone(),
        }
    }

    pub(crate) fn of_row(row: ActRow) -> Result<Step, Refusal> {
        let corrupt = || Refusal::from(StoreError::Corrupt("act of a case"));
        let read = |bytes: Option<Vec<u8>>| {
            bytes
                .map(|bytes| decode_envelope(&bytes).map_err(|_| corrupt()))
                .transpose()
        };
        let step = Step {
            action: row.action,
            actor: row.actor,
            at: row.at,
            object: read(row.object)?,
            granted: read(row.granted)?,
            due: row.due,
            reviewers: row.reviewers,
        };
        if step.evidence() == row.evidence {
            Ok(step)
        } else {
            Err(corrupt())
        }
    }

    /// The one object that the act is, signed by `key`.
    pub(super) fn signed_object<T: SignedObject>(
        &self,
        key: &[u8],
    ) -> Result<(T, &Envelope), Refusal> {
        let envelope = self.object.as_ref();
        let envelope = envelope.ok_or(Refusal::of(ErrorCode::RequestInvalid, "object"))?;
        signed(envelope, key)?;
        Ok((open(envelope)?, envelope))
    }
}

/// Whether `key` signed.
pub(super) fn signed(envelope: &Envelope, key: &[u8]) -> Result<(), Refusal> {
    if envelope.signed_by(key) == SignedBy::Yes {
        Ok(())
    } else {
        Err(ErrorCode::ObjectSignatureInvalid.into())
    }
}

/// One act as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    pub(crate) actor: PartyId,
    pub(crate) at: Timestamp,
    pub(crate) state: State,
    pub(crate) evidence: Hash,
    pub(crate) object_digest: Hash,
}

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// State and dates; `region` and `place` are the registry's.
    pub(crate) row: CaseRow,
    pub(crate) application: Application,
    pub(crate) application_envelope: Envelope,
    /// The one notice.
    pub(crate) notice: Option<Envelope>,
    /// Whose opinions are needed, and what was said.
    pub(crate) reviewers: BTreeMap<PartyId, Option<(Stance, Envelope)>>,
    /// What is being signed.
    pub(crate) proposed: Option<Proposed>,
    /// What was filed last.
    pub(crate) filed: Option<Proposed>,
    pub(crate) history: Vec<Entry>,
}

impl Case {
    /// The case that a first application opens.
    pub(crate) fn open(step: &Step, key: &[u8], mut row: CaseRow) -> Result<Case, Refusal> {
        let (application, envelope) = step.signed_object::<Application>(key)?;
        let first = transition(None, step.action, application.kind);
        let first = first.ok_or(ErrorCode::IllegalTransition)?;
        let due = step.due.ok_or(ErrorCode::Internal)?;
        if application.applicant != step.actor {
            return Err(ErrorCode::CaseActorForbidden.into());
        }
        if application.submission != 1 || application.case != row.id {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "submission"));
        }
        row.state = first.to;
        row.kind = application.kind;
        row.applicant = application.applicant.clone();
        row.agency = application.agency.clone();
        row.opened_day = step.at.day_utc8();
        (row.accepted, row.due) = (step.at, due);
        (row.lapses, row.grant) = (None, None);
        let mut case = Case {
            row,
            application,
            application_envelope: envelope.clone(),
            notice: None,
            reviewers: BTreeMap::new(),
            proposed: None,
            filed: None,
            history: Vec::new(),
        };
        case.remember(step);
        Ok(case)
    }

    /// The case that these stored acts make, each checked again; `key_of` gives the pinned keys.
    pub(crate) fn replay(
        row: CaseRow,
        acts: Vec<ActRow>,
        key_of: impl Fn(&PartyId) -> Option<Vec<u8>>,
    ) -> Result<Case, Refusal> {
        let corrupt = || Refusal::from(StoreError::Corrupt("case"));
        let mut case: Option<Case> = None;
        for act in acts {
            let step = Step::of_row(act)?;
            let key = key_of(&step.actor).ok_or_else(corrupt)?;
            case = Some(match case {
                None => Case::open(&step, &key, row.clone()).map_err(|_| corrupt())?,
                Some(mut case) => {
                    case.take(&step, &key).map_err(|_| corrupt())?;
                    case
                }
            });
        }
        // The index must say what the signatures say.
        case.filter(|case| case.row == row).ok_or_else(corrupt)
    }

    /// Takes one act, or refuses it. A refused act leaves the case in no defined state: drop it.
    pub(crate) fn take(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let state = self.row.state_at(step.at);
        if state == State::Lapsed {
            return Err(ErrorCode::CaseLapsed.into());
        }
        // Also where the state forbids it, the reason to name is that there is one notice only.
        if step.action == Action::Return && self.notice.is_some() && step.actor == self.row.agency {
            return Err(ErrorCode::OneTimeNoticeAlreadyGiven.into());
        }
        let row = transition(Some(state), step.action, self.row.kind);
        let row = row.ok_or(ErrorCode::IllegalTransition)?;
        if !self.is(row.actor, &step.actor) {
            return Err(ErrorCode::CaseActorForbidden.into());
        }
        match step.action {
            Action::Apply => self.supplement(step, key)?,
            Action::Opine => self.opine(step, key)?,
            Action::Propose => self.propose(step, key)?,
            Action::Sign => self.sign(step, key)?,
            Action::Accept
            | Action::File
            | Action::Pass
            | Action::Reject
            | Action::Return
            | Action::Terminate
            | Action::Withdraw => self.act(step, key)?,
        }
        // Opinions and signatures reach the row's state with the last one that is needed.
        if self.is_complete(step.action) {
            self.row.state = row.to;
        }
        if self.row.state == State::Filed && matches!(step.action, Action::File | Action::Sign) {
            self.filed = self.proposed.take();
        }
        self.remember(step);
        Ok(())
    }

    /// Whether this act is known already: its answer was lost, and it comes again.
    pub(crate) fn knows(&self, step: &Step) -> bool {
        let evidence = step.evidence();
        self.history
            .iter()
            .any(|entry| entry.evidence == evidence && entry.actor == step.actor)
    }

    /// What acts are about now: the application, or the agreement once one is proposed.
    pub(crate) fn basis(&self) -> Hash {
        match self.proposed.as_ref().or(self.filed.as_ref()) {
            Some(proposed) => proposed.envelope.digest(),
            None => self.application_envelope.digest(),
        }
    }

    /// Everybody who takes part so far.
    pub(crate) fn parties(&self) -> impl Iterator<Item = &PartyId> {
        let proposed = [&self.proposed, &self.filed];
        let units = proposed
            .into_iter()
            .flatten()
            .flat_map(|proposed| proposed.units());
        [&self.row.applicant, &self.row.agency]
            .into_iter()
            .chain(self.reviewers.keys())
            .chain(units)
    }

    fn is(&self, actor: Actor, party: &PartyId) -> bool {
        match actor {
            Actor::Agency => self.row.agency == *party,
            Actor::Applicant => self.row.applicant == *party,
            Actor::Reviewer => self.reviewers.contains_key(party),
            Actor::Signer => {
                let proposed = self.proposed.as_ref();
                proposed.is_some_and(|proposed| proposed.needs(party) != (false, false))
            }
        }
    }

    fn is_complete(&self, action: Action) -> bool {
        match action {
            Action::Opine => self
                .reviewers
                .values()
                .all(|said| matches!(said, Some((Stance::Agree, _)))),
            Action::Sign => {
                let proposed = self.proposed.as_ref();
                proposed.is_some_and(|proposed| proposed.missing().is_none())
            }
            _ => true,
        }
    }

    fn remember(&mut self, step: &Step) {
        let object = step.object.as_ref().or(step.granted.as_ref());
        self.history.push(Entry {
            action: step.action,
            actor: step.actor.clone(),
            at: step.at,
            state: self.row.state,
            evidence: step.evidence(),
            object_digest: object.map_or(Hash([0; 32]), Envelope::digest),
        });
    }

    /// The supplement: the same applicant to the same agency about the same kind of thing.
    fn supplement(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let (application, envelope) = step.signed_object::<Application>(key)?;
        let known = &self.application;
        let fits = application.case == known.case
            && application.applicant == known.applicant
            && application.agency == known.agency
            && application.kind == known.kind;
        if !fits {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "case_id"));
        }
        if application.submission != known.submission.saturating_add(1) {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "submission"));
        }
        self.application_envelope = envelope.clone();
        self.application = application;
        (self.row.accepted, self.row.lapses) = (step.at, None);
        self.row.due = step.due.ok_or(ErrorCode::Internal)?;
        Ok(())
    }

    fn opine(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let (opinion, envelope) = step.signed_object::<Opinion>(key)?;
        if opinion.by != step.actor {
            return Err(ErrorCode::CaseActorForbidden.into());
        }
        if opinion.case != self.row.id || opinion.application != self.application_envelope.digest()
        {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "application_digest"));
        }
        match self.reviewers.get_mut(&step.actor) {
            Some(said @ None) => *said = Some((opinion.stance, envelope.clone())),
            Some(Some(_)) => return Err(ErrorCode::OpinionAlreadyGiven.into()),
            None => return Err(ErrorCode::CaseActorForbidden.into()),
        }
        Ok(())
    }

    fn act(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let (act, envelope) = step.signed_object::<CaseAct>(key)?;
        if act.by != step.actor {
            return Err(ErrorCode::CaseActorForbidden.into());
        }
        if act.case != self.row.id || act.action != step.action {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "case_id"));
        }
        if act.basis != self.basis() {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "basis_digest"));
        }
        match act.action {
            Action::File => self.check_fileable(step.at)?,
            Action::Pass if self.row.kind == GrantKind::Scenario => {
                if step.reviewers.is_empty() {
                    return Err(ErrorCode::Internal.into());
                }
                let needed = step.reviewers.iter().cloned();
                self.reviewers = needed.map(|reviewer| (reviewer, None)).collect();
            }
            Action::Reject => {
                // In a renewal this gives the renewal up, and what was filed goes on.
                self.proposed = None;
                self.row.grant = self.filed.as_ref().and_then(Proposed::grant_id);
            }
            Action::Return => {
                let due = act.supplement_due.unwrap_or(Timestamp(0));
                if due <= step.at || due.0 > step.at.0.saturating_add(SUPPLEMENT_MAX_US) {
                    return Err(Refusal::of(ErrorCode::ObjectInvalid, "supplement_due_us"));
                }
                self.notice = Some(envelope.clone());
                self.row.lapses = Some(due);
            }
            Action::Withdraw => {
                self.proposed = None;
                (self.row.lapses, self.row.grant) = (None, None);
            }
            _ => {}
        }
        Ok(())
    }

    fn propose(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let (agreement, envelope) = step.signed_object::<Agreement>(key)?;
        let granted = step.granted.as_ref();
        let granted = granted
            .map(|granted| {
                signed(granted, key)?;
                Ok::<_, Refusal>((open::<Grant>(granted)?, granted))
            })
            .transpose()?;
        let proposed = Proposed::new(self, step, key, (agreement, envelope), granted)?;
        self.row.grant = proposed.grant_id();
        self.proposed = Some(proposed);
        Ok(())
    }

    fn sign(&mut self, step: &Step, key: &[u8]) -> Result<(), Refusal> {
        let proposed = self.proposed.as_mut();
        let proposed = proposed.ok_or(ErrorCode::IllegalTransition)?;
        proposed.add(step, key)?;
        if self.row.kind == GrantKind::Catalog && self.is_complete(Action::Sign) {
            self.check_fileable(step.at)?;
        }
        Ok(())
    }

    /// Everything is signed, and a renewal comes before the end of what it renews.
    fn check_fileable(&self, at: Timestamp) -> Result<(), Refusal> {
        let proposed = self.proposed.as_ref();
        let proposed = proposed.ok_or(ErrorCode::IllegalTransition)?;
        if let Some(code) = proposed.missing() {
            return Err(code.into());
        }
        match &self.filed {
            Some(filed) if at >= filed.ends() => Err(ErrorCode::AlreadyExpired.into()),
            Some(_) | None => Ok(()),
        }
    }
}
