//! The coordinator slow, and restored from an old backup: no answer leaves unrecorded, nothing that was recorded is lost,
//! and nothing that was revoked comes back.

use std::path::Path;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use tokio::net::TcpListener;

use super::child::{on_record, refused};
use crate::network::{GRANT, World, patiently};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_takes_connections_and_says_nothing_delays_no_refusal() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut answered = vec![refused(&bank).await.unwrap()];
    world.mirrored().await;
    let address = world.network.coordinator_url().replace("https://", "");
    world.network.stop_coordinator().await.unwrap();
    // Whoever dials it is let in and waits.
    let silent = TcpListener::bind(&address).await.unwrap();
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    world.mirror_is_away().await;
    for _ in 0..3 {
        assert_eq!(refused(&bank).await, Err(Some(ErrorCode::AuditUnavailable)));
    }
    holding.abort();
    let _ = holding.await;
    world.network.start_coordinator().await.unwrap();
    world.mirrored().await;
    answered.push(refused(&bank).await.unwrap());
    on_record(&world.records().await, &answered);
    world.end().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            std::fs::copy(&path, &place).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_from_an_old_backup_gets_back_what_it_lost_and_revives_nothing() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut answered = vec![refused(&bank).await.unwrap()];
    world.mirrored().await;
    let state = world.network.files().dir().join("coordinator/state");
    let backup = world.network.files().dir().join("coordinator/backup");
    world.network.stop_coordinator().await.unwrap();
    copy(&state, &backup);
    world.network.start_coordinator().await.unwrap();
    world.mirrored().await;
    for _ in 0..5 {
        answered.push(refused(&bank).await.unwrap());
    }
    // After the backup the grant is revoked.
    let epoch = world.node().epoch().unwrap();
    let revoked = world.epoch(
        epoch + 50,
        &[GRANT],
        lingqu_core::Clock::now(world.clock.as_ref()),
    );
    world.push_epoch(&revoked).await.unwrap();
    assert_eq!(refused(&bank).await, Err(Some(ErrorCode::GrantRevoked)));
    world.mirrored().await;

    world.network.stop_coordinator().await.unwrap();
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::rename(&backup, &state).unwrap();
    world.network.start_coordinator().await.unwrap();
    // What the mirror lost, the node still has, and hands over before anything new is cosigned.
    // What the node remembers as mirrored is not asked here: the mirror itself is.
    let origin = world.journal().origin().to_owned();
    let coordinator = world.network.coordinator().unwrap();
    patiently("the mirror to have everything again", async {
        while coordinator.mirrored_size(&origin) != world.journal().size() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    on_record(&world.records().await, &answered);
    // Its older revocation list is not taken: the grant stays revoked, also after a restart.
    assert_eq!(refused(&bank).await, Err(Some(ErrorCode::GrantRevoked)));
    world.network.stop_node().await.unwrap();
    world.open_node(|_| {}).await;
    wait_until(&world.network, "the node is ready", |node| node.ready())
        .await
        .unwrap();
    let bank = world.caller(Party::Bank).await;
    let told = refused(&bank).await;
    let shut = [
        ErrorCode::GrantRevoked,
        ErrorCode::EpochMissing,
        ErrorCode::EpochStale,
    ];
    assert!(
        matches!(told, Err(Some(code)) if shut.contains(&code)),
        "{told:?}"
    );
    // Bounded, so that a defect fails instead of hanging.
    tokio::time::timeout(Duration::from_secs(60), world.end())
        .await
        .unwrap();
}
