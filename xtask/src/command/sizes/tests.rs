//! Functions are found among what only looks like them.

use super::*;

#[test]
fn functions_are_measured_from_fn_to_the_closing_brace() {
    let text = "\
/// fn in_a_comment() {}
pub fn one() { \"}\"; }
trait T { fn without_body(self, f: fn(u8) -> [u8; 2]); }
fn outer(
    x: [u8; 2],
) -> u8
where
    u8: Copy,
{
    fn inner() {
    }
    match x { [a, _] => a }
}
#[cfg(test)]
mod tests { fn not_counted() {} }
";
    let expected = [("one", 2, 1), ("outer", 4, 10), ("inner", 10, 2)];
    assert_eq!(function_sizes(text), expected);
}
