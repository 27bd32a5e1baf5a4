//! Ends and beginnings that a node would like to have taken, and those that it may have taken.

use lingqu_core::envelope::Envelope;
use lingqu_core::forward::PART_LEN_MAX;
use lingqu_core::record::{Draft, Kind};
use lingqu_core::succession::{ShownEnd, StreamBegin, SuccessionOrder};
use lingqu_proto::{encode_envelope, seal};
use lingqu_testkit::{BadEnd, EndPlace, EndSeeds, HandWritten, bad_ends};
use lingqu_tlog::{Ed25519Signer, Signer};

use super::super::replicate::{Answer, Conflict, Said};
use super::super::testbed::{Bed, heads, region, say};
use super::super::{Mirror, testbed};
use super::*;

pub(in crate::mirror) const OLD: &str = "coord.example/s/a/4501/2026h2";
pub(in crate::mirror) const NEXT: &str = "coord.example/s/a/4501/2027h1";
const UNIT: &str = "party_unit";

pub(in crate::mirror) fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

pub(in crate::mirror) fn written(origin: &str, seed: u8) -> HandWritten {
    HandWritten {
        mirror: ("coord.example/mirror".to_owned(), signer(102)),
        ..HandWritten::new(origin, seed, "")
    }
}

pub(in crate::mirror) fn next(of: &HandWritten) -> HandWritten {
    HandWritten {
        time: Timestamp(of.time.0 + 1_000),
        ..written(NEXT, 2)
    }
}

fn old() -> HandWritten {
    let mut old = written(OLD, 1);
    old.push(Draft::new(Kind::NodeStart));
    old
}

/// More than one record of balances.
pub(in crate::mirror) fn balances() -> Vec<u8> {
    let bytes = (0..=u8::MAX).cycle();
    bytes.take(PART_LEN_MAX + 5).collect()
}

fn order_for(begins: &HandWritten) -> SuccessionOrder {
    SuccessionOrder {
        unit: UNIT.parse().unwrap(),
        node: "node_a".parse().unwrap(),
        issued: Timestamp(testbed::START),
        not_before: Timestamp(testbed::START),
        not_after: Timestamp(testbed::START).plus_months_utc8(1),
        ends: OLD.to_owned(),
        begins: begins.key().to_string(),
    }
}

fn signed(order: &SuccessionOrder, by: u8) -> Vec<u8> {
    let mut envelope: Envelope = seal(order);
    envelope.sign(order.unit.as_str(), &signer(by));
    encode_envelope(&envelope)
}

pub(in crate::mirror) fn order(begins: &HandWritten) -> Vec<u8> {
    signed(&order_for(begins), 50)
}

/// An order that is alive around this time.
pub(in crate::mirror) fn order_at(begins: &HandWritten, time: Timestamp) -> Vec<u8> {
    let order = SuccessionOrder {
        issued: Timestamp(time.0 - 1_000),
        not_before: Timestamp(time.0 - 1_000),
        not_after: time.plus_months_utc8(1),
        ..order_for(begins)
    };
    signed(&order, 50)
}

/// Both streams, the first ended and the second begun.
fn both() -> (HandWritten, HandWritten) {
    let mut old = old();
    let mut next = next(&old);
    old.end(&order(&next), &next, &balances());
    next.begin(&old, &balances());
    (old, next)
}

fn stream(of: &HandWritten, owner: &str) -> Stream {
    let stream = Stream::new(&of.origin, owner, &region("4501"), of.signer.public_key());
    stream.unwrap().of_unit(Unit {
        id: UNIT.parse().unwrap(),
        approval_key: signer(50).public_key().to_vec(),
    })
}

pub(in crate::mirror) fn streams() -> Vec<Stream> {
    let other = written("coord.example/s/b/4501/2026h2", 3);
    vec![stream(&written(OLD, 1), "node_a"), stream(&other, "node_b")]
}

/// A mirror with room for a record of balances.
pub(in crate::mirror) fn bed() -> (Bed, Arc<Mirror>) {
    let mut bed = Bed::new(&[]);
    bed.limits.batch_bytes_max = 64 << 10;
    let mirror = bed.try_open(streams()).unwrap();
    (bed, mirror)
}

pub(in crate::mirror) fn open(of: &HandWritten) -> Said {
    Said::Open {
        origin: of.origin.clone(),
        checkpoint: String::new(),
        heads: None,
    }
}

pub(in crate::mirror) fn batch(of: &HandWritten, first: u64, end: u64) -> Said {
    let range = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
    Said::Batch {
        first,
        entries: of.entries[range].to_vec(),
        checkpoint: of.signed(end).to_string(),
    }
}

/// Sends everything from what the mirror has, one record a batch as they are large; the conflict that ended it, if one did.
pub(in crate::mirror) async fn send(
    mirror: &Arc<Mirror>,
    of: &HandWritten,
    owner: &str,
) -> Option<Conflict> {
    let mut said = vec![open(of)];
    for first in mirror.size(&of.origin)..of.size() {
        said.push(batch(of, first, first + 1));
    }
    refused(&say(mirror, owner, said).await)
}

fn refused(answers: &[Answer]) -> Option<Conflict> {
    match answers.last() {
        Some(Answer::Conflict { kind, .. }) => Some(*kind),
        _ => None,
    }
}

/// the log goes on without a gap over the end of a stream, and a restart knows it from the log alone.
#[tokio::test]
async fn a_stream_that_ended_is_followed_by_the_one_that_its_end_names() {
    let (old, mut next) = both();
    let (bed, mirror) = bed();
    assert_eq!(
        send(&mirror, &next, "node_a").await,
        Some(Conflict::NotYours)
    );
    assert_eq!(send(&mirror, &old, "node_a").await, None);
    mirror.tick().await.unwrap();
    assert_eq!(
        send(&mirror, &next, "node_b").await,
        Some(Conflict::NotYours)
    );
    assert_eq!(send(&mirror, &next, "node_a").await, None);
    next.push(Draft::new(Kind::NodeStart));
    let known = |mirror: &Mirror| {
        let lineage = mirror.shared.lineage(OLD);
        let origins: Vec<_> = lineage.iter().map(|one| one.origin.clone()).collect();
        assert_eq!(origins, [OLD, NEXT]);
        assert_eq!(lineage[1].owner, "node_a");
        assert_eq!(lineage[1].region, region("4501"));
        assert_eq!(mirror.size_with_next(OLD), 2 + 3);
        assert_eq!(mirror.newest_cosigned(OLD).unwrap().size, 3);
    };
    known(&mirror);
    let cosigned = mirror.cosigned(NEXT);
    drop(mirror);
    let mirror = bed.try_open(streams()).unwrap();
    known(&mirror);
    assert_eq!(mirror.cosigned(NEXT), cosigned);
    assert_eq!(send(&mirror, &next, "node_a").await, None);
    mirror.tick().await.unwrap();
    // Both stand in the region's head log, the one that ended for good.
    let heads = heads(&mirror, &region("4501"));
    let newest = |origin| heads.iter().rfind(|head| head.origin == origin);
    assert_eq!(newest(OLD).map(|head| head.size), Some(2));
    assert_eq!(newest(NEXT).map(|head| head.size), Some(4));
}

/// A chain of three, the log key changing and staying the same.
#[tokio::test]
async fn a_stream_that_follows_can_be_followed() {
    let (old, mut next) = both();
    let (_bed, mirror) = bed();
    let mut last = HandWritten {
        time: Timestamp(next.time.0 + 1_000),
        ..written("coord.example/s/a/4501/2027h2", 2)
    };
    let order = SuccessionOrder {
        ends: NEXT.to_owned(),
        ..order_for(&last)
    };
    next.end(&signed(&order, 50), &last, b"few");
    last.begin(&next, b"few");
    for stream in [&old, &next, &last] {
        assert_eq!(send(&mirror, stream, "node_a").await, None);
    }
    assert_eq!(mirror.shared.lineage(OLD).len(), 3);
}

#[tokio::test]
async fn nothing_is_taken_behind_an_end() {
    let (mut old, _) = both();
    let (_bed, mirror) = bed();
    let ended = old.size();
    assert_eq!(send(&mirror, &old, "node_a").await, None);
    old.push(Draft::new(Kind::Heartbeat));
    assert_eq!(send(&mirror, &old, "node_a").await, Some(Conflict::Ended));
    assert_eq!(mirror.size(OLD), ended);
    // Nor in the batch that has the end.
    let (_bed, mirror) = self::bed();
    let said = vec![open(&old), batch(&old, 0, 3)];
    let answers = say(&mirror, "node_a", said).await;
    assert_eq!(refused(&answers), Some(Conflict::Ended));
    assert_eq!((mirror.size(OLD), mirror.shared.lineage(OLD).len()), (0, 1));
}

/// Two ends of one stream, each with the unit's order: the first is taken, the second is a fork.
#[tokio::test]
async fn a_stream_ends_once() {
    let (first, _) = both();
    let mut second = old();
    let other = HandWritten {
        time: Timestamp(second.time.0 + 1_000),
        ..written("coord.example/s/a/4501/2027h2", 4)
    };
    second.end(&order(&other), &other, &balances());
    let (_bed, mirror) = bed();
    assert_eq!(send(&mirror, &first, "node_a").await, None);
    let said = vec![open(&second), batch(&second, 1, 2)];
    let answers = say(&mirror, "node_a", said).await;
    assert_eq!(refused(&answers), Some(Conflict::Fork));
    assert!(mirror.shared.stream(&other.origin).is_none());
}

fn place() -> EndPlace<'static> {
    EndPlace {
        good: order_for(&next(&old())),
        seal: &|order| seal(order),
        encode: &|envelope| encode_envelope(envelope),
        seeds: EndSeeds {
            unit: 50,
            log: 1,
            mirror: 102,
            heads: 103,
            next: 2,
        },
    }
}

fn kept(bed: &Bed) -> Vec<String> {
    let files = std::fs::read_dir(bed.dir.path().join("evidence"));
    let files = files.into_iter().flatten().map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "end"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// Whoever has the log key alone cannot end the stream, nor can another unit, or this one for something else. What the
/// node signed for it is kept, and proves that it did.
#[tokio::test]
async fn an_end_that_may_not_be_is_refused_and_kept() {
    let mut table = bad_ends(&place());
    // What the registry knows and the node cannot.
    let next = written(NEXT, 3);
    table.push(BadEnd {
        why: "another node's log key",
        order: order(&next),
        next,
    });
    for BadEnd { why, order, next } in table {
        let (bed, mirror) = bed();
        let mut old = old();
        old.end(&order, &next, &balances());
        // Twice: it is one deed.
        for _ in 0..2 {
            let refused = send(&mirror, &old, "node_a").await;
            assert_eq!(refused, Some(Conflict::BadBatch), "{why}");
        }
        assert_eq!(mirror.size(OLD), 1, "{why}");
        assert!(
            mirror
                .shared
                .stream(&next.origin)
                .is_none_or(|found| found.origin == OLD)
        );
        let files = kept(&bed);
        assert_eq!(files.len(), 1, "{why}");
        let shown = ShownEnd::parse(&files[0]).unwrap();
        assert_eq!(shown.0.entry, old.entries[1], "{why}");
        let trust = Trust::<Intl>::parse(&format!("log {}\nquorum none\n", old.key())).unwrap();
        assert!(shown.0.verify(&trust).is_ok(), "{why}");
    }
}

/// A batch that goes on behind its bad end shows the end all the same; one that does not lead to its root proves nothing.
#[tokio::test]
async fn what_is_kept_is_proven() {
    let bad = bad_ends(&place()).remove(0);
    let mut old = old();
    for _ in 0..5 {
        old.push(Draft::new(Kind::Heartbeat));
    }
    old.end(&bad.order, &bad.next, &balances());
    let (bed, mirror) = bed();
    let said = |old: &HandWritten| vec![open(old), batch(old, 0, 3), batch(old, 3, 7)];
    let answers = say(&mirror, "node_a", said(&old)).await;
    assert_eq!(refused(&answers), Some(Conflict::BadBatch));
    assert_eq!((mirror.size(OLD), kept(&bed).len()), (3, 1));
    let (bed, mirror) = self::bed();
    let mut altered = said(&old);
    let Some(Said::Batch { checkpoint, .. }) = altered.last_mut() else {
        panic!("a batch is last")
    };
    *checkpoint = {
        old.entries[4] = old.entries[5].clone();
        old.signed(7).to_string()
    };
    let answers = say(&mirror, "node_a", altered).await;
    assert_eq!(refused(&answers), Some(Conflict::BadBatch));
    assert_eq!(kept(&bed), [] as [String; 0]);
}

/// The coordinator's own stream is nobody's to end.
#[test]
fn the_coordinators_own_stream_has_nobody_who_could_end_it() {
    let own = testbed::keys().log;
    let stream = Stream::new(OLD, "node_a", &region("4501"), own.public_key()).unwrap();
    let (old, _) = both();
    let judge = Judge {
        stream: &stream,
        is_taken: &|_| false,
    };
    let ends = judge.end(&old.entries[1], None);
    assert_eq!(ends, Err(EndRefused::OtherUnit));
}

/// A stream that begins with less than was spent, or with something else.
#[tokio::test]
async fn a_beginning_proves_the_end_and_brings_everything_forward() {
    let (old, good) = both();
    let begun = |begin: StreamBegin, parts: &[&[u8]]| {
        let mut stream = next(&old);
        stream.push(Succession::Begin(begin).draft());
        for part in parts {
            stream.push(Succession::Forward(part.to_vec()).draft());
        }
        stream
    };
    let begin = || HandWritten::beginning(&old, &balances());
    let (whole, less) = (balances(), b"less".to_vec());
    let (part, rest) = whole.split_at(PART_LEN_MAX);
    let says_less = HandWritten::beginning(&old, &less);
    let earlier = {
        let mut earlier = written(OLD, 1);
        earlier.push(Draft::new(Kind::Heartbeat));
        HandWritten::beginning(&earlier, &whole)
    };
    let uncosigned = {
        let mut receipt = old.receipt(1);
        receipt.signatures.truncate(1);
        StreamBegin {
            previous_end: receipt.tlog_proof().to_string().into_bytes(),
            ..begin()
        }
    };
    let mut silent = next(&old);
    silent.push(Draft::new(Kind::NodeStart));
    let mut between = begun(begin(), &[part]);
    between.push(Draft::new(Kind::Heartbeat));
    for (stream, why) in [
        (silent, "no beginning"),
        (begun(says_less, &[&less]), "says less than the end"),
        (
            begun(begin(), &[part, &rest[1..]]),
            "brings less than it says",
        ),
        (begun(begin(), &[rest, part]), "in another order"),
        (begun(earlier, &[part, rest]), "no end"),
        (
            begun(uncosigned, &[part, rest]),
            "an end that no mirror had",
        ),
        (between, "something between"),
    ] {
        let (_bed, mirror) = bed();
        assert_eq!(send(&mirror, &old, "node_a").await, None);
        let refused = send(&mirror, &stream, "node_a").await;
        assert_eq!(refused, Some(Conflict::BadBatch), "{why}");
    }
    // A key that the end does not name.
    let (_bed, mirror) = bed();
    assert_eq!(send(&mirror, &old, "node_a").await, None);
    let mut stranger = HandWritten {
        signer: signer(9),
        ..next(&old)
    };
    stranger.begin(&old, &whole);
    assert_eq!(
        send(&mirror, &stranger, "node_a").await,
        Some(Conflict::BadSignature)
    );
    // Begun twice: the first is taken, the second is a fork, whatever it says.
    assert_eq!(send(&mirror, &good, "node_a").await, None);
    let mut again = HandWritten {
        time: Timestamp(good.time.0 + 9),
        ..next(&old)
    };
    again.begin(&old, &whole);
    let said = vec![open(&again), batch(&again, 0, 1)];
    let answers = say(&mirror, "node_a", said).await;
    assert_eq!(refused(&answers), Some(Conflict::Fork));
}

/// A stream that follows none brings nothing forward: its balances would be its own invention.
#[tokio::test]
async fn a_first_stream_begins_with_nothing() {
    let (_, next) = both();
    let begin = Succession::of(&RecordView::read::<Intl>(&next.entries[0]).unwrap());
    let begin = begin.unwrap().unwrap();
    for first in [begin, Succession::Forward(b"less".to_vec())] {
        let (_bed, mirror) = bed();
        let mut invented = written(OLD, 1);
        invented.push(first.draft());
        let refused = send(&mirror, &invented, "node_a").await;
        assert_eq!(refused, Some(Conflict::BadBatch));
    }
}
