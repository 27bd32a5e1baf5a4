//! A coordinator that lies: what it leaves out, mislabels or cuts off is noticed.

use lingqu_core::Timestamp;
use lingqu_core::record::{Draft, Kind, StreamId};
use lingqu_tlog::{Ed25519Signer, KeyName, Signer, sign_cosignature, sign_note};

use lingqu_tlog::VerifierKey;

use super::*;

const ORIGIN: &str = "c.example/s/n/4501/2026h2";

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

fn name(name: &str) -> KeyName {
    KeyName::parse(name).unwrap()
}

fn checkpoint(origin: &str, log: &Frontier<Intl>, key: &Ed25519Signer) -> Note {
    let text = Checkpoint {
        origin: origin.to_owned(),
        size: log.size(),
        root: log.root(),
    }
    .to_text();
    let signature = sign_note::<Intl>(&text, &name(origin), key).unwrap();
    let signatures = vec![signature];
    Note { text, signatures }
}

/// A node, its mirror and its coordinator in one.
#[derive(Default)]
pub(super) struct Network {
    stream: Frontier<Intl>,
    heads: Frontier<Intl>,
}

impl Network {
    /// One record more, and the span with its head in the head log of `code`.
    pub(super) fn span(&mut self, code: &str) -> pb::StreamSpan {
        let first = self.stream.size();
        let time = Timestamp(1_000 + i64::try_from(first).unwrap());
        let id = StreamId::of::<Intl>(ORIGIN);
        let entry = Draft::new(Kind::Control)
            .at(id, first, time)
            .encode::<Intl>();
        self.stream.push(leaf_hash::<Intl>(&entry));
        let mut note = checkpoint(ORIGIN, &self.stream, &signer(1));
        let mirror = name("c.example/mirror");
        note.signatures
            .push(sign_cosignature::<Intl>(&note.text, &mirror, 1, &signer(2)).unwrap());
        let head = [
            b"lingqu/head/v1\n".as_slice(),
            format!("{}\n{note}", time.0).as_bytes(),
        ]
        .concat();
        let head_index = self.heads.size();
        self.heads.push(leaf_hash::<Intl>(&head));
        pb::StreamSpan {
            region: code.to_owned(),
            head_index,
            head,
            origin: ORIGIN.to_owned(),
            first,
            entries: vec![entry],
        }
    }

    pub(super) fn head_log(&self, code: &str) -> pb::FollowResponse {
        let origin = format!("c.example/h/{code}");
        message(pb::follow_response::Event::HeadLog(pb::HeadLogCheckpoint {
            region: code.to_owned(),
            checkpoint: checkpoint(&origin, &self.heads, &signer(3)).to_string(),
        }))
    }
}

fn message(event: pb::follow_response::Event) -> pb::FollowResponse {
    pb::FollowResponse { event: Some(event) }
}

pub(super) fn span(span: pb::StreamSpan) -> pb::FollowResponse {
    message(pb::follow_response::Event::Span(span))
}

/// Trust in the stream and its mirror, and in the head logs.
pub(super) fn trusts() -> (Trust<Intl>, Trust<Intl>) {
    let log = VerifierKey::<Intl>::note(name(ORIGIN), signer(1).public_key()).unwrap();
    let mirror = VerifierKey::<Intl>::cosignature(name("c.example/mirror"), signer(2).public_key());
    let trust = Trust::parse(&format!(
        "log {log}\nwitness mirror {}\nquorum mirror\n",
        mirror.unwrap()
    ));
    let keys = ["4501", "4503"].map(|code| {
        let origin = name(&format!("c.example/h/{code}"));
        VerifierKey::note(origin, signer(3).public_key()).unwrap()
    });
    (trust.unwrap(), Trust::of_logs(&keys).unwrap())
}

fn verifier(code: &str, seen: Seen) -> Verifier {
    let (trust, heads) = trusts();
    Verifier::new(region(code), trust, heads, seen)
}

#[test]
fn a_feed_ends_only_where_a_signed_head_log_covers_it() {
    let mut network = Network::default();
    let mut verifier = verifier("45", Seen::default());
    verifier.end().unwrap();
    verifier.take(span(network.span("4501"))).unwrap();
    assert!(matches!(verifier.end(), Err(FeedBroken::HeadLogGap(_))));
    verifier.take(network.head_log("4501")).unwrap();
    verifier.end().unwrap();
    let mut half = network.span("4501");
    half.head.clear();
    assert!(verifier.take(span(half)).unwrap().is_none());
    assert!(matches!(verifier.end(), Err(FeedBroken::Malformed("span"))));
}

/// A feed that says nothing to a subscriber who comes back does not say that there is nothing new.
#[test]
fn who_resumes_is_shown_the_head_log_again() {
    let mut network = Network::default();
    let mut first = verifier("4501", Seen::default());
    first.take(span(network.span("4501"))).unwrap();
    first.take(network.head_log("4501")).unwrap();
    let mut resumed = verifier("4501", first.seen);
    assert!(matches!(resumed.end(), Err(FeedBroken::HeadLogGap(_))));
    resumed.take(network.head_log("4501")).unwrap();
    resumed.end().unwrap();
}

#[test]
fn streams_and_regions_that_were_not_asked_for_are_refused() {
    // The head log of another region than the subscription's.
    let mut network = Network::default();
    let refused = verifier("4503", Seen::default()).take(span(network.span("4501")));
    assert!(matches!(refused, Err(FeedBroken::Malformed("region"))));
    let refused = verifier("4503", Seen::default()).take(Network::default().head_log("4501"));
    assert!(matches!(refused, Err(FeedBroken::Malformed("region"))));
    // A stream in the head log of a region that is not its own.
    let mut network = Network::default();
    let refused = verifier("45", Seen::default()).take(span(network.span("4503")));
    assert!(matches!(refused, Err(FeedBroken::NotAuthentic(_))));
}

#[test]
fn a_head_that_was_left_out_is_noticed() {
    let mut network = Network::default();
    let mut verifier = verifier("4501", Seen::default());
    verifier.take(span(network.span("4501"))).unwrap();
    let left_out = network.span("4501");
    let next = network.span("4501");
    assert!(matches!(
        verifier.take(span(next)),
        Err(FeedBroken::StreamGap(_))
    ));
    assert!(matches!(
        verifier.take(network.head_log("4501")),
        Err(FeedBroken::HeadLogGap(_))
    ));
    verifier.take(span(left_out)).unwrap();
}
