use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::authority::{Authorities, Authority, Chain, Usage};
use crate::testbed::{DAY, ManualClock, START, id};

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn an_authority_that_was_loaded_issues_what_the_first_one_vouches_for() {
    let clock = ManualClock::at(START);
    let dir = tempfile::tempdir().unwrap();
    let created = DevAuthority::create("灵渠 dev", &*clock).unwrap();
    created.write(dir.path()).unwrap();
    let loaded = DevAuthority::load(dir.path()).unwrap();
    assert_eq!(loaded.name(), "灵渠 dev");
    assert_eq!(loaded.certificate_pem(), created.certificate_pem());
    assert_eq!(loaded.not_after, created.not_after);

    let issued = loaded
        .issue(
            &id("party_gx.bank"),
            &["localhost", "127.0.0.1", "::1"],
            30,
            &*clock,
        )
        .unwrap();
    let trusted = Authority {
        name: "dev".to_owned(),
        certificates: vec![der(created.certificate_pem())],
        prefixes: vec!["party_".parse().unwrap()],
    };
    let authorities = Authorities::new(vec![trusted], &crate::tls::provider()).unwrap();
    let chain = [der(&issued.certificate_pem)];
    for usage in [Usage::Client, Usage::Server] {
        let peer = authorities
            .identify(Chain::new(&chain).unwrap(), START, usage)
            .unwrap();
        assert_eq!(peer.id, id("party_gx.bank"));
        assert_eq!(peer.not_after, START.plus(DAY * 30));
    }
}

#[test]
fn keys_are_readable_by_their_owner_only() {
    let clock = ManualClock::at(START);
    let dir = tempfile::tempdir().unwrap();
    let authority = DevAuthority::create("dev", &*clock).unwrap();
    authority.write(dir.path()).unwrap();
    let issued = authority.issue(&id("node_a"), &[], 1, &*clock).unwrap();
    // A leftover of an interrupted write must not lend its mode to the key.
    std::fs::write(dir.path().join("node_a.key.new"), "").unwrap();
    let files = issued.write(dir.path()).unwrap();
    assert_eq!(files.certificate, dir.path().join("node_a.pem"));
    for key in [files.key, dir.path().join("ca.key")] {
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        4,
        "nothing is left over"
    );
}

#[test]
fn an_authority_is_never_overwritten() {
    let clock = ManualClock::at(START);
    let dir = tempfile::tempdir().unwrap();
    DevAuthority::create("first", &*clock)
        .unwrap()
        .write(dir.path())
        .unwrap();
    let refused = DevAuthority::create("second", &*clock)
        .unwrap()
        .write(dir.path());
    assert!(matches!(refused, Err(PkiError::File { .. })));
    assert_eq!(DevAuthority::load(dir.path()).unwrap().name(), "first");
}

#[test]
fn subjects_of_authorities_and_leaves_differ() {
    let clock = ManualClock::at(START);
    let authority = DevAuthority::create("party_b", &*clock).unwrap();
    let leaf = der(&authority
        .issue(&id("party_b"), &[], 1, &*clock)
        .unwrap()
        .certificate_pem);
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    assert_ne!(leaf.subject(), leaf.issuer());
}

#[test]
fn no_certificate_outlives_its_authority() {
    let clock = ManualClock::at(START);
    let authority = DevAuthority::create("dev", &*clock).unwrap();
    let leaf = der(&authority
        .issue(&id("party_b"), &[], u32::MAX, &*clock)
        .unwrap()
        .certificate_pem);
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    assert_eq!(
        leaf.validity().not_after.timestamp(),
        authority.not_after.unix_s()
    );
}

#[test]
fn hosts_and_foreign_authorities_are_refused() {
    let clock = ManualClock::at(START);
    let authority = DevAuthority::create("dev", &*clock).unwrap();
    for host in ["", "a b", "https://a", "灵渠"] {
        let refused = authority.issue(&id("party_b"), &[host], 1, &*clock);
        assert!(matches!(refused, Err(PkiError::Host(_))), "{host:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        DevAuthority::load(dir.path()),
        Err(PkiError::File { .. })
    ));
    authority.write(dir.path()).unwrap();
    let leaf = authority.issue(&id("party_b"), &[], 1, &*clock).unwrap();
    std::fs::write(dir.path().join("ca.pem"), leaf.certificate_pem).unwrap();
    assert!(matches!(
        DevAuthority::load(dir.path()),
        Err(PkiError::Foreign(_))
    ));
}

#[test]
fn debug_output_holds_no_key() {
    let clock = ManualClock::at(START);
    let authority = DevAuthority::create("dev", &*clock).unwrap();
    let issued = authority.issue(&id("party_b"), &[], 1, &*clock).unwrap();
    assert_eq!(
        format!("{authority:?}"),
        r#"DevAuthority { name: "dev", .. }"#
    );
    assert_eq!(format!("{issued:?}"), "Issued { id: party_b, .. }");
}
