use proptest::prelude::*;

use super::{MARKS_MAX, Marks, roundest};

proptest! {
    #[test]
    fn the_roundest_number_of_a_range(first in 0_u64..5_000, more in 0_u64..5_000) {
        let last = first + more;
        let zeros = |number: u64| number.trailing_zeros();
        let most = (first..=last).map(zeros).max().unwrap();
        let chosen = roundest(first, last);
        prop_assert!((first..=last).contains(&chosen));
        prop_assert_eq!(zeros(chosen), most);
    }

    /// Three mirrors of any pace, one of which is always first: within twice the most that one was ever behind, all three
    /// come to one size.
    #[test]
    fn mirrors_of_any_pace_agree_again_and_again(paces in proptest::collection::vec(0_usize..3, 1..4_000)) {
        let mut marks = Marks::default();
        let mut at = [0_u64; 3];
        let mut ends: [Vec<u64>; 3] = Default::default();
        let mut newest = 0;
        for mirror in paces.iter().copied().chain([1, 2, 0].into_iter().cycle().take(300)) {
            // The first mirror always has something more to send.
            newest += u64::from(mirror == 0);
            if at[mirror] < newest {
                at[mirror] = marks.next(at[mirror], newest);
                ends[mirror].push(at[mirror]);
            }
        }
        let common: Vec<u64> = ends[0]
            .iter()
            .copied()
            .filter(|end| ends[1].contains(end) && ends[2].contains(end))
            .collect();
        // With all three taking turns they agree at each end, but for what was left over from before.
        let last = common.last().copied().unwrap_or(0);
        prop_assert!(newest - last <= 40, "{last} of {newest}");
    }
}

#[test]
fn whoever_is_first_makes_the_mark_and_others_end_there() {
    let mut marks = Marks::default();
    assert_eq!(marks.next(0, 5), 5);
    assert_eq!(marks.next(5, 9), 9);
    assert_eq!(marks.next(0, 30), 5);
    assert_eq!(marks.next(5, 30), 9);
    assert_eq!(marks.next(9, 30), 30);
    // One that resumes between two marks comes to the next.
    assert_eq!(marks.next(6, 31), 9);
}

#[test]
fn memory_is_bounded_and_old_marks_are_given_up() {
    let mut marks = Marks::default();
    for size in 1..=MARKS_MAX as u64 + 10 {
        assert_eq!(marks.next(size - 1, size), size);
    }
    assert_eq!(marks.ends.len(), MARKS_MAX);
    let behind = marks.next(0, MARKS_MAX as u64 + 10);
    assert!(behind > 10, "it comes to a mark that is still there");
}
