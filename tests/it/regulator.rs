//! What a regulator sees and takes home from a running network: the audit page over mutual TLS, in both languages, and
//! receipts that `lingqu` believes on keys alone.
//!
//! With `LINGQU_TEST_LOG_DIR` the pages are kept there, to be looked at.

use std::path::{Path, PathBuf};

use lingqu_demo::cast::{self, Party};
use serde_json::Value;

use crate::binary::{Ran, run};
use crate::network::{GRANT, World, call, patiently};

impl World {
    /// A page of the coordinator as `party` gets it; status and text.
    async fn page(&self, party: Party, path: &str) -> (u16, String) {
        let identity = self.network.identity(party).unwrap();
        self.get(&identity, path).await
    }

    /// The audit page, once it shows `records` records and none waits to be checked.
    async fn audited(&self, query: &str, records: usize) -> String {
        let path = format!("/audit{query}");
        patiently("checking what is mirrored", async {
            loop {
                let (status, page) = self.page(Party::Bureau, &path).await;
                assert_eq!(status, 200, "{page}");
                if page.matches("/audit/receipt?").count() == records && !page.contains(">waiting<")
                {
                    return page;
                }
            }
        })
        .await
    }
}

fn audit(words: &[&str]) -> Ran {
    let line: Vec<&str> = ["audit"].iter().chain(words).copied().collect();
    tokio::task::block_in_place(|| run(&line))
}

fn keep(name: &str, page: &str) {
    if let Some(dir) = std::env::var_os("LINGQU_TEST_LOG_DIR").map(PathBuf::from) {
        std::fs::write(dir.join(name), page).unwrap();
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// R-409, R-088: a call that was just made is on the page, checked, and its proof needs nobody's word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_on_the_audit_page_and_its_proof_verifies_on_keys_alone() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for minute in 0..6 {
        for _ in 0..=(minute % 3) {
            bank.verify(&call(GRANT)).await.unwrap();
        }
        if minute % 2 == 0 {
            let refused = bank.told(&call("grant_unknown")).await;
            assert_eq!(refused, "GRANT_UNKNOWN");
        }
        world.pass_s(60).await;
    }
    let page = world.audited("?lang=en", 12 + 3).await;
    keep("audit.en.html", &page);
    assert!(page.contains("GRANT_UNKNOWN") && page.contains(">answered<"));
    for language in ["zh", "en"] {
        for kinds in ["", "acts", "all"] {
            let path = format!("/audit?lang={language}&kinds={kinds}");
            let (status, page) = world.page(Party::Bureau, &path).await;
            assert_eq!(status, 200);
            keep(&format!("audit.{language}.{kinds}.html"), &page);
        }
    }
    let (status, said) = world.page(Party::Agency, "/audit").await;
    assert!(
        status == 403 && said.contains("CALLER_ROLE_FORBIDDEN"),
        "{said}"
    );
    let (status, console) = world.page(Party::Bureau, "/console?lang=en").await;
    assert!(status == 200 && console.contains("/audit?lang=en"));

    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
    let (status, receipts) = world
        .page(Party::Bureau, "/audit/receipts?outcome=answered")
        .await;
    assert_eq!(status, 200, "{receipts}");
    std::fs::write(at("receipts"), &receipts).unwrap();
    world.end().await;

    // From here on there is no network any more.
    let (trust, receipts_at) = (at("trust"), at("receipts"));
    let ran = audit(&[
        "verify",
        "--trust",
        shown(&trust),
        "--json",
        shown(&receipts_at),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let proven: Vec<Value> = ran.json();
    assert_eq!(proven.len(), 12);
    for one in &proven {
        assert_eq!(one["authenticated"], true);
        assert_eq!(one["level"], "R2");
        assert_eq!(one["record"]["clear"]["caller"], Party::Bank.id().as_str());
        assert_eq!(one["record"]["clear"]["purpose"], cast::PURPOSE);
    }
    assert_eq!(audit(&["verify", shown(&receipts_at)]).code, Some(3));
    let altered = at("altered");
    std::fs::write(&altered, receipts.replacen("index 1", "index 2", 1)).unwrap();
    let ran = audit(&["verify", "--trust", shown(&trust), shown(&altered)]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let cut = at("cut");
    std::fs::write(&cut, &receipts[..receipts.len() / 2]).unwrap();
    let ran = audit(&["verify", "--trust", shown(&trust), shown(&cut)]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

/// The manual's commands, in order, as they stand there; both languages have the same.
fn commands() -> Vec<String> {
    let of = |name: &str| -> Vec<String> {
        let path = crate::binary::root().join("docs").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text.split("```sh\n").skip(1);
        let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
        lines.map(str::to_owned).collect()
    };
    let (english, chinese) = (of("regulators.md"), of("regulators.zh-CN.md"));
    assert_eq!(english, chinese);
    english
}

/// A regulator who does what the manual says, with the files that it names, gets what it promises.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_regulators_manual_works_as_it_stands() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for _ in 0..3 {
        bank.verify(&call(GRANT)).await.unwrap();
    }
    assert_eq!(bank.told(&call("grant_unknown")).await, "GRANT_UNKNOWN");
    world.mirrored().await;
    world.audited("?lang=en", 4).await;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (cert, key) = world.network.files().party_tls(Party::Bureau);
    let coordinator = world.network.coordinator().unwrap();
    std::fs::copy(cert, at("bureau.pem")).unwrap();
    std::fs::copy(key, at("bureau.key")).unwrap();
    std::fs::copy(world.network.files().ca(), at("ca.pem")).unwrap();
    std::fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
    std::fs::write(at("heads"), coordinator.head_trust()).unwrap();
    let here = world.network.coordinator_url();
    let mut ran = Vec::new();
    for command in commands() {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            // The same request over the test's own connection.
            ["curl", .., "-o", file, url] => {
                let path = url
                    .trim_matches('"')
                    .strip_prefix("https://coordinator.example:7600");
                let (status, text) = world.page(Party::Bureau, path.unwrap()).await;
                assert_eq!(status, 200, "{text}");
                std::fs::write(at(file), text).unwrap();
            }
            ["mkdir", name] => std::fs::create_dir(at(name)).unwrap(),
            ["lingqu", words @ ..] => {
                let id = coordinator.id().as_str();
                let there = words.iter().map(|word| match *word {
                    "https://coordinator.example:7600" => here.as_str(),
                    "coord_gx" => id,
                    other => other,
                });
                let there: Vec<&str> = there.collect();
                let one = tokio::task::block_in_place(|| crate::binary::run_in(dir.path(), &there));
                assert_eq!(one.code, Some(0), "{command}\n{one:?}");
                ran.push((words[1].to_owned(), one));
            }
            other => panic!("the test does not know what `{other:?}` is"),
        }
    }
    let of = |name: &'static str| ran.iter().filter(move |(command, _)| command == name);
    // Calls alone, refusals alone, by a choice made behind the verification.
    let records = |ran: &Ran| -> Vec<Value> {
        let lines = ran.json().into_iter();
        lines
            .filter(|line| line.get("complete").is_none())
            .collect()
    };
    let refused = records(&of("follow").nth(1).unwrap().1);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["clear"]["outcome"], "GRANT_UNKNOWN");
    assert_eq!(refused[0]["unit"], Party::Unit.id().as_str());
    let answered = records(&of("import").next().unwrap().1);
    assert_eq!(answered.len(), 3);
    assert_eq!(of("verify").count(), 2);
    air_gap(&world, dir.path()).await;
    world.end().await;
}

/// Files are taken in where the last run ended; one that was altered, left out or exchanged is refused.
async fn air_gap(world: &World, dir: &Path) {
    let coordinator = world.network.coordinator().unwrap();
    let (url, id) = (
        world.network.coordinator_url(),
        coordinator.id().to_string(),
    );
    let believed = [
        "--trust",
        "trust",
        "--head-trust",
        "heads",
        "--region",
        cast::REGION,
    ];
    let audit = |command: &str, more: &[&str]| {
        let words = [&["audit", command][..], more, &believed[..]].concat();
        tokio::task::block_in_place(|| crate::binary::run_in(dir, &words))
    };
    let dial = [
        "--coordinator",
        &url,
        "--id",
        &id,
        "--cert",
        "bureau.pem",
        "--key",
        "bureau.key",
        "--ca",
        "ca.pem",
    ];
    let bank = world.caller(Party::Bank).await;
    for _ in 0..3 {
        bank.verify(&call(GRANT)).await.unwrap();
        world.mirrored().await;
        let ran = audit(
            "spool",
            &[&dial[..], &["--dir", "outbox", "--state", "spooled"]].concat(),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let import = |from: &str, state: &str| {
        audit(
            "import",
            &[
                "--dir",
                from,
                "--state",
                state,
                "--outcome",
                "answered",
                "--json",
            ],
        )
    };
    let calls = |ran: &Ran| {
        ran.json()
            .iter()
            .filter(|line| line.get("complete").is_none())
            .count()
    };
    let ran = import("outbox", "imported");
    assert_eq!(
        (ran.code, calls(&ran)),
        (Some(0), 3),
        "only what is new: {ran:?}"
    );
    let ran = import("outbox", "imported");
    assert_eq!(
        (ran.code, calls(&ran)),
        (Some(0), 0),
        "nothing is new: {ran:?}"
    );
    let ran = import("outbox", "from_the_beginning");
    assert_eq!((ran.code, calls(&ran)), (Some(0), 6), "{ran:?}");

    let file = |from: &str, number: u64| dir.join(from).join(format!("feed-{number:012}.lqfeed"));
    let copied = |name: &str| {
        std::fs::create_dir(dir.join(name)).unwrap();
        for number in 0..4 {
            std::fs::copy(file("outbox", number), file(name, number)).unwrap();
        }
    };
    // The second file is gone and the later ones have moved up, under new numbers.
    copied("gap");
    for number in 1..3 {
        let bytes = std::fs::read(file("outbox", number + 1)).unwrap();
        let text = format!("lingqu/feed/v1\n{}\n", number + 1);
        let rest = bytes.strip_prefix(text.as_bytes()).unwrap();
        let bytes = [format!("lingqu/feed/v1\n{number}\n").as_bytes(), rest].concat();
        std::fs::write(file("gap", number), bytes).unwrap();
    }
    // Moved up as it is.
    copied("moved");
    std::fs::rename(file("moved", 3), file("moved", 2)).unwrap();
    copied("altered");
    let mut bytes = std::fs::read(file("altered", 2)).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(file("altered", 2), bytes).unwrap();
    copied("cut");
    let bytes = std::fs::read(file("cut", 1)).unwrap();
    std::fs::write(file("cut", 1), &bytes[..bytes.len() - 1]).unwrap();
    for (from, taken) in [("gap", 3), ("moved", 4), ("altered", 4), ("cut", 3)] {
        let ran = import(from, &format!("{from}.state"));
        assert_eq!((ran.code, calls(&ran)), (Some(1), taken), "{from}: {ran:?}");
    }
}
