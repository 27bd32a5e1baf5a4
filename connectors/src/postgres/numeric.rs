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
    let (mut value, mut missing) = (0_i128, 0_i64);
    for (at, digit) in digits.chunks_exact(2).enumerate() {
        let digit = u16::from_be_bytes([digit[0], digit[1]]);
        if digit > 9_999 {
            return None;
        }
        // This digit's last decimal place stands for 10 to the power of this, as the result counts.
        let place = 4 * (i64::from(weight) - i64::try_from(at).ok()?) + i64::from(scale);
        let cut = usize::try_from((-place).clamp(0, 4)).ok()?;
        let (kept, lost) = (
            i128::from(digit) / POWERS[cut],
            i128::from(digit) % POWERS[cut],
        );
        if lost != 0 {
            return None;
        }
        value = value.checked_mul(POWERS[4 - cut])?.checked_add(kept)?;
        missing = place.max(0);
    }
    if value != 0 {
        let power = POWERS.get(usize::try_from(missing).ok()?)?;
        value = value.checked_mul(*power)?;
    }
    if value >= *POWERS.get(usize::from(precision))? {
        return None;
    }
    Some(if sign == NEGATIVE { -value } else { value })
}

#[cfg(test)]
mod tests;
