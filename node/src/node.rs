//! The node as a whole: what it holds, how it opens, and how it takes in what it is given.

use std::collections::VecDeque;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use lingqu_core::decide::ClockState;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Environment;
use lingqu_core::product::Load;
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::stop::{StopScope, Stops};
use lingqu_core::{CallId, Clock, ErrorCode, NodeId, PartyId, Timestamp};
use lingqu_journal::{FatalHook, FileStore, Journal, JournalLimits, JournalOptions, Recorded};
use lingqu_proto::{decode_envelope, encode_envelope};
use lingqu_transport::Connections;
use lingqu_transport::signing_key;
use ring::hmac;

use crate::admission::admit::NodeFacts;
use crate::admission::epoch::{EpochKeeper, Held};
use crate::admission::holdings::{Adopted, Holdings, Pinned};
use crate::admission::retries::Retries;
use crate::admission::throttle::Throttle;
use crate::call::Answer;
use crate::config::NodeConfig;
use crate::products::{Products, Resource};
use crate::sources::ParquetFile;
use crate::state::{create_dir, read_all, write_durably};
use crate::stops::{StopKeeper, StopsUnreadable};

/// Name of the file that enrolment leaves: the origin of the stream that this node writes.
const ORIGIN_FILE: &str = "stream-origin";

/// A node, open and able to serve.
pub struct Node {
    // Dependencies.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    // Configuration.
    pub(crate) config: NodeConfig,
    pub(crate) pinned: Pinned,
    // What it holds. Written by `adopt_*` and `carry_out`, read by every call.
    holdings: ArcSwap<Holdings>,
    adopting: Mutex<()>,
    pub(crate) epochs: EpochKeeper,
    pub(crate) stops: StopKeeper,
    pub(crate) products: Arc<Products>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) retries: Retries<Recorded<Answer>>,
    pub(crate) connections: Connections,
    retry_key: hmac::Key,
    /// What is to be recorded but could not be yet, since the journal was not compared with its mirror.
    unrecorded: Mutex<VecDeque<Draft>>,
    /// Held while the queue is written, so that its order is the log's.
    recording: tokio::sync::Mutex<()>,
    /// Set once, when the mirror contradicts this node: it answers nothing more until a person has looked.
    contradicted: AtomicBool,
}

/// Why a node does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// State files cannot be read or written.
    #[error("state directory: {0}")]
    State(#[from] std::io::Error),
    /// It was never enrolled.
    #[error("this node is not enrolled: `{ORIGIN_FILE}` is missing in the state directory")]
    NotEnrolled,
    /// A key file is unusable.
    #[error(transparent)]
    Key(#[from] signing_key::KeyUnreadable),
    /// The journal is locked, corrupt or not this node's.
    #[error(transparent)]
    Journal(#[from] lingqu_journal::OpenError),
    /// The journal's files cannot be opened.
    #[error(transparent)]
    Store(#[from] lingqu_journal::StoreError),
    /// The stop orders cannot be used.
    #[error(transparent)]
    Stops(#[from] StopsUnreadable),
    /// A setting has an impossible value.
    #[error("`{0}` has an impossible value")]
    Setting(&'static str),
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
}

impl Node {
    /// Opens the node on its state directory. Nothing is signed or answered before [`crate::ship`] has compared the
    /// journal with its mirror.
    pub fn open(
        config: NodeConfig,
        clock: Arc<dyn Clock>,
        on_fatal: FatalHook,
    ) -> Result<Arc<Node>, OpenError> {
        create_dir(&config.data_dir)?;
        create_dir(&config.data_dir.join("objects"))?;
        let origin = std::fs::read_to_string(config.data_dir.join(ORIGIN_FILE))
            .map_err(|_| OpenError::NotEnrolled)?;
        let limits = &config.limits;
        let journal = Journal::open(
            JournalOptions {
                origin: origin.trim().to_owned(),
                signer: Arc::new(signing_key::read(&config.keys.log)?),
                mirror_key: config.trust.mirror_key.clone(),
                clock: Arc::clone(&clock),
                limits: JournalLimits {
                    segment_len: limits.journal_segment_bytes,
                    // A frame travels whole, and must fit into the mirror's largest batch.
                    frame_bytes_max: 1 << 20,
                    batch_bytes_max: 1 << 20,
                    batch_entries_max: 4_096,
                    queue_max: limits.journal_queue_max,
                    ..JournalLimits::default()
                },
                on_fatal,
            },
            Box::new(FileStore::open(config.data_dir.join("journal"))?),
        )?;
        let pinned = pinned(&config);
        let epochs = EpochKeeper::open(
            &config.data_dir,
            config.trust.coordinator_key.clone(),
            Arc::clone(&clock),
            journal.epoch_floor(),
        );
        let stops = StopKeeper::open(&config.data_dir, &pinned, journal.stop_floor())?;
        let node = Node {
            products: Arc::new(products(&config)?),
            throttle: Throttle::new(limits.calls_per_party_max, limits.denials_per_minute_max),
            retries: Retries::new(
                limits.answers_kept_max,
                Duration::from_secs(limits.answers_kept_s),
            ),
            retry_key: retry_key(&config)?,
            connections: Connections::new(),
            holdings: ArcSwap::default(),
            adopting: Mutex::new(()),
            unrecorded: Mutex::default(),
            recording: tokio::sync::Mutex::default(),
            contradicted: AtomicBool::new(false),
            epochs,
            stops,
            pinned,
            journal,
            clock,
            config,
        };
        node.load_objects()?;
        node.record_unlogged();
        node.record_loads(node.prepare_products());
        Ok(Arc::new(node))
    }

    /// Leaves the stream origin that enrolment gave, for [`Node::open`].
    pub fn write_origin(config: &NodeConfig, origin: &str) -> std::io::Result<()> {
        create_dir(&config.data_dir)?;
        write_durably(&config.data_dir.join(ORIGIN_FILE), origin.as_bytes())
    }

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

    /// Whether calls may be answered at all: journal and mirror were compared since the start and do not contradict
    /// each other, and the unit's stop orders are all there. A journal that was taken back from the mirror may know of
    /// orders that the disk lost; terms that allow answers without the mirror must not let those through.
    pub fn ready(&self) -> bool {
        // In this order: once the journal is reconciled, its floor only follows orders that are already in force.
        self.journal.reconciled()
            && !self.contradicted.load(Ordering::SeqCst)
            && self.stops.current().number() >= self.journal.stop_floor()
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

    /// Takes in a signed object. Refused ones change nothing but the code that a call under them is told.
    /// Blocking: it writes a file and may read a register.
    pub fn adopt(&self, envelope: &Envelope, filing: Option<&Envelope>) -> Result<(), ErrorCode> {
        let adopting = self.adopting.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.holdings.load_full();
        let (next, adopted) = match current.adopt(&self.pinned, envelope, filing) {
            Ok(None) => return Ok(()),
            Ok(Some(adopted)) => adopted,
            Err(code) => {
                if let Some(next) = current.with_refused(envelope, code) {
                    self.holdings.store(Arc::new(next));
                }
                tracing::warn!(%code, kind = envelope.payload_type, "a signed object was refused");
                return Err(code);
            }
        };
        // What replaces something is taken in also when there is no room: a newer policy or grant may be narrower.
        if next.len() > current.len() && next.len() > self.config.limits.objects_max {
            return Err(ErrorCode::Overloaded);
        }
        self.store_object(envelope, filing, &adopted)
            .map_err(|error| {
                tracing::error!(%error, "cannot store a signed object");
                ErrorCode::Internal
            })?;
        self.holdings.store(Arc::new(next));
        drop(adopting);
        self.record(adopted_draft(&adopted));
        if adopted.kind != "grant" {
            self.record_loads(self.prepare_products());
        }
        Ok(())
    }

    /// Takes in a revocation epoch. Blocking: it writes a file.
    pub fn adopt_epoch(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        match self.epochs.adopt(envelope) {
            Ok(None) => Ok(()),
            Ok(Some(number)) => {
                let clear = Clear::default()
                    .text(Field::Action, "epoch")
                    .number(Field::Epoch, number)
                    .bytes(Field::ObjectDigest, &envelope.digest().0);
                self.record(change(clear));
                Ok(())
            }
            Err(code) => {
                tracing::error!(%code, "a revocation list was refused");
                Err(code)
            }
        }
    }

    /// Carries out a stop order of the unit, at once and without the coordinator. Blocking: it writes a file.
    pub fn carry_out(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        let order = self.stops.carry_out(envelope, &self.pinned)?;
        if let (false, StopScope::Party(party)) = (order.lift, &order.scope) {
            self.connections
                .cut(&lingqu_transport::PeerId::Party(party.clone()));
        }
        let clear = Clear::default()
            .text(Field::Action, if order.lift { "lift" } else { "stop" })
            .number(Field::StopNumber, order.number)
            .bytes(Field::ObjectDigest, &envelope.digest().0);
        self.record(change(clear));
        Ok(())
    }

    /// Keeps a draft until the journal may write it; [`Node::record_pending`] then does.
    fn record(&self, draft: Draft) {
        self.unrecorded_queue().push_back(draft);
    }

    fn unrecorded_queue(&self) -> MutexGuard<'_, VecDeque<Draft>> {
        self.unrecorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force since before a crash but missed its record: the file was durable, the journal's entry was not.
    fn record_unlogged(&self) {
        if let Some(held) = self.epochs.held()
            && held.epoch.number > self.journal.epoch_floor()
        {
            let clear = Clear::default()
                .text(Field::Action, "epoch")
                .number(Field::Epoch, held.epoch.number);
            self.record(change(clear));
        }
        let number = self.stops.current().number();
        if number > self.journal.stop_floor() {
            let clear = Clear::default()
                .text(Field::Action, "stop")
                .number(Field::StopNumber, number);
            self.record(change(clear));
        }
    }

    fn record_loads(&self, loads: Vec<Load>) {
        for load in loads {
            let mut draft = Draft::new(Kind::Load);
            draft.clear = Clear::default()
                .text(Field::Resource, &load.resource)
                .text(Field::Load, load.id.as_str())
                .number(Field::AsOf, u64::try_from(load.as_of.0).unwrap_or(0))
                .number(Field::Count, load.rows)
                .bytes(Field::ObjectDigest, &load.digest.0);
            self.record(draft);
        }
    }

    /// Appends what waits, in order. Called when the journal is ready and after each change.
    pub async fn record_pending(&self) {
        let _in_order = self.recording.lock().await;
        loop {
            if !self.journal.reconciled() {
                return;
            }
            let Some(waiting) = self.unrecorded_queue().front().cloned() else {
                return;
            };
            // It is taken off the queue only once it is durable.
            if let Err(error) = self.journal.append(waiting).await {
                tracing::error!(%error, "an authorization change could not be recorded");
                return;
            }
            self.unrecorded_queue().pop_front();
        }
    }

    fn prepare_products(&self) -> Vec<Load> {
        self.products
            .prepare(|| self.holdings.load().approved().map(Arc::clone).collect())
    }

    /// Re-adopts what earlier runs stored. Every signature is checked again: the files prove nothing by being there.
    fn load_objects(&self) -> Result<(), OpenError> {
        let dir = self.config.data_dir.join("objects");
        let filings: std::collections::BTreeMap<_, _> =
            read_all(&dir, "filing")?.into_iter().collect();
        let mut holdings = Holdings::default();
        for (path, bytes) in read_all(&dir, "env")? {
            let Ok(envelope) = decode_envelope(&bytes) else {
                tracing::warn!("a stored object cannot be read and is left out");
                continue;
            };
            let filing = filings
                .get(&path.with_extension("filing"))
                .and_then(|b| decode_envelope(b).ok());
            match holdings.adopt(&self.pinned, &envelope, filing.as_ref()) {
                Ok(Some((next, _))) => holdings = next,
                Ok(None) => {}
                Err(code) => tracing::warn!(%code, "a stored object is left out"),
            }
        }
        self.holdings.store(Arc::new(holdings));
        Ok(())
    }

    fn store_object(
        &self,
        envelope: &Envelope,
        filing: Option<&Envelope>,
        adopted: &Adopted,
    ) -> std::io::Result<()> {
        let stem = self
            .config
            .data_dir
            .join("objects")
            .join(hex::encode(adopted.digest.0));
        if let Some(filing) = filing {
            write_durably(&stem.with_extension("filing"), &encode_envelope(filing))?;
        }
        write_durably(&stem.with_extension("env"), &encode_envelope(envelope))
    }
}

fn change(clear: Clear) -> Draft {
    let mut draft = Draft::new(Kind::AuthorizationChange);
    draft.clear = clear;
    draft
}

fn adopted_draft(adopted: &Adopted) -> Draft {
    let clear = Clear::default()
        .text(Field::Action, adopted.kind)
        .text(Field::Subject, &adopted.subject)
        .bytes(Field::ObjectDigest, &adopted.digest.0)
        .text(
            Field::FilingNumber,
            adopted.filing.as_deref().unwrap_or_default(),
        );
    change(clear)
}

fn pinned(config: &NodeConfig) -> Pinned {
    let agencies = config.trust.agencies.iter();
    Pinned {
        node: config.id.clone(),
        unit: config.unit.clone(),
        unit_key: config.trust.unit_key.clone(),
        agencies: agencies
            .map(|agency| (agency.id.clone(), agency.key.clone()))
            .collect(),
        coordinator_key: config.trust.coordinator_key.clone(),
    }
}

fn products(config: &NodeConfig) -> Result<Products, OpenError> {
    let per_key = NonZeroU8::new(config.limits.rows_per_key_max);
    let resources = config
        .resources
        .iter()
        .map(|resource| {
            let environment = match resource.environment.as_str() {
                "TEST" => Environment::Test,
                "PROD_DEBUG" => Environment::ProdDebug,
                "PROD" => Environment::Prod,
                _ => return Err(OpenError::Setting("resource.environment")),
            };
            let file = ParquetFile {
                resource: resource.name.clone(),
                path: resource.path.clone(),
                as_of: resource
                    .as_of
                    .parse()
                    .map_err(|_| OpenError::Setting("resource.as_of"))?,
                rows_max: config.limits.rows_max,
            };
            Ok(Resource {
                name: resource.name.clone(),
                environment,
                register: Arc::new(file),
            })
        })
        .collect::<Result<Vec<_>, OpenError>>()?;
    let per_key = per_key.ok_or(OpenError::Setting("limits.rows_per_key_max"))?;
    Ok(Products::new(resources, config.limits.rows_max, per_key))
}

/// The key of the retry tags, made at the first start. Tags in the journal would mean nothing under another key.
fn retry_key(config: &NodeConfig) -> Result<hmac::Key, OpenError> {
    let path = config.data_dir.join("retry.key");
    let mut key = [0; 32];
    match std::fs::read(&path) {
        Ok(bytes) => {
            key = bytes
                .try_into()
                .map_err(|_| OpenError::Setting("retry.key"))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key)
                .map_err(|_| OpenError::Setting("retry.key"))?;
            write_durably(&path, &key)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}
