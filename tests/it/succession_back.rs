//! A coordinator that is put back to a state from before its nodes' streams ended: it gets them again from the nodes, and
//! knows the streams that are written.

use lingqu_core::succession::period;
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_node::NodeConfig;
use lingqu_tlog::{Intl, VerifierKey};

use crate::network::World;
use crate::restored::copy;
use crate::succession::{call, end_stream, key_of};

/// What follows the head log has a memory of its own of a coordinator that goes back, and asks for a person (see
/// `heads.rs`).
fn without_heads(config: &mut NodeConfig) {
    config.trust.head_key = None;
}

impl World {
    fn coordinators(&self) -> std::path::PathBuf {
        self.network.files().dir().join("coordinator/state")
    }

    /// Copies the coordinator's data directory while it is stopped.
    async fn keep(&mut self, name: &str) {
        self.network.stop_coordinator().await.unwrap();
        let data = self.coordinators();
        copy(&data, &data.with_file_name(name));
        self.network.start_coordinator().await.unwrap();
        self.mirrored().await;
    }

    /// Puts the copy back.
    async fn put_back(&mut self, name: &str) {
        self.network.stop_coordinator().await.unwrap();
        let data = self.coordinators();
        std::fs::remove_dir_all(&data).unwrap();
        copy(&data.with_file_name(name), &data);
        self.network.start_coordinator().await.unwrap();
    }

    /// Entries that the coordinator has of these streams.
    fn held(&self, origins: &[String]) -> u64 {
        let coordinator = self.network.coordinator().unwrap();
        let sizes = origins
            .iter()
            .map(|origin| coordinator.mirrored_size(origin));
        sizes.sum()
    }

    async fn held_again(&self, origins: &[String], size: u64) {
        wait_until(&self.network, "the coordinator has it again", |_| {
            self.held(origins) >= size
        })
        .await
        .unwrap();
    }

    async fn succeed(&mut self, period: &str) -> VerifierKey<Intl> {
        let begins = key_of(self, period, "node/log.key");
        // What was written down for the stream before is read no more, and must not be taken for what is waited for.
        let _ = std::fs::remove_file(self.state().join("succession.begin"));
        end_stream(self, &begins).await;
        self.start_node_with(without_heads).await;
        assert_eq!(self.journal().origin(), begins.name().as_str());
        begins
    }

    async fn answers(&mut self) {
        self.mirrored().await;
        let text = self.network.trust_text().unwrap();
        self.trust = lingqu_core::trust::Trust::parse(&text).unwrap();
        let bank = self.caller(Party::Bank).await;
        assert_eq!(bank.told(&call()).await, "MATCH");
    }
}

/// a backup of the coordinator from before the end of a stream, and one from before two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_put_back_to_before_an_end_gets_it_again() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world.start_node_with(without_heads).await;
    world.answers().await;
    let first = world.journal().origin().to_owned();
    world.keep("before-both").await;
    world.answers().await;
    let second = world.succeed("9999h1").await;
    world.answers().await;
    world.keep("between").await;
    let third = world.succeed("9999h2").await;
    world.answers().await;
    let charged = world.charged();
    let streams = [&second, &third].map(|key| key.name().to_string());
    let streams = [&[first][..], &streams].concat();
    for backup in ["between", "before-both"] {
        let size = world.held(&streams);
        world.put_back(backup).await;
        assert!(world.held(&streams) < size, "{backup}");
        // The node runs on; nobody does anything at it.
        world.held_again(&streams, size).await;
        world.answers().await;
        let coordinator = world.network.coordinator().unwrap();
        let trust = coordinator.trust();
        for key in [&second, &third] {
            assert!(trust.contains(&key.to_string()), "{backup}: {trust}");
        }
        assert_eq!(period(third.name().as_str()), "9999h2");
    }
    assert_eq!(world.charged(), charged + 2);
    // And after a restart of it, from its own log.
    world.network.stop_coordinator().await.unwrap();
    world.network.start_coordinator().await.unwrap();
    world.answers().await;
    world.end().await;
}

/// A past stream that is gone cannot be given back: the node answers nothing, and says what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_dropped_cannot_be_given_back() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world.start_node_with(without_heads).await;
    let first = world.journal().origin().to_owned();
    world.keep("before").await;
    let next = world.succeed("9999h1").await;
    world.answers().await;
    let streams = [first, next.name().to_string()];
    let size = world.held(&streams);
    let past = world.state().join("past-journals");
    std::fs::rename(&past, past.with_file_name("elsewhere")).unwrap();
    world.put_back("before").await;
    world.mirror_is_away().await;
    assert!(world.held(&streams) < size);
    // Put back, it is found without a restart.
    std::fs::rename(past.with_file_name("elsewhere"), &past).unwrap();
    world.held_again(&streams, size).await;
    world.answers().await;
    world.end().await;
}
