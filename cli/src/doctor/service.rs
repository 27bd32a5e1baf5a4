//! What is examined: a node or a coordinator, as its configuration file describes it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lingqu_coordinator::Config;
use lingqu_node::NodeConfig;
use lingqu_transport::reload::AuthorityFile;
use lingqu_transport::{PeerId, TlsFiles};

use crate::failure::Failure;
use crate::written;

/// A key that only `coordinator.toml` has, and must have.
const COORDINATOR_ONLY: &str = "origin_name";

/// One service of this machine.
#[derive(Debug)]
pub(crate) enum Service {
    /// A coordinator.
    Coordinator(Box<Config>),
    /// A node.
    Node(Box<NodeConfig>),
}

impl Service {
    /// Reads a configuration; which service it is for, its keys say.
    ///
    /// # Errors
    /// [`Failure::Local`] for a file that is missing or refused, unknown keys included.
    pub(crate) fn read(path: &Path) -> Result<Service, Failure> {
        let text = written::text(path)?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::config(format_args!("`{}`: {error}", path.display()))
        })?;
        if table.contains_key(COORDINATOR_ONLY) {
            let config = Config::load(path);
            let config = config
                .map_err(|error| Failure::config(format_args!("`{}`: {error}", path.display())))?;
            Ok(Service::Coordinator(Box::new(config)))
        } else {
            let config = NodeConfig::read(path)?;
            Ok(Service::Node(Box::new(config)))
        }
    }

    /// The node, if it is one.
    pub(crate) fn node(&self) -> Option<&NodeConfig> {
        match self {
            Service::Coordinator(_) => None,
            Service::Node(config) => Some(config),
        }
    }

    /// Who it is.
    pub(crate) fn id(&self) -> PeerId {
        match self {
            Service::Coordinator(config) => PeerId::Coordinator(config.id.clone()),
            Service::Node(config) => PeerId::Node(config.id.clone()),
        }
    }

    /// Where its state lives.
    pub(crate) fn data_dir(&self) -> &Path {
        match self {
            Service::Coordinator(config) => &config.data_dir,
            Service::Node(config) => &config.data_dir,
        }
    }

    /// Where its log lies.
    pub(crate) fn log_dir(&self) -> PathBuf {
        match self {
            Service::Coordinator(config) => config.data_dir.join("mirror"),
            Service::Node(config) => config.data_dir.join("journal"),
        }
    }

    /// Bytes of one segment of its log.
    pub(crate) fn segment_bytes(&self) -> u64 {
        match self {
            Service::Coordinator(config) => config.limits.segment_bytes,
            Service::Node(config) => config.limits.journal_segment_bytes,
        }
    }

    /// Where it listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        match self {
            Service::Coordinator(config) => config.listen,
            Service::Node(config) => config.listen,
        }
    }

    /// Where it shows its metrics and health, if it does.
    pub(crate) fn observe(&self) -> &lingqu_telemetry::Settings {
        match self {
            Service::Coordinator(config) => &config.observe,
            Service::Node(config) => &config.observe,
        }
    }

    /// How many connections it takes, those in their handshake included.
    pub(crate) fn connections_max(&self) -> usize {
        match self {
            Service::Coordinator(config) => {
                config.limits.connections_max + config.limits.strangers_max
            }
            Service::Node(config) => config.limits.connections_max + config.limits.strangers_max,
        }
    }

    /// Its certificate, key and authorities.
    pub(crate) fn tls(&self) -> TlsFiles {
        match self {
            Service::Node(config) => config.tls.clone(),
            Service::Coordinator(config) => {
                let tls = &config.tls;
                let authorities = tls.authorities.iter().map(|authority| AuthorityFile {
                    name: authority.name.clone(),
                    path: authority.path.clone(),
                    prefixes: authority.prefixes.clone(),
                });
                TlsFiles {
                    cert_chain: tls.cert.clone(),
                    key: tls.key.clone(),
                    authorities: authorities.collect(),
                    allow_tls12: tls.allow_tls12,
                }
            }
        }
    }

    /// Files of private signing keys, each with its role.
    pub(crate) fn signing_keys(&self) -> Vec<(&'static str, &Path)> {
        match self {
            Service::Node(config) => vec![("keys.log", &config.keys.log)],
            Service::Coordinator(config) => vec![
                ("keys.log", &config.keys.log),
                ("keys.mirror", &config.keys.mirror),
                ("keys.head_log", &config.keys.head_log),
                ("keys.signing", &config.keys.signing),
            ],
        }
    }

    /// Public keys of others that it pins, each with its role.
    pub(crate) fn pinned_keys(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Service::Node(config) => {
                let trust = &config.trust;
                let mut keys = vec![
                    ("trust.unit_key".to_owned(), trust.unit_key.clone()),
                    (
                        "trust.coordinator_key".to_owned(),
                        trust.coordinator_key.clone(),
                    ),
                    (
                        "trust.mirror_key".to_owned(),
                        trust.mirror_key.public_key().to_vec(),
                    ),
                ];
                keys.extend(config.mirrors.iter().map(|mirror| {
                    (
                        format!("the mirror key of {}", mirror.id),
                        mirror.key.public_key().to_vec(),
                    )
                }));
                let head = trust.head_key.iter();
                keys.extend(
                    head.map(|key| ("trust.head_key".to_owned(), key.public_key().to_vec())),
                );
                let agencies = trust.agencies.iter();
                keys.extend(
                    agencies
                        .map(|agency| (format!("the key of {}", agency.id), agency.key.clone())),
                );
                keys
            }
            Service::Coordinator(config) => config
                .founders
                .iter()
                .filter_map(|founder| {
                    let key = hex::decode(&founder.approval_key).ok()?;
                    Some((format!("the key of {}", founder.party), key))
                })
                .collect(),
        }
    }
}
