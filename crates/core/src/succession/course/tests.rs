use lingqu_tlog::{Hash, Intl};

use super::super::StreamEnd;
use super::*;

fn begin(records: u64, parts: &[&[u8]]) -> Succession {
    Succession::Begin(StreamBegin {
        previous_key: "key".to_owned(),
        previous_end: b"proof".to_vec(),
        forward_records: records,
        forward_digest: Forward::digest::<Intl>(&parts.concat()),
    })
}

fn part(bytes: &[u8]) -> Succession {
    Succession::Forward(bytes.to_vec())
}

fn end() -> Succession {
    Succession::End(StreamEnd {
        order: vec![1],
        next_key: "key".to_owned(),
        forward_records: 1,
        forward_digest: Hash([0; 32]),
    })
}

fn read(records: &[Option<Succession>]) -> Result<Course<Intl>, OutOfCourse> {
    let mut course = Course::default();
    for (record, index) in records.iter().zip(0..) {
        course.take(index, record.as_ref())?;
    }
    Ok(course)
}

#[test]
fn a_stream_begins_with_all_of_its_balances_and_ends_once() {
    let begun = || {
        vec![
            Some(begin(2, &[b"a", b"b"])),
            Some(part(b"a")),
            Some(part(b"b")),
        ]
    };
    assert!(read(&begun()[..2]).unwrap().is_opening());
    assert!(!read(&begun()).unwrap().is_opening());
    let whole = [begun(), vec![None, Some(end())]].concat();
    assert!(read(&whole).unwrap().has_ended());
    for more in [None, Some(end()), Some(part(b"c"))] {
        let records = [whole.as_slice(), &[more]].concat();
        assert_eq!(read(&records).map(drop), Err(OutOfCourse::AfterEnd));
    }
    let mut course = Course::<Intl>::ended();
    assert_eq!(course.take(9, None), Err(OutOfCourse::AfterEnd));
}

#[test]
fn what_brings_less_or_other_balances_forward_is_refused() {
    for (records, why) in [
        (vec![Some(begin(0, &[]))], OutOfCourse::Beginning),
        (
            vec![Some(begin(PARTS_MAX + 1, &[b"a"]))],
            OutOfCourse::Beginning,
        ),
        (vec![None, Some(begin(1, &[b"a"]))], OutOfCourse::Beginning),
        (vec![Some(part(b"a"))], OutOfCourse::Beginning),
        (
            vec![Some(begin(2, &[b"a"])), Some(part(b"a")), None],
            OutOfCourse::Beginning,
        ),
        (
            vec![Some(begin(2, &[b"a"])), Some(end())],
            OutOfCourse::Beginning,
        ),
        (
            vec![Some(begin(1, &[b"a"])), Some(begin(1, &[b"a"]))],
            OutOfCourse::Beginning,
        ),
        (
            vec![Some(begin(1, &[b"a"])), Some(part(b"b"))],
            OutOfCourse::Forward,
        ),
        (
            vec![Some(begin(1, &[b"a", b"b"])), Some(part(b"a"))],
            OutOfCourse::Forward,
        ),
        (
            vec![Some(begin(1, &[b"a"])), Some(part(b"a")), Some(part(b"a"))],
            OutOfCourse::Beginning,
        ),
    ] {
        assert_eq!(read(&records).map(drop), Err(why), "{records:?}");
    }
}
