use rustls_pki_types::pem::PemObject;

use super::*;
use crate::testbed::{DAY, EVERYBODY, ManualClock, Pki, START, id};

fn authority(name: &str, pki: &Pki, prefixes: &[&str]) -> Authority {
    Authority {
        name: name.to_owned(),
        certificates: vec![CertificateDer::from_pem_file(pki.ca()).unwrap()],
        prefixes: prefixes
            .iter()
            .map(|prefix| prefix.parse().unwrap())
            .collect(),
    }
}

fn authorities(list: Vec<Authority>) -> Authorities {
    Authorities::new(list, &crate::tls::provider()).unwrap()
}

fn leaf(pki: &Pki, who: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(pki.issue(who, 30).certificate).unwrap()
}

fn identify(
    authorities: &Authorities,
    chain: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<Peer, ErrorCode> {
    authorities.identify(Chain::new(chain).unwrap(), now, Usage::Client)
}

#[test]
fn the_key_and_not_the_name_decides_who_vouched() {
    let clock = ManualClock::at(START);
    let (a, b) = (Pki::new("Same", &clock), Pki::new("Same", &clock));
    let both = authorities(vec![
        authority("a", &a, &["party_a."]),
        authority("b", &b, &["party_b."]),
    ]);
    let peer = identify(&both, &[leaf(&b, "party_b.x")], START).unwrap();
    assert_eq!((peer.authority.as_str(), peer.id), ("b", id("party_b.x")));
    assert_eq!(
        identify(&both, &[leaf(&b, "party_a.x")], START),
        Err(ErrorCode::CallerOutsidePrefix)
    );
    // Sending the other authority's certificate along proves nothing.
    let chain = [
        leaf(&b, "party_a.x"),
        CertificateDer::from_pem_file(a.ca()).unwrap(),
    ];
    assert_eq!(
        identify(&both, &chain, START),
        Err(ErrorCode::CallerOutsidePrefix)
    );
    let only_a = authorities(vec![authority("a", &a, &EVERYBODY)]);
    assert_eq!(
        identify(&only_a, &[leaf(&b, "party_a.x")], START),
        Err(ErrorCode::CallerCertUntrusted)
    );
}

#[test]
fn one_certificate_under_two_entries_speaks_for_the_prefixes_of_both() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("CA", &clock);
    let both = authorities(vec![
        authority("nodes", &pki, &["node_"]),
        authority("parties", &pki, &["party_"]),
    ]);
    for (who, vouched) in [("node_x", "nodes"), ("party_x", "parties")] {
        assert_eq!(
            identify(&both, &[leaf(&pki, who)], START)
                .unwrap()
                .authority,
            vouched
        );
    }
    assert_eq!(
        identify(&both, &[leaf(&pki, "coord_x")], START),
        Err(ErrorCode::CallerOutsidePrefix)
    );
}

#[test]
fn expiry_is_told_apart_from_distrust() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("CA", &clock);
    let ours = authorities(vec![authority("ours", &pki, &EVERYBODY)]);
    let chain = [leaf(&pki, "party_x")];
    let peer = identify(&ours, &chain, START).unwrap();
    assert_eq!(peer.not_after, START.plus(DAY * 30));
    let late = peer.not_after.plus(std::time::Duration::from_secs(1));
    assert_eq!(
        identify(&ours, &chain, late),
        Err(ErrorCode::CallerCertExpired)
    );
    assert_eq!(
        identify(&ours, &chain, Timestamp(-1)),
        Err(ErrorCode::CallerCertExpired)
    );
}

#[test]
fn sets_that_contradict_themselves_are_refused() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("CA", &clock);
    let good = || authority("a", &pki, &EVERYBODY);
    let refusal = |list| Authorities::new(list, &crate::tls::provider()).err();
    assert_eq!(refusal(vec![good()]), None);
    assert_eq!(refusal(vec![]), Some(AuthorityRefused::Absent));
    assert_eq!(
        refusal(vec![good(), good()]),
        Some(AuthorityRefused::Duplicate("a".into()))
    );
    assert_eq!(
        refusal(vec![authority("a", &pki, &[])]),
        Some(AuthorityRefused::Prefixes("a".into()))
    );
    let empty = Authority {
        certificates: vec![],
        ..good()
    };
    assert_eq!(
        refusal(vec![empty]),
        Some(AuthorityRefused::Certificates("a".into()))
    );
    let broken = Authority {
        certificates: vec![vec![1, 2, 3].into()],
        ..good()
    };
    assert_eq!(
        refusal(vec![broken]),
        Some(AuthorityRefused::Certificates("a".into()))
    );
}

#[test]
fn an_authoritys_own_certificate_is_no_peer() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("CA", &clock);
    let ours = authorities(vec![authority("ours", &pki, &EVERYBODY)]);
    let chain = [CertificateDer::from_pem_file(pki.ca()).unwrap()];
    assert_eq!(
        identify(&ours, &chain, START),
        Err(ErrorCode::CallerCertUntrusted)
    );
}
