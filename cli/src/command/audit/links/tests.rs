//! Receipts and archives of a stream that follows another, checked with trust in the first alone.

use std::fs;
use std::path::PathBuf;

use lingqu_client::archive::ArchiveWriter;
use lingqu_core::Timestamp;
use lingqu_core::envelope::Envelope;
use lingqu_core::record::{Draft, Field, Kind};
use lingqu_core::succession::SuccessionOrder;
use lingqu_proto::{encode_envelope, seal};
use lingqu_testkit::HandWritten;
use lingqu_tlog::{Ed25519Signer, Signer};

use super::*;
use crate::command::audit::verify::Verify;
use crate::command::audit::verify::tests::verify;
use crate::language::Language;

pub(crate) const OLD: &str = "c.example/s/n/4501/2026h2";
pub(crate) const NEXT: &str = "c.example/s/n/4501/2027h1";
/// A day before the streams of the tests.
const DUE: Timestamp = Timestamp(1_795_046_400_000_000);
pub(crate) const BALANCES: &[u8] = b"balances";
const UNIT: &str = "party_unit";

fn unit_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([50; 32])
}

pub(crate) fn order(begins: &HandWritten) -> Vec<u8> {
    let order = SuccessionOrder {
        unit: UNIT.parse().unwrap(),
        node: "node_n".parse().unwrap(),
        issued: DUE,
        not_before: DUE,
        not_after: DUE.plus_months_utc8(13),
        ends: OLD.to_owned(),
        begins: begins.key().to_string(),
    };
    let mut envelope: Envelope = seal(&order);
    envelope.sign(UNIT, &unit_signer());
    encode_envelope(&envelope)
}

fn call() -> Draft {
    let mut draft = Draft::new(Kind::Call);
    draft.call = lingqu_core::CallId([7; 16]);
    draft.clear = draft
        .clear
        .text(Field::Caller, "party_bank")
        .text(Field::Grant, "grant_1")
        .text(Field::Outcome, "ANSWERED");
    draft
}

/// Two streams, a call in each, the second following the first.
pub(crate) fn both() -> (HandWritten, HandWritten) {
    let mut old = HandWritten::new(OLD, 1, "c.example/mirror");
    old.push(call());
    let mut next = old.next(NEXT, 2);
    old.end(&order(&next), &next, BALANCES);
    next.begin(&old, BALANCES);
    next.push(call());
    (old, next)
}

/// A directory with what a test needs in it.
pub(crate) struct Desk(pub(crate) tempfile::TempDir);

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The receipt of one record.
    pub(crate) fn receipt(&self, name: &str, of: &HandWritten, index: u64) -> PathBuf {
        self.put(name, &of.receipt(index).tlog_proof().to_string())
    }

    pub(crate) fn archive(&self, name: &str, streams: &[&HandWritten]) -> PathBuf {
        let dir = self.0.path().join(name);
        for of in streams {
            let mut writer = ArchiveWriter::create(&dir, &of.origin).unwrap();
            for entry in &of.entries {
                writer.append(entry).unwrap();
            }
            writer.finish(&of.cosigned(of.size()).to_string()).unwrap();
        }
        dir
    }
}

/// Runs a command: its exit code, and what it told.
pub(crate) fn run(
    command: impl FnOnce(&mut Session<'_>) -> Result<(), Failure>,
) -> (u8, String, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let ended = command(&mut Session::new(&mut out, &mut notes, Language::En));
    let code = ended.err().map_or(0, |failure| failure.exit_code());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(notes))
}

fn unit_key(key: &Ed25519Signer) -> UnitKeys {
    let text = format!("{UNIT}={}", hex::encode(key.public_key()));
    UnitKeys {
        keys: vec![text.parse().unwrap()],
    }
}

fn checked(what: PathBuf, trust: &std::path::Path, links: Links) -> (u8, String, String) {
    let command = Verify {
        trusts: vec![trust.to_owned()],
        links,
        ..verify(what)
    };
    run(|session| command.run(session))
}

fn linked(path: PathBuf) -> Links {
    Links {
        links: vec![path],
        ..Links::default()
    }
}

/// a receipt out of a later stream, on a machine that has only ever been told the first key.
#[test]
fn a_receipt_of_the_next_stream_needs_a_link_and_no_new_trust() {
    let (old, next) = both();
    let desk = Desk::new();
    let trust = desk.put("trust", &old.trust());
    let receipt = desk.receipt("receipt", &next, 2);
    assert_eq!(checked(receipt.clone(), &trust, Links::default()).0, 1);
    let first = desk.receipt("first", &next, 0);
    let archive = desk.archive("archive", &[&next]);
    for link in [&first, &archive] {
        let (code, out, notes) = checked(receipt.clone(), &trust, linked(link.clone()));
        assert_eq!(code, 0, "{notes}");
        assert!(out.contains("party_bank") && notes.contains("was not checked"));
    }
    let with = |key: &Ed25519Signer| Links {
        units: unit_key(key),
        links: vec![first.clone()],
    };
    let (code, _, notes) = checked(receipt.clone(), &trust, with(&unit_signer()));
    assert_eq!(code, 0);
    assert!(notes.contains("signature was checked"), "{notes}");
    let another = Ed25519Signer::from_seed([51; 32]);
    assert_eq!(checked(receipt.clone(), &trust, with(&another)).0, 1);
    // A record that is no beginning leads nowhere.
    let call = desk.receipt("call", &next, 2);
    assert_eq!(checked(receipt, &trust, linked(call)).0, 1);
}

#[test]
fn a_key_that_the_first_stream_never_named_is_not_believed() {
    let (old, _) = both();
    let mut stranger = old.next(NEXT, 9);
    stranger.begin(&old, BALANCES);
    stranger.push(call());
    let desk = Desk::new();
    let trust = desk.put("trust", &old.trust());
    let receipt = desk.receipt("receipt", &stranger, 2);
    let first = desk.receipt("first", &stranger, 0);
    assert_eq!(checked(receipt, &trust, linked(first)).0, 1);
    let archive = desk.archive("archive", &[&stranger]);
    assert_eq!(checked(archive, &trust, Links::default()).0, 1);
}

#[test]
fn an_archive_verifies_with_both_streams_or_the_second_alone() {
    let (old, next) = both();
    let desk = Desk::new();
    let trust = desk.put("trust", &old.trust());
    let both = desk.archive("both", &[&old, &next]);
    let (code, out, notes) = checked(both, &trust, Links::default());
    assert_eq!(code, 0, "{notes}");
    assert!(out.contains(&format!("后续 {NEXT}")), "{out}");
    let alone = desk.archive("alone", &[&next]);
    assert_eq!(checked(alone, &trust, Links::default()).0, 0);
    let first = desk.archive("first", &[&old]);
    let (code, _, notes) = checked(first, &trust, Links::default());
    assert_eq!(code, 0);
    assert!(notes.contains("is not in the archive"), "{notes}");
}

#[test]
fn a_unit_key_is_one_key_of_one_unit() {
    let key = hex::encode(unit_signer().public_key());
    for wrong in [
        key.as_str(),
        &format!("unit={key}"),
        "party_unit=",
        "party_unit=00",
        &format!("party_unit={}", "00".repeat(32)),
    ] {
        assert!(wrong.parse::<UnitKey>().is_err(), "{wrong}");
    }
    let desk = Desk::new();
    let trust = desk.put("trust", &both().0.trust());
    let one: UnitKey = format!("party_unit={key}").parse().unwrap();
    let twice = UnitKeys {
        keys: vec![one.clone(), one],
    };
    assert!(twice.read(&trust).is_err());
}

/// What a mirror keeps of an end that it refused: whoever has the unit's key can tell that the node signed what nobody ordered.
#[test]
fn a_bad_end_is_proven_against_its_node() {
    let ended = |by: &Ed25519Signer| {
        let mut old = HandWritten::new(OLD, 1, "c.example/mirror");
        old.push(call());
        let next = old.next(NEXT, 2);
        let mut envelope = lingqu_proto::decode_envelope(&order(&next)).unwrap();
        envelope.signatures.clear();
        envelope.sign(UNIT, by);
        old.end(&encode_envelope(&envelope), &next, BALANCES);
        // No mirror cosigned it.
        let mut receipt = old.receipt(1);
        receipt.signatures.truncate(1);
        (old, lingqu_core::succession::ShownEnd(receipt).to_string())
    };
    let desk = Desk::new();
    let (old, bad) = ended(&Ed25519Signer::from_seed([51; 32]));
    let (_, good) = ended(&unit_signer());
    let trust = desk.put("trust", &old.trust());
    let (bad, good) = (desk.put("bad.end", &bad), desk.put("good.end", &good));
    let with = |key: &Ed25519Signer| Links {
        units: unit_key(key),
        ..Links::default()
    };
    let (code, out, _) = checked(bad.clone(), &trust, with(&unit_signer()));
    assert_eq!(code, 0);
    assert!(out.contains("bad end") && out.contains(OLD), "{out}");
    // A good one accuses nobody, and without the unit's key nothing can be said.
    assert_eq!(checked(good.clone(), &trust, with(&unit_signer())).0, 1);
    assert_eq!(checked(bad.clone(), &trust, Links::default()).0, 2);
    assert_eq!(checked(good, &trust, Links::default()).0, 2);
    // Without any trust it is nobody's.
    let command = verify(bad.clone());
    assert_eq!(run(|session| command.run(session)).0, 3);
    let text = fs::read_to_string(&bad).unwrap();
    for place in (0..text.len()).step_by(11) {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 1;
        fs::write(&bad, &bytes).unwrap();
        let code = checked(bad.clone(), &trust, with(&unit_signer())).0;
        assert_eq!(code, 1, "byte {place}");
    }
}
