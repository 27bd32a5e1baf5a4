use lingqu_core::{PartyId, Role};
use lingqu_tlog::{Intl, Suite};

use super::*;
use crate::registry::testbed::*;
use crate::store::acts;

fn records(mirror: &Mirror) -> Vec<(String, String)> {
    let mut all = Vec::new();
    mirror
        .own_records(|record| {
            let text = |field| record.draft.clear.get_text(field).unwrap().to_owned();
            assert_eq!(record.draft.kind, Kind::Control);
            all.push((text(Field::Action), text(Field::Subject)));
        })
        .unwrap();
    all
}

fn act(subject: &str) -> Act {
    Act {
        action: "file".to_owned(),
        subject: subject.to_owned(),
        digest: Intl::digest(&[subject.as_bytes()]),
        actor: AGENCY.to_owned(),
        region: Some("45".parse().unwrap()),
        filing_number: Some("2026-000001".to_owned()),
        epoch: None,
    }
}

#[tokio::test]
async fn every_act_stands_in_the_own_stream_in_order() {
    let net = Net::new();
    let registry = net.open().await;
    enrol(
        &registry,
        new_party("party_unit", Role::DataSourceUnit, "45"),
    )
    .await
    .unwrap();
    enrol(&registry, new_node("node_n", "party_unit", "45"))
        .await
        .unwrap();
    let unit: PartyId = party("party_unit");
    registry
        .file(&unit, sealed(&policy(), &["party_unit"]))
        .await
        .unwrap();
    registry
        .revoke(&party(AGENCY), revocation(AGENCY, "grant_1", &net.clock))
        .await
        .unwrap();
    let expected = [
        ("found", AGENCY),
        ("epoch", "coord_gx"),
        ("issue_code", "party_unit"),
        ("enrol", "party_unit"),
        ("issue_code", "node_n"),
        ("enrol", "node_n"),
        ("file", "party_unit/social@1"),
        ("revoke", "grant_1"),
        ("epoch", "coord_gx"),
    ];
    let seen = records(&registry.mirror);
    let seen: Vec<(&str, &str)> = seen
        .iter()
        .map(|(action, subject)| (&**action, &**subject))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(registry.store.unlogged_acts().await.unwrap(), []);
}

#[test]
fn a_record_says_who_did_what_on_what_ground() {
    let clear = draft(&act("grant_1")).clear;
    assert_eq!(clear.get_text(Field::Actor), Some(AGENCY));
    assert_eq!(clear.get_text(Field::Region), Some("45"));
    assert_eq!(clear.get_text(Field::FilingNumber), Some("2026-000001"));
    assert_eq!(
        clear.get_bytes(Field::ObjectDigest),
        Some(&act("grant_1").digest.0[..])
    );
    assert_eq!(clear.get_number(Field::Epoch), None);
}

/// A crash after the act was stored, and one after it was logged: it stands in the stream once either way.
#[tokio::test]
async fn an_interrupted_act_is_logged_exactly_once() {
    for logged_before_the_crash in [false, true] {
        let net = Net::new();
        let registry = net.open().await;
        let mut tx = registry.store.begin().await.unwrap();
        acts::insert(&mut tx, &act("grant_a")).await.unwrap();
        acts::insert(&mut tx, &act("grant_b")).await.unwrap();
        tx.commit().await.unwrap();
        if logged_before_the_crash {
            registry
                .mirror
                .append_own(vec![draft(&act("grant_a"))])
                .await
                .unwrap();
        }
        close(registry).await;
        for _ in 0..2 {
            let registry = net.open().await;
            let seen = records(&registry.mirror);
            let count = |subject: &str| seen.iter().filter(|(_, seen)| seen == subject).count();
            assert_eq!((count("grant_a"), count("grant_b")), (1, 1));
            assert_eq!(registry.store.unlogged_acts().await.unwrap(), []);
            close(registry).await;
        }
    }
}

#[tokio::test]
async fn a_filing_that_was_not_logged_is_pushed_to_nobody() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    registry.mirror.close();
    let refused = registry
        .file(&party("party_unit"), sealed(&policy(), &["party_unit"]))
        .await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::AuditUnavailable);
    // Nothing more is done before the restart: the act could be logged twice.
    let again = registry
        .file(&party(AGENCY), sealed(&product(), &[AGENCY]))
        .await;
    assert_eq!(again.unwrap_err().code, ErrorCode::AuditUnavailable);
    let concerning = registry
        .store
        .objects_concerning("node_n", "party_unit", 0, 9)
        .await
        .unwrap();
    assert_eq!(concerning, []);
    close(registry).await;
    // After the restart the act is logged and the object is on its way, with the number it was given.
    let registry = net.open().await;
    let concerning = registry
        .store
        .objects_concerning("node_n", "party_unit", 0, 9)
        .await
        .unwrap();
    assert_eq!(concerning.len(), 1);
    let again = registry
        .file(&party("party_unit"), sealed(&policy(), &["party_unit"]))
        .await
        .unwrap();
    assert_eq!(again.number, "2026-000001");
}

/// A database that lacks a filing would give its number, and its id and version, a second time.
#[tokio::test]
async fn a_database_that_lacks_an_act_of_the_log_is_refused() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    close(registry).await;
    let database = net.bed.dir.path().join("registry.db");
    let old = std::fs::read(&database).unwrap();
    let registry = net.open().await;
    registry
        .file(&party("party_unit"), sealed(&policy(), &["party_unit"]))
        .await
        .unwrap();
    close(registry).await;
    let new = std::fs::read(&database).unwrap();
    std::fs::write(&database, &old).unwrap();
    assert!(matches!(
        net.try_open().await,
        Err(SettleError::RegistryBehind)
    ));
    std::fs::write(&database, &new).unwrap();
    assert!(net.try_open().await.is_ok());
}

/// Database and log of different moments: each order is refused.
#[tokio::test]
async fn a_restore_of_one_without_the_other_is_refused() {
    let net = Net::new();
    let registry = net.open().await;
    close(registry).await;
    let database = net.bed.dir.path().join("registry.db");
    let (log, old_log) = (net.bed.wal(), net.bed.dir.path().join("old"));
    let old_database = std::fs::read(&database).unwrap();
    std::fs::create_dir(&old_log).unwrap();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    };
    copy(&log, &old_log);
    let registry = net.open().await;
    registry
        .revoke(&party(AGENCY), revocation(AGENCY, "grant_1", &net.clock))
        .await
        .unwrap();
    close(registry).await;
    let new_database = std::fs::read(&database).unwrap();
    std::fs::write(&database, &old_database).unwrap();
    assert!(matches!(
        net.try_open().await,
        Err(SettleError::RegistryBehind)
    ));
    std::fs::write(&database, &new_database).unwrap();
    copy(&old_log, &log);
    assert!(matches!(net.try_open().await, Err(SettleError::LogBehind)));
}
