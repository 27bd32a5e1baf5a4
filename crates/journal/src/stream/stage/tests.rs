//! The journal's failure table: each durable step fails in each way, the clock goes back, and what was acknowledged
//! holds.

use std::time::Duration;

use lingqu_core::record::{Draft, Field, Kind, Record, StreamId};
use lingqu_core::{Clock as _, ErrorCode, Timestamp};
use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::super::options::DRAFT_LEN_MAX;
use super::super::world::*;
use super::super::{AppendFailed, Journal, Recorded, Seen};
use super::*;
use crate::store::faulty::{Fault, SECTOR};

const CALLS: u64 = 6;

/// What was acknowledged before the fault: calls, and a signed checkpoint that was shown.
#[derive(Default)]
struct Acknowledged {
    calls: Vec<u64>,
    size: u64,
    checkpoint: Option<String>,
}

/// Records calls and refusals until something fails.
fn run(world: &World) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let Ok(journal) = world.open() else {
        return acknowledged;
    };
    journal.reconcile(0, None).unwrap();
    block_on(async {
        for call in 0..CALLS {
            let seen = journal.seen(&header(call, "party_bank"), &"grant_1".parse().unwrap());
            if seen == Seen::New {
                match record(&journal, call, &Terms::default()).await {
                    Ok(_) => acknowledged.calls.push(call),
                    Err(error) => {
                        assert_eq!(error, AppendFailed::Failed);
                        // Nothing more is acknowledged, and what was shown stays as it is.
                        let denied = journal
                            .deny::<u64>(denial("party_x", ErrorCode::Stopped))
                            .await;
                        let unavailable =
                            super::super::Outcome::Unrecorded(ErrorCode::AuditUnavailable);
                        assert_eq!(denied.into_outcome(), unavailable);
                        break;
                    }
                }
            }
            acknowledged.size = journal.size();
            acknowledged.checkpoint = journal.checkpoint();
            world.clock.advance(Duration::from_millis(1));
        }
    });
    acknowledged
}

/// What the reopened journal must hold of what was acknowledged.
fn check(world: &World, acknowledged: &Acknowledged, context: &str) {
    let journal = world
        .open()
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let grant = "grant_1".parse().unwrap();
    let same = |call: &u64| journal.seen(&header(*call, "party_bank"), &grant) == Seen::Same;
    assert!(acknowledged.calls.iter().all(same), "{context}");
    let recorded = (0..CALLS).filter(same).count() as u64;
    assert_eq!(journal.usage(&grant, START).total, recorded, "{context}");
    assert!(journal.size() >= acknowledged.size, "{context}");
    // No second history: what was signed and shown is a prefix of what is there now.
    if let Some(shown) = &acknowledged.checkpoint {
        let shown = cosigned(shown, START);
        assert!(journal.reconcile(0, Some(&shown)).is_ok(), "{context}");
    }
}

fn faults() -> Vec<Fault> {
    let frame = 4_096;
    let mut faults = vec![Fault::Before, Fault::AfterPersisting];
    faults.extend((0..=frame).step_by(SECTOR).map(Fault::Torn));
    faults.extend([1, 31, 33, 95, 130, 700].map(Fault::Torn));
    faults.extend(
        (0..8_u32).map(|lost| Fault::Sectors((0..8).map(|sector| sector != lost).collect())),
    );
    faults.extend(
        (0..8_u32).map(|kept| Fault::Sectors((0..8).map(|sector| sector == kept).collect())),
    );
    faults
}

#[test]
fn every_step_may_fail_in_every_way_and_nothing_acknowledged_is_lost() {
    let world = World::new();
    assert_eq!(run(&world).calls.len() as u64, CALLS);
    let steps = world.disk.steps();
    for step in 0..steps {
        for fault in faults() {
            let context = format!("step {step}, {fault:?}");
            let world = World::new();
            world.disk.plan(step, fault);
            let acknowledged = run(&world);
            check(&world, &acknowledged, &context);
            let after = run(&world);
            let grant = "grant_1".parse().unwrap();
            let used = world.open().unwrap().usage(&grant, START);
            assert_eq!(used.total, CALLS, "{context}: each call is charged once");
            check(&world, &after, &context);
        }
    }
}

#[test]
fn time_only_grows_whatever_the_clock_does() {
    let world = World::new();
    let journal = world.ready();
    let mut times = Vec::new();
    for (call, offset_us) in [0, 0, 5, 5, -1_999_000, -3_000_000, 10]
        .into_iter()
        .enumerate()
    {
        world.clock.set(Timestamp(START.0 + offset_us));
        let recorded = block_on(record(&journal, call as u64, &Terms::default())).unwrap();
        times.push(Record::decode::<Intl>(&recorded.entry).unwrap().time.0 - START.0);
    }
    assert_eq!(times, [0, 1, 5, 6, 7, 8, 10]);
    use lingqu_core::decide::ClockState;
    for (behind_us, state) in [
        (2_000_000, ClockState::Good),
        (2_000_001, ClockState::SetBack),
    ] {
        world.clock.set(Timestamp(START.0 + 10 - behind_us));
        assert_eq!(journal.clock_state(), state);
    }
    drop(journal);
    // The floor outlives the process.
    let journal = world.ready();
    assert_eq!(journal.clock_state(), ClockState::SetBack);
    assert_eq!(journal.time_floor(), Timestamp(START.0 + 10));
}

#[test]
fn a_record_stays_on_the_day_that_it_was_counted_on() {
    let world = World::new();
    let journal = world.ready();
    let grant = "grant_1".parse().unwrap();
    let tomorrow = Timestamp(START.0 + 86_400_000_000);
    let terms = |at| Terms {
        per_day: 1,
        at,
        ..Terms::default()
    };
    block_on(record(&journal, 1, &terms(START))).unwrap();
    // Decided when the clock said tomorrow; then the clock is set right. Dated today, it would overspend today.
    let late = block_on(record(&journal, 2, &terms(tomorrow))).unwrap();
    let time = Record::decode::<Intl>(&late.entry).unwrap().time;
    assert_eq!(time.day_utc8(), tomorrow.day_utc8());
    let used = journal.usage(&grant, tomorrow);
    assert_eq!((used.today, used.total), (1, 2));
    let more = permitted(3, &terms(START));
    assert_eq!(
        journal.reserve(more.permit()).err(),
        Some(ErrorCode::QuotaExhausted)
    );
}

#[test]
fn a_charge_is_for_one_permit_and_cannot_be_had_back() {
    let world = World::new();
    let journal = world.ready();
    let grant = "grant_1".parse().unwrap();
    let terms = Terms::default();
    let used = |expected: u64| assert_eq!(journal.usage(&grant, START).total, expected);

    // Given back while no data was touched.
    let call = permitted(1, &terms);
    drop(journal.reserve(call.permit()).unwrap());
    used(0);
    // Not given back once it was.
    let mut charge = journal.reserve(call.permit()).unwrap();
    charge.touch();
    drop(charge);
    used(1);
    // Nor when it is spent on another permit, nor when the record is abandoned unpolled.
    let other = permitted(
        2,
        &Terms {
            grant: "grant_2",
            ..terms.clone()
        },
    );
    let charge = journal.reserve(other.permit()).unwrap();
    let refused = block_on(journal.record(evaluated(call), charge));
    assert_eq!(refused.err(), Some(AppendFailed::OtherCharge));
    used(1);
    assert_eq!(journal.usage(&"grant_2".parse().unwrap(), START).total, 1);
    let call = permitted(3, &terms);
    let charge = journal.reserve(call.permit()).unwrap();
    drop(journal.record(evaluated(call), charge));
    used(2);
    let kept = journal.clone();
    kept.close();
    used(2);
    assert_eq!(journal.size(), 1, "it is on record all the same");
}

#[test]
fn a_charge_stays_spent_when_the_append_fails() {
    let world = World::new();
    let journal = world.ready();
    let call = permitted(1, &Terms::default());
    let charge = journal.reserve(call.permit()).unwrap();
    world.disk.plan(0, Fault::Before);
    assert!(block_on(journal.record(evaluated(call), charge)).is_err());
    assert_eq!(journal.usage(&"grant_1".parse().unwrap(), START).total, 1);
    let call = permitted(2, &Terms::default());
    assert_eq!(
        journal.reserve(call.permit()).err(),
        Some(ErrorCode::AuditUnavailable)
    );
    assert_eq!(
        journal.checkpoint(),
        None,
        "what was signed for the lost frame was never shown"
    );
}

#[test]
fn every_charge_has_its_place_and_other_records_have_theirs() {
    let world = World::new();
    let journal = world.ready();
    let terms = Terms::default();
    let calls: Vec<_> = (0..64).map(|call| permitted(call, &terms)).collect();
    let charges: Vec<_> = calls
        .iter()
        .map(|call| journal.reserve(call.permit()).unwrap())
        .collect();
    let one_more = permitted(64, &terms);
    assert_eq!(
        journal.reserve(one_more.permit()).err(),
        Some(ErrorCode::Overloaded)
    );
    block_on(async {
        // All places of calls are taken, and refusals and the node's own acts still go through.
        let denied = journal
            .deny::<u64>(denial("party_x", ErrorCode::Stopped))
            .await;
        assert_eq!(
            denied.into_outcome(),
            super::super::Outcome::Denied(ErrorCode::Stopped)
        );
        journal
            .append(Draft::new(Kind::AuthorizationChange))
            .await
            .unwrap();
        let all: Vec<_> = calls
            .into_iter()
            .zip(charges)
            .map(|(call, charge)| journal.record(evaluated(call), charge))
            .collect();
        for recorded in all {
            recorded.await.unwrap();
        }
    });
    assert_eq!(journal.size(), 66);
    journal.reserve(one_more.permit()).unwrap();
}

#[test]
fn after_a_fork_what_is_queued_is_not_signed() {
    let world = World::new();
    let journal = world.ready();
    let shared = Arc::clone(&journal.inner.shared);
    let mut stage = StreamStage::new(Arc::clone(&shared), Arc::new(signer()));
    let item = || {
        let record = Unplaced::new::<Intl>(Draft::new(Kind::NodeStop), shared.stream);
        vec![Item::new(Work::Records(vec![record]), Done::Nobody, None)]
    };
    let (mut items, mut payload) = (item(), Vec::new());
    stage.prepare(&mut items, &mut payload);
    assert!(items.len() == 1 && !payload.is_empty());
    shared.end(Phase::Forked);
    let (mut items, mut payload) = (item(), Vec::new());
    stage.prepare(&mut items, &mut payload);
    assert!(items.is_empty() && payload.is_empty());
}

#[test]
fn calls_and_denials_are_not_appended_directly() {
    let world = World::new();
    let journal = world.ready();
    for kind in [Kind::Call, Kind::Denials] {
        let refused = block_on(journal.append(Draft::new(kind)));
        assert_eq!(refused, Err(AppendFailed::Kind));
    }
    journal.clone().close();
    let refused = block_on(journal.append(Draft::new(Kind::NodeStop)));
    assert_eq!(refused, Err(AppendFailed::Closed));
}

#[test]
fn the_longest_draft_fits_its_bound() {
    let mut draft = Draft::new(Kind::Control);
    for field in Field::ALL {
        draft.clear = match field.shape() {
            lingqu_core::record::Shape::Text => draft.clear.text(*field, &"界".repeat(200)),
            lingqu_core::record::Shape::Number => draft.clear.number(*field, u64::MAX),
            lingqu_core::record::Shape::Bytes(len) => draft.clear.bytes(*field, &vec![1; len]),
            // These stand in records of a stream's end and beginning alone.
            lingqu_core::record::Shape::UpTo(_) => draft.clear,
        };
    }
    let stream = lingqu_core::record::StreamId([0; 16]);
    let len = draft.at(stream, 0, START).encode::<Intl>().len();
    assert!(len + ENTRY_OVERHEAD <= DRAFT_LEN_MAX, "{len}");
}

/// Reserves and records from several threads at once; gives the calls that were recorded.
fn race(journal: &Journal, first: u64, calls: u64, terms: &Terms) -> u64 {
    let threads = 4;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut recorded = 0;
                    for number in 0..calls {
                        let call = permitted(first + thread * calls + number, terms);
                        match journal.reserve(call.permit()) {
                            Ok(charge) if number % 5 == 4 => drop(charge),
                            Ok(charge) => {
                                let written: Result<Recorded<u64>, _> =
                                    block_on(journal.record(evaluated(call), charge));
                                recorded += u64::from(written.is_ok());
                            }
                            Err(code) => assert!(matches!(
                                code,
                                ErrorCode::QuotaExhausted | ErrorCode::AuditUnavailable
                            )),
                        }
                    }
                    recorded
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Many threads, crashes at any step, restarts and midnights: no day and no term is overspent, and what a restart
    /// finds is at least what was acknowledged.
    #[test]
    fn no_interleaving_overspends(crashes in proptest::collection::vec((0..40_u64, 0..5_000_usize, any::<bool>()), 1..4)) {
        let world = World::new();
        let mut terms = Terms { per_day: 20, total: 45, ..Terms::default() };
        let grant = "grant_1".parse().unwrap();
        let (mut acknowledged, mut first) = (0, 0);
        for (step, torn, is_next_day) in crashes {
            world.disk.plan(step, Fault::Torn(torn));
            if let Ok(journal) = world.open() {
                journal.reconcile(0, None).unwrap();
                acknowledged += race(&journal, first, 12, &terms);
                first += 100;
            }
            world.disk.plan(u64::MAX, Fault::Before);
            let journal = world.ready();
            let used = journal.usage(&grant, terms.at);
            prop_assert!(used.total >= acknowledged, "{used:?}, {acknowledged} acknowledged");
            prop_assert!(used.today <= 20 && used.total <= 45, "{used:?}");
            prop_assert_eq!(used.total, journal.size());
            acknowledged = used.total;
            if is_next_day {
                world.clock.advance(Duration::from_secs(86_400));
                terms.at = world.clock.now();
            }
        }
        // Without a crash the quota is used up to the last unit and no further.
        let journal = world.ready();
        race(&journal, first, 30, &terms);
        let used = journal.usage(&grant, terms.at);
        prop_assert!(used.today == 20 || used.total == 45, "{used:?}");
    }
}

#[test]
fn what_is_durable_must_be_what_was_hashed() {
    let mut record = Unplaced::new::<Intl>(Draft::new(Kind::Heartbeat), StreamId([1; 16]));
    record.at(3, Timestamp(5));
    let adopted = vec![b"one".to_vec(), b"two".to_vec()];
    let good: Vec<Vec<u8>> = [vec![record.as_bytes().to_vec()], adopted.clone()].concat();
    let items = [Work::Record(record), Work::Adopted(adopted)]
        .map(|work| Item::new(work, Done::Nobody, None));
    let are_written = |entries: &[Vec<u8>]| {
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        are_written(&items, &entries)
    };
    assert!(are_written(&good));
    assert!(!are_written(&good[..2]) && !are_written(&good[1..]));
    assert!(!are_written(
        &[good.clone(), vec![b"three".to_vec()]].concat()
    ));
    for at in 0..good.len() {
        let mut swapped = good.clone();
        swapped.swap(at, (at + 1) % 3);
        assert!(!are_written(&swapped));
        for byte in 0..good[at].len() {
            let mut flipped = good.clone();
            flipped[at][byte] ^= 0x10;
            assert!(!are_written(&flipped), "entry {at}, byte {byte}");
        }
    }
}
