use proptest::prelude::*;

use super::*;

fn asked_under(grant: u8, tag: u8, ends_s: i64) -> Asked {
    Asked {
        subject: SubjectUse {
            tag: [tag; 16],
            ends: at(ends_s),
        },
        grant: format!("grant_{grant}").parse().unwrap(),
    }
}

fn asked(tag: u8, ends_s: i64) -> Asked {
    asked_under(1, tag, ends_s)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(seconds)
}

fn limit(calls: u32) -> SubjectLimit {
    SubjectLimit::new(calls, 1).unwrap()
}

const REACHED: Result<(), ErrorCode> = Err(ErrorCode::SubjectLimitReached);

#[test]
fn reservations_and_records_count_alike() {
    let mut subjects = Subjects::new(8);
    let one = asked(1, 3_600);
    assert_eq!(subjects.reserve(&one, limit(2), at(0)), Ok(()));
    assert_eq!(subjects.reserve(&one, limit(2), at(0)), Ok(()));
    assert_eq!(subjects.reserve(&one, limit(2), at(0)), REACHED);
    assert_eq!(subjects.reserve(&asked(2, 3_600), limit(2), at(0)), Ok(()));
    // One is recorded, one is given back.
    subjects.fold(at(1), Some(&one));
    subjects.end_reservation(&one);
    assert_eq!(subjects.reserve(&one, limit(2), at(1)), REACHED);
    subjects.end_reservation(&one);
    assert_eq!(subjects.reserve(&one, limit(2), at(1)), Ok(()));
}

/// who has several grants, or somebody who helps, gets no further than one alone.
#[test]
fn all_callers_share_what_is_allowed_about_a_subject() {
    let mut subjects = Subjects::new(8);
    for grant in [1, 2, 1] {
        let one = asked_under(grant, 1, 3_600);
        assert_eq!(subjects.reserve(&one, limit(3), at(0)), Ok(()));
    }
    for grant in [1, 2, 3] {
        let one = asked_under(grant, 1, 3_600);
        assert_eq!(subjects.reserve(&one, limit(3), at(0)), REACHED);
    }
}

/// One caller must not be able to keep the others from asking, where the unit says so.
#[test]
fn a_grant_has_no_more_than_its_own_share() {
    let mut subjects = Subjects::new(8);
    let shared = limit(3).with_grant_calls_max(2).unwrap();
    let (first, second) = (asked_under(1, 1, 3_600), asked_under(2, 1, 3_600));
    for _ in 0..2 {
        assert_eq!(subjects.reserve(&first, shared, at(0)), Ok(()));
        subjects.fold(at(1), Some(&first));
        subjects.end_reservation(&first);
    }
    assert_eq!(subjects.reserve(&first, shared, at(2)), REACHED);
    assert_eq!(subjects.reserve(&second, shared, at(2)), Ok(()));
    assert_eq!(subjects.reserve(&second, shared, at(2)), REACHED);
}

#[test]
fn what_is_over_is_forgotten_and_cannot_be_reserved_again() {
    let mut subjects = Subjects::new(2);
    let (old, held) = (asked(1, 3_600), asked(2, 3_600));
    subjects.fold(at(10), Some(&old));
    subjects.reserve(&held, limit(1), at(10)).unwrap();
    // Within the grace a late call still finds its count.
    assert_eq!(subjects.reserve(&old, limit(1), at(3_700)), REACHED);
    // No room for a third, until the first is forgotten.
    let (new, full) = (asked(3, 7_200), Err(ErrorCode::Overloaded));
    assert_eq!(subjects.reserve(&new, limit(1), at(3_700)), full);
    subjects.fold(at(4_200), None);
    assert_eq!(subjects.counts.len(), 1, "the one that is under way stays");
    assert_eq!(subjects.reserve(&new, limit(1), at(4_200)), Ok(()));
    assert_eq!(subjects.reserve(&old, limit(1), at(4_200)), full);
    // A record that comes after the grace brings nothing back.
    subjects.fold(at(5_000), Some(&old));
    assert!(!subjects.counts.contains_key(&old.subject.tag));
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Reserve { grant: u8, tag: u8 },
    Record(usize),
    Return(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8, 0..3_u8).prop_map(|(grant, tag)| Step::Reserve { grant, tag }),
        6 => (0..10_usize).prop_map(Step::Record),
        2 => (0..10_usize).prop_map(Step::Return),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of reservations, records, returns and restarts: exactly what a naive count admits.
    #[test]
    fn the_count_is_exact(steps in proptest::collection::vec(step(), 1..120)) {
        let limit = limit(5).with_grant_calls_max(3).unwrap();
        let mut subjects = Subjects::new(100);
        let mut outstanding: Vec<(u8, u8)> = Vec::new();
        let mut recorded: Vec<(u8, u8)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve { grant, tag } => {
                    let counted = |of_grant: bool| {
                        let all = recorded.iter().chain(&outstanding);
                        all.filter(|one| one.1 == tag && (!of_grant || one.0 == grant)).count()
                    };
                    let fits = counted(false) < 5 && counted(true) < 3;
                    let reserved = subjects.reserve(&asked_under(grant, tag, 3_600), limit, at(1));
                    prop_assert_eq!(reserved.is_ok(), fits);
                    if fits {
                        outstanding.push((grant, tag));
                    }
                }
                Step::Record(which) if which < outstanding.len() => {
                    let (grant, tag) = outstanding.swap_remove(which);
                    let asked = asked_under(grant, tag, 3_600);
                    subjects.fold(at(1), Some(&asked));
                    subjects.end_reservation(&asked);
                    recorded.push((grant, tag));
                }
                Step::Return(which) if which < outstanding.len() => {
                    let (grant, tag) = outstanding.swap_remove(which);
                    subjects.end_reservation(&asked_under(grant, tag, 3_600));
                }
                Step::Record(_) | Step::Return(_) => {}
                Step::Restart => {
                    outstanding.clear();
                    subjects = Subjects::new(100);
                    for (grant, tag) in &recorded {
                        subjects.fold(at(1), Some(&asked_under(*grant, *tag, 3_600)));
                    }
                }
            }
        }
    }
}
