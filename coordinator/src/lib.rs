//! The coordinator (运营平台): who takes part, what is filed and revoked, and the verified copy of every node's log.
//!
//! **What it is**: registry and filing with an outbox, the revocation epoch, the mirror that verifies and cosigns each
//! stream, one head log per region, and the regulators' feed.
//!
//! **In scope**: refusing what is not properly signed; making every act an entry of its own stream before it is answered;
//! cosigning only what is durable here.
//!
//! **Out of scope**: deciding calls. A node checks every signature itself, so whoever holds all keys and the database of
//! a coordinator still gets no answer from a node. No row of data ever comes here.
//!
//! **Start reading at** [`Coordinator`], then `open.rs`, `registry.rs`, `own_stream.rs` and `mirror/store.rs`.
//!
//! # What holds after a restore from a backup
//!
//! Database and mirror log must be of one moment. A database older than the log is refused at the start, when it lacks a
//! stream, an act or an epoch number that the log knows; a log older than the database is refused when it lacks an act that the
//! database knows as logged. If both are equally old, the coordinator cannot know what it had cosigned since: it takes
//! from each node what it lacks, as that is signed by the node, and a node that was made to sign another branch is found
//! by whoever holds a cosignature or a head of the first. Ask nodes and regulators for theirs before serving again.

mod api;
mod audit;
mod config;
mod keys;
mod mirror;
mod observe;
mod open;
mod own_stream;
mod places;
mod refusal;
mod registry;
mod store;
mod workflow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::{Clock, CoordinatorId, Region};
use lingqu_tlog::{Intl, VerifierKey};
use lingqu_transport::{Connections, ReloadableTls};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{
    AuthorityConfig, Bureau, Config, ConfigError, EpochConfig, Founder, KeysConfig, Limits,
    MirroredConfig, TlsConfig, WitnessConfig, WorkflowConfig,
};
pub use keys::{Keys, KeysError};
pub use mirror::base::BaseRefused;
pub use mirror::frame::FrameMalformed;
pub use mirror::kept::KeptError;
pub use mirror::replay::ReplayError;
pub use mirror::restore::RestoreRefused;
pub use mirror::{AdvanceFailed, MirrorOpenError};
pub use open::OpenError;
pub use own_stream::SettleError;
pub use refusal::Refusal;
pub use registry::parties::FoundingError;
pub use registry::past::{PastState, PastStream, PastStreams};
pub use store::StoreError;

use crate::api::grpc::Services;
use crate::audit::Auditor;
use crate::keys::{Names, key_name};
use crate::mirror::Mirror;
use crate::mirror::witnesses::Witnesses;
use crate::observe::{Observe, Watched};
use crate::places::Places;
use crate::registry::Registry;

/// How often the TLS files are looked at.
const TLS_RELOAD: Duration = Duration::from_secs(30);

/// How often it is looked whether the base of the mirror's log is to be brought forward.
const BASE_EVERY: Duration = Duration::from_secs(10);

/// How many pages are made for viewers at a time.
const VIEWERS_MAX: usize = 8;

/// A coordinator. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Coordinator {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    keys: Keys,
    names: Names,
    tls: Arc<ReloadableTls>,
    mirror: Arc<Mirror>,
    registry: Arc<Registry>,
    connections: Connections,
    observe: Arc<Observe>,
    witnesses: Option<Arc<Witnesses>>,
}

impl Coordinator {
    /// Serves on `listener` until `shutdown` completes: all services, renewal of the epoch, heads at their interval.
    /// Streams end at once then, and running requests within the transport's drain time.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let ending = CancellationToken::new();
        // Whoever drops this future instead of completing `shutdown` ends the streams too.
        let _ended = ending.clone().drop_guard();
        let auditor = Auditor::new(Arc::clone(&self.mirror), &self.keys, self.names.clone());
        let auditor = Arc::new(auditor);
        let services = Services {
            auditor: Arc::clone(&auditor),
            registry: Arc::clone(&self.registry),
            mirror: Arc::clone(&self.mirror),
            followers: Places::new(self.config.limits.followers_max),
            readers: Places::new(self.config.limits.watchers_max),
            writers: Places::new(self.config.limits.watchers_max),
            ending: ending.clone(),
            viewers: Places::new(VIEWERS_MAX),
            connections: self.connections.clone(),
        };
        let watched = Arc::new(Watched::new(&services, Arc::clone(&self.observe)));
        let serving = lingqu_transport::serve(
            listener,
            Arc::clone(&self.tls),
            self.config.limits.listener(),
            Arc::clone(&self.clock),
            services.router(),
            self.connections.clone(),
            async {
                shutdown.await;
                ending.cancel();
            },
        );
        tokio::select! {
            () = serving => {}
            () = self.renew_epochs() => {}
            () = self.publish_heads() => {}
            () = self.gather_cosignatures() => {}
            () = auditor.run() => {}
            () = self.advance_base() => {}
            () = Arc::clone(&self.tls).watch(TLS_RELOAD) => {}
            () = observe::tell(&self.config.observe, watched) => {}
        }
        // What was begun ends before this returns, so that whoever opens the same directory next finds it unlocked.
        self.mirror.tasks.close();
        self.mirror.tasks.wait().await;
    }

    /// Writes what is queued and closes database and log. Call it when [`Coordinator::serve`] has ended; the directory is
    /// free for another process, or for the next [`Coordinator::open`], when all clones are gone.
    pub async fn close(&self) {
        let mirror = Arc::clone(&self.mirror);
        // The thread is joined where it holds nobody up; if this fails, the thread is gone already.
        let _ = tokio::task::spawn_blocking(move || mirror.close()).await;
        self.registry.store.close().await;
    }

    /// Who it is.
    pub fn id(&self) -> &CoordinatorId {
        &self.config.id
    }

    /// The live connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Where metrics and health are served, if they are.
    pub fn observe_address(&self) -> Option<SocketAddr> {
        self.observe.address()
    }

    /// What an offline check needs to believe, in the text form of C2SP's tlog-policy: the key of every stream, and the
    /// mirror's, without whose cosignature nothing is believed.
    pub fn trust(&self) -> String {
        let mut text = String::new();
        for stream in self.mirror.shared.streams() {
            text.push_str(&format!("log {}\n", stream.log_key));
        }
        text.push_str(&format!(
            "witness mirror {}\nquorum mirror\n",
            self.mirror_key()
        ));
        text
    }

    /// The key with which the mirror cosigns.
    pub fn mirror_key(&self) -> VerifierKey<Intl> {
        VerifierKey::cosignature(self.names.mirror(), self.keys.mirror.public_key())
            .expect("a key that a private key belongs to has full order")
    }

    /// The key with which the head log of `region` is signed.
    pub fn head_log_key(&self, region: &Region) -> VerifierKey<Intl> {
        let name = key_name(&self.names.head_log(region));
        VerifierKey::note(name, self.keys.head_log.public_key())
            .expect("a key that a private key belongs to has full order")
    }

    /// What an offline check of the head logs needs to believe, as a C2SP tlog-policy: their keys, and the configured
    /// witnesses with their quorum.
    pub fn head_trust(&self) -> String {
        let streams = self.mirror.shared.streams();
        let regions: std::collections::BTreeSet<_> =
            streams.iter().map(|stream| stream.region.clone()).collect();
        let logs = regions
            .iter()
            .map(|region| format!("log {}\n", self.head_log_key(region)));
        let witnesses = self
            .config
            .witnesses
            .as_ref()
            .and_then(Witnesses::policy_text);
        let quorum = witnesses.unwrap_or_else(|| "quorum none\n".to_owned());
        logs.chain([quorum]).collect()
    }

    /// The public key that signs filings and epochs: what a node pins.
    pub fn signing_key(&self) -> &[u8] {
        self.keys.signing.public_key()
    }

    /// The origin of the coordinator's own stream.
    pub fn own_origin(&self) -> &str {
        &self.mirror.own.origin
    }

    /// Durable, cosigned entries of a stream; 0 for an unknown one.
    pub fn mirrored_size(&self, origin: &str) -> u64 {
        self.mirror.size(origin)
    }

    /// The newest cosigned checkpoint of a stream, as signed note text.
    pub fn cosigned_checkpoint(&self, origin: &str) -> Option<String> {
        Some(self.mirror.cosigned(origin)?.note.to_string())
    }

    /// The streams that have ended, and until when they are kept; with `drop` those are given up that need not be kept any
    /// more, which is on record first.
    ///
    /// # Errors
    /// `RETENTION_NOT_ELAPSED` to drop without `limits.stream_keep_months`; `AUDIT_UNAVAILABLE` when it cannot be put on
    /// record; `INTERNAL` for a log that cannot be read or written.
    pub async fn past_streams(&self, drop: bool) -> Result<PastStreams, Refusal> {
        self.registry.past_streams(drop).await
    }

    /// Number of the current revocation epoch.
    pub fn epoch(&self) -> u64 {
        self.registry.current_epoch().number
    }

    async fn renew_epochs(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(self.config.epoch.renew_s));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.registry.renew_epoch().await;
        }
    }

    /// Has the head logs cosigned, if there are witnesses.
    async fn gather_cosignatures(&self) {
        match &self.witnesses {
            Some(witnesses) => witnesses.gather(&self.mirror).await,
            None => std::future::pending().await,
        }
    }

    /// Brings the base of the mirror's log forward as the log grows, so that a start reads its tail alone.
    async fn advance_base(&self) {
        let mut ticks = tokio::time::interval(BASE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mirror = Arc::clone(&self.mirror);
            let advanced = self
                .mirror
                .tasks
                .spawn_blocking(move || mirror.advance(false));
            match advanced.await {
                Ok(Ok(_) | Err(AdvanceFailed::Ended)) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "the base of the mirror's log was not brought forward");
                }
                Err(error) => tracing::error!(%error, "the task for the base failed"),
            }
        }
    }

    async fn publish_heads(&self) {
        let period = Duration::from_millis(self.config.limits.head_interval_ms);
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(code) = self.mirror.tick().await {
                tracing::error!(code = code.as_str(), "heads could not be published");
            }
        }
    }
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator")
            .field("id", &self.config.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
