//! Attacks of those who have no certificate to show: silence, and every way of being slow.
//!
//! Where a test is about who gives way, the times are so long that nothing in it can be their doing; where it is about a
//! time, the time is short, and the test waits for its effect for as long as it takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::version::TLS13;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Net;
use crate::testbed::{EVERYBODY, http1, until};
use crate::{Limits, StrangerEnd};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(300);
/// Soon over.
const SHORT: Duration = Duration::from_millis(50);

/// Few places, and no deadline that a test would live to see.
fn few_places() -> Limits {
    Limits {
        strangers_max: 8,
        strangers_per_address_max: 4,
        hello_timeout: FOR_EVER,
        handshake_timeout: FOR_EVER,
        opening_timeout: FOR_EVER,
        ..Limits::default()
    }
}

/// A TCP connection to the listener from `127.0.0.last`.
async fn from(net: &Net, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(source).unwrap();
    socket.connect(net.running.address).await.unwrap()
}

fn config(net: &Net, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let own = net.pki.issue("party_gx.bank", 30);
    let mut config = net.pki.bare(Some(&own), &[&TLS13]);
    config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    Arc::new(config)
}

async fn handshake(
    tcp: TcpStream,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let host = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(host, tcp)
        .await
}

/// A caller comes from `127.0.0.last` and is answered.
async fn answered(net: &Net, last: u8) {
    let mut caller = handshake(from(net, last).await, &config(net, &[b"http/1.1"]))
        .await
        .unwrap();
    assert_eq!(http1(&mut caller, "/whoami").await.1, "party_gx.bank");
}

/// Waits until the server has hung up on `stream`, whatever it says before.
async fn hung_up(stream: &mut TcpStream) {
    let mut said = Vec::new();
    // A reset is as good an end as any.
    let _ = stream.read_to_end(&mut said).await;
}

#[tokio::test]
async fn silent_connections_of_one_address_keep_nobody_out() {
    let net = Net::with(&EVERYBODY, few_places()).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(from(&net, 1).await);
    }
    let evicted = || {
        net.running
            .connections
            .stranger_ends(StrangerEnd::AddressShare)
    };
    until("all have arrived", || evicted() == 96).await;
    answered(&net, 2).await;
    answered(&net, 1).await;
    // The oldest gave way, the newest are still there: the one from their own address took one more place.
    for gone in &mut silent[..97] {
        hung_up(gone).await;
    }
    until("the others stay", || {
        net.running.connections.strangers() == 3
    })
    .await;
    assert_eq!(evicted(), 97);
    drop(silent);
    until("no place is lost", || {
        net.running.connections.strangers() == 0
    })
    .await;
}

#[tokio::test]
async fn silent_connections_of_many_addresses_keep_nobody_out() {
    let net = Net::with(&EVERYBODY, few_places()).await;
    let mut silent = Vec::new();
    for last in 1..=50 {
        silent.push(from(&net, last).await);
        silent.push(from(&net, last).await);
    }
    answered(&net, 200).await;
    answered(&net, 1).await;
    let connections = &net.running.connections;
    assert!(connections.stranger_ends(StrangerEnd::AllPlaces) >= 92);
    assert_eq!(connections.refused(lingqu_core::ErrorCode::Overloaded), 0);
}

#[tokio::test]
async fn strangers_take_no_place_of_connected_callers() {
    let limits = Limits {
        connections_max: 1,
        ..few_places()
    };
    let net = Net::with(&EVERYBODY, limits).await;
    let mut caller = handshake(from(&net, 1).await, &config(&net, &[b"http/1.1"]))
        .await
        .unwrap();
    http1(&mut caller, "/whoami").await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(from(&net, 1).await);
    }
    until("all have arrived", || {
        net.running
            .connections
            .stranger_ends(StrangerEnd::AddressShare)
            == 16
    })
    .await;
    assert_eq!(http1(&mut caller, "/whoami").await.1, "party_gx.bank");
}

#[tokio::test]
async fn a_hello_that_comes_byte_by_byte_has_one_deadline_for_all_of_it() {
    let limits = Limits {
        hello_timeout: SHORT,
        ..few_places()
    };
    let net = Net::with(&EVERYBODY, limits).await;
    // A record of a handshake of 512 bytes, a byte at a time, as long as the other end takes them.
    let mut record = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];
    record.resize(5 + 511, 0);
    let mut slow = from(&net, 1).await;
    for byte in record {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    hung_up(&mut slow).await;
    let mut silent = from(&net, 1).await;
    hung_up(&mut silent).await;
    let connections = &net.running.connections;
    assert_eq!(connections.stranger_ends(StrangerEnd::Hello), 2);
    until("the places are free", || connections.strangers() == 0).await;
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_ends() {
    let limits = Limits {
        hello_timeout: SHORT,
        handshake_timeout: SHORT * 2,
        ..few_places()
    };
    let net = Net::with(&EVERYBODY, limits).await;
    let mut hello = Vec::new();
    let host = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = rustls::ClientConnection::new(config(&net, &[b"h2"]), host).unwrap();
    client.write_tls(&mut hello).unwrap();
    let mut stalled = from(&net, 1).await;
    stalled.write_all(&hello).await.unwrap();
    // It reads all that the server says, and says nothing more.
    hung_up(&mut stalled).await;
    let connections = &net.running.connections;
    assert_eq!(connections.stranger_ends(StrangerEnd::Handshake), 1);
    assert_eq!(connections.stranger_ends(StrangerEnd::Hello), 0);
    assert_eq!(connections.count(), 0);
}

#[tokio::test]
async fn whoever_finishes_the_handshake_and_begins_no_protocol_is_ended() {
    let limits = Limits {
        opening_timeout: SHORT,
        ..few_places()
    };
    let net = Net::with(&EVERYBODY, limits).await;
    let ended = || net.running.connections.stranger_ends(StrangerEnd::Opening);
    let cases: [(&[&[u8]], &[u8]); 4] = [
        (&[b"h2"], b""),
        (&[b"h2"], b"PRI * HTTP/2.0\r\n"),
        (&[], b""),
        (&[], b"P"),
    ];
    for (count, (protocols, sent)) in (1..).zip(cases) {
        let mut idle = handshake(from(&net, 1).await, &config(&net, protocols))
            .await
            .unwrap();
        idle.write_all(sent).await.unwrap();
        until("it is ended", || ended() == count).await;
        until("its place is free", || net.running.connections.count() == 0).await;
    }
}

#[tokio::test]
async fn a_protocol_that_was_not_agreed_on_is_not_spoken() {
    let net = Net::with(&EVERYBODY, few_places()).await;
    let mut one_for_two = handshake(from(&net, 1).await, &config(&net, &[b"h2"]))
        .await
        .unwrap();
    one_for_two
        .write_all(b"GET /whoami HTTP/1.1\r\nhost: test\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = one_for_two.read_to_end(&mut said).await;
    assert!(said.is_empty());
    // Who agreed on nothing is understood by what it says.
    let mut plain = handshake(from(&net, 1).await, &config(&net, &[]))
        .await
        .unwrap();
    assert_eq!(http1(&mut plain, "/whoami").await.1, "party_gx.bank");
}
