use super::super::calendar::Date;
use super::{identity_number, is_well_formed};

#[test]
fn the_examples_of_the_standard_hold() {
    // GB 11643-1999 gives these two numbers itself.
    for example in ["11010519491231002X", "440524188001010014"] {
        assert!(is_well_formed(example), "{example}");
        let (digits, check) = example.split_at(17);
        for wrong in "0123456789X".chars().filter(|c| !check.starts_with(*c)) {
            assert!(!is_well_formed(&format!("{digits}{wrong}")), "{wrong}");
        }
    }
}

#[test]
fn a_made_number_is_well_formed_and_one_wrong_digit_is_noticed() {
    let birth = Date {
        year: 1988,
        month: 2,
        day: 29,
    };
    let number = identity_number("459201", birth, 17);
    assert!(number.starts_with("45920119880229017"), "{number}");
    assert!(is_well_formed(&number));
    for at in 0..17 {
        let mut altered = number.clone().into_bytes();
        altered[at] = if altered[at] == b'9' {
            b'0'
        } else {
            altered[at] + 1
        };
        assert!(!is_well_formed(std::str::from_utf8(&altered).unwrap()));
    }
}

#[test]
fn what_is_no_number_is_not_well_formed() {
    for bad in [
        "",
        "1101051949123100",
        "11010519491331002X",
        "110105194912310021X",
        "1101051949123100ΩX",
        "11010519490230002X",
    ] {
        assert!(!is_well_formed(bad), "{bad}");
    }
}
