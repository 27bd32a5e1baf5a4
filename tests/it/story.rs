//! The demo is a test: every step of its story must go as it says.

use lingqu_demo::{Options, objects};

/// Parts 1, 3, 5 and 7 of the regulations' story: the articles that at least one step must stand for.
const ARTICLES: [&str; 12] = [
    "000 Art. 18",
    "001 Art. 24",
    "001 Art. 29",
    "001 Art. 48",
    "002 §7",
    "003 Art. 4",
    "003 Art. 7",
    "003 Art. 10",
    "003 Art. 11",
    "003 Art. 12",
    "003 Art. 17",
    "004 Art. 10",
];

/// Tells the story into `dir`: its steps, all of which went as they must, and the summary.
async fn told(
    dir: &std::path::Path,
    postgres: bool,
) -> (Vec<serde_json::Value>, serde_json::Value) {
    let mut told = Vec::new();
    let options = Options {
        dir: Some(dir.to_owned()),
        json: true,
        serve: false,
        patience: None,
        postgres,
    };
    let ok = lingqu_demo::run(options, &mut told, std::future::pending()).await;
    let told = String::from_utf8(told).unwrap();
    assert!(ok.expect("the story has an end"), "{told}");
    let mut steps: Vec<serde_json::Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = steps.pop().unwrap();
    (steps, summary)
}

/// The same story, with the same answers, over a database in place of files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_goes_the_same_way_on_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("network");
    let (steps, summary) = told(&home, true).await;
    assert!(steps.iter().all(|step| step["ok"] == true), "{steps:?}");
    assert_eq!(summary["summary"]["steps"], steps.len());
    let refused = |step: &&serde_json::Value| step["got"] == "42501: insufficient privilege";
    assert_eq!(steps.iter().filter(refused).count(), 1);
    // Nothing of production lies in a file any more.
    let data = home.join("node-ssb/data");
    assert!(!data.join("insured_person.parquet").exists());
    assert!(data.join("insured_person.sample.parquet").exists());
    let toml = std::fs::read_to_string(home.join("node-ssb/node.toml")).unwrap();
    assert_eq!(toml.matches("source = \"register\"").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_goes_as_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (steps, summary) = told(&dir.path().join("network"), false).await;
    assert!(steps.len() >= 45, "{steps:?}");
    for (number, step) in (1..).zip(&steps) {
        assert_eq!(step["ok"], true, "{step}");
        assert_eq!(step["step"], number, "{step}");
        for field in ["article", "what", "expected", "got", "relied_on"] {
            assert!(
                step[field].as_str().is_some_and(|text| !text.is_empty()),
                "{step}"
            );
        }
    }
    for article in ARTICLES {
        let stands = |step: &serde_json::Value| step["article"].as_str().unwrap().contains(article);
        assert!(steps.iter().any(stands), "no step stands for {article}");
    }
    assert_eq!(summary["summary"]["steps"], steps.len());
    network_json(&dir.path().join("network"));
}

/// `network.json` is a stable surface: programs find everything in it.
fn network_json(dir: &std::path::Path) {
    let text = std::fs::read_to_string(dir.join("network.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = |key: &str| json[key].as_array().unwrap().clone();
    let words = |key: &str, field: &str| -> Vec<String> {
        let word = |entry: &serde_json::Value| entry[field].as_str().unwrap().to_owned();
        list(key).iter().map(word).collect()
    };
    assert_eq!(words("nodes", "region"), ["4591", "4592"]);
    assert!(
        words("nodes", "url")
            .iter()
            .all(|url| url.starts_with("https://"))
    );
    let mut kinds = words("products", "kind");
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["model", "statistic", "verification"]);
    let nodes = words("nodes", "id");
    assert!(
        words("products", "node")
            .iter()
            .all(|node| nodes.contains(node))
    );
    assert_eq!(words("products", "sql_name"), words("products", "id"));
    for (cert, key) in words("parties", "cert").iter().zip(words("parties", "key")) {
        assert!(dir.join(cert).is_file() && dir.join(key).is_file());
    }
    for file in ["ca", "trust"] {
        assert!(dir.join(json[file].as_str().unwrap()).is_file());
    }
    assert!(words("grants", "id").contains(&"grant_sc-0001".to_owned()));
}

/// The scorecard that the demo registers is the one whose scores are tested.
#[test]
fn the_demo_has_the_tested_scorecard() {
    let tested = include_bytes!("../data/models/income_stability.scorecard.json");
    assert_eq!(objects::SCORECARD, tested);
}
