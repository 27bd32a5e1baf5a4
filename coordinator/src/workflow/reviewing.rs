//! Acts, opinions, proposals and signatures as they come in: what depends on the registry is checked here, the rest by
//! the case itself.

use lingqu_core::agreement::Agreement;
use lingqu_core::case::{Action, CaseAct, Opinion};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{GRANT_TYPE, Grant, GrantKind};
use lingqu_core::{CaseId, ErrorCode, PartyId};
use lingqu_proto::open;

use super::case::{Case, Step};
use super::entering::own;
use super::view::CaseShown;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::objects::Signers;

impl Registry {
    /// Accept, file, pass, reject, return, terminate or withdraw.
    ///
    /// # Errors
    /// `CASE_UNKNOWN`, `CASE_ACTOR_FORBIDDEN`, `ILLEGAL_TRANSITION`, `CASE_LAPSED`, `ONE_TIME_NOTICE_ALREADY_GIVEN`,
    /// `MATERIAL_MISSING`, `ALREADY_EXPIRED`, `OBJECT_SIGNATURE_INVALID`, `OBJECT_INVALID` for an act about something
    /// else, and for filing those of a grant.
    pub(crate) async fn act_on_case(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<CaseShown, Refusal> {
        let _acting = self.acting().await?;
        let party = self.actor(caller)?;
        let act: CaseAct = open(&envelope)?;
        own(&party.id, &act.by)?;
        let case = self.open_case_for(&act.case, &party).await?;
        let mut step = Step::of(act.action, &party.id, self.clock.now(), envelope);
        if case.knows(&step) {
            return self.shown(case).await;
        }
        if act.action == Action::Pass && case.row.kind == GrantKind::Scenario {
            step.reviewers = self.reviewers(&case.application).await?;
        }
        let missing = self.missing_materials(&case.application);
        let case = self.taken(&party, case, &step)?;
        if act.action == Action::Accept && !missing.is_empty() {
            return Err(ErrorCode::MaterialMissing.into());
        }
        self.store_act(&party, case, step).await
    }

    /// Takes an opinion.
    ///
    /// # Errors
    /// As [`Registry::act_on_case`], and `OPINION_ALREADY_GIVEN`.
    pub(crate) async fn opine(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<CaseShown, Refusal> {
        let _acting = self.acting().await?;
        let party = self.actor(caller)?;
        let opinion: Opinion = open(&envelope)?;
        own(&party.id, &opinion.by)?;
        let case = self.open_case_for(&opinion.case, &party).await?;
        let step = Step::of(Action::Opine, &party.id, self.clock.now(), envelope);
        self.enter_act(&party, case, step).await
    }

    /// Takes what the agency proposes, for the first time or to renew.
    ///
    /// # Errors
    /// As [`Registry::act_on_case`], `AGREEMENT_TERM_MISSING`, `TERM_TOO_LONG`, `GRANT_EXCEEDS_APPLICATION`,
    /// `OBJECT_CONFLICT` for a grant that another case or filing has, and those of a grant.
    pub(crate) async fn propose(
        &self,
        caller: &PartyId,
        agreement: Envelope,
        granted: Option<Envelope>,
    ) -> Result<CaseShown, Refusal> {
        let _acting = self.acting().await?;
        let party = self.actor(caller)?;
        let proposed: Agreement = open(&agreement)?;
        own(&party.id, &proposed.agency)?;
        let case = self.open_case_for(&proposed.case, &party).await?;
        let now = self.clock.now();
        let mut step = Step::of(Action::Propose, &party.id, now, agreement);
        step.granted = granted;
        if case.knows(&step) {
            return self.shown(case).await;
        }
        // The case's own word comes first, so that whoever acts out of order is told so.
        let taken = self.taken(&party, case.clone(), &step)?;
        if now >= proposed.not_after {
            return Err(ErrorCode::AlreadyExpired.into());
        }
        if let Some(granted) = &step.granted {
            self.check_grant(&party, granted, Signers::AgencyOnly)
                .await?;
            self.check_own_grant(&case, &open::<Grant>(granted)?)
                .await?;
        }
        self.store_act(&party, taken, step).await
    }

    /// Takes a signer's signatures.
    ///
    /// # Errors
    /// As [`Registry::act_on_case`], and `AGREEMENT_ALTERED` for signatures over other bytes.
    pub(crate) async fn sign_case(
        &self,
        caller: &PartyId,
        case: &CaseId,
        agreement: Option<Envelope>,
        granted: Option<Envelope>,
    ) -> Result<CaseShown, Refusal> {
        let _acting = self.acting().await?;
        let party = self.actor(caller)?;
        let case = self.open_case_for(case, &party).await?;
        let step = Step {
            action: Action::Sign,
            actor: party.id.clone(),
            at: self.clock.now(),
            object: agreement,
            granted,
            due: None,
            reviewers: Vec::new(),
        };
        self.enter_act(&party, case, step).await
    }

    /// The grant is this case's own: nobody else's, and each version once. Its units are those that gave their opinion.
    async fn check_own_grant(&self, case: &Case, grant: &Grant) -> Result<(), Refusal> {
        let of = self.store.case_of_grant(&grant.id).await?;
        if of.is_some_and(|of| of != case.row.id) {
            return Err(ErrorCode::ObjectConflict.into());
        }
        let versions = self.store.versions(GRANT_TYPE, grant.id.as_str()).await?;
        let filed = case.filed.as_ref().and_then(|filed| filed.grant.as_ref());
        let expected = filed.map_or(0, |(filed, _)| filed.version);
        if u32::try_from(versions.len()).ok() != Some(expected) {
            return Err(ErrorCode::ObjectConflict.into());
        }
        let reviewed = |unit: &PartyId| case.reviewers.contains_key(unit);
        if grant.quotas.iter().all(|quota| reviewed(&quota.unit)) {
            Ok(())
        } else {
            Err(Refusal::of(ErrorCode::GrantExceedsApplication, "quotas"))
        }
    }
}
