//! A case as JSON: part of the stable surface of `--json`.

use lingqu_client::workflow::{CaseListed, CaseSeen};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::GrantKind;
use serde_json::{Value, json};

/// One line of a list.
pub(super) fn of_listed(case: &CaseListed) -> Value {
    json!({
        "case": case.id.as_str(),
        "kind": kind(case.kind),
        "state": case.state.as_str(),
        "applicant": case.applicant.as_str(),
        "agency": case.agency.as_str(),
        "region": case.region.as_str(),
        "accepted": case.accepted.to_string(),
        "due": case.due.to_string(),
        "overdue": case.overdue,
        "grant": case.grant.as_ref().map(|grant| grant.as_str()),
        "place": case.place,
    })
}

/// A whole case, without its documents: their digests name them.
pub(super) fn of(case: &CaseSeen) -> Value {
    let mut value = of_listed(&case.listed);
    let digest =
        |envelope: &Option<Envelope>| envelope.as_ref().map(|one| one.digest().to_string());
    let reviewers = case.reviewers.iter().map(|reviewer| {
        json!({
            "party": reviewer.party.as_str(),
            "stance": reviewer.stance.map(|stance| stance.as_str()),
        })
    });
    let signers = case.signers.iter().map(|signer| {
        json!({
            "party": signer.party.as_str(),
            "agreement": signer.agreement_needed.then_some(signer.agreement_signed),
            "grant": signer.grant_needed.then_some(signer.grant_signed),
        })
    });
    let history = case.history.iter().map(|act| {
        json!({
            "action": act.action,
            "actor": act.actor.as_str(),
            "at": act.at.to_string(),
            "state": act.state.map(|state| state.as_str()),
            "evidence": act.evidence.to_string(),
            "object": act.object_digest.to_string(),
        })
    });
    let more = json!({
        "standing": case.standing,
        "missing_materials": case.missing_materials,
        "organiser_region": case.organiser_region.as_ref().map(|region| region.as_str()),
        "organiser": case.organiser.as_ref().map(|party| party.as_str()),
        "reviewers": reviewers.collect::<Vec<_>>(),
        "signers": signers.collect::<Vec<_>>(),
        "number": case.number,
        "grant_number": case.grant_number,
        "application_digest": case.application.digest().to_string(),
        "agreement_digest": digest(&case.agreement),
        "grant_digest": digest(&case.grant),
        "history": history.collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

fn kind(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Catalog => "catalog",
        GrantKind::Scenario => "scenario",
    }
}
