//! A log that is taken up behind its beginning, and whose front is dropped: what is there is found, what is missing is told.

use super::*;

fn open_at(disk: &Disk, start: &Start) -> Result<Opened, WalOpenError<Infallible>> {
    let mut payloads = Vec::new();
    let wal = Wal::open_at(Arc::new(disk.store()), OPTIONS, None, start, |payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok((wal, payloads))
}

/// A log of all payloads, and where it can be taken up at each of its segments.
fn written() -> (Disk, Vec<Start>) {
    let disk = Disk::default();
    assert_eq!(run(&disk), COUNT);
    let (wal, _) = open(&disk).unwrap();
    let segments = wal.reader().segments();
    let starts = (1..segments.len()).map(|at| Start {
        segment: segments[at].segment,
        frame: segments[at].first_frame,
        sealed: segments[..at].to_vec(),
    });
    (disk, starts.collect())
}

fn read_from(wal: &Wal, first: usize) -> Result<Vec<Vec<u8>>, ReadError> {
    let mut found = Vec::new();
    wal.reader().read(first as u64, |payload| {
        found.push(payload.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[test]
fn only_the_tail_is_replayed_and_everything_is_read_back() {
    let (disk, starts) = written();
    assert!(starts.len() > 1, "there are segments to take it up at");
    for start in &starts {
        let (mut wal, replayed) = open_at(&disk, start).unwrap();
        let from = usize::try_from(start.frame).unwrap();
        assert_eq!(replayed, payloads(COUNT)[from..]);
        for first in 0..COUNT {
            assert_eq!(read_from(&wal, first).unwrap(), payloads(COUNT)[first..]);
        }
        wal.reader().forget_marks(u64::MAX);
        assert_eq!(read_from(&wal, 0).unwrap(), payloads(COUNT));
        assert_eq!(wal.append(&payload(0)).unwrap(), COUNT as u64);
        disk.replace(written().0.segments());
    }
}

#[test]
fn what_was_dropped_is_gone_and_the_rest_is_there() {
    let (disk, starts) = written();
    let start = starts.last().unwrap();
    let (wal, _) = open_at(&disk, start).unwrap();
    let reader = wal.reader();
    let before = reader.disk_bytes();
    reader.drop_before(1).unwrap();
    assert!(reader.disk_bytes() < before);
    let second = usize::try_from(start.sealed[1].first_frame).unwrap();
    for first in 0..COUNT {
        let found = read_from(&wal, first);
        match first < second {
            true => assert!(matches!(found, Err(ReadError::Dropped(_))), "{first}"),
            false => assert_eq!(found.unwrap(), payloads(COUNT)[first..]),
        }
    }
    // What is written stays, whatever is asked for.
    reader.drop_before(u64::MAX).unwrap();
    assert_eq!(disk.segments().len(), 1);
    drop(wal);
    let left = Start {
        sealed: Vec::new(),
        ..start.clone()
    };
    let (_, replayed) = open_at(&disk, &left).unwrap();
    assert_eq!(
        replayed,
        payloads(COUNT)[usize::try_from(start.frame).unwrap()..]
    );
    assert!(
        matches!(open_at(&disk, start), Err(WalOpenError::Corrupt { .. })),
        "older than what was dropped"
    );
    assert!(
        matches!(open(&disk), Err(WalOpenError::Corrupt { .. })),
        "and from the beginning"
    );
}

#[test]
fn a_place_that_is_not_this_logs_is_refused() {
    let (disk, starts) = written();
    let good = starts.last().unwrap();
    let refused = |what: &str, start: Start| {
        let before = disk.segments();
        let opened = open_at(&disk, &start);
        assert!(
            matches!(opened, Err(WalOpenError::Corrupt { .. })),
            "{what}"
        );
        assert!(disk.segments() == before, "{what}: nothing is modified");
    };
    refused(
        "another frame",
        Start {
            frame: good.frame + 1,
            ..good.clone()
        },
    );
    refused(
        "a frame of before",
        Start {
            frame: good.frame - 1,
            ..good.clone()
        },
    );
    refused(
        "a segment that is not there yet",
        Start {
            segment: good.segment + 1,
            ..good.clone()
        },
    );
    let mut fewer = good.clone();
    fewer.sealed.remove(0);
    refused("a segment that it does not know", fewer);
    let mut more = good.clone();
    more.sealed.pop();
    refused("a gap in what it knows", more);
    let segments = disk.segments();
    let mut damaged = segments.clone();
    damaged.get_mut(&0).unwrap()[5] ^= 1;
    disk.replace(damaged);
    refused("a damaged head of a segment before", good.clone());
    let mut missing = segments;
    missing.remove(&0);
    disk.replace(missing);
    refused("a segment missing before", good.clone());
}

#[test]
fn a_drop_may_fail_at_each_step_and_is_done_again() {
    let (_, starts) = written();
    let start = starts.last().unwrap();
    for step in 0..start.sealed.len() as u64 {
        for fault in [Fault::Before, Fault::AfterPersisting] {
            let (disk, _) = written();
            let (wal, _) = open_at(&disk, start).unwrap();
            disk.plan(step, fault.clone());
            assert!(wal.reader().drop_before(start.segment).is_err());
            drop(wal);
            // Whoever drops wrote down before that these segments are not needed.
            let front = *disk.segments().keys().next().unwrap();
            let mut left = start.clone();
            left.sealed.retain(|sealed| sealed.segment >= front);
            let (wal, replayed) = open_at(&disk, &left).unwrap();
            assert_eq!(
                replayed,
                payloads(COUNT)[usize::try_from(start.frame).unwrap()..]
            );
            wal.reader().drop_before(start.segment).unwrap();
            assert_eq!(disk.segments().len(), 1, "step {step}, {fault:?}");
        }
    }
}
