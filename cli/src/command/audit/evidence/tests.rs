use std::fs;
use std::path::PathBuf;

use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, KeyName, Signer, VerifierKey};
use lingqu_transport::signing_key;

use super::*;
use crate::command::audit::links::{Links, Named};
use crate::command::audit::verify::Verify;
use crate::command::audit::verify::tests::{receipt, trust};
use crate::language::Language;

struct Package {
    dir: tempfile::TempDir,
    extractor: VerifierKey<Intl>,
}

fn package() -> Package {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let key = signing_key::create(&at("key")).unwrap();
    let name: KeyName = "court.example/clerk".parse().unwrap();
    let extractor = VerifierKey::note(name.clone(), key.public_key()).unwrap();
    fs::write(at("receipt"), receipt(0, true).tlog_proof().to_string()).unwrap();
    fs::write(at("trust"), trust("mirror")).unwrap();
    let make = make::Make {
        case: "(2026)桂01民初7号".to_owned(),
        document: "桂法调 2026-19".to_owned(),
        by: "Clerk of the court | one".to_owned(),
        key: at("key"),
        name,
        trusts: vec![at("trust")],
        links: Links::default(),
        accept_lagged: false,
        receipts: vec![at("receipt")],
        archive: None,
        calls: Vec::new(),
        grants: Vec::new(),
        out: at("package"),
    };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    make.run(&mut Session::new(&mut out, &mut notes, Language::En))
        .unwrap();
    Package { dir, extractor }
}

impl Package {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("package").join(name)
    }

    fn check(&self, trusted: bool, extractor: Option<VerifierKey<Intl>>) -> (u8, String) {
        let arguments = Verify {
            extractor,
            ..crate::command::audit::verify::tests::verify(self.dir.path().join("package"))
        };
        assert!(is_package(&arguments.what));
        let trust = Trust::parse(&trust("mirror")).unwrap();
        let trusts = if trusted { vec![trust] } else { Vec::new() };
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let mut session = Session::new(&mut out, &mut notes, Language::En);
        let ended = verify(&arguments, &trusts, Named::default(), &mut session);
        let code = ended.err().map_or(0, |failure| failure.exit_code());
        (code, String::from_utf8(out).unwrap())
    }
}

/// what is put together for a court verifies where nobody has seen the network.
#[test]
fn a_package_verifies_on_keys_alone() {
    let package = package();
    let (code, out) = package.check(true, Some(package.extractor.clone()));
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("(2026)桂01民初7号") && out.contains("party_gx.bank"),
        "{out}"
    );
    assert_eq!(package.check(true, None).0, 0);
    let (code, out) = package.check(false, None);
    assert_eq!(code, 3);
    assert!(out.contains("NOT authenticated"), "{out}");
    let stranger = VerifierKey::note(
        package.extractor.name().clone(),
        lingqu_tlog::Ed25519Signer::from_seed([8; 32]).public_key(),
    );
    assert_eq!(package.check(true, Some(stranger.unwrap())).0, 1);
    let chinese = fs::read_to_string(package.path("report.zh-CN.md")).unwrap();
    assert!(chinese.contains("案件编号") && chinese.contains("Clerk of the court \\| one"));
}

#[test]
fn no_file_can_be_altered_removed_or_slipped_in() {
    let package = package();
    for name in [
        "manifest",
        "report.en.md",
        "report.zh-CN.md",
        "receipts/00001.txt",
    ] {
        let path = package.path(name);
        let good = fs::read(&path).unwrap();
        for place in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(&path, &bad).unwrap();
            let (code, _) = package.check(true, Some(package.extractor.clone()));
            assert_eq!(code, 1, "{name} at {place}");
        }
        fs::write(&path, &good).unwrap();
    }
    fs::write(package.path("receipts/00002.txt"), "more").unwrap();
    assert_eq!(package.check(true, None).0, 1);
    fs::remove_file(package.path("receipts/00002.txt")).unwrap();
    fs::write(package.path("note.txt"), "the accused confessed").unwrap();
    assert_eq!(package.check(true, None).0, 1);
    fs::remove_file(package.path("note.txt")).unwrap();
    assert_eq!(package.check(true, None).0, 0);
    fs::remove_file(package.path("report.en.md")).unwrap();
    assert_eq!(package.check(true, None).0, 1);
}

/// A clerk with a key of its own can sign any manifest, but no report that the receipts do not prove.
#[test]
fn a_report_that_says_more_than_the_receipts_is_refused() {
    let package = package();
    let path = package.path("report.en.md");
    let good = fs::read_to_string(&path).unwrap();
    let report = good.replace("ANSWERED", "REFUSED");
    assert_ne!(report, good);
    fs::write(&path, &report).unwrap();
    let manifest = lingqu_tlog::Note::parse(fs::read(package.path("manifest")).unwrap()).unwrap();
    let mut listed = manifest::Manifest::parse(&manifest.text).unwrap();
    for (path, digest) in &mut listed.files {
        if path == "report.en.md" {
            *digest = manifest::digest(report.as_bytes());
        }
    }
    let key = signing_key::read(&package.dir.path().join("key")).unwrap();
    let text = listed.to_text();
    let name = package.extractor.name();
    let signatures = vec![lingqu_tlog::sign_note::<Intl>(&text, name, &key).unwrap()];
    let forged = lingqu_tlog::Note { text, signatures }.to_string();
    fs::write(package.path("manifest"), forged).unwrap();
    assert_eq!(package.check(true, Some(package.extractor.clone())).0, 1);
}
