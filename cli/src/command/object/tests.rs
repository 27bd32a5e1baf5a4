use std::fs;
use std::path::{Path, PathBuf};

use lingqu_core::product::SignedPolicy;
use lingqu_tlog::Signer;
use lingqu_transport::signing_key;

use super::*;
use crate::envelope_file;
use crate::language::Language;

fn run(verb: Verb) -> (Result<(), Failure>, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let ended = verb.run::<SignedPolicy>(&mut Session::new(&mut out, &mut notes, Language::En));
    (ended, String::from_utf8(out).unwrap())
}

fn new(out: &Path) -> Verb {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples");
    Verb::New(new::New {
        file: samples.join("policy.toml"),
        out: out.to_owned(),
    })
}

fn sign(file: &Path, key: &Path) -> Verb {
    Verb::Sign(sign::Sign {
        file: file.to_owned(),
        key: key.to_owned(),
        signer: "party_gx.lanxi-transport".parse().unwrap(),
    })
}

fn show(file: &Path) -> Verb {
    Verb::Show(show::Show {
        file: file.to_owned(),
        json: true,
    })
}

#[test]
fn an_object_is_written_signed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key) = (
        dir.path().join("policy.env"),
        dir.path().join("approval.key"),
    );
    let public = hex::encode(signing_key::create(&key).unwrap().public_key());
    let (made, digest) = run(new(&file));
    made.unwrap();
    let before = fs::read(&file).unwrap();
    assert!(run(new(&file)).0.is_err(), "an object is never overwritten");
    assert_eq!(fs::read(&file).unwrap(), before);

    let (signed, same) = run(sign(&file, &key));
    signed.unwrap();
    assert_eq!(same, digest, "a signature does not change what is signed");
    run(sign(&file, &key)).0.unwrap();

    let (shown, out) = run(show(&file));
    shown.unwrap();
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["digest"], digest.trim());
    assert_eq!(json["payload"]["resource"], "planes");
    let expected = serde_json::json!([
        { "signer": "party_gx.lanxi-transport", "public_key": public, "fits": true }
    ]);
    assert_eq!(
        json["signatures"], expected,
        "signed once, whatever was asked twice"
    );
}

#[test]
fn a_signature_that_does_not_fit_is_shown_as_such_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key) = (
        dir.path().join("policy.env"),
        dir.path().join("approval.key"),
    );
    signing_key::create(&key).unwrap();
    run(new(&file)).0.unwrap();
    run(sign(&file, &key)).0.unwrap();
    let mut envelope = envelope_file::read(&file).unwrap();
    envelope.signatures[0].signature[0] ^= 1;
    envelope_file::replace(&file, &envelope).unwrap();
    assert!(run(show(&file)).1.contains("\"fits\":false"));
    run(sign(&file, &key)).0.unwrap();
    let shown = run(show(&file)).1;
    assert!(
        shown.contains("\"fits\":true") && !shown.contains("\"fits\":false"),
        "{shown}"
    );
}

#[test]
fn an_object_of_another_kind_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key) = (
        dir.path().join("policy.env"),
        dir.path().join("approval.key"),
    );
    signing_key::create(&key).unwrap();
    run(new(&file)).0.unwrap();
    let before = fs::read(&file).unwrap();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En);
    let ended = sign(&file, &key).run::<lingqu_core::grant::Grant>(&mut session);
    assert_eq!(ended.unwrap_err().exit_code(), 2);
    assert_eq!(fs::read(&file).unwrap(), before);
}
