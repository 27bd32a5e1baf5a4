//! PostgreSQL's `numeric` as it is sent in binary form, as a scaled integer.
//!
//! A header of four 16-bit numbers (digits, weight of the first, sign, digits to display) and digits to base 10 000
//! (`numeric_send` in numeric.c).

/// 10 to the power of 0 up to 38: all that an `i128` holds.
const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

const NEGATIVE: u16 = 0x4000;

/// The value times 10 to the power of `scale`; `None` if it has more digits before or behind the point than fit, is not
/// a number or infinite, or the bytes are none of a `numeric`.
pub(super) fn scaled(bytes: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (header, digits) = bytes.split_first_chunk::<8>()?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (count, weight, sign) = (usize::from(word(0)), word(2).cast_signed(), word(4));
    if digits.len() != count * 2 || (sign != 0 && sign != NEGATIVE) {
        return None;
    }
    let mut value = 0_i128;
    for digit in digits.chunks_exact(2) {
        let digit = u16::from_be_bytes([digit[0], digit[1]]);
        if digit > 9_999 {
            return None;
        }
        value = value.checked_mul(10_000)?.checked_add(i128::from(digit))?;
    }
    // The last digit stands for 10 000 to the power of weight - count + 1.
    let last = 4 * (i64::from(weight) - i64::try_from(count).ok()? + 1) + i64::from(scale);
    if value != 0 {
        let power = *POWERS.get(usize::try_from(last.unsigned_abs()).ok()?)?;
        value = match last {
            0.. => value.checked_mul(power)?,
            _ if value % power == 0 => value / power,
            _ => return None,
        };
    }
    if value >= *POWERS.get(usize::from(precision))? {
        return None;
    }
    Some(if sign == NEGATIVE { -value } else { value })
}

#[cfg(test)]
mod tests;
