//! What is read and reported; the measurement itself is its own test.

use super::*;

#[test]
fn rows_are_the_numbers_of_the_lines_again_and_again() {
    let text = "a,b,c,d,e,f,g,text\n1,2,3,4,5,6,7,x\n8,9,10,11,12,13,14,\"y, z\"\n";
    let rows = rows::parse(text, 3).unwrap();
    assert_eq!(rows.len(), 3 * rows::WIDTH);
    assert_eq!(rows[..2], [1.0, 2.0]);
    assert_eq!(rows[7..9], [8.0, 9.0]);
    assert_eq!(rows[14..16], [1.0, 2.0]);
    for damaged in ["head\n", "head\n1,2,3\n", "head\n1,2,3,4,5,6,x,8\n"] {
        assert!(rows::parse(damaged, 1).is_err());
    }
}

#[test]
fn the_committed_rows_are_scored_and_the_first_label_that_differs_is_told() {
    let rows = rows::read(1_500).unwrap();
    let ours = Ours::load("forest", &rows).unwrap();
    let labels = ours.labels().unwrap();
    assert_eq!(labels.len(), 1_500);
    assert!(labels.iter().all(|label| label == "good" || label == "bad"));
    same("forest", &labels, &labels).unwrap();
    let mut other = labels.clone();
    other[1_234] = "undecided".to_owned();
    let differ = same("forest", &labels, &other).unwrap_err().to_string();
    assert!(differ.contains("row 1234"), "{differ}");
    assert!(same("forest", &labels, &labels[1..]).is_err());
}

#[test]
fn a_case_has_its_metrics_as_medians_over_the_rounds() {
    let round = |rows_per_s| Round {
        rows_per_s,
        p50_us: 2.0,
        p99_us: 3.0,
    };
    let rows = report(
        "rf-b1",
        &[round(10.0), round(30.0), round(20.0)],
        &[round(5.0)],
    );
    let metrics: Vec<&str> = rows.iter().map(|row| row.metric).collect();
    assert_eq!(metrics, ["rows_per_s", "p50_us", "p99_us"]);
    assert_eq!(
        (rows[0].ours, rows[0].baseline, rows[0].ratio),
        (20.0, 5.0, 4.0)
    );
    assert_eq!((rows[0].scenario, rows[0].unit), ("score", "rows/s"));
}
