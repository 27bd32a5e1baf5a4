//! A thousand connections that say nothing: they cost bounded memory, and take nothing from those who call.

use lingqu_demo::cast::Party;
use tokio::net::TcpStream;

use super::child::{ChildNode, answers, caller, on_record, status};
use super::raw;
use crate::network::{World, patiently};

/// Connections that are opened, if this process may have as many files open.
const STRANGERS: u64 = 1_000;
/// Connections of one party, of which the node keeps 128.
const OF_ONE_PARTY: u64 = 200;
/// Most memory that all of them together may cost, in KiB.
const MEMORY_KIB_MAX: u64 = 96 << 10;

/// How many files this process may have open.
fn files_max() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap_or(u64::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_cost_little_and_hold_up_nobody() {
    let mut world = World::ready().await;
    let mut node = ChildNode::instead(&mut world, None).await;
    let bank = caller(&world, Party::Bank).await;
    let mut answered = vec![answers(&bank).await];
    let before = node.memory_kib();
    let address = world.network.node_url().replace("https://", "");

    // Strangers who never begin a handshake, and a party that makes one and then says nothing.
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS.min(files_max() / 3) {
        strangers.push(TcpStream::connect(&address).await.unwrap());
    }
    answered.push(answers(&bank).await);
    drop(strangers);
    let mut idle = Vec::new();
    for _ in 0..OF_ONE_PARTY.min(files_max() / 6) {
        // Beyond its share a party's connections are closed, during the handshake or after it.
        let made = patiently(
            "a connection",
            raw::connect(&world, &address, Party::Broker, b"h2"),
        )
        .await;
        idle.extend(made.ok());
    }
    answered.push(answers(&bank).await);
    // Another party is let in, beside all those that stay.
    let other = caller(&world, Party::Bank).await;
    answered.push(answers(&other).await);
    let open = status(&world).await.unwrap().connections;
    assert!(open <= 128 + 16, "{open} connections are open");
    let cost = node.memory_kib().saturating_sub(before);
    assert!(cost < MEMORY_KIB_MAX, "{cost} KiB for idle connections");
    assert!(node.runs());
    drop(idle);
    drop(node);
    world.start_node().await;
    on_record(&world.records().await, &answered);
    world.end().await;
}
