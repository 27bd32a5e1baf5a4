//! A registry with everybody in it, and one line for each act of a case.

use std::sync::Arc;

use lingqu_core::agreement::{Agreement, Terms};
use lingqu_core::application::{Application, Demand, Material};
use lingqu_core::case::{Action, CaseAct, Opinion, Stance};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Environment, Grant, GrantKind};
use lingqu_core::{CaseId, Clock, ErrorCode, Role, Timestamp};
use lingqu_proto::seal;
use lingqu_tlog::Hash;

use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::registry::testbed::*;
use crate::workflow::view::CaseShown;

pub(super) const DAY_US: i64 = 86_400_000_000;
pub(super) const CASE: &str = "case_1";

pub(super) struct World {
    pub(super) net: Net,
    pub(super) registry: Arc<Registry>,
}

pub(super) fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> ErrorCode {
    outcome.unwrap_err().code
}

impl World {
    /// A registry with a filed product of `party_unit`, and a catalog licensee besides the others.
    pub(super) async fn new() -> World {
        World::of(Net::new()).await
    }

    pub(super) async fn of(net: Net) -> World {
        let registry = net.open().await;
        populate(&registry).await;
        let broker = new_party("party_broker", Role::CatalogLicensee, "4501");
        enrol(&registry, broker).await.unwrap();
        file_product(&registry).await;
        World { net, registry }
    }

    /// The same after a restart.
    pub(super) async fn restarted(self) -> World {
        close(self.registry).await;
        let registry = self.net.open().await;
        World {
            net: self.net,
            registry,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    pub(super) fn application(&self, kind: GrantKind) -> Application {
        let checklist = match kind {
            GrantKind::Catalog => &self.net.config.workflow.materials_catalog,
            GrantKind::Scenario => &self.net.config.workflow.materials_scenario,
        };
        let material = |item: &String| Material {
            item: item.clone(),
            digest: Hash([7; 32]),
            dated: self.now(),
        };
        let demand = Demand {
            scenario: "S1".to_owned(),
            purposes: vec!["LOAN".to_owned()],
            environments: vec![Environment::Test, Environment::Prod],
            products: vec![product().reference],
            end_users: vec!["91450100MA5K00000B".to_owned()],
            delegates: Vec::new(),
            calls_per_day: 10,
            calls_total: 100,
            personal_data: true,
            non_public_inputs: Vec::new(),
            design: Hash([8; 32]),
        };
        Application {
            case: CASE.parse().unwrap(),
            coordinator: "coord_gx".parse().unwrap(),
            submission: 1,
            kind,
            applicant: party(applicant(kind)),
            agency: party(AGENCY),
            summary: "货车司机普惠贷款".to_owned(),
            materials: checklist.iter().map(material).collect(),
            demand: (kind == GrantKind::Scenario).then_some(demand),
            issued: self.now(),
        }
    }

    pub(super) async fn apply(&self, application: &Application) -> Result<CaseShown, Refusal> {
        let by = application.applicant.to_string();
        self.apply_as(&by, application, &by).await
    }

    pub(super) async fn apply_as(
        &self,
        caller: &str,
        application: &Application,
        signer: &str,
    ) -> Result<CaseShown, Refusal> {
        let envelope = sealed(application, &[signer]);
        self.registry.apply(&party(caller), envelope).await
    }

    pub(super) async fn show(&self, id: &str) -> CaseShown {
        let case: CaseId = id.parse().unwrap();
        self.registry
            .show_case(&party(AGENCY), &case)
            .await
            .unwrap()
    }

    /// A signed act on what the case is about now.
    pub(super) async fn act_object(&self, id: &str, by: &str, action: Action) -> CaseAct {
        let notice = action == Action::Return;
        CaseAct {
            case: id.parse().unwrap(),
            basis: self.show(id).await.case.basis(),
            action,
            by: party(by),
            reason: "理由".to_owned(),
            missing: notice
                .then(|| "四类名单声明".to_owned())
                .into_iter()
                .collect(),
            supplement_due: notice.then(|| Timestamp(self.now().0 + 5 * DAY_US)),
            issued: self.now(),
        }
    }

    pub(super) async fn act(
        &self,
        id: &str,
        by: &str,
        action: Action,
    ) -> Result<CaseShown, Refusal> {
        let act = self.act_object(id, by, action).await;
        let envelope = sealed(&act, &[by]);
        self.registry.act_on_case(&party(by), envelope).await
    }

    pub(super) async fn opinion(&self, id: &str, by: &str, stance: Stance) -> Opinion {
        let case = self.show(id).await.case;
        Opinion {
            case: case.row.id.clone(),
            application: case.application_envelope.digest(),
            by: party(by),
            stance,
            reason: "意见".to_owned(),
            issued: self.now(),
        }
    }

    pub(super) async fn opine(
        &self,
        id: &str,
        by: &str,
        stance: Stance,
    ) -> Result<CaseShown, Refusal> {
        let opinion = sealed(&self.opinion(id, by, stance).await, &[by]);
        self.registry.opine(&party(by), opinion).await
    }

    /// What the agency would propose now: three years, everything that was asked for.
    pub(super) async fn proposal(&self, id: &str) -> (Agreement, Option<Grant>) {
        let case = self.show(id).await.case;
        let filed = case.filed.as_ref();
        let round = filed.map_or(0, |filed| filed.agreement.round) + 1;
        let not_before = self.now();
        let not_after = Timestamp(not_before.0 + 3 * 365 * DAY_US);
        let granted = (case.row.kind == GrantKind::Scenario).then(|| Grant {
            id: format!("grant_{}", &id["case_".len()..]).parse().unwrap(),
            version: round,
            not_before,
            not_after,
            ..grant(&self.net.clock)
        });
        let agreement = Agreement {
            case: case.row.id.clone(),
            round,
            application: case.application_envelope.digest(),
            previous: filed.map(|filed| filed.envelope.digest()),
            kind: case.row.kind,
            agency: case.row.agency.clone(),
            licensee: case.row.applicant.clone(),
            not_before,
            not_after,
            terms: terms(),
            template: String::new(),
            grant: granted.as_ref().map(digest_of),
        };
        (agreement, granted)
    }

    pub(super) async fn propose_these(
        &self,
        agreement: &Agreement,
        grant: Option<&Grant>,
    ) -> Result<CaseShown, Refusal> {
        let agreement = sealed(agreement, &[AGENCY]);
        let grant = grant.map(|grant| sealed(grant, &[AGENCY]));
        self.registry
            .propose(&party(AGENCY), agreement, grant)
            .await
    }

    pub(super) async fn propose(&self, id: &str) -> Result<CaseShown, Refusal> {
        let (agreement, grant) = self.proposal(id).await;
        self.propose_these(&agreement, grant.as_ref()).await
    }

    /// What is proposed, without signatures, for a signer to sign.
    pub(super) async fn proposed(&self, id: &str) -> (Envelope, Option<Envelope>) {
        let case = self.show(id).await.case;
        let proposed = case.proposed.as_ref().expect("something is proposed");
        let bare = |envelope: &Envelope| {
            Envelope::new(envelope.payload_type.clone(), envelope.payload.clone())
        };
        let grant = proposed.grant.as_ref().map(|(_, envelope)| bare(envelope));
        (bare(&proposed.envelope), grant)
    }

    /// Signs what the signer is to sign.
    pub(super) async fn sign(&self, id: &str, by: &str) -> Result<CaseShown, Refusal> {
        let (agreement, grant) = self.proposed(id).await;
        let unit = by == "party_unit" || by == "party_other";
        let signed = |mut envelope: Envelope| {
            envelope.sign(by, &key(by));
            envelope
        };
        let agreement = (!unit).then_some(agreement).map(signed);
        let case: CaseId = id.parse().unwrap();
        self.registry
            .sign_case(&party(by), &case, agreement, grant.map(signed))
            .await
    }

    /// A scenario case that is being signed; only the agency has.
    pub(super) async fn signing(&self) -> CaseShown {
        self.apply(&self.application(GrantKind::Scenario))
            .await
            .unwrap();
        self.act(CASE, AGENCY, Action::Accept).await.unwrap();
        self.act(CASE, AGENCY, Action::Pass).await.unwrap();
        self.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
        self.opine(CASE, "party_unit", Stance::Agree).await.unwrap();
        self.propose(CASE).await.unwrap()
    }

    /// A filed scenario case.
    pub(super) async fn filed(&self) -> CaseShown {
        self.signing().await;
        self.sign(CASE, "party_bank").await.unwrap();
        self.sign(CASE, "party_unit").await.unwrap();
        self.act(CASE, AGENCY, Action::File).await.unwrap()
    }

    /// A filed catalog case.
    pub(super) async fn filed_catalog(&self) -> CaseShown {
        self.apply(&self.application(GrantKind::Catalog))
            .await
            .unwrap();
        self.act(CASE, AGENCY, Action::Accept).await.unwrap();
        self.act(CASE, AGENCY, Action::Pass).await.unwrap();
        self.propose(CASE).await.unwrap();
        self.sign(CASE, "party_broker").await.unwrap()
    }
}

pub(super) fn applicant(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Catalog => "party_broker",
        GrantKind::Scenario => "party_bank",
    }
}

pub(super) fn terms() -> Terms {
    let term = |text: &str| text.to_owned();
    Terms {
        scope: term("目录与样例"),
        processing: term("仅限授权场景"),
        revenue_mode: term("按次分成"),
        revenue_method: term("每次 0.1 元"),
        security: term("等保三级"),
        disposal: term("销毁"),
        breach: term("终止并赔偿"),
    }
}

/// Bytes of a case object, unsigned: for signatures that are put together by hand.
pub(super) fn bare<T: lingqu_proto::SignedObject>(object: &T) -> Envelope {
    seal(object)
}
