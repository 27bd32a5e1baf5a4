//! Applications: who may apply, for what, and how often. A first submission opens a case, a later one supplements it.

use lingqu_core::application::Application;
use lingqu_core::case::{Action, State};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::GrantKind;
use lingqu_core::{ErrorCode, PartyId, Role};
use lingqu_proto::open;

use super::calendar;
use super::case::{Case, Step};
use super::entering::own;
use super::view::CaseShown;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::store::cases::CaseRow;
use crate::store::parties::Party;

impl Registry {
    /// Opens or supplements a case. The day of acceptance is today, by this clock, whatever the application says
    ///
    ///
    /// # Errors
    /// `OPERATOR_REDEVELOPMENT_FORBIDDEN`, `CASES_TOO_MANY`, `PRODUCT_UNKNOWN`, `OBJECT_CONFLICT` for an id that another
    /// case has, and those of an act.
    pub(crate) async fn apply(
        &self,
        caller: &PartyId,
        envelope: Envelope,
    ) -> Result<CaseShown, Refusal> {
        let _acting = self.acting().await?;
        let party = self.actor(caller)?;
        let application: Application = open(&envelope)?;
        own(&party.id, &application.applicant)?;
        self.check_applicant(&party, &application)?;
        if application.coordinator != self.id {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "coordinator"));
        }
        let agency = self.actor(&application.agency).ok();
        if agency.is_none_or(|agency| !agency.roles.contains(&Role::OperatingAgency)) {
            return Err(Refusal::of(ErrorCode::ObjectInvalid, "agency"));
        }
        let now = self.clock.now();
        let days = self.workflow.review_days;
        let mut step = Step::of(Action::Apply, &party.id, now, envelope);
        step.due = Some(calendar::due(&self.workflow, now, days));
        match self.store.case(&application.case).await? {
            None => self.first(&party, application, step).await,
            Some(known) if known.applicant != party.id => Err(ErrorCode::ObjectConflict.into()),
            Some(_) => self.again(&party, application, step).await,
        }
    }

    async fn first(
        &self,
        party: &Party,
        application: Application,
        step: Step,
    ) -> Result<CaseShown, Refusal> {
        let (open, today) = self.store.case_counts(&party.id, step.at).await?;
        let limits = &self.workflow;
        if open >= limits.cases_open_max || today >= limits.cases_day_max {
            return Err(ErrorCode::CasesTooMany.into());
        }
        let region = self.region_of(&application).await?;
        let row = CaseRow {
            place: 0,
            id: application.case.clone(),
            kind: application.kind,
            applicant: application.applicant.clone(),
            agency: application.agency.clone(),
            region,
            state: State::Submitted,
            opened_day: 0,
            accepted: step.at,
            due: step.at,
            lapses: None,
            grant: None,
        };
        let case = Case::open(&step, &party.approval_key, row)?;
        self.store_act(party, case, step).await
    }

    async fn again(
        &self,
        party: &Party,
        application: Application,
        step: Step,
    ) -> Result<CaseShown, Refusal> {
        let mut case = self.open_case(&application.case).await?;
        if !case.knows(&step) {
            case.row.region = self.region_of(&application).await?;
        }
        self.enter_act(party, case, step).await
    }

    /// an agency redevelops nothing itself, and each kind of authorisation has its kind of licensee.
    fn check_applicant(&self, party: &Party, application: &Application) -> Result<(), Refusal> {
        if party.id == application.agency || party.roles.contains(&Role::OperatingAgency) {
            return Err(ErrorCode::OperatorRedevelopmentForbidden.into());
        }
        let role = match application.kind {
            GrantKind::Catalog => Role::CatalogLicensee,
            GrantKind::Scenario => Role::ScenarioLicensee,
        };
        if party.roles.contains(&role) {
            Ok(())
        } else {
            Err(ErrorCode::CallerRoleForbidden.into())
        }
    }

    /// The region that the case is shown to: of the units together, or the agency's where they have none in common.
    async fn region_of(&self, application: &Application) -> Result<lingqu_core::Region, Refusal> {
        let concerned = self.concerned(application).await?;
        match concerned.region {
            Some(region) => Ok(region),
            None => Ok(self.party(&application.agency)?.region),
        }
    }
}
