//! Opening a stored case, and storing an act with everything that follows from it, in one transaction.

use lingqu_core::case::{Action, State};
use lingqu_core::credential::Credential;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::GrantKind;
use lingqu_core::{CaseId, ErrorCode, PartyId};
use lingqu_proto::{encode_envelope, seal};

use super::agreeing::Proposed;
use super::case::{Case, Step};
use super::view::CaseShown;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::objects::Signers;
use crate::store::acts::{self, Act};
use crate::store::parties::Party;
use crate::store::{Writing, cases};

/// Most acts of one case: three for each round of signing, and many rounds.
const ACTS_MAX: usize = 1_000;

impl Registry {
    /// The case with this id, read back from its signed acts.
    ///
    /// # Errors
    /// `CASE_UNKNOWN`; `INTERNAL` for one that its signatures do not bear out.
    pub(super) async fn open_case(&self, id: &CaseId) -> Result<Case, Refusal> {
        let row = self.store.case(id).await?.ok_or(ErrorCode::CaseUnknown)?;
        let acts = self.store.case_acts(row.place, id).await?;
        let directory = self.directory.load();
        Case::replay(row, acts, |party| {
            let party = directory.parties.get(party)?;
            Some(party.approval_key.clone())
        })
    }

    /// The case, for one of its parties who acts. Strangers are not told that it exists.
    pub(super) async fn open_case_for(&self, id: &CaseId, party: &Party) -> Result<Case, Refusal> {
        let case = self.open_case(id).await?;
        if self.store.takes_part(case.row.place, &party.id).await? {
            Ok(case)
        } else {
            Err(ErrorCode::CaseUnknown.into())
        }
    }

    /// Takes an act of `party` and makes it durable, with the filing and the credential that it leads to.
    pub(super) async fn enter_act(
        &self,
        party: &Party,
        case: Case,
        step: Step,
    ) -> Result<CaseShown, Refusal> {
        if case.knows(&step) {
            return self.shown(case).await;
        }
        let case = self.taken(party, case, &step)?;
        self.store_act(party, case, step).await
    }

    /// The case with the act taken; nothing is stored yet.
    pub(super) fn taken(
        &self,
        party: &Party,
        mut case: Case,
        step: &Step,
    ) -> Result<Case, Refusal> {
        if case.history.len() >= ACTS_MAX {
            return Err(ErrorCode::Overloaded.into());
        }
        case.take(step, &party.approval_key)?;
        Ok(case)
    }

    /// Stores an act that the case has taken.
    pub(super) async fn store_act(
        &self,
        party: &Party,
        mut case: Case,
        step: Step,
    ) -> Result<CaseShown, Refusal> {
        let files =
            case.row.state == State::Filed && matches!(step.action, Action::File | Action::Sign);
        let organiser = self.organiser_of(&case).await?;
        let parties: Vec<PartyId> = case.parties().chain(&organiser).cloned().collect();
        let mut tx = self.store.begin().await?;
        case.row.place = cases::put(&mut tx, &case.row).await?;
        cases::insert_parties(&mut tx, case.row.place, &parties).await?;
        let number = if files {
            Some(self.file_case(&mut tx, &case).await?)
        } else {
            None
        };
        let row = step.to_row();
        let act = Act {
            action: format!("case_{}", step.action.as_str().to_ascii_lowercase()),
            subject: case.row.id.to_string(),
            digest: row.evidence,
            actor: party.id.to_string(),
            region: Some(case.row.region.clone()),
            filing_number: number,
            epoch: None,
        };
        let act = acts::insert(&mut tx, &act).await?;
        let position = case.history.len() - 1;
        cases::insert_act(&mut tx, case.row.place, position, &row, act).await?;
        self.carry_out(tx).await?;
        // At this point the act, and what it filed, is durable and logged: nodes may be sent it.
        if files {
            self.filed.send_modify(|version| *version += 1);
        }
        self.shown(case).await
    }

    /// Files what everybody has signed; gives the agreement's number.
    async fn file_case(&self, tx: &mut Writing, case: &Case) -> Result<String, Refusal> {
        let filed = case.filed.as_ref().ok_or(ErrorCode::Internal)?;
        let agency = self.party(&case.row.agency)?;
        let checked = Registry::checked_agreement(&filed.agreement, case.row.region.clone());
        let agreement = self.enter_in(tx, &agency, &filed.envelope, checked).await?;
        if let Some((_, grant)) = &filed.grant {
            // Every signature is checked once more, over exactly the bytes that go to the nodes.
            let checked = self.check_grant(&agency, grant, Signers::All).await?;
            self.enter_in(tx, &agency, grant, checked).await?;
        }
        if case.row.kind == GrantKind::Catalog {
            let credential = self.credential(filed, &agency, agreement.number.clone())?;
            let digest = filed.envelope.digest();
            cases::insert_credential(tx, &digest, &encode_envelope(&credential)).await?;
        }
        Ok(agreement.number)
    }

    /// The e-credential of a catalog agreement.
    fn credential(
        &self,
        filed: &Proposed,
        agency: &Party,
        number: String,
    ) -> Result<Envelope, Refusal> {
        let agreement = &filed.agreement;
        let holder = self.party(&agreement.licensee)?;
        let department = &self.workflow.issuing_department;
        let credential = Credential {
            number,
            holder_name: name_of(&holder),
            scope: agreement.terms.scope.clone(),
            not_before: agreement.not_before,
            not_after: agreement.not_after,
            issued_by: if department.is_empty() {
                name_of(agency)
            } else {
                department.clone()
            },
            issued: self.clock.now(),
            holder: holder.id,
            case: agreement.case.clone(),
            agreement: filed.envelope.digest(),
            coordinator: self.id.clone(),
        };
        let mut envelope = seal(&credential);
        envelope.sign(self.id.as_str(), self.keys.signing.as_ref());
        Ok(envelope)
    }
}

/// What people call it; its id where it gave no name.
fn name_of(party: &Party) -> String {
    if party.display_name.trim().is_empty() {
        party.id.to_string()
    } else {
        party.display_name.clone()
    }
}

/// Whether somebody acts in its own name.
pub(super) fn own(caller: &PartyId, by: &PartyId) -> Result<(), Refusal> {
    if caller == by {
        Ok(())
    } else {
        Err(ErrorCode::CaseActorForbidden.into())
    }
}
