//! Real witnesses on loopback, and coordinators of which not all are honest.

use std::net::SocketAddr;
use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_testkit::ManualClock;
use lingqu_tlog::{Checkpoint, Ed25519Signer, KeyName, Signer};
use lingqu_witness::{Store, Witness, router, serve_loopback};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::mirror::feed::{Event, Follower};
use crate::mirror::testbed::{Bed, START, Writer, head_log_key, region, replicate};

const NAME: &str = "w.example/1";

fn signer() -> Arc<Ed25519Signer> {
    Arc::new(Ed25519Signer::from_seed([77; 32]))
}

fn key() -> VerifierKey<Intl> {
    let name: KeyName = NAME.parse().unwrap();
    VerifierKey::cosignature(name, signer().public_key()).unwrap()
}

/// A witness of the head log of region 45, over the state in `dir`.
async fn witness(dir: &Path, clock: Arc<ManualClock>) -> SocketAddr {
    let log = head_log_key("45");
    Store::init(dir, &key().to_string(), &[log.name().to_string()]).unwrap();
    let store = Store::open(dir, &key().to_string()).unwrap();
    let name = key().name().clone();
    let witness = Witness::open(store, clock, name, signer(), vec![log], 10).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(Arc::new(witness), 4);
    tokio::spawn(serve_loopback(listener, router, std::future::pending()));
    address
}

fn witnesses(address: SocketAddr, clock: Arc<ManualClock>, required: bool) -> Arc<Witnesses> {
    let channel = Endpoint::from_shared(format!("http://{address}"));
    let peer = Peer {
        key: key(),
        channel: channel.unwrap().connect_lazy(),
        last: Mutex::default(),
    };
    let policy = Policy::parse(&format!("witness w {}\nquorum w\n", key())).unwrap();
    Arc::new(Witnesses {
        policy,
        peers: vec![peer],
        patience: Duration::from_secs(20),
        required,
        clock,
    })
}

/// A coordinator with one stream of as many heads.
async fn coordinator(writer: &mut Writer, heads: usize) -> (Bed, Arc<Mirror>) {
    let bed = Bed::new(&[writer]);
    let mirror = bed.open();
    mirror.shared.state_mut().is_witnessed = true;
    for _ in 0..heads {
        grow(&mirror, writer).await;
    }
    (bed, mirror)
}

async fn grow(mirror: &Arc<Mirror>, writer: &mut Writer) {
    writer.write(2);
    replicate(mirror, writer, 2).await;
    mirror.tick().await.unwrap();
}

fn writer(seed: u8) -> Writer {
    Writer::new("tb-01", "45", seed)
}

fn published(mirror: &Mirror) -> Option<Published> {
    mirror.shared.state().logs[&region("45")].published.clone()
}

fn closed(mirror: &Mirror) -> bool {
    mirror.shared.state().logs[&region("45")].closed
}

fn clock() -> Arc<ManualClock> {
    ManualClock::at(Timestamp(START))
}

fn is_accepted(published: &Published) -> bool {
    let policy = format!(
        "log {}\nwitness w {}\nquorum w\n",
        head_log_key("45"),
        key()
    );
    let policy: Policy<Intl> = Policy::parse(&policy).unwrap();
    policy.check(&published.checkpoint).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_log_is_published_with_the_cosignatures_that_its_policy_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let address = witness(dir.path(), clock()).await;
    let mut writer = writer(1);
    let (_bed, mirror) = coordinator(&mut writer, 1).await;
    assert_eq!(
        published(&mirror),
        None,
        "nothing is told before witnesses were asked"
    );
    let witnesses = witnesses(address, clock(), true);
    assert!(witnesses.publish(&mirror, region("45")).await);
    let first = published(&mirror).unwrap();
    assert_eq!((first.size, is_accepted(&first)), (1, true));
    for _ in 0..5 {
        grow(&mirror, &mut writer).await;
    }
    assert!(witnesses.publish(&mirror, region("45")).await);
    let second = published(&mirror).unwrap();
    assert!(second.size > first.size && is_accepted(&second));
    // Another process of this coordinator learns from the witness where it is.
    let fresh = self::witnesses(address, clock(), true);
    grow(&mirror, &mut writer).await;
    assert!(fresh.publish(&mirror, region("45")).await);
    assert!(is_accepted(&published(&mirror).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_all_that_is_known_gets_it_cosigned() {
    let dir = tempfile::tempdir().unwrap();
    let address = witness(dir.path(), clock()).await;
    let mut writer = writer(1);
    let (_bed, mirror) = coordinator(&mut writer, 3).await;
    let witnesses = witnesses(address, clock(), true);
    let gathering = {
        let mirror = Arc::clone(&mirror);
        tokio::spawn(async move { witnesses.gather(&mirror).await })
    };
    let follower = Follower::new(Arc::clone(&mirror), region("45"), Vec::new()).unwrap();
    let (sender, mut receiver) = mpsc::channel(64);
    follower.run(true, sender).await.unwrap();
    let mut last = None;
    while let Some(event) = receiver.recv().await {
        last = Some(event.unwrap());
    }
    let Some(Event::HeadLog { checkpoint, .. }) = last else {
        panic!("{last:?}")
    };
    let size = mirror.shared.state().logs[&region("45")].size();
    let said = Checkpoint::parse(&Note::parse(&checkpoint).unwrap().text).unwrap();
    assert_eq!(said.size, size);
    gathering.abort();
}

/// Detection matrix: the coordinator shows different views. The one that the witness saw first stays the only one.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_history_is_not_cosigned_and_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let address = witness(dir.path(), clock()).await;
    let (mut one, mut other) = (writer(1), writer(2));
    let (_bed, honest) = coordinator(&mut one, 2).await;
    assert!(
        witnesses(address, clock(), false)
            .publish(&honest, region("45"))
            .await
    );
    let (_bed, second) = coordinator(&mut other, 2).await;
    let gathering = witnesses(address, clock(), false);
    assert!(gathering.publish(&second, region("45")).await);
    assert!(closed(&second) && published(&second).is_none());
    // What is closed stays so, however the log goes on.
    grow(&second, &mut other).await;
    assert!(unpublished(&second).is_empty());
    let kept = std::fs::read_dir(dir.path().join("evidence")).unwrap();
    assert_eq!(kept.count(), 1, "the witness has both signed heads");
}

/// Detection matrix: rollback. A coordinator restored from a backup is stopped by whoever remembers more.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_lost_heads_does_not_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let address = witness(dir.path(), clock()).await;
    let mut one = writer(1);
    let (_bed, before) = coordinator(&mut one, 3).await;
    assert!(
        witnesses(address, clock(), false)
            .publish(&before, region("45"))
            .await
    );
    let mut same = writer(1);
    let (_bed, restored) = coordinator(&mut same, 1).await;
    assert!(
        witnesses(address, clock(), false)
            .publish(&restored, region("45"))
            .await
    );
    assert!(closed(&restored) && published(&restored).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_away_stops_supervision_only_where_it_is_required() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for required in [false, true] {
        let mut writer = writer(1);
        let (_bed, mirror) = coordinator(&mut writer, 1).await;
        let gathering = witnesses(address, clock(), required);
        assert!(!gathering.publish(&mirror, region("45")).await);
        let told = published(&mirror);
        assert_eq!(told.is_some(), !required);
        assert!(told.is_none_or(|one| !is_accepted(&one) && !one.is_complete));
        // It is asked again until it has cosigned.
        assert_eq!(unpublished(&mirror), [region("45")]);
    }
}

/// Detection matrix: clock regress, and clocks apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_cosignature_of_another_time_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = ManualClock::at(Timestamp(START + 31_000_000));
    let address = witness(dir.path(), elsewhere).await;
    let mut writer = writer(1);
    let (_bed, mirror) = coordinator(&mut writer, 1).await;
    assert!(
        !witnesses(address, clock(), true)
            .publish(&mirror, region("45"))
            .await
    );
    assert_eq!(published(&mirror), None);
}

/// A witness restored from an older state, which could be made to cosign another history, is not relied on.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_forgot_is_found_out() {
    let (dir, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let address = witness(dir.path(), clock()).await;
    let mut writer = writer(1);
    let (_bed, mirror) = coordinator(&mut writer, 2).await;
    let before = witnesses(address, clock(), true);
    assert!(before.publish(&mirror, region("45")).await);
    let last = before.peers[0].last.lock().unwrap().clone();
    let forgetful = witness(empty.path(), clock()).await;
    let after = witnesses(forgetful, clock(), true);
    *after.peers[0].last.lock().unwrap() = last;
    grow(&mirror, &mut writer).await;
    assert!(!after.publish(&mirror, region("45")).await);
    assert!(
        !closed(&mirror),
        "the coordinator is not the one who lost something"
    );
}
