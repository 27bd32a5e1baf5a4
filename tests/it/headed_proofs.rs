//! What an archive proves of the head log and its witnesses, receipts and evidence packages out of it prove too.

use lingqu_demo::cast::Party;
use lingqu_tlog::{Intl, Signer, VerifierKey};
use lingqu_transport::signing_key;

use crate::network::{GRANT, call};
use crate::succession_read::Desk;
use crate::witnessed::ready;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_out_of_an_archive_and_a_package_of_evidence_are_witnessed() {
    let (world, one, two) = ready().await;
    world.witnessed().await;
    let bank = world.caller(Party::Bank).await;
    let checked = bank.checked.clone().with_heads(world.heads());
    let answered = checked.verify(&call(GRANT)).await.unwrap();
    let (stream, index) = (
        answered.receipt.checkpoint.origin,
        answered.proven.record.index.to_string(),
    );
    let desk = Desk::new(&world);
    std::fs::write(desk.text("heads"), world.heads_text()).unwrap();
    let ran = desk.ask("export", &["--out", "@archive"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let logs = desk.text(&format!("archive/{stream}"));
    let receipt = desk.text("receipt");
    desk.holds(&[
        "prove", "--log", &logs, "--index", &index, "--out", &receipt,
    ]);
    let level = |words: &[&str]| {
        let ran = desk.holds(&[&["verify", "--json"], words].concat());
        ran.json().remove(0)
    };
    let trusts = ["--trust", "@trust", "--trust", "@heads"];
    let shown = level(&[&trusts[..], &["@receipt"]].concat());
    assert_eq!(shown["level"], "R3", "{shown}");
    // Whoever is told of no witnesses sees what the mirror says.
    let shown = level(&["--trust", "@trust", "@receipt"]);
    assert_eq!(shown["level"], "R2", "{shown}");
    signing_key::create(&desk.dir.path().join("clerk.key")).unwrap();
    let make = [
        &["evidence", "make", "--case", "C-1", "--document", "D-1"][..],
        &[
            "--by",
            "clerk",
            "--key",
            "@clerk.key",
            "--name",
            "court.example/clerk",
        ],
        &trusts,
        &[
            "--archive",
            "@archive",
            "--grant",
            GRANT,
            "--out",
            "@evidence",
        ],
    ];
    desk.holds(&make.concat());
    let report = std::fs::read_to_string(desk.text("evidence/report.en.md")).unwrap();
    assert!(report.contains("| level | R3 |"), "{report}");
    assert!(report.contains("heads/00001.policy"), "{report}");
    let shown = level(&[&trusts[..], &["@evidence"]].concat());
    assert_eq!(shown["records"][0]["level"], "R3", "{shown}");
    // The report reads the same to whoever has fewer keys; what that reader believes is said beside it.
    let ran = desk.holds(&["verify", "--trust", "@trust", "@evidence"]);
    assert!(
        ran.out.contains(" R2 ") && ran.notes.contains("heads/00001.policy"),
        "{ran:?}"
    );
    // A reader's own quorum judges what the extractor's lets pass.
    let signer = lingqu_tlog::Ed25519Signer::from_seed([99; 32]);
    let name = lingqu_tlog::KeyName::parse("w3.example/witness").unwrap();
    let third = VerifierKey::<Intl>::cosignature(name, signer.public_key()).unwrap();
    let logs: String = world
        .heads_text()
        .lines()
        .filter(|line| line.starts_with("log "))
        .fold(String::new(), |logs, line| logs + line + "\n");
    let others = format!("{logs}witness w3 {third}\nquorum w3\n");
    std::fs::write(desk.text("others"), others).unwrap();
    let ran = desk.audit(&[
        "verify",
        "--trust",
        "@trust",
        "--trust",
        "@others",
        "@evidence",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    one.stop().await;
    two.stop().await;
    world.end().await;
}
