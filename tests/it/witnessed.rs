//! Terms that ask for witnesses (R3), through the running network: two real witnesses on loopback, a coordinator that asks
//! them, and a caller that hands over nothing without their proof.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use lingqu_client::CallFailed;
use lingqu_core::ErrorCode;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::flag;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer, VerifierKey};
use lingqu_witness::{Store, Witness, router, serve_loopback};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::network::*;

const WITNESSED: AuditTerms = AuditTerms::Witnessed {
    wait_ms_max: 10_000,
};

fn signer(number: u8) -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_seed([70 + number; 32]))
}

fn key(number: u8) -> VerifierKey<Intl> {
    let name: KeyName = format!("w{number}.example/witness").parse().unwrap();
    VerifierKey::cosignature(name, signer(number).public_key()).unwrap()
}

/// A witness that runs until it is dropped, or ended in order.
pub(crate) struct Running {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start(world: &World, number: u8, address: &str) -> Running {
        let dir = world
            .network
            .files()
            .dir()
            .join(format!("witness-{number}"));
        let key = key(number);
        let logs = world.network.head_log_keys().unwrap();
        if !dir.exists() {
            let origins: Vec<String> = logs.iter().map(|log| log.name().to_string()).collect();
            Store::init(&dir, &key.to_string(), &origins).unwrap();
        }
        let store = Store::open(&dir, &key.to_string()).unwrap();
        let name = key.name().clone();
        let clock = world.clock.clone();
        let witness = Witness::open(store, clock, name, signer(number), logs, 10).unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let router = router(Arc::new(witness), 4);
        let task = tokio::spawn(serve_loopback(listener, router, async {
            drop(ended.await);
        }));
        Running {
            address,
            end: Some(end),
            task,
        }
    }

    pub(crate) async fn stop(mut self) -> SocketAddr {
        // In order, so that connections end too and nobody is answered any more.
        drop(self.end.take());
        (&mut self.task).await.unwrap().unwrap();
        self.address
    }
}

/// Both of two.
fn policy_of(witnesses: &[&Running]) -> String {
    let lines = witnesses.iter().zip(1..).map(|(witness, number)| {
        format!(
            "witness w{number} {} http://{}\n",
            key(number),
            witness.address
        )
    });
    let lines: String = lines.collect();
    format!("{lines}group both all w1 w2\nquorum both\n")
}

impl World {
    fn witnesses_file(&self) -> std::path::PathBuf {
        self.network.files().dir().join("witnesses.policy")
    }

    /// The coordinator asks these witnesses from now on, and the node pins them.
    async fn with_witnesses(&mut self, witnesses: &[&Running]) {
        fs::write(self.witnesses_file(), policy_of(witnesses)).unwrap();
        let file = self.network.files().coordinator_toml();
        let text = fs::read_to_string(&file).unwrap();
        let section = "[witnesses]\npolicy = \"../witnesses.policy\"\npatience_ms = 1000\n";
        self.network.stop_node().await.unwrap();
        self.network.stop_coordinator().await.unwrap();
        fs::write(&file, format!("{text}\n{section}")).unwrap();
        self.network.start_coordinator().await.unwrap();
        let pinned = self.witnesses_file();
        self.start_node_with(|config| config.trust.witnesses = Some(pinned))
            .await;
    }

    /// The trust file of the head logs and of the witnesses that the unit pins.
    pub(crate) fn heads_text(&self) -> String {
        let logs = self.network.head_log_keys().unwrap();
        let logs: String = logs.iter().map(|log| format!("log {log}\n")).collect();
        let policy = fs::read_to_string(self.witnesses_file()).unwrap();
        format!("{logs}{policy}")
    }

    pub(crate) fn heads(&self) -> Trust<Intl> {
        Trust::parse(&self.heads_text()).unwrap()
    }

    pub(crate) async fn witnessed(&self) {
        wait_until(&self.network, "the witnesses have cosigned", |node| {
            node.journal().audit_ready(WITNESSED).is_ok()
        })
        .await
        .unwrap();
    }
}

pub(crate) async fn ready() -> (World, Running, Running) {
    let mut world = World::with(Setup {
        audit: WITNESSED,
        ..Setup::default()
    })
    .await;
    let one = Running::start(&world, 1, "127.0.0.1:0").await;
    let two = Running::start(&world, 2, "127.0.0.1:0").await;
    world.with_witnesses(&[&one, &two]).await;
    (world, one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_leaves_with_the_proof_that_its_record_was_witnessed() {
    let (world, one, two) = ready().await;
    world.witnessed().await;
    let bank = world.caller(Party::Bank).await;
    let checked = bank.checked.clone().with_heads(world.heads());
    let answered = checked.verify(&call(GRANT)).await.unwrap();
    assert_eq!(answered.proven.level, Level::Witnessed);
    assert!(answered.proven.witnessed_at.is_some());
    assert_ne!(answered.proven.record.draft.flags & flag::WITNESSED, 0);
    // What a caller keeps proves the same to anybody, offline.
    let text = answered.receipt.to_text();
    let kept = Receipt::from_text(&text).unwrap();
    let proven = kept.verify_witnessed(&world.trust, &world.heads()).unwrap();
    assert_eq!(proven, answered.proven);
    // A caller that was told of no witnesses takes nothing, whatever it would accept of the mirror.
    let refused = bank.checked.verify(&call(GRANT)).await;
    assert!(matches!(refused, Err(CallFailed::WitnessesUnknown)));
    // Nor one that asks for another quorum.
    let stranger = world.heads().policy().logs()[0].key.clone();
    let other = Trust::of_logs(&[stranger]).unwrap();
    let checked = bank.checked.clone().with_heads(other);
    let refused = checked.verify(&call(GRANT)).await;
    assert!(matches!(refused, Err(CallFailed::Receipt(_))));
    one.stop().await;
    two.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_witness_closes_and_its_return_opens() {
    let (world, one, two) = ready().await;
    world.witnessed().await;
    let bank = world.caller(Party::Bank).await;
    let checked = bank.checked.clone().with_heads(world.heads());
    assert!(checked.verify(&call(GRANT)).await.is_ok());
    let address = two.stop().await;
    // The next head comes without it: the coordinator publishes all the same, and the node begins nothing more.
    let late = call(GRANT);
    let told = checked.verify(&late).await.map(|_| ());
    let code = told.unwrap_err().code();
    assert_eq!(code, Some(ErrorCode::AuditUnavailable));
    wait_until(&world.network, "the quorum is missing", |node| {
        node.journal().audit_ready(WITNESSED).is_err()
    })
    .await
    .unwrap();
    let (size, charged) = (world.journal().size(), world.charged());
    for _ in 0..3 {
        let told = checked.verify(&call(GRANT)).await.map(|_| ());
        assert_eq!(told.unwrap_err().code(), Some(ErrorCode::AuditUnavailable));
    }
    assert_eq!((world.journal().size(), world.charged()), (size, charged));
    // It goes on where it was, and so does everybody else; what was recorded is released to who asks again.
    let two = Running::start(&world, 2, &address.to_string()).await;
    world.witnessed().await;
    assert!(checked.verify(&call(GRANT)).await.is_ok());
    let again = checked.verify(&late).await.unwrap();
    assert_eq!(again.proven.level, Level::Witnessed);
    one.stop().await;
    two.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_pins_no_witnesses_answers_nothing_under_such_terms() {
    let (mut world, one, two) = ready().await;
    world.network.stop_node().await.unwrap();
    world
        .start_node_with(|config| config.trust.witnesses = None)
        .await;
    assert!(world.journal().heads_fresh());
    let told = world.caller(Party::Bank).await.told(&call(GRANT)).await;
    assert_eq!(told, ErrorCode::AuditUnavailable.as_str());
    assert!(calls(&world.records().await).is_empty());
    world.network.stop_node().await.unwrap();
    // Witnesses of a head log that is not followed would be a promise that nobody keeps.
    let pinned = world.witnesses_file();
    let refused = world
        .try_open_node(|config| {
            config.trust.head_key = None;
            config.trust.witnesses = Some(pinned);
        })
        .await;
    assert!(refused.unwrap_err().contains("trust.witnesses"));
    one.stop().await;
    two.stop().await;
}
