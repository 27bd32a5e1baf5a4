//! The files of the network below one directory.
//!
//! ```text
//! ca/            the development authority           coordinator/   coordinator.toml, keys, state
//! parties/ID/    TLS certificate and key, approval    node/          the transport bureau's: node.toml, keys, data, state
//! trust          whom offline checks believe          node-ssb/      likewise of the social-security bureau
//! network.json   all of it, for programs
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_core::id::IdPrefix;
use lingqu_tlog::{Ed25519Signer, Signer};
use lingqu_transport::pki::DevAuthority;
use lingqu_transport::reload::AuthorityFile;
use lingqu_transport::{ClientTls, PeerId, TlsFiles, signing_key};

use super::{During, NetworkFailed, node_toml};
use crate::cast::{self, Party, Unit};
use crate::register;
use crate::register::social_security::Written;

/// Days that the demo's certificates hold.
const CERTIFICATE_DAYS: u32 = 30;
/// The coordinator's keys, one per role.
const COORDINATOR_KEYS: [&str; 4] = ["log", "mirror", "head_log", "signing"];

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// Makes authority, keys, certificates, configurations and registers.
    pub(super) fn write(
        dir: &Path,
        coordinator: SocketAddr,
        nodes: &BTreeMap<Unit, SocketAddr>,
        clock: &dyn Clock,
    ) -> Result<Files, NetworkFailed> {
        let files = Files {
            dir: dir.to_owned(),
        };
        for sub in ["ca", "coordinator"] {
            make_dir(&dir.join(sub))?;
        }
        let authority =
            DevAuthority::create("Lingqu demo authority", clock).during("making the authority")?;
        authority
            .write(&dir.join("ca"))
            .during("writing the authority")?;
        let issue = |id: &PeerId, to: &Path| {
            let issued = authority.issue(id, &["localhost", "127.0.0.1"], CERTIFICATE_DAYS, clock);
            issued
                .during("issuing a certificate")?
                .write(to)
                .during("writing a certificate")
        };
        for party in Party::ALL {
            let home = files.party(party);
            make_dir(&home)?;
            issue(&PeerId::Party(party.id()), &home)?;
            signing_key::create(&home.join("approval.key")).during("making an approval key")?;
        }
        issue(
            &PeerId::Coordinator(cast::coordinator()),
            &dir.join("coordinator"),
        )?;
        for role in COORDINATOR_KEYS {
            let path = dir.join("coordinator").join(format!("{role}.key"));
            signing_key::create(&path).during("making a coordinator key")?;
        }
        std::fs::write(
            files.coordinator_toml(),
            files.coordinator_config(coordinator)?,
        )
        .during("writing coordinator.toml")?;
        for (unit, listen) in nodes {
            let home = files.node_dir(*unit);
            make_dir(&home)?;
            issue(&PeerId::Node(unit.node()), &home)?;
            signing_key::create(&home.join("log.key")).during("making a node's log key")?;
            files.write_node_toml(*unit, coordinator, *listen, None)?;
        }
        // The transport bureau's data is small; whoever needs the social-security register asks for it.
        let data = files.node_dir(Unit::Transport).join("data");
        register::transport::write(&data).during("writing the registers")?;
        Ok(files)
    }

    /// Writes a unit's `node.toml`; with the port of a database, its production data is read from there.
    pub(super) fn write_node_toml(
        &self,
        unit: Unit,
        coordinator: SocketAddr,
        listen: SocketAddr,
        database: Option<u16>,
    ) -> Result<(), NetworkFailed> {
        let config = node_toml::text(self, unit, coordinator, listen, database)?;
        std::fs::write(self.node_toml_of(unit), config).during("writing node.toml")
    }

    /// Draws the social-security register and writes it where that bureau's node reads it; `progress` is told how many
    /// persons are written and how many there will be. Takes a second or two: not for an asynchronous thread.
    pub fn write_social_security(
        &self,
        progress: &mut dyn FnMut(u32, u32),
    ) -> Result<Written, NetworkFailed> {
        let data = self.node_dir(Unit::SocialSecurity).join("data");
        register::social_security::write(&data, progress).during("writing the register")
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `coordinator.toml`.
    pub fn coordinator_toml(&self) -> PathBuf {
        self.dir.join("coordinator/coordinator.toml")
    }

    /// The directory of a unit's node.
    pub fn node_dir(&self, unit: Unit) -> PathBuf {
        self.dir.join(unit.dir())
    }

    /// `node.toml` of the transport bureau.
    pub fn node_toml(&self) -> PathBuf {
        self.node_toml_of(Unit::Transport)
    }

    /// `node.toml` of a unit.
    pub fn node_toml_of(&self, unit: Unit) -> PathBuf {
        self.node_dir(unit).join("node.toml")
    }

    /// The trust file for offline checks.
    pub fn trust(&self) -> PathBuf {
        self.dir.join("trust")
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca/ca.pem")
    }

    /// A party's directory.
    pub fn party(&self, party: Party) -> PathBuf {
        self.dir.join("parties").join(party.id().as_str())
    }

    /// A party's certificate and key.
    pub fn party_tls(&self, party: Party) -> (PathBuf, PathBuf) {
        let (home, id) = (self.party(party), party.id());
        (
            home.join(format!("{id}.pem")),
            home.join(format!("{id}.key")),
        )
    }

    /// TLS files for `cert` and `key`, trusting the demo's authority for every id.
    pub fn tls_files(&self, cert: &Path, key: &Path) -> TlsFiles {
        let prefixes = ["party_", "node_", "coord_"]
            .map(|prefix| prefix.parse::<IdPrefix>().expect("well-formed"));
        TlsFiles {
            cert_chain: cert.to_owned(),
            key: key.to_owned(),
            authorities: vec![AuthorityFile {
                name: "demo".to_owned(),
                path: self.ca(),
                prefixes: prefixes.to_vec(),
            }],
            allow_tls12: false,
        }
    }

    /// The TLS identity of any peer whose files lie where they belong.
    pub fn identity(
        &self,
        id: &PeerId,
        clock: &Arc<dyn Clock>,
    ) -> Result<ClientTls, NetworkFailed> {
        let home = match id {
            PeerId::Party(party) => self.dir.join("parties").join(party.as_str()),
            PeerId::Node(node) => match Unit::of_node(node) {
                Some(unit) => self.node_dir(unit),
                // One that is not in the cast, as tests make them.
                None => self.dir.join("nodes").join(node.as_str()),
            },
            PeerId::Coordinator(_) => self.dir.join("coordinator"),
        };
        let files = self.tls_files(
            &home.join(format!("{id}.pem")),
            &home.join(format!("{id}.key")),
        );
        ClientTls::load(files, Arc::clone(clock)).during("reading TLS files")
    }

    /// A party's approval key.
    pub fn approval_key(&self, party: Party) -> Result<Ed25519Signer, NetworkFailed> {
        signing_key::read(&self.party(party).join("approval.key")).during("reading an approval key")
    }

    /// One of the coordinator's keys.
    pub fn coordinator_key(&self, role: &str) -> Result<Ed25519Signer, NetworkFailed> {
        let path = self.dir.join("coordinator").join(format!("{role}.key"));
        signing_key::read(&path).during("reading a coordinator key")
    }

    /// The log key of the transport bureau's node.
    pub fn node_log_key(&self) -> Result<Ed25519Signer, NetworkFailed> {
        self.node_log_key_of(Unit::Transport)
    }

    /// The log key of a unit's node.
    pub fn node_log_key_of(&self, unit: Unit) -> Result<Ed25519Signer, NetworkFailed> {
        signing_key::read(&self.node_dir(unit).join("log.key")).during("reading a node's log key")
    }

    fn coordinator_config(&self, listen: SocketAddr) -> Result<String, NetworkFailed> {
        let id = cast::coordinator();
        let agency = hex::encode(self.approval_key(Party::Agency)?.public_key());
        Ok(format!(
            r#"# The demo's coordinator. Paths are relative to this file.
id = "{id}"
origin_name = "{origin}"
region = "{region}"
data_dir = "state"
listen = "{listen}"

[tls]
cert = "{id}.pem"
key = "{id}.key"
[[tls.authorities]]
name = "demo"
path = "../ca/ca.pem"
prefixes = ["party_gx.", "node_gx."]

[keys]
log = "log.key"
mirror = "mirror.key"
head_log = "head_log.key"
signing = "signing.key"

# Somebody must issue the first enrolment code.
[[founders]]
party = "{agency_id}"
roles = ["operating_agency"]
region = "{region}"
approval_key = "{agency}"

[epoch]
renew_s = 20
valid_s = 3600

[limits]
segment_bytes = 33554432
queue_max = 16
"#,
            origin = cast::ORIGIN_NAME,
            region = cast::REGION,
            agency_id = Party::Agency.id(),
        ))
    }
}

fn make_dir(dir: &Path) -> Result<(), NetworkFailed> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .during("making a directory")
}
