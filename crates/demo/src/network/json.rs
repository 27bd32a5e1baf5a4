//! `network.json`: the network for programs. Paths are relative to its directory, URLs absolute. A stable surface.

use lingqu_core::grant::Grant;
use lingqu_tlog::{Intl, VerifierKey};
use serde::Serialize;

use super::Network;
use crate::cast::{self, Party, Unit};
use crate::objects::Which;

/// The whole file.
#[derive(Debug, Serialize)]
pub struct NetworkJson {
    coordinator: Coordinator,
    nodes: Vec<Node>,
    ca: &'static str,
    trust: &'static str,
    /// Verifier keys of the regions' head logs, for those who follow the feed.
    head_log_keys: Vec<String>,
    parties: Vec<PartyEntry>,
    grants: Vec<GrantEntry>,
    products: Vec<Product>,
}

#[derive(Debug, Serialize)]
struct Coordinator {
    id: String,
    grpc: String,
    /// Where its page for people is, over mutual TLS: `/console`.
    http: String,
}

#[derive(Clone, Debug, Serialize)]
struct Node {
    id: String,
    region: &'static str,
    url: String,
    /// The unit that owns it.
    unit: String,
    admin_socket: String,
}

#[derive(Clone, Debug, Serialize)]
struct PartyEntry {
    id: String,
    name: &'static str,
    roles: Vec<&'static str>,
    region: String,
    cert: String,
    key: String,
    approval_key: String,
}

/// A grant that holds when the file is written.
#[derive(Clone, Debug, Serialize)]
pub struct GrantEntry {
    id: String,
    party: String,
    products: Vec<String>,
    purpose: String,
    scenario: String,
    end_user: String,
}

#[derive(Clone, Debug, Serialize)]
struct Product {
    id: String,
    version: u32,
    kind: &'static str,
    node: String,
    sql_name: String,
}

impl GrantEntry {
    pub(super) fn of(grant: &Grant) -> GrantEntry {
        GrantEntry {
            id: grant.id.to_string(),
            party: grant.licensee.to_string(),
            products: grant
                .products
                .iter()
                .map(|granted| granted.reference.id.to_string())
                .collect(),
            purpose: grant.purposes.first().cloned().unwrap_or_default(),
            scenario: grant.scenario.clone(),
            end_user: grant.end_users.first().cloned().unwrap_or_default(),
        }
    }
}

impl NetworkJson {
    pub(super) fn of(network: &Network, keys: &[VerifierKey<Intl>]) -> NetworkJson {
        NetworkJson {
            coordinator: Coordinator {
                id: cast::coordinator().to_string(),
                grpc: network.coordinator_url(),
                http: network.coordinator_url(),
            },
            nodes: Unit::ALL.map(|unit| node(network, unit)).to_vec(),
            ca: "ca/ca.pem",
            trust: "trust",
            head_log_keys: keys.iter().map(ToString::to_string).collect(),
            parties: Party::ALL.map(entry).to_vec(),
            grants: network.grants().to_vec(),
            products: Which::ALL.map(product).to_vec(),
        }
    }
}

fn node(network: &Network, unit: Unit) -> Node {
    Node {
        id: unit.node().to_string(),
        region: unit.city(),
        url: network.node_url_of(unit),
        unit: unit.party().id().to_string(),
        admin_socket: format!("{}/state/admin.sock", unit.dir()),
    }
}

fn entry(party: Party) -> PartyEntry {
    let id = party.id();
    PartyEntry {
        id: id.to_string(),
        name: party.name(),
        roles: vec![party.role().as_str()],
        region: party.region().to_string(),
        cert: format!("parties/{id}/{id}.pem"),
        key: format!("parties/{id}/{id}.key"),
        approval_key: format!("parties/{id}/approval.key"),
    }
}

fn product(which: Which) -> Product {
    let reference = which.reference();
    Product {
        id: reference.id.to_string(),
        version: reference.version,
        kind: which.kind().as_str(),
        node: which.unit().node().to_string(),
        sql_name: reference.id.to_string(),
    }
}
