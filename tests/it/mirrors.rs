//! Two mirrors of one stream: answers wait for as many of them as the unit requires, and receipts show it; what only one of
//! them has comes back to a node that lost its disk; a succession is taken by both (R-409, R-410).

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lingqu_coordinator::{Config, Coordinator};
use lingqu_core::ErrorCode;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{self, Party, Unit};
use lingqu_demo::network::wait_until;
use lingqu_node::NodeConfig;
use lingqu_node::config::MirrorSection;
use lingqu_tlog::{Intl, Signer, VerifierKey};
use lingqu_transport::{PeerId, signing_key};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::network::*;
use crate::succession::{NEXT_KEY, end_stream, key_of};

const SECOND: &str = "coord_second";

/// The coordinator of another operator, or of the unit itself, that mirrors the transport bureau's stream as well.
struct Second {
    dir: PathBuf,
    address: std::net::SocketAddr,
    key: VerifierKey<Intl>,
    running: Option<Running>,
}

struct Running {
    coordinator: Arc<Coordinator>,
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Second {
    /// Makes one that knows `stream` under `name`, and starts it.
    async fn start(world: &World, name: &str, stream: &VerifierKey<Intl>) -> Second {
        let id = SECOND.parse().unwrap();
        let files = world.files_of(&PeerId::Coordinator(id), &world.authority(), name);
        let dir = world.network.files().dir().join(name);
        for role in ["log", "mirror", "head_log", "signing"] {
            signing_key::create(&dir.join(format!("{role}.key"))).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public = |party| hex::encode(world.network.approval_key(party).unwrap().public_key());
        let text = format!(
            r#"id = "{SECOND}"
origin_name = "{name}.example"
region = "{region}"
data_dir = "state"
listen = "{address}"
[tls]
cert = "{cert}"
key = "{key}"
[[tls.authorities]]
name = "demo"
path = "../ca/ca.pem"
prefixes = ["party_gx.", "node_gx."]
[keys]
log = "log.key"
mirror = "mirror.key"
head_log = "head_log.key"
signing = "signing.key"
[[founders]]
party = "{unit}"
roles = ["operating_agency"]
region = "{region}"
approval_key = "{unit_key}"
[[mirrored]]
node = "{node}"
stream = "{stream}"
region = "{city}"
unit = "{unit}"
unit_key = "{unit_key}"
[limits]
segment_bytes = 33554432
"#,
            region = cast::REGION,
            cert = files.cert_chain.display(),
            key = files.key.display(),
            unit = Party::Unit.id(),
            unit_key = public(Party::Unit),
            node = Unit::Transport.node(),
            city = Unit::Transport.city(),
        );
        fs::write(dir.join("coordinator.toml"), text).unwrap();
        let public = signing_key::read(&dir.join("mirror.key")).unwrap();
        let key = format!("{name}.example/mirror").parse().unwrap();
        let key = VerifierKey::cosignature(key, public.public_key()).unwrap();
        let mut second = Second {
            dir,
            address,
            key,
            running: None,
        };
        second.serve(world, listener).await;
        second
    }

    async fn serve(&mut self, world: &World, listener: TcpListener) {
        let config = Config::load(&self.dir.join("coordinator.toml")).unwrap();
        let coordinator = Coordinator::open(config, world.clock.clone())
            .await
            .unwrap();
        let coordinator = Arc::new(coordinator);
        let (end, ended) = oneshot::channel::<()>();
        let serving = Arc::clone(&coordinator);
        let task = tokio::spawn(async move {
            serving.serve(listener, async { drop(ended.await) }).await;
            Coordinator::clone(&serving).close().await;
        });
        self.running = Some(Running {
            coordinator,
            end,
            task,
        });
    }

    async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        drop(running.end);
        running.task.await.unwrap();
    }

    async fn again(&mut self, world: &World) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(world, listener).await;
    }

    /// Tells the node of it.
    fn pinned(&self, config: &mut NodeConfig) {
        let authority = &mut config.tls.authorities[0];
        authority.prefixes.push(SECOND.parse().unwrap());
        config.mirrors = vec![MirrorSection {
            url: format!("https://{}", self.address),
            id: SECOND.parse().unwrap(),
            key: self.key.clone(),
        }];
    }

    /// What it tells of its streams and keys.
    fn trust(&self) -> String {
        self.running.as_ref().unwrap().coordinator.trust()
    }
}

/// The stream of the transport bureau's node, as whoever mirrors it is told.
fn stream(world: &World) -> VerifierKey<Intl> {
    let signer = world.network.files().node_log_key().unwrap();
    let origin = world.journal().origin().parse().unwrap();
    VerifierKey::note(origin, signer.public_key()).unwrap()
}

/// Belief in the node's stream and in `all` or `any` of both mirrors.
fn trust_in(number: &str, world: &World, second: &Second) -> Trust<Intl> {
    let text = world.network.trust_text().unwrap();
    let text = text.lines().filter(|line| !line.starts_with("quorum"));
    let text: Vec<&str> = text.collect();
    let witness = text
        .iter()
        .find(|line| line.starts_with("witness "))
        .unwrap();
    let first = witness.split(' ').nth(1).unwrap();
    let text = format!(
        "{}\nwitness second {}\ngroup mirrors {number} {first} second\nquorum mirrors\n",
        text.join("\n"),
        second.key
    );
    Trust::parse(&text).unwrap()
}

async fn told(world: &World) -> String {
    world.caller(Party::Bank).await.told(&call(GRANT)).await
}

impl World {
    /// A world whose node has a second mirror, and needs so many of the two.
    async fn with_second(required: Option<usize>) -> (World, Second) {
        let mut world = World::ready().await;
        let second = Second::start(&world, "second", &stream(&world)).await;
        world.network.stop_node().await.unwrap();
        world.start_node_of_two(&second, required).await;
        (world, second)
    }

    async fn start_node_of_two(&mut self, second: &Second, required: Option<usize>) {
        self.start_node_with(|config| {
            second.pinned(config);
            config.trust.mirrors_min = required;
            config.limits.head_lag_s = Some(2);
        })
        .await;
    }

    /// Waits until that many mirrors are connected and lack nothing.
    async fn held_by(&self, mirrors: usize) {
        wait_until(&self.network, "the mirrors have everything", |node| {
            let figures = node.journal().mirror_figures();
            let whole = figures
                .iter()
                .filter(|one| one.connected && one.records_missing == 0);
            whole.count() == mirrors
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_both_mirrors_and_its_receipt_shows_both() {
    let (mut world, mut second) = World::with_second(None).await;
    let both = trust_in("all", &world, &second);
    world.trust = both.clone();
    let bank = world.caller(Party::Bank).await;
    let receipt = bank.verify(&call(GRANT)).await.unwrap().receipt;
    assert_eq!(receipt.verify(&both).unwrap().level, Level::Mirrored);
    let mut cut = receipt.clone();
    cut.signatures.pop();
    assert!(cut.verify(&both).is_err(), "both are needed");
    // The second mirror tells supervisors of the same stream.
    assert!(second.trust().contains(&stream(&world).to_string()));
    // One of the two is away: nothing is answered, whichever it is.
    second.stop().await;
    world.mirror_is_away().await;
    let refused = ErrorCode::AuditUnavailable.as_str();
    assert_eq!(told(&world).await, refused);
    second.again(&world).await;
    world.held_by(2).await;
    assert_eq!(told(&world).await, "MATCH");
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_bridges_the_coordinators_absence_for_as_long_as_supervisors_may_wait() {
    let (mut world, mut second) = World::with_second(Some(1)).await;
    world.trust = trust_in("any", &world, &second);
    assert_eq!(told(&world).await, "MATCH");
    world.held_by(2).await;
    world.network.stop_coordinator().await.unwrap();
    world.held_by(1).await;
    assert_eq!(told(&world).await, "MATCH");
    // What has left without the coordinator is missing in its head log: not for longer than the bound.
    wait_until(&world.network, "the head is late", |node| {
        !node.journal().heads_fresh()
    })
    .await
    .unwrap();
    assert_eq!(told(&world).await, ErrorCode::AuditUnavailable.as_str());
    world.network.start_coordinator().await.unwrap();
    world.held_by(2).await;
    let size = world.journal().size();
    wait_until(&world.network, "the head log covers it", |node| {
        node.journal().heads_fresh() && node.journal().figures().heads.unwrap().covered >= size
    })
    .await
    .unwrap();
    assert_eq!(told(&world).await, "MATCH");
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_second_mirror_has_comes_back_to_a_node_that_lost_its_disk() {
    let (mut world, mut second) = World::with_second(Some(1)).await;
    world.trust = trust_in("any", &world, &second);
    world.held_by(2).await;
    world.network.stop_coordinator().await.unwrap();
    world.held_by(1).await;
    assert_eq!(told(&world).await, "MATCH");
    let (size, charged) = (world.journal().size(), world.charged());
    world.network.stop_node().await.unwrap();
    fs::remove_dir_all(world.state().join("journal")).unwrap();
    // With the coordinator alone it could go on from an earlier place; it waits for the other, also after a restart, when
    // the journal looks whole.
    second.stop().await;
    world.network.start_coordinator().await.unwrap();
    let mark = world.state().join("journal-lost");
    for _ in 0..2 {
        world
            .open_node(|config| {
                second.pinned(config);
                config.trust.mirrors_min = Some(1);
            })
            .await;
        wait_until(
            &world.network,
            "what the coordinator has came back",
            |node| node.journal().size() > 0 && node.journal().mirrored_by(0) > 0,
        )
        .await
        .unwrap();
        assert!(world.journal().size() < size && !world.journal().reconciled());
        assert_eq!(told(&world).await, ErrorCode::NodeNotReady.as_str());
        assert!(mark.exists());
        world.network.stop_node().await.unwrap();
    }
    world
        .open_node(|config| {
            second.pinned(config);
            config.trust.mirrors_min = Some(1);
        })
        .await;
    second.again(&world).await;
    wait_until(&world.network, "the node is whole", |node| node.ready())
        .await
        .unwrap();
    assert!(world.journal().size() >= size && !mark.exists());
    assert_eq!(world.charged(), charged);
    world.held_by(2).await;
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_mirrors_take_a_succession_and_a_third_may_begin_with_the_next_stream() {
    let (mut world, mut second) = World::with_second(None).await;
    assert_eq!(told(&world).await, "MATCH");
    signing_key::create(&world.network.files().dir().join(NEXT_KEY)).unwrap();
    world.network.stop_node().await.unwrap();
    let next = |config: &mut NodeConfig| {
        config.keys.log_next = Some(config.keys.log.with_file_name("log-next.key"));
    };
    world
        .start_node_with(|config| {
            next(config);
            second.pinned(config);
        })
        .await;
    let begins = key_of(&world, "9999h1", NEXT_KEY);
    end_stream(&mut world, &begins).await;
    world
        .start_node_with(|config| {
            next(config);
            second.pinned(config);
        })
        .await;
    world.held_by(2).await;
    assert!(second.trust().contains(&begins.to_string()));
    let charged = world.charged();
    // Another mirror in its place, that has never seen the stream before this one.
    world.network.stop_node().await.unwrap();
    second.stop().await;
    let mut third = Second::start(&world, "third", &begins).await;
    world
        .start_node_with(|config| {
            next(config);
            third.pinned(config);
        })
        .await;
    world.held_by(2).await;
    assert_eq!(world.charged(), charged);
    world.trust = Trust::parse(&world.network.trust_text().unwrap()).unwrap();
    assert_eq!(told(&world).await, "MATCH");
    third.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_tells_a_node_that_it_was_not_told_of_nothing() {
    let mut world = World::ready().await;
    let other = key_of(&world, "9999h1", "node/log.key");
    let mut second = Second::start(&world, "second", &other).await;
    world.network.stop_node().await.unwrap();
    world
        .open_node(|config| {
            second.pinned(config);
            config.trust.mirrors_min = Some(1);
        })
        .await;
    // The journal is whole, but the other mirror has to be heard, and it does not know this stream.
    wait_until(&world.network, "the coordinator was heard", |node| {
        node.journal().mirror_figures()[0].records_missing == 0
    })
    .await
    .unwrap();
    assert!(!world.journal().reconciled());
    assert_eq!(told(&world).await, ErrorCode::NodeNotReady.as_str());
    second.stop().await;
    world.end().await;
}
