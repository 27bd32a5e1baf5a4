//! Configurations and command lines that cannot be used: each is refused before anything is done, with a code that has a
//! page, cause and remedy in both languages, and the exit code that the manual states.

use std::fs;
use std::path::{Path, PathBuf};

use lingqu_core::ErrorCode;

use crate::binary::{self, Ran, root};

/// How a run must end: the exit code, and the code with its page.
fn refused(ran: &Ran, exit: i32, code: &str) {
    assert_eq!(
        (ran.code, ran.failure().as_str()),
        (Some(exit), code),
        "{ran:?}"
    );
    assert!(ran.out.is_empty(), "{ran:?}");
    let last = ran.notes.lines().last().unwrap();
    let told: serde_json::Value = serde_json::from_str(last).unwrap();
    for key in ["message_en", "message_zh", "remedy_en", "remedy_zh"] {
        assert!(
            told["error"][key]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{told}"
        );
    }
    assert_eq!(told["error"]["exit_code"], exit);
    assert!(root().join(format!("docs/errors/{code}.md")).is_file());
    let known: ErrorCode = code.parse().unwrap();
    assert_eq!(known.as_str(), code);
}

fn sample(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

#[test]
fn a_configuration_that_says_what_nobody_knows_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (node, coordinator) = (sample("node.toml"), sample("coordinator.toml"));
    let cases: Vec<(&str, &str, String)> = vec![
        (
            "node",
            "a key that there is not",
            format!("answer_everything = true\n{node}"),
        ),
        (
            "node",
            "a misspelt key",
            node.replace("region =", "regoin ="),
        ),
        (
            "node",
            "a key that is missing",
            node.replace("id = \"node_gx.lanxi-tb-01\"", ""),
        ),
        (
            "node",
            "a key twice",
            format!("unit = \"party_gx.a\"\n{node}"),
        ),
        (
            "node",
            "a wrong type",
            node.replace("[limits]", "[limits]\nconnections_max = \"many\""),
        ),
        (
            "node",
            "a number below zero",
            node.replace("[limits]", "[limits]\nrows_max = -1"),
        ),
        (
            "node",
            "a section that there is not",
            format!("{node}\n[backdoor]\nopen = true\n"),
        ),
        (
            "node",
            "an id of another kind",
            node.replace("\"node_gx.lanxi-tb-01\"", "\"party_gx.a\""),
        ),
        ("node", "a weak key", weak(&node)),
        (
            "node",
            "an address that is none",
            node.replace("0.0.0.0:7443", "everywhere"),
        ),
        (
            "node",
            "half a file",
            node[..node.find("[limits]").unwrap() + 4].to_owned(),
        ),
        ("node", "nothing", String::new()),
        (
            "coordinator",
            "a key that there is not",
            format!("grant_everything = true\n{coordinator}"),
        ),
        (
            "coordinator",
            "a number out of bounds",
            coordinator.replace("[limits]", "[limits]\nqueue_max = 0"),
        ),
        (
            "coordinator",
            "no agency",
            coordinator.replace("operating_agency", "regulator"),
        ),
        (
            "coordinator",
            "an origin that is none",
            coordinator.replace("\"coordinator.example\"", "\"a/b+c\""),
        ),
        ("coordinator", "a node's configuration", node.clone()),
        ("node", "a coordinator's configuration", coordinator.clone()),
    ];
    for (number, (service, what, text)) in cases.into_iter().enumerate() {
        let path = dir.path().join(format!("{number}.toml"));
        fs::write(&path, &text).unwrap();
        let ran = binary::run(&[service, "--json", "--config", path.to_str().unwrap()]);
        assert_eq!(
            ran.failure(),
            "CONFIG_INVALID",
            "{service}, {what}: {ran:?}"
        );
        refused(&ran, 2, "CONFIG_INVALID");
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        18,
        "nothing was made beside the configurations"
    );
}

/// The point of small order whose signature anybody can make.
fn weak(node: &str) -> String {
    let line = node
        .lines()
        .find(|line| line.starts_with("unit_key"))
        .unwrap();
    let identity = format!("unit_key = \"01{}\"", "0".repeat(62));
    node.replace(line, &identity)
}

#[test]
fn what_is_not_there_or_is_something_else_is_said_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let noise = dir.path().join("noise");
    fs::write(&noise, [0xff, 0xfe, 0, 1, 2, 3]).unwrap();
    let empty = dir.path().join("empty.toml");
    fs::write(&empty, "").unwrap();
    let there = dir.path().join("there");
    fs::write(&there, "").unwrap();
    let place = |path: &Path| path.to_str().unwrap().to_owned();
    let (noise, empty, there) = (place(&noise), place(&empty), place(&there));
    let directory = place(dir.path());
    let absent = place(&dir.path().join("absent"));
    let samples = place(&root().join("cli/samples/policy.toml"));
    let call = |verb: &str, argument: &str, trust: &str| {
        format!(
            "call {verb} --node https://127.0.0.1:1 --node-id node_x --cert {absent} --key {absent} --ca {absent} \
             --trust {trust} --product tb.x --purpose P --scenario S --end-user 91450000MA5DEM001X {argument}"
        )
    };
    let at = format!("--coordinator https://127.0.0.1:1 --id coord_x --ca {absent}");
    for (line, exit, code) in [
        (format!("node --config {absent}"), 2, "FILE_UNREADABLE"),
        (format!("node --config {directory}"), 2, "FILE_UNREADABLE"),
        (format!("node --config {noise}"), 2, "FILE_UNREADABLE"),
        (format!("node --config {empty}"), 2, "CONFIG_INVALID"),
        (
            format!("node enrol --config {absent} --code C"),
            2,
            "FILE_UNREADABLE",
        ),
        (
            format!("coordinator --config {absent}"),
            2,
            "FILE_UNREADABLE",
        ),
        (format!("coordinator --config {empty}"), 2, "CONFIG_INVALID"),
        (
            format!("source check --config {absent}"),
            2,
            "FILE_UNREADABLE",
        ),
        (
            format!("policy new {absent} --out {absent}.env"),
            2,
            "FILE_UNREADABLE",
        ),
        (
            format!("policy new {empty} --out {absent}.env"),
            2,
            "FILE_INVALID",
        ),
        (
            format!("policy new {samples} --out {there}"),
            2,
            "FILE_UNWRITABLE",
        ),
        (format!("policy check {empty}"), 2, "FILE_INVALID"),
        (format!("policy show {noise}"), 2, "FILE_INVALID"),
        (format!("product check {absent}.toml"), 2, "FILE_UNREADABLE"),
        (format!("product show {samples}"), 2, "FILE_INVALID"),
        (
            format!("approval sign {absent} --key {absent} --as party_x"),
            2,
            "FILE_UNREADABLE",
        ),
        (format!("grant show {absent}"), 2, "FILE_UNREADABLE"),
        (
            format!("pki issue --dir {absent} --id party_x --out {directory}/out"),
            2,
            "FILE_UNREADABLE",
        ),
        (format!("pki key --out {there}"), 2, "FILE_UNWRITABLE"),
        (
            format!("pki vkey --key {absent} --name n --kind note"),
            2,
            "KEY_UNREADABLE",
        ),
        (
            format!("audit verify --trust {absent} {noise}"),
            2,
            "FILE_UNREADABLE",
        ),
        (format!("audit verify {noise}"), 1, "CHECK_FAILED"),
        (format!("status --socket {absent}"), 4, "PEER_UNREACHABLE"),
        (format!("status --socket {there}"), 4, "PEER_UNREACHABLE"),
        (
            format!("adopt --socket {absent} {noise}"),
            2,
            "FILE_INVALID",
        ),
        (
            format!("stop --socket {absent} --key {absent} --unit party_u --node node_n --all"),
            2,
            "KEY_UNREADABLE",
        ),
        (format!("demo --dir {directory}"), 2, "FILE_UNWRITABLE"),
        (
            format!("party code --subject party_x --region 45 {at} --cert {absent} --key {absent}"),
            2,
            "FILE_UNREADABLE",
        ),
        (call("verify", "--claim a=b", &absent), 2, "FILE_UNREADABLE"),
        (call("verify", "--claim a=b", &noise), 2, "FILE_UNREADABLE"),
        (
            call("verify", &format!("--claims {noise}"), &absent),
            2,
            "FILE_UNREADABLE",
        ),
        (
            call("verify", &format!("--claims {empty}"), &absent),
            2,
            "FILE_INVALID",
        ),
        (
            call("score", "--subject a=b", &absent),
            2,
            "FILE_UNREADABLE",
        ),
        (call("query", "", &absent), 2, "FILE_UNREADABLE"),
        (
            call("query", &format!("--table {there}"), &absent),
            2,
            "FILE_UNWRITABLE",
        ),
        ("fly".to_owned(), 2, "USAGE_INVALID"),
        ("node --confg x".to_owned(), 2, "USAGE_INVALID"),
        (
            "pki issue --dir d --id nobody --out o".to_owned(),
            2,
            "USAGE_INVALID",
        ),
        (call("verify", "", &absent), 2, "USAGE_INVALID"),
        (
            call("verify", "--claim year:=soon", &absent),
            2,
            "USAGE_INVALID",
        ),
    ] {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.push("--json");
        let ran = binary::run(&words);
        assert_eq!(
            (ran.code, ran.failure().as_str()),
            (Some(exit), code),
            "{line}: {ran:?}"
        );
        refused(&ran, exit, code);
    }
}

#[test]
fn people_are_told_in_the_language_of_their_choice_first() {
    let absent = PathBuf::from("/nowhere/node.toml");
    let words = ["node", "--config", absent.to_str().unwrap()];
    for (more, environment, zh_first) in [
        (vec![], "C", false),
        (vec![], "zh_CN.UTF-8", true),
        (vec!["--lang", "en"], "zh_CN.UTF-8", false),
        (vec!["--lang", "zh"], "C", true),
        (vec!["--lang=zh"], "C", true),
    ] {
        let output = std::process::Command::new(binary::lingqu())
            .args(words.iter().chain(&more))
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env("LANG", environment)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("FILE_UNREADABLE "), "{told}");
        let code: ErrorCode = "FILE_UNREADABLE".parse().unwrap();
        let place = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
        let (en, zh) = (place(code.remedy_en()), place(code.remedy_zh()));
        assert_eq!(zh < en, zh_first, "{more:?} {environment}: {told}");
    }
}
