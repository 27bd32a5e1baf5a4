use proptest::prelude::*;

use super::*;
use crate::frontier::Frontier;
use crate::key::{KeyName, key_id};
use crate::note::sign_note;
use crate::oracle::{consistency, leaves, mth, signer};
use crate::suite::{Intl, Signer};

const ORIGIN: &str = "log.example/h/45";

fn key() -> VerifierKey<Intl> {
    VerifierKey::note(KeyName::parse(ORIGIN).unwrap(), signer(1).public_key()).unwrap()
}

fn signed(size: u64, root: Hash, by: u8) -> String {
    let text = Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root,
    }
    .to_text();
    let name = KeyName::parse(ORIGIN).unwrap();
    let signature = sign_note::<Intl>(&text, &name, &signer(by)).unwrap();
    Note {
        text,
        signatures: vec![signature],
    }
    .to_string()
}

fn checkpoint(size: u64) -> Checkpoint {
    let root = mth(&leaves(size));
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root,
    }
}

fn request(old: u64, new: u64) -> AddCheckpoint {
    let leaves = leaves(new);
    let proof = if old == 0 {
        Vec::new()
    } else {
        consistency(old as usize, &leaves)
    };
    AddCheckpoint {
        old_size: old,
        proof,
        checkpoint: signed(new, mth(&leaves), 1),
    }
}

fn status(request: &AddCheckpoint, latest: Option<u64>) -> u16 {
    let latest = latest.map(checkpoint);
    match judge(request, &[key()], latest.as_ref()) {
        Ok(_) => 200,
        Err(refused) => refused.status(),
    }
}

#[test]
fn the_example_of_the_specification_reads_back() {
    let body = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    let read = AddCheckpoint::parse(body.as_bytes()).unwrap();
    assert_eq!((read.old_size, read.proof.len()), (20_852_014, 4));
    assert_eq!(read.to_string(), body);
    let answer = "— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n\
        — witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==\n";
    let lines = parse_cosignatures(answer).unwrap();
    assert_eq!(encode_cosignatures(&lines), answer);
}

#[test]
fn an_honest_log_is_cosigned_step_by_step() {
    let mut latest = None;
    for (old, new) in [
        (0, 0),
        (0, 1),
        (1, 1),
        (1, 3),
        (3, 8),
        (8, 8),
        (8, 21),
        (21, 64),
    ] {
        assert_eq!(status(&request(old, new), latest), 200, "{old} to {new}");
        latest = Some(new);
    }
}

#[test]
fn the_statuses_are_those_of_the_specification() {
    let honest = request(3, 8);
    assert_eq!(status(&honest, Some(3)), 200);
    // Another log, another key, and a signature that is damaged.
    let elsewhere = judge::<Intl>(&honest, &[], None);
    assert_eq!(elsewhere.unwrap_err().status(), 404);
    let mut other = honest.clone();
    other.checkpoint = signed(8, mth(&leaves(8)), 2);
    assert_eq!(status(&other, Some(3)), 403);
    other.checkpoint = honest.checkpoint.replacen("\n8\n", "\n9\n", 1);
    assert_eq!(status(&other, Some(3)), 403);
    // Sizes: what the witness has is told, but only to whoever has a signed checkpoint.
    other = AddCheckpoint {
        old_size: 9,
        ..honest.clone()
    };
    assert_eq!(status(&other, Some(9)), 400);
    for latest in [None, Some(2), Some(5), Some(8), Some(9)] {
        let refused = judge(&honest, &[key()], latest.map(checkpoint).as_ref());
        let size = latest.unwrap_or(0);
        assert_eq!(refused, Err(WitnessRefused::OtherSize { size }));
    }
    // Proofs.
    other = honest.clone();
    other.proof.pop();
    assert_eq!(status(&other, Some(3)), 422);
    other = honest.clone();
    other.checkpoint = signed(8, Hash([7; 32]), 1);
    assert_eq!(status(&other, Some(3)), 422);
    other = request(0, 8);
    other.proof.push(Hash([7; 32]));
    assert_eq!(status(&other, None), 422);
    other = AddCheckpoint {
        checkpoint: signed(3, Hash([7; 32]), 1),
        ..request(3, 3)
    };
    assert_eq!(status(&other, Some(3)), 422);
    other = AddCheckpoint {
        checkpoint: signed(0, Hash([7; 32]), 1),
        ..request(0, 0)
    };
    assert_eq!(status(&other, None), 422);
}

#[test]
fn a_cosigners_key_is_no_logs_key() {
    let name = KeyName::parse(ORIGIN).unwrap();
    let cosigner = VerifierKey::<Intl>::cosignature(name, signer(1).public_key()).unwrap();
    let refused = judge(&request(0, 3), &[cosigner], None);
    assert_eq!(refused, Err(WitnessRefused::UnknownOrigin));
}

#[test]
fn the_request_is_also_a_proof_of_consistency_for_people() {
    let request = request(3, 8);
    assert_eq!(request.verify(&key(), mth(&leaves(3))), Ok(checkpoint(8)));
    assert!(request.verify(&key(), mth(&leaves(4))).is_err());
}

/// The trees of litewitness's own test: sizes 1, 3 and 5 over given leaf hashes.
#[test]
fn litewitness_would_answer_the_same() {
    let leaf = |index: u8| {
        let mut leaf = [0; 32];
        leaf[..2].copy_from_slice(&[0x2a, index]);
        Hash(leaf)
    };
    let leaves: Vec<Hash> = (0..5).map(leaf).collect();
    let root = |size: usize| {
        let mut tree = Frontier::<Intl>::new();
        leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    };
    let latest = |size: usize| {
        let (size, root) = (size as u64, root(size));
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root,
        }
    };
    let ask = |old: usize, new: usize| {
        let whole = &leaves[..new];
        AddCheckpoint {
            old_size: old as u64,
            proof: if old == 0 {
                Vec::new()
            } else {
                consistency(old, whole)
            },
            checkpoint: signed(new as u64, root(new), 1),
        }
    };
    assert!(judge(&ask(0, 1), &[key()], None).is_ok());
    assert!(judge(&ask(1, 3), &[key()], Some(&latest(1))).is_ok());
    let conflict = judge(&ask(1, 5), &[key()], Some(&latest(3)));
    assert_eq!(conflict.unwrap_err().status(), 409);
    assert!(judge(&ask(3, 5), &[key()], Some(&latest(3))).is_ok());
}

#[test]
fn malformed_requests_are_refused() {
    let good = request(3, 8).to_string();
    assert!(AddCheckpoint::parse(good.as_bytes()).is_ok());
    let first_hash = good.lines().nth(1).unwrap().to_owned();
    for (from, to) in [
        ("old 3", "old 03"),
        ("old 3", "old -3"),
        ("old 3", "old  3"),
        ("old 3", "Old 3"),
        ("old 3\n", "old 3\r\n"),
        ("old 3", "old 9223372036854775808"),
        (first_hash.as_str(), &first_hash[..43]),
        ("\n\nlog.example", "\nlog.example"),
        ("\n8\n", "\n08\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(AddCheckpoint::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    let line = format!("{first_hash}\n");
    let many = good.replacen(&line, &line.repeat(64), 1);
    assert_eq!(
        AddCheckpoint::parse(many.as_bytes()),
        Err(AddCheckpointMalformed::Proof)
    );
    let large = vec![b'a'; MAX_ADD_CHECKPOINT_BYTES + 1];
    assert_eq!(
        AddCheckpoint::parse(&large),
        Err(AddCheckpointMalformed::TooLarge)
    );
    assert!(AddCheckpoint::parse(b"old 0\n\xff\n").is_err());
    for text in [
        "",
        "\n",
        "8",
        "08\n",
        "8\n\n",
        " 8\n",
        "9223372036854775808\n",
    ] {
        assert_eq!(parse_size(text), None, "{text:?}");
    }
    assert_eq!(parse_size(&encode_size(8)), Some(8));
    for text in ["", "\n", "— a b", "x\n", "— log.example AAAAAAA=\n\n"] {
        assert_eq!(parse_cosignatures(text), None, "{text:?}");
    }
}

#[test]
fn the_key_id_is_the_one_that_a_third_party_computes() {
    // signed-note: SHA-256 over name, newline, type and key.
    let id = key_id::<Intl>(key().name(), KeyKind::Note, signer(1).public_key());
    assert_eq!(id, key().id());
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in any::<Vec<u8>>()) {
        prop_assert!(AddCheckpoint::parse(&body).is_err());
    }

    #[test]
    fn whatever_is_read_is_written_so(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = request(3, 8).to_string().into_bytes();
        let place = at.index(body.len());
        body[place] = byte;
        if let Ok(read) = AddCheckpoint::parse(&body) {
            prop_assert_eq!(read.to_string().into_bytes(), body);
        }
    }

    #[test]
    fn never_two_roots_of_one_size(size in 1_u64..30, old in 0_u64..30, root in any::<[u8; 32]>()) {
        // Whatever proof comes along, a witness that cosigned a size does not cosign another root.
        let mut forged = request(old.min(size), size);
        forged.checkpoint = signed(size, Hash(root), 1);
        prop_assert_ne!(status(&forged, Some(size)), 200);
    }
}
