//! The files of a small network, and the processes over them: one coordinator, a node of each unit, everybody's keys.
//!
//! Nothing is taken from memory that a real network would have in a file: coordinator and node open from their
//! configuration files, so what `lingqu coordinator --config` and `lingqu node --config` do is what runs here.

mod database;
mod enrolling;
mod files;
mod json;
mod node_toml;
mod nodes;
mod orders;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lingqu_coordinator::Coordinator;
use lingqu_core::envelope::Envelope;
use lingqu_core::trust::Trust;
use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::SystemClock;
use lingqu_node::Node;
use lingqu_proto::{SignedObject, envelope_from_pb, envelope_to_pb, pb, seal};
use lingqu_tlog::{Ed25519Signer, Intl, Signer, VerifierKey};
use lingqu_transport::pki::DevAuthority;
use lingqu_transport::{ClientTls, PeerId, code_of};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::cast::{self, Party, Unit};

pub use database::RegisterDatabase;
pub use files::Files;
pub use json::{GrantEntry, NetworkJson};
pub use nodes::{wait_until, wait_until_of};

/// Something of the network could not be made or run. Texts are for whoever runs the demo.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct NetworkFailed {
    what: &'static str,
    reason: String,
}

/// Names what was being done when an error came.
pub(crate) trait During<T> {
    /// Wraps the error.
    fn during(self, what: &'static str) -> Result<T, NetworkFailed>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, what: &'static str) -> Result<T, NetworkFailed> {
        self.map_err(|error| NetworkFailed {
            what,
            reason: error.to_string(),
        })
    }
}

/// A running server and the means to end it.
struct Running<T> {
    inner: T,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), String>>,
}

impl<T> Running<T> {
    fn start<F>(inner: T, run: impl FnOnce(oneshot::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (shutdown, ended) = oneshot::channel();
        Running {
            inner,
            shutdown: Some(shutdown),
            task: tokio::spawn(run(ended)),
        }
    }

    async fn end(mut self) -> Result<(), NetworkFailed> {
        if let Some(shutdown) = self.shutdown.take() {
            let _ = shutdown.send(());
        }
        self.task.await.during("stopping")?.during("stopping")
    }
}

/// The network: its files, and what of it runs right now.
///
/// What concerns a node is named twice: `…_of` takes the unit, and the short name means the transport bureau.
pub struct Network {
    files: Files,
    clock: Arc<dyn Clock>,
    coordinator_address: SocketAddr,
    node_addresses: BTreeMap<Unit, SocketAddr>,
    coordinator: Option<Running<Arc<Coordinator>>>,
    nodes: BTreeMap<Unit, Running<Arc<Node>>>,
    grants: Vec<GrantEntry>,
    patience: Duration,
    register_database: Option<Arc<RegisterDatabase>>,
}

/// How long is waited for what only a slow machine makes long.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Network {
    /// Makes the files in `dir` and starts the coordinator. Nobody but the agency is enrolled yet.
    pub async fn make(dir: &Path) -> Result<Network, NetworkFailed> {
        Network::make_at(dir, Arc::new(SystemClock)).await
    }

    /// As [`Network::make`], by a clock that the caller may set.
    pub async fn make_at(dir: &Path, clock: Arc<dyn Clock>) -> Result<Network, NetworkFailed> {
        Network::make_edited(dir, clock, |toml| toml).await
    }

    /// As [`Network::make_at`], with a `coordinator.toml` that the caller may edit before the coordinator starts first.
    pub async fn make_edited(
        dir: &Path,
        clock: Arc<dyn Clock>,
        edit: fn(String) -> String,
    ) -> Result<Network, NetworkFailed> {
        let coordinator = TcpListener::bind("127.0.0.1:0").await.during("binding")?;
        let coordinator_address = coordinator.local_addr().during("binding")?;
        let node_addresses = nodes::addresses().await?;
        let files = Files::write(dir, coordinator_address, &node_addresses, clock.as_ref())?;
        let path = files.coordinator_toml();
        let toml = std::fs::read_to_string(&path).during("reading coordinator.toml")?;
        std::fs::write(&path, edit(toml)).during("writing coordinator.toml")?;
        let mut network = Network {
            files,
            clock,
            coordinator_address,
            node_addresses,
            coordinator: None,
            nodes: BTreeMap::new(),
            grants: Vec::new(),
            patience: PATIENCE,
            register_database: None,
        };
        network.start_coordinator_on(coordinator).await?;
        Ok(network)
    }

    /// Waits for so long instead of [`PATIENCE`].
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Has the social-security register kept in a PostgreSQL server, which is started here and ends with the network.
    /// To be called before that bureau's node starts; the tables come with [`RegisterDatabase`]'s filling.
    pub async fn keep_register_in_postgres(&mut self) -> Result<(), NetworkFailed> {
        let (files, clock) = (self.files.clone(), Arc::clone(&self.clock));
        let starting =
            tokio::task::spawn_blocking(move || RegisterDatabase::start(&files, clock.as_ref()));
        let database = starting.await.during("starting PostgreSQL")??;
        let listen = self.node_addresses[&Unit::SocialSecurity];
        self.files.write_node_toml(
            Unit::SocialSecurity,
            self.coordinator_address,
            listen,
            Some(database.port()),
        )?;
        self.register_database = Some(Arc::new(database));
        Ok(())
    }

    /// The server of the social-security register, if it is kept in one.
    pub fn register_database(&self) -> Option<&Arc<RegisterDatabase>> {
        self.register_database.as_ref()
    }

    /// The files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The clock that everybody shares.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The running coordinator.
    pub fn coordinator(&self) -> Option<&Arc<Coordinator>> {
        self.coordinator.as_ref().map(|running| &running.inner)
    }

    /// `https://…` of the coordinator.
    pub fn coordinator_url(&self) -> String {
        format!("https://{}", self.coordinator_address)
    }

    /// Starts the coordinator again on its old address.
    pub async fn start_coordinator(&mut self) -> Result<(), NetworkFailed> {
        let listener = nodes::bound(self.coordinator_address).await?;
        self.start_coordinator_on(listener).await
    }

    async fn start_coordinator_on(&mut self, listener: TcpListener) -> Result<(), NetworkFailed> {
        let config = lingqu_coordinator::Config::load(&self.files.coordinator_toml())
            .during("reading coordinator.toml")?;
        let coordinator = Coordinator::open(config, Arc::clone(&self.clock))
            .await
            .during("opening the coordinator")?;
        let coordinator = Arc::new(coordinator);
        let serving = Arc::clone(&coordinator);
        self.coordinator = Some(Running::start(coordinator, |ended| async move {
            let shutdown = async { drop(ended.await) };
            serving.serve(listener, shutdown).await;
            Coordinator::clone(&serving).close().await;
            Ok(())
        }));
        Ok(())
    }

    /// Stops the coordinator in order.
    pub async fn stop_coordinator(&mut self) -> Result<(), NetworkFailed> {
        match self.coordinator.take() {
            Some(running) => running.end().await,
            None => Ok(()),
        }
    }

    /// The TLS identity of a party.
    pub fn identity(&self, party: Party) -> Result<ClientTls, NetworkFailed> {
        self.files.identity(&PeerId::Party(party.id()), &self.clock)
    }

    /// The approval key of a party.
    pub fn approval_key(&self, party: Party) -> Result<Ed25519Signer, NetworkFailed> {
        self.files.approval_key(party)
    }

    /// A connection to the coordinator as `identity`.
    pub async fn dial_coordinator(&self, identity: &ClientTls) -> Result<Channel, NetworkFailed> {
        let expected = PeerId::Coordinator(cast::coordinator());
        lingqu_transport::connect(&self.coordinator_url(), identity, expected)
            .await
            .during("dialling the coordinator")
    }

    /// Signs `object` with the approval keys of `signers`.
    pub fn signed<T: SignedObject>(
        &self,
        object: &T,
        signers: &[Party],
    ) -> Result<Envelope, NetworkFailed> {
        let mut envelope = seal(object);
        for party in signers {
            envelope.sign(party.id().as_str(), &self.approval_key(*party)?);
        }
        Ok(envelope)
    }

    /// Files a signed object as `party`: the number, or the code by which the coordinator refuses.
    pub async fn file(
        &self,
        party: Party,
        envelope: &Envelope,
    ) -> Result<Result<(String, Envelope), ErrorCode>, NetworkFailed> {
        let channel = self.dial_coordinator(&self.identity(party)?).await?;
        let mut registry = pb::registry_client::RegistryClient::new(channel);
        let request = pb::FileRequest {
            object: Some(envelope_to_pb(envelope)),
        };
        match registry.file(request).await {
            Ok(response) => {
                let response = response.into_inner();
                let filing = response.filing.unwrap_or_default();
                let filing = envelope_from_pb(filing).during("reading the filing")?;
                Ok(Ok((response.number, filing)))
            }
            Err(status) => code(&status).map(Err),
        }
    }

    /// Remembers a grant for `network.json`.
    pub fn list_grant(&mut self, grant: &lingqu_core::grant::Grant) {
        self.grants.push(GrantEntry::of(grant));
    }

    /// The trust file of the network: the streams' keys and the mirror's, in tlog-policy form.
    pub fn trust_text(&self) -> Result<String, NetworkFailed> {
        let coordinator = self
            .coordinator()
            .ok_or("it is not running")
            .during("asking for trust")?;
        Ok(coordinator.trust())
    }

    /// The same, parsed.
    pub fn trust(&self) -> Result<Trust<Intl>, NetworkFailed> {
        Trust::parse(&self.trust_text()?).during("reading the trust file")
    }

    /// Keys of the regions' head logs.
    pub fn head_log_keys(&self) -> Result<Vec<VerifierKey<Intl>>, NetworkFailed> {
        let public = self.files.coordinator_key("head_log")?;
        [cast::REGION, cast::CITY, cast::OTHER_CITY]
            .into_iter()
            .map(|region| {
                let name = format!("{}/h/{region}", cast::ORIGIN_NAME)
                    .parse()
                    .during("naming a head log")?;
                VerifierKey::note(name, public.public_key()).during("naming a head log")
            })
            .collect()
    }

    /// Writes `network.json` and the trust file.
    pub fn write_json(&self) -> Result<PathBuf, NetworkFailed> {
        let trust = self.trust_text()?;
        std::fs::write(self.files.trust(), trust).during("writing the trust file")?;
        let json = NetworkJson::of(self, &self.head_log_keys()?);
        let text = serde_json::to_string_pretty(&json).during("writing network.json")?;
        let path = self.files.dir().join("network.json");
        std::fs::write(&path, text).during("writing network.json")?;
        Ok(path)
    }

    pub(crate) fn grants(&self) -> &[GrantEntry] {
        &self.grants
    }

    /// A development authority that nobody here trusts, for attempts that must fail.
    pub fn foreign_authority(&self) -> Result<DevAuthority, NetworkFailed> {
        DevAuthority::create("Lingqu demo authority", self.clock.as_ref())
            .during("making an authority")
    }
}

/// The code of a refusal; a failure without a code is a failure of the network.
pub fn code(status: &tonic::Status) -> Result<ErrorCode, NetworkFailed> {
    code_of(status)
        .ok_or_else(|| status.to_string())
        .during("calling")
}
