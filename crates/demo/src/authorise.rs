//! The whole path of authorisation, walked with everybody's keys: apply, review, agree, sign, file.
//!
//! In a real network each line is another organisation's decision. Here nobody says no, unless the coordinator does.

use lingqu_client::workflow::{CaseSeen, Workflow, WorkflowFailed, signed_by};
use lingqu_core::agreement::{Agreement, Terms};
use lingqu_core::application::{Application, Demand, Material};
use lingqu_core::case::{Action, Stance, State};
use lingqu_core::credential::Credential;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Grant, GrantKind};
use lingqu_core::{CaseId, ErrorCode, PartyId, Timestamp};
use lingqu_proto::{SignedObject, open};
use lingqu_tlog::{Intl, Suite};

use crate::cast::{self, Party};
use crate::network::{During, Network, NetworkFailed};

/// Documents that an application hands in: what the coordinator's checklists ask for by default.
const MATERIALS: [&str; 14] = [
    "ORGANISATION",
    "LEGAL_REPRESENTATIVE",
    "STANDING_NO_MAJOR_VIOLATION",
    "STANDING_NOT_DISHONEST_DEBTOR",
    "STANDING_NO_MAJOR_TAX_OFFENCE",
    "STANDING_NOT_SERIOUSLY_DISHONEST",
    "STANDING_NOT_ABNORMAL_OPERATION",
    "INTENDED_USE",
    "CAPABILITY",
    "SECURITY_OFFICER",
    "SECURITY_DEPARTMENT",
    "POLICY_INTERNAL_MANAGEMENT",
    "POLICY_SECURITY",
    "DESIGN",
];

/// What came of the path.
#[derive(Clone, Debug)]
pub struct Authorised {
    /// The case at its end.
    pub case: CaseSeen,
    /// For a scenario: the grant, with every signature.
    pub grant: Option<(Grant, Envelope)>,
    /// For a catalog authorisation: the e-credential.
    pub credential: Option<(Credential, Envelope)>,
}

impl Network {
    /// Walks the path for exactly this grant: its licensee applies for what it says, the operating agency accepts, passes
    /// and proposes, every reviewer agrees, every signer signs, the agency files. The code of the first refusal, if the
    /// coordinator refuses something.
    pub async fn authorise(
        &self,
        grant: &Grant,
        terms: Terms,
    ) -> Result<Result<Authorised, ErrorCode>, NetworkFailed> {
        let case = format!("case_{}", &grant.id.as_str()["grant_".len()..]);
        let case: CaseId = case.parse().during("naming a case")?;
        let application = Application {
            kind: GrantKind::Scenario,
            demand: Some(demand(grant)),
            ..self.application(case, &grant.licensee, &grant.agency)
        };
        let term = (grant.not_before, grant.not_after);
        settled(self.walk(application, terms, term, Some(grant)).await)
    }

    /// Walks the path of a catalog authorisation, which ends in an e-credential.
    pub async fn authorise_catalog(
        &self,
        case: CaseId,
        licensee: Party,
        terms: Terms,
        term: (Timestamp, Timestamp),
    ) -> Result<Result<Authorised, ErrorCode>, NetworkFailed> {
        let application = Application {
            kind: GrantKind::Catalog,
            demand: None,
            ..self.application(case, &licensee.id(), &Party::Agency.id())
        };
        settled(self.walk(application, terms, term, None).await)
    }

    /// Renews what a case filed: the same grant, one version on, until `not_after`.
    pub async fn renew(
        &self,
        case: &CaseId,
        terms: Terms,
        not_after: Timestamp,
    ) -> Result<Result<Authorised, ErrorCode>, NetworkFailed> {
        let renewed = async {
            let desk = self.desk(Party::Agency).await?;
            let seen = desk.show(case).await?;
            let grant = seen.grant.as_ref().map(open::<Grant>).transpose();
            let grant = grant.map_err(|_| WorkflowFailed::Malformed("grant"))?;
            let grant = grant.map(|grant| Grant {
                version: grant.version + 1,
                not_after,
                ..grant
            });
            let term = (self.clock().now(), not_after);
            let grant = grant.map(|grant| Grant {
                not_before: term.0.max(grant.not_before),
                ..grant
            });
            let seen = self.propose(&seen, terms, term, grant.as_ref()).await?;
            self.sign_and_file(seen).await
        };
        settled(renewed.await)
    }

    /// A party's desk at the coordinator.
    pub async fn desk(&self, party: Party) -> Result<Workflow, NetworkFailed> {
        let channel = self.dial_coordinator(&self.identity(party)?).await?;
        Ok(Workflow::over(channel))
    }

    /// An application with all materials; kind and demand are still to be set.
    pub fn application(&self, case: CaseId, applicant: &PartyId, agency: &PartyId) -> Application {
        let now = self.clock().now();
        let material = |item: &str| Material {
            item: item.to_owned(),
            digest: Intl::digest(&[b"document of the demo\0", item.as_bytes()]),
            dated: now,
        };
        Application {
            case,
            coordinator: cast::coordinator(),
            submission: 1,
            kind: GrantKind::Catalog,
            applicant: applicant.clone(),
            agency: agency.clone(),
            summary: "公共数据授权申请 application for authorisation".to_owned(),
            materials: MATERIALS.map(material).into(),
            demand: None,
            issued: now,
        }
    }

    async fn walk(
        &self,
        application: Application,
        terms: Terms,
        term: (Timestamp, Timestamp),
        grant: Option<&Grant>,
    ) -> Result<Authorised, Stopped> {
        let applicant = member(&application.applicant)?;
        let envelope = self.sealed(applicant, &application)?;
        self.desk(applicant).await?.apply(&envelope).await?;
        let case = &application.case;
        self.act(case, Party::Agency, Action::Accept).await?;
        let mut seen = self.act(case, Party::Agency, Action::Pass).await?;
        for reviewer in seen.reviewers.clone() {
            let reviewer = member(&reviewer.party)?;
            let now = self.clock().now();
            let opinion = seen.opinion(Stance::Agree, &reviewer.id(), "同意", now);
            let envelope = self.sealed(reviewer, &opinion)?;
            seen = self.desk(reviewer).await?.opine(&envelope).await?;
        }
        let seen = self.propose(&seen, terms, term, grant).await?;
        self.sign_and_file(seen).await
    }

    async fn propose(
        &self,
        seen: &CaseSeen,
        terms: Terms,
        (not_before, not_after): (Timestamp, Timestamp),
        grant: Option<&Grant>,
    ) -> Result<CaseSeen, Stopped> {
        let previous = seen.agreement.as_ref();
        let round = previous.map(open::<Agreement>).transpose();
        let round = round.map_err(|_| WorkflowFailed::Malformed("agreement"))?;
        let grant = grant
            .map(|grant| self.sealed(Party::Agency, grant))
            .transpose()?;
        let agreement = Agreement {
            case: seen.listed.id.clone(),
            round: round.map_or(0, |agreement| agreement.round) + 1,
            application: seen.application.digest(),
            previous: previous.map(Envelope::digest),
            kind: seen.listed.kind,
            agency: seen.listed.agency.clone(),
            licensee: seen.listed.applicant.clone(),
            not_before,
            not_after,
            terms,
            template: String::new(),
            grant: grant.as_ref().map(Envelope::digest),
        };
        let agreement = self.sealed(Party::Agency, &agreement)?;
        let desk = self.desk(Party::Agency).await?;
        Ok(desk.propose(&agreement, grant.as_ref()).await?)
    }

    async fn sign_and_file(&self, mut seen: CaseSeen) -> Result<Authorised, Stopped> {
        for signer in seen.signers.clone() {
            if signer.is_missing() {
                let signer = member(&signer.party)?;
                let (agreement, grant) = seen.signed(&signer.id(), &self.approval_key(signer)?);
                let desk = self.desk(signer).await?;
                let case = seen.listed.id.clone();
                seen = desk.sign(&case, agreement.as_ref(), grant.as_ref()).await?;
            }
        }
        // A catalog authorisation is filed with its last signature.
        if seen.listed.state != State::Filed {
            let case = seen.listed.id.clone();
            seen = self.act(&case, Party::Agency, Action::File).await?;
        }
        let read = |envelope: &Envelope| {
            let grant = open::<Grant>(envelope);
            grant.map(|grant| (grant, envelope.clone()))
        };
        let grant = seen.grant.as_ref().map(read).transpose();
        let credential = seen.credential.as_ref().map(|envelope| {
            let credential = open::<Credential>(envelope);
            credential.map(|credential| (credential, envelope.clone()))
        });
        Ok(Authorised {
            grant: grant.map_err(|_| WorkflowFailed::Malformed("grant"))?,
            credential: credential
                .transpose()
                .map_err(|_| WorkflowFailed::Malformed("credential"))?,
            case: seen,
        })
    }

    async fn act(&self, case: &CaseId, by: Party, action: Action) -> Result<CaseSeen, Stopped> {
        let desk = self.desk(by).await?;
        let seen = desk.show(case).await?;
        let act = seen.act(action, &by.id(), "", self.clock().now());
        Ok(desk.act(&self.sealed(by, &act)?).await?)
    }

    fn sealed<T: SignedObject>(&self, by: Party, object: &T) -> Result<Envelope, NetworkFailed> {
        Ok(signed_by(object, &by.id(), &self.approval_key(by)?))
    }
}

/// The eight terms as the demo's parties agree on them.
pub fn terms() -> Terms {
    let term = |text: &str| text.to_owned();
    Terms {
        scope: term(
            "授权令牌所列产品、用途与用量 the products, purposes and quantities of the grant",
        ),
        processing: term("仅限授权场景，不留存原始数据 for the scenario only; no raw data is kept"),
        revenue_mode: term("按次分成 a share of each call"),
        revenue_method: term(
            "每次核验 0.10 元，数源单位四成 CNY 0.10 a verification, 40 % to the unit",
        ),
        security: term("等级保护三级 classified protection, level 3"),
        disposal: term("期限届满后销毁 destroyed at the end of the term"),
        breach: term("终止授权并赔偿 termination and damages"),
    }
}

/// What a licensee applies for who wants exactly this grant.
pub(crate) fn demand(grant: &Grant) -> Demand {
    let most = |count: fn(&lingqu_core::grant::NodeQuota) -> u64| {
        let counts = grant.quotas.iter().map(count);
        counts.max().unwrap_or(0).max(1)
    };
    Demand {
        scenario: grant.scenario.clone(),
        purposes: grant.purposes.clone(),
        environments: grant.environments.clone(),
        products: grant
            .products
            .iter()
            .map(|product| product.reference.clone())
            .collect(),
        end_users: grant.end_users.clone(),
        delegates: grant.delegates.clone(),
        calls_per_day: most(|quota| quota.calls_per_day),
        calls_total: most(|quota| quota.calls_total),
        personal_data: false,
        non_public_inputs: Vec::new(),
        design: Intl::digest(&[b"design document of the demo"]),
    }
}

/// Who of the cast it is.
pub(crate) fn member(id: &PartyId) -> Result<Party, NetworkFailed> {
    Party::ALL
        .into_iter()
        .find(|party| party.id() == *id)
        .ok_or("it is nobody of the cast")
        .during("finding a party")
}

/// What the agency proposes.
pub(crate) struct Proposal<'a> {
    pub(crate) terms: Terms,
    pub(crate) term: (Timestamp, Timestamp),
    pub(crate) grant: Option<&'a Grant>,
}

impl Network {
    /// The agency proposes an agreement in a case: what the case then is, or why the coordinator refuses.
    pub(crate) async fn propose_agreement(
        &self,
        seen: &CaseSeen,
        proposal: Proposal<'_>,
    ) -> Result<Result<CaseSeen, WorkflowFailed>, NetworkFailed> {
        let Proposal { terms, term, grant } = proposal;
        match self.propose(seen, terms, term, grant).await {
            Ok(seen) => Ok(Ok(seen)),
            Err(Stopped::Network(failed)) => Err(failed),
            Err(Stopped::Workflow(failed)) => Ok(Err(failed)),
        }
    }
}

/// Why the path ended early.
enum Stopped {
    Network(NetworkFailed),
    Workflow(WorkflowFailed),
}

impl From<NetworkFailed> for Stopped {
    fn from(failed: NetworkFailed) -> Self {
        Stopped::Network(failed)
    }
}

impl From<WorkflowFailed> for Stopped {
    fn from(failed: WorkflowFailed) -> Self {
        Stopped::Workflow(failed)
    }
}

/// A refusal is a result; everything else is a failure of the network.
fn settled<T>(walked: Result<T, Stopped>) -> Result<Result<T, ErrorCode>, NetworkFailed> {
    match walked {
        Ok(done) => Ok(Ok(done)),
        Err(Stopped::Network(failed)) => Err(failed),
        Err(Stopped::Workflow(failed)) => match failed.code() {
            Some(code) => Ok(Err(code)),
            None => Err(failed).during("authorising"),
        },
    }
}
