//! The node as a whole: what it holds, and the one consistent view of it that a decision reads.

mod opening;
mod taking_in;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use lingqu_core::decide::ClockState;
use lingqu_core::record::Draft;
use lingqu_core::stop::Stops;
use lingqu_core::{CallId, Clock, NodeId, PartyId, Timestamp};
use lingqu_journal::{Journal, Recorded};
use lingqu_transport::Connections;
use ring::hmac;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::admit::NodeFacts;
use crate::admission::epoch::{EpochKeeper, Held};
use crate::admission::holdings::{Holdings, Pinned};
use crate::admission::retries::Retries;
use crate::admission::subjects::SubjectWindows;
use crate::admission::throttle::Throttle;
use crate::bodies::Bodies;
use crate::call::Answer;
use crate::config::NodeConfig;
use crate::evaluate::dp::Answers;
use crate::loads::Loader;
use crate::observe::Observe;
use crate::products::Products;
use crate::state::State;
use crate::stops::StopKeeper;
use crate::succession::Pending;

pub use opening::OpenError;

/// A node, open and able to serve.
pub struct Node {
    // Dependencies.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    // Configuration.
    pub(crate) config: NodeConfig,
    pub(crate) state: State,
    pub(crate) pinned: Pinned,
    // What it holds. Written by `adopt_*` and `carry_out`, read by every call.
    holdings: ArcSwap<Holdings>,
    adopting: Mutex<()>,
    /// Whether the start of this run is on record; held while the journal is compared with a mirror.
    pub(crate) starting: tokio::sync::Mutex<bool>,
    pub(crate) epochs: EpochKeeper,
    pub(crate) stops: StopKeeper,
    pub(crate) products: Arc<Products>,
    pub(crate) loader: Loader,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) noisy: Arc<Answers>,
    pub(crate) subjects: Arc<SubjectWindows>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) retries: Retries<Recorded<Answer>>,
    pub(crate) connections: Connections,
    pub(crate) observe: Observe,
    /// Work that waits for the disk, off the async threads. The journal closes when it has ended.
    pub(crate) blocking: TaskTracker,
    retry_key: hmac::Key,
    /// What is to be recorded but could not be yet, since the journal was not compared with its mirror.
    unrecorded: Mutex<VecDeque<Draft>>,
    /// Held while the queue is written, so that its order is the log's.
    recording: tokio::sync::Mutex<()>,
    /// Whether loads wait for their first records: until then nothing may answer from them.
    loads_unrecorded: AtomicBool,
    /// Set once, when the mirror contradicts this node: it answers nothing more until a person has looked.
    contradicted: AtomicBool,
    /// Set while the stream is ended: no call is begun any more.
    pub(crate) ending: AtomicBool,
    /// The unit's order that ends the stream, while it is not carried out.
    pub(crate) pending: Mutex<Option<Pending>>,
    /// The stream has ended, and what the next one takes over is durable: serving ends, and the node opens anew.
    pub(crate) succeeded: CancellationToken,
}

/// One consistent view of everything that a decision depends on.
pub(crate) struct View {
    now: Timestamp,
    monotonic: Duration,
    clock: ClockState,
    reconciled: bool,
    stops: Arc<Stops>,
    epoch: Option<Arc<Held>>,
    holdings: Arc<Holdings>,
}

impl View {
    pub(crate) fn as_node_facts<'a>(&'a self, node: &'a Node) -> NodeFacts<'a> {
        NodeFacts {
            node: &node.config.id,
            now: self.now,
            monotonic: self.monotonic,
            clock: self.clock,
            reconciled: self.reconciled,
            stops: &self.stops,
            epoch: self.epoch.as_deref(),
            holdings: &self.holdings,
        }
    }

    pub(crate) fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn clock(&self) -> ClockState {
        self.clock
    }

    pub(crate) fn epoch(&self) -> Option<&Held> {
        self.epoch.as_deref()
    }

    /// How old the list of what is revoked is.
    pub(crate) fn epoch_age(&self) -> Option<Duration> {
        let held = self.epoch.as_deref()?;
        Some(held.age(self.now, self.monotonic))
    }

    pub(crate) fn stops(&self) -> &Stops {
        &self.stops
    }
}

impl Node {
    /// This node's id.
    pub fn id(&self) -> &NodeId {
        &self.config.id
    }

    /// The journal, for those who ship, audit or test it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The configuration that it runs with.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Live connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Where metrics and health are served, once they are.
    pub fn observe_address(&self) -> Option<SocketAddr> {
        self.observe.address()
    }

    /// Whether calls may be answered at all: journal and mirror were compared since the start and do not contradict
    /// each other, what was loaded meanwhile is on record, and the unit's stop orders are all there. A journal that was
    /// taken back from the mirror may know of orders that the disk lost; terms that allow answers without the mirror
    /// must not let those through.
    pub fn ready(&self) -> bool {
        // In this order: once the journal is reconciled, its floor only follows orders that are already in force.
        self.journal.reconciled()
            && !self.contradicted.load(Ordering::SeqCst)
            && !self.is_ending()
            && !self.loads_unrecorded.load(Ordering::SeqCst)
            && self.stops.current().number() >= self.journal.stop_floor()
    }

    /// Whether all answering has ended until the next start.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.contradicted.load(Ordering::SeqCst)
    }

    /// Ends all answering until the next start.
    pub(crate) fn contradict(&self) {
        self.contradicted.store(true, Ordering::SeqCst);
    }

    /// Everything that one decision depends on, at one moment.
    pub(crate) fn facts(&self) -> View {
        let reconciled = self.ready();
        // Read before the list itself, which is in force before it is on record.
        let epoch_floor = self.journal.epoch_floor();
        let is_current = |held: &Arc<Held>| held.epoch.number >= epoch_floor;
        View {
            now: self.clock.now().max(self.journal.time_floor()),
            monotonic: self.clock.monotonic(),
            clock: self.journal.clock_state(),
            reconciled,
            stops: self.stops.current(),
            epoch: self.epochs.held().filter(is_current),
            holdings: self.holdings.load_full(),
        }
    }

    /// What is held, for status and tests.
    pub fn holdings(&self) -> Arc<Holdings> {
        self.holdings.load_full()
    }

    /// How many products are open.
    pub fn products_open(&self) -> usize {
        self.products.len()
    }

    /// Number of the revocation epoch in force.
    pub fn epoch(&self) -> Option<u64> {
        self.epochs.held().map(|held| held.epoch.number)
    }

    /// Keyed tag of a request: equal for a retry, and says nothing without the node's own key. Caller and call id are
    /// part of it, so that two calls about the same subject do not show the same tag in the log.
    pub(crate) fn request_tag(&self, caller: &PartyId, call: CallId, canonical: &[u8]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.retry_key);
        context.update(&call.0);
        context.update(caller.as_str().as_bytes());
        context.update(&[0]);
        context.update(canonical);
        let tag = context.sign();
        tag.as_ref()[..16]
            .try_into()
            .expect("an HMAC-SHA-256 tag has 32 bytes")
    }
}
