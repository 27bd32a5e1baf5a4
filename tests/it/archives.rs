//! An archive, a receipt and an evidence package of a running network, checked by `lingqu` on keys alone and by the tools
//! of others: Go's reference implementation, and the crates `tlog_tiles` and `signed_note`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lingqu_core::receipt::Receipt;
use lingqu_demo::cast::{self, Party};
use lingqu_tlog::leaf_hash;
use serde_json::Value;

use crate::binary::{Ran, run};
use crate::network::{GRANT, World, call};

/// What a regulator took home: files on which everything below works, whether or not the network still exists.
struct Taken {
    dir: tempfile::TempDir,
    receipt: Receipt,
    stream: String,
    stream_key: String,
    mirror_key: String,
}

impl Taken {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn log(&self) -> String {
        self.text(&format!("archive/{}", self.stream))
    }

    /// `lingqu audit …` with `{name}` standing for a file in the directory.
    fn audit(&self, words: &[&str]) -> Ran {
        let words: Vec<String> = words
            .iter()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.text(name),
                None => (*word).to_owned(),
            })
            .collect();
        let mut line = vec!["audit"];
        line.extend(words.iter().map(String::as_str));
        tokio::task::block_in_place(|| run(&line))
    }
}

/// Some calls, an export as the region's regulator, and then the network is gone.
async fn taken() -> Taken {
    let world = World::ready().await;
    let caller = world.caller(Party::Bank).await;
    let mut receipt = None;
    for _ in 0..3 {
        receipt = Some(caller.verify(&call(GRANT)).await.unwrap().receipt);
    }
    world.mirrored().await;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let coordinator = world.network.coordinator().unwrap();
    std::fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
    std::fs::write(at("heads"), coordinator.head_trust()).unwrap();
    let receipt = receipt.unwrap();
    std::fs::write(at("receipt"), receipt.tlog_proof().to_string()).unwrap();
    let ran = export(&world, dir.path());
    let stream = receipt.checkpoint.origin.clone();
    let logs = ran.json();
    let has = |origin: &str| logs.iter().any(|log| log["origin"] == origin);
    assert!(has(&stream), "{logs:?}");
    assert!(
        logs.iter()
            .any(|log| log["origin"].as_str().unwrap().contains("/h/")),
        "{logs:?}"
    );
    let stream_key = world.trust.log(&stream).unwrap().to_string();
    let mirror_key = coordinator.mirror_key().to_string();
    world.end().await;
    Taken {
        dir,
        receipt,
        stream,
        stream_key,
        mirror_key,
    }
}

/// Exports what the region's regulator may follow into `archive` below `dir`, where `trust` and `heads` lie.
pub(crate) fn export(world: &World, dir: &Path) -> Ran {
    let (cert, key) = world.network.files().party_tls(Party::Bureau);
    let ca = world.network.files().ca();
    let shown = |path: &Path| path.display().to_string();
    let words = [
        "audit",
        "export",
        "--coordinator",
        &world.network.coordinator_url(),
        "--id",
        world.network.coordinator().unwrap().id().as_str(),
        "--cert",
        &shown(&cert),
        "--key",
        &shown(&key),
        "--ca",
        &shown(&ca),
        "--trust",
        &shown(&dir.join("trust")),
        "--head-trust",
        &shown(&dir.join("heads")),
        "--region",
        cast::REGION,
        "--out",
        &shown(&dir.join("archive")),
        "--json",
    ];
    let ran = tokio::task::block_in_place(|| run(&words));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

/// Runs the checker built on Go's reference implementation.
fn go(words: &[&str]) -> (bool, String) {
    let checker = std::env::var_os("LINGQU_GO_CHECKER").unwrap_or_else(|| {
        panic!("LINGQU_GO_CHECKER is not set: run `cargo xtask test`, which builds it from tests/go/main.go")
    });
    let output = Command::new(checker).args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_regulator_takes_home_verifies_on_keys_alone() {
    let taken = taken().await;
    let ran = taken.audit(&[
        "verify", "--trust", "@trust", "--trust", "@heads", "--json", "@archive",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let logs = ran.json();
    let stream = logs
        .iter()
        .find(|log| log["origin"] == taken.stream)
        .unwrap();
    assert_eq!(stream["authenticated"], true);
    assert_eq!(stream["cosigned"].as_array().unwrap().len(), 1);
    // Without keys it is only consistent, and says so.
    assert_eq!(taken.audit(&["verify", "@archive"]).code, Some(3));
    // The streams' keys alone do not say whether the head logs are believed.
    assert_eq!(
        taken
            .audit(&["verify", "--trust", "@trust", "@archive"])
            .code,
        Some(1)
    );
    proofs(&taken);
    evidence(&taken);
    altered(&taken);
}

fn proofs(taken: &Taken) {
    let log = taken.log();
    let index = taken.receipt.index.to_string();
    let out = taken.text("proof");
    let ran = taken.audit(&["prove", "--log", &log, "--index", &index, "--out", &out]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = taken.audit(&["verify", "--trust", "@trust", "--json", "@proof"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let proven: Value = ran.json().remove(0);
    assert_eq!(proven["record"]["index"], taken.receipt.index);
    assert_eq!(proven["record"]["clear"]["grant"], GRANT);
    // What the receipt's checkpoint says is a prefix of the archive.
    let note = taken.receipt.note().to_string();
    std::fs::write(taken.at("old"), note).unwrap();
    let (size, out) = (
        taken.receipt.checkpoint.size.to_string(),
        taken.text("extended"),
    );
    let ran = taken.audit(&["prove", "--log", &log, "--since", &size, "--out", &out]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = taken.audit(&[
        "verify",
        "--trust",
        "@trust",
        "--since",
        "@old",
        "@extended",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// case, document, who extracted, hash list, a report in both languages, receipts and proofs.
fn evidence(taken: &Taken) {
    lingqu_transport::signing_key::create(&taken.at("clerk.key")).unwrap();
    let make = [
        "evidence",
        "make",
        "--case",
        "(2026)桂01民初7号",
        "--document",
        "D-19",
        "--by",
        "clerk",
        "--key",
        "@clerk.key",
        "--name",
        "court.example/clerk",
        "--trust",
        "@trust",
        "--trust",
        "@heads",
        "--archive",
        "@archive",
        "--grant",
        GRANT,
        "--out",
        "@evidence",
    ];
    let ran = taken.audit(&make);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = taken.audit(&["verify", "--trust", "@trust", "--json", "@evidence"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let package: Value = ran.json().remove(0);
    let calls = package["records"].as_array().unwrap().iter();
    let calls = calls.filter(|one| one["record"]["kind"] == "CALL").count();
    assert_eq!(calls, 3, "{package}");
    assert_eq!(taken.audit(&["verify", "@evidence"]).code, Some(3));
    let report = taken.at("evidence/report.zh-CN.md");
    let text = std::fs::read_to_string(&report).unwrap();
    std::fs::write(
        &report,
        text.replace("D\\-19", "D-20").replace("D-19", "D-20"),
    )
    .unwrap();
    assert_eq!(
        taken
            .audit(&["verify", "--trust", "@trust", "@evidence"])
            .code,
        Some(1)
    );
}

fn altered(taken: &Taken) {
    let bundle = first_bundle(&taken.at(&format!("archive/{}", taken.stream)));
    let good = std::fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, &bad).unwrap();
    let ran = taken.audit(&[
        "verify", "--trust", "@trust", "--trust", "@heads", "@archive",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    std::fs::write(&bundle, &good).unwrap();
}

/// The bundle of the stream's first entries, full or not.
fn first_bundle(log: &Path) -> PathBuf {
    let full = log.join("tile/entries/000");
    if full.is_file() {
        return full;
    }
    let mut partial = std::fs::read_dir(log.join("tile/entries/000.p")).unwrap();
    partial.next().unwrap().unwrap().path()
}

/// Nothing of ours takes part in these checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipt_and_archive_verify_with_the_tools_of_others() {
    let taken = taken().await;
    let (log, receipt) = (taken.log(), taken.text("receipt"));
    let (key, mirror) = (taken.stream_key.as_str(), taken.mirror_key.as_str());
    let (ok, said) = go(&["archive", &log, key, mirror]);
    assert!(ok && said.starts_with(&taken.stream), "{said}");
    let (ok, said) = go(&["receipt", &receipt, key, mirror]);
    assert!(
        ok && said.trim().ends_with(&format!(" {}", taken.receipt.index)),
        "{said}"
    );
    // It is a check: another key, an altered entry and an altered receipt fail.
    let stranger = "lingqu.example/x+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert!(!go(&["archive", &log, stranger]).0);
    let bundle = first_bundle(Path::new(&log));
    let good = std::fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, &bad).unwrap();
    assert!(!go(&["archive", &log, key, mirror]).0);
    std::fs::write(&bundle, &good).unwrap();
    let text = std::fs::read_to_string(&receipt).unwrap();
    let index = format!("index {}\n", taken.receipt.index);
    let moved = text.replace(&index, &format!("index {}\n", taken.receipt.index - 1));
    std::fs::write(taken.at("moved"), moved).unwrap();
    assert!(!go(&["receipt", &taken.text("moved"), key, mirror]).0);
    by_crates(&taken, &text);
}

/// The same receipt through `signed_note` and `tlog_tiles`.
fn by_crates(taken: &Taken, receipt: &str) {
    let (_, note) = receipt.split_once("\n\n").unwrap();
    let verifier = signed_note::StandardVerifier::new(&taken.stream_key).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let note = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, _) = note.verify(&known).unwrap();
    assert_eq!(verified.len(), 1);
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let hash = |hash: &lingqu_tlog::Hash| tlog_tiles::Hash(hash.0);
    let proof: Vec<_> = taken.receipt.proof.iter().map(hash).collect();
    let leaf = tlog_tiles::record_hash(&taken.receipt.entry);
    assert_eq!(
        leaf.0,
        leaf_hash::<lingqu_tlog::Intl>(&taken.receipt.entry).0
    );
    let (size, root) = (checkpoint.size(), tlog_tiles::Hash(checkpoint.hash().0));
    tlog_tiles::check_record(&proof, size, root, taken.receipt.index, leaf).unwrap();
}
