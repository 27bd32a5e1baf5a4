use super::*;

#[test]
fn a_rule_of_refreshing_reads_back_as_it_was_written() {
    for text in ["manual", "every 1m", "every 90m", "every 24h", "every 366d"] {
        let rule: Refresh = text.parse().unwrap();
        assert_eq!(rule.to_string().parse(), Ok(rule), "{text}");
    }
    assert_eq!("every 24h".parse(), "every 1d".parse::<Refresh>());
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in [
        "",
        "Manual",
        "every",
        "every ",
        "every h",
        "every 0h",
        "every 30s",
        "every -1h",
        "every +1h",
        "every 1.5h",
        "every 367d",
        "every 99999999999h",
        "every 2小时",
        "24h",
    ] {
        assert_eq!(text.parse::<Refresh>(), Err(RefreshRefused), "{text}");
    }
}
