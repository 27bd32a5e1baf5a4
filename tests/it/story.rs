//! The demo is a test: every step of its story must go as it says.

use lingqu_demo::Options;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_goes_as_it_is_told() {
    let mut told = Vec::new();
    let options = Options {
        dir: None,
        json: true,
        serve: false,
    };
    let ok = lingqu_demo::run(options, &mut told, std::future::pending()).await;
    let told = String::from_utf8(told).unwrap();
    assert!(ok.expect("the story has an end"), "{told}");
    let steps: Vec<serde_json::Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(steps.len() > 20, "{told}");
    for step in &steps[..steps.len() - 1] {
        assert_eq!(step["ok"], true, "{step}");
    }
    assert_eq!(steps.last().unwrap()["summary"]["steps"], steps.len() - 1);
}
