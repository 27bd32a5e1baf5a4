use lingqu_core::epoch::Epoch;
use lingqu_proto::seal;

use super::super::testbed::*;
use super::*;

async fn ready() -> (Net, Arc<Registry>) {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    file_product(&registry).await;
    file_grant(&registry, &grant(&net.clock)).await.unwrap();
    (net, registry)
}

fn suspension(by: &str, grant: &str, net: &Net) -> Suspension {
    use lingqu_core::Clock;
    Suspension {
        by: party(by),
        grant: grant.parse().unwrap(),
        reason: "整改".to_owned(),
        issued: net.clock.now(),
    }
}

fn lifting(by: &str, suspension: Hash, net: &Net) -> Lifting {
    use lingqu_core::Clock;
    Lifting {
        by: party(by),
        suspension,
        reason: "完成".to_owned(),
        issued: net.clock.now(),
    }
}

fn is_suspended(registry: &Registry) -> bool {
    let current = registry.current_epoch();
    let epoch: Epoch = open(&current.envelope).unwrap();
    let grant = "grant_1".parse().unwrap();
    assert_eq!(epoch.suspended, current.suspended);
    epoch.suspends(&grant)
}

/// Agency and unit suspend independently: the grant holds again only when both have lifted.
#[tokio::test]
async fn a_grant_is_suspended_while_any_suspension_stands() {
    let (net, mut registry) = ready().await;
    let mut lifted = Vec::new();
    for by in [AGENCY, "party_unit"] {
        let before = registry.current_epoch().number;
        let request = sealed(&suspension(by, "grant_1", &net), &[by]);
        let (number, digest) = registry.suspend(&party(by), request.clone()).await.unwrap();
        assert_eq!(number, before + 1);
        // The same request again changes nothing.
        assert_eq!(
            registry.suspend(&party(by), request).await,
            Ok((number, digest))
        );
        lifted.push((by, digest));
    }
    close(registry).await;
    registry = net.open().await;
    assert!(is_suspended(&registry), "also after a restart");
    for (by, digest) in lifted {
        assert!(is_suspended(&registry));
        let request = sealed(&lifting(by, digest, &net), &[by]);
        let before = registry.current_epoch().number;
        let number = registry.lift(&party(by), request.clone()).await.unwrap();
        assert_eq!(
            number,
            before + 1,
            "a list that shrinks has a number of its own"
        );
        assert_eq!(registry.lift(&party(by), request).await, Ok(number));
    }
    assert!(!is_suspended(&registry));
    close(registry).await;
    assert!(!is_suspended(&*net.open().await));
}

#[tokio::test]
async fn old_requests_do_nothing_to_later_ones() {
    let (net, registry) = ready().await;
    let agency = party(AGENCY);
    let first = sealed(&suspension(AGENCY, "grant_1", &net), &[AGENCY]);
    let (_, digest) = registry.suspend(&agency, first.clone()).await.unwrap();
    let old = sealed(&lifting(AGENCY, digest, &net), &[AGENCY]);
    registry.lift(&agency, old.clone()).await.unwrap();
    // A suspension that was lifted is not in force again because its bytes come again.
    let replayed = registry.suspend(&agency, first).await.unwrap_err();
    assert_eq!(replayed.code, ErrorCode::SuspensionUnknown);
    net.clock.advance(std::time::Duration::from_secs(1));
    let second = sealed(&suspension(AGENCY, "grant_1", &net), &[AGENCY]);
    registry.suspend(&agency, second).await.unwrap();
    // The old lifting answers as before, and lifts nothing.
    registry.lift(&agency, old).await.unwrap();
    assert!(is_suspended(&registry));
}

#[tokio::test]
async fn strangers_suspend_and_lift_nothing() {
    let (net, registry) = ready().await;
    let before = registry.current_epoch();
    for (by, grant, code) in [
        ("party_other", "grant_1", ErrorCode::SuspensionForbidden),
        ("party_bank", "grant_1", ErrorCode::SuspensionForbidden),
        ("party_office", "grant_1", ErrorCode::SuspensionForbidden),
        (AGENCY, "grant_unknown", ErrorCode::GrantUnknown),
        // Whoever may not suspend a grant does not find out whether there is one.
        (
            "party_bank",
            "grant_unknown",
            ErrorCode::SuspensionForbidden,
        ),
        (
            "party_other",
            "grant_unknown",
            ErrorCode::SuspensionForbidden,
        ),
    ] {
        let request = sealed(&suspension(by, grant, &net), &[by]);
        let refused = registry.suspend(&party(by), request).await.unwrap_err();
        assert_eq!(refused.code, code, "{by} {grant}");
    }
    let theirs = suspension(AGENCY, "grant_1", &net);
    let foreign = sealed(&theirs, &[AGENCY]);
    let refused = registry
        .suspend(&party("party_unit"), foreign)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::SuspensionForbidden);
    let mut forged = seal(&theirs);
    forged.sign(AGENCY, &key("party_unit"));
    let refused = registry.suspend(&party(AGENCY), forged).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ObjectSignatureInvalid);
    assert_eq!(registry.current_epoch(), before);

    // Only whoever suspended lifts: not the agency what the unit suspended, nor the other way round.
    let unit = sealed(&suspension("party_unit", "grant_1", &net), &["party_unit"]);
    let (_, digest) = registry.suspend(&party("party_unit"), unit).await.unwrap();
    let request = sealed(&lifting(AGENCY, digest, &net), &[AGENCY]);
    let refused = registry.lift(&party(AGENCY), request).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SuspensionForbidden);
    let unknown = sealed(&lifting(AGENCY, Hash([1; 32]), &net), &[AGENCY]);
    let refused = registry.lift(&party(AGENCY), unknown).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SuspensionUnknown);
    assert!(is_suspended(&registry));
}

#[tokio::test]
async fn what_is_revoked_is_not_suspended() {
    let (net, registry) = ready().await;
    let agency = party(AGENCY);
    let request = revocation(AGENCY, "grant_1", &net.clock);
    registry.revoke(&agency, request).await.unwrap();
    let request = sealed(&suspension(AGENCY, "grant_1", &net), &[AGENCY]);
    let refused = registry.suspend(&agency, request).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::GrantRevoked);
}
