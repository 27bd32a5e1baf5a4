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
                if page.matches("/audit/receipt?").count() == records && !page.contains("waiting<")
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

/// a call that was just made is on the page, checked, and its proof needs nobody's word.
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
        world.clock.move_by_s(60);
    }
    world.mirrored().await;
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
        assert_eq!(one["level"], "mirrored");
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
