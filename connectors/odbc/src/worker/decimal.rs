//! Decimals as drivers write them: digits with a point. Anything else is no decimal; a digit that does not fit is an
//! error, not rounded off.

use super::columns::Unfit;

/// The value times ten to the power of `scale`.
///
/// # Errors
/// It is no plain decimal, or has more digits than `precision` and `scale` have places for.
pub(super) fn parse(text: &[u8], precision: u8, scale: u8) -> Result<i128, Unfit> {
    let text = text.trim_ascii();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Unfit);
    }
    let scale = usize::from(scale);
    let (kept, rest) = fraction.split_at(fraction.len().min(scale));
    // Zeros behind the last place change nothing; any other digit would be lost.
    if rest.iter().any(|&byte| byte != b'0') {
        return Err(Unfit);
    }
    let zeros = std::iter::repeat_n(&b'0', scale - kept.len());
    let mut value: i128 = 0;
    for &byte in whole.iter().chain(kept).chain(zeros) {
        if !byte.is_ascii_digit() {
            return Err(Unfit);
        }
        let digit = i128::from(byte - b'0');
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(digit))
            .ok_or(Unfit)?;
    }
    if value >= 10_i128.pow(u32::from(precision)) {
        return Err(Unfit);
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_counts() {
        for (text, expected) in [
            ("0", 0),
            ("12.34", 1_234),
            ("-12.3", -1_230),
            ("+.5", 50),
            ("7.", 700),
            (" 1.500 ", 150),
            ("00001", 100),
            ("999.99", 99_999),
            ("-999.99", -99_999),
        ] {
            assert_eq!(parse(text.as_bytes(), 5, 2), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_decimal_is_refused() {
        for text in [
            "", "-", ".", "1.234", "1000", "-1000.00", "1e2", "1,5", "NaN", "Infinity", "1 2",
            "１", "--1", "1.2.3", "0x1f", "$1",
        ] {
            assert_eq!(parse(text.as_bytes(), 5, 2), Err(Unfit), "{text}");
        }
        let digits = "9".repeat(38);
        assert_eq!(parse(digits.as_bytes(), 38, 0), Ok(10_i128.pow(38) - 1));
        assert_eq!(parse("9".repeat(60).as_bytes(), 38, 0), Err(Unfit));
    }
}
