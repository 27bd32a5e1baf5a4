use proptest::prelude::*;
use signed_note::Signer as _;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::cosignature::sign_cosignature;
use crate::oracle::signer;
use crate::suite::{Hash, Intl};

const TEXT: &str = "a text\n\nof three lines\n";

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn key(text: &str, seed: u8) -> VerifierKey {
    VerifierKey::note(name(text), signer(seed).public_key()).unwrap()
}

fn signed(text: &str, by: &[(&str, u8)]) -> Note {
    let sign =
        |&(who, seed): &(&str, u8)| sign_note::<Intl>(text, &name(who), &signer(seed)).unwrap();
    Note {
        text: text.to_owned(),
        signatures: by.iter().map(sign).collect(),
    }
}

fn parse(note: &str) -> Result<Note, NoteMalformed> {
    Note::parse(note)
}

#[test]
fn a_signed_note_round_trips_and_verifies() {
    let note = signed(TEXT, &[("alice", 1), ("bob", 2)]);
    let wire = note.to_string();
    assert!(wire.starts_with("a text\n\nof three lines\n\n\u{2014} alice "));
    assert_eq!(parse(&wire), Ok(note.clone()));
    let verified = note.verify(&[key("bob", 2), key("carol", 3)]).unwrap();
    let expected = VerifiedSignature {
        name: name("bob"),
        id: key("bob", 2).id(),
        time_unix_s: None,
    };
    assert_eq!(verified, [expected]);
}

#[test]
fn unknown_signatures_are_ignored_and_known_bad_ones_refuse_the_note() {
    let mut note = signed(TEXT, &[("alice", 1)]);
    let alice = [key("alice", 1)];
    let garbage = |who: &str, id| NoteSignature {
        name: name(who),
        id,
        blob: vec![9; 100],
    };
    // The same name under another id, and the same id under another name.
    note.signatures.insert(0, garbage("alice", 7));
    note.signatures.push(garbage("mallory", alice[0].id()));
    assert_eq!(note.verify(&alice).unwrap().len(), 1);

    note.signatures.push(garbage("alice", alice[0].id()));
    let refused = NoteRefused::BadSignature {
        name: name("alice"),
        id: alice[0].id(),
    };
    assert_eq!(note.verify(&alice), Err(refused.clone()));
    note.signatures.swap(1, 3);
    assert_eq!(note.verify(&alice), Err(refused));
    assert_eq!(
        note.verify(&[key("bob", 2)]),
        Err(NoteRefused::NoKnownSignature)
    );
    assert_eq!(note.verify::<Intl>(&[]), Err(NoteRefused::NoKnownSignature));
}

#[test]
fn a_changed_text_is_refused() {
    let mut note = signed(TEXT, &[("alice", 1)]);
    note.text.push('\n');
    assert!(matches!(
        note.verify(&[key("alice", 1)]),
        Err(NoteRefused::BadSignature { .. })
    ));
}

#[test]
fn a_key_that_signed_twice_counts_once() {
    let text = Checkpoint {
        origin: "o".to_owned(),
        size: 1,
        root: Hash([1; 32]),
    }
    .to_text();
    let cosign = |time| sign_cosignature::<Intl>(&text, &name("w"), time, &signer(3)).unwrap();
    let signatures = vec![cosign(20), cosign(30), cosign(10)];
    let note = Note {
        text: text.clone(),
        signatures,
    };
    let w: VerifierKey = VerifierKey::cosignature(name("w"), signer(3).public_key()).unwrap();
    let verified = note.verify(&[w.clone(), w]).unwrap();
    assert_eq!(verified.len(), 1);
    assert_eq!(verified[0].time_unix_s, Some(30));
}

/// Always the same digest.
#[derive(Clone)]
struct Constant;

impl crate::Digest for Constant {
    fn take(&mut self, _: &[u8]) {}

    fn finish(self) -> Hash {
        Hash([0; 32])
    }
}

/// A suite whose key ids all collide: its digest is constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colliding;

impl Suite for Colliding {
    const NAME: &'static str = "colliding";
    const NOTE_TYPE: &'static [u8] = b"\xffcolliding";
    const COSIGNATURE_TYPE: &'static [u8] = b"\xffcolliding-cosignature";
    const SIGNATURE_LEN: usize = 1;

    type Digest = Constant;

    fn begin_digest() -> Constant {
        Constant
    }

    fn verify(public_key: &[u8], _: &[u8], signature: &[u8]) -> bool {
        public_key == signature
    }

    fn admit(_: &[u8]) -> Result<(), crate::KeyRefused> {
        Ok(())
    }
}

#[test]
fn keys_that_cannot_be_told_apart_are_refused() {
    let key = |byte| VerifierKey::<Colliding>::note(name("twin"), &[byte]).unwrap();
    let signature = NoteSignature {
        name: name("twin"),
        id: 0,
        blob: vec![1],
    };
    let note = Note {
        text: TEXT.to_owned(),
        signatures: vec![signature],
    };
    assert_eq!(note.verify(&[key(1)]).unwrap().len(), 1);
    assert_eq!(note.verify(&[key(1), key(1)]).unwrap().len(), 1);
    let ambiguous = NoteRefused::AmbiguousKey {
        name: name("twin"),
        id: 0,
    };
    assert_eq!(note.verify(&[key(1), key(2)]), Err(ambiguous));
}

#[test]
fn a_suite_with_a_long_signature_type_has_vkeys_too() {
    let key = VerifierKey::<Colliding>::note(name("sm.example"), &[5]).unwrap();
    assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key.clone()));
    assert_eq!(
        VerifierKey::<Intl>::parse(&key.to_string()),
        Err(crate::VkeyRefused::UnknownType)
    );
}

#[test]
fn malformed_notes_are_refused() {
    use NoteMalformed::{BadSignatureLine, NoSignature, NotText};
    let line = "\u{2014} alice AAAAAQE=\n";
    assert!(parse(&format!("text\n\n{line}")).is_ok());
    let bad_line = |number| BadSignatureLine { number };
    let cases = [
        (String::new(), NoSignature),
        ("text\n".to_owned(), NoSignature),
        (line.to_owned(), NoSignature),
        (format!("text\n{line}"), NoSignature),
        ("text\n\n".to_owned(), NoSignature),
        ("text\n\n\u{2014} alice AAAAAQE=".to_owned(), NoSignature),
        (format!("text\n\n{line}\n"), NoSignature),
        (format!("text\n\n{line}trailing\n"), bad_line(2)),
        (format!("text\r\n\r\n{line}"), NoSignature),
        (format!("te\txt\n\n{line}"), NotText),
        (format!("text\u{0}\n\n{line}"), NotText),
        (format!("te\u{1f}xt\n\n{line}"), NotText),
        (
            "text\n\n\u{2014} alice AAAAAQE=\r\n".to_owned(),
            bad_line(1),
        ),
        ("text\n\n- alice AAAAAQE=\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014}alice AAAAAQE=\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014}  AAAAAQE=\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} al+ice AAAAAQE=\n".to_owned(), bad_line(1)),
        (
            "text\n\n\u{2014} al\u{2003}ice AAAAAQE=\n".to_owned(),
            bad_line(1),
        ),
        ("text\n\n\u{2014} alice  AAAAAQE=\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice AAAAAQE= \n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice AAAAAQE\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice AAAAAQF=\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice AAAAAQ==\n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice \n".to_owned(), bad_line(1)),
        ("text\n\n\u{2014} alice\n".to_owned(), bad_line(1)),
    ];
    for (note, refused) in cases {
        assert_eq!(parse(&note), Err(refused), "{note:?}");
    }
    assert_eq!(
        Note::parse(b"te\xff\n\n\xe2\x80\x94 alice AAAAAQE=\n"),
        Err(NotText)
    );
}

#[test]
fn limits_are_exact() {
    let note = |text: String, count| {
        let signature = NoteSignature {
            name: name("w"),
            id: 1,
            blob: vec![1; MAX_BLOB_BYTES],
        };
        Note {
            text,
            signatures: vec![signature; count],
        }
    };
    let longest = "t".repeat(MAX_TEXT_BYTES - 1) + "\n";
    let largest = note(longest.clone(), MAX_SIGNATURES);
    assert_eq!(parse(&largest.to_string()), Ok(largest));
    let too_many = note("t\n".to_owned(), MAX_SIGNATURES + 1).to_string();
    assert_eq!(parse(&too_many), Err(NoteMalformed::TooManySignatures));
    let too_long = note("t".to_owned() + &longest, 1).to_string();
    assert_eq!(parse(&too_long), Err(NoteMalformed::TooLarge));
    let mut heavy = note("t\n".to_owned(), 1);
    heavy.signatures[0].blob.push(1);
    assert_eq!(
        parse(&heavy.to_string()),
        Err(NoteMalformed::BadSignatureLine { number: 1 })
    );
    let huge = vec![b'\n'; MAX_NOTE_BYTES + 1];
    assert_eq!(Note::parse(huge), Err(NoteMalformed::TooLarge));
}

#[test]
fn what_cannot_be_a_text_is_not_signed() {
    for text in ["", "no newline", "control\u{7}\n", "crlf\r\n"] {
        let refused = sign_note::<Intl>(text, &name("alice"), &signer(1));
        assert_eq!(refused, Err(NoteMalformed::NotText), "{text:?}");
    }
    assert!(sign_note::<Intl>("\n", &name("alice"), &signer(1)).is_ok());
}

fn their_verifiers(vkey: &str) -> signed_note::VerifierList {
    let verifier = signed_note::StandardVerifier::new(vkey).unwrap();
    signed_note::VerifierList::new(vec![Box::new(verifier)])
}

/// signed_note's private key form for the seed that `signer(seed)` has.
fn their_signer(who: &str, seed: u8) -> signed_note::StandardSigner {
    let private = [&[1], [seed; 32].as_slice()].concat();
    let id = key(who, seed).id();
    let skey = format!("PRIVATE+KEY+{who}+{id:08x}+{}", encoding::base64(&private));
    signed_note::StandardSigner::new(&skey).unwrap()
}

#[test]
fn another_implementation_verifies_ours_and_we_verify_its() {
    let ours = signed(TEXT, &[("unknown", 9), ("alice", 1)]);
    let theirs = signed_note::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
    let (verified, unverified) = theirs
        .verify(&their_verifiers(&key("alice", 1).to_string()))
        .unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 1));

    let mut theirs = signed_note::Note::new(TEXT.as_bytes(), &[]).unwrap();
    let signer = their_signer("alice", 1);
    assert_eq!(signer.key_id(), key("alice", 1).id());
    theirs.add_sigs(&[&signer]).unwrap();
    let parsed = Note::parse(theirs.to_bytes()).unwrap();
    assert_eq!(parsed.verify(&[key("alice", 1)]).unwrap().len(), 1);
    assert_eq!(parsed, signed(TEXT, &[("alice", 1)]));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_round_trip(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "[a\n]{0,4}\n\n(\u{2014} [a+ ]{1,3} [A-D0-3=]{4,12}\n?){0,3}".prop_map(String::into_bytes),
        ],
    ) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes.clone());
            prop_assert!(signed_note::Note::from_bytes(&bytes).is_ok());
            prop_assert!(note.verify(&[key("alice", 1)]).is_err());
        }
    }

    #[test]
    fn a_changed_note_never_verifies_as_another_text(
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let good = signed(TEXT, &[("alice", 1), ("bob", 2)]).to_string();
        let mut bytes = good.clone().into_bytes();
        let position = position.index(bytes.len());
        if cut {
            bytes.truncate(position);
        } else {
            bytes[position] = byte;
        }
        let Ok(note) = Note::parse(&bytes) else { return Ok(()) };
        prop_assert_eq!(note.to_string().into_bytes(), bytes);
        if note.verify(&[key("alice", 1), key("bob", 2)]).is_ok() {
            prop_assert_eq!(note.text.as_str(), TEXT);
        }
    }
}
