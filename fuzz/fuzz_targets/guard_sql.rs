//! The gates in front of a statistic: whatever the text is, it is refused by a rule that repeats none of it, or accepted
//! and then reads nothing that the policy does not open.

#![no_main]

mod flights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(sql) = std::str::from_utf8(data) {
        flights::judge(sql, u64::MAX);
    }
});
