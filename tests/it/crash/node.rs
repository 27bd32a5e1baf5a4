//! A whole node under the real `serve`, over the demo's register of aircraft; the test is its mirror.

use std::path::Path;

use lingqu_core::trust::Trust;
use lingqu_demo::network::wait_until;
use lingqu_tlog::{Checkpoint, Intl, KeyName, Note, Signer, VerifierKey};

use super::child::opening_us;
use super::history::History;
use super::mirror::Mirror;
use super::stored::Stored;
use super::tally::Tally;
use super::trial::{Subject, Trial};
use super::{choices, plane, setting};

const SEGMENT_LEN: u64 = 1_064_960;
const FRAME_LEN_MAX: usize = 1 << 20;
/// Where the node keeps its journal, below the network's directory.
const JOURNAL: &str = "node/state/journal";

/// What every trial starts from.
struct Start {
    origin: String,
    /// The mirror's newest checkpoint.
    note: String,
    opening_us: u64,
}

/// Kills nodes `kills` times: each until the grant's quota is spent, and then the next one.
pub(crate) fn survives_kills(kills: usize) {
    let mut random = choices("node");
    let mut tally = Tally::default();
    let made = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut start = runtime.block_on(make(made.path()));
    let tried = tempfile::tempdir().unwrap();
    setting::copy(made.path(), tried.path());
    start.opening_us = opening_us("node", tried.path());
    while tally.kills < kills {
        let dir = tempfile::tempdir().unwrap();
        setting::copy(made.path(), dir.path());
        let mut trial = trial(dir.path(), &start);
        while tally.kills < kills && !trial.exhausted() {
            trial.kill_once(&mut random, &mut tally);
        }
        trial.finish(&mut random, &mut tally);
    }
    println!("node: opens in {} µs; {tally}", start.opening_us);
}

/// Makes a network whose node has adopted all that it needs and is stopped again.
async fn make(dir: &Path) -> Start {
    let mut network = setting::network(dir).await;
    let product = setting::file_plane(&network).await;
    let grant = setting::grant(&network, plane::GRANT, product, |grant| {
        grant.quotas[0].calls_per_day = plane::QUOTA;
        grant.quotas[0].calls_total = plane::QUOTA;
    });
    let agency = lingqu_demo::cast::Party::Agency;
    network.file(agency, &grant).await.unwrap().unwrap();
    network.start_node().await.unwrap();
    wait_until(&network, "the node has all that was filed", |node| {
        node.journal().mirrored_size() > 0
            && node.products_open() == 1
            && node.holdings().len() >= 4
            && node.epoch().is_some()
    })
    .await
    .unwrap();
    let origin = network.node().unwrap().journal().origin().to_owned();
    network.stop_node().await.unwrap();
    let note = network.coordinator().unwrap().cosigned_checkpoint(&origin);
    network.stop_coordinator().await.unwrap();
    Start {
        origin,
        note: note.unwrap(),
        opening_us: 0,
    }
}

fn trial(dir: &Path, start: &Start) -> Trial {
    let key = |path: &str| lingqu_transport::signing_key::read(&dir.join(path)).unwrap();
    let log_name = KeyName::parse(&start.origin).unwrap();
    let log_key = VerifierKey::<Intl>::note(log_name, key("node/log.key").public_key()).unwrap();
    let mirror_signer = key("coordinator/mirror.key");
    let mirror_name =
        KeyName::parse(&format!("{}/mirror", lingqu_demo::cast::ORIGIN_NAME)).unwrap();
    let mirror_key = VerifierKey::cosignature(mirror_name, mirror_signer.public_key()).unwrap();
    let trust = format!("log {log_key}\nwitness mirror {mirror_key}\nquorum mirror\n");
    let trust = Trust::parse(&trust).unwrap();

    let journal_dir = dir.join(JOURNAL);
    let stored = Stored::read(&journal_dir, &start.origin, SEGMENT_LEN, FRAME_LEN_MAX);
    let mut history = History::new(log_key.clone(), trust, plane::GRANT);
    history.take_in(&stored);
    let note = Note::parse(&start.note).unwrap();
    let size = usize::try_from(Checkpoint::parse(&note.text).unwrap().size).unwrap();
    let mirror = Mirror::new(log_key, mirror_key, mirror_signer);
    let mirror = mirror.with(&stored.entries[..size], &start.note);
    let subject = Subject {
        mode: "node",
        dir: dir.to_owned(),
        journal_dir,
        segment_len: SEGMENT_LEN,
        frame_len_max: FRAME_LEN_MAX,
        mirrored: true,
        quota: usize::try_from(plane::QUOTA).unwrap(),
        opening_us: start.opening_us,
        call_id: plane::call_id,
        answer: plane::answer,
    };
    Trial::new(subject, history, mirror)
}
