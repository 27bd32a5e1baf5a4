//! Citizen identity numbers as GB 11643-1999 has them, under division codes that are assigned to no place.
//!
//! Six digits of division, eight of birth date, three of sequence (odd for men), one check character (ISO 7064,
//! MOD 11-2). The codes 4591xx and 4592xx are invented: the region 45 has no prefecture beyond 4514, and its former
//! ones ended at 4528. So no number made here can be a living person's.

use super::calendar::Date;

#[cfg(test)]
mod tests;

/// Weight of each of the first 17 digits: powers of two, modulo 11.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check character for each remainder.
const CHECKS: [u8; 11] = *b"10X98765432";

/// The number of whoever was born on `birth` under `division`; men have odd sequence numbers.
///
/// `division` has six digits and `sequence` is 1 to 999.
pub(crate) fn identity_number(division: &str, birth: Date, sequence: u32) -> String {
    let mut number = format!(
        "{division}{:04}{:02}{:02}{sequence:03}",
        birth.year, birth.month, birth.day
    );
    number.push(check_character(&number));
    number
}

/// The check character of the first 17 digits.
fn check_character(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    char::from(CHECKS[(sum % 11) as usize])
}

/// Whether `number` has 18 characters, a date that exists, and the check character that it must have.
pub fn is_well_formed(number: &str) -> bool {
    let bytes = number.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let part = |from: usize, to: usize| number[from..to].parse::<i32>().unwrap_or(0);
    let birth = Date {
        year: part(6, 10),
        month: part(10, 12),
        day: part(12, 14),
    };
    birth.exists() && number.ends_with(check_character(&number[..17]))
}
