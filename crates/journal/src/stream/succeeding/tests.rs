use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::{Draft, Kind, RecordView, StreamId};
use lingqu_core::succession::next_key;
use lingqu_core::{Clock, ErrorCode, GrantId};
use lingqu_policy::MicroRho;
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer};

use super::super::calls::Seen;
use super::super::debiting::DpCharge;
use super::super::options::{JournalLimits, JournalOptions, OpenError};
use super::super::reconcile::Reconciled;
use super::super::subjects::SubjectUse;
use super::super::world::{
    ORIGIN, START, Terms, World, block_on, cosigned, end_by, evaluated, header, permitted, record,
    trust,
};
use super::*;

const NEXT: &str = "coord.example/s/node-a/45/2027h1";

fn next_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([3; 32])
}

fn key_of(origin: &str) -> VerifierKey<Intl> {
    VerifierKey::note(KeyName::parse(origin).unwrap(), next_signer().public_key()).unwrap()
}

/// The stream that follows, on a disk of its own.
struct Next(World);

impl Next {
    fn new(of: &World) -> Next {
        let mut next = World::new();
        next.clock = of.clock.clone();
        next.limits = JournalLimits {
            recent_bytes_max: 256 << 10,
            ..of.limits.clone()
        };
        Next(next)
    }

    fn options(&self) -> JournalOptions {
        JournalOptions {
            origin: NEXT.to_owned(),
            signer: std::sync::Arc::new(next_signer()),
            follows: true,
            ..self.0.options()
        }
    }

    fn open(&self) -> Result<Journal, OpenError> {
        Journal::open(self.options(), Box::new(self.0.disk.store()))
    }

    /// Opened and compared with a mirror that has nothing.
    fn compared(&self) -> Journal {
        let journal = self.open().unwrap();
        assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
        journal
    }
}

fn ended(world: &World, journal: &Journal) -> Predecessor {
    journal
        .end_stream(end_by(b"order", &key_of(NEXT), START))
        .unwrap();
    assert_eq!(journal.predecessor(), None, "the mirror has not cosigned");
    world.cosign_newest(journal);
    journal.predecessor().unwrap()
}

fn subject() -> SubjectUse {
    SubjectUse {
        tag: [8; 16],
        ends: START.plus(std::time::Duration::from_secs(86_400)),
    }
}

/// Some calls, a debit, an epoch, a stop and a limited subject.
fn busy(world: &World) -> Journal {
    let journal = world.ready();
    block_on(async {
        for call in 0..5 {
            record(&journal, call, &Terms::default()).await.unwrap();
        }
        let terms = Terms {
            grant: "grant_dp",
            ..Terms::default()
        };
        let call = permitted(9, &terms);
        let mut charge = journal.reserve(call.permit()).unwrap();
        world.cosign_newest(&journal);
        journal.set_mirror_connected(0, true);
        let debit = DpCharge {
            space: "person".to_owned(),
            rho: MicroRho(40),
            space_limit: MicroRho(100),
            from_store: false,
        };
        let _debited = journal.debit(&mut charge, debit).await.unwrap();
        journal.record(evaluated(call), charge).await.unwrap();
        let mut change = Draft::new(Kind::AuthorizationChange);
        change.clear = change
            .clear
            .number(lingqu_core::record::Field::Epoch, 12)
            .number(lingqu_core::record::Field::StopNumber, 4);
        journal.append(change).await.unwrap();
    });
    journal
}

fn grant(name: &str) -> GrantId {
    name.parse().unwrap()
}

#[test]
fn what_was_spent_counts_on_in_the_next_stream() {
    let world = World::new();
    let old = busy(&world);
    let predecessor = ended(&world, &old);
    let used = old.usage(&grant("grant_1"), START);
    assert_eq!((used.today, used.total), (5, 5));
    let next = Next::new(&world);
    let journal = next.compared();
    assert!(journal.awaits_beginning());
    journal.begin(&predecessor).unwrap();
    assert!(journal.reconciled() && !journal.awaits_beginning());
    assert_eq!(journal.usage(&grant("grant_1"), START), used);
    assert_eq!(journal.spent_on("person", true), MicroRho(40));
    assert_eq!(journal.epoch_floor(), 12);
    assert_eq!(journal.stop_floor(), 4);
    assert!(journal.time_floor() > old.time_floor());
    // The call ids of before bind to their requests.
    let known = header(3, "party_bank");
    assert_eq!(journal.seen(&known, &grant("grant_1")), Seen::Same);
    let few = Terms {
        per_day: 5,
        ..Terms::default()
    };
    let refused = journal.reserve(permitted(20, &few).permit());
    assert_eq!(refused.map(drop), Err(ErrorCode::QuotaExhausted));
    // And after a restart, from the new stream alone.
    drop(journal);
    let journal = next.compared();
    assert!(journal.reconciled());
    assert_eq!(journal.usage(&grant("grant_1"), START), used);
    assert_eq!(journal.spent_on("person", true), MicroRho(40));
}

#[test]
fn the_end_is_the_last_record_and_says_what_follows() {
    let world = World::new();
    let old = busy(&world);
    let refused = block_on(async {
        let call = permitted(30, &Terms::default());
        let charge = old.reserve(call.permit()).unwrap();
        let (one, other) = (old.clone(), old.clone());
        let ending = tokio::task::spawn_blocking(move || {
            one.end_stream(end_by(b"order", &key_of(NEXT), START))
                .unwrap()
        });
        ending.await.unwrap();
        // A call that was under way when the stream ended is not answered.
        other.record(evaluated(call), charge).await.map(drop)
    });
    assert_eq!(refused, Err(AppendFailed::Ended));
    assert_eq!(
        block_on(old.append(Draft::new(Kind::Heartbeat))),
        Err(AppendFailed::Ended)
    );
    assert_eq!(
        old.end_stream(end_by(b"again", &key_of(NEXT), START)),
        Err(EndFailed::Append(AppendFailed::Ended))
    );
    world.cosign_newest(&old);
    let predecessor = old.predecessor().unwrap();
    let receipt = Receipt::from_tlog_proof(&predecessor.end).unwrap();
    let proven = receipt.verify::<Intl>(&trust()).unwrap();
    assert_eq!(proven.level, Level::Mirrored);
    let view = RecordView::read::<Intl>(&receipt.entry).unwrap();
    let Some(Succession::End(end)) = Succession::of(&view).unwrap() else {
        panic!("the last record is no end");
    };
    assert_eq!(end.order, b"order");
    let place = (receipt.index, receipt.checkpoint.size);
    assert_eq!(next_key::<Intl>(ORIGIN, &end, place), Ok(key_of(NEXT)));
    // It is so after a restart too.
    drop(old);
    let old = world.open().unwrap();
    let note = old.checkpoint().unwrap();
    let shown = cosigned(&note, world.clock.now());
    assert_eq!(old.reconcile(0, Some(&shown)), Ok(Reconciled::Ready));
    assert!(old.has_ended() && !old.reconciled());
    assert_eq!(old.predecessor(), Some(predecessor));
}

#[test]
fn a_stream_that_cannot_follow_is_refused_and_nothing_ends() {
    let world = World::new();
    let journal = world.ready();
    for origin in [ORIGIN, "coord.example/s/node-b/45/2027h1", "2027h1"] {
        let refused = journal.end_stream(end_by(&[1], &key_of(origin), START));
        assert_eq!(refused, Err(EndFailed::Append(AppendFailed::Kind)));
    }
    assert!(journal.reconciled());
}

/// What the mirror would refuse is not written: after the refusal the stream goes on as if nothing had been asked.
#[test]
fn an_end_that_would_not_hold_is_never_made() {
    let world = World::new();
    let journal = world.ready();
    let append = || block_on(journal.append(Draft::new(Kind::Heartbeat)));
    let before = append().unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let told = seen.clone();
    let order = EndOrder {
        check: Box::new(move |entry, after| {
            *told.lock().unwrap() = Some((entry.to_vec(), after));
            Err("not like this".to_owned())
        }),
        ..end_by(b"order", &key_of(NEXT), START)
    };
    let refused = journal.end_stream(order);
    assert_eq!(refused, Err(EndFailed::Refused("not like this".to_owned())));
    // What was judged is the finished record in its place, after the one before it.
    let (entry, after) = seen.lock().unwrap().take().unwrap();
    let view = RecordView::read::<Intl>(&entry).unwrap();
    assert_eq!(
        (view.kind(), view.index()),
        (Kind::StreamEnd, journal.size())
    );
    assert!(view.time() > after && after == journal.time_floor());
    assert!(journal.reconciled() && !journal.has_ended());
    assert_eq!(append().unwrap(), before + 1);
    drop(journal);
    let journal = world.ready();
    assert_eq!(journal.predecessor(), None);
    ended(&world, &journal);
}

#[test]
fn nothing_is_recorded_before_the_beginning_is_whole() {
    let world = World::new();
    let predecessor = ended(&world, &busy(&world));
    let next = Next::new(&world);
    let journal = next.compared();
    let append = |journal: &Journal| block_on(journal.append(Draft::new(Kind::Heartbeat)));
    assert_eq!(append(&journal), Err(AppendFailed::NotBegun));
    let refused = journal.reserve(permitted(1, &Terms::default()).permit());
    assert_eq!(refused.map(drop), Err(ErrorCode::AuditUnavailable));
    // A stream that follows none does not wait for anything.
    let first = world.open().unwrap();
    assert_eq!(first.begin(&predecessor), Err(BeginRefused::NotAwaited));
    // Balances that no stream ended with.
    let torn = Predecessor {
        forward: predecessor.forward[1..].to_vec(),
        ..predecessor.clone()
    };
    assert_eq!(journal.begin(&torn), Err(BeginRefused::Other));
    journal.begin(&predecessor).unwrap();
    assert!(append(&journal).is_ok());
    assert_eq!(journal.begin(&predecessor), Err(BeginRefused::NotAwaited));
}

#[test]
fn a_beginning_that_was_cut_off_is_completed_by_the_same_stream_alone() {
    let world = World::new();
    let old = busy(&world);
    let many = (0..4_000_u64).map(|call| lingqu_core::forward::CallMade {
        key: Intl::digest(&[&call.to_be_bytes()]),
        tag: [1; 16],
    });
    old.inner.shared.lock().fold.calls.bring(many.collect());
    let whole = ended(&world, &old);
    let mut balances = Forward::decode(&whole.forward).unwrap();
    let time = balances.time;
    let next = Next::new(&world);
    // One part of four is durable, and the process ends.
    {
        let journal = next.compared();
        let begin = StreamBegin {
            previous_key: whole.key.clone(),
            previous_end: whole.end.clone().into_bytes(),
            forward_records: Forward::parts(&whole.forward).len() as u64,
            forward_digest: Forward::digest::<Intl>(&whole.forward),
        };
        assert_eq!(begin.forward_records, 4);
        let part = Forward::parts(&whole.forward).next().unwrap();
        let some = [Succession::Begin(begin), Succession::Forward(part.to_vec())];
        let later = Timestamp(time.0 + 1);
        journal.record_beginning(&some, later).unwrap();
        assert_eq!(journal.size(), 2);
    }
    let journal = next.compared();
    assert!(journal.awaits_beginning());
    balances.epoch += 1;
    let other = Predecessor {
        forward: balances.encode(),
        ..whole.clone()
    };
    assert_eq!(journal.begin(&other), Err(BeginRefused::Other));
    journal.begin(&whole).unwrap();
    assert_eq!(journal.size(), 5);
    assert!(journal.reconciled());
    let stream = StreamId::of::<Intl>(NEXT);
    assert_eq!(journal.inner.shared.stream, stream);
    let batch = block_on(journal.next_batch(0)).unwrap();
    assert!(!batch.entries.is_empty());
}

#[test]
fn a_log_that_says_other_balances_than_its_records_is_not_opened() {
    use crate::frame::LogId;
    use crate::stream::payload::Payload;
    use crate::wal::{Wal, WalOptions};
    use lingqu_core::succession::StreamEnd;
    use lingqu_tlog::{Checkpoint, Frontier, leaf_hash, sign_note};

    let world = World::new();
    let stream = StreamId::of::<Intl>(ORIGIN);
    let end = Succession::End(StreamEnd {
        order: b"order".to_vec(),
        next_key: key_of(NEXT).to_string(),
        forward_records: 1,
        forward_digest: Forward::digest::<Intl>(b"others"),
    });
    let entry = end.draft().at(stream, 0, START).encode::<Intl>();
    let mut tree = Frontier::<Intl>::new();
    tree.push(leaf_hash::<Intl>(&entry));
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 1,
        root: tree.root(),
    };
    let name = KeyName::parse(ORIGIN).unwrap();
    let signer = super::super::world::signer();
    let signed = sign_note::<Intl>(&checkpoint.to_text(), &name, &signer).unwrap();
    let payload = Payload {
        stream,
        first: 0,
        root: tree.root(),
        signature: &signed.blob,
        entries: vec![&entry],
    };
    let mut bytes = Vec::new();
    payload.write(&mut bytes);
    let options = WalOptions {
        log: LogId(stream.0),
        segment_len: world.limits.segment_len,
        payload_len_max: world.limits.frame_bytes_max,
    };
    let store: std::sync::Arc<dyn crate::store::Store> = std::sync::Arc::new(world.disk.store());
    let mut wal = Wal::open(store, options, |_| Ok::<(), FoldNever>(())).unwrap();
    wal.append(&bytes).unwrap();
    drop(wal);
    let refused = world.open().map(drop).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Corrupt(why) if why.contains("balances")),
        "{refused}"
    );
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct FoldNever;

#[test]
fn subjects_are_counted_on_until_their_window_ends() {
    let world = World::new();
    let old = world.ready();
    let asked = super::super::subjects::Asked {
        subject: subject(),
        grant: grant("grant_1"),
    };
    old.inner
        .shared
        .lock()
        .fold
        .subjects
        .fold(START, Some(&asked));
    let current = old.inner.shared.lock().fold.forward(START);
    assert_eq!(current.subjects.len(), 1);
    assert_eq!(current.subjects[0].grants, [(grant("grant_1"), 1)]);
    let later = subject().ends.plus(std::time::Duration::from_secs(601));
    assert_eq!(old.inner.shared.lock().fold.forward(later).subjects, []);
    let mut other = super::super::subjects::Subjects::new(8);
    other.bring(current.subjects);
    let limit = lingqu_policy::SubjectLimit::new(1, 24);
    let refused = other.reserve(&asked, limit.unwrap(), START);
    assert_eq!(refused, Err(ErrorCode::SubjectLimitReached));
}

#[test]
fn what_is_written_down_is_believed_only_with_the_old_streams_proof() {
    let world = World::new();
    let good = ended(&world, &busy(&world));
    let mut less = Forward::decode(&good.forward).unwrap();
    less.grants.clear();
    let proof = |change: &dyn Fn(&str) -> String| Predecessor {
        end: change(&good.end),
        ..good.clone()
    };
    let others = [
        Predecessor {
            forward: less.encode(),
            ..good.clone()
        },
        Predecessor {
            key: key_of(ORIGIN).to_string(),
            ..good.clone()
        },
        proof(&|_| String::new()),
        // Without the mirror's cosignature, which is the last line.
        proof(&|end| {
            let at = end.trim_end().rfind('\n').unwrap();
            end[..=at].to_owned()
        }),
    ];
    for other in others {
        let journal = Next::new(&world).compared();
        assert_eq!(journal.begin(&other), Err(BeginRefused::Other));
        assert_eq!(journal.size(), 0);
    }
    // The right one, but for another stream than it names.
    let next = Next::new(&world);
    let options = JournalOptions {
        origin: NEXT.replace("2027h1", "2027h2"),
        ..next.options()
    };
    let journal = Journal::open(options, Box::new(next.0.disk.store())).unwrap();
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
    assert_eq!(journal.begin(&good), Err(BeginRefused::Other));
}

#[test]
fn an_order_that_no_record_has_room_for_ends_nothing() {
    let world = World::new();
    let journal = world.ready();
    for order in [Vec::new(), vec![7; ORDER_LEN_MAX + 1]] {
        let refused = journal.end_stream(end_by(&order, &key_of(NEXT), START));
        assert_eq!(refused, Err(EndFailed::Append(AppendFailed::Kind)));
    }
    assert!(journal.reconciled());
    let full = vec![7; ORDER_LEN_MAX];
    let full = end_by(&full, &key_of(NEXT), START);
    journal.end_stream(full).unwrap();
    drop(journal);
    assert!(world.open().is_ok());
}

#[test]
fn the_end_is_never_dated_before_the_order_is_due() {
    let world = World::new();
    let journal = world.ready();
    // The mirror's clock is ahead of ours, within what is tolerated: by its time the order is due.
    let due = START.plus(std::time::Duration::from_secs(20));
    journal
        .end_stream(end_by(b"order", &key_of(NEXT), due))
        .unwrap();
    assert_eq!(journal.time_floor(), due);
}

#[test]
fn a_stream_in_the_middle_of_its_beginning_takes_nothing_else_whatever_it_is_opened_as() {
    let world = World::new();
    let whole = ended(&world, &busy(&world));
    let next = Next::new(&world);
    {
        let journal = next.compared();
        let begin = StreamBegin {
            previous_key: whole.key.clone(),
            previous_end: whole.end.clone().into_bytes(),
            forward_records: 1,
            forward_digest: Forward::digest::<Intl>(&whole.forward),
        };
        let time = Forward::decode(&whole.forward).unwrap().time;
        let later = Timestamp(time.0 + 1);
        journal
            .record_beginning(&[Succession::Begin(begin)], later)
            .unwrap();
    }
    let options = JournalOptions {
        follows: false,
        ..next.options()
    };
    let journal = Journal::open(options, Box::new(next.0.disk.store())).unwrap();
    assert_eq!(journal.reconcile(0, None), Ok(Reconciled::Ready));
    assert!(journal.awaits_beginning() && !journal.reconciled());
    journal.begin(&whole).unwrap();
    assert!(journal.reconciled());
}
