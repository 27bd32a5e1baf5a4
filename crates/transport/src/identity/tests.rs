use proptest::prelude::*;
use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

use super::*;

fn certificate(uris: &[&str]) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
    params.subject_alt_names.extend(
        uris.iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap())),
    );
    params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .into()
}

#[test]
fn ids_read_by_prefix_and_print_as_they_were_written() {
    for text in ["party_gx.bank", "node_gx.bank-1", "coord_main"] {
        let id: PeerId = text.parse().unwrap();
        assert_eq!((id.as_str(), id.to_string().as_str()), (text, text));
        assert_eq!(id.uri(), format!("lingqu:{text}"));
    }
    for text in [
        "",
        "party_",
        "grant_1",
        "bank",
        "PARTY_gx",
        "party_gx bank",
        "party_gx\u{2044}bank",
        " party_gx",
    ] {
        assert!(text.parse::<PeerId>().is_err(), "{text:?}");
    }
}

#[test]
fn exactly_one_well_formed_uri_names_the_peer() {
    let read = |uris: &[&str]| claimed(&certificate(uris)).map(|claimed| claimed.id.to_string());
    let party = Ok("party_gx.bank".to_owned());
    assert_eq!(read(&["lingqu:party_gx.bank"]), party);
    assert_eq!(
        read(&["https://example.cn/party_gx.shop", "lingqu:party_gx.bank"]),
        party
    );
    assert_eq!(read(&[]), Err(IdentityRefused::Absent));
    assert_eq!(
        read(&["spiffe://lingqu:party_gx.bank"]),
        Err(IdentityRefused::Absent)
    );
    for second in [
        "lingqu:party_gx.shop",
        "lingqu:party_gx.bank",
        "lingqu:",
        "LingQu:party_gx.shop",
    ] {
        assert_eq!(
            read(&["lingqu:party_gx.bank", second]),
            Err(IdentityRefused::Ambiguous),
            "{second}"
        );
    }
    for malformed in [
        "lingqu:",
        "lingqu:grant_1",
        "lingqu://party_gx.bank",
        "lingqu:party_gx.bank?a=b",
        "lingqu:party_%67x",
    ] {
        assert!(
            matches!(read(&[malformed]), Err(IdentityRefused::Id(_))),
            "{malformed}"
        );
    }
    assert_eq!(
        read(&["LINGQU:party_gx.bank"]),
        Err(IdentityRefused::Unreadable)
    );
}

#[test]
fn a_certificate_with_two_lists_of_names_is_unreadable() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.subject_alt_names = vec![SanType::URI("lingqu:party_gx.bank".try_into().unwrap())];
    // subjectAltName once more: SEQUENCE { [6] "lingqu:party_a" }.
    let mut names = vec![0x30, 16, 0x86, 14];
    names.extend_from_slice(b"lingqu:party_a");
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], names)];
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert_eq!(claimed(certificate.der()), Err(IdentityRefused::Unreadable));
}

#[test]
fn trailing_bytes_are_refused() {
    let mut der = certificate(&["lingqu:party_gx.bank"]).to_vec();
    der.push(0);
    assert_eq!(claimed(&der.into()), Err(IdentityRefused::Unreadable));
}

#[test]
fn validity_is_inclusive_to_the_second() {
    let at = |unix_s: i64, micros: i64| Timestamp(unix_s * 1_000_000 + micros);
    let peer = Peer {
        id: "party_a".parse().unwrap(),
        fingerprint: [0; 32],
        not_before: at(100, 0),
        not_after: at(200, 0),
        authority: String::new(),
    };
    for (now, valid) in [
        (at(99, 999_999), false),
        (at(100, 0), true),
        (at(200, 0), true),
        (at(200, 999_999), true),
        (at(201, 0), false),
    ] {
        assert_eq!(peer.valid_at(now), valid, "{now}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(claimed(&bytes.into()).is_err());
    }

    #[test]
    fn damaged_certificates_never_panic_nor_gain_a_second_reading(
        at in any::<proptest::sample::Index>(),
        value in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        static GOOD: std::sync::LazyLock<CertificateDer<'static>> =
            std::sync::LazyLock::new(|| certificate(&["lingqu:party_gx.bank"]));
        let mut damaged = GOOD.to_vec();
        let position = at.index(damaged.len());
        damaged[position] = value;
        let _ = validity(&damaged.clone().into(), &[]);
        if let Ok(claimed) = claimed(&damaged.clone().into()) {
            prop_assert_eq!(claimed.fingerprint == fingerprint(&GOOD), damaged == GOOD.to_vec());
        }
        let shorter = &damaged[..cut.index(damaged.len())];
        prop_assert!(claimed(&shorter.to_vec().into()).is_err());
    }
}
