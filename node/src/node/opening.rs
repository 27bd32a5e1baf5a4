//! How a node opens: configuration, keys, journal, what earlier runs stored.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use lingqu_core::Clock;
use lingqu_core::envelope::SignedBy;
use lingqu_core::product::PRODUCT_TYPE;
use lingqu_guard::GuardLimits;
use lingqu_journal::{FatalHook, FileStore, Journal, JournalOptions};
use lingqu_proto::decode_envelope;
use lingqu_transport::{Connections, signing_key};
use ring::hmac;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Node;
use super::taking_in::object_path;
use crate::admission::epoch::EpochKeeper;
use crate::admission::holdings::{Holdings, Pinned};
use crate::admission::retries::Retries;
use crate::admission::subjects::SubjectWindows;
use crate::admission::throttle::Throttle;
use crate::bodies::{Bodies, LAYOUT};
use crate::config::NodeConfig;
use crate::evaluate::dp::Answers;
use crate::heads;
use crate::loads::{Loader, LoaderRefused};
use crate::observe::Observe;
use crate::products::{ProductLimits, Products};
use crate::sources::sdk::Kinds;
use crate::sources::{Configured, Resource, SourcesRefused, configure};
use crate::state::{State, StateUnusable, create_dir, write_file};
use crate::stops::{StopKeeper, StopsUnreadable};
use crate::succession::{self, CurrentStream, JOURNAL, ORIGIN_FILE};

/// Bytes that a kept body takes besides request and answer, at most.
const BODY_ROOM: usize = 4_096;

/// Longest that a start waits for the first loads. A long one goes on by itself; its products open when it has ended.
const OPEN_WAIT: Duration = Duration::from_secs(20);

/// Why a node does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// State files cannot be read or written.
    #[error("state directory: {0}")]
    State(#[from] std::io::Error),
    /// The state directory is sealed otherwise than the configuration says.
    #[error(transparent)]
    Sealing(#[from] StateUnusable),
    /// There is no state key where the configuration says.
    #[error(transparent)]
    StateKey(#[from] lingqu_journal::StateKeyUnreadable),
    /// It was never enrolled.
    #[error("this node is not enrolled: `{ORIGIN_FILE}` is missing in the state directory")]
    NotEnrolled,
    /// None of the configured log keys is the stream's.
    #[error("none of the configured log keys is that of the stream `{0}`")]
    LogKey(String),
    /// A key file is unusable.
    #[error(transparent)]
    Key(#[from] signing_key::KeyUnreadable),
    /// The journal is locked, corrupt or not this node's.
    #[error(transparent)]
    Journal(#[from] lingqu_journal::OpenError),
    /// The head log cannot be followed as configured. If its key was exchanged on purpose, remove `head-log` in the state
    /// directory.
    #[error(transparent)]
    Heads(#[from] lingqu_journal::HeadTermsRefused),
    /// The journal's files cannot be opened.
    #[error(transparent)]
    Store(#[from] lingqu_journal::StoreError),
    /// The stop orders cannot be used.
    #[error(transparent)]
    Stops(#[from] StopsUnreadable),
    /// A stored object is not what was stored, or the unit has another key now. Restore the file; or remove it, if what
    /// it once replaced may hold again.
    #[error("the stored object `{0}` is damaged, or not signed with the unit's present key")]
    Object(PathBuf),
    /// The settings of metrics and traces cannot be used.
    #[error(transparent)]
    Observe(#[from] lingqu_telemetry::SettingsRefused),
    /// A source or resource cannot be used as configured.
    #[error(transparent)]
    Sources(#[from] SourcesRefused),
    /// The loader cannot be started.
    #[error(transparent)]
    Loader(#[from] LoaderRefused),
    /// A setting has an impossible value.
    #[error("`{0}` has an impossible value")]
    Setting(&'static str),
}

impl Node {
    /// Opens the node on its state directory. Nothing is signed or answered before [`crate::ship`] has compared the
    /// journal with its mirror.
    pub fn open(
        config: NodeConfig,
        clock: Arc<dyn Clock>,
        on_fatal: FatalHook,
    ) -> Result<Arc<Node>, OpenError> {
        Node::open_with(config, clock, on_fatal, &configure::kinds())
    }

    /// The same with other connectors than those of this program.
    pub fn open_with(
        config: NodeConfig,
        clock: Arc<dyn Clock>,
        on_fatal: FatalHook,
        kinds: &Kinds,
    ) -> Result<Arc<Node>, OpenError> {
        config.observe.check()?;
        let listener = config.limits.listener();
        listener.check().map_err(OpenError::Setting)?;
        let Configured { resources, .. } = configure::configure(&config, kinds)?;
        CurrentStream::read(&config.data_dir)?.ok_or(OpenError::NotEnrolled)?;
        let state = State::open(&config.data_dir, config.state_key()?.as_ref())?;
        succession::put_aside(&config, &state)?;
        let stream = CurrentStream::read(&config.data_dir)?.ok_or(OpenError::NotEnrolled)?;
        if state.keys().is_none() {
            tracing::warn!("no state key is configured: the state directory is in clear");
        }
        create_dir(&config.data_dir.join("objects"))?;
        let limits = &config.limits;
        if limits.request_bytes_max + limits.statistic_result_bytes_max + BODY_ROOM > LAYOUT.1 {
            return Err(OpenError::Setting("limits.statistic_result_bytes_max"));
        }
        let bodies = Bodies::open(&state, &config, &stream.origin)?;
        let journal = Journal::open_with(
            JournalOptions {
                signer: Arc::new(stream.signer(&config)?),
                follows: succession::follows(&stream, &state)?,
                origin: stream.origin,
                mirrors: config.mirror_terms()?,
                clock: Arc::clone(&clock),
                limits: limits.journal(),
                on_fatal,
                lost: crate::ship::lost::is_marked(&state),
            },
            Box::new(FileStore::open(config.data_dir.join(JOURNAL))?),
            state.keys(),
        )?;
        heads::follow(&journal, &config, &state)?;
        let pinned = pinned(&config);
        let epochs = EpochKeeper::open(
            &state,
            config.trust.coordinator_key.clone(),
            Arc::clone(&clock),
            journal.epoch_floor(),
        );
        let stops = StopKeeper::open(&state, &pinned, journal.stop_floor())?;
        let loader = Loader::open(&state, &resources, &pinned)?;
        let noisy = Arc::new(Answers::open(&state)?);
        let node = Node {
            products: Arc::new(products(&config, resources)?),
            loader,
            noisy,
            bodies,
            subjects: SubjectWindows::open(&state)?,
            throttle: Throttle::new(limits.calls_per_party_max, limits.denials_per_minute_max),
            retries: Retries::new(
                limits.answers_kept_max,
                limits.answers_kept_bytes_max,
                Duration::from_secs(limits.answers_kept_s),
            ),
            retry_key: retry_key(&state)?,
            connections: Connections::new(),
            observe: Observe::new(&config, &clock),
            blocking: TaskTracker::new(),
            holdings: ArcSwap::default(),
            adopting: Mutex::new(()),
            starting: tokio::sync::Mutex::default(),
            unrecorded: Mutex::default(),
            recording: tokio::sync::Mutex::default(),
            contradicted: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            pending: Mutex::new(succession::pending(&state, &pinned, journal.origin())?),
            succeeded: CancellationToken::new(),
            loads_unrecorded: AtomicBool::new(false),
            epochs,
            stops,
            pinned,
            journal,
            clock,
            state,
            config,
        };
        node.load_objects()?;
        node.record_unlogged();
        node.mark_lost()?;
        let node = Arc::new(node);
        node.begin_loading();
        node.settle(OPEN_WAIT);
        Ok(node)
    }

    /// The stream origin that enrolment left; none before it.
    pub fn read_origin(config: &NodeConfig) -> Option<String> {
        let stream = CurrentStream::read(&config.data_dir).ok().flatten();
        stream.map(|stream| stream.origin)
    }

    /// Leaves the stream origin that enrolment gave, for [`Node::open`].
    pub fn write_origin(config: &NodeConfig, origin: &str) -> std::io::Result<()> {
        create_dir(&config.data_dir)?;
        write_file(&config.data_dir.join(ORIGIN_FILE), origin.as_bytes())
    }

    /// Re-adopts what earlier runs stored. Every signature is checked again: the files prove nothing by being there.
    /// A damaged one is not left out: what it replaced lies there too and may be wider.
    fn load_objects(&self) -> Result<(), OpenError> {
        let dir = self.config.data_dir.join("objects");
        let filings: std::collections::BTreeMap<_, _> =
            self.state.read_all(&dir, "filing")?.into_iter().collect();
        let mut holdings = Holdings::default();
        for (path, bytes) in self.state.read_all(&dir, "env")? {
            let damaged = || OpenError::Object(path.clone());
            let envelope = decode_envelope(&bytes).map_err(|_| damaged())?;
            // Products have no signature of the unit; whatever else is here was stored with one.
            let is_signed = envelope.payload_type == PRODUCT_TYPE
                || envelope.signed_by(&self.pinned.unit_key) == SignedBy::Yes;
            let in_place = path == object_path(&dir, envelope.digest()).with_extension("env");
            if !is_signed || !in_place {
                return Err(damaged());
            }
            let filing = filings.get(&path.with_extension("filing"));
            let filing = filing
                .map(|bytes| decode_envelope(bytes))
                .transpose()
                .map_err(|_| damaged())?;
            match holdings.adopt(&self.pinned, &envelope, filing.as_ref()) {
                Ok(Some((next, _))) => holdings = next,
                Ok(None) => {}
                Err(code) => tracing::warn!(%code, "a stored object is left out"),
            }
        }
        self.holdings.store(Arc::new(holdings));
        Ok(())
    }
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

fn products(config: &NodeConfig, resources: Vec<Arc<Resource>>) -> Result<Products, OpenError> {
    let per_key = NonZeroU8::new(config.limits.rows_per_key_max);
    let limits = &config.limits;
    let limits = ProductLimits {
        rows_max: limits.rows_max,
        rows_per_key_max: per_key.ok_or(OpenError::Setting("limits.rows_per_key_max"))?,
        guard: GuardLimits {
            memory_bytes_max: limits.statistic_memory_bytes_max,
            rows_out_max: limits.statistic_rows_max,
            seconds_max: limits.statistic_seconds_max,
            partitions: limits.statistic_threads,
            result_bytes_max: limits.statistic_result_bytes_max,
            ..GuardLimits::default()
        },
    };
    Ok(Products::new(resources, limits))
}

/// The key of the retry tags, made at the first start. Tags in the journal would mean nothing under another key.
fn retry_key(state: &State) -> Result<hmac::Key, OpenError> {
    let path = state.dir().join("retry.key");
    let mut key = [0; 32];
    match state.read(&path) {
        Ok(bytes) => {
            key = bytes
                .try_into()
                .map_err(|_| OpenError::Setting("retry.key"))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key)
                .map_err(|_| OpenError::Setting("retry.key"))?;
            state.write(&path, &key)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}
