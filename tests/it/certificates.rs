//! Certificates: foreign ones, outdated ones, ones of the wrong kind, and impostors on the other end.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_demo::cast::{self, Party};
use lingqu_proto::pb;
use lingqu_transport::pki::DevAuthority;
use lingqu_transport::{
    ClientTls, ConnectError, Connections, Limits, PeerId, ReloadableTls, code_of,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;

use crate::network::{GRANT, World, call, calls, patiently, wire};

const DAY_S: i64 = 86_400;

/// A clock that stands still.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn bank() -> PeerId {
    PeerId::Party(Party::Bank.id())
}

/// What the node says to a good call over a connection as `identity`; nothing when it does not talk at all.
async fn told(world: &World, identity: &ClientTls) -> Result<(), Option<ErrorCode>> {
    let node = PeerId::Node(cast::node());
    let dialled = lingqu_transport::connect(&world.network.node_url(), identity, node).await;
    let Ok(channel) = dialled else {
        return Err(None);
    };
    let mut calls = pb::calls_client::CallsClient::new(channel);
    match patiently("a call", calls.verify(wire(&call(GRANT)))).await {
        Ok(_) => Ok(()),
        Err(status) => Err(code_of(&status)),
    }
}

/// An identity of the bank by `authority`, issued `shift_s` away from now for a day.
fn issued_at(world: &World, authority: &DevAuthority, shift_s: i64, dir: &str) -> ClientTls {
    let then = Standing(Timestamp(world.clock.now().0 + shift_s * 1_000_000));
    let dir = world.network.files().dir().join(dir);
    std::fs::create_dir_all(&dir).unwrap();
    let issued = authority.issue(&bank(), &["localhost"], 1, &then).unwrap();
    let files = issued.write(&dir).unwrap();
    let files = world
        .network
        .files()
        .tls_files(&files.certificate, &files.key);
    ClientTls::load(files, world.clock.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_speaks_only_from_the_right_authority_at_the_right_time_for_the_right_kind() {
    let world = World::ready().await;
    let ours = world.authority();
    let other = DevAuthority::create("Somebody else", world.clock.as_ref()).unwrap();
    let same_name = world.network.foreign_authority().unwrap();
    assert_eq!(same_name.name(), ours.name());
    let party = |id: &str| PeerId::Party(id.parse().unwrap());
    let peer = |id: &PeerId| {
        let files = world.network.files();
        files.identity(id, world.network.clock()).unwrap()
    };
    let cases = [
        (
            "another authority",
            world.identity_of(&bank(), &other, "other"),
            None,
        ),
        (
            "an authority of the same name",
            world.identity_of(&bank(), &same_name, "same"),
            None,
        ),
        (
            "outside the prefix",
            world.identity_of(&party("party_hb.bank"), &ours, "outside"),
            Some(ErrorCode::CallerOutsidePrefix),
        ),
        (
            "expired",
            issued_at(&world, &ours, -2 * DAY_S, "expired"),
            None,
        ),
        (
            "not valid yet",
            issued_at(&world, &ours, 2 * DAY_S, "early"),
            None,
        ),
        (
            "the node's own",
            peer(&PeerId::Node(cast::node())),
            Some(ErrorCode::CallerOutsidePrefix),
        ),
        (
            "the coordinator's",
            peer(&PeerId::Coordinator(cast::coordinator())),
            Some(ErrorCode::CallerRoleForbidden),
        ),
        (
            // The right authority and a good certificate, but the id of nobody who was ever granted anything.
            "nobody in particular",
            world.identity_of(&party("party_gx.nobody"), &ours, "nobody"),
            Some(ErrorCode::GrantUnknown),
        ),
    ];
    for (what, identity, code) in cases {
        assert_eq!(told(&world, &identity).await, Err(code), "{what}");
    }
    // The node counts why it did not talk.
    let refused = |code| world.node().connections().refused(code);
    assert!(refused(ErrorCode::CallerCertUntrusted) >= 2);
    assert!(refused(ErrorCode::CallerCertExpired) >= 2);
    assert!(calls(&world.records().await).is_empty());
    let good = world.network.identity(Party::Bank).unwrap();
    assert_eq!(told(&world, &good).await, Ok(()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_expires_ends_connections_and_streams_call_by_call() {
    let world = World::ready().await;
    let short = world.identity_of(&bank(), &world.authority(), "short");
    let caller = world.caller_as(&short).await;
    assert_eq!(caller.told(&call(GRANT)).await, "MATCH");
    let (requests, stream) = tokio::sync::mpsc::channel(4);
    requests.send(wire(&call(GRANT))).await.unwrap();
    let mut raw = caller.raw.clone();
    let answers = raw.verify_stream(ReceiverStream::new(stream)).await;
    let mut answers = answers.unwrap().into_inner();
    let first = answers.message().await.unwrap().unwrap().outcome.unwrap();
    assert!(matches!(
        first,
        pb::verify_stream_response::Outcome::Answer(_)
    ));

    world.clock.move_by_s(DAY_S + 60);
    requests.send(wire(&call(GRANT))).await.unwrap();
    let ended = patiently("the stream's end", answers.message()).await;
    assert_eq!(
        code_of(&ended.unwrap_err()),
        Some(ErrorCode::CallerCertExpired)
    );
    let refused = caller.raw(wire(&call(GRANT))).await;
    assert_eq!(refused.unwrap_err(), Some(ErrorCode::CallerCertExpired));
    assert_eq!(told(&world, &short).await, Err(None));
    assert_eq!(calls(&world.records().await).len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_talks_to_nobody_but_the_node_that_it_means() {
    let world = World::ready().await;
    let same_name = world.network.foreign_authority().unwrap();
    let node = PeerId::Node(cast::node());
    let impostors = [
        // A good certificate of another id: a party, or the coordinator with all its keys.
        world.network.files().tls_files(
            &world.network.files().party_tls(Party::Broker).0,
            &world.network.files().party_tls(Party::Broker).1,
        ),
        world.network.files().tls_files(
            &world.network.files().dir().join("coordinator/coord_gx.pem"),
            &world.network.files().dir().join("coordinator/coord_gx.key"),
        ),
        // The node's id, but by an authority that nobody trusts.
        world.files_of(&node, &same_name, "impostor"),
    ];
    let bank = world.network.identity(Party::Bank).unwrap();
    for files in impostors {
        let tls = ReloadableTls::load(files, world.clock.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(lingqu_transport::serve(
            listener,
            Arc::new(tls),
            Limits::default(),
            world.clock.clone(),
            Routes::default().into_axum_router(),
            Connections::new(),
            std::future::pending(),
        ));
        let dialled = lingqu_transport::connect(&url, &bank, node.clone()).await;
        let refused = dialled.unwrap_err();
        assert!(
            matches!(&refused, ConnectError::ServerRefused { expected, .. } if *expected == node),
            "{refused}"
        );
        serving.abort();
    }
    world.end().await;
}
