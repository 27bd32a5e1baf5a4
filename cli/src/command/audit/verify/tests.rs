use std::fs;
use std::path::Path;

use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Clear, Draft, Field, StreamId};
use lingqu_core::{CallId, Timestamp};
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, KeyName, Signer, VerifierKey, leaf_hash, sign_cosignature,
    sign_note,
};

use super::*;
use crate::language::Language;

const ORIGIN: &str = "lingqu.example/s/node_gx.tb/45/2026h2";

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed([1; 32])
}

fn mirror() -> Ed25519Signer {
    Ed25519Signer::from_seed([2; 32])
}

/// The receipt of the second of two records, made by hand.
pub(crate) fn receipt(flags: u16, cosigned: bool) -> Receipt {
    let stream = StreamId::of::<Intl>(ORIGIN);
    let first = Draft::new(Kind::NodeStart).at(stream, 0, Timestamp(1));
    let mut draft = Draft::new(Kind::Call);
    draft.call = CallId([7; 16]);
    draft.flags = flags;
    draft.clear = Clear::default()
        .text(Field::Caller, "party_gx.bank")
        .text(Field::Outcome, "ANSWERED");
    let entry = draft.at(stream, 1, Timestamp(2)).encode::<Intl>();
    let sibling = leaf_hash::<Intl>(&first.encode::<Intl>());
    let mut tree: Frontier<Intl> = Frontier::new();
    tree.push(sibling);
    tree.push(leaf_hash::<Intl>(&entry));
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 2,
        root: tree.root(),
    };
    let text = checkpoint.to_text();
    let mut signatures = vec![sign_note::<Intl>(&text, &name(ORIGIN), &log()).unwrap()];
    if cosigned {
        let cosignature = sign_cosignature::<Intl>(
            &text,
            &name("lingqu.example/mirror"),
            1_800_000_000,
            &mirror(),
        );
        signatures.push(cosignature.unwrap());
    }
    Receipt {
        entry,
        index: 1,
        proof: vec![sibling],
        checkpoint,
        signatures,
        head: None,
    }
}

pub(crate) fn trust(quorum: &str) -> String {
    let log = VerifierKey::<Intl>::note(name(ORIGIN), log().public_key()).unwrap();
    let mirror =
        VerifierKey::<Intl>::cosignature(name("lingqu.example/mirror"), mirror().public_key());
    format!(
        "log {log}\nwitness mirror {}\nquorum {quorum}\n",
        mirror.unwrap()
    )
}

pub(crate) fn verify(what: PathBuf) -> Verify {
    Verify {
        trusts: Vec::new(),
        links: crate::command::audit::links::Links::default(),
        accept_lagged: false,
        since: None,
        extractor: None,
        json: false,
        what,
    }
}

/// Runs the command on these bytes: the exit code and what it wrote to standard output.
fn run(dir: &Path, bytes: &[u8], trust: Option<&str>, json: bool) -> (u8, String) {
    run_accepting(dir, bytes, trust, json, false)
}

fn run_accepting(
    dir: &Path,
    bytes: &[u8],
    trust: Option<&str>,
    json: bool,
    accept_lagged: bool,
) -> (u8, String) {
    let path = dir.join("receipt");
    fs::write(&path, bytes).unwrap();
    let trust = trust.map(|text| {
        let path = dir.join("trust");
        fs::write(&path, text).unwrap();
        path
    });
    let verify = Verify {
        trusts: trust.into_iter().collect(),
        accept_lagged,
        json,
        ..verify(path)
    };
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let ended = verify.run(&mut Session::new(&mut out, &mut notes, Language::En));
    let code = ended.err().map_or(0, |failure| failure.exit_code());
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_good_receipt_is_authenticated_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let text = receipt(0, true).tlog_proof().to_string();
    let (code, out) = run(dir.path(), text.as_bytes(), Some(&trust("mirror")), false);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("authenticated"), "{out}");
    assert!(
        out.contains("caller=party_gx.bank") && out.contains("level R2"),
        "{out}"
    );
    let (code, out) = run(dir.path(), text.as_bytes(), Some(&trust("mirror")), true);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["authenticated"]), (0, &true.into()));
    assert_eq!(json["record"]["clear"]["outcome"], "ANSWERED");
}

#[test]
fn without_trust_it_is_only_consistent() {
    let dir = tempfile::tempdir().unwrap();
    let text = receipt(0, true).tlog_proof().to_string();
    for json in [false, true] {
        let (code, out) = run(dir.path(), text.as_bytes(), None, json);
        assert_eq!(code, 3);
        let said = if json {
            "\"authenticated\":false"
        } else {
            "NOT authenticated · 内容自洽，但未经认证"
        };
        assert!(out.contains(said), "{out}");
    }
}

/// As [`run`], on keys that were parsed once: reading them again for every byte would be most of the work.
fn check(bytes: &[u8], trust: Option<&Trust<Intl>>) -> (u8, String) {
    let verify = verify(PathBuf::new());
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut session = Session::new(&mut out, &mut notes, Language::En);
    let ended = parse(bytes).and_then(|receipt| verify.check(&receipt, trust, &mut session));
    let code = ended.err().map_or(0, |failure| failure.exit_code());
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn no_byte_can_be_altered() {
    let good = receipt(0, true).tlog_proof().to_string().into_bytes();
    let trust = Trust::parse(&trust("mirror")).unwrap();
    assert_eq!(check(&good, Some(&trust)).0, 0);
    for place in 0..good.len() {
        for altered in [good[place] ^ 1, b'\n', 0xff] {
            if altered == good[place] {
                continue;
            }
            let mut bytes = good.clone();
            bytes[place] = altered;
            let (code, out) = check(&bytes, Some(&trust));
            assert_eq!(code, 1, "byte {place} to {altered:#04x}");
            assert_eq!(out, "", "nothing of an altered receipt is shown");
        }
        let mut shorter = good.clone();
        shorter.remove(place);
        assert_eq!(check(&shorter, Some(&trust)).0, 1, "without byte {place}");
    }
    let longer = [good.as_slice(), b"\n"].concat();
    assert_eq!(check(&longer, Some(&trust)).0, 1);
}

#[test]
fn without_trust_altered_bytes_never_pass() {
    let good = receipt(0, true).tlog_proof().to_string().into_bytes();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        assert_ne!(check(&bytes, None).0, 0, "byte {place}");
    }
}

#[test]
fn another_key_or_a_missing_cosignature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = receipt(0, true).tlog_proof().to_string();
    let stranger =
        VerifierKey::<Intl>::note(name(ORIGIN), Ed25519Signer::from_seed([9; 32]).public_key());
    let strangers = format!("log {}\nquorum none\n", stranger.unwrap());
    assert_eq!(
        run(dir.path(), good.as_bytes(), Some(&strangers), false).0,
        1
    );

    let local = receipt(0, false).tlog_proof().to_string();
    let lagged = receipt(flag::LAGGED, false).tlog_proof().to_string();
    for (text, quorum, code) in [
        (&local, "mirror", 1),
        // The trust file does not ask for the mirror, but the record itself says that it was needed.
        (&local, "none", 1),
        (&lagged, "mirror", 1),
        (&lagged, "none", 0),
    ] {
        let (got, out) = run(dir.path(), text.as_bytes(), Some(&trust(quorum)), false);
        assert_eq!(got, code, "{quorum}: {out}");
    }
}

#[test]
fn a_lagging_record_must_be_asked_for_and_must_say_so_itself() {
    let dir = tempfile::tempdir().unwrap();
    let trust = trust("mirror");
    for (flags, cosigned, accepted, code) in [
        (flag::LAGGED, false, false, 1),
        (flag::LAGGED, false, true, 0),
        (flag::LAGGED, true, false, 0),
        (0, false, true, 1),
        (0, true, true, 0),
    ] {
        let text = receipt(flags, cosigned).tlog_proof().to_string();
        let (got, out) = run_accepting(dir.path(), text.as_bytes(), Some(&trust), false, accepted);
        assert_eq!(got, code, "{flags} {cosigned} {accepted}: {out}");
        let level = if cosigned { "level R2" } else { "level R1" };
        assert_eq!(out.contains(level), code == 0, "{out}");
    }
}

#[test]
fn a_file_that_is_not_there_is_not_a_failed_check() {
    let dir = tempfile::tempdir().unwrap();
    let verify = verify(dir.path().join("nothing"));
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let ended = verify.run(&mut Session::new(&mut out, &mut notes, Language::En));
    assert_eq!(ended.unwrap_err().exit_code(), 2);
}

#[test]
fn the_bytes_of_the_wire_are_a_receipt_too() {
    let dir = tempfile::tempdir().unwrap();
    let good = receipt_to_pb(&receipt(0, true), Level::Mirrored).encode_to_vec();
    let (code, out) = run(dir.path(), &good, Some(&trust("mirror")), false);
    assert_eq!(code, 0, "{out}");
    let parsed = Trust::parse(&trust("mirror")).unwrap();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        let (code, out) = check(&bytes, Some(&parsed));
        // The level stands there as the node's claim; what is shown is the one that the signatures prove.
        assert!(code == 1 || out.contains("level R2"), "byte {place}: {out}");
    }
    // An unknown field is another spelling.
    let longer = [good.as_slice(), &[0xf8, 0x07, 0x01]].concat();
    assert_eq!(check(&longer, Some(&parsed)).0, 1);
}
