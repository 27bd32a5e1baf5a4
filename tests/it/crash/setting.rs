//! The network around the nodes and coordinators that are killed: the demo's files, enrolment and filings, made by the
//! real coordinator before anything is killed.

use std::fs;
use std::path::Path;

use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Grant;
use lingqu_demo::cast::Party;
use lingqu_demo::network::Network;
use lingqu_demo::objects::{self, Which};
use lingqu_tlog::{Hash, Signer};

/// Makes the network in `dir`, with segments so small that they end within a short life.
pub(crate) async fn network(dir: &Path) -> Network {
    let mut network = Network::make(dir).await.unwrap();
    network.stop_coordinator().await.unwrap();
    let config = network.files().coordinator_toml();
    let text = fs::read_to_string(&config).unwrap();
    let (before, _) = text.split_once("[limits]").unwrap();
    let limits = "[limits]\nsegment_bytes = 1048576\nbatch_bytes_max = 32768\nqueue_max = 8\nhead_interval_ms = 5\n";
    fs::write(&config, format!("{before}{limits}")).unwrap();
    fs::remove_dir_all(dir.join("coordinator/state")).unwrap();
    let config = network.files().node_toml();
    // The test is the mirror of the nodes that are killed, and keeps no head log.
    let text = fs::read_to_string(&config).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("head_key"));
    let text: String = kept.map(|line| format!("{line}\n")).collect();
    let limits = "\n[limits]\njournal_segment_bytes = 1064960\n";
    fs::write(&config, text + limits).unwrap();

    network.start_coordinator().await.unwrap();
    for party in [Party::Unit, Party::Bank, Party::Bureau] {
        let code = network.issue_party_code(party).await.unwrap();
        network.enrol_party(party, &code).await.unwrap().unwrap();
    }
    let code = network.issue_node_code().await.unwrap();
    network.enrol_node(&code).await.unwrap().unwrap();
    network
}

/// Files the plane product with its policy and approval; gives the product's digest.
pub(crate) async fn file_plane(network: &Network) -> Hash {
    let policy = network
        .signed(&objects::policy(Which::Plane), &[Party::Unit])
        .unwrap();
    let product = network
        .signed(&objects::product(Which::Plane), &[Party::Agency])
        .unwrap();
    let approval = objects::approval(Which::Plane, &product, &policy);
    let approval = network.signed(&approval, &[Party::Unit]).unwrap();
    for (party, object) in [
        (Party::Unit, &policy),
        (Party::Agency, &product),
        (Party::Unit, &approval),
    ] {
        network.file(party, object).await.unwrap().unwrap();
    }
    product.digest()
}

/// A grant of the plane product to the bank, with the three signatures that it needs.
pub(crate) fn grant(
    network: &Network,
    id: &str,
    product: Hash,
    change: impl FnOnce(&mut Grant),
) -> Envelope {
    let bank = network.approval_key(Party::Bank).unwrap();
    let (key, products) = (bank.public_key(), [(Which::Plane, product)]);
    let now = network.clock().now();
    let mut grant = objects::grant(id, Party::Bank, key, &products, now);
    change(&mut grant);
    let signers = [Party::Agency, Party::Bank, Party::Unit];
    network.signed(&grant, &signers).unwrap()
}

/// Copies the files below `from`; sockets stay behind.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
