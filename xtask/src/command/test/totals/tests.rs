//! The result lines are those of `cargo test` itself.

use super::*;

#[test]
fn the_result_lines_of_all_binaries_are_added_up() {
    let output = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.13s

test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
  test result: not at the start of a line; 9 failed
";
    let expected = Totals {
        binaries: 2,
        passed: 13,
        failed: 2,
        ignored: 1,
    };
    assert_eq!(Totals::of(output), expected);
    assert_eq!(Totals::of(""), Totals::default());
}
