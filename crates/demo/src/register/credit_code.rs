//! Unified social credit codes as GB 32100-2015 has them, under invented division codes.
//!
//! One character of registering department, one of kind, six of division, nine of organisation code (GB 11714-1997, with
//! a check character of its own), one check character (ISO 7064, MOD 31-3 over 31 characters).

#[cfg(test)]
mod tests;

/// The characters of a code in the order of their values: no I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Weight of each of the first 17 characters: powers of three, modulo 31.
const WEIGHTS: [u32; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];
/// Weight of each of the first eight characters of an organisation code.
const ORGANISATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The code of an organisation: department and kind (`91` an enterprise, `11` an organ, `12` an institution), division,
/// and the eight digits of its organisation code.
pub(crate) fn credit_code(kind: &str, division: &str, organisation: u32) -> String {
    let mut code = format!("{kind}{division}{organisation:08}");
    let check = organisation_check(&code[8..16]);
    code.push(check);
    let check = check_character(&code);
    code.push(check);
    code
}

fn organisation_check(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .zip(ORGANISATION_WEIGHTS)
        .map(|(byte, weight)| char::from(byte).to_digit(36).unwrap_or(0) * weight)
        .sum();
    match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + u8::try_from(digit).expect("below ten")),
    }
}

fn check_character(code: &str) -> char {
    let sum: u32 = code
        .bytes()
        .zip(WEIGHTS)
        .map(|(byte, weight)| value(byte).unwrap_or(0) * weight)
        .sum();
    char::from(ALPHABET[((31 - sum % 31) % 31) as usize])
}

fn value(byte: u8) -> Option<u32> {
    let at = ALPHABET.iter().position(|character| *character == byte)?;
    u32::try_from(at).ok()
}

/// Whether `code` has 18 characters of the alphabet and the check character that they must have.
pub fn is_well_formed(code: &str) -> bool {
    code.len() == 18
        && code.bytes().all(|byte| value(byte).is_some())
        && code.ends_with(check_character(&code[..17]))
}
