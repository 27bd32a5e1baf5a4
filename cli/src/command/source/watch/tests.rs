use super::*;

fn progress(rows: u64, expected: Option<u64>) -> ProgressStatus {
    ProgressStatus {
        reading: true,
        rows,
        expected,
        bytes: 3 << 20,
        source: "register".to_owned(),
    }
}

#[test]
fn an_estimate_that_was_too_low_never_shows_more_than_everything() {
    assert!(bar(&progress(50, Some(100))).starts_with("[############------------] 50 %"));
    assert!(bar(&progress(900, Some(100))).contains("99 %"));
    assert!(bar(&progress(u64::MAX, Some(1))).contains("99 %"));
    assert!(!bar(&progress(7, None)).contains('%'));
}
