use lingqu_core::ErrorCode;
use lingqu_core::grant::Filing;
use lingqu_core::product::Definition;
use lingqu_tlog::Signer;

use super::super::testbed::*;
use super::*;
use crate::mirror::testbed::keys;

fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> ErrorCode {
    outcome.unwrap_err().code
}

async fn ready() -> (Net, std::sync::Arc<Registry>) {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    (net, registry)
}

#[tokio::test]
async fn what_is_properly_signed_is_filed_once_and_under_one_number() {
    let (net, registry) = ready().await;
    file_product(&registry).await;
    let grant = grant(&net.clock);
    let filed = file_grant(&registry, &grant).await.unwrap();
    assert_eq!(filed.number, "2026-000004");
    assert_eq!(
        filed.filing.signed_by(keys().signing.public_key()),
        SignedBy::Yes
    );
    let filing: Filing = open(&filed.filing).unwrap();
    assert_eq!(
        (filing.number, filing.object_digest),
        (filed.number.clone(), digest_of(&grant))
    );
    // The same bytes again, later and after a restart.
    net.clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(file_grant(&registry, &grant).await, Ok(filed.clone()));
    close(registry).await;
    let registry = net.open().await;
    assert_eq!(file_grant(&registry, &grant).await, Ok(filed));
    // Other bytes under the same id and version.
    let mut other = grant.clone();
    other.quotas[0].calls_total += 1;
    assert_eq!(
        code(file_grant(&registry, &other).await),
        ErrorCode::ObjectConflict
    );
    other.version = 2;
    assert_eq!(
        file_grant(&registry, &other).await.unwrap().number,
        "2026-000005"
    );
}

#[tokio::test]
async fn a_grant_needs_every_signature() {
    let (net, registry) = ready().await;
    file_product(&registry).await;
    let grant = grant(&net.clock);
    let agency = party(AGENCY);
    for (missing, expected) in [
        (AGENCY, ErrorCode::GrantUnsignedByAgency),
        ("party_bank", ErrorCode::GrantUnsignedByLicensee),
        ("party_unit", ErrorCode::GrantUnsignedByUnit),
    ] {
        let present: Vec<&str> = GRANTORS
            .into_iter()
            .filter(|signer| *signer != missing)
            .collect();
        let outcome = registry.file(&agency, sealed(&grant, &present)).await;
        assert_eq!(code(outcome), expected, "without {missing}");
        // A stranger's signature under the name of who is missing.
        let mut forged = sealed(&grant, &present);
        forged.sign(missing, &key("party_stranger"));
        assert_eq!(
            code(registry.file(&agency, forged).await),
            expected,
            "forged {missing}"
        );
        // A signature with the right key over other bytes.
        let mut altered = sealed(&grant, &present);
        let mut other = grant.clone();
        other.quotas[0].calls_total = 1_000_000;
        altered
            .signatures
            .extend(sealed(&other, &[missing]).signatures);
        assert_eq!(
            code(registry.file(&agency, altered).await),
            ErrorCode::GrantAltered,
            "altered {missing}"
        );
    }
    let mut one_byte = sealed(&grant, &GRANTORS);
    let last = one_byte.payload.len() - 1;
    one_byte.payload[last] ^= 1;
    let refused = code(registry.file(&agency, one_byte).await);
    assert!(
        matches!(refused, ErrorCode::GrantAltered | ErrorCode::ObjectInvalid),
        "{refused}"
    );
    // Nothing of all this was filed.
    assert_eq!(
        file_grant(&registry, &grant).await.unwrap().number,
        "2026-000004"
    );
}

#[tokio::test]
async fn a_grant_that_contradicts_the_registry_is_refused() {
    let (net, registry) = ready().await;
    file_product(&registry).await;
    let day = 86_400_000_000;
    type Change = (&'static str, fn(&mut Grant), ErrorCode);
    let changes: [Change; 12] = [
        (
            "term",
            |grant| grant.not_after.0 += 6 * 366 * 86_400_000_000,
            ErrorCode::TermTooLong,
        ),
        (
            "agency",
            |grant| grant.agency = party("party_agency2"),
            ErrorCode::CallerRoleForbidden,
        ),
        (
            "licensee",
            |grant| grant.licensee = party("party_nobody"),
            ErrorCode::NotEnrolled,
        ),
        (
            "licensee's role",
            |grant| {
                grant.licensee = party("party_other");
                grant.licensee_key = key("party_other").public_key().to_vec();
            },
            ErrorCode::ObjectInvalid,
        ),
        (
            "kind",
            |grant| grant.kind = GrantKind::Catalog,
            ErrorCode::ObjectInvalid,
        ),
        (
            "key",
            |grant| grant.licensee_key = key("party_x").public_key().to_vec(),
            ErrorCode::ObjectInvalid,
        ),
        (
            "digest",
            |grant| grant.products[0].digest.0[0] ^= 1,
            ErrorCode::ProductUnknown,
        ),
        (
            "version",
            |grant| grant.products[0].reference.version = 2,
            ErrorCode::ProductUnknown,
        ),
        (
            "node",
            |grant| grant.quotas[0].node = node("node_o"),
            ErrorCode::ObjectInvalid,
        ),
        (
            "unknown node",
            |grant| grant.quotas[0].node = node("node_x"),
            ErrorCode::NotEnrolled,
        ),
        (
            "quota",
            |grant| {
                grant.quotas[0].unit = party("party_other");
                grant.quotas[0].node = node("node_o");
            },
            ErrorCode::GrantUnsignedByUnit,
        ),
        (
            "purposes",
            |grant| grant.purposes.push("LOAN".to_owned()),
            ErrorCode::ObjectInvalid,
        ),
    ];
    for (what, change, expected) in changes {
        let mut grant = grant(&net.clock);
        change(&mut grant);
        assert_eq!(
            code(file_grant(&registry, &grant).await),
            expected,
            "{what}"
        );
    }
    // A unit that signs for its own node cannot stand in for the unit whose data is read.
    let mut elsewhere = grant(&net.clock);
    elsewhere.quotas[0].unit = party("party_other");
    elsewhere.quotas[0].node = node("node_o");
    let signed = sealed(&elsewhere, &[AGENCY, "party_bank", "party_other"]);
    assert_eq!(
        code(registry.file(&party(AGENCY), signed).await),
        ErrorCode::ObjectInvalid
    );
    // Handed in by another agency, or by the licensee.
    let good = sealed(&grant(&net.clock), &GRANTORS);
    for caller in ["party_agency2", "party_bank", "party_unit"] {
        let outcome = registry.file(&party(caller), good.clone()).await;
        assert_eq!(code(outcome), ErrorCode::CallerRoleForbidden, "{caller}");
    }
    let over = grant(&net.clock);
    net.clock
        .set(lingqu_core::Timestamp(over.not_after.0 + day));
    assert_eq!(
        code(file_grant(&registry, &over).await),
        ErrorCode::GrantExpired
    );
}

#[tokio::test]
async fn a_grant_needs_approved_products() {
    let (net, registry) = ready().await;
    let agency = party(AGENCY);
    let grant = grant(&net.clock);
    assert_eq!(
        code(file_grant(&registry, &grant).await),
        ErrorCode::ProductUnknown
    );
    registry
        .file(&agency, sealed(&product(), &[AGENCY]))
        .await
        .unwrap();
    assert_eq!(
        code(file_grant(&registry, &grant).await),
        ErrorCode::ProductNotApproved
    );
    registry
        .file(&party("party_unit"), sealed(&policy(), &["party_unit"]))
        .await
        .unwrap();
    registry
        .file(&party("party_unit"), sealed(&approval(), &["party_unit"]))
        .await
        .unwrap();
    assert!(file_grant(&registry, &grant).await.is_ok());
}

#[tokio::test]
async fn products_policies_and_approvals_need_their_own_signers() {
    let (_net, registry) = ready().await;
    let (unit, agency) = (party("party_unit"), party(AGENCY));
    // The product is for the operating agency alone.
    for (caller, signers, expected) in [
        ("party_unit", ["party_unit"], ErrorCode::CallerRoleForbidden),
        (AGENCY, ["party_agency2"], ErrorCode::ObjectSignatureInvalid),
        (AGENCY, ["party_unit"], ErrorCode::ObjectSignatureInvalid),
    ] {
        let outcome = registry
            .file(&party(caller), sealed(&product(), &signers))
            .await;
        assert_eq!(code(outcome), expected, "{caller} {signers:?}");
    }
    let mut elsewhere = product();
    elsewhere.node = node("node_o");
    assert_eq!(
        code(registry.file(&agency, sealed(&elsewhere, &[AGENCY])).await),
        ErrorCode::ObjectInvalid
    );
    // The policy is for its unit alone.
    for (caller, signer, expected) in [
        ("party_other", "party_other", ErrorCode::CallerRoleForbidden),
        (AGENCY, "party_unit", ErrorCode::CallerRoleForbidden),
        ("party_unit", AGENCY, ErrorCode::ObjectSignatureInvalid),
    ] {
        let outcome = registry
            .file(&party(caller), sealed(&policy(), &[signer]))
            .await;
        assert_eq!(code(outcome), expected, "{caller} {signer}");
    }
    // An approval without its product or its policy approves nothing.
    let approved = || sealed(&approval(), &["party_unit"]);
    assert_eq!(
        code(registry.file(&unit, approved()).await),
        ErrorCode::ProductUnknown
    );
    registry
        .file(&agency, sealed(&product(), &[AGENCY]))
        .await
        .unwrap();
    assert_eq!(
        code(registry.file(&unit, approved()).await),
        ErrorCode::ObjectInvalid
    );
    registry
        .file(&unit, sealed(&policy(), &["party_unit"]))
        .await
        .unwrap();
    let mut foreign = approval();
    foreign.unit = party("party_other");
    foreign.node = node("node_o");
    let outcome = registry
        .file(&party("party_other"), sealed(&foreign, &["party_other"]))
        .await;
    assert_eq!(code(outcome), ErrorCode::ObjectInvalid);
    registry.file(&unit, approved()).await.unwrap();
    // What the policy does not open cannot be approved.
    let mut greedy = product();
    greedy.reference.version = 2;
    let Definition::Verification(verification) = &mut greedy.definition else {
        unreachable!()
    };
    verification.compared[0].column = "income".to_owned();
    registry
        .file(&agency, sealed(&greedy, &[AGENCY]))
        .await
        .unwrap();
    let mut approves = approval();
    approves.product = greedy.reference.clone();
    approves.product_digest = digest_of(&greedy);
    assert_eq!(
        code(
            registry
                .file(&unit, sealed(&approves, &["party_unit"]))
                .await
        ),
        ErrorCode::ObjectInvalid
    );
    // Neither an unknown type nor a type under another's name.
    let mut unknown = sealed(&policy(), &["party_unit"]);
    unknown.payload_type = "lingqu.v1.Epoch".to_owned();
    assert_eq!(
        code(registry.file(&unit, unknown).await),
        ErrorCode::ObjectInvalid
    );
}

#[tokio::test]
async fn what_is_revoked_is_not_filed_any_more() {
    let (net, registry) = ready().await;
    file_product(&registry).await;
    for (target, expected) in [
        ("party_bank", ErrorCode::CallerRevoked),
        ("unit.person@1", ErrorCode::ProductRevoked),
    ] {
        let request = revocation(AGENCY, target, &net.clock);
        registry.revoke(&party(AGENCY), request).await.unwrap();
        let refused = code(file_grant(&registry, &grant(&net.clock)).await);
        assert!(
            [expected, ErrorCode::CallerRevoked].contains(&refused),
            "{target}: {refused}"
        );
    }
}
