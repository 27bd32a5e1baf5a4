//! What must not work: other people's signatures, other bytes, acts out of order, acts of those not concerned.

use std::sync::Arc;

use lingqu_core::application::Application;
use lingqu_core::case::{Action, Stance, State};
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Environment, GrantKind};
use lingqu_core::{CaseId, ErrorCode, Role, Timestamp};

use super::world::*;
use crate::registry::testbed::*;

/// the agency cannot be its own applicant, under any of its hats.
#[tokio::test]
async fn an_operating_agency_gets_nothing_for_itself() {
    let world = World::new().await;
    let both = crate::registry::codes::NewCode {
        roles: vec![Role::OperatingAgency, Role::ScenarioLicensee],
        ..new_party("party_both", Role::OperatingAgency, "4501")
    };
    enrol(&world.registry, both).await.unwrap();
    for (applicant, agency) in [
        (AGENCY, AGENCY),
        ("party_agency2", AGENCY),
        ("party_both", AGENCY),
        ("party_both", "party_both"),
    ] {
        let application = Application {
            applicant: party(applicant),
            agency: party(agency),
            ..world.application(GrantKind::Scenario)
        };
        let refused = world.apply(&application).await;
        assert_eq!(
            code(refused),
            ErrorCode::OperatorRedevelopmentForbidden,
            "{applicant}"
        );
    }
}

#[tokio::test]
async fn an_application_is_the_applicants_own_and_for_this_coordinator() {
    let world = World::new().await;
    let application = world.application(GrantKind::Scenario);
    let as_other = world
        .apply_as("party_broker", &application, "party_bank")
        .await;
    assert_eq!(code(as_other), ErrorCode::CaseActorForbidden);
    let forged = world
        .apply_as("party_bank", &application, "party_broker")
        .await;
    assert_eq!(code(forged), ErrorCode::ObjectSignatureInvalid);
    type Change = (fn(&mut Application), ErrorCode);
    let changes: [Change; 6] = [
        (
            |a| a.coordinator = "coord_other".parse().unwrap(),
            ErrorCode::ObjectInvalid,
        ),
        (|a| a.agency = party("party_unit"), ErrorCode::ObjectInvalid),
        (
            |a| a.agency = party("party_nobody"),
            ErrorCode::ObjectInvalid,
        ),
        (|a| a.submission = 2, ErrorCode::ObjectInvalid),
        (
            |a| (a.kind, a.demand) = (GrantKind::Catalog, None),
            ErrorCode::CallerRoleForbidden,
        ),
        (
            |a| a.demand.as_mut().unwrap().products[0].version = 2,
            ErrorCode::ProductUnknown,
        ),
    ];
    for (number, (change, expected)) in changes.into_iter().enumerate() {
        let mut wrong = application.clone();
        change(&mut wrong);
        assert_eq!(code(world.apply(&wrong).await), expected, "change {number}");
    }
    world.apply(&application).await.unwrap();
    // The same bytes again are the same submission; another under the same id is not.
    assert_eq!(world.apply(&application).await.unwrap().history.len(), 1);
    let mut other = application;
    other.summary.push('。');
    assert_eq!(
        code(world.apply(&other).await),
        ErrorCode::IllegalTransition
    );
}

/// Nobody does what is another's to do, and strangers are not even told that there is a case.
#[tokio::test]
async fn each_act_is_somebodys_own() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    for (by, action, expected) in [
        ("party_bank", Action::Accept, ErrorCode::CaseActorForbidden),
        (AGENCY, Action::Withdraw, ErrorCode::CaseActorForbidden),
        ("party_agency2", Action::Accept, ErrorCode::CaseUnknown),
        ("party_other", Action::Accept, ErrorCode::CaseUnknown),
    ] {
        assert_eq!(
            code(world.act(CASE, by, action).await),
            expected,
            "{by} {action}"
        );
    }
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    // A unit that is not concerned, the applicant, a regulator.
    for (by, expected) in [
        ("party_other", ErrorCode::CaseUnknown),
        ("party_bank", ErrorCode::CaseActorForbidden),
        ("party_office", ErrorCode::CaseActorForbidden),
    ] {
        let refused = world.opine(CASE, by, Stance::Agree).await;
        assert_eq!(code(refused), expected, "{by}");
    }
    // Somebody else's opinion, handed in by a reviewer, and one with a reviewer's name and another's key.
    let opinion = world.opinion(CASE, "party_unit", Stance::Agree).await;
    let foreign = sealed(&opinion, &["party_unit"]);
    let refused = world.registry.opine(&party(AGENCY), foreign).await;
    assert_eq!(code(refused), ErrorCode::CaseActorForbidden);
    let mut forged = bare(&opinion);
    forged.sign("party_unit", &key(AGENCY));
    let refused = world.registry.opine(&party("party_unit"), forged).await;
    assert_eq!(code(refused), ErrorCode::ObjectSignatureInvalid);
}

#[tokio::test]
async fn acts_out_of_order_are_illegal() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    for action in [Action::Pass, Action::File, Action::Terminate] {
        let refused = world.act(CASE, AGENCY, action).await;
        assert_eq!(code(refused), ErrorCode::IllegalTransition, "{action}");
    }
    assert_eq!(
        code(world.propose(CASE).await),
        ErrorCode::IllegalTransition
    );
    let early = world.opine(CASE, AGENCY, Stance::Agree).await;
    assert_eq!(code(early), ErrorCode::IllegalTransition);
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    // The applicant takes it back, and that is the end of it.
    world
        .act(CASE, "party_bank", Action::Withdraw)
        .await
        .unwrap();
    for action in [Action::Pass, Action::Reject] {
        let refused = world.act(CASE, AGENCY, action).await;
        assert_eq!(code(refused), ErrorCode::IllegalTransition, "{action}");
    }
}

/// An act on one submission says nothing about the next.
#[tokio::test]
async fn an_act_on_an_earlier_submission_is_not_replayed() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    let accept = sealed(
        &world.act_object(CASE, AGENCY, Action::Accept).await,
        &[AGENCY],
    );
    world.act(CASE, AGENCY, Action::Return).await.unwrap();
    let mut supplemented = world.application(GrantKind::Scenario);
    supplemented.submission = 2;
    world.apply(&supplemented).await.unwrap();
    let refused = world
        .registry
        .act_on_case(&party(AGENCY), accept.clone())
        .await;
    assert_eq!(code(refused), ErrorCode::ObjectInvalid);
    // Nor is an act on another case with the same application text.
    let mut other = world.application(GrantKind::Scenario);
    other.case = "case_2".parse().unwrap();
    world.apply(&other).await.unwrap();
    let accept = world.act_object(CASE, AGENCY, Action::Accept).await;
    let elsewhere = lingqu_core::case::CaseAct {
        case: "case_2".parse().unwrap(),
        ..accept
    };
    let refused = world
        .registry
        .act_on_case(&party(AGENCY), sealed(&elsewhere, &[AGENCY]))
        .await;
    assert_eq!(code(refused), ErrorCode::ObjectInvalid);
}

/// what an agreement must have, and what a grant must not.
#[tokio::test]
async fn a_proposal_keeps_to_its_terms_and_to_what_was_reviewed() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
    world
        .opine(CASE, "party_unit", Stance::Agree)
        .await
        .unwrap();
    let (agreement, grant) = world.proposal(CASE).await;
    let grant = grant.unwrap();

    let mut missing = agreement.clone();
    missing.terms.revenue_method = " ".to_owned();
    let refused = world
        .propose_these(&missing, Some(&grant))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code, refused.field),
        (
            ErrorCode::AgreementTermMissing,
            Some("revenue_method (收益计算方法)")
        )
    );
    let mut six_years = agreement.clone();
    six_years.not_after = Timestamp(six_years.not_before.0 + 6 * 366 * DAY_US);
    let refused = world.propose_these(&six_years, Some(&grant)).await;
    assert_eq!(code(refused), ErrorCode::TermTooLong);

    type Change = (&'static str, fn(&mut lingqu_core::grant::Grant));
    let wider: [Change; 6] = [
        ("purposes", |grant| {
            grant.purposes.push("MARKETING".to_owned())
        }),
        ("environments", |grant| {
            grant.environments.push(Environment::ProdDebug)
        }),
        ("quotas", |grant| grant.quotas[0].calls_per_day = 11),
        ("scenario", |grant| grant.scenario = "S2".to_owned()),
        ("delegates", |grant| {
            grant.delegates = vec![party("party_other")]
        }),
        ("not_after_us", |grant| grant.not_after.0 += 1),
    ];
    for (what, change) in wider {
        let (mut agreement, mut grant) = (agreement.clone(), grant.clone());
        change(&mut grant);
        agreement.grant = Some(digest_of(&grant));
        let refused = world
            .propose_these(&agreement, Some(&grant))
            .await
            .unwrap_err();
        let expected = (ErrorCode::GrantExceedsApplication, Some(what));
        assert_eq!((refused.code, refused.field), expected);
    }
    // Another grant than the agreement names, none at all, and one that another case has.
    let mut other = grant.clone();
    other.quotas[0].calls_total = 1;
    let refused = world.propose_these(&agreement, Some(&other)).await;
    assert_eq!(code(refused), ErrorCode::ObjectInvalid);
    let refused = world.propose_these(&agreement, None).await;
    assert_eq!(code(refused), ErrorCode::ObjectInvalid);
    world.propose_these(&agreement, Some(&grant)).await.unwrap();
    // Once the agency has signed, not even the agency changes a byte.
    let mut changed = agreement.clone();
    changed.terms.scope.push('!');
    let refused = world.propose_these(&changed, Some(&grant)).await;
    assert_eq!(code(refused), ErrorCode::IllegalTransition);
}

/// A unit that a grant touches must have been asked, and two cases cannot share a grant's id.
#[tokio::test]
async fn a_grant_touches_no_unit_that_gave_no_opinion() {
    let world = World::new().await;
    world.signing().await;
    let mut second = world.application(GrantKind::Scenario);
    second.case = "case_2".parse().unwrap();
    world.apply(&second).await.unwrap();
    world.act("case_2", AGENCY, Action::Accept).await.unwrap();
    world.act("case_2", AGENCY, Action::Pass).await.unwrap();
    world.opine("case_2", AGENCY, Stance::Agree).await.unwrap();
    world
        .opine("case_2", "party_unit", Stance::Agree)
        .await
        .unwrap();
    let (mut agreement, grant) = world.proposal("case_2").await;
    let mut grant = grant.unwrap();
    let mut other = grant.quotas[0].clone();
    (other.unit, other.node) = (party("party_other"), node("node_o"));
    grant.quotas.push(other);
    agreement.grant = Some(digest_of(&grant));
    let refused = world.propose_these(&agreement, Some(&grant)).await;
    assert_eq!(code(refused), ErrorCode::GrantExceedsApplication);
    grant.quotas.pop();
    grant.id = "grant_1".parse().unwrap();
    agreement.grant = Some(digest_of(&grant));
    let refused = world.propose_these(&agreement, Some(&grant)).await;
    assert_eq!(code(refused), ErrorCode::ObjectConflict);
}

/// Signatures over other bytes, by others, twice, or half.
#[tokio::test]
async fn only_the_signers_sign_and_only_these_bytes() {
    let world = World::new().await;
    world.signing().await;
    let id: CaseId = CASE.parse().unwrap();
    let (agreement, grant) = world.proposed(CASE).await;
    let grant = grant.unwrap();
    let by = |envelope: &Envelope, name: &str, signer: &str| {
        let mut signed = envelope.clone();
        signed.sign(name, &key(signer));
        Some(signed)
    };
    let registry = &world.registry;
    let bank = party("party_bank");

    // A second licensee, a unit that is not concerned, the agency once more.
    enrol(
        registry,
        new_party("party_bank2", Role::ScenarioLicensee, "4501"),
    )
    .await
    .unwrap();
    for (who, expected) in [
        ("party_bank2", ErrorCode::CaseUnknown),
        ("party_other", ErrorCode::CaseUnknown),
        ("party_office", ErrorCode::CaseActorForbidden),
        (AGENCY, ErrorCode::IllegalTransition),
    ] {
        let (agreement, grant) = (by(&agreement, who, who), by(&grant, who, who));
        let refused = registry.sign_case(&party(who), &id, agreement, grant).await;
        assert_eq!(code(refused), expected, "{who}");
    }
    // Another's key under the licensee's name.
    let forged = (
        by(&agreement, "party_bank", "party_bank2"),
        by(&grant, "party_bank", "party_bank2"),
    );
    let refused = registry.sign_case(&bank, &id, forged.0, forged.1).await;
    assert_eq!(code(refused), ErrorCode::ObjectSignatureInvalid);
    // Other bytes than the agency signed, properly signed by the licensee.
    let (mut other, _) = world.proposal(CASE).await;
    other.terms.revenue_method = "每次 0.01 元".to_owned();
    let altered = sealed(&other, &["party_bank"]);
    let good = by(&grant, "party_bank", "party_bank");
    let refused = registry
        .sign_case(&bank, &id, Some(altered), good.clone())
        .await;
    assert_eq!(code(refused), ErrorCode::AgreementAltered);
    // The grant as an agreement, and the agreement as a grant.
    let swapped = registry
        .sign_case(
            &bank,
            &id,
            good.clone(),
            by(&agreement, "party_bank", "party_bank"),
        )
        .await;
    assert_eq!(code(swapped), ErrorCode::AgreementAltered);
    // Half of what the licensee is to sign, and more than the unit is to sign.
    let half = registry.sign_case(&bank, &id, None, good.clone()).await;
    assert_eq!(code(half), ErrorCode::RequestInvalid);
    let more = registry
        .sign_case(
            &party("party_unit"),
            &id,
            by(&agreement, "party_unit", "party_unit"),
            by(&grant, "party_unit", "party_unit"),
        )
        .await;
    assert_eq!(code(more), ErrorCode::RequestInvalid);
    // Nothing of all this was kept.
    let shown = world.show(CASE).await;
    let proposed = shown.case.proposed.as_ref().unwrap();
    assert_eq!(proposed.envelope.signatures.len(), 1);
    // Whatever else a signer sends along is not kept.
    let mut crowded = grant.clone();
    crowded.sign("party_unit", &key("party_other"));
    crowded.sign("party_unit", &key("party_unit"));
    crowded.sign("party_other", &key("party_other"));
    let unit = party("party_unit");
    let shown = registry
        .sign_case(&unit, &id, None, Some(crowded))
        .await
        .unwrap();
    let kept = &shown
        .case
        .proposed
        .as_ref()
        .unwrap()
        .grant
        .as_ref()
        .unwrap()
        .1;
    assert_eq!(kept.signatures.len(), 2, "the agency's and the unit's");
}

/// Two acts at once: one is taken, the other finds the state that the first left.
#[tokio::test]
async fn two_acts_race_and_one_wins() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    let accept = sealed(
        &world.act_object(CASE, AGENCY, Action::Accept).await,
        &[AGENCY],
    );
    let reject = sealed(
        &world.act_object(CASE, AGENCY, Action::Reject).await,
        &[AGENCY],
    );
    let withdraw = world.act_object(CASE, "party_bank", Action::Withdraw).await;
    let withdraw = sealed(&withdraw, &["party_bank"]);
    let send = |by: &str, act: Envelope| {
        let (registry, by) = (Arc::clone(&world.registry), party(by));
        tokio::spawn(async move { registry.act_on_case(&by, act).await.map(|_| ()) })
    };
    let sent = [
        send(AGENCY, accept),
        send(AGENCY, reject),
        send("party_bank", withdraw),
    ];
    let mut outcomes = Vec::new();
    for outcome in sent {
        outcomes.push(outcome.await.unwrap());
    }
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|refused| refused.code == ErrorCode::IllegalTransition)
    );
    let shown = world.show(CASE).await;
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(shown.history.len(), 1 + taken);
    // Rejecting or withdrawing after the acceptance is legal; the other way round is not.
    assert!((1..=2).contains(&taken), "{outcomes:?}");
}

/// The database edited by hand: what the signatures do not bear out is not opened, and files nothing.
#[tokio::test]
async fn a_case_edited_in_the_database_is_not_believed() {
    let edits = [
        "UPDATE cases SET state = 'AGREEMENT' WHERE id = 'case_1'",
        "UPDATE cases SET applicant = 'party_broker' WHERE id = 'case_1'",
        "UPDATE case_acts SET actor = 'party_unit' WHERE position = 1",
        "UPDATE case_acts SET reviewers = 'party_agency', evidence = zeroblob(32) WHERE position = 2",
        "UPDATE case_acts SET object = (SELECT object FROM case_acts WHERE position = 1) WHERE position = 3",
        "DELETE FROM case_acts WHERE position = 1",
        "DELETE FROM case_acts WHERE position = 3",
    ];
    for edit in edits {
        let world = World::new().await;
        world
            .apply(&world.application(GrantKind::Scenario))
            .await
            .unwrap();
        world.act(CASE, AGENCY, Action::Accept).await.unwrap();
        world.act(CASE, AGENCY, Action::Pass).await.unwrap();
        world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
        let mut tx = world.registry.store.begin().await.unwrap();
        sqlx::raw_sql(edit).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let id: CaseId = CASE.parse().unwrap();
        let refused = world.registry.show_case(&party(AGENCY), &id).await;
        assert_eq!(code(refused), ErrorCode::Internal, "{edit}");
    }
}

/// A reviewer dropped from the list by hand is no way around its signature: the grant still needs it.
#[tokio::test]
async fn a_reviewer_dropped_by_hand_still_has_to_sign() {
    let world = World::new().await;
    world
        .apply(&world.application(GrantKind::Scenario))
        .await
        .unwrap();
    world.act(CASE, AGENCY, Action::Accept).await.unwrap();
    world.act(CASE, AGENCY, Action::Pass).await.unwrap();
    let mut tx = world.registry.store.begin().await.unwrap();
    let edit = "UPDATE case_acts SET reviewers = 'party_agency' WHERE position = 2";
    sqlx::raw_sql(edit).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let shown = world.opine(CASE, AGENCY, Stance::Agree).await.unwrap();
    assert_eq!(shown.case.row.state, State::Agreement);
    let refused = world.propose(CASE).await;
    assert_eq!(code(refused), ErrorCode::GrantExceedsApplication);
}
