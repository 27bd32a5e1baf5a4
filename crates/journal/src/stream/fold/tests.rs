//! Each check of a frame, by a frame that fails it alone; and that operation and recovery give the same state.

use lingqu_core::ErrorCode;
use lingqu_core::record::{Draft, Record};
use lingqu_tlog::{Frontier, Intl};

use super::super::replay;
use super::super::world::*;
use super::*;
use lingqu_tlog::{Ed25519Signer, KeyName, VerifierKey, sign_note};

/// A frame as a stage would make it, with one thing spoiled.
struct Made {
    origin: &'static str,
    first: u64,
    records: Vec<Record>,
    signer: Ed25519Signer,
    spoil_root: bool,
    spoil_entry: bool,
}

fn draft() -> Draft {
    let mut draft = Draft::new(Kind::Call);
    draft.clear = draft
        .clear
        .text(Field::Grant, "grant_1")
        .text(Field::Environment, "PROD")
        .number(Field::Units, 1);
    draft
}

fn record(origin: &str, index: u64, time: i64) -> Record {
    draft().at(StreamId::of::<Intl>(origin), index, Timestamp(time))
}

fn good() -> Made {
    Made {
        origin: ORIGIN,
        first: 1,
        records: vec![record(ORIGIN, 1, 11), record(ORIGIN, 2, 12)],
        signer: signer(),
        spoil_root: false,
        spoil_entry: false,
    }
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let mut tree = Frontier::<Intl>::new();
        if self.first > 0 {
            tree.push(leaf_hash::<Intl>(&record(ORIGIN, 0, 10).encode::<Intl>()));
        }
        let mut entries: Vec<_> = self.records.iter().map(Record::encode::<Intl>).collect();
        if self.spoil_entry {
            entries[1].truncate(100);
        }
        for entry in &entries {
            tree.push(leaf_hash::<Intl>(entry));
        }
        let mut root = tree.root();
        root.0[0] ^= u8::from(self.spoil_root);
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size: self.first + entries.len() as u64,
            root,
        };
        let name = KeyName::parse(ORIGIN).unwrap();
        let signature = sign_note::<Intl>(&checkpoint.to_text(), &name, &self.signer).unwrap();
        let mut bytes = Vec::new();
        Payload {
            stream: StreamId::of::<Intl>(self.origin),
            first: self.first,
            root,
            signature: &signature.blob,
            entries: entries.iter().map(Vec::as_slice).collect(),
        }
        .write(&mut bytes);
        bytes
    }

    fn replayed(&self) -> Result<Applied, FoldRefused> {
        let key = VerifierKey::<Intl>::note(
            KeyName::parse(ORIGIN).unwrap(),
            lingqu_tlog::Signer::public_key(&signer()),
        )
        .unwrap();
        let mut fold = Fold::new(ORIGIN, &small_limits());
        let before = Made {
            first: 0,
            records: vec![record(ORIGIN, 0, 10)],
            ..good()
        };
        replay(&mut fold, &key, &before.bytes()).unwrap();
        replay(&mut fold, &key, &self.bytes())
    }
}

type Spoil = fn(&mut Made);

#[test]
fn a_frame_takes_effect_only_if_everything_about_it_fits() {
    let applied = good().replayed().unwrap();
    let expected = Applied {
        end: 3,
        calls: 2,
        oldest_call: Some(Timestamp(11)),
    };
    assert_eq!(applied, expected);
    let cases: &[(&str, Spoil)] = &[
        ("Stream", |f| f.origin = "other"),
        ("Stream", |f| f.records[1] = record("other", 2, 12)),
        ("Place", |f| f.first = 2),
        ("Place", |f| f.records.clear()),
        ("Place", |f| f.records[1] = record(ORIGIN, 3, 12)),
        ("Time", |f| f.records[1] = record(ORIGIN, 2, 11)),
        ("Time", |f| f.records[0] = record(ORIGIN, 1, 10)),
        ("Record", |f| f.spoil_entry = true),
        ("Unchargeable", |f| {
            f.records[1].draft.clear = Default::default()
        }),
        ("Root", |f| f.spoil_root = true),
        ("Signature", |f| f.signer = mirror_signer()),
    ];
    for (refusal, spoil) in cases {
        let mut frame = good();
        spoil(&mut frame);
        let error = format!("{:?}", frame.replayed().unwrap_err());
        assert!(error.starts_with(refusal), "{error} instead of {refusal}");
    }
}

#[test]
fn a_frame_whose_order_was_changed_is_refused() {
    let mut frame = good();
    frame.records.swap(0, 1);
    assert!(frame.replayed().is_err());
}

#[test]
fn what_a_restart_knows_is_what_operation_knew() {
    let world = World::new();
    let journal = world.ready();
    block_on(async {
        for call in 0..70 {
            let grant = if call % 3 == 0 { "grant_2" } else { "grant_1" };
            let terms = Terms {
                grant,
                ..Terms::default()
            };
            super::super::world::record(&journal, call, &terms)
                .await
                .unwrap();
            if call % 10 == 0 {
                let mut change = Draft::new(Kind::AuthorizationChange);
                change.clear = change
                    .clear
                    .number(Field::Epoch, 100 - call)
                    .number(Field::StopNumber, call);
                journal.append(change).await.unwrap();
                let _ = journal
                    .deny::<u64>(denial("party_x", ErrorCode::Stopped))
                    .await;
            }
            world.clock.advance(std::time::Duration::from_secs(3_600));
        }
    });
    let state = |journal: &super::super::Journal| {
        let grants =
            ["grant_1", "grant_2"].map(|grant| journal.usage(&grant.parse().unwrap(), START));
        let seen: Vec<_> = (0..72)
            .map(|call| journal.seen(&header(call, "party_bank"), &"grant_1".parse().unwrap()))
            .collect();
        (
            journal.checkpoint(),
            journal.size(),
            journal.time_floor(),
            (journal.epoch_floor(), journal.stop_floor()),
            grants,
            seen,
            journal.audit_ready(LAGGED),
            journal.clock_state(),
        )
    };
    let live = state(&journal);
    assert_eq!(live.3, (100, 60));
    assert_eq!(live.4[0].total + live.4[1].total, 70);
    assert!(live.5.contains(&super::super::Seen::Same) && live.5[71] == super::super::Seen::New);
    journal.close();
    let reopened = world.ready();
    // Closing wrote the counts of the denials, which are none here: each had a minute of its own.
    assert_eq!(state(&reopened), live);
}
