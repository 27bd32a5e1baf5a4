//! Brings a journal to just before a durable step, and takes the step.

use lingqu_core::ErrorCode;
use lingqu_policy::MicroRho;

use super::super::world::*;
use super::super::{DpCharge, Journal, Outcome, Reconciled};
use super::Step;
use crate::store::faulty::Fault;

/// What the mirror has of a journal that lost it.
pub(super) struct Copy {
    pub(super) entries: Vec<Vec<u8>>,
    pub(super) checkpoint: String,
}

/// The step to come.
pub(super) struct Act {
    pub(super) run: Run,
    /// Which durable step from here on it is.
    pub(super) at: u64,
    /// The call that it records; none if it is another kind of record.
    pub(super) call: Option<u64>,
}

/// How it is taken, and what was known before.
pub(super) struct Run {
    /// Takes the step; gives whether anybody was told that it succeeded.
    pub(super) run: Box<dyn FnOnce(&World) -> bool>,
    /// The newest checkpoint that was shown.
    pub(super) shown: Option<String>,
    pub(super) size_before: u64,
    pub(super) mirror: Option<Copy>,
}

/// Calls that fill the first segment of `small_limits`, one frame each: 48 blocks, of which one is the head.
const SEGMENT_CALLS: u64 = 47;

impl Act {
    pub(super) fn before(step: Step, world: &World) -> Act {
        match step {
            Step::FirstSegment => Act::new(0, Some(0), Run::unknown(open_and_record)),
            Step::Call => after_calls(world, 1),
            Step::NextSegment => after_calls(world, SEGMENT_CALLS),
            Step::Debit => debit(world),
            Step::Refusal => refusal(world),
            Step::LastFrameAgain => {
                let run = Run::after(&with_calls(world, 2), |world: &World| world.open().is_ok());
                Act::new(0, Some(1), run)
            }
            Step::TornFrameErased => torn(world),
            Step::TakenBack => taken_back(world),
        }
    }

    fn new(at: u64, call: Option<u64>, run: Run) -> Act {
        Act { run, at, call }
    }
}

impl Run {
    fn unknown(run: impl FnOnce(&World) -> bool + 'static) -> Run {
        Run {
            run: Box::new(run),
            shown: None,
            size_before: 0,
            mirror: None,
        }
    }

    fn after(journal: &Journal, run: impl FnOnce(&World) -> bool + 'static) -> Run {
        Run {
            shown: journal.checkpoint(),
            size_before: journal.size(),
            ..Run::unknown(run)
        }
    }
}

fn with_calls(world: &World, calls: u64) -> Journal {
    let journal = world.ready();
    for call in 0..calls {
        block_on(record(&journal, call, &Terms::default())).unwrap();
    }
    journal
}

fn records(journal: &Journal, call: u64) -> bool {
    block_on(record(journal, call, &Terms::default())).is_ok()
}

fn open_and_record(world: &World) -> bool {
    let Ok(journal) = world.open() else {
        return false;
    };
    journal.reconcile(0, None).unwrap();
    records(&journal, 0)
}

fn after_calls(world: &World, calls: u64) -> Act {
    let journal = with_calls(world, calls);
    let handle = journal.clone();
    let run = Run::after(&journal, move |_: &World| records(&handle, calls));
    Act::new(0, Some(calls), run)
}

/// What the debit costs.
pub(super) const DEBIT_RHO: u64 = 3;

fn debit(world: &World) -> Act {
    let journal = with_calls(world, 1);
    let handle = journal.clone();
    let run = Run::after(&journal, move |_: &World| {
        let call = permitted(1, &Terms::default());
        let mut charge = handle.reserve(call.permit()).unwrap();
        let cost = DpCharge {
            space: "person".to_owned(),
            rho: MicroRho(DEBIT_RHO),
            space_limit: MicroRho(DEBIT_RHO),
            from_store: false,
        };
        block_on(handle.debit(&mut charge, cost)).is_ok()
    });
    Act::new(0, None, run)
}

fn refusal(world: &World) -> Act {
    let journal = with_calls(world, 1);
    let handle = journal.clone();
    let run = Run::after(&journal, move |_: &World| {
        let denied = handle.deny::<u64>(denial("party_x", ErrorCode::Stopped));
        block_on(denied).into_outcome() == Outcome::Denied(ErrorCode::Stopped)
    });
    Act::new(0, None, run)
}

/// The process that saw the frame torn is gone; the next one writes the last whole frame again and then erases.
fn torn(world: &World) -> Act {
    let journal = with_calls(world, 1);
    // The frame is about 550 bytes long.
    world.disk.plan(0, Fault::Torn(300));
    assert!(!records(&journal, 1));
    let run = Run::after(&journal, |world: &World| {
        // Opening tells nobody anything of the torn record.
        drop(world.open());
        false
    });
    Act::new(1, Some(1), run)
}

fn taken_back(world: &World) -> Act {
    // The same stream on a disk that is lost afterwards.
    let lost = World::new();
    let journal = with_calls(&lost, 3);
    let mut entries = Vec::new();
    while (entries.len() as u64) < journal.size() {
        let batch = block_on(journal.next_batch(entries.len() as u64)).unwrap();
        entries.extend(batch.entries);
    }
    let copy = Copy {
        entries,
        checkpoint: cosigned(&journal.checkpoint().unwrap(), START),
    };
    let (entries, checkpoint) = (copy.entries.clone(), copy.checkpoint.clone());
    let fresh = world.open().unwrap();
    let ahead = fresh.reconcile(0, Some(&checkpoint));
    assert_eq!(ahead, Ok(Reconciled::MirrorAhead { from: 0 }));
    let run = Run::unknown(move |_: &World| fresh.adopt(0, entries, &checkpoint).is_ok());
    Act::new(
        0,
        Some(2),
        Run {
            mirror: Some(copy),
            ..run
        },
    )
}
