//! The coordinator, opened from its configuration and served on a port of its own.

use std::path::Path;
use std::sync::Arc;

use lingqu_coordinator::{Config, Coordinator};
use lingqu_journal::SystemClock;
use tokio::net::TcpListener;

use crate::protocol::Said;
use crate::voice::{Voice, told};

/// Serves the coordinator of the network in `dir` until standard input ends.
pub(crate) async fn run(dir: &Path) {
    let voice = Voice::new();
    let mut told = told();
    let config = Config::load(&dir.join("coordinator/coordinator.toml")).expect("the test's file");
    let coordinator = Coordinator::open(config, Arc::new(SystemClock))
        .await
        .expect("a coordinator opens after any kill");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let own_origin = coordinator.own_origin().to_owned();
    voice.say(&Said::Serving {
        address,
        own_checkpoint: coordinator.cosigned_checkpoint(&own_origin),
        own_origin,
        epoch: coordinator.epoch(),
    });
    let ended = async { drop(told.recv().await) };
    coordinator.serve(listener, ended).await;
    coordinator.close().await;
}
