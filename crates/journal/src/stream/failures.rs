//! The failure table: each durable step of a journal × each way in which it fails, with what then holds.
//!
//! [`TABLE`] is both what the test demands of every cell and what `docs/operating/failures.md` shows. A new durable step
//! visibly lacks its row, and a cell whose outcome changes fails before the page does. Start reading at [`TABLE`], then
//! `acts.rs`, which brings a journal to just before a step.

mod acts;
mod page;

use std::time::Duration;

use lingqu_core::Timestamp;

use super::world::*;
use super::{Journal, Reconciled, Seen};
use crate::store::faulty::{Fault, SECTOR};
use acts::Act;

/// A step after which something is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    FirstSegment,
    Call,
    Debit,
    Refusal,
    NextSegment,
    LastFrameAgain,
    TornFrameErased,
    TakenBack,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Before,
    AfterPersisting,
    Torn,
    UnsyncedLost,
    SyncFails,
    DiskFull,
    ClockBack,
}

impl Failure {
    const ALL: [Failure; 7] = [
        Failure::Before,
        Failure::AfterPersisting,
        Failure::Torn,
        Failure::UnsyncedLost,
        Failure::SyncFails,
        Failure::DiskFull,
        Failure::ClockBack,
    ];
}

/// What is there after the restart of what the step was about. In every cell besides: what was acknowledged before is
/// there, each record is charged once, what was signed and shown is a prefix, and the journal goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Nobody was told, nothing is there, nothing is charged.
    Absent,
    /// Nobody was told; what reached the disk whole is there, and charged, and nothing else.
    Either,
    /// Nobody was told, but it is there, and charged.
    Untold,
    /// It is there as it was before the step, which wrote again what was there.
    Kept,
    /// The step succeeded and was told; times still grow.
    Told,
}

use Holds::{Absent, Either, Kept, Told, Untold};

/// One row per step, one column per failure in the order of [`Failure::ALL`].
const TABLE: [(Step, [Holds; 7]); 8] = [
    (
        Step::FirstSegment,
        [Absent, Absent, Absent, Absent, Absent, Absent, Told],
    ),
    (
        Step::Call,
        [Absent, Untold, Either, Either, Untold, Absent, Told],
    ),
    (
        Step::Debit,
        [Absent, Untold, Either, Either, Untold, Absent, Told],
    ),
    (
        Step::Refusal,
        [Absent, Untold, Either, Either, Untold, Absent, Told],
    ),
    (
        Step::NextSegment,
        [Absent, Absent, Absent, Absent, Absent, Absent, Told],
    ),
    (
        Step::LastFrameAgain,
        [Kept, Kept, Kept, Kept, Kept, Kept, Kept],
    ),
    (
        Step::TornFrameErased,
        [Absent, Absent, Absent, Absent, Absent, Absent, Absent],
    ),
    (
        Step::TakenBack,
        [Absent, Untold, Either, Either, Untold, Absent, Told],
    ),
];

/// A way to fail in detail, and what becomes of the page cache before the restart.
struct Variant {
    fault: Option<Fault>,
    loses_power: bool,
    clock_back: bool,
}

fn variants(failure: Failure) -> Vec<Variant> {
    let fails = |fault, loses_power| Variant {
        fault: Some(fault),
        loses_power,
        clock_back: false,
    };
    match failure {
        Failure::Before => vec![fails(Fault::Before, false)],
        Failure::AfterPersisting => vec![fails(Fault::AfterPersisting, false)],
        Failure::Torn => (0..=2 * 4_096)
            .step_by(SECTOR)
            .chain([1, 31, 33, 95, 700])
            .map(|len| fails(Fault::Torn(len), false))
            .collect(),
        Failure::UnsyncedLost => {
            // All of it, and any one sector of it.
            let sectors = (0..8_u32).map(|lost| {
                let survive = (0..8).map(|sector| sector != lost).collect();
                fails(Fault::Sectors(survive), false)
            });
            sectors.chain([fails(Fault::Cached, true)]).collect()
        }
        Failure::SyncFails => vec![fails(Fault::Cached, false)],
        Failure::DiskFull => vec![fails(Fault::Full, false)],
        Failure::ClockBack => vec![Variant {
            fault: None,
            loses_power: false,
            clock_back: true,
        }],
    }
}

fn row(step: Step) {
    let (_, cells) = TABLE.iter().find(|(named, _)| *named == step).unwrap();
    for (failure, holds) in Failure::ALL.into_iter().zip(cells) {
        let mut found = Vec::new();
        // A segment is made as a whole or not at all, so that it does not matter where its creation is torn.
        let is_atomic = matches!(step, Step::FirstSegment | Step::NextSegment);
        let at_most = if is_atomic { 2 } else { usize::MAX };
        for variant in variants(failure).into_iter().take(at_most) {
            let context = format!("{step:?} × {failure:?}, {:?}", variant.fault);
            found.push(cell(step, &variant, *holds, &context));
        }
        // A cell that says "either" must have seen both, or it says too little.
        if *holds == Either {
            assert!(
                found.contains(&true) && found.contains(&false),
                "{step:?} × {failure:?}"
            );
        }
    }
}

/// Runs one variant of a cell and gives whether the record of the step is there afterwards.
fn cell(step: Step, variant: &Variant, holds: Holds, context: &str) -> bool {
    let world = World::new();
    let Act { run, at, call } = Act::before(step, &world);
    if variant.clock_back {
        world.clock.set(Timestamp(START.0 - 3_600_000_000));
    }
    if let Some(fault) = &variant.fault {
        world.disk.plan(at, fault.clone());
    }
    let shown = run.shown.clone();
    let was_told = (run.run)(&world);
    if variant.loses_power {
        world.disk.lose_power();
    }
    let mirror = run.mirror.as_ref().map(|copy| copy.checkpoint.as_str());
    let journal = world
        .open()
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let is_there = match call {
        Some(call) => seen(&journal, call),
        None => journal.size() > run.size_before,
    };
    match holds {
        Absent => assert!(!was_told && !is_there, "{context}"),
        Untold => assert!(!was_told && is_there, "{context}"),
        Either => assert!(!was_told, "{context}"),
        Kept => assert!(is_there, "{context}"),
        Told => assert!(was_told && is_there, "{context}"),
    }
    check_charges(&journal, context);
    check_budget(&journal, run.size_before, step, context);
    goes_on(journal, &world, mirror, run.mirror.as_ref(), context);
    // What this process built on must not have been in the page cache only.
    world.disk.lose_power();
    let journal = world
        .open()
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    if is_there && let Some(call) = call {
        assert!(seen(&journal, call), "{context}: lost with the power");
    }
    if let Some(shown) = &shown {
        let shown = cosigned(shown, START);
        assert!(
            journal.reconcile(0, Some(&shown)).is_ok(),
            "{context}: two histories"
        );
    }
    is_there
}

fn seen(journal: &Journal, call: u64) -> bool {
    let grant = "grant_1".parse().unwrap();
    journal.seen(&header(call, "party_bank"), &grant) == Seen::Same
}

/// Every record of a call is charged once, and nothing else is.
fn check_charges(journal: &Journal, context: &str) {
    let recorded = (0..200).filter(|call| seen(journal, *call)).count() as u64;
    let used = journal.usage(&"grant_1".parse().unwrap(), START).total;
    assert_eq!(used, recorded, "{context}");
}

/// What is spent of the privacy budget is what the debits on record say.
fn check_budget(journal: &Journal, size_before: u64, step: Step, context: &str) {
    let debits = match step {
        Step::Debit => journal.size().saturating_sub(size_before),
        _ => 0,
    };
    let spent = journal.spent_on("person", true);
    assert_eq!(spent.0, debits * acts::DEBIT_RHO, "{context}");
}

/// The next process compares with the mirror and records, with times that grow.
fn goes_on(
    journal: Journal,
    world: &World,
    mirror: Option<&str>,
    copy: Option<&acts::Copy>,
    context: &str,
) {
    world.clock.advance(Duration::from_millis(1));
    let last = journal.time_floor();
    let reconciled = journal.reconcile(0, mirror);
    if let (Ok(Reconciled::MirrorAhead { from }), Some(copy)) = (reconciled, copy) {
        let lost = copy.entries[usize::try_from(from).unwrap()..].to_vec();
        journal.adopt(0, lost, &copy.checkpoint).unwrap();
        assert_eq!(
            journal.reconcile(0, mirror),
            Ok(Reconciled::Ready),
            "{context}"
        );
    } else {
        assert_eq!(reconciled, Ok(Reconciled::Ready), "{context}");
    }
    let size = journal.size();
    block_on(record(&journal, 199, &Terms::default())).unwrap();
    assert_eq!(journal.size(), size + 1, "{context}");
    assert!(journal.time_floor() > last, "{context}");
    journal.close();
}

#[test]
fn making_the_first_segment() {
    row(Step::FirstSegment);
}

#[test]
fn writing_the_record_of_a_call() {
    row(Step::Call);
}

#[test]
fn writing_the_record_of_a_debit() {
    row(Step::Debit);
}

#[test]
fn writing_the_record_of_a_refusal() {
    row(Step::Refusal);
}

#[test]
fn making_the_next_segment() {
    row(Step::NextSegment);
}

#[test]
fn writing_the_last_frame_again_at_a_start() {
    row(Step::LastFrameAgain);
}

#[test]
fn erasing_a_torn_frame_at_a_start() {
    row(Step::TornFrameErased);
}

#[test]
fn taking_back_what_the_mirror_has() {
    row(Step::TakenBack);
}
