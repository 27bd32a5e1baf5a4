use super::*;

/// As `numeric_send` writes it.
fn sent(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
    let count = u16::try_from(digits.len()).unwrap();
    let mut bytes = Vec::new();
    for word in [count, weight.cast_unsigned(), sign, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
    bytes
}

#[test]
fn digits_become_a_scaled_integer_or_nothing() {
    let of = |weight, sign, digits: &[u16], precision, scale| {
        scaled(&sent(weight, sign, digits), precision, scale)
    };
    assert_eq!(of(0, 0, &[12, 3_450], 10, 2), None, "a digit is lost");
    assert_eq!(of(0, 0, &[12, 3_450], 10, 3), Some(12_345));
    assert_eq!(of(0, 0, &[12, 3_450], 10, 5), Some(1_234_500));
    assert_eq!(of(0, 0, &[12, 3_450], 10, 1), None, "a digit is lost");
    assert_eq!(of(-1, NEGATIVE, &[1], 4, 4), Some(-1));
    assert_eq!(of(-2, 0, &[1], 10, 8), Some(1));
    assert_eq!(of(-2, 0, &[1], 10, 7), None, "a digit is lost");
    assert_eq!(of(-2, 0, &[1], 10, 2), None, "all digits are lost");
    assert_eq!(of(0, 0, &[], 5, 2), Some(0));
    assert_eq!(of(3, 0, &[0], 38, 10), Some(0));
    assert_eq!(of(2, 0, &[1], 9, 0), Some(100_000_000));
    assert_eq!(of(2, 0, &[1], 8, 0), None, "too many digits");
    // 28 digits before and 10 behind the point: the last group of four has two that are not kept.
    let long = [
        1_234, 5_678, 9_012, 3_456, 7_890, 1_234, 5_678, 123, 4_567, 8_900,
    ];
    let value = 12_345_678_901_234_567_890_123_456_780_123_456_789;
    assert_eq!(of(6, 0, &long, 38, 10), Some(value));
    assert_eq!(of(9, 0, &[9_999; 10], 38, 0), None);
    assert_eq!(of(i16::MAX, 0, &[1], 38, 0), None);
    assert_eq!(of(i16::MIN, 0, &[1], 38, 0), None);
}

#[test]
fn what_is_no_number_is_refused() {
    let nan = sent(0, 0xc000, &[]);
    let infinite = sent(0, 0xd000, &[]);
    let digit = sent(0, 0, &[10_000]);
    let mut short = sent(0, 0, &[1, 2]);
    short.pop();
    let mut long = sent(0, 0, &[1]);
    long.push(0);
    for bytes in [nan, infinite, digit, short, long, vec![], vec![0; 7]] {
        assert_eq!(scaled(&bytes, 38, 10), None, "{bytes:?}");
    }
}
