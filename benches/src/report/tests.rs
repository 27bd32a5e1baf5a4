use std::time::Duration;

use super::*;

fn sample() -> Vec<Row> {
    let round = |latency: f64| Round::new(vec![latency; 10], Duration::from_secs(1));
    rows(
        "verify",
        "unary-c1",
        "tonic-echo-mtls",
        &[round(400.0), round(300.0), round(900.0)],
        &[round(100.0)],
    )
}

#[test]
fn the_json_is_one_list_of_rows_with_exactly_the_published_fields() {
    let list: serde_json::Value = serde_json::from_str(&json(&sample())).unwrap();
    let list = list.as_array().unwrap();
    let metrics: Vec<&str> = list
        .iter()
        .map(|row| row["metric"].as_str().unwrap())
        .collect();
    assert_eq!(metrics, ["throughput_per_s", "p50_us", "p99_us"]);
    for row in list {
        let mut fields: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        fields.sort_unstable();
        let published = [
            "baseline",
            "baseline_name",
            "case",
            "metric",
            "ours",
            "ratio",
            "scenario",
            "unit",
        ];
        assert_eq!(fields, published);
        for number in ["ours", "baseline", "ratio"] {
            assert!(row[number].is_f64(), "{number}");
        }
    }
}

#[test]
fn a_row_is_the_median_of_its_rounds_over_the_baselines() {
    let rows = sample();
    assert_eq!(rows[1].ours, 400.0);
    assert_eq!(rows[1].baseline, 100.0);
    assert_eq!(rows[1].ratio, 4.0);
    assert_eq!(rows[0].ratio, 1.0);
}

#[test]
fn a_baseline_of_nothing_gives_no_infinite_ratio() {
    let round = Round::new(vec![1.0], Duration::from_secs(1));
    let rows = rows("verify", "unary-c1", "none", &[round], &[]);
    assert!(rows.iter().all(|row| row.ratio == 0.0));
    assert!(json(&rows).starts_with('['));
}

#[test]
fn the_table_has_a_line_for_every_row() {
    assert_eq!(table(&sample()).lines().count(), 4);
}
