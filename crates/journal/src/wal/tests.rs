//! The failure table: each durable step fails in each way, and what was acknowledged is there afterwards.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::store::faulty::{Disk, Fault, SECTOR};

const LOG: LogId = LogId([0x11; 16]);
const OPTIONS: WalOptions = WalOptions {
    log: LOG,
    segment_len: 6 * BLOCK as u64,
    payload_len_max: 3 * BLOCK - 100,
};

type Opened = (Wal, Vec<Vec<u8>>);

fn open(disk: &Disk) -> Result<Opened, WalOpenError<Infallible>> {
    let mut payloads = Vec::new();
    let wal = Wal::open(Arc::new(disk.store()), OPTIONS, |payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok((wal, payloads))
}

/// Payload number `number`: one to three blocks, so that frames do not fill segments evenly. No byte is zero, so that
/// each sector that is lost is missed.
fn payload(number: usize) -> Vec<u8> {
    let len = [100, 4_500, 3_000, 9_000, 4_060, 20, 8_000][number % 7];
    vec![u8::try_from(number % 250).unwrap() + 1; len]
}

fn payloads(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(payload).collect()
}

const COUNT: usize = 9;

/// Opens and appends until all is written or something fails; gives how many were acknowledged.
fn run(disk: &Disk) -> usize {
    let Ok((mut wal, before)) = open(disk) else {
        return 0;
    };
    for number in before.len()..COUNT {
        if wal.append(&payload(number)).is_err() {
            assert!(matches!(wal.append(b"x"), Err(WalError::Poisoned)));
            return number;
        }
    }
    COUNT
}

/// A log with a fault in durable step `step`, then opened again and continued.
fn check_step(step: u64, fault: &Fault, fault_in_repair: Option<&Fault>) {
    let disk = Disk::default();
    disk.plan(step, fault.clone());
    let acknowledged = run(&disk);
    if let Some(again) = fault_in_repair {
        for step in 0..2 {
            disk.plan(step, again.clone());
            let _ = open(&disk);
        }
        disk.plan(u64::MAX, Fault::Before);
    }
    let context = || format!("step {step}, {fault:?}, then {fault_in_repair:?}");
    let (_, found) = open(&disk).unwrap_or_else(|error| panic!("{}: {error}", context()));
    assert!(found.len() >= acknowledged, "{}", context());
    assert_eq!(found, payloads(found.len()), "{}", context());
    assert_eq!(run(&disk), COUNT, "{}", context());
    let (_, found) = open(&disk).unwrap();
    assert_eq!(found, payloads(COUNT), "{}", context());
}

fn steps() -> u64 {
    let disk = Disk::default();
    assert_eq!(run(&disk), COUNT);
    disk.steps()
}

fn faults(rng: &mut StdRng) -> Vec<Fault> {
    let longest = frame::frame_len(OPTIONS.payload_len_max);
    let mut faults = vec![Fault::Before, Fault::AfterPersisting];
    faults.extend((0..longest).step_by(SECTOR).map(Fault::Torn));
    faults.extend((0..12).map(|_| Fault::Torn(rng.random_range(0..longest))));
    // The first bytes matter most: they are the head.
    faults.extend((1..48).step_by(3).map(Fault::Torn));
    let sectors = longest / SECTOR;
    faults.extend((0..32).map(|_| {
        let survive = rng.random_range(0.05..0.95);
        Fault::Sectors((0..sectors).map(|_| rng.random_bool(survive)).collect())
    }));
    faults
}

#[test]
fn every_step_may_fail_in_every_way() {
    let mut rng = StdRng::seed_from_u64(1);
    for step in 0..steps() {
        for fault in faults(&mut rng) {
            check_step(step, &fault, None);
        }
    }
}

#[test]
fn the_repair_may_fail_as_well() {
    let mut rng = StdRng::seed_from_u64(2);
    let torn = Fault::Torn(700);
    for step in 0..steps() {
        for again in faults(&mut rng).iter().step_by(4) {
            check_step(step, &torn, Some(again));
        }
    }
}

#[test]
fn what_a_torn_frame_left_does_not_disturb_a_shorter_one() {
    let disk = Disk::default();
    disk.plan(
        1,
        Fault::Sectors((0..24).map(|sector| sector > 12).collect()),
    );
    let (mut wal, _) = open(&disk).unwrap();
    wal.append(&payload(3)).unwrap_err();
    let (mut wal, _) = open(&disk).unwrap();
    wal.append(&payload(0)).unwrap();
    assert_eq!(open(&disk).unwrap().1, payloads(1));
    assert!(
        disk.segments()[&0][2 * BLOCK..]
            .iter()
            .all(|byte| *byte == 0)
    );
}

/// A write that failed may still be seen by the next process, from the page cache, and be gone after a power failure.
/// What recovery has shown to anybody must not be lost that way.
#[test]
fn what_was_replayed_is_durable_even_if_it_was_only_cached() {
    for step in 1..steps() {
        let disk = Disk::default();
        disk.plan(step, Fault::Cached);
        let acknowledged = run(&disk);
        let (_, replayed) = open(&disk).unwrap();
        assert!(replayed.len() >= acknowledged);
        disk.lose_power();
        let (_, found) = open(&disk).unwrap();
        assert_eq!(found, replayed, "step {step}");
    }
}

#[test]
fn a_full_disk_is_reported_and_more_room_helps() {
    let disk = Disk::default();
    disk.limit(2 * OPTIONS.segment_len);
    let acknowledged = run(&disk);
    assert!((1..COUNT).contains(&acknowledged));
    assert_eq!(open(&disk).unwrap().1, payloads(acknowledged));
    disk.limit(0);
    assert_eq!(run(&disk), COUNT);
    assert_eq!(open(&disk).unwrap().1, payloads(COUNT));
}

type Segments = BTreeMap<u64, Vec<u8>>;

/// Where frame `number` of the whole log begins.
fn position(number: usize) -> (u64, usize) {
    let disk = Disk::default();
    run(&disk);
    let mut seen = Vec::new();
    for (id, bytes) in disk.segments() {
        for offset in (BLOCK..bytes.len()).step_by(BLOCK) {
            if frame::read_head(bytes[offset..].first_chunk().unwrap(), LOG).is_some() {
                seen.push((id, offset));
            }
        }
    }
    assert_eq!(seen.len(), COUNT);
    seen[number]
}

fn frame_bytes(segments: &mut Segments, number: usize) -> &mut [u8] {
    let (segment, offset) = position(number);
    let len = frame::frame_len(payload(number).len());
    &mut segments.get_mut(&segment).unwrap()[offset..offset + len]
}

type Damage = fn(&mut Segments);

/// Ways to lose something acknowledged that is not the last frame as a whole.
const DAMAGE: &[(&str, Damage)] = &[
    ("a flipped bit in the first frame", |s| {
        frame_bytes(s, 0)[40] ^= 1
    }),
    ("a flipped bit in a middle frame", |s| {
        frame_bytes(s, 4)[40] ^= 1
    }),
    ("the last frame of a middle segment", |s| {
        let number = (0..COUNT).filter(|n| position(*n).0 == 1).max().unwrap();
        frame_bytes(s, number)[40] ^= 1;
    }),
    ("a hole of zeros in the middle", |s| {
        frame_bytes(s, 1).fill(0)
    }),
    ("a hole of zeros at the end of a middle segment", |s| {
        let number = (0..COUNT).filter(|n| position(*n).0 == 1).max().unwrap();
        frame_bytes(s, number).fill(0);
    }),
    ("a middle segment all zero", |s| {
        s.get_mut(&1).unwrap()[BLOCK..].fill(0)
    }),
    ("a flipped bit in the head of the last frame", |s| {
        frame_bytes(s, COUNT - 1)[1] ^= 1
    }),
    ("a middle segment missing", |s| drop(s.remove(&1))),
    ("the first segment missing", |s| drop(s.remove(&0))),
    ("the first segment missing, others renamed", |s| {
        *s = std::mem::take(s)
            .into_iter()
            .filter(|(id, _)| *id > 0)
            .map(|(id, b)| (id - 1, b))
            .collect();
    }),
    ("a middle segment cut", |s| {
        s.get_mut(&1).unwrap().truncate(2 * BLOCK)
    }),
    ("the last segment cut", |s| {
        let last = *s.keys().last().unwrap();
        s.get_mut(&last).unwrap().truncate(2 * BLOCK);
    }),
    ("the last segment cut to nothing", |s| {
        let last = *s.keys().last().unwrap();
        s.get_mut(&last).unwrap().clear();
    }),
    ("a damaged segment head", |s| s.get_mut(&1).unwrap()[5] ^= 1),
    ("two frames in each other's place", |s| {
        let (first, second) = (frame_bytes(s, 0).to_vec(), frame_bytes(s, 2).to_vec());
        assert_eq!(first.len(), second.len());
        frame_bytes(s, 0).copy_from_slice(&second);
        frame_bytes(s, 2).copy_from_slice(&first);
    }),
    ("a frame twice", |s| {
        let first = frame_bytes(s, 0).to_vec();
        frame_bytes(s, 2).copy_from_slice(&first);
    }),
];

#[test]
fn damage_is_refused_and_nothing_is_touched() {
    for (what, damage) in DAMAGE {
        let disk = Disk::default();
        run(&disk);
        let mut segments = disk.segments();
        assert!(segments.len() > 2, "there are middle segments");
        damage(&mut segments);
        disk.replace(segments.clone());
        assert!(
            matches!(open(&disk), Err(WalOpenError::Corrupt { .. })),
            "{what}"
        );
        assert!(disk.segments() == segments, "{what}: nothing is modified");
    }
}

/// What lies behind the end must be no longer than one frame can be, and no longer than its head says.
#[test]
fn more_than_one_torn_frame_is_damage() {
    let disk = Disk::default();
    open(&disk).unwrap().0.append(&payload(0)).unwrap();
    let clean = disk.segments();
    let head = |len: usize| {
        let mut frame = Vec::new();
        frame::write(&mut frame, LOG, 1, &vec![1; len]);
        frame[..SECTOR].to_vec()
    };
    let cases: [(&str, usize, Option<usize>, bool); 5] = [
        (
            "the head lost, as far as the longest frame goes",
            3,
            None,
            true,
        ),
        ("the head lost, and further", 4, None, false),
        ("a head of one block, dirty there", 1, Some(2_000), true),
        (
            "a head of one block, dirty in the next",
            2,
            Some(2_000),
            false,
        ),
        (
            "a head that is longer than any frame",
            1,
            Some(3 * BLOCK),
            false,
        ),
    ];
    for (what, blocks, head_len, is_torn) in cases {
        let mut segments = clean.clone();
        let rest = &mut segments.get_mut(&0).unwrap()[2 * BLOCK..];
        rest[blocks * BLOCK - 1] = 1;
        if let Some(len) = head_len {
            rest[..SECTOR].copy_from_slice(&head(len));
        }
        disk.replace(segments);
        match open(&disk) {
            Ok((_, found)) => assert!(is_torn && found == payloads(1), "{what}"),
            Err(error) => assert!(!is_torn, "{what}: {error}"),
        }
    }
}

/// A later segment is made only when all frames before it are durable, so that even an empty one says that they were
/// acknowledged; and no segment is made while the one before is empty.
#[test]
fn a_later_segment_tells_damage_from_a_torn_end() {
    let disk = Disk::default();
    // Steps: the first segment, three frames, the second segment, which is made but not written to.
    disk.plan(4, Fault::AfterPersisting);
    assert_eq!(run(&disk), 3);
    let clean = disk.segments();
    assert_eq!(clean.len(), 2);
    assert_eq!(open(&disk).unwrap().1, payloads(3));
    let mut segments = clean.clone();
    frame_bytes(&mut segments, 2)[40] ^= 1;
    disk.replace(segments);
    assert!(matches!(open(&disk), Err(WalOpenError::Corrupt { .. })));

    let mut segments = clean;
    let mut third = frame::segment_head(LOG, 2, OPTIONS.segment_len, false);
    third.resize(6 * BLOCK, 0);
    segments.insert(2, third);
    disk.replace(segments);
    assert!(matches!(open(&disk), Err(WalOpenError::Corrupt { .. })));
}

#[test]
fn another_log_and_unfit_options_are_refused() {
    let disk = Disk::default();
    run(&disk);
    let other = WalOptions {
        log: LogId([9; 16]),
        ..OPTIONS
    };
    let ignore = |_: &[u8]| Ok::<(), Infallible>(());
    let opened = Wal::open(Arc::new(disk.store()), other, ignore);
    assert!(matches!(opened, Err(WalOpenError::OtherLog)));
    for segment_len in [3 * BLOCK as u64, 6 * BLOCK as u64 + 1] {
        let unfit = WalOptions {
            segment_len,
            ..OPTIONS
        };
        let opened = Wal::open(Arc::new(disk.store()), unfit, ignore);
        assert!(matches!(opened, Err(WalOpenError::Options)));
    }
}

#[test]
fn a_refused_payload_stops_the_opening_and_changes_nothing() {
    let disk = Disk::default();
    disk.plan(5, Fault::Torn(600));
    run(&disk);
    let before = disk.segments();
    let mut left = 2;
    let opened = Wal::open(Arc::new(disk.store()), OPTIONS, |_| {
        left -= 1;
        if left == 0 { Err("no") } else { Ok(()) }
    });
    assert!(matches!(opened, Err(WalOpenError::Refused("no"))));
    assert!(disk.segments() == before);
}

#[test]
fn segments_of_another_length_stay_readable() {
    let disk = Disk::default();
    run(&disk);
    let longer = WalOptions {
        segment_len: 64 * BLOCK as u64,
        ..OPTIONS
    };
    let ignore = |_: &[u8]| Ok::<(), Infallible>(());
    let mut wal = Wal::open(Arc::new(disk.store()), longer, ignore).unwrap();
    for number in COUNT..COUNT + 20 {
        wal.append(&payload(number)).unwrap();
    }
    assert_eq!(open(&disk).unwrap().1, payloads(COUNT + 20));
}

#[test]
fn readers_see_what_is_durable_from_any_frame_on() {
    let disk = Disk::default();
    let (mut wal, _) = open(&disk).unwrap();
    let reader = wal.reader();
    let count = 150;
    for number in 0..count {
        assert_eq!(wal.append(&payload(number)).unwrap(), number as u64);
        assert_eq!(reader.frames(), number as u64 + 1);
    }
    let reopened = open(&disk).unwrap().0.reader();
    for reader in [reader, reopened] {
        for first in [0, 1, 63, 64, 65, 127, 128, 149, 150, 1_000] {
            let mut found = Vec::new();
            reader
                .read(first, |payload| {
                    found.push(payload.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
            let expected: Vec<_> = (first as usize..count).map(payload).collect();
            assert!(found == expected, "from {first}");
        }
    }
    let too_long = vec![1; OPTIONS.payload_len_max + 1];
    assert!(matches!(
        wal.append(&too_long),
        Err(WalError::TooLong { .. })
    ));
    wal.append(b"still open").unwrap();
}

fn open_with(
    disk: &Disk,
    keys: Option<&Arc<StateKeys>>,
) -> Result<Opened, WalOpenError<Infallible>> {
    let mut payloads = Vec::new();
    let store = Arc::new(disk.store());
    let wal = Wal::open_with(store, OPTIONS, keys.cloned(), |payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok((wal, payloads))
}

#[test]
fn a_sealed_log_shows_nothing_and_opens_with_its_keys_only() {
    let (disk, keys) = (Disk::default(), Arc::new(StateKeys::generate()));
    let secret = b"party_bank asked under grant_1";
    let (mut wal, _) = open_with(&disk, Some(&keys)).unwrap();
    let longest = vec![7; OPTIONS.payload_len_max];
    for payload in [secret.as_slice(), &longest] {
        wal.append(payload).unwrap();
    }
    let too_long = vec![7; OPTIONS.payload_len_max + 1];
    assert!(
        matches!(wal.append(&too_long), Err(WalError::TooLong { max, .. }) if max == longest.len())
    );
    let mut read = Vec::new();
    let outcome = wal.reader().read(0, |payload| {
        read.push(payload.to_vec());
        ControlFlow::Continue(())
    });
    outcome.unwrap();
    assert_eq!(read, [secret.to_vec(), longest.clone()]);
    drop(wal);
    for bytes in disk.segments().values() {
        assert!(
            !bytes
                .windows(16)
                .any(|part| secret.windows(16).any(|own| own == part))
        );
    }
    assert_eq!(open_with(&disk, Some(&keys)).unwrap().1, read);
    assert!(matches!(open_with(&disk, None), Err(WalOpenError::Sealed)));
    let strangers = Arc::new(StateKeys::generate());
    let refused = open_with(&disk, Some(&strangers));
    assert!(matches!(refused, Err(WalOpenError::Corrupt { .. })));
}

#[test]
fn a_log_in_clear_is_not_continued_sealed() {
    let (disk, keys) = (Disk::default(), Arc::new(StateKeys::generate()));
    assert_eq!(run(&disk), COUNT);
    let before = disk.segments();
    assert!(matches!(
        open_with(&disk, Some(&keys)),
        Err(WalOpenError::Clear)
    ));
    assert_eq!(disk.segments(), before);
}

#[test]
fn a_rotation_loses_nothing_and_the_old_keys_do_not_open_what_came_after() {
    let (disk, old) = (Disk::default(), Arc::new(StateKeys::generate()));
    open_with(&disk, Some(&old))
        .unwrap()
        .0
        .append(b"before")
        .unwrap();
    let new = Arc::new(old.rotated().unwrap());
    let (mut wal, found) = open_with(&disk, Some(&new)).unwrap();
    assert_eq!(found, [b"before"]);
    wal.append(b"after").unwrap();
    drop(wal);
    assert_eq!(
        open_with(&disk, Some(&new)).unwrap().1,
        [b"before".as_slice(), b"after"]
    );
    assert!(open_with(&disk, Some(&old)).is_err());
}

#[test]
fn a_torn_frame_of_a_sealed_log_is_told_from_damage_as_in_a_clear_one() {
    let longest = frame::frame_len(OPTIONS.payload_len_max + seal::FRAME_OVERHEAD);
    for torn in (0..longest).step_by(SECTOR).chain([1, 31, 33, 70, 90]) {
        let (disk, keys) = (Disk::default(), Arc::new(StateKeys::generate()));
        let (mut wal, _) = open_with(&disk, Some(&keys)).unwrap();
        wal.append(&payload(1)).unwrap();
        disk.plan(0, Fault::Torn(torn));
        assert!(wal.append(&vec![9; OPTIONS.payload_len_max]).is_err());
        let (mut wal, found) =
            open_with(&disk, Some(&keys)).unwrap_or_else(|e| panic!("{torn}: {e}"));
        assert_eq!(found[0], payload(1));
        assert!(found.len() == 1 || torn >= longest - SECTOR, "{torn}");
        wal.append(b"next").unwrap();
        drop(wal);
        assert_eq!(
            open_with(&disk, Some(&keys)).unwrap().1.last().unwrap(),
            b"next"
        );
    }
}

mod front;
