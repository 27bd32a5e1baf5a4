use proptest::prelude::*;

use super::*;
use crate::cosignature::sign_cosignature;
use crate::note::sign_note;
use crate::oracle::{TilesStore, leaves, mth, path, signer, to_tiles};
use crate::suite::Signer;

const ORIGIN: &str = "node.example/2026h2";
const SIZE: u64 = 11;
const INDEX: usize = 6;

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn log_key() -> VerifierKey {
    VerifierKey::note(name(ORIGIN), signer(1).public_key()).unwrap()
}

/// Cosigner number `n`, whose seed is `10 + n`.
fn cosigner(n: u8) -> VerifierKey {
    VerifierKey::cosignature(name(&format!("w{n}")), signer(10 + n).public_key()).unwrap()
}

fn quorum(at_least: usize) -> Quorum {
    Quorum::new((0..3).map(cosigner).collect(), at_least).unwrap()
}

/// The checkpoint of the test's tree with `origin`, signed by the log and the given cosigners.
fn note(origin: &str, cosigners: &[u8]) -> Note {
    let root = mth(&leaves(SIZE));
    let text = Checkpoint {
        origin: origin.to_owned(),
        size: SIZE,
        root,
    }
    .to_text();
    let mut signatures = vec![sign_note::<Intl>(&text, &name(ORIGIN), &signer(1)).unwrap()];
    for &n in cosigners {
        let cosign = sign_cosignature::<Intl>(
            &text,
            cosigner(n).name(),
            100 + u64::from(n),
            &signer(10 + n),
        );
        signatures.push(cosign.unwrap());
    }
    Note { text, signatures }
}

fn proof(cosigners: &[u8]) -> TlogProof {
    TlogProof {
        extra: None,
        index: INDEX as u64,
        hashes: path(INDEX, &leaves(SIZE)),
        checkpoint: note(ORIGIN, cosigners).to_string(),
    }
}

fn leaf() -> Hash {
    leaves(SIZE)[INDEX]
}

#[test]
fn a_proof_shows_checkpoint_and_cosigners() {
    let proof = proof(&[2, 0]);
    let read = TlogProof::parse(&proof.to_string()).unwrap();
    assert_eq!(read, proof);
    let shown = read.verify(leaf(), &log_key(), &quorum(2)).unwrap();
    assert_eq!(
        (shown.checkpoint.size, shown.checkpoint.origin.as_str()),
        (SIZE, ORIGIN)
    );
    let expected = [("w2", 102), ("w0", 100)].map(|(who, time_unix_s)| Cosigned {
        name: name(who),
        time_unix_s,
    });
    assert_eq!(shown.cosigned, expected);
    // Who asks for no cosigner sees none, verified or not.
    let shown = read.verify(leaf(), &log_key(), &Quorum::none()).unwrap();
    assert_eq!(shown.cosigned, []);
}

#[test]
fn other_implementations_verify_every_part_of_ours() {
    let proof = proof(&[0]);
    let theirs = signed_note::Note::from_bytes(proof.checkpoint.as_bytes()).unwrap();
    let verifier = signed_note::StandardVerifier::new(&log_key().to_string()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let (verified, _) = theirs.verify(&known).unwrap();
    assert_eq!(verified.len(), 1);

    let checkpoint = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let leaf = tlog_tiles::Hash(leaf().0);
    tlog_tiles::check_record(&to_tiles(&proof.hashes), size, root, proof.index, leaf).unwrap();
}

#[test]
fn a_proof_made_by_other_implementations_verifies() {
    let leaves = leaves(SIZE);
    let store = TilesStore::new(&leaves);
    let root = tlog_tiles::tree_hash(SIZE, &store).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::new(ORIGIN, SIZE, root, "").unwrap();
    let mut note = signed_note::Note::new(&checkpoint.to_bytes(), &[]).unwrap();
    let private = crate::encoding::base64(&[&[1], [1; 32].as_slice()].concat());
    let skey = format!("PRIVATE+KEY+{ORIGIN}+{:08x}+{private}", log_key().id());
    note.add_sigs(&[&signed_note::StandardSigner::new(&skey).unwrap()])
        .unwrap();
    let hashes = tlog_tiles::prove_record(SIZE, INDEX as u64, &store).unwrap();
    let hashes: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    let note = String::from_utf8(note.to_bytes()).unwrap();
    let wire = format!("c2sp.org/tlog-proof@v1\nindex {INDEX}\n{hashes}\n{note}");

    let read = TlogProof::parse(&wire).unwrap();
    let shown = read.verify(leaf(), &log_key(), &Quorum::none()).unwrap();
    assert_eq!(
        (shown.checkpoint.size, shown.checkpoint.root.0),
        (SIZE, root.0)
    );
    assert_eq!(read, proof(&[]));
}

#[test]
fn a_quorum_counts_distinct_cosigners() {
    let verify = |cosigners: &[u8], at_least| {
        proof(cosigners)
            .verify(leaf(), &log_key(), &quorum(at_least))
            .map(|shown| shown.cosigned.len())
    };
    assert_eq!(verify(&[0, 1, 2], 3), Ok(3));
    assert_eq!(
        verify(&[0, 1], 3),
        Err(ProofRefused::QuorumNotMet { needed: 3, got: 2 })
    );
    assert_eq!(
        verify(&[0, 0, 0], 2),
        Err(ProofRefused::QuorumNotMet { needed: 2, got: 1 })
    );
    assert_eq!(
        verify(&[], 1),
        Err(ProofRefused::QuorumNotMet { needed: 1, got: 0 })
    );
    assert_eq!(
        verify(&[7, 8, 9], 1),
        Err(ProofRefused::QuorumNotMet { needed: 1, got: 0 })
    );
    assert_eq!(verify(&[], 0), Ok(0));
}

#[test]
fn a_quorum_that_makes_no_sense_is_refused() {
    let too_few = Quorum::new(vec![cosigner(0)], 2).unwrap_err();
    assert_eq!(
        too_few,
        QuorumRefused::TooFew {
            at_least: 2,
            cosigners: 1
        }
    );
    let not_one = Quorum::new(vec![log_key()], 1).unwrap_err();
    assert_eq!(not_one, QuorumRefused::NotACosigner { name: name(ORIGIN) });
    let alias: VerifierKey =
        VerifierKey::cosignature(name("alias"), cosigner(0).public_key()).unwrap();
    let shared = Quorum::new(vec![cosigner(0), cosigner(1), alias], 2).unwrap_err();
    assert_eq!(
        shared,
        QuorumRefused::SharedKey {
            name: name("alias")
        }
    );
    assert_eq!((quorum(2).at_least(), quorum(2).cosigners().len()), (2, 3));
}

#[test]
fn what_the_log_did_not_sign_is_refused() {
    let good = proof(&[0]);
    let verify = |proof: &TlogProof, key: &VerifierKey| proof.verify(leaf(), key, &quorum(1));
    let stranger = VerifierKey::note(name(ORIGIN), signer(2).public_key()).unwrap();
    let unknown = Err(ProofRefused::Signature(NoteRefused::NoKnownSignature));
    assert_eq!(verify(&good, &stranger), unknown);
    assert_eq!(verify(&good, &cosigner(0)), Err(ProofRefused::NotALogKey));

    let mut cosigned_only = note(ORIGIN, &[0]);
    cosigned_only.signatures.remove(0);
    let cosigned_only = TlogProof {
        checkpoint: cosigned_only.to_string(),
        ..good.clone()
    };
    assert_eq!(verify(&cosigned_only, &log_key()), unknown);

    let elsewhere = TlogProof {
        checkpoint: note("other.example", &[0]).to_string(),
        ..good.clone()
    };
    let other = ProofRefused::OtherOrigin {
        origin: "other.example".to_owned(),
    };
    assert_eq!(verify(&elsewhere, &log_key()), Err(other));

    let mut broken = note(ORIGIN, &[0]);
    broken.signatures[1].blob[20] ^= 1;
    let broken = TlogProof {
        checkpoint: broken.to_string(),
        ..good
    };
    let refused = verify(&broken, &log_key());
    assert!(matches!(
        refused,
        Err(ProofRefused::Signature(NoteRefused::BadSignature { .. }))
    ));
}

#[test]
fn another_leaf_or_place_is_refused() {
    let good = proof(&[0]);
    let refused = good.verify(leaves(SIZE)[0], &log_key(), &quorum(1));
    assert_eq!(
        refused,
        Err(ProofRefused::Inclusion(ProofInvalid::RootMismatch))
    );
    for index in (0..SIZE + 2).filter(|&index| index != good.index) {
        let moved = TlogProof {
            index,
            ..good.clone()
        };
        let refused = moved.verify(leaf(), &log_key(), &quorum(1));
        assert!(
            matches!(refused, Err(ProofRefused::Inclusion(_))),
            "index {index}"
        );
    }
}

#[test]
fn extra_data_is_carried_and_not_authenticated() {
    let good = proof(&[0]);
    for extra in [
        None,
        Some(vec![]),
        Some(b"context".to_vec()),
        Some(vec![7; MAX_EXTRA_BYTES]),
    ] {
        let proof = TlogProof {
            extra,
            ..good.clone()
        };
        let read = TlogProof::parse(&proof.to_string()).unwrap();
        assert_eq!(read, proof);
        assert!(read.verify(leaf(), &log_key(), &quorum(1)).is_ok());
    }
    let heavy = TlogProof {
        extra: Some(vec![7; MAX_EXTRA_BYTES + 1]),
        ..good
    };
    assert_eq!(
        TlogProof::parse(&heavy.to_string()),
        Err(ProofMalformed::Extra)
    );
}

#[test]
fn malformed_proofs_are_refused() {
    let good = proof(&[0]).to_string();
    let first_hash = proof(&[0]).hashes[0].to_base64();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let many = format!("{first_hash}\n").repeat(MAX_PROOF_HASHES + 1);
    let cases = [
        (String::new(), ProofMalformed::Header),
        (HEADER.to_owned(), ProofMalformed::Header),
        (change("proof@v1", "proof@v2"), ProofMalformed::Header),
        (change("proof@v1\n", "proof@v1\r\n"), ProofMalformed::Header),
        (change("index 6", "index 06"), ProofMalformed::Index),
        (change("index 6", "index  6"), ProofMalformed::Index),
        (change("index 6\n", ""), ProofMalformed::Index),
        (
            change("index 6", "index 9223372036854775807"),
            ProofMalformed::Index,
        ),
        (
            change("index 6", "extra AA\nindex 6"),
            ProofMalformed::Extra,
        ),
        (
            change("index 6", "extra AA==\nextra AA==\nindex 6"),
            ProofMalformed::Index,
        ),
        (
            change("index 6", "index 6\nextra AA=="),
            ProofMalformed::Hashes,
        ),
        (
            change(&first_hash, &first_hash[1..]),
            ProofMalformed::Hashes,
        ),
        (
            change(&format!("{first_hash}\n"), &many),
            ProofMalformed::Hashes,
        ),
        (change("\n\nnode", "\nnode"), ProofMalformed::Hashes),
        (
            format!("{good}\n"),
            ProofMalformed::Note(NoteMalformed::NoSignature),
        ),
        (
            change("\n11\n", "\n011\n"),
            ProofMalformed::Checkpoint(CheckpointMalformed::Size),
        ),
    ];
    for (text, refused) in cases {
        assert_eq!(TlogProof::parse(&text), Err(refused), "{text}");
    }
    for end in (0..good.len()).filter(|&end| good.is_char_boundary(end)) {
        // Cutting a whole last signature line off leaves a proof with one signature less.
        if let Ok(cut) = TlogProof::parse(&good[..end]) {
            assert!(cut.verify(leaf(), &log_key(), &quorum(1)).is_err());
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_or_round_trips(text in any::<String>()) {
        prop_assert!(TlogProof::parse(&text).is_err());
        let framed = format!("{HEADER}\nindex 0\n\n{text}");
        if let Ok(proof) = TlogProof::parse(&framed) {
            prop_assert_eq!(proof.to_string(), framed);
        }
    }

    #[test]
    fn a_changed_proof_shows_the_same_or_nothing(
        position in any::<prop::sample::Index>(),
        byte in 0..0x80_u8,
    ) {
        let good = proof(&[0, 1]);
        let mut bytes = good.to_string().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let Ok(read) = TlogProof::parse(&text) else { return Ok(()) };
        prop_assert_eq!(read.to_string(), text);
        if let Ok(shown) = read.verify(leaf(), &log_key(), &quorum(1)) {
            let expected = good.verify(leaf(), &log_key(), &quorum(1)).unwrap();
            prop_assert_eq!(shown.checkpoint, expected.checkpoint);
            prop_assert!(shown.cosigned.iter().all(|one| expected.cosigned.contains(one)));
        }
    }

    #[test]
    fn a_made_up_proof_is_refused_without_panic(
        index in any::<u64>(),
        hashes in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70),
        checkpoint in any::<String>(),
    ) {
        let signed = TlogProof { extra: None, index, hashes, checkpoint: proof(&[0]).checkpoint };
        prop_assert!(signed.verify(leaf(), &log_key(), &quorum(1)).is_err());
        let unsigned = TlogProof { checkpoint, ..signed };
        prop_assert!(unsigned.verify(leaf(), &log_key(), &quorum(1)).is_err());
    }
}
