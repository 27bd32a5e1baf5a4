use lingqu_core::succession::{StreamBegin, StreamEnd};
use lingqu_tlog::{Hash, Intl};

use super::*;

fn forward() -> Forward {
    Forward {
        time: Timestamp(10),
        epoch: 3,
        ..Forward::default()
    }
}

fn begin(records: u64) -> Succession {
    Succession::Begin(StreamBegin {
        previous_key: "key".to_owned(),
        previous_end: vec![1],
        forward_records: records,
        forward_digest: Forward::digest::<Intl>(&forward().encode()),
    })
}

fn end() -> Succession {
    Succession::End(StreamEnd {
        order: vec![1],
        next_key: "next".to_owned(),
        forward_records: 1,
        forward_digest: Hash([0; 32]),
    })
}

fn part(bytes: &[u8]) -> Succession {
    Succession::Forward(bytes.to_vec())
}

/// Takes these in one after the other, at times 20, 21 and so on.
fn take(all: &[Option<Succession>]) -> Result<(Life, Vec<Forward>), FoldRefused> {
    let mut life = Life::default();
    let mut brought = Vec::new();
    for (index, one) in (0..).zip(all) {
        let place = (index, Timestamp(20 + i64::try_from(index).unwrap()));
        brought.extend(life.take::<Intl>(place, one.as_ref())?);
    }
    Ok((life, brought))
}

#[test]
fn balances_come_whole_and_once() {
    let bytes = forward().encode();
    let (one, two) = bytes.split_at(7);
    let (life, brought) = take(&[Some(begin(2)), Some(part(one)), Some(part(two)), None]).unwrap();
    assert!(life.has_begun() && life.end().is_none());
    assert_eq!(brought, [forward()]);
    let (life, brought) = take(&[Some(begin(2)), Some(part(one))]).unwrap();
    assert!(!life.has_begun() && life.begin().is_some());
    assert_eq!(brought, []);
}

#[test]
fn nothing_stands_between_the_balances() {
    let bytes = forward().encode();
    for between in [None, Some(end()), Some(begin(1))] {
        let refused = take(&[Some(begin(2)), between, Some(part(&bytes))]);
        assert!(matches!(refused, Err(FoldRefused::Beginning)));
    }
    // More parts than were said; balances or a beginning anywhere else.
    for all in [
        vec![Some(begin(1)), Some(part(&bytes)), Some(part(b"x"))],
        vec![None, Some(begin(1))],
        vec![Some(part(&bytes))],
        vec![Some(begin(0))],
        vec![Some(begin(PARTS_MAX + 1))],
    ] {
        assert!(matches!(take(&all), Err(FoldRefused::Beginning)));
    }
}

#[test]
fn other_balances_than_those_committed_to_are_refused() {
    let other = Forward {
        epoch: 2,
        ..forward()
    };
    for bytes in [other.encode(), forward().encode()[1..].to_vec(), vec![0]] {
        let refused = take(&[Some(begin(1)), Some(part(&bytes))]);
        assert!(matches!(refused, Err(FoldRefused::Forward)));
    }
}

#[test]
fn time_goes_on_from_one_stream_to_the_next() {
    let late = Forward {
        time: Timestamp(20),
        ..forward()
    };
    let Succession::Begin(mut begin) = begin(1) else {
        unreachable!("it was made as one");
    };
    begin.forward_digest = Forward::digest::<Intl>(&late.encode());
    let refused = take(&[Some(Succession::Begin(begin)), Some(part(&late.encode()))]);
    assert!(matches!(refused, Err(FoldRefused::Time)));
}

#[test]
fn nothing_stands_behind_the_end() {
    for behind in [None, Some(end()), Some(begin(1)), Some(part(b"x"))] {
        let refused = take(&[None, Some(end()), behind]);
        assert!(matches!(refused, Err(FoldRefused::Ended)));
    }
    let (life, _) = take(&[None, Some(end())]).unwrap();
    assert!(life.end().is_some() && !life.has_begun());
}
