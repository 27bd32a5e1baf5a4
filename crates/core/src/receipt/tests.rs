//! A file of several receipts: it reads back as it was, and nothing else reads at all.

use lingqu_tlog::{Ed25519Signer, Intl, KeyName, RecentTree, Signer, VerifierKey, sign_note};

use super::*;
use crate::record::{Draft, Kind};

const ORIGIN: &str = "coord.example/s/n/45/2026h2";

fn receipts(count: u64) -> (Vec<Receipt>, Trust<Intl>) {
    let signer = Ed25519Signer::from_seed([7; 32]);
    let name = KeyName::parse(ORIGIN).unwrap();
    let mut tree = RecentTree::<Intl>::from_frontier(lingqu_tlog::Frontier::new());
    let entry = |index: u64| {
        let time = Timestamp(1 + i64::try_from(index).unwrap());
        let record = Draft::new(Kind::NodeStart).at(StreamId::of::<Intl>(ORIGIN), index, time);
        record.encode::<Intl>()
    };
    for index in 0..count {
        tree.push(leaf_hash::<Intl>(&entry(index)));
    }
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: count,
        root: tree.root(),
    };
    let signature = sign_note::<Intl>(&checkpoint.to_text(), &name, &signer).unwrap();
    let receipt = |index| Receipt {
        entry: entry(index),
        index,
        proof: tree.inclusion_proof(index, count).unwrap(),
        checkpoint: checkpoint.clone(),
        signatures: vec![signature.clone()],
        head: None,
    };
    let key = VerifierKey::note(name, signer.public_key()).unwrap();
    let trust = Trust::of_logs(&[key]).unwrap();
    ((0..count).map(receipt).collect(), trust)
}

#[test]
fn what_was_written_reads_back_and_proves_the_same() {
    for count in [1, 2, 9] {
        let (receipts, trust) = receipts(count);
        let text = receipts_to_text(&receipts);
        assert!(is_receipts(text.as_bytes()));
        let read = receipts_from_text(&text).unwrap();
        assert_eq!(read, receipts);
        for (receipt, index) in read.iter().zip(0..) {
            assert_eq!(receipt.verify(&trust).unwrap().record.index, index);
        }
    }
    assert_eq!(receipts_from_text(&receipts_to_text(&[])), Ok(Vec::new()));
}

/// A file that was cut, joined with another or counted otherwise is not read as less than it was.
#[test]
fn nothing_can_be_cut_off_added_or_spelled_otherwise() {
    let (receipts, _) = receipts(3);
    let text = receipts_to_text(&receipts);
    for end in 0..text.len() {
        if text.is_char_boundary(end) {
            assert!(receipts_from_text(&text[..end]).is_err(), "cut at {end}");
        }
    }
    let first = receipts[0].tlog_proof().to_string();
    let wrong = [
        format!("{text}x"),
        format!("{text}{}\n{first}", first.len()),
        text.replacen("v1\n3\n", "v1\n2\n", 1),
        text.replacen("v1\n3\n", "v1\n4\n", 1),
        text.replacen("v1\n3\n", "v1\n03\n", 1),
        text.replacen("v1\n3\n", "v1\n+3\n", 1),
        text.replacen("v1\n3\n", "v1\n-3\n", 1),
        text.replacen("v1\n3\n", "v1\n99999999999999999999\n", 1),
        text.replacen("v1\n3\n", "v1\n501\n", 1),
        text.replacen("v1\n", "v2\n", 1),
        text.replacen('\n', "\r\n", 1),
        text.replacen(
            &format!("\n{}\n", first.len()),
            "\n18446744073709551615\n",
            1,
        ),
        text.replacen(&format!("\n{}\n", first.len()), "\n0\n", 1),
    ];
    for wrong in wrong {
        assert_ne!(wrong, text);
        assert!(receipts_from_text(&wrong).is_err(), "{}", &wrong[..40]);
    }
}
