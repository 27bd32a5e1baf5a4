//! Steps that somebody would like to be believed. The testkit stands above this crate, so the streams are made here.

use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, RecentTree, Signer, sign_cosignature,
    sign_note,
};

use super::*;
use crate::forward::Forward;
use crate::record::{Draft, Kind};

const OLD: &str = "c.example/s/n/45/2026h2";
const NEXT: &str = "c.example/s/n/45/2027h1";
const MIRROR: &str = "c.example/mirror";
const BALANCES: &[u8] = b"balances";

fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn key(origin: &str, seed: u8) -> VerifierKey<Intl> {
    VerifierKey::note(name(origin), signer(seed).public_key()).unwrap()
}

fn end(next: &str, seed: u8) -> StreamEnd {
    StreamEnd {
        order: vec![1],
        next_key: key(next, seed).to_string(),
        forward_records: 1,
        forward_digest: Forward::digest::<Intl>(BALANCES),
    }
}

/// The receipt of the last of these drafts in the old stream, signed with the key of `seed`.
fn receipt(drafts: Vec<Draft>, seed: u8, is_cosigned: bool) -> Receipt {
    let mut tree = RecentTree::<Intl>::from_frontier(Frontier::new());
    let mut entry = Vec::new();
    for (draft, index) in drafts.into_iter().zip(0_u32..) {
        let time = Timestamp(10 + i64::from(index));
        let id = StreamId::of::<Intl>(OLD);
        entry = draft.at(id, u64::from(index), time).encode::<Intl>();
        tree.push(leaf_hash::<Intl>(&entry));
    }
    let size = tree.size();
    let checkpoint = Checkpoint {
        origin: OLD.to_owned(),
        size,
        root: tree.root(),
    };
    let text = checkpoint.to_text();
    let mut signatures = vec![sign_note::<Intl>(&text, &name(OLD), &signer(seed)).unwrap()];
    if is_cosigned {
        let line = sign_cosignature::<Intl>(&text, &name(MIRROR), 1, &signer(9));
        signatures.push(line.unwrap());
    }
    Receipt {
        entry,
        index: size - 1,
        proof: tree.inclusion_proof(size - 1, size).unwrap(),
        checkpoint,
        signatures,
        head: None,
    }
}

fn ended() -> Receipt {
    let last = Succession::End(end(NEXT, 2)).draft();
    receipt(vec![Draft::new(Kind::NodeStart), last], 1, true)
}

fn begin(receipt: &Receipt) -> StreamBegin {
    StreamBegin {
        previous_key: key(OLD, 1).to_string(),
        previous_end: receipt.tlog_proof().to_string().into_bytes(),
        forward_records: 1,
        forward_digest: Forward::digest::<Intl>(BALANCES),
    }
}

fn first(begin: StreamBegin, origin: &str, time: i64) -> Vec<u8> {
    let id = StreamId::of::<Intl>(origin);
    let draft = Succession::Begin(begin).draft();
    draft.at(id, 0, Timestamp(time)).encode::<Intl>()
}

fn trust() -> Trust<Intl> {
    let mirror = VerifierKey::<Intl>::cosignature(name(MIRROR), signer(9).public_key());
    let (log, mirror) = (key(OLD, 1), mirror.unwrap());
    Trust::parse(&format!("log {log}\nwitness m {mirror}\nquorum m\n")).unwrap()
}

#[test]
fn the_step_is_taken_with_the_first_record_alone() {
    let record = first(begin(&ended()), NEXT, 100);
    for trust in [trust(), trust().without_quorum()] {
        let link = Link::prove(&trust, &record).unwrap();
        assert_eq!((&link.previous, &link.next), (&key(OLD, 1), &key(NEXT, 2)));
        assert_eq!((link.end_index, link.ended), (1, Timestamp(11)));
        let more = trust.with_log(link.next.clone()).unwrap();
        assert_eq!(more.log(NEXT), Some(&link.next));
        assert!(more.with_log(key(NEXT, 3)).is_none(), "a log has one key");
    }
}

#[test]
fn nobody_else_takes_it() {
    let good = begin(&ended());
    let not_the_end = receipt(vec![Draft::new(Kind::NodeStart)], 1, true);
    let other_key = receipt(vec![Succession::End(end(NEXT, 2)).draft()], 3, true);
    let not_cosigned = receipt(vec![Succession::End(end(NEXT, 2)).draft()], 1, false);
    let elsewhere = end("c.example/s/n/44/2027h1", 2);
    let elsewhere = receipt(vec![Succession::End(elsewhere).draft()], 1, true);
    let less = StreamBegin {
        forward_digest: Forward::digest::<Intl>(b"less"),
        ..good.clone()
    };
    let stranger = StreamBegin {
        previous_key: key(OLD, 3).to_string(),
        ..begin(&other_key)
    };
    for (begin, origin, time, why) in [
        (begin(&not_the_end), NEXT, 100, "no end"),
        (begin(&other_key), NEXT, 100, "signed by another key"),
        (stranger, NEXT, 100, "another key under the same name"),
        (begin(&not_cosigned), NEXT, 100, "the mirror never had it"),
        (begin(&elsewhere), "c.example/s/n/44/2027h1", 100, "region"),
        (
            good.clone(),
            "c.example/s/n/45/2027h2",
            100,
            "another stream",
        ),
        (less, NEXT, 100, "brings less forward"),
        (good, NEXT, 11, "before the end"),
    ] {
        let record = first(begin, origin, time);
        assert!(Link::prove(&trust(), &record).is_err(), "{why}");
    }
}

/// A record of the end that is not the last one: the stream went on after it.
#[test]
fn an_end_with_records_behind_it_is_none() {
    let drafts = vec![
        Succession::End(end(NEXT, 2)).draft(),
        Draft::new(Kind::Heartbeat),
    ];
    let later = receipt(drafts, 1, true);
    let only = receipt(vec![Succession::End(end(NEXT, 2)).draft()], 1, true);
    let shown = Receipt {
        entry: only.entry.clone(),
        index: 0,
        proof: vec![leaf_hash::<Intl>(&later.entry)],
        ..later
    };
    shown.verify(&trust()).expect("it is in the log");
    let record = first(begin(&shown), NEXT, 100);
    let refused = Link::prove(&trust(), &record).map(drop);
    assert_eq!(refused, Err(NotSucceeded::NotTheEnd.into()));
}
