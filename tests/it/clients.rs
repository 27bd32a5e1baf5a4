//! Real clients against a running network: ADBC, pyarrow, pandas, polars, grpcio, curl, and an OpenAPI validator.
//!
//! `cargo xtask test` brings them and says where they are. Without them these tests fail: a client that nobody ran
//! would look like one that works. The examples of `docs/clients.md` are run as they stand there.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::{Field, Record};
use lingqu_demo::cast::{self, Party};
use lingqu_proto::{pb, receipt_from_pb};
use prost::Message;
use serde_json::{Value, json};

use crate::network::{GRANT, World, calls};

/// Longest that a script may take; only a failure takes so long.
const SCRIPT_TIME: Duration = Duration::from_secs(300);

/// The Python that has the clients.
fn python() -> PathBuf {
    match std::env::var_os("LINGQU_PYTHON") {
        Some(path) => path.into(),
        None => panic!(
            "LINGQU_PYTHON is not set: run `cargo xtask test`, which brings the clients, or set it to a Python that \
             has tests/clients/requirements.txt"
        ),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl World {
    /// What the scripts are told: who is who, and what a good call looks like.
    pub(crate) fn setting(&self) -> Value {
        let files = self.network.files();
        let party = |party: Party| {
            let id = party.id();
            let of = |suffix: &str| files.dir().join(format!("parties/{id}/{id}.{suffix}"));
            json!({"cert": of("pem"), "key": of("key")})
        };
        json!({
            "url": self.network.node_url(),
            "ca": files.ca(),
            "parties": {"bank": party(Party::Bank), "broker": party(Party::Broker)},
            "headers": {
                "lingqu-end-user": cast::END_USER,
                "lingqu-environment": "PROD",
                "lingqu-grant": GRANT,
                "lingqu-purpose": cast::PURPOSE,
                "lingqu-scenario": cast::SCENARIO,
            },
            "product": "tb.plane_registered",
            "arguments": ["N10156", "EMBRAER", "EMB-145XR", 2004],
            "openapi": repository().join("docs/openapi.json"),
        })
    }

    /// Runs one of the scripts; what it reports.
    async fn run_script(&self, name: &str) -> Value {
        self.run_script_with(name, &self.setting()).await
    }

    /// The same in another setting.
    pub(crate) async fn run_script_with(&self, name: &str, given: &Value) -> Value {
        let setting = self.network.files().dir().join("setting.json");
        std::fs::write(&setting, given.to_string()).unwrap();
        let mut command = tokio::process::Command::new(python());
        command
            .arg("-B")
            .arg(repository().join("tests/clients").join(name))
            .arg(&setting);
        let output = run(name, &mut command).await;
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{name} reports nothing: {error}"))
    }

    /// Checks a receipt as anybody can who has the trust file; the record that it proves.
    fn proven(&self, receipt: &[u8]) -> Record {
        let receipt = pb::Receipt::decode(receipt).unwrap();
        let (receipt, level) = receipt_from_pb(&receipt).unwrap();
        let proven = receipt.verify(&self.trust).unwrap();
        assert_eq!((level, proven.level), (Level::Mirrored, Level::Mirrored));
        proven.record
    }
}

/// Runs a command to its end. Its output is shown only when it fails.
async fn run(what: &str, command: &mut tokio::process::Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(SCRIPT_TIME, command.output())
        .await
        .unwrap_or_else(|_| panic!("{what} took too long"))
        .unwrap_or_else(|error| panic!("{what} cannot be started: {error}"));
    assert!(
        output.status.success(),
        "{what} failed with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adbc_calls_products_and_proves_every_call() {
    let world = World::ready().await;
    let found = world.run_script("adbc_calls.py").await;
    assert_eq!(world.charged(), found["charged"].as_u64().unwrap());
    world.mirrored().await;
    let records = world.records().await;
    assert_eq!(calls(&records).len() as u64, world.charged());
    let receipts = found["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 5);
    for metadata in receipts {
        let text = |name: &str| metadata[format!("lingqu.{name}")].as_str().unwrap();
        let record = world.proven(&STANDARD.decode(text("receipt")).unwrap());
        assert_eq!(record.draft.call.to_string(), text("call_id"));
        let clear = &record.draft.clear;
        assert_eq!(clear.get_text(Field::Grant), Some(GRANT));
        assert_eq!(clear.get_text(Field::Outcome), Some("ANSWERED"));
        // The published text form says the same, to whoever has a tool for it.
        let published = Receipt::from_tlog_proof(text("tlog_proof")).unwrap();
        assert_eq!(published.verify(&world.trust).unwrap().record, record);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_and_statements_are_good_for_their_caller_only() {
    let world = World::ready().await;
    let found = world.run_script("raw_flight.py").await;
    assert_eq!(world.charged(), found["charged"].as_u64().unwrap());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pandas_and_polars_read_a_verdict_in_one_line() {
    let world = World::ready().await;
    let found = world.run_script("frames.py").await;
    assert_eq!(world.charged(), found["charged"].as_u64().unwrap());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpcio_needs_only_reflection() {
    let world = World::ready().await;
    let found = world.run_script("reflected.py").await;
    assert_eq!(world.charged(), found["charged"].as_u64().unwrap());
    let receipt = hex::decode(found["receipt"].as_str().unwrap()).unwrap();
    world.proven(&receipt);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_interface_is_described_as_it_is() {
    let world = World::ready().await;
    let found = world.run_script("openapi.py").await;
    let paths = [
        "/openapi.json",
        "/v1/explain",
        "/v1/products",
        "/v1/query",
        "/v1/score",
        "/v1/verify",
    ];
    assert_eq!(found["paths"], json!(paths));
    world.end().await;
}

/// The blocks of a page in one language, in order.
fn examples(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs").join(page)).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// What the manual says to type, typed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_manual_work() {
    let world = World::ready().await;
    let setting = world.setting();
    let bank = &setting["parties"]["bank"];
    let home = world.network.files().dir().join("examples");
    std::fs::create_dir_all(&home).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let variables = [
        ("NODE", text(&setting["url"])),
        ("CA", text(&setting["ca"])),
        ("CERT", text(&bank["cert"])),
        ("KEY", text(&bank["key"])),
        ("GRANT", GRANT.to_owned()),
    ];
    let shell = examples("clients.md", "sh");
    assert!(shell.len() >= 3, "the manual has no examples for curl");
    for example in shell {
        let mut command = tokio::process::Command::new("sh");
        command
            .args(["-e", "-c", &example])
            .current_dir(&home)
            .envs(variables.clone());
        let output = run(&example, &mut command).await;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!answer.contains("\"status\""), "{example}\n{answer}");
    }
    let scripts = examples("clients.md", "python");
    assert!(scripts.len() >= 4, "the manual has no examples for Python");
    for example in scripts {
        let mut command = tokio::process::Command::new(python());
        command
            .args(["-B", "-c", &example])
            .current_dir(&home)
            .envs(variables.clone());
        let output = run(&example, &mut command).await;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(answer.contains("MATCH"), "{example}\n{answer}");
    }
    world.end().await;
}

#[test]
fn both_languages_of_the_manual_have_the_same_examples() {
    for language in ["sh", "python"] {
        assert_eq!(
            examples("clients.md", language),
            examples("clients.zh-CN.md", language)
        );
    }
}
