use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer};

use super::*;
use crate::record::StreamId;

fn key(origin: &str) -> String {
    let public = Ed25519Signer::from_seed([7; 32]);
    let name = KeyName::parse(origin).unwrap();
    let key = VerifierKey::<Intl>::note(name, public.public_key());
    key.unwrap().to_string()
}

fn end(next: &str) -> StreamEnd {
    StreamEnd {
        order: vec![1, 2, 3],
        next_key: key(next),
        forward_records: 2,
        forward_digest: Hash([4; 32]),
    }
}

fn begin() -> StreamBegin {
    StreamBegin {
        previous_key: key("n/s/1/45/2026h1"),
        previous_end: b"c2sp.org/tlog-proof@v1\n".to_vec(),
        forward_records: 2,
        forward_digest: Hash([4; 32]),
    }
}

fn read(draft: Draft) -> Result<Option<Succession>, SuccessionMalformed> {
    let bytes = draft
        .at(StreamId([1; 16]), 3, Timestamp(4))
        .encode::<Intl>();
    Succession::of(&RecordView::read::<Intl>(&bytes).unwrap())
}

#[test]
fn each_is_read_as_it_was_written() {
    for succession in [
        Succession::End(end("n/s/1/45/2026h2")),
        Succession::Begin(begin()),
        Succession::Forward(vec![9; crate::forward::PART_LEN_MAX]),
    ] {
        assert_eq!(read(succession.draft()), Ok(Some(succession)));
    }
    assert_eq!(read(Draft::new(Kind::Heartbeat)), Ok(None));
}

#[test]
fn half_a_succession_is_an_error() {
    for kind in [Kind::StreamEnd, Kind::StreamBegin, Kind::Forward] {
        assert_eq!(read(Draft::new(kind)), Err(SuccessionMalformed));
    }
    let mut no_end = Succession::End(end("n/s/1/45/2026h2")).draft();
    no_end.kind = Kind::StreamBegin;
    assert_eq!(read(no_end), Err(SuccessionMalformed));
}

#[test]
fn a_stream_stays_in_its_place_and_goes_on_in_time() {
    let origin = "n.example/s/node_1/45/2026h2";
    for next in ["2027h1", "2026h2.2", "2026h3", "2026h2-key"] {
        assert!(may_follow(origin, &format!("n.example/s/node_1/45/{next}")));
    }
    for next in [
        "n.example/s/node_1/45/2026h2",
        "n.example/s/node_1/45/2026h1",
        "n.example/s/node_1/45/",
        "n.example/s/node_1/45/2027H1",
        "n.example/s/node_1/45/2027 h1",
        "n.example/s/node_1/45/2027h1/x",
        "n.example/s/node_2/45/2027h1",
        "n.example/s/node_1/4501/2027h1",
        "2027h1",
        "",
    ] {
        assert!(!may_follow(origin, next), "{next}");
    }
    let long = format!("n.example/s/node_1/45/3{}", "0".repeat(PERIOD_LEN_MAX));
    assert!(!may_follow(origin, &long));
}

#[test]
fn the_next_key_is_named_by_the_last_record_alone() {
    let origin = "n/s/1/45/2026h1";
    let next = end("n/s/1/45/2026h2");
    let found = next_key::<Intl>(origin, &next, (6, 7)).unwrap();
    assert_eq!(found.to_string(), next.next_key);
    let refused = |end: &StreamEnd, place| next_key::<Intl>(origin, end, place).unwrap_err();
    // Something stands behind it.
    assert_eq!(refused(&next, (6, 8)), NotSucceeded::NotTheEnd);
    assert_eq!(refused(&next, (u64::MAX, 0)), NotSucceeded::NotTheEnd);
    for name in ["n/s/2/45/2026h2", "n/s/1/45/2026h1", "n/s/1/46/2026h2"] {
        assert_eq!(refused(&end(name), (6, 7)), NotSucceeded::Key);
    }
    let mut cosigner = end("n/s/1/45/2026h2");
    let note: VerifierKey<Intl> = cosigner.next_key.parse().unwrap();
    let other = VerifierKey::<Intl>::cosignature(note.name().clone(), note.public_key());
    cosigner.next_key = other.unwrap().to_string();
    assert_eq!(refused(&cosigner, (6, 7)), NotSucceeded::Key);
}

#[test]
fn a_beginning_follows_its_end_alone() {
    let (end, begin) = (end("n/s/1/45/2026h2"), begin());
    assert_eq!(follows(&begin.previous_key, &end, &begin), Ok(()));
    assert_eq!(
        follows(&key("n/s/1/45/2025h1"), &end, &begin),
        Err(NotSucceeded::OtherStream)
    );
    let less = StreamBegin {
        forward_digest: Hash([5; 32]),
        ..begin.clone()
    };
    assert_eq!(
        follows(&begin.previous_key, &end, &less),
        Err(NotSucceeded::Forward)
    );
    let fewer = StreamBegin {
        forward_records: 1,
        ..begin.clone()
    };
    assert_eq!(
        follows(&begin.previous_key, &end, &fewer),
        Err(NotSucceeded::Forward)
    );
}
