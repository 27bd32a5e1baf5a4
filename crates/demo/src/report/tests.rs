use super::{COLUMNS, Report, width, wrapped};

#[test]
fn long_texts_are_wrapped_between_words_and_lose_none() {
    let text = "the agency accepts it (受理) and passes the initial review (初审通过) ".repeat(4);
    let lines = wrapped(text.trim_end());
    assert!(lines.lines().count() > 1);
    for line in lines.lines() {
        assert!(width(line.trim_start()) <= COLUMNS, "{line}");
    }
    let words: Vec<&str> = lines.split_whitespace().collect();
    assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
    assert_eq!(wrapped("short"), "short");
    assert_eq!(width("样本甲 24"), 9);
}

#[test]
fn a_step_that_goes_otherwise_is_shown_and_counted() {
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, false);
    report
        .step("003 Art. 4", "one", "MATCH", "MATCH", "a key")
        .unwrap();
    report
        .step("003 Art. 4", "two", "3 filed, …", "3 filed, no. 7", "a key")
        .unwrap();
    report
        .step("003 Art. 4", "three", "MATCH", "NO_MATCH", "a key")
        .unwrap();
    assert!(!report.finish(1_500).unwrap());
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("✗  3  three\n      expected MATCH\n      NO_MATCH"),
        "{text}"
    );
    assert!(
        text.ends_with("2 of 3 steps as they must be, in 1.5 s\n"),
        "{text}"
    );
}

#[test]
fn for_programs_there_is_one_object_a_line_and_nothing_else() {
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, true);
    report.heading("1. Setting up").unwrap();
    report.progress("…").unwrap();
    report
        .step("003 Art. 4", "one", "MATCH", "MATCH", "a key")
        .unwrap();
    assert!(report.finish(1).unwrap());
    let lines: Vec<serde_json::Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["relied_on"], "a key");
    assert_eq!(lines[1]["summary"]["ok"], 1);
}

#[test]
fn a_story_without_steps_is_no_success() {
    let mut out = Vec::new();
    assert!(!Report::new(&mut out, false).finish(0).unwrap());
}
