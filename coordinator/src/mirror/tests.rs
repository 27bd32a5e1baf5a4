//! Crashes: what was cosigned is there afterwards, and nothing else is.

use std::os::unix::fs::FileExt;

use super::testbed::{Bed, Writer, head_log_key, heads, mirror_key, region, replicate, say};
use super::*;
use lingqu_core::record::{Clear, Field, Kind};
use lingqu_tlog::Note;

fn draft(subject: &str) -> Draft {
    let mut draft = Draft::new(Kind::Control);
    draft.clear = Clear::default()
        .text(Field::Action, "test")
        .text(Field::Subject, subject);
    draft
}

/// A revocation waits for what is on its way to the disk, and not for all that nodes still have to say.
#[tokio::test]
async fn own_acts_need_no_place_among_batches() {
    let bed = Bed::new(&[]);
    let mirror = bed.open();
    let places = u32::try_from(mirror.limits.queue_max).unwrap();
    let room = u32::try_from(mirror.limits.queue_bytes_max).unwrap();
    let _places = place(&mirror.places, places).await.unwrap();
    let _room = place(&mirror.room, room).await.unwrap();
    let (reply, answer) = oneshot::channel();
    let drafts = vec![draft("x")];
    let queued = mirror.queue(Work::Own { drafts, reply });
    assert_eq!(futures::FutureExt::now_or_never(queued), Some(Ok(())));
    assert_eq!(answer.await, Ok(0));
}

#[tokio::test]
async fn everything_cosigned_is_there_after_a_restart() {
    let (mut one, mut two) = (Writer::new("a", "4501", 1), Writer::new("b", "4502", 2));
    one.write(7);
    two.write(3);
    let bed = Bed::new(&[&one, &two]);
    let mirror = bed.open();
    replicate(&mirror, &one, 3).await;
    mirror.tick().await.unwrap();
    replicate(&mirror, &two, 1).await;
    assert_eq!(mirror.append_own(vec![draft("x"), draft("y")]).await, Ok(0));
    let before = (
        mirror.cosigned(&one.origin()),
        mirror.cosigned(&two.origin()),
    );
    let own = mirror.cosigned(&mirror.own.origin);
    let logs = format!("{:?}", mirror.shared.state().logs);
    drop(mirror);
    let mirror = bed.open();
    // The cosignature after the restart is the one that was given before, byte for byte.
    assert_eq!(
        (
            mirror.cosigned(&one.origin()),
            mirror.cosigned(&two.origin())
        ),
        before
    );
    assert_eq!(mirror.cosigned(&mirror.own.origin), own);
    assert_eq!(format!("{:?}", mirror.shared.state().logs), logs);
    assert_eq!(
        mirror
            .archive
            .entries(&one.origin(), 0, 7, usize::MAX)
            .unwrap(),
        one.entries
    );
    assert_eq!(
        mirror
            .archive
            .entries(&two.origin(), 1, 3, usize::MAX)
            .unwrap(),
        two.entries[1..]
    );
    // And it goes on where it stood.
    one.write(2);
    replicate(&mirror, &one, 2).await;
    assert_eq!(mirror.append_own(vec![draft("z")]).await, Ok(2));
}

#[tokio::test]
async fn the_own_stream_is_mirrored_like_any_other() {
    let bed = Bed::new(&[]);
    let mirror = bed.open();
    mirror.append_own(vec![draft("x")]).await.unwrap();
    // The clock stands still, and time in the stream does not.
    mirror.append_own(vec![draft("y")]).await.unwrap();
    let note = mirror.cosigned(&mirror.own.origin).unwrap().note;
    note.verify(std::slice::from_ref(&mirror.own.log_key))
        .unwrap();
    note.verify(&[mirror_key()]).unwrap();
    let mut records = Vec::new();
    mirror.own_records(|record| records.push(record)).unwrap();
    assert!(records[0].time < records[1].time);
    mirror.tick().await.unwrap();
    let state = mirror.shared.state();
    let log = &state.logs[&region("45")];
    Note::parse(&log.checkpoint)
        .unwrap()
        .verify(&[head_log_key("45")])
        .unwrap();
    assert_eq!(log.size(), 1);
    drop(state);
    let head = heads(&mirror, &region("45"))[0].clone();
    assert_eq!((head.first, head.size), (0, 2));
}

/// Every prefix of the last frame that a crash can leave: the batch is whole or it is not there.
#[tokio::test]
async fn a_torn_tail_loses_only_what_was_not_cosigned() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    replicate(&mirror, &writer, 1).await;
    // A conversation of its own, so that the second batch has a frame of its own.
    writer.write(1);
    replicate(&mirror, &writer, 1).await;
    drop(mirror);
    let segment = std::fs::read_dir(bed.wal())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|suffix| suffix == "wal"))
        .unwrap();
    let whole = std::fs::read(&segment).unwrap();
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
    // The second frame begins at the last block that begins with the frame's magic.
    let begin = (0..=last)
        .rev()
        .find(|at| at % 4_096 == 0 && whole[*at..].starts_with(b"WALF"))
        .unwrap();
    for keep in [0, 1, 5, 20, 31, 32, 33, 100, last - begin - 1, last - begin] {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&segment)
            .unwrap();
        file.write_all_at(&whole[begin..], begin as u64).unwrap();
        file.write_all_at(&vec![0; last + 1 - begin - keep], (begin + keep) as u64)
            .unwrap();
        drop(file);
        let mirror = bed.open();
        assert_eq!(
            mirror.size(&writer.origin()),
            1,
            "{keep} bytes of the frame survived"
        );
        drop(mirror);
    }
    std::fs::write(&segment, &whole).unwrap();
    let mirror = bed.open();
    assert_eq!(mirror.size(&writer.origin()), 2);
    // A damaged frame in the middle is refused, not skipped.
    drop(mirror);
    let mut damaged = whole;
    let first = (4_096..begin)
        .find(|at| at % 4_096 == 0 && damaged[*at..].starts_with(b"WALF"))
        .unwrap();
    damaged[first + 60] ^= 1;
    std::fs::write(&segment, &damaged).unwrap();
    assert!(bed.try_open(vec![writer.stream()]).is_err());
}

#[tokio::test]
async fn a_registry_older_than_the_log_is_refused() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(1);
    let bed = Bed::new(&[&writer]);
    replicate(&bed.open(), &writer, 1).await;
    let unknown = bed.try_open(Vec::new()).err().unwrap();
    assert!(matches!(
        unknown,
        MirrorOpenError::Wal(WalOpenError::Refused(ReplayError::Unknown(_)))
    ));
    // A registry that has another key for the stream is no better.
    let other = Writer::new("a", "4501", 9);
    let changed = bed.try_open(vec![other.stream()]).err().unwrap();
    assert!(matches!(
        changed,
        MirrorOpenError::Wal(WalOpenError::Refused(ReplayError::Stream(_)))
    ));
}

#[tokio::test]
async fn a_closed_mirror_takes_nothing_and_says_so() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    mirror.close();
    assert_eq!(
        mirror.append_own(vec![draft("x")]).await,
        Err(ErrorCode::AuditUnavailable)
    );
    assert_eq!(mirror.tick().await, Err(ErrorCode::AuditUnavailable));
}

#[tokio::test]
async fn a_log_has_one_process() {
    let bed = Bed::new(&[]);
    let mirror = bed.open();
    assert!(matches!(
        lingqu_journal::FileStore::open(bed.wal()),
        Err(lingqu_journal::StoreError::Locked)
    ));
    drop(mirror);
    // Many batches in one queue become few frames and lose nothing.
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(40);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    let mut said = vec![writer.open()];
    said.extend((0..40).map(|first| writer.batch(first, first + 1)));
    assert_eq!(say(&mirror, "node_a", said).await.len(), 41);
    assert_eq!(
        mirror
            .archive
            .entries(&writer.origin(), 0, 40, usize::MAX)
            .unwrap(),
        writer.entries
    );
}
