//! What may go goes and nothing else, whenever it crashes; what stays proves what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::trust::Trust;
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_testkit::HandWritten;
use tokio::sync::mpsc;

use super::super::advance::tests::copy;
use super::super::feed::{Event, Follower};
use super::super::files::Plan as Fault;
use super::super::succession::tests::{
    NEXT, OLD, balances, batch, bed, next, open, order, order_at, send, streams, written,
};
use super::super::testbed::{Bed, heads, region};
use super::super::{MirrorOpenError, base};
use super::*;

/// The first stream with records for several segments, and the next one with as many.
fn long() -> (HandWritten, HandWritten) {
    let mut old = written(OLD, 1);
    push_many(&mut old);
    let mut next = next(&old);
    old.end(&order(&next), &next, &balances());
    next.begin(&old, &balances());
    push_many(&mut next);
    (old, next)
}

fn push_many(of: &mut HandWritten) {
    for _ in 0..70 {
        of.push(Draft::new(Kind::NodeStart));
    }
}

/// A mirror that has both, with heads of both and own acts between them.
async fn ended() -> (Bed, Arc<Mirror>, HandWritten, HandWritten) {
    let (old, next) = long();
    let (bed, mirror) = bed();
    for of in [&old, &next] {
        act(&mirror).await;
        assert_eq!(send(&mirror, of, "node_a").await, None);
        mirror.tick().await.unwrap();
    }
    (bed, mirror, old, next)
}

async fn act(mirror: &Mirror) {
    let mut draft = Draft::new(Kind::Control);
    draft.clear = Clear::default().text(Field::Action, "act");
    mirror.append_own(vec![draft]).await.unwrap();
}

fn only(origin: &str) -> BTreeSet<String> {
    BTreeSet::from([origin.to_owned()])
}

fn all(mirror: &Mirror, origin: &str) -> Result<Vec<Vec<u8>>, ArchiveError> {
    let size = mirror.size(origin);
    let mut entries = Vec::new();
    while (entries.len() as u64) < size {
        let next = entries.len() as u64;
        entries.extend(mirror.archive.entries(origin, next, size, 900)?);
    }
    Ok(entries)
}

/// Everything that stays whatever goes: head log, own stream, the stream that goes on, the end of the one that went.
fn what_stays(mirror: &Mirror, old: &HandWritten, next: &HandWritten) {
    let place = region("4501");
    let found = heads(mirror, &place);
    let ends: Vec<_> = found
        .iter()
        .map(|head| (head.origin.as_str(), head.size))
        .collect();
    assert!(ends.contains(&(OLD, old.size())), "{ends:?}");
    let leaves = (0..found.len() as u64).map(|index| mirror.archive.leaf(&place, index).unwrap());
    let mut tree = lingqu_tlog::Frontier::<Intl>::new();
    leaves.for_each(|leaf| tree.push(lingqu_tlog::leaf_hash::<Intl>(&leaf)));
    let log = mirror.shared.state().logs[&place].clone();
    assert_eq!(log.root_at(log.size()), Some(tree.root()));
    assert_eq!(all(mirror, NEXT).unwrap(), next.entries);
    assert!(all(mirror, &mirror.own.origin).unwrap().len() >= 2);
    assert_eq!(mirror.size(OLD), old.size());
    let end = mirror.proven_end(OLD).unwrap();
    let trust = format!(
        "log {}\nwitness mirror {}\nquorum mirror\n",
        old.key(),
        super::super::testbed::mirror_key()
    );
    end.verify(&Trust::<Intl>::parse(&trust).unwrap()).unwrap();
    assert_eq!(end.entry, *old.entries.last().unwrap());
    assert_eq!(mirror.shared.next_of(OLD).unwrap().origin, NEXT);
}

#[tokio::test]
async fn what_may_go_goes_and_what_stays_proves_it() {
    let (bed, mirror, old, mut next) = ended().await;
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    assert_eq!(plan.streams, only(OLD));
    assert!(!plan.segments.is_empty());
    assert_eq!(
        all(&mirror, OLD).unwrap(),
        old.entries,
        "a plan changes nothing"
    );
    mirror.prune(&plan).unwrap();
    let first = |segment: u64| bed.wal().join(format!("{segment:016x}.wal"));
    assert!(
        plan.segments
            .iter()
            .all(|sealed| !first(sealed.segment).exists())
    );
    for _ in 0..2 {
        assert!(matches!(all(&mirror, OLD), Err(ArchiveError::Dropped)));
        what_stays(&mirror, &old, &next);
    }
    mirror.close();
    drop(mirror);
    let mirror = bed.try_open(streams()).unwrap();
    assert!(matches!(all(&mirror, OLD), Err(ArchiveError::Dropped)));
    what_stays(&mirror, &old, &next);
    // Nothing is left to be done, and the node goes on; so does the base.
    assert_eq!(mirror.plan_to_prune(&only(OLD)).unwrap(), Plan::default());
    push_many(&mut next);
    assert_eq!(send(&mirror, &next, "node_a").await, None);
    assert!(mirror.advance(true).unwrap());
    mirror.close();
    drop(mirror);
    let mirror = bed.try_open(streams()).unwrap();
    what_stays(&mirror, &old, &next);
    assert!(mirror.ended().unwrap()[0].is_dropped);
}

#[tokio::test]
async fn only_what_has_ended_may_go_and_only_whole_segments() {
    let (_bed, mirror, _, _) = ended().await;
    assert_eq!(
        mirror.plan_to_prune(&BTreeSet::new()).unwrap(),
        Plan::default()
    );
    // One that goes on does not go, whoever says that it may.
    assert_eq!(mirror.plan_to_prune(&only(NEXT)).unwrap(), Plan::default());
    let both = BTreeSet::from([OLD.to_owned(), NEXT.to_owned()]);
    assert_eq!(mirror.plan_to_prune(&both).unwrap().streams, only(OLD));
}

/// A stream that goes on has a record in the first segment.
#[tokio::test]
async fn a_stream_that_goes_on_holds_the_log() {
    let (old, next) = long();
    let (_bed, mirror) = bed();
    let mut other = written("coord.example/s/b/4501/2026h2", 3);
    other.push(Draft::new(Kind::NodeStart));
    assert_eq!(send(&mirror, &other, "node_b").await, None);
    for of in [&old, &next] {
        assert_eq!(send(&mirror, of, "node_a").await, None);
    }
    mirror.tick().await.unwrap();
    assert_eq!(mirror.plan_to_prune(&only(OLD)).unwrap(), Plan::default());
}

#[tokio::test]
async fn a_crash_at_each_step_leaves_it_whole_or_gone() {
    let (template, mirror, old, next) = ended().await;
    mirror.advance(true).unwrap();
    mirror.close();
    drop(mirror);
    let mut gone = BTreeSet::new();
    for step in 0.. {
        let mut done = true;
        for is_done in [false, true] {
            let mut bed = Bed::new(&[]);
            copy(template.dir.path(), bed.dir.path());
            bed.limits = template.limits;
            let mirror = bed.try_open(streams()).unwrap();
            let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
            let fault = Fault { step, is_done };
            mirror.keeping.lock().unwrap().files.plan(Some(fault));
            done &= mirror.prune(&plan).is_ok();
            mirror.close();
            drop(mirror);
            let mirror = bed.try_open(streams()).unwrap();
            what_stays(&mirror, &old, &next);
            match all(&mirror, OLD) {
                Ok(entries) => assert_eq!(entries, old.entries, "step {step}"),
                Err(ArchiveError::Dropped) => drop(gone.insert(step)),
                Err(error) => panic!("step {step}: {error}"),
            }
            let left = fs::read_dir(bed.wal()).unwrap().count();
            let segments = mirror.archive.reader.segments().len();
            assert!(left <= segments + 2, "no file is left over");
            let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
            mirror.prune(&plan).unwrap();
            assert!(matches!(all(&mirror, OLD), Err(ArchiveError::Dropped)));
        }
        if done {
            break;
        }
    }
    assert!(
        !gone.contains(&0) && gone.len() > 1,
        "both outcomes were seen: {gone:?}"
    );
}

/// A base of before the drop does not fit the segments any more; one of after does not fit a log of before that is newer.
#[tokio::test]
async fn an_older_base_is_found_out() {
    let (bed, mirror, _, _) = ended().await;
    mirror.advance(true).unwrap();
    let path = bed.dir.path().join("mirror-base").join(base::NAME);
    let older = fs::read(&path).unwrap();
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    mirror.prune(&plan).unwrap();
    mirror.close();
    drop(mirror);
    fs::write(&path, older).unwrap();
    let opened = bed.try_open(streams());
    assert!(matches!(opened, Err(MirrorOpenError::Wal(_))));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let opened = bed.try_open(streams());
    assert!(
        matches!(opened, Err(MirrorOpenError::Wal(_))),
        "nor does none"
    );
}

async fn followed(mirror: &Arc<Mirror>) -> Vec<Event> {
    let follower = Follower::new(Arc::clone(mirror), region("4501"), Vec::new()).unwrap();
    let (sender, mut receiver) = mpsc::channel::<Result<Event, ErrorCode>>(4);
    let collect = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event.unwrap());
        }
        events
    };
    let (ran, events) = tokio::join!(follower.run(true, sender), collect);
    ran.unwrap();
    events
}

#[tokio::test]
async fn a_follower_gets_the_heads_and_the_end_of_what_was_dropped() {
    let (_bed, mirror, old, next) = ended().await;
    let before = followed(&mirror).await;
    assert!(
        !before
            .iter()
            .any(|event| matches!(event, Event::Dropped { .. }))
    );
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    mirror.prune(&plan).unwrap();
    let after = followed(&mirror).await;
    let ends: Vec<&[u8]> = after
        .iter()
        .filter_map(|event| match event {
            Event::Dropped { end, .. } => Some(end.as_slice()),
            _ => None,
        })
        .collect();
    let end = mirror.proven_end(OLD).unwrap().to_text();
    assert_eq!(ends.last(), Some(&end.as_bytes()));
    assert_eq!(ends.iter().filter(|end| !end.is_empty()).count(), 1);
    let of_next: usize = after
        .iter()
        .map(|event| match event {
            Event::Span {
                origin, entries, ..
            } if origin == NEXT => entries.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(of_next as u64, next.size());
    assert!(old.size() > 0);
}

/// A node that was restored from before the end asks for what is not there any more, and is told so.
#[tokio::test]
async fn a_node_that_resumes_there_is_told() {
    let (_bed, mirror, old, _) = ended().await;
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    mirror.prune(&plan).unwrap();
    let (sender, mut receiver) = mpsc::channel(16);
    let said = vec![Ok(open(&old)), Ok(batch(&old, 3, 4))];
    let said = futures::stream::iter(said);
    let converse = super::super::replicate::converse(Arc::clone(&mirror), "node_a", said, sender);
    let collect = async {
        let mut last = None;
        while let Some(answer) = receiver.recv().await {
            last = Some(answer);
        }
        last
    };
    let ((), last) = tokio::join!(converse, collect);
    assert_eq!(last, Some(Err(ErrorCode::StreamPruned)));
    let read = mirror.read(|archive| archive.entries(OLD, 0, 1, 900)).await;
    assert_eq!(read, Err(ErrorCode::StreamPruned));
    // Its last checkpoint is compared all the same.
    let note = mirror.archive.checkpoint(OLD, old.size()).unwrap();
    assert_eq!(note, mirror.cosigned(OLD).map(|one| one.note.to_string()));
}

/// A stream's own times are the node's word: what counts is when the mirror had its end.
#[tokio::test]
async fn a_stream_that_is_dated_back_or_forward_ends_when_the_mirror_had_it() {
    for years in [-10, 0, 10] {
        let (bed, mirror) = bed();
        let shift = years * 366 * 86_400_000_000;
        let mut old = written(OLD, 1);
        old.time = Timestamp(old.time.0 + shift);
        old.push(Draft::new(Kind::NodeStart));
        let mut next = HandWritten {
            time: Timestamp(old.time.0 + 1_000),
            ..written(NEXT, 2)
        };
        let order = order_at(&next, old.time);
        old.end(&order, &next, &balances());
        next.begin(&old, &balances());
        for of in [&old, &next] {
            assert_eq!(send(&mirror, of, "node_a").await, None, "{years} years");
        }
        let taken = mirror.cosigned(OLD).unwrap().taken;
        assert_eq!(mirror.ended().unwrap()[0].at, taken, "{years} years");
        mirror.close();
        drop(mirror);
        let mirror = bed.try_open(streams()).unwrap();
        assert_eq!(mirror.ended().unwrap()[0].at, taken, "after a restart");
    }
}

/// Segments that a restore brought back are not removed for a base that goes on with others.
#[tokio::test]
async fn a_start_that_fails_removes_nothing() {
    let (bed, mirror, _, _) = ended().await;
    let before: BTreeMap<_, Vec<u8>> = files_in(&bed.wal());
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    mirror.prune(&plan).unwrap();
    mirror.close();
    drop(mirror);
    // A segment that the base begins with is lost, and the older ones are back.
    for path in files_in(&bed.wal()).into_keys() {
        if path.extension().is_some_and(|ending| ending == "wal") {
            fs::remove_file(path).unwrap();
        }
    }
    let given_up: Vec<_> = plan.segments.iter().map(|sealed| sealed.segment).collect();
    let is_given_up = |path: &PathBuf| {
        given_up
            .iter()
            .any(|segment| path.ends_with(format!("{segment:016x}.wal")))
    };
    for (path, bytes) in before.iter().filter(|(path, _)| is_given_up(path)) {
        fs::write(path, bytes).unwrap();
    }
    let opened = bed.try_open(streams());
    assert!(matches!(opened, Err(MirrorOpenError::Wal(_))));
    let left = files_in(&bed.wal());
    let back = before.iter().filter(|(path, _)| is_given_up(path));
    for (path, bytes) in back {
        assert_eq!(left.get(path), Some(bytes), "{}", path.display());
    }
}

fn files_in(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

/// An index that a crash left behind goes with the next start, though its segment is gone long since.
#[tokio::test]
async fn an_index_that_was_left_over_goes() {
    let (bed, mirror, _, _) = ended().await;
    let plan = mirror.plan_to_prune(&only(OLD)).unwrap();
    mirror.prune(&plan).unwrap();
    mirror.close();
    drop(mirror);
    let left = bed
        .dir
        .path()
        .join("mirror-base")
        .join(Batches::name(plan.segments[0].segment));
    fs::write(&left, b"left").unwrap();
    let mirror = bed.try_open(streams()).unwrap();
    assert!(!left.exists());
    mirror.close();
}

/// What a stream that has ended says of the time counts, and who its unit is.
#[tokio::test]
async fn the_time_of_a_unit_is_the_newest_of_all_its_streams() {
    let (_bed, mirror, _, next) = ended().await;
    let times = mirror.newest_times().unwrap();
    assert_eq!(times.len(), 2, "the stream that ended counts");
    assert!(times.iter().all(|(unit, _)| unit == "party_unit"));
    let newest = times.iter().map(|(_, time)| *time).max();
    assert_eq!(newest, Some(Timestamp(next.time.0 - 1)));
}
