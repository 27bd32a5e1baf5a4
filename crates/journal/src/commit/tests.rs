use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;
use crate::frame::LogId;
use crate::store::faulty::{Disk, Fault};
use crate::wal::WalOptions;

/// A stage that writes numbers, and tells each when it is durable.
struct Numbers {
    frames: mpsc::Sender<Vec<u32>>,
    /// Waits here in `prepare` for each frame, if there is a gate.
    gate: Option<mpsc::Receiver<()>>,
    prepared: mpsc::Sender<()>,
    failed: Arc<AtomicUsize>,
}

struct Number {
    value: u32,
    done: mpsc::Sender<u32>,
}

const PANIC: u32 = 777;
const REFUSED: u32 = 888;

impl Stage for Numbers {
    type Item = Number;

    fn weight(_: &Number) -> usize {
        4
    }

    fn prepare(&mut self, items: &mut Vec<Number>, payload: &mut Vec<u8>) {
        assert!(payload.is_empty());
        let _ = self.prepared.send(());
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        items.retain(|item| item.value != REFUSED);
        assert!(
            items.iter().all(|item| item.value != PANIC),
            "asked to panic"
        );
        for item in items {
            payload.extend_from_slice(&item.value.to_be_bytes());
        }
    }

    fn committed(&mut self, items: &mut Vec<Number>, _: &mut Vec<u8>) {
        let _ = self
            .frames
            .send(items.iter().map(|item| item.value).collect());
        for item in items.drain(..) {
            let _ = item.done.send(item.value);
        }
    }

    fn failed(&mut self) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }
}

struct World {
    disk: Disk,
    committer: Committer<Number>,
    frames: mpsc::Receiver<Vec<u32>>,
    open_gate: mpsc::Sender<()>,
    prepared: mpsc::Receiver<()>,
    failed: Arc<AtomicUsize>,
    fatal: Arc<AtomicUsize>,
}

fn wal(disk: &Disk) -> (Wal, Vec<u32>) {
    let options = WalOptions {
        log: LogId([3; 16]),
        segment_len: 64 << 10,
        payload_len_max: 4_000,
    };
    let mut found = Vec::new();
    let wal = Wal::open(Arc::new(disk.store()), options, |payload| {
        let numbers = payload
            .chunks(4)
            .map(|n| u32::from_be_bytes(n.try_into().unwrap()));
        found.extend(numbers);
        Ok::<(), Infallible>(())
    });
    (wal.unwrap(), found)
}

fn world(is_gated: bool) -> World {
    let disk = Disk::default();
    let (frames_sender, frames) = mpsc::channel();
    let (open_gate, gate) = mpsc::channel();
    let (prepared_sender, prepared) = mpsc::channel();
    let failed = Arc::new(AtomicUsize::new(0));
    let fatal = Arc::new(AtomicUsize::new(0));
    let options = CommitterOptions {
        name: "test".into(),
        queue_max: 16,
        frame_items_max: 8,
        frame_bytes_max: 24,
    };
    let stage = Numbers {
        frames: frames_sender,
        gate: is_gated.then_some(gate),
        prepared: prepared_sender,
        failed: Arc::clone(&failed),
    };
    let hook = FatalHook::new({
        let fatal = Arc::clone(&fatal);
        move |_| {
            fatal.fetch_add(1, Ordering::SeqCst);
        }
    });
    let committer = Committer::spawn(options, wal(&disk).0, stage, hook).unwrap();
    World {
        disk,
        committer,
        frames,
        open_gate,
        prepared,
        failed,
        fatal,
    }
}

impl World {
    fn submit(&self, value: u32) -> (Result<(), NotQueued>, mpsc::Receiver<u32>) {
        let (done, receiver) = mpsc::channel();
        let queued = self.committer.submit(Number { value, done });
        (queued.map_err(|refused| refused.reason), receiver)
    }
}

#[test]
fn what_gathers_during_a_frame_goes_into_the_next() {
    let world = world(true);
    let (_, first) = world.submit(0);
    world.prepared.recv().unwrap();
    // The thread is busy with the first frame; these gather, and the byte limit cuts after six.
    let rest: Vec<_> = (1..=8).map(|value| world.submit(value).1).collect();
    assert!(
        first.try_recv().is_err(),
        "nothing is told before the disk has it"
    );
    for _ in 0..3 {
        world.open_gate.send(()).unwrap();
    }
    assert_eq!(first.recv(), Ok(0));
    for (done, value) in rest.into_iter().zip(1..) {
        assert_eq!(done.recv(), Ok(value));
    }
    let frames: Vec<_> = world.frames.try_iter().collect();
    assert_eq!(frames, [vec![0], vec![1, 2, 3, 4, 5, 6], vec![7, 8]]);
}

#[test]
fn many_threads_lose_nothing_and_keep_their_order() {
    let world = world(false);
    thread::scope(|scope| {
        for base in 0..8 {
            let world = &world.committer;
            scope.spawn(move || {
                for number in 0..100 {
                    let (done, durable) = mpsc::channel();
                    let value = base * 1_000_000 + number;
                    assert!(world.submit_waiting(Number { value, done }).is_ok());
                    assert_eq!(durable.recv(), Ok(value));
                }
            });
        }
    });
    world.committer.close();
    let (_, found) = wal(&world.disk);
    let told: Vec<u32> = world.frames.try_iter().flatten().collect();
    assert_eq!(found, told, "the disk has the order that was told");
    assert_eq!(found.len(), 800);
    for base in 0..8 {
        let own: Vec<u32> = found
            .iter()
            .filter(|n| **n / 1_000_000 == base)
            .map(|n| n % 1_000_000)
            .collect();
        assert_eq!(own, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_queue_gives_the_item_back() {
    let world = world(true);
    world.submit(0).0.unwrap();
    world.prepared.recv().unwrap();
    for value in 1..=16 {
        assert_eq!(world.submit(value).0, Ok(()));
    }
    assert_eq!(world.submit(17).0, Err(NotQueued::Full));
    drop(world.open_gate);
}

#[test]
fn closing_writes_what_is_queued() {
    let world = world(true);
    let durable: Vec<_> = (0..10).map(|value| world.submit(value).1).collect();
    drop(world.open_gate);
    world.committer.close();
    assert!(durable.iter().all(|done| done.recv().is_ok()));
    let (done, _) = mpsc::channel();
    let refused = world
        .committer
        .submit(Number { value: 1, done })
        .unwrap_err();
    assert_eq!((refused.item.value, refused.reason), (1, NotQueued::Closed));
    assert_eq!(wal(&world.disk).1.len(), 10);
}

#[test]
fn after_a_failed_write_nothing_is_acknowledged_any_more() {
    for fault in [Fault::Before, Fault::AfterPersisting, Fault::Torn(100)] {
        let world = world(true);
        world.disk.plan(1, fault);
        let first = world.submit(0).1;
        world.prepared.recv().unwrap();
        let second = world.submit(1).1;
        world.open_gate.send(()).unwrap();
        assert_eq!(first.recv(), Ok(0));
        world.prepared.recv().unwrap();
        let third = world.submit(2).1;
        world.open_gate.send(()).unwrap();
        assert!(second.recv().is_err() && third.recv().is_err());
        world.committer.close();
        assert_eq!(world.submit(3).0, Err(NotQueued::Failed));
        let counts = [&world.failed, &world.fatal].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [1, 1], "told once");
        assert!(wal(&world.disk).1.starts_with(&[0]));
    }
}

#[test]
fn a_panicking_stage_counts_as_a_failed_write() {
    let world = world(false);
    let durable = world.submit(PANIC).1;
    assert!(durable.recv().is_err());
    world.committer.close();
    assert_eq!(world.submit(1).0, Err(NotQueued::Failed));
    assert_eq!(world.fatal.load(Ordering::SeqCst), 1);
    assert_eq!(wal(&world.disk).1, []);
}

#[test]
fn refused_items_cost_no_frame() {
    let world = world(false);
    let steps = world.disk.steps();
    assert!(world.submit(REFUSED).1.recv().is_err());
    assert_eq!(world.submit(5).1.recv(), Ok(5));
    world.committer.close();
    assert_eq!(world.disk.steps(), steps + 1);
    assert_eq!(wal(&world.disk).1, [5]);
}
