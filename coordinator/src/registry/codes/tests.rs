use lingqu_core::ErrorCode;
use lingqu_tlog::{Ed25519Signer, Signer};

use super::super::testbed::*;
use super::*;
use crate::mirror::testbed::{keys, region};

fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> ErrorCode {
    outcome.unwrap_err().code
}

#[tokio::test]
async fn newcomers_enrol_with_a_code_and_a_proof() {
    let net = Net::new();
    let registry = net.open().await;
    let unit = new_party("party_unit", Role::DataSourceUnit, "450102");
    assert_eq!(enrol(&registry, unit).await, Ok(None));
    let origin = enrol(&registry, new_node("node_n", "party_unit", "4501"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(origin, "coord.example/s/n/4501/2026h2");
    assert_eq!(
        registry.mirror.shared.stream(&origin).unwrap().owner,
        "node_n"
    );
    let party = registry.party(&"party_unit".parse().unwrap()).unwrap();
    assert_eq!(
        (party.roles, party.region),
        (vec![Role::DataSourceUnit], region("450102"))
    );
    // All of it is there after a restart.
    close(registry).await;
    let registry = net.open().await;
    assert_eq!(
        registry.node(&"node_n".parse().unwrap()).unwrap().origin,
        origin
    );
    assert!(registry.mirror.shared.stream(&origin).is_some());
}

/// Whoever lacks one thing gets nothing, and the code is left for the rightful newcomer.
#[tokio::test]
async fn attacks_on_enrolment_are_refused() {
    let net = Net::new();
    let registry = net.open().await;
    let new = new_party("party_a", Role::Verifier, "4501");
    let (text, _) = registry.issue_code(&party(AGENCY), new).await.unwrap();
    let own = key("party_a");
    let good = proof(&text, "party_a", "approval", &own);
    let mut small_order = good.clone();
    small_order.public_key = [vec![1], vec![0; 31]].concat();
    let mut other_signature = good.clone();
    other_signature.signature[0] ^= 1;
    let for_other_use = KeyProof {
        purpose: "approval".to_owned(),
        ..proof(&text, "party_a", "log", &own)
    };
    let for_other_id = proof(&text, "party_b", "approval", &own);
    let for_other_code = proof("0".repeat(40).as_str(), "party_a", "approval", &own);
    let agencys_key = proof(&text, "party_a", "approval", &key(AGENCY));
    let mirrors_key = proof(&text, "party_a", "approval", keys().mirror.as_ref());
    for (peer, text, keys, expected) in [
        (
            "party_b",
            text.as_str(),
            vec![good.clone()],
            ErrorCode::CodeInvalid,
        ),
        ("node_a", &text, vec![good.clone()], ErrorCode::CodeInvalid),
        (
            "party_a",
            "0123",
            vec![good.clone()],
            ErrorCode::CodeInvalid,
        ),
        (
            "party_a",
            &text.to_uppercase(),
            vec![good.clone()],
            ErrorCode::CodeInvalid,
        ),
        ("party_a", &text, vec![], ErrorCode::KeyProofInvalid),
        (
            "party_a",
            &text,
            vec![good.clone(), good.clone()],
            ErrorCode::KeyProofInvalid,
        ),
        (
            "party_a",
            &text,
            vec![proof(&text, "party_a", "log", &own)],
            ErrorCode::KeyProofInvalid,
        ),
        (
            "party_a",
            &text,
            vec![for_other_use],
            ErrorCode::KeyProofInvalid,
        ),
        (
            "party_a",
            &text,
            vec![for_other_id],
            ErrorCode::KeyProofInvalid,
        ),
        (
            "party_a",
            &text,
            vec![for_other_code],
            ErrorCode::KeyProofInvalid,
        ),
        (
            "party_a",
            &text,
            vec![other_signature],
            ErrorCode::KeyProofInvalid,
        ),
        ("party_a", &text, vec![small_order], ErrorCode::KeyRefused),
        (
            "party_a",
            &text,
            vec![agencys_key],
            ErrorCode::AlreadyEnrolled,
        ),
        (
            "party_a",
            &text,
            vec![mirrors_key],
            ErrorCode::AlreadyEnrolled,
        ),
    ] {
        // Each attack has its own window, so that the limit on failures does not hide the reason.
        net.clock.advance(Duration::from_secs(601));
        let outcome = registry.enrol(peer, text, keys).await;
        assert_eq!(code(outcome), expected, "{peer}");
    }
    net.clock.advance(Duration::from_secs(601));
    assert_eq!(
        registry.enrol("party_a", &text, vec![good.clone()]).await,
        Ok(None)
    );
    // Used once, it is used up; and the id and the key are taken.
    assert_eq!(
        code(registry.enrol("party_a", &text, vec![good]).await),
        ErrorCode::CodeInvalid
    );
    let again = new_party("party_a", Role::Regulator, "45");
    assert_eq!(
        code(enrol(&registry, again).await),
        ErrorCode::AlreadyEnrolled
    );
    let (text, _) = registry
        .issue_code(&party(AGENCY), new_party("party_c", Role::Regulator, "45"))
        .await
        .unwrap();
    let reused = proof(&text, "party_c", "approval", &own);
    assert_eq!(
        code(registry.enrol("party_c", &text, vec![reused]).await),
        ErrorCode::AlreadyEnrolled
    );
}

#[tokio::test]
async fn two_codes_for_one_id_enrol_it_once() {
    let net = Net::new();
    let registry = net.open().await;
    let new = || new_party("party_a", Role::Verifier, "4501");
    let (one, _) = registry.issue_code(&party(AGENCY), new()).await.unwrap();
    let (two, _) = registry.issue_code(&party(AGENCY), new()).await.unwrap();
    assert_ne!(one, two);
    assert_eq!((one.len(), two.len()), (40, 40));
    let first = proof(&one, "party_a", "approval", &key("party_a"));
    registry.enrol("party_a", &one, vec![first]).await.unwrap();
    let second = proof(
        &two,
        "party_a",
        "approval",
        &Ed25519Signer::from_seed([77; 32]),
    );
    assert_eq!(
        code(registry.enrol("party_a", &two, vec![second]).await),
        ErrorCode::AlreadyEnrolled
    );
    assert_eq!(
        registry.party(&party("party_a")).unwrap().approval_key,
        key("party_a").public_key()
    );
}

#[tokio::test]
async fn codes_expire() {
    let net = Net::new();
    let registry = net.open().await;
    let (text, expires) = registry
        .issue_code(&party(AGENCY), new_party("party_a", Role::Verifier, "4501"))
        .await
        .unwrap();
    net.clock.set(lingqu_core::Timestamp(expires.0));
    let good = proof(&text, "party_a", "approval", &key("party_a"));
    assert_eq!(
        code(registry.enrol("party_a", &text, vec![good]).await),
        ErrorCode::CodeInvalid
    );
}

/// Revoking an agency ends what it began: its codes, and requests that the door let in before.
#[tokio::test]
async fn a_revoked_agency_enrols_nobody_any_more() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    let stolen = party("party_agency2");
    let new = || new_party("party_false", Role::Regulator, "4501");
    let (text, _) = registry.issue_code(&stolen, new()).await.unwrap();
    let request = revocation(AGENCY, "party_agency2", &net.clock);
    registry.revoke(&party(AGENCY), request).await.unwrap();
    let good = proof(&text, "party_false", "approval", &key("party_false"));
    assert_eq!(
        code(registry.enrol("party_false", &text, vec![good]).await),
        ErrorCode::CodeInvalid
    );
    let late = registry.issue_code(&stolen, new()).await;
    assert_eq!(code(late), ErrorCode::CallerRevoked);
    let late = sealed(&product(), &["party_agency2"]);
    assert_eq!(
        code(registry.file(&stolen, late).await),
        ErrorCode::CallerRevoked
    );
    let late = revocation("party_agency2", "party_unit", &net.clock);
    assert_eq!(
        code(registry.revoke(&stolen, late).await),
        ErrorCode::CallerRevoked
    );
    registry.revoked(&stolen).await;
}

#[tokio::test]
async fn failures_are_limited_per_peer_and_forgotten_in_time() {
    let net = Net::new();
    let registry = net.open().await;
    for expected in [
        ErrorCode::CodeInvalid,
        ErrorCode::CodeInvalid,
        ErrorCode::CodeInvalid,
        ErrorCode::RateLimited,
    ] {
        assert_eq!(
            code(registry.enrol("party_a", "guess", vec![]).await),
            expected
        );
    }
    assert_eq!(
        code(registry.enrol("party_b", "guess", vec![]).await),
        ErrorCode::CodeInvalid
    );
    net.clock.advance(Duration::from_secs(600));
    assert_eq!(
        code(registry.enrol("party_a", "guess", vec![]).await),
        ErrorCode::CodeInvalid
    );
}

#[tokio::test]
async fn a_code_is_issued_only_for_what_makes_sense_within_the_agencys_region() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    enrol(
        &registry,
        new_party("party_far", Role::DataSourceUnit, "4503"),
    )
    .await
    .unwrap();
    let party_in = |code: &str| new_party("party_x", Role::Regulator, code);
    let with = |change: fn(&mut NewCode), mut new: NewCode| {
        change(&mut new);
        new
    };
    for (issuer, new, expected) in [
        (AGENCY, party_in("44"), ErrorCode::RegionForbidden),
        // A bureau of the whole region is not for a city's agency to make.
        ("party_agency2", party_in("45"), ErrorCode::RegionForbidden),
        ("party_nobody", party_in("4501"), ErrorCode::NotEnrolled),
        // The node's own region is the agency's, but the unit whose filings it would be sent is not.
        (
            "party_agency2",
            new_node("node_x", "party_far", "4501"),
            ErrorCode::RegionForbidden,
        ),
        (
            AGENCY,
            with(|new| new.roles.clear(), party_in("45")),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            with(|new| new.unit = Some(party("party_unit")), party_in("45")),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            with(|new| new.subject = "coord_x".to_owned(), party_in("45")),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            with(|new| new.display_name = "a\nb".to_owned(), party_in("45")),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            with(
                |new| new.unit = None,
                new_node("node_x", "party_unit", "45"),
            ),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            with(
                |new| new.roles = vec![Role::Regulator],
                new_node("node_x", "party_unit", "45"),
            ),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            new_node("node_x", "party_bank", "45"),
            ErrorCode::RequestInvalid,
        ),
        (
            AGENCY,
            new_node("node_x", "party_nobody", "45"),
            ErrorCode::NotEnrolled,
        ),
        (
            AGENCY,
            new_node("node_n", "party_unit", "45"),
            ErrorCode::AlreadyEnrolled,
        ),
    ] {
        let what = format!("{issuer} {new:?}");
        assert_eq!(
            code(registry.issue_code(&party(issuer), new).await),
            expected,
            "{what}"
        );
    }
}

/// Neither database nor log holds the code.
#[tokio::test]
async fn the_code_is_stored_nowhere() {
    let net = Net::new();
    let registry = net.open().await;
    let (text, _) = registry
        .issue_code(&party(AGENCY), new_party("party_a", Role::Verifier, "4501"))
        .await
        .unwrap();
    close(registry).await;
    let mut files = vec![net.bed.dir.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(40).any(|window| window == text.as_bytes()),
            "{path:?}"
        );
    }
}
