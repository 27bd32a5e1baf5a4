//! What is shown of a case, and to whom: its parties, the bureau that organises it, and regulators of its region.

use std::collections::BTreeSet;

use lingqu_core::agreement::AGREEMENT_TYPE;
use lingqu_core::application::Application;
use lingqu_core::case::State;
use lingqu_core::envelope::Envelope;
use lingqu_core::epoch::Revocation;
use lingqu_core::grant::GRANT_TYPE;
use lingqu_core::{CaseId, ErrorCode, GrantId, PartyId, Region, Role, Timestamp};
use lingqu_proto::{decode_envelope, open};
use lingqu_tlog::{Hash, Intl, Suite};

use super::agreeing::Proposed;
use super::case::Case;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::store::StoreError;
use crate::store::cases::{CaseRow, Listing};
use crate::store::objects::{Identity, Object};

/// A case with what the registry knows about it now.
#[derive(Clone, Debug)]
pub(crate) struct CaseShown {
    pub(crate) case: Case,
    pub(crate) now: Timestamp,
    pub(crate) standing: Option<&'static str>,
    pub(crate) missing: Vec<String>,
    pub(crate) organiser_region: Option<Region>,
    pub(crate) organiser: Option<PartyId>,
    pub(crate) agreement: Option<Object>,
    pub(crate) grant: Option<Object>,
    pub(crate) credential: Option<Envelope>,
    pub(crate) history: Vec<Shown>,
}

/// One line of the history, whether it changed the case's state or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) action: &'static str,
    pub(crate) actor: PartyId,
    pub(crate) at: Timestamp,
    pub(crate) state: Option<State>,
    pub(crate) evidence: Hash,
    pub(crate) object_digest: Hash,
}

/// What somebody wants listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) state: Option<State>,
    pub(crate) overdue_only: bool,
    pub(crate) after: i64,
    pub(crate) count: u32,
}

impl Registry {
    /// One case.
    ///
    /// # Errors
    /// `CASE_UNKNOWN`, also for who may not see it.
    pub(crate) async fn show_case(
        &self,
        caller: &PartyId,
        id: &CaseId,
    ) -> Result<CaseShown, Refusal> {
        let party = self.actor(caller)?;
        let row = self.store.case(id).await?.ok_or(ErrorCode::CaseUnknown)?;
        let supervises = party.roles.contains(&Role::Regulator) && party.region.covers(&row.region);
        if !supervises && !self.store.takes_part(row.place, &party.id).await? {
            return Err(ErrorCode::CaseUnknown.into());
        }
        self.shown(self.open_case(id).await?).await
    }

    /// The cases that the caller may see, with the instant that they are seen at.
    pub(crate) async fn list_cases(
        &self,
        caller: &PartyId,
        wanted: Wanted,
    ) -> Result<(Vec<CaseRow>, Timestamp), Refusal> {
        let party = self.actor(caller)?;
        let supervises = party.roles.contains(&Role::Regulator);
        let page = self.workflow.page_max;
        let now = self.clock.now();
        let listing = Listing {
            region: supervises.then_some(party.region),
            party: party.id,
            state: wanted.state,
            overdue_only: wanted.overdue_only,
            now,
            after: wanted.after,
            count: if wanted.count == 0 {
                page
            } else {
                wanted.count.min(page)
            },
        };
        Ok((self.store.list_cases(&listing).await?, now))
    }

    /// Items of the checklist that the application lacks.
    pub(super) fn missing_materials(&self, application: &Application) -> Vec<String> {
        let items = match application.kind {
            lingqu_core::grant::GrantKind::Catalog => &self.workflow.materials_catalog,
            lingqu_core::grant::GrantKind::Scenario => &self.workflow.materials_scenario,
        };
        let has: BTreeSet<&String> = application.materials.iter().map(|one| &one.item).collect();
        let missing = items.iter().filter(|item| !has.contains(item));
        missing.cloned().collect()
    }

    pub(super) async fn shown(&self, case: Case) -> Result<CaseShown, Refusal> {
        let now = self.clock.now();
        let (organiser_region, organiser) = self.organising(&case.application).await?;
        let filed = case.filed.as_ref();
        let agreement = match filed {
            Some(filed) => self.filed_agreement(filed).await?,
            None => None,
        };
        let grant = match filed.and_then(|filed| filed.grant.as_ref()) {
            Some((_, envelope)) => {
                self.store
                    .object_by_digest(GRANT_TYPE, &envelope.digest())
                    .await?
            }
            None => None,
        };
        let credential = match filed {
            Some(filed) => self.store.credential(&filed.envelope.digest()).await?,
            None => None,
        };
        let corrupt = |_| Refusal::from(StoreError::Corrupt("credential"));
        let credential = credential.map(|bytes| decode_envelope(&bytes).map_err(corrupt));
        Ok(CaseShown {
            now,
            standing: self.standing(&case, now),
            missing: self.missing_materials(&case.application),
            organiser_region,
            organiser,
            agreement,
            grant,
            credential: credential.transpose()?,
            history: self.history(&case).await?,
            case,
        })
    }

    async fn filed_agreement(&self, filed: &Proposed) -> Result<Option<Object>, Refusal> {
        let identity = Identity {
            kind: AGREEMENT_TYPE,
            id: filed.agreement.case.to_string(),
            version: filed.agreement.round,
        };
        Ok(self.store.object(&identity).await?)
    }

    /// What is filed, as of now; nothing before it is filed.
    fn standing(&self, case: &Case, now: Timestamp) -> Option<&'static str> {
        let filed = case.filed.as_ref()?;
        let epoch = self.current_epoch();
        let grant = filed.grant_id();
        let revoked = |id: &str| epoch.revoked.contains(id);
        let ended = case.row.state == State::Terminated
            || revoked(filed.agreement.licensee.as_str())
            || grant.as_ref().is_some_and(|id| revoked(id.as_str()));
        Some(if ended {
            "REVOKED"
        } else if now >= filed.ends() {
            "EXPIRED"
        } else if grant.is_some_and(|id| epoch.suspended.contains(&id)) {
            "SUSPENDED"
        } else if now < filed.begins() {
            "NOT_YET_VALID"
        } else {
            "VALID"
        })
    }

    /// The acts of the case, with what was done to its grant besides.
    async fn history(&self, case: &Case) -> Result<Vec<Shown>, Refusal> {
        let acts = case.history.iter().map(|entry| Shown {
            action: entry.action.as_str(),
            actor: entry.actor.clone(),
            at: entry.at,
            state: Some(entry.state),
            evidence: entry.evidence,
            object_digest: entry.object_digest,
        });
        let mut history: Vec<Shown> = acts.collect();
        if let Some(grant) = case.filed.as_ref().and_then(Proposed::grant_id) {
            history.extend(self.history_of_grant(&grant).await?);
        }
        // Stable: acts of one instant stay in the order in which they were taken.
        history.sort_by_key(|shown| shown.at);
        Ok(history)
    }

    async fn history_of_grant(&self, grant: &GrantId) -> Result<Vec<Shown>, Refusal> {
        let corrupt = || Refusal::from(StoreError::Corrupt("request"));
        let line = |action, actor: &PartyId, at, bytes: &[u8]| {
            let envelope = decode_envelope(bytes).map_err(|_| corrupt())?;
            Ok::<_, Refusal>(Shown {
                action,
                actor: actor.clone(),
                at,
                state: None,
                evidence: Intl::digest(&[bytes]),
                object_digest: envelope.digest(),
            })
        };
        let mut history = Vec::new();
        for row in self.store.suspensions_of(grant).await? {
            history.push(line("SUSPEND", &row.by, row.at, &row.envelope)?);
            if let Some((lifting, at)) = &row.lifted {
                history.push(line("LIFT", &row.by, *at, lifting)?);
            }
        }
        if let Some(bytes) = self.store.revocation(grant.as_str()).await? {
            let envelope = decode_envelope(&bytes).map_err(|_| corrupt())?;
            let revocation: Revocation = open(&envelope).map_err(|_| corrupt())?;
            history.push(line("REVOKE", &revocation.by, revocation.issued, &bytes)?);
        }
        Ok(history)
    }
}
