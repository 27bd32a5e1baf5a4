//! A node and its coordinator as they run in production: from their files, on loopback, mutual TLS.
//!
//! The calls are recorded in the running node's own journal, which its shipping task replicates; an answer leaves when
//! the coordinator has the record durable and has cosigned it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lingqu_client::{Event, Feed, Seen};
use lingqu_core::Clock;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::{Network, wait_until};
use lingqu_policy::AuditTerms;
use tokio::runtime::Runtime;

use super::Failed;
use super::load::Recording;
use crate::filing;
use crate::verify::network::runtime;

/// Terms under which an answer leaves at R2. The wait is the longest that a policy can allow: how long it really is, is
/// what is measured.
const MIRRORED: AuditTerms = AuditTerms::Mirrored {
    wait_ms_max: 10_000,
};

/// How long starts of the coordinator took.
pub(super) struct Restarts {
    /// Records in its log, but for its own.
    pub(super) entries: u64,
    /// From its base on.
    pub(super) from_base: Duration,
    /// Without a base.
    pub(super) whole: Duration,
}

impl Restarts {
    /// A line for people.
    pub(super) fn told(&self) -> String {
        let (from_base, whole) = (self.from_base.as_secs_f64(), self.whole.as_secs_f64());
        format!(
            "start of the coordinator with {} records: from its base {from_base:.2} s, from the beginning of its log {whole:.2} s, {:.1} times as long",
            self.entries,
            whole / from_base
        )
    }
}

/// Everything that runs.
pub(super) struct Mirrored {
    network: Network,
    recording: Recording,
    // Last, since what runs on them goes first.
    node: Runtime,
    _coordinator: Runtime,
}

impl Mirrored {
    pub(super) fn start(dir: &Path, clock: Arc<dyn Clock>) -> Result<Mirrored, Failed> {
        std::fs::create_dir_all(dir)?;
        let (coordinator, node) = (runtime("coordinator")?, runtime("node")?);
        let mut network = coordinator.block_on(Network::make(dir))?;
        coordinator.block_on(filing::enrol(&network))?;
        node.block_on(network.start_node())?;
        node.block_on(wait_until(&network, "the mirror answers", |node| {
            node.journal().audit_ready(MIRRORED).is_ok()
        }))?;
        let journal = network
            .node()
            .ok_or_else(|| Failed::Call("the node is gone".to_owned()))?
            .journal()
            .clone();
        let recording = Recording::new(
            journal,
            (MIRRORED, Level::Mirrored),
            network.trust()?,
            clock,
        );
        Ok(Mirrored {
            network,
            recording,
            node,
            _coordinator: coordinator,
        })
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Follows the feed of the whole region from the beginning, verifying everything; gives the number of entries and
    /// how long it took. What is in it is what the rounds have recorded.
    pub(super) fn catch_up(
        &self,
        callers: &Runtime,
        clock: &dyn Clock,
    ) -> Result<(u64, Duration), Failed> {
        callers.block_on(async {
            let identity = self.network.identity(Party::Bureau)?;
            let channel = self.network.dial_coordinator(&identity).await?;
            let region = cast::REGION.parse().expect("the region is well-formed");
            let trust = self.network.trust()?;
            let heads = Trust::of_logs(&self.network.head_log_keys()?)
                .expect("the network's own keys can sign logs");
            let begin = clock.monotonic();
            let feed = Feed::follow(channel, &region, true, trust, heads, Seen::default());
            let mut feed = feed.await?;
            let mut entries = 0;
            while let Some(event) = feed.next().await? {
                if let Event::Records { records, .. } = event {
                    entries += records.len() as u64;
                }
            }
            Ok((entries, clock.monotonic().saturating_sub(begin)))
        })
    }

    /// Stops everything in order, and starts the coordinator twice more: from its base, and from the beginning of its log.
    pub(super) fn restarted(mut self, clock: &dyn Clock) -> Result<Restarts, Failed> {
        let entries = self.recording.journal().figures().records;
        drop(self.recording);
        let beside = self
            .network
            .files()
            .dir()
            .join("coordinator/state/mirror-base");
        self.node.block_on(async {
            self.network.stop_node().await?;
            self.network.stop_coordinator().await?;
            let begin = clock.monotonic();
            self.network.start_coordinator().await?;
            let from_base = clock.monotonic().saturating_sub(begin);
            self.network.stop_coordinator().await?;
            if beside.exists() {
                std::fs::remove_dir_all(beside)?;
            }
            let begin = clock.monotonic();
            self.network.start_coordinator().await?;
            let whole = clock.monotonic().saturating_sub(begin);
            self.network.stop_coordinator().await?;
            Ok(Restarts {
                entries,
                from_base,
                whole,
            })
        })
    }
}
