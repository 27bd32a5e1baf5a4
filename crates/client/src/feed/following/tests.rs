//! A mirror that holds back, a node that goes on after its end: what a follower of two streams notices.

use lingqu_core::record::{Draft, Kind};
use lingqu_proto::pb;
use lingqu_testkit::HandWritten;
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, Note, Signer, VerifierKey, leaf_hash,
    sign_note,
};

use super::super::{Event, Verifier};
use super::*;
use crate::succession::tests::{BALANCES, NEXT, OLD, UNIT, both, old, order, trust};

const HEADS: &str = "c.example/h/4501";

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([3; 32])
}

fn head_trust() -> Trust<Intl> {
    let name = KeyName::parse(HEADS).unwrap();
    let key = VerifierKey::note(name, signer().public_key()).unwrap();
    Trust::of_logs(&[key]).unwrap()
}

fn verifier(seen: Seen) -> Verifier {
    Verifier::new("45".parse().unwrap(), trust(), head_trust(), seen)
}

/// The coordinator's side: the heads that it has told of.
#[derive(Default)]
struct Told(Frontier<Intl>);

impl Told {
    fn span(&mut self, of: &HandWritten, first: u64, size: u64) -> pb::FollowResponse {
        let head = of.head(size);
        let head_index = self.0.size();
        self.0.push(leaf_hash::<Intl>(&head));
        let range = usize::try_from(first).unwrap()..usize::try_from(size).unwrap();
        message(pb::follow_response::Event::Span(pb::StreamSpan {
            region: "4501".to_owned(),
            head_index,
            head,
            origin: of.origin.clone(),
            first,
            entries: of.entries[range].to_vec(),
        }))
    }

    fn head_log(&self) -> pb::FollowResponse {
        let checkpoint = Checkpoint {
            origin: HEADS.to_owned(),
            size: self.0.size(),
            root: self.0.root(),
        };
        let text = checkpoint.to_text();
        let name = KeyName::parse(HEADS).unwrap();
        let signatures = vec![sign_note::<Intl>(&text, &name, &signer()).unwrap()];
        message(pb::follow_response::Event::HeadLog(pb::HeadLogCheckpoint {
            region: "4501".to_owned(),
            checkpoint: Note { text, signatures }.to_string(),
        }))
    }
}

fn message(event: pb::follow_response::Event) -> pb::FollowResponse {
    pb::FollowResponse { event: Some(event) }
}

/// Everything that is told is taken, or the first thing that is not.
fn take(verifier: &mut Verifier, told: Vec<pb::FollowResponse>) -> Result<Vec<Event>, FeedBroken> {
    let events = told.into_iter().map(|message| verifier.take(message));
    Ok(events
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// the follower goes on into the next stream with the trust file that it has, and so does whoever comes
/// back later with what was kept.
#[test]
fn the_next_stream_is_followed_without_a_new_trust_file() {
    let (old, mut next) = both();
    next.push(Draft::new(Kind::Heartbeat));
    next.push(Draft::new(Kind::Heartbeat));
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let said = vec![
        told.span(&old, 0, 2),
        told.span(&next, 0, 3),
        told.head_log(),
    ];
    let events = take(&mut follower, said).unwrap();
    let [_, Event::Records { follows, .. }, _] = events.as_slice() else {
        panic!("{events:?}")
    };
    let step = follows.as_ref().unwrap();
    assert_eq!((&step.previous, &step.next), (&old.key(), &next.key()));
    follower.end().unwrap();
    // The unit of the stream goes on, for whoever asked for that unit's records.
    assert_eq!(follower.seen.unit_of(NEXT).unwrap().as_str(), UNIT);
    assert!(follower.seen.may_be_kept());
    let kept = Seen::parse(&follower.seen.to_text()).unwrap();
    assert_eq!(kept, follower.seen);
    let mut later = verifier(kept);
    take(&mut later, vec![told.span(&next, 3, 4), told.head_log()]).unwrap();
}

/// The text that is kept makes nobody believe a key: the step is taken anew.
#[test]
fn an_altered_state_gives_no_trust() {
    let (old, next) = both();
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let said = vec![
        told.span(&old, 0, 2),
        told.span(&next, 0, 2),
        told.head_log(),
    ];
    take(&mut follower, said).unwrap();
    let mut forged = old;
    forged.entries.pop();
    let mut stranger = forged.next(NEXT, 9);
    forged.signer = Ed25519Signer::from_seed([8; 32]);
    forged.end(&order(OLD, &stranger, UNIT), &stranger, BALANCES);
    stranger.begin(&forged, BALANCES);
    let good = hex::encode(&next.entries[0]);
    let text = follower.seen.to_text();
    let forged = text.replace(&good, &hex::encode(&stranger.entries[0]));
    assert_ne!(text, forged);
    stranger.entries.clone_from(&next.entries);
    stranger.push(Draft::new(Kind::Heartbeat));
    let mut later = verifier(Seen::parse(&forged).unwrap());
    assert!(matches!(
        take(&mut later, vec![told.span(&stranger, 2, 3)]),
        Err(FeedBroken::NotAuthentic(_))
    ));
}

#[test]
fn a_beginning_over_several_spans_is_kept_track_of() {
    let mut old = old();
    let mut next = old.next(NEXT, 2);
    let large = vec![5; lingqu_core::forward::PART_LEN_MAX + 1];
    old.end(&order(OLD, &next, UNIT), &next, &large);
    next.begin(&old, &large);
    next.push(Draft::new(Kind::NodeStart));
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let said = vec![
        told.span(&old, 0, 2),
        told.span(&next, 0, 2),
        told.head_log(),
    ];
    take(&mut follower, said).unwrap();
    // Between them nothing is kept: a digest in progress has no text.
    assert!(!follower.seen.may_be_kept());
    let seen = follower.seen.clone();
    take(&mut follower, vec![told.span(&next, 2, 4)]).unwrap();
    assert!(follower.seen.may_be_kept());
    // Less than that is not a beginning.
    let mut less = seen;
    let last = next.entries.len() - 2;
    next.entries.remove(last);
    let mut follower = verifier(std::mem::take(&mut less));
    assert!(take(&mut follower, vec![told.span(&next, 2, 3)]).is_err());
}

#[test]
fn what_is_held_back_or_goes_on_is_noticed() {
    let (old, next) = both();
    let mut continued = both().0;
    continued.push(Draft::new(Kind::Heartbeat));
    let mut stranger = next_of(&old, 9);
    stranger.begin(&old, BALANCES);
    let mut less = next_of(&old, 2);
    less.begin(&old, b"less");
    let mut silent = next_of(&old, 2);
    silent.push(Draft::new(Kind::NodeStart));
    for (spans, why) in [
        (vec![(&old, 0, 1), (&next, 0, 2)], "the end is held back"),
        (
            vec![(&old, 0, 2), (&next, 1, 2)],
            "the beginning is held back",
        ),
        (vec![(&continued, 0, 3)], "records behind the end"),
        (vec![(&old, 0, 2), (&continued, 2, 3)], "and later"),
        (
            vec![(&old, 0, 2), (&stranger, 0, 2)],
            "a key that is not named",
        ),
        (vec![(&old, 0, 2), (&less, 0, 2)], "less is brought forward"),
        (
            vec![(&old, 0, 2), (&silent, 0, 1)],
            "nothing is brought forward",
        ),
    ] {
        let mut told = Told::default();
        let mut follower = verifier(Seen::default());
        let said = spans
            .into_iter()
            .map(|(of, first, size)| told.span(of, first, size));
        let said = said.collect();
        assert!(take(&mut follower, said).is_err(), "{why}");
    }
    // Begun twice: another history of the same stream.
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let said = vec![told.span(&old, 0, 2), told.span(&next, 0, 2)];
    take(&mut follower, said).unwrap();
    let mut again = next_of(&old, 2);
    again.time.0 += 9;
    again.begin(&old, BALANCES);
    again.push(Draft::new(Kind::NodeStart));
    assert!(matches!(
        take(&mut follower, vec![told.span(&again, 2, 3)]),
        Err(FeedBroken::StreamGap(_))
    ));
}

fn next_of(old: &HandWritten, seed: u8) -> HandWritten {
    old.next(NEXT, seed)
}

impl Told {
    /// A head whose entries were dropped, with this as the proof of the stream's end.
    fn dropped(&mut self, of: &HandWritten, size: u64, end: &[u8]) -> pb::FollowResponse {
        let head = of.head(size);
        let head_index = self.0.size();
        self.0.push(leaf_hash::<Intl>(&head));
        message(pb::follow_response::Event::Dropped(pb::DroppedSpan {
            region: "4501".to_owned(),
            head_index,
            head,
            end: end.to_vec(),
        }))
    }
}

/// The receipt of the last record of the stream that `next` follows, as it stands in the first record of that one.
fn end_of(next: &HandWritten) -> Vec<u8> {
    begins(&next.entries[0]).unwrap().previous_end
}

/// Whoever begins anew after the first stream was dropped takes the step with its end alone, and later from what was kept.
#[test]
fn over_a_dropped_stream_the_next_one_is_followed() {
    let (old, mut next) = both();
    next.push(Draft::new(Kind::Heartbeat));
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let first = told.dropped(&old, 1, b"");
    take(&mut follower, vec![first]).unwrap();
    assert!(
        !follower.seen.may_be_kept(),
        "its end is still to be proven"
    );
    let said = vec![
        told.dropped(&old, 2, &end_of(&next)),
        told.span(&next, 0, 2),
        told.head_log(),
    ];
    let events = take(&mut follower, said).unwrap();
    let [
        Event::Dropped { end: Some(end), .. },
        Event::Records { .. },
        _,
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((end.0.size, &end.0.next), (2, &next.key()));
    follower.end().unwrap();
    let kept = Seen::parse(&follower.seen.to_text()).unwrap();
    assert_eq!(kept, follower.seen);
    let mut later = verifier(kept);
    take(&mut later, vec![told.span(&next, 2, 3), told.head_log()]).unwrap();
}

/// A coordinator that withholds and calls it dropped: without the proof that the stream had ended, nothing is complete.
#[test]
fn what_is_withheld_is_not_taken_for_dropped() {
    let (old, next) = both();
    let end = end_of(&next);
    let refused = |told: Vec<pb::FollowResponse>| {
        let mut follower = verifier(Seen::default());
        take(&mut follower, told).expect_err("withheld")
    };
    let mut told = Told::default();
    let said = vec![told.dropped(&old, 2, b""), told.head_log()];
    assert!(
        matches!(refused(said), FeedBroken::StreamGap(_)),
        "no proof"
    );
    let mut told = Told::default();
    let said = vec![told.dropped(&old, 1, &end), told.head_log()];
    assert!(
        matches!(refused(said), FeedBroken::StreamGap(_)),
        "of another head"
    );
    let mut told = Told::default();
    let said = vec![told.dropped(&next, 2, &end), told.head_log()];
    assert!(
        matches!(refused(said), FeedBroken::NotAuthentic(_)),
        "of another stream"
    );
    let mut told = Told::default();
    let said = vec![told.dropped(&old, 2, &end), told.dropped(&old, 2, &end)];
    assert!(matches!(refused(said), FeedBroken::StreamGap(_)), "twice");
    let mut told = Told::default();
    let said = vec![told.dropped(&old, 1, b""), told.span(&old, 1, 2)];
    assert!(
        matches!(refused(said), FeedBroken::StreamGap(_)),
        "and there again"
    );
    for at in (0..end.len()).step_by(11) {
        let mut altered = end.clone();
        altered[at] ^= 1;
        let mut told = Told::default();
        let said = vec![told.dropped(&old, 2, &altered), told.head_log()];
        let mut follower = verifier(Seen::default());
        // A changed line of a cosigner that nobody asks for changes nothing; whatever is taken proves the same end.
        if let Ok(events) = take(&mut follower, said) {
            let Event::Dropped { end: Some(end), .. } = &events[0] else {
                panic!("byte {at}")
            };
            assert_eq!((end.0.size, &end.0.next), (2, &next.key()), "byte {at}");
        }
    }
}

/// Who has seen all of a stream is not told that it was dropped, and a part of it is no reason to believe another end.
#[test]
fn what_was_seen_is_not_dropped_again() {
    let (old, next) = both();
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    take(&mut follower, vec![told.span(&old, 0, 2)]).unwrap();
    let again = told.dropped(&old, 2, &end_of(&next));
    let refused = take(&mut follower, vec![again]).unwrap_err();
    assert!(matches!(refused, FeedBroken::StreamGap(_)));
    let mut told = Told::default();
    let mut follower = verifier(Seen::default());
    let part = told.span(&old, 0, 1);
    let rest = told.dropped(&old, 2, &end_of(&next));
    take(
        &mut follower,
        vec![part, rest, told.span(&next, 0, 2), told.head_log()],
    )
    .unwrap();
}
