//! A node that answered and then takes the call back: the mirror never had it, and the caller's receipt and any archive
//! prove it to a third party on the log's key alone.

use std::fs;

use lingqu_core::receipt::Level;
use lingqu_demo::cast::Party;
use lingqu_policy::AuditTerms;

use crate::archives::export;
use crate::binary::{Ran, run};
use crate::network::*;
use crate::restored::copy;

fn audit(words: &[&str]) -> Ran {
    let line: Vec<&str> = ["audit"].iter().chain(words).copied().collect();
    tokio::task::block_in_place(|| run(&line))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_node_takes_back_is_proven_against_it() {
    let mut world = World::with(Setup {
        audit: AuditTerms::Lagged {
            entries_max: 100,
            age_s_max: 3_600,
        },
        ..Setup::default()
    })
    .await;
    let kept = world.caller(Party::Bank).await.verify(&call(GRANT)).await;
    let kept = kept.unwrap().receipt;
    world.mirrored().await;
    world.network.stop_node().await.unwrap();
    let (journal, before) = (
        world.state().join("journal"),
        world.state().join("../before"),
    );
    copy(&journal, &before);
    world.start_node().await;
    world.network.stop_coordinator().await.unwrap();
    world.mirror_is_away().await;
    let dropped = world.caller(Party::Bank).await.verify(&call(GRANT)).await;
    let dropped = dropped.unwrap();
    assert_eq!(dropped.proven.level, Level::Local);
    // The node forgets what the mirror does not have, and goes on as if it had never answered.
    world.network.stop_node().await.unwrap();
    fs::remove_dir_all(&journal).unwrap();
    fs::rename(&before, &journal).unwrap();
    world.network.start_coordinator().await.unwrap();
    world.open_node(|_| {}).await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    while world.journal().size() <= dropped.receipt.checkpoint.size {
        bank.verify(&call(GRANT)).await.unwrap();
    }
    world.mirrored().await;

    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let coordinator = world.network.coordinator().unwrap();
    fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
    fs::write(at("heads"), coordinator.head_trust()).unwrap();
    fs::write(at("kept"), kept.to_text()).unwrap();
    fs::write(at("dropped"), dropped.receipt.to_text()).unwrap();
    export(&world, dir.path());
    let log = at("archive").join(&kept.checkpoint.origin);
    world.end().await;

    // From here on there is no network any more.
    let shown = |name: &str| at(name).display().to_string();
    let (trust, log) = (shown("trust"), log.display().to_string());
    let compare = |receipt: &str, out: &str| {
        let (receipt, out) = (shown(receipt), shown(out));
        audit(&[
            "compare", "--trust", &trust, "--log", &log, "--out", &out, &receipt,
        ])
    };
    let ran = compare("kept", "nothing.fork");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!at("nothing.fork").exists());
    let ran = compare("dropped", "taken-back.fork");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let verify = |evidence: &str| audit(&["verify", "--trust", &trust, &shown(evidence)]);
    let ran = verify("taken-back.fork");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // Nobody is accused with less: one byte, or the other's signature.
    let text = fs::read_to_string(at("taken-back.fork")).unwrap();
    let line = text.lines().nth(1).unwrap();
    let made_up = lingqu_tlog::Hash([9; 32]).to_base64();
    fs::write(at("altered.fork"), text.replacen(line, &made_up, 1)).unwrap();
    assert_eq!(verify("altered.fork").code, Some(1));
}
