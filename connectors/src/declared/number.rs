//! Decimals from text, digit by digit: no float is on the way and no digit is dropped.

/// Longest text of a number in bytes.
const TEXT_LEN_MAX: usize = 128;

/// `text` times ten to the power of `scale`. `None` if it is no decimal number, has digits beyond `scale` that are not
/// zero, or more than `precision` digits in all.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    if text.len() > TEXT_LEN_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i8>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let value = unsigned(digits, i32::from(scale) + i32::from(exponent))?;
    let fits = value < 10_i128.pow(u32::from(precision));
    fits.then_some(if negative { -value } else { value })
}

/// Digits with at most one point, shifted left by `shift` digits.
fn unsigned(digits: &[u8], mut shift: i32) -> Option<i128> {
    let mut value: i128 = 0;
    let mut seen = 0;
    let mut point = false;
    for &byte in digits {
        match byte {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                seen += 1;
                let digit = i128::from(byte - b'0');
                if point && shift <= 0 {
                    // Digits beyond the scale may only be zeros.
                    (digit == 0).then_some(())?;
                } else {
                    value = value.checked_mul(10)?.checked_add(digit)?;
                    shift -= i32::from(point);
                }
            }
            _ => return None,
        }
    }
    if seen == 0 {
        return None;
    }
    shifted(value, shift)
}

fn shifted(value: i128, shift: i32) -> Option<i128> {
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        value.checked_mul(power)
    } else {
        (value % power == 0).then_some(value / power)
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases: &[(&str, Option<i128>)] = &[
            ("0", Some(0)),
            ("1.2", Some(120)),
            ("-1.25", Some(-125)),
            ("+.5", Some(50)),
            ("7.", Some(700)),
            ("1.250000", Some(125)),
            ("1.251", None),
            ("999.99", Some(99_999)),
            ("1000.00", None),
            ("1e2", Some(10_000)),
            ("12.5e-1", Some(125)),
            ("1250e-3", Some(125)),
            ("1251e-3", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("1,2", None),
            (" 1", None),
            ("0x1", None),
            ("１", None),
            ("1e99", None),
            ("1e-99", None),
            ("99999999999999999999999999999999999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal(text, 5, 2), *expected, "{text}");
        }
        let widest = "9".repeat(38);
        assert_eq!(decimal(&widest, 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(decimal(&format!("{widest}0"), 38, 0), None);
    }
}
