use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::testbed::{EVERYBODY, ManualClock, Pki, START, id, until};

#[test]
fn unusable_files_are_refused_each_for_its_own_reason() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let (own, other) = (pki.issue("node_gx.bank", 30), pki.issue("node_gx.tax", 30));
    let good = pki.files(&own, &EVERYBODY);
    let refusal = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = good.clone();
        change(&mut files);
        ReloadableTls::load(files, Arc::clone(&clock) as Arc<dyn Clock>).err()
    };
    assert_eq!(refusal(&|_| ()), None);
    let missing = pki.dir.path().join("missing");
    assert_eq!(
        refusal(&|files| files.key.clone_from(&missing)),
        Some(LoadError::Read {
            path: missing.clone(),
            kind: io::ErrorKind::NotFound
        })
    );
    assert_eq!(
        refusal(&|files| files.cert_chain.clone_from(&own.key)),
        Some(LoadError::Certificates(own.key.clone()))
    );
    assert_eq!(
        refusal(&|files| files.key.clone_from(&own.certificate)),
        Some(LoadError::Key(own.certificate.clone()))
    );
    assert!(matches!(
        refusal(&|files| files.key.clone_from(&other.key)),
        Some(LoadError::Tls(_))
    ));
    assert_eq!(
        refusal(&|files| files.authorities.clear()),
        Some(LoadError::Authorities(AuthorityRefused::Absent))
    );
    // An authority's own certificate names no peer.
    assert_eq!(
        refusal(&|files| {
            files.cert_chain = pki.ca();
            files.key = pki.dir.path().join("ca.key");
        }),
        Some(LoadError::Identity(IdentityRefused::Absent))
    );
}

#[test]
fn a_process_does_not_become_another() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let own = pki.issue("node_gx.bank", 30);
    let tls = ReloadableTls::load(pki.files(&own, &EVERYBODY), clock.clone()).unwrap();
    let other = pki.issue("node_gx.tax", 30);
    std::fs::copy(&other.certificate, &own.certificate).unwrap();
    std::fs::copy(&other.key, &own.key).unwrap();
    let changed = LoadError::IdChanged {
        found: id("node_gx.tax"),
        running: id("node_gx.bank"),
    };
    assert_eq!(tls.reload(), Err(changed));
    assert_eq!(tls.id(), id("node_gx.bank"));
}

#[tokio::test]
async fn the_watcher_reloads_and_survives_broken_files() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let own = pki.issue("node_gx.bank", 30);
    let tls = Arc::new(ReloadableTls::load(pki.files(&own, &EVERYBODY), clock.clone()).unwrap());
    let watcher = tokio::spawn(Arc::clone(&tls).watch(Duration::from_millis(1)));
    let first = tls.current().digest;
    std::fs::write(&own.key, "no pem").unwrap();
    assert!(tls.reload().is_err());
    pki.issue("node_gx.bank", 30);
    until("the new files are in use", || tls.current().digest != first).await;
    watcher.abort();
}

#[test]
fn unknown_keys_and_prefixes_of_no_kind_are_refused_in_configuration() {
    let parse =
        |json: &str| serde_json::from_str::<TlsFiles>(json).map_err(|error| error.to_string());
    let with = |prefix: &str, extra: &str| {
        format!(
            r#"{{"cert_chain": "c", "key": "k", {extra}
                 "authorities": [{{"name": "a", "path": "p", "prefixes": ["{prefix}"]}}]}}"#
        )
    };
    let files = parse(&with("party_gx.", "")).unwrap();
    assert!(files.authorities[0].prefixes[0].covers("party_gx.bank"));
    assert!(!files.allow_tls12);
    assert!(parse(&with("gx", "")).unwrap_err().contains("prefix"));
    assert!(
        parse(&with("party_", r#""resumption": true,"#))
            .unwrap_err()
            .contains("unknown field")
    );
}
