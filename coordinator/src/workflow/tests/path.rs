//! The path as the regulations draw it: what each act leads to, and what is filed in the end.

use lingqu_core::case::{Action, Stance, State};
use lingqu_core::credential::{Credential, Validity};
use lingqu_core::envelope::SignedBy;
use lingqu_core::grant::{Filing, Grant, GrantKind};
use lingqu_core::product::ProductRef;
use lingqu_core::{ErrorCode, Role};
use lingqu_proto::{decode_envelope, open};
use lingqu_tlog::Signer;

use super::world::*;
use crate::mirror::testbed::keys;
use crate::registry::testbed::*;

/// apply, review, agree, sign, file; nothing is granted before it is filed.
#[tokio::test]
async fn a_scenario_goes_from_application_to_a_filed_grant() {
    let world = World::new().await;
    let shown = world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    assert_eq!(shown.case.row.state, State::Submitted);
    let shown = world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    assert_eq!(shown.case.row.state, State::InitialReview);
    let shown = world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    assert_eq!(shown.case.row.state, State::ComplianceReview);
    // No implementing agency is enrolled, so the operating agency stands in its place.
    let reviewers: Vec<_> = shown.case.reviewers.keys().cloned().collect();
    assert_eq!(reviewers, [party(AGENCY), party("party_unit")]);
    let shown = world
        .opine(CASE, "party_unit", Stance::Agree)
        .await
        .unwrap();
    assert_eq!(shown.case.row.state, State::ComplianceReview);
    let shown = world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
    assert_eq!(shown.case.row.state, State::Agreement);
    let shown = world.propose(CASE).await.unwrap();
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Signing, None)
    );

    // A signature is missing: nothing can be filed, by nobody.
    world.sign(CASE, "party_bank").await.unwrap();
    let early = world.act(CASE, AGENCY, Action::File).await;
    assert_eq!(code(early), ErrorCode::GrantUnsignedByUnit);
    world.sign(CASE, "party_unit").await.unwrap();
    let concerning = world
        .registry
        .store
        .objects_concerning("node_n", "party_unit", 0, 100);
    let before = concerning.await.unwrap().len();
    let shown = world.act(CASE, AGENCY, Action::File).await.unwrap();
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Filed, Some("VALID"))
    );

    // What the node is sent is the grant with three signatures and the coordinator's filing.
    let concerning = world
        .registry
        .store
        .objects_concerning("node_n", "party_unit", 0, 100);
    let sent = concerning.await.unwrap();
    assert_eq!(
        sent.len(),
        before + 1,
        "the agreement is nobody's but the parties'"
    );
    let (_, object) = sent.last().unwrap();
    let envelope = decode_envelope(&object.envelope).unwrap();
    let granted: Grant = open(&envelope).unwrap();
    for signer in GRANTORS {
        assert_eq!(
            envelope.signed_by(key(signer).public_key()),
            SignedBy::Yes,
            "{signer}"
        );
    }
    assert_eq!(envelope.signatures.len(), 3);
    let filing: Filing = open(&decode_envelope(&object.filing).unwrap()).unwrap();
    assert_eq!(
        (granted.id.as_str(), filing.object_digest),
        ("grant_1", envelope.digest())
    );
    let numbers = (shown.agreement.unwrap().number, shown.grant.unwrap().number);
    assert_eq!(
        numbers,
        ("2026-000004".to_owned(), "2026-000005".to_owned())
    );
}

/// Every act is in the own stream, by action, actor and evidence, before it is acknowledged.
#[tokio::test]
async fn every_act_is_on_record() {
    let world = World::new().await;
    let shown = world.filed().await;
    let mut recorded = Vec::new();
    let read = |record: lingqu_core::record::Record| {
        use lingqu_core::record::Field;
        let clear = &record.draft.clear;
        if clear.get_text(Field::Subject) == Some(CASE) {
            let text = |field| clear.get_text(field).unwrap_or_default().to_owned();
            let evidence = clear.get_bytes(Field::ObjectDigest).unwrap().to_vec();
            recorded.push((text(Field::Action), text(Field::Actor), evidence));
        }
    };
    world.registry.mirror.own_records(read).unwrap();
    let acts: Vec<_> = recorded
        .iter()
        .filter(|(action, ..)| action.starts_with("case_"))
        .collect();
    assert_eq!(acts.len(), shown.history.len());
    for (shown, (action, actor, evidence)) in shown.history.iter().zip(acts) {
        assert_eq!(
            *action,
            format!("case_{}", shown.action.to_ascii_lowercase())
        );
        assert_eq!(
            (actor.as_str(), evidence.as_slice()),
            (shown.actor.as_str(), &shown.evidence.0[..])
        );
    }
}

/// the second signature makes the credential, and it expires to the second.
#[tokio::test]
async fn a_catalog_case_ends_in_one_credential_with_six_fields() {
    let world = World::new().await;
    let shown = world.filed_catalog().await;
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Filed, Some("VALID"))
    );
    assert!(
        shown.grant.is_none(),
        "a catalog authorisation opens no node"
    );
    let envelope = shown.credential.unwrap();
    assert_eq!(
        envelope.signed_by(keys().signing.public_key()),
        SignedBy::Yes
    );
    let credential: Credential = open(&envelope).unwrap();
    assert_eq!(credential.number, shown.agreement.unwrap().number);
    assert_eq!(credential.holder_name, "某单位");
    assert_eq!(credential.scope, "目录与样例");
    assert_eq!(credential.issued_by, AGENCY);
    assert_eq!(credential.issued, world.now());
    let agreement = &shown.case.filed.as_ref().unwrap().agreement;
    assert_eq!(
        (credential.not_before, credential.not_after),
        (agreement.not_before, agreement.not_after)
    );
    let end = credential.not_after;
    world.net.clock.set(lingqu_core::Timestamp(end.0 - 1));
    assert_eq!(world.show(CASE).await.standing, Some("VALID"));
    assert_eq!(credential.validity(world.now()), Validity::Valid);
    world.net.clock.set(end);
    assert_eq!(world.show(CASE).await.standing, Some("EXPIRED"));
    assert_eq!(credential.validity(world.now()), Validity::Expired);
}

/// one notice, a supplement in time, and after its date the case has lapsed.
#[tokio::test]
async fn a_case_is_returned_once() {
    let world = World::new().await;
    let mut application = world.application(GrantKind::Catalog);
    let complete = std::mem::take(&mut application.materials);
    let shown = world.apply(&application).await.unwrap();
    assert_eq!(
        shown.missing.len(),
        complete.len(),
        "the case says what is missing"
    );
    let early = world.act(CASE, AGENCY, Action::Accept).await;
    assert_eq!(code(early), ErrorCode::MaterialMissing);
    let shown = world.act(CASE, AGENCY, Action::Return).await.unwrap();
    assert_eq!(shown.case.row.state, State::Returned);
    world.net.clock.advance(std::time::Duration::from_secs(1));
    let second = world.act(CASE, AGENCY, Action::Return).await;
    assert_eq!(code(second), ErrorCode::OneTimeNoticeAlreadyGiven);

    // Two days later the complete material comes in: the clock starts anew.
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(2 * 86_400));
    application.submission = 2;
    let wrong = world.apply(&application).await.unwrap();
    assert_eq!(
        wrong.case.row.state,
        State::Submitted,
        "the agency judges what is missing"
    );
    assert_eq!(wrong.case.row.accepted, world.now());
    let second = world.act(CASE, AGENCY, Action::Return).await;
    assert_eq!(code(second), ErrorCode::OneTimeNoticeAlreadyGiven);
    world.act(CASE, AGENCY, Action::Reject).await.unwrap();
    let over = world.act(CASE, AGENCY, Action::Accept).await;
    assert_eq!(code(over), ErrorCode::IllegalTransition);
}

#[tokio::test]
async fn what_is_not_supplemented_lapses() {
    let world = World::new().await;
    let mut application = world.application(GrantKind::Catalog);
    world.apply(&application).await.unwrap();
    world.act(CASE, AGENCY, Action::Return).await.unwrap();
    application.submission = 2;
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(5 * 86_400));
    assert_eq!(code(world.apply(&application).await), ErrorCode::CaseLapsed);
    let withdrawn = world.act(CASE, "party_broker", Action::Withdraw).await;
    assert_eq!(code(withdrawn), ErrorCode::CaseLapsed);
    let state = world.show(CASE).await.case.row.state_at(world.now());
    assert_eq!(state, State::Lapsed);
}

/// one DISAGREE and the case goes no further.
#[tokio::test]
async fn one_disagreement_blocks() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    world
        .opine(CASE, "party_unit", Stance::Disagree)
        .await
        .unwrap();
    let shown = world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
    assert_eq!(shown.case.row.state, State::ComplianceReview);
    assert_eq!(
        code(world.propose(CASE).await),
        ErrorCode::IllegalTransition
    );
    let again = world.opine(CASE, "party_unit", Stance::Agree).await;
    assert_eq!(code(again), ErrorCode::OpinionAlreadyGiven);
    let shown = world.act(CASE, AGENCY, Action::Reject).await.unwrap();
    assert_eq!(shown.case.row.state, State::Rejected);
}

/// The state comes from the stored acts: a restart after each of them changes nothing.
#[tokio::test]
async fn a_restart_after_each_act_loses_nothing() {
    let mut world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    world = world.restarted().await;
    world.act(CASE, AGENCY, Action::Return).await.unwrap();
    world = world.restarted().await;
    let mut application = world.application(GrantKind::Scenario);
    application.submission = 2;
    world.apply(&application).await.unwrap();
    world = world.restarted().await;
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    world = world.restarted().await;
    world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    world = world.restarted().await;
    world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
    world = world.restarted().await;
    world
        .opine(CASE, "party_unit", Stance::Agree)
        .await
        .unwrap();
    world = world.restarted().await;
    world.propose(CASE).await.unwrap();
    world = world.restarted().await;
    world.sign(CASE, "party_unit").await.unwrap();
    world = world.restarted().await;
    world.sign(CASE, "party_bank").await.unwrap();
    world = world.restarted().await;
    world.act(CASE, AGENCY, Action::File).await.unwrap();
    world = world.restarted().await;
    let shown = world.show(CASE).await;
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Filed, Some("VALID"))
    );
    assert_eq!(shown.history.len(), 11);
}

/// the organiser follows from where the units are.
#[tokio::test]
async fn the_organiser_is_the_bureau_of_the_region_that_covers_the_units() {
    let world = World::new().await;
    let shown = world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    // Both units lie in 4501, whose only regulator is the office.
    assert_eq!(shown.organiser_region.unwrap().as_str(), "4501");
    assert_eq!(shown.organiser, Some(party("party_office")));
    let catalog = world.application(GrantKind::Catalog);
    let catalog = lingqu_core::application::Application {
        case: "case_2".parse().unwrap(),
        ..catalog
    };
    let shown = world.apply(&catalog).await.unwrap();
    assert_eq!((shown.organiser_region, shown.organiser), (None, None));
}

/// what nobody decided shows as overdue, and is never approved by itself.
#[tokio::test]
async fn an_undecided_case_is_overdue_and_stays_where_it_is() {
    let world = World::new().await;
    let shown = world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    let due = shown.case.row.due;
    let overdue = |overdue_only| crate::workflow::view::Wanted {
        overdue_only,
        ..Default::default()
    };
    world.net.clock.set(lingqu_core::Timestamp(due.0 - 1));
    let listed = world
        .registry
        .list_cases(&party(AGENCY), overdue(true))
        .await
        .unwrap()
        .0;
    assert!(listed.is_empty());
    world.net.clock.set(due);
    let listed = world
        .registry
        .list_cases(&party(AGENCY), overdue(true))
        .await
        .unwrap()
        .0;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, State::Submitted);
    world.act(CASE, AGENCY, Action::Reject).await.unwrap();
    let listed = world
        .registry
        .list_cases(&party(AGENCY), overdue(true))
        .await
        .unwrap()
        .0;
    assert!(listed.is_empty(), "what is decided is not overdue");
}

/// units of two cities, and the superior's bureau organises; a table in the configuration overrules the rest.
#[tokio::test]
async fn units_of_two_cities_are_reviewed_under_their_superior() {
    let mut net = Net::new();
    net.config.workflow.bureaus = vec![crate::config::Bureau {
        region: crate::mirror::testbed::region("4503"),
        party: party("party_named"),
    }];
    let world = World::of(net).await;
    let registry = &world.registry;
    for new in [
        new_party("party_far", Role::DataSourceUnit, "4503"),
        new_party("party_superior", Role::Regulator, "45"),
        new_node("node_f", "party_far", "4503"),
    ] {
        enrol(registry, new).await.unwrap();
    }
    let mut far = product();
    far.reference.id = "far.person".parse().unwrap();
    (far.unit, far.node) = (party("party_far"), node("node_f"));
    registry
        .file(&party(AGENCY), sealed(&far, &[AGENCY]))
        .await
        .unwrap();
    let organised = async |case: &str, products: Vec<ProductRef>| {
        let mut application = world.application(GrantKind::Scenario);
        application.case = case.parse().unwrap();
        application.demand.as_mut().unwrap().products = products;
        let shown = world.apply(&application).await.unwrap();
        let region = shown.organiser_region.unwrap().to_string();
        (region, shown.organiser.map(|party| party.to_string()))
    };
    let both = vec![product().reference, far.reference.clone()];
    let superior = ("45".to_owned(), Some("party_superior".to_owned()));
    assert_eq!(organised("case_both", both).await, superior);
    let named = ("4503".to_owned(), Some("party_named".to_owned()));
    assert_eq!(organised("case_far", vec![far.reference]).await, named);
}

/// the implementing agency closest to the unit is asked, and then the operating agency is not.
#[tokio::test]
async fn the_closest_implementing_agency_gives_its_opinion() {
    let world = World::new().await;
    for (id, region) in [("party_impl", "4501"), ("party_above", "45")] {
        let new = new_party(id, Role::ImplementingAgency, region);
        enrol(&world.registry, new).await.unwrap();
    }
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    let shown = world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    let reviewers: Vec<_> = shown.case.reviewers.keys().cloned().collect();
    assert_eq!(reviewers, [party("party_impl"), party("party_unit")]);
    let refused = world.opine(CASE, AGENCY, Stance::Agree).await;
    assert_eq!(code(refused), ErrorCode::CaseActorForbidden);
    // Who enrols later is not asked in a review that has begun.
    let late = new_party("party_late", Role::ImplementingAgency, "4501");
    enrol(&world.registry, late).await.unwrap();
    world
        .opine(CASE, "party_impl", Stance::Agree)
        .await
        .unwrap();
    let shown = world
        .opine(CASE, "party_unit", Stance::Agree)
        .await
        .unwrap();
    assert_eq!(shown.case.row.state, State::Agreement);
}

/// Where the configuration says so, a grant that no case brought is not filed.
#[tokio::test]
async fn grants_can_be_bound_to_cases() {
    let mut net = Net::new();
    net.config.workflow.grants_need_case = true;
    let world = World::of(net).await;
    let refused = file_grant(&world.registry, &grant(&world.net.clock)).await;
    assert_eq!(code(refused), ErrorCode::IllegalTransition);
    assert_eq!(world.filed().await.standing, Some("VALID"));
}
