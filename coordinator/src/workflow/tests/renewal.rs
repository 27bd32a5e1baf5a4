//! Renewal, suspension, revocation and termination of what is filed.

use lingqu_core::case::{Action, State};
use lingqu_core::epoch::{Lifting, Suspension};
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_tlog::Hash;

use super::world::*;
use crate::registry::testbed::*;

/// a renewal is a new version with every signature again, before the end of the old one.
#[tokio::test]
async fn a_filed_grant_is_renewed_before_its_end() {
    let world = World::new().await;
    let shown = world.filed().await;
    let ends = shown.case.filed.as_ref().unwrap().ends();
    world.net.clock.set(Timestamp(ends.0 - 10 * DAY_US));
    let shown = world.propose(CASE).await.unwrap();
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Renewing, Some("VALID"))
    );
    let early = world.act(CASE, AGENCY, Action::File).await;
    assert_eq!(code(early), ErrorCode::GrantUnsignedByLicensee);
    world.sign(CASE, "party_unit").await.unwrap();
    world.sign(CASE, "party_bank").await.unwrap();
    let shown = world.act(CASE, AGENCY, Action::File).await.unwrap();
    let filed = shown.case.filed.as_ref().unwrap();
    assert_eq!(filed.grant.as_ref().unwrap().0.version, 2);
    assert_eq!(filed.agreement.round, 2);
    assert!(filed.ends() > ends);
    assert_eq!(shown.agreement.unwrap().number, "2029-000001");
    world.net.clock.set(ends);
    assert_eq!(world.show(CASE).await.standing, Some("VALID"));
}

#[tokio::test]
async fn nothing_is_renewed_after_its_end() {
    let world = World::new().await;
    let shown = world.filed().await;
    let ends = shown.case.filed.as_ref().unwrap().ends();
    // Proposed and signed in time, filed too late.
    world.net.clock.set(Timestamp(ends.0 - 1));
    world.propose(CASE).await.unwrap();
    world.sign(CASE, "party_unit").await.unwrap();
    world.sign(CASE, "party_bank").await.unwrap();
    world.net.clock.set(ends);
    let late = world.act(CASE, AGENCY, Action::File).await;
    assert_eq!(code(late), ErrorCode::AlreadyExpired);
    // Given up, and proposed too late.
    world.act(CASE, AGENCY, Action::Reject).await.unwrap();
    assert_eq!(code(world.propose(CASE).await), ErrorCode::AlreadyExpired);
    assert_eq!(world.show(CASE).await.standing, Some("EXPIRED"));
}

/// A renewal that is given up leaves what was filed; its acts are not replayed in the next one.
#[tokio::test]
async fn a_renewal_that_is_given_up_changes_nothing() {
    let world = World::new().await;
    let first = world.filed().await;
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(86_400));
    world.propose(CASE).await.unwrap();
    let file = sealed(
        &world.act_object(CASE, AGENCY, Action::File).await,
        &[AGENCY],
    );
    world.act(CASE, AGENCY, Action::Reject).await.unwrap();
    let shown = world.show(CASE).await;
    assert_eq!(shown.case.row.state, State::Filed);
    assert_eq!(shown.case.filed, first.case.filed);
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(86_400));
    world.propose(CASE).await.unwrap();
    let replayed = world.registry.act_on_case(&party(AGENCY), file).await;
    assert_eq!(code(replayed), ErrorCode::ObjectInvalid);
}

#[tokio::test]
async fn a_renewal_is_longer_and_of_the_same_grant() {
    let world = World::new().await;
    let filed = world.filed().await.case.filed.unwrap();
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(86_400));
    let (agreement, grant) = world.proposal(CASE).await;
    let grant = grant.unwrap();
    type Change = fn(&mut lingqu_core::grant::Grant);
    let changes: [(&str, Change); 3] = [
        ("grant.version", |grant| grant.version = 3),
        ("grant.id", |grant| grant.id = "grant_new".parse().unwrap()),
        ("not_after_us", |grant| grant.not_after.0 -= DAY_US),
    ];
    for (field, change) in changes {
        let (mut agreement, mut grant) = (agreement.clone(), grant.clone());
        change(&mut grant);
        agreement.grant = Some(digest_of(&grant));
        let refused = world
            .propose_these(&agreement, Some(&grant))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code, refused.field),
            (ErrorCode::ObjectInvalid, Some(field))
        );
    }
    let mut unlinked = agreement.clone();
    unlinked.previous = Some(Hash([9; 32]));
    let refused = world.propose_these(&unlinked, Some(&grant)).await;
    assert_eq!(code(refused), ErrorCode::ObjectInvalid);
    assert_eq!(world.show(CASE).await.case.filed, Some(filed));
}

/// what happens to the grant is part of the case's history, and shows in its standing.
#[tokio::test]
async fn suspension_and_revocation_are_in_the_history() {
    let world = World::new().await;
    world.filed().await;
    let suspension = Suspension {
        by: party("party_unit"),
        grant: "grant_1".parse().unwrap(),
        reason: "整改".to_owned(),
        issued: world.now(),
    };
    let request = sealed(&suspension, &["party_unit"]);
    let unit = party("party_unit");
    let (_, digest) = world.registry.suspend(&unit, request).await.unwrap();
    assert_eq!(world.show(CASE).await.standing, Some("SUSPENDED"));
    world.net.clock.advance(std::time::Duration::from_secs(60));
    let lifting = Lifting {
        by: party("party_unit"),
        suspension: digest,
        reason: "整改完成".to_owned(),
        issued: world.now(),
    };
    let request = sealed(&lifting, &["party_unit"]);
    world.registry.lift(&unit, request).await.unwrap();
    assert_eq!(world.show(CASE).await.standing, Some("VALID"));
    world.net.clock.advance(std::time::Duration::from_secs(60));
    let request = revocation(AGENCY, "grant_1", &world.net.clock);
    world
        .registry
        .revoke(&party(AGENCY), request)
        .await
        .unwrap();
    let shown = world.show(CASE).await;
    assert_eq!(shown.standing, Some("REVOKED"));
    let last: Vec<&str> = shown
        .history
        .iter()
        .rev()
        .take(3)
        .map(|line| line.action)
        .collect();
    assert_eq!(last, ["REVOKE", "LIFT", "SUSPEND"]);
    // What is revoked is not renewed.
    let refused = world.propose(CASE).await;
    assert_eq!(code(refused), ErrorCode::GrantRevoked);
}

/// the agency ends a catalog authorisation; the credential's status says so online.
#[tokio::test]
async fn a_catalog_authorisation_is_renewed_and_terminated() {
    let world = World::new().await;
    let first = world.filed_catalog().await;
    world
        .net
        .clock
        .advance(std::time::Duration::from_secs(86_400));
    world.propose(CASE).await.unwrap();
    let renewed = world.sign(CASE, "party_broker").await.unwrap();
    assert_eq!(renewed.case.row.state, State::Filed);
    assert_ne!(
        renewed.credential, first.credential,
        "one credential for each agreement"
    );
    assert_eq!(
        code(world.act(CASE, AGENCY, Action::File).await),
        ErrorCode::IllegalTransition
    );
    let shown = world.act(CASE, AGENCY, Action::Terminate).await.unwrap();
    assert_eq!(
        (shown.case.row.state, shown.standing),
        (State::Terminated, Some("REVOKED"))
    );
    assert_eq!(
        code(world.propose(CASE).await),
        ErrorCode::IllegalTransition
    );
}
