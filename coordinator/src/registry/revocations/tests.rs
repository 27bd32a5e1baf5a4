use lingqu_core::ErrorCode;

use super::super::testbed::*;
use super::*;
use crate::mirror::testbed::keys;

async fn ready() -> (Net, Arc<Registry>) {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    file_product(&registry).await;
    file_grant(&registry, &grant(&net.clock)).await.unwrap();
    (net, registry)
}

#[tokio::test]
async fn a_revocation_is_in_the_next_epoch_at_once() {
    let (net, registry) = ready().await;
    let mut watching = registry.epoch.subscribe();
    let before = registry.current_epoch();
    let number = registry
        .revoke(&party(AGENCY), revocation(AGENCY, "grant_1", &net.clock))
        .await
        .unwrap();
    assert!(watching.has_changed().unwrap());
    let after = watching.borrow_and_update().clone();
    assert_eq!(
        (number, after.number),
        (before.number + 1, before.number + 1)
    );
    assert_eq!(
        after.envelope.signed_by(keys().signing.public_key()),
        SignedBy::Yes
    );
    let epoch: Epoch = open(&after.envelope).unwrap();
    assert!(epoch.revokes_grant(&"grant_1".parse().unwrap()));
    assert_eq!(
        epoch.valid_until,
        epoch.issued.plus(Duration::from_secs(3_600))
    );
    // Revoked is revoked: the same again changes nothing.
    let again = registry
        .revoke(&party(AGENCY), revocation(AGENCY, "grant_1", &net.clock))
        .await;
    assert_eq!(
        (again, watching.has_changed().unwrap()),
        (Ok(number), false)
    );
}

#[tokio::test]
async fn strangers_revoke_nothing() {
    let (net, registry) = ready().await;
    let before = registry.current_epoch();
    let file = |caller: &str, envelope: Envelope| {
        let (registry, caller) = (Arc::clone(&registry), party(caller));
        async move { registry.revoke(&caller, envelope).await.unwrap_err().code }
    };
    let by = |by: &str, target: &str| revocation(by, target, &net.clock);
    for (who, target) in [
        ("party_other", "grant_1"),
        ("party_other", "unit.person@1"),
        ("party_unit", "unit.person@2"),
        ("party_unit", "grant_unknown"),
        ("party_unit", "party_bank"),
        ("party_bank", "grant_1"),
        ("party_office", "grant_1"),
    ] {
        assert_eq!(
            file(who, by(who, target)).await,
            ErrorCode::RevocationForbidden,
            "{who} {target}"
        );
    }
    // Somebody else's request, and a request that its author did not sign.
    assert_eq!(
        file("party_other", by(AGENCY, "grant_1")).await,
        ErrorCode::RevocationForbidden
    );
    let mut forged = by(AGENCY, "grant_1");
    forged.signatures = by("party_other", "grant_1").signatures;
    assert_eq!(
        file(AGENCY, forged).await,
        ErrorCode::ObjectSignatureInvalid
    );
    let mut altered = by(AGENCY, "grant_2");
    altered.signatures = by(AGENCY, "grant_1").signatures;
    assert_eq!(
        file(AGENCY, altered).await,
        ErrorCode::ObjectSignatureInvalid
    );
    assert_eq!(registry.current_epoch(), before);
}

#[tokio::test]
async fn a_unit_revokes_what_is_its_own() {
    let (net, registry) = ready().await;
    for target in ["grant_1", "unit.person@1"] {
        let request = revocation("party_unit", target, &net.clock);
        registry
            .revoke(&party("party_unit"), request)
            .await
            .unwrap();
    }
    assert_eq!(registry.current_epoch().revoked.len(), 2);
}

#[tokio::test]
async fn a_renewal_keeps_the_number_and_never_goes_back_in_time() {
    let (net, registry) = ready().await;
    let before = registry.current_epoch();
    net.clock.advance(Duration::from_secs(20));
    registry.renew_epoch().await;
    let renewed = registry.current_epoch();
    assert_eq!(
        (renewed.number, &renewed.revoked),
        (before.number, &before.revoked)
    );
    assert!(renewed.issued > before.issued);
    net.clock.set(lingqu_core::Timestamp(before.issued.0 - 1));
    registry.renew_epoch().await;
    assert_eq!(registry.current_epoch().issued, renewed.issued);
}

/// One number, one set: also for a coordinator that dies wherever it can between deciding and telling.
#[tokio::test]
async fn a_number_never_stands_for_two_sets() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    let mut sets = std::collections::BTreeMap::new();
    let mut see = |epoch: &CurrentEpoch| {
        let known = sets
            .entry(epoch.number)
            .or_insert_with(|| epoch.revoked.clone());
        assert_eq!(*known, epoch.revoked, "epoch {}", epoch.number);
    };
    see(&registry.current_epoch());
    close(registry).await;
    for round in 0..6 {
        let registry = net.open().await;
        see(&registry.current_epoch());
        let target = format!("grant_{round}");
        if round % 2 == 0 {
            registry
                .revoke(&party(AGENCY), revocation(AGENCY, &target, &net.clock))
                .await
                .unwrap();
        } else {
            // The log is gone: the act is stored and cannot be logged, so it is not answered and not pushed.
            registry.mirror.close();
            let before = registry.current_epoch();
            let request = revocation(AGENCY, &target, &net.clock);
            let refused = registry.revoke(&party(AGENCY), request).await.unwrap_err();
            assert_eq!(refused.code, ErrorCode::AuditUnavailable);
            assert_eq!(registry.current_epoch(), before);
        }
        see(&registry.current_epoch());
        close(registry).await;
    }
    see(&net.open().await.current_epoch());
    assert_eq!(
        sets.keys().copied().collect::<Vec<u64>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
}
