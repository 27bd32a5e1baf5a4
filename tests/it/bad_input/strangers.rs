//! Connections that never show a certificate, in numbers that take every place there is: at the node and at the
//! coordinator, as they are configured by default, somebody else gets in at once.

use lingqu_demo::cast::Party;
use lingqu_transport::{Connections, StrangerEnd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw;
use crate::network::{GRANT, Setup, World, call, patiently};

/// More than there are places, for all and for one address.
const SILENT: usize = 300;

/// So long that nothing in a test is their doing.
fn no_deadlines(config: &mut lingqu_node::NodeConfig) {
    config.limits.hello_s = 300;
    config.limits.handshake_s = 300;
}

async fn silent(address: &str, last: u8) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(raw::socket(address, last).await.unwrap());
    }
    silent
}

/// Waits until as many have given way as must, of those that came.
async fn given_way(connections: &Connections, least: u64) {
    patiently("connections to give way", async {
        while connections.stranger_ends(StrangerEnd::AddressShare) < least {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A party comes from `127.0.0.last` with its certificate and asks something.
async fn comes_in(world: &World, address: &str, last: u8) {
    let connecting = raw::connect_from(world, address, last, Party::Bank, b"http/1.1");
    let mut stream = patiently("a connection", connecting).await.unwrap();
    let request = b"GET /v1/products HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    patiently("an answer", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{:?}",
        answer.get(..64)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_do_not_close_the_node() {
    let world = World::with(Setup {
        config: no_deadlines,
        ..Setup::default()
    })
    .await;
    let address = world.network.node_url().replace("https://", "");
    let taken = silent(&address, 1).await;
    given_way(world.node().connections(), (SILENT - 64) as u64).await;
    comes_in(&world, &address, 2).await;
    comes_in(&world, &address, 1).await;
    // A whole call, from the very address that has all those connections.
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    let connections = world.node().connections();
    assert_eq!(connections.stranger_ends(StrangerEnd::Hello), 0);
    assert!(connections.strangers() <= 64);
    drop(taken);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_do_not_close_the_coordinator() {
    let world = World::ready().await;
    let url = world.network.coordinator_url();
    let taken = silent(&url.replace("https://", ""), 1).await;
    let coordinator = world.network.coordinator().unwrap().clone();
    given_way(coordinator.connections(), (SILENT - 64) as u64).await;
    let agency = world.network.identity(Party::Agency).unwrap();
    let dialled = patiently("a connection", world.network.dial_coordinator(&agency)).await;
    dialled.unwrap();
    // What the node needs of it goes on too.
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    drop(taken);
    world.end().await;
}
