//! A credential is verified with nothing but a file and a key.

use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_core::credential::Credential;
use lingqu_proto::seal;
use lingqu_tlog::{Ed25519Signer, Hash, Signer};

use super::*;
use crate::language::Language;

fn credential() -> Credential {
    Credential {
        number: "2026-000004".to_owned(),
        holder_name: "惠启数据经纪有限公司".to_owned(),
        scope: "开发目录与样例数据".to_owned(),
        not_before: Timestamp::from_unix_s(1_000),
        not_after: Timestamp::from_unix_s(2_000),
        issued_by: "桂云数据运营有限公司".to_owned(),
        issued: Timestamp::from_unix_s(900),
        holder: "party_gx.huiqi".parse().unwrap(),
        case: "case_1".parse().unwrap(),
        agreement: Hash([1; 32]),
        coordinator: "coord_gx".parse().unwrap(),
    }
}

fn verify(file: &Path, key: &str, at_s: i64) -> (Option<u8>, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En);
    let verify = Verify {
        file: file.to_owned(),
        key: key.to_owned(),
        at: Some(Timestamp::from_unix_s(at_s)),
        json: true,
    };
    let ended = verify
        .run(&mut session)
        .err()
        .map(|failure| failure.exit_code());
    (ended, String::from_utf8(out).unwrap())
}

/// the six fields, the coordinator's signature, and the end of the term to the second.
#[test]
fn a_credential_is_verified_offline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credential.env");
    let key = Ed25519Signer::from_seed([7; 32]);
    let public = hex::encode(key.public_key());
    let mut envelope = seal(&credential());
    envelope.sign("coord_gx", &key);
    envelope_file::create(&path, &envelope).unwrap();
    let key_file = dir.path().join("coordinator.pub");
    std::fs::write(&key_file, format!("{public}\n")).unwrap();
    let (ended, out) = verify(&path, key_file.to_str().unwrap(), 1_999);
    assert_eq!(ended, None);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    for field in [
        "number",
        "holder_name",
        "scope",
        "not_before",
        "not_after",
        "issued_by",
        "issued",
    ] {
        assert!(
            shown[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}"
        );
    }
    assert_eq!(shown["status"], "VALID");
    for (at_s, status) in [(2_000, "EXPIRED"), (999, "NOT_YET_VALID")] {
        let (ended, out) = verify(&path, &public, at_s);
        assert_eq!(ended, Some(1));
        assert!(out.contains(status), "{out}");
    }

    // Another's key, altered bytes, a key that is none.
    let other = hex::encode(Ed25519Signer::from_seed([8; 32]).public_key());
    assert_eq!(verify(&path, &other, 1_500), (Some(1), String::new()));
    assert_eq!(verify(&path, "abcd", 1_500).0, Some(2));
    let mut longer = credential();
    longer.not_after = Timestamp::from_unix_s(9_000);
    let mut altered = seal(&longer);
    altered.signatures = envelope.signatures;
    envelope_file::replace(&path, &altered).unwrap();
    assert_eq!(verify(&path, &public, 1_500), (Some(1), String::new()));
    // Properly signed, but no credential.
    let mut none = lingqu_core::envelope::Envelope::new("lingqu.v1.Filing", vec![1]);
    none.sign("coord_gx", &key);
    envelope_file::replace(&path, &none).unwrap();
    assert_eq!(verify(&path, &public, 1_500).0, Some(2));
}
