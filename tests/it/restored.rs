//! A node whose state directory comes from a backup: what the mirror gives back may say that it has to stay shut.

use std::path::Path;

use lingqu_core::ErrorCode;
use lingqu_core::stop::{StopOrder, StopScope};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_policy::AuditTerms;

use crate::network::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_only_the_mirror_remembers_keeps_a_restored_node_shut() {
    // Under these terms an answer need not wait for the mirror.
    let mut world = World::with(Setup {
        audit: AuditTerms::Lagged {
            entries_max: 100,
            age_s_max: 3_600,
        },
        ..Setup::default()
    })
    .await;
    world.network.stop_node().await.unwrap();
    let (state, backup) = (world.state(), world.state().with_extension("backup"));
    copy(&state, &backup);

    world.start_node().await;
    let order = StopOrder {
        unit: Party::Unit.id(),
        node: cast::node(),
        number: 1,
        issued: lingqu_core::Clock::now(world.clock.as_ref()),
        lift: false,
        scope: StopScope::All,
    };
    let order = world.network.signed(&order, &[Party::Unit]).unwrap();
    world.node().carry_out(&order).unwrap();
    world.node().record_pending().await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(
        bank.told(&call(GRANT)).await,
        ErrorCode::Stopped.as_str(),
        "the stop is in force"
    );
    let size = world.journal().size();
    world.network.stop_node().await.unwrap();

    std::fs::remove_dir_all(&state).unwrap();
    std::fs::rename(&backup, &state).unwrap();
    world.open_node(|_| {}).await;
    assert!(world.journal().size() < size);
    wait_until(&world.network, "the records came back", |node| {
        node.journal().size() >= size
    })
    .await
    .unwrap();
    let mut call = call(GRANT);
    call.lagged_accepted = true;
    let told = world.caller(Party::Bank).await.told(&call).await;
    assert_eq!(told, ErrorCode::NodeNotReady.as_str());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_policy_does_not_bring_the_wider_one_back() {
    let mut world = World::ready().await;
    let newer = policy(2, AuditTerms::Mirrored { wait_ms_max: 1_000 });
    let newer = world.network.signed(&newer, &[Party::Unit]).unwrap();
    world.push(&newer, None).await.unwrap();
    let told = world.caller(Party::Bank).await.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::ProductNotApproved.as_str());
    world.network.stop_node().await.unwrap();
    let file = hex::encode(newer.digest().0) + ".env";
    let file = world.state().join("objects").join(file);
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(23) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        if world.try_open_node(|_| {}).await.is_ok() {
            // What was hit is no part of what counts: the newer policy holds.
            let approved = world.node().holdings().approved().count();
            assert_eq!(approved, 0, "byte {at}");
            world.network.stop_node().await.unwrap();
        }
    }
    world.end().await;
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, to) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
