use std::sync::Arc;

use arrow_array::{Int64Array, StringArray};
use arrow_schema::{Field, Schema};

use super::*;

fn texts(name: &str, values: &[&str]) -> RecordBatch {
    let schema = Schema::new(vec![Field::new(name, DataType::Utf8, true)]);
    let values = StringArray::from(values.to_vec());
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).unwrap()
}

fn graded(name: &str, values: &[&str]) -> Option<(Pattern, Seen)> {
    grade(name, &[texts(name, values)])
}

#[test]
fn identity_numbers_need_their_check_digit_and_a_date() {
    // The example of GB 11643 and one that ends in X.
    assert!(Pattern::IdentityNumber.fits("11010519491231002X"));
    assert!(Pattern::IdentityNumber.fits("440524188001010014"));
    for wrong in [
        "110105194912310021",
        "11010519491331002X",
        "1101051949123100",
        "11010519491231002XX",
        "１１0105194912310",
        "",
    ] {
        assert!(!Pattern::IdentityNumber.fits(wrong), "{wrong}");
    }
}

#[test]
fn card_and_mobile_numbers_are_told_from_other_numbers() {
    assert!(Pattern::BankCard.fits("4111 1111 1111 1111"));
    assert!(!Pattern::BankCard.fits("4111111111111112"));
    assert!(!Pattern::BankCard.fits("41111"));
    assert!(Pattern::MobileNumber.fits("13800138000"));
    assert!(Pattern::MobileNumber.fits("+86 138-0013-8000"));
    assert!(!Pattern::MobileNumber.fits("12800138000"));
    assert!(!Pattern::MobileNumber.fits("1380013800"));
}

#[test]
fn values_are_believed_before_names_and_a_few_are_enough() {
    let harmless: Vec<&str> = std::iter::repeat_n("x", 19).collect();
    let mixed = [harmless.as_slice(), &["11010519491231002X"]].concat();
    assert_eq!(
        graded("remark", &mixed),
        Some((Pattern::IdentityNumber, Seen::Values))
    );
    assert_eq!(
        graded("xm", &["13800138000"]),
        Some((Pattern::MobileNumber, Seen::Values))
    );
    assert_eq!(
        graded("XM", &["x"]),
        Some((Pattern::PersonName, Seen::Name))
    );
    assert_eq!(
        graded("联系电话", &[]),
        Some((Pattern::MobileNumber, Seen::Name))
    );
    assert_eq!(
        graded("c1", &["张三", "李四"]),
        Some((Pattern::PersonName, Seen::Values))
    );
    assert_eq!(
        graded("c2", &["广西壮族自治区南宁市某路1号"]),
        Some((Pattern::Address, Seen::Values))
    );
    assert_eq!(graded("amount", &["12", "13"]), None);
}

#[test]
fn numbers_that_are_kept_as_integers_are_looked_at_too() {
    let schema = Schema::new(vec![Field::new("c", DataType::Int64, true)]);
    let values = Int64Array::from(vec![13_800_138_000, 13_900_139_000]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).unwrap();
    assert_eq!(
        grade("c", &[batch]),
        Some((Pattern::MobileNumber, Seen::Values))
    );
}

#[test]
fn what_is_made_up_is_nobodys() {
    for pattern in Pattern::ALL {
        let value = pattern.made_up();
        let is_checked = matches!(
            pattern,
            Pattern::IdentityNumber | Pattern::BankCard | Pattern::MobileNumber
        );
        assert!(!is_checked || !pattern.fits(value), "{value}");
    }
}
