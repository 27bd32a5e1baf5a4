//! `lingqu.v1.Workflow`.

use lingqu_core::case::State;
use lingqu_core::envelope::Envelope;
use lingqu_core::{CaseId, Region, Timestamp};
use lingqu_proto::pb::workflow_server::Workflow;
use lingqu_proto::{decode_envelope, envelope_to_pb, grant_kind_to_pb, pb, stance_to_pb};
use tonic::{Request, Response, Status};

use super::grpc::{Services, malformed, party, status};
use super::registry::{envelope, optional};
use crate::store::cases::CaseRow;
use crate::store::objects::Object;
use crate::workflow::view::{CaseShown, Shown, Wanted};

#[tonic::async_trait]
impl Workflow for Services {
    async fn apply(
        &self,
        request: Request<pb::ApplyRequest>,
    ) -> Result<Response<pb::ApplyResponse>, Status> {
        let caller = party(&request)?;
        let application = envelope(request.into_inner().application, "application")?;
        let registry = self.registry.clone();
        let shown = self
            .finish(async move { registry.apply(&caller, application).await })
            .await?;
        let view = Some(view(shown));
        Ok(Response::new(pb::ApplyResponse { view }))
    }

    async fn act(
        &self,
        request: Request<pb::ActRequest>,
    ) -> Result<Response<pb::ActResponse>, Status> {
        let caller = party(&request)?;
        let act = envelope(request.into_inner().act, "act")?;
        let registry = self.registry.clone();
        let shown = self
            .finish(async move { registry.act_on_case(&caller, act).await })
            .await?;
        let view = Some(view(shown));
        Ok(Response::new(pb::ActResponse { view }))
    }

    async fn opine(
        &self,
        request: Request<pb::OpineRequest>,
    ) -> Result<Response<pb::OpineResponse>, Status> {
        let caller = party(&request)?;
        let opinion = envelope(request.into_inner().opinion, "opinion")?;
        let registry = self.registry.clone();
        let shown = self
            .finish(async move { registry.opine(&caller, opinion).await })
            .await?;
        let view = Some(view(shown));
        Ok(Response::new(pb::OpineResponse { view }))
    }

    async fn propose(
        &self,
        request: Request<pb::ProposeRequest>,
    ) -> Result<Response<pb::ProposeResponse>, Status> {
        let caller = party(&request)?;
        let request = request.into_inner();
        let agreement = envelope(request.agreement, "agreement")?;
        let grant = optional(request.grant)?;
        let registry = self.registry.clone();
        let shown = self
            .finish(async move { registry.propose(&caller, agreement, grant).await })
            .await?;
        let view = Some(view(shown));
        Ok(Response::new(pb::ProposeResponse { view }))
    }

    async fn sign(
        &self,
        request: Request<pb::SignRequest>,
    ) -> Result<Response<pb::SignResponse>, Status> {
        let caller = party(&request)?;
        let request = request.into_inner();
        let case: CaseId = request.case_id.parse().map_err(|_| malformed("case_id"))?;
        let agreement = optional(request.agreement)?;
        let grant = optional(request.grant)?;
        let registry = self.registry.clone();
        let shown = self
            .finish(async move { registry.sign_case(&caller, &case, agreement, grant).await })
            .await?;
        let view = Some(view(shown));
        Ok(Response::new(pb::SignResponse { view }))
    }

    async fn show(
        &self,
        request: Request<pb::ShowRequest>,
    ) -> Result<Response<pb::ShowResponse>, Status> {
        let caller = party(&request)?;
        let case = request.into_inner().case_id;
        let case: CaseId = case.parse().map_err(|_| malformed("case_id"))?;
        let shown = self.registry.show_case(&caller, &case).await;
        let view = Some(view(shown.map_err(status)?));
        Ok(Response::new(pb::ShowResponse { view }))
    }

    async fn list(
        &self,
        request: Request<pb::ListRequest>,
    ) -> Result<Response<pb::ListResponse>, Status> {
        let caller = party(&request)?;
        let request = request.into_inner();
        let wanted = Wanted {
            state: match request.state.as_str() {
                "" => None,
                word => Some(word.parse::<State>().map_err(|_| malformed("state"))?),
            },
            overdue_only: request.overdue_only,
            after: i64::try_from(request.after).map_err(|_| malformed("after"))?,
            count: request.count,
        };
        let listed = self.registry.list_cases(&caller, wanted).await;
        let (rows, now) = listed.map_err(status)?;
        let cases = rows.iter().map(|row| summary(row, now)).collect();
        Ok(Response::new(pb::ListResponse { cases }))
    }
}

fn summary(row: &CaseRow, now: Timestamp) -> pb::CaseSummary {
    let state = row.state_at(now);
    pb::CaseSummary {
        place: u64::try_from(row.place).unwrap_or(0),
        case_id: row.id.to_string(),
        kind: grant_kind_to_pb(row.kind).into(),
        state: state.as_str().to_owned(),
        applicant: row.applicant.to_string(),
        agency: row.agency.to_string(),
        region: row.region.to_string(),
        accepted_us: row.accepted.0,
        due_us: row.due.0,
        overdue: state.is_timed() && now >= row.due,
        grant: row
            .grant
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn view(shown: CaseShown) -> pb::CaseView {
    let case = &shown.case;
    let current = case.proposed.as_ref().or(case.filed.as_ref());
    let (number, agreement_filing) = filing(shown.agreement.as_ref());
    let (grant_number, grant_filing) = filing(shown.grant.as_ref());
    let granted = current.and_then(|current| current.grant.as_ref());
    pb::CaseView {
        summary: Some(summary(&case.row, shown.now)),
        standing: shown.standing.unwrap_or_default().to_owned(),
        missing_materials: shown.missing.clone(),
        organiser_region: text(shown.organiser_region.as_ref().map(Region::as_str)),
        organiser: shown
            .organiser
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        reviewers: reviewers(&shown),
        signers: signers(&shown),
        history: shown.history.iter().map(entry).collect(),
        application: Some(envelope_to_pb(&case.application_envelope)),
        notice: case.notice.as_ref().map(envelope_to_pb),
        agreement: current.map(|current| envelope_to_pb(&current.envelope)),
        grant: granted.map(|(_, envelope)| envelope_to_pb(envelope)),
        number,
        agreement_filing,
        grant_number,
        grant_filing,
        credential: shown.credential.as_ref().map(envelope_to_pb),
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn reviewers(shown: &CaseShown) -> Vec<pb::ReviewerView> {
    let reviewers = shown.case.reviewers.iter();
    let reviewers = reviewers.map(|(party, said)| pb::ReviewerView {
        party: party.to_string(),
        stance: said
            .as_ref()
            .map_or(pb::Stance::Unspecified, |(stance, _)| stance_to_pb(*stance))
            .into(),
        opinion: said.as_ref().map(|(_, opinion)| envelope_to_pb(opinion)),
    });
    reviewers.collect()
}

fn signers(shown: &CaseShown) -> Vec<pb::SignerView> {
    let case = &shown.case;
    let Some(current) = case.proposed.as_ref().or(case.filed.as_ref()) else {
        return Vec::new();
    };
    let signers = current.signers().map(|party| {
        let ((agreement_needed, grant_needed), (agreement_signed, grant_signed)) =
            (current.needs(party), current.has(party));
        pb::SignerView {
            party: party.to_string(),
            agreement_needed,
            agreement_signed,
            grant_needed,
            grant_signed,
        }
    });
    signers.collect()
}

fn entry(shown: &Shown) -> pb::HistoryEntry {
    pb::HistoryEntry {
        action: shown.action.to_owned(),
        actor: shown.actor.to_string(),
        at_us: shown.at.0,
        state: text(shown.state.map(State::as_str)),
        evidence: shown.evidence.0.to_vec(),
        object_digest: shown.object_digest.0.to_vec(),
    }
}

fn filing(object: Option<&Object>) -> (String, Option<pb::Envelope>) {
    let Some(object) = object else {
        return (String::new(), None);
    };
    let filing: Option<Envelope> = decode_envelope(&object.filing).ok();
    (object.number.clone(), filing.as_ref().map(envelope_to_pb))
}
