//! Grants of others: whatever has become of one, who is no party to it is answered as if there were none. The record has
//! the reason, for the unit and for regulators.

use std::collections::BTreeSet;

use lingqu_core::stop::StopScope;
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_demo::cast::Party;
use tonic::Status;

use crate::network::{Caller, GRANT, World, call, denied, wire};

const DAY_S: i64 = 86_400;

/// Everything that a refusal tells: code, words and details.
async fn told(caller: &Caller, grant: &str) -> (tonic::Code, String, Vec<u8>) {
    let status: Status = caller
        .raw
        .clone()
        .verify(wire(&call(grant)))
        .await
        .expect_err("it is refused");
    let details = status.details().to_vec();
    (status.code(), status.message().to_owned(), details)
}

/// The bank's grants, each in another state; nobody else is a party to any of them.
async fn grants(world: &World) -> Vec<(&'static str, ErrorCode)> {
    let now = world.clock.now();
    let in_days = |days: i64| Timestamp::from_unix_s(now.unix_s() + days * DAY_S);
    let mut expired = world.grant("grant_expired");
    (expired.not_before, expired.not_after) = (in_days(-2), in_days(-1));
    let mut early = world.grant("grant_early");
    (early.not_before, early.not_after) = (in_days(1), in_days(2));
    for grant in [expired, early, world.grant("grant_revoked")] {
        world.push_filed(&world.sign(&grant)).await.unwrap();
    }
    for id in ["grant_stopped", "grant_suspended"] {
        let grant = world.grant(id);
        world.push_filed(&world.sign(&grant)).await.unwrap();
    }
    // Offered to the node and refused: unsigned by the unit, and never filed.
    let unsigned = world.sign_by(
        &world.grant("grant_unsigned"),
        &[Party::Agency, Party::Bank],
    );
    assert!(world.push_filed(&unsigned).await.is_err());
    let unfiled = world.sign(&world.grant("grant_unfiled"));
    assert!(world.push(&unfiled, None).await.is_err());

    let number = world.node().epoch().unwrap() + 1;
    let lists: (&[&str], &[&str]) = (&["grant_revoked"], &["grant_suspended"]);
    let epoch = world.epoch_with(number, lists, now);
    world.push_epoch(&epoch).await.unwrap();
    let stop = StopScope::Grant("grant_stopped".parse().unwrap());
    assert!(world.network.order(1, false, stop).await.unwrap());
    vec![
        ("grant_early", ErrorCode::GrantNotYetValid),
        ("grant_expired", ErrorCode::GrantExpired),
        ("grant_revoked", ErrorCode::GrantRevoked),
        ("grant_stopped", ErrorCode::Stopped),
        ("grant_suspended", ErrorCode::GrantSuspended),
        ("grant_unfiled", ErrorCode::GrantNotFiled),
        ("grant_unsigned", ErrorCode::GrantUnsignedByUnit),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_grant_is_answered_like_none() {
    let world = World::ready().await;
    let grants = grants(&world).await;
    let (bank, broker) = (
        world.caller(Party::Bank).await,
        world.caller(Party::Broker).await,
    );
    let none = told(&broker, "grant_never").await;
    assert!(none.1.starts_with(ErrorCode::GrantUnknown.as_str()));
    assert_eq!(told(&broker, GRANT).await, none, "a good one");
    let mut own = BTreeSet::new();
    for (grant, code) in &grants {
        assert_eq!(told(&broker, grant).await, none, "{grant}");
        // Whose it is gets the reason.
        let told = bank.told(&call(grant)).await;
        assert_eq!(told, code.as_str(), "{grant}");
        own.insert(told);
    }
    assert_eq!(own.len(), grants.len());
    let foreign = grants.len() as u64 + 1;
    // Counts of a minute are written when it is over, or when the node ends.
    let node = world.node().clone();
    drop((bank, broker));
    world.end().await;
    let records = crate::network::records(node.journal()).await;
    let recorded = |code| denied(&records, Party::Broker, code);
    assert_eq!(recorded(ErrorCode::GrantPartyMismatch), foreign);
    assert_eq!(recorded(ErrorCode::GrantUnknown), 1);
}

/// A product's version that only another party's grant names does not show in how a call under that grant is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_grant_does_not_choose_the_product() {
    let world = World::ready().await;
    let broker = world.caller(Party::Broker).await;
    let stop = StopScope::Product(lingqu_demo::objects::Which::Plane.reference());
    assert!(world.network.order(1, false, stop).await.unwrap());
    let none = told(&broker, "grant_never").await;
    assert_eq!(told(&broker, GRANT).await, none);
    world.end().await;
}
