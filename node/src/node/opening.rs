//! How a node opens: configuration, keys, journal, what earlier runs stored.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use lingqu_core::Clock;
use lingqu_core::envelope::SignedBy;
use lingqu_core::grant::Environment;
use lingqu_core::product::PRODUCT_TYPE;
use lingqu_guard::GuardLimits;
use lingqu_journal::{FatalHook, FileStore, Journal, JournalOptions};
use lingqu_proto::decode_envelope;
use lingqu_transport::{Connections, signing_key};
use ring::hmac;
use tokio_util::task::TaskTracker;

use super::Node;
use super::taking_in::object_path;
use crate::admission::epoch::EpochKeeper;
use crate::admission::holdings::{Holdings, Pinned};
use crate::admission::retries::Retries;
use crate::admission::throttle::Throttle;
use crate::config::NodeConfig;
use crate::observe::Observe;
use crate::products::{ProductLimits, Products, Resource};
use crate::sources::ParquetFile;
use crate::state::{State, StateUnusable, create_dir, write_file};
use crate::stops::{StopKeeper, StopsUnreadable};

/// Name of the file that enrolment leaves: the origin of the stream that this node writes.
const ORIGIN_FILE: &str = "stream-origin";

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
    /// A stored object is not what was stored, or the unit has another key now. Restore the file; or remove it, if what
    /// it once replaced may hold again.
    #[error("the stored object `{0}` is damaged, or not signed with the unit's present key")]
    Object(PathBuf),
    /// The settings of metrics and traces cannot be used.
    #[error(transparent)]
    Observe(#[from] lingqu_telemetry::SettingsRefused),
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
        config.observe.check()?;
        let origin = Node::read_origin(&config).ok_or(OpenError::NotEnrolled)?;
        let state = State::open(&config.data_dir, config.state_key()?.as_ref())?;
        if state.keys().is_none() {
            tracing::warn!("no state key is configured: the state directory is in clear");
        }
        create_dir(&config.data_dir.join("objects"))?;
        let limits = &config.limits;
        let journal = Journal::open_with(
            JournalOptions {
                origin,
                signer: Arc::new(signing_key::read(&config.keys.log)?),
                mirror_key: config.trust.mirror_key.clone(),
                clock: Arc::clone(&clock),
                limits: limits.journal(),
                on_fatal,
            },
            Box::new(FileStore::open(config.data_dir.join("journal"))?),
            state.keys(),
        )?;
        let pinned = pinned(&config);
        let epochs = EpochKeeper::open(
            &state,
            config.trust.coordinator_key.clone(),
            Arc::clone(&clock),
            journal.epoch_floor(),
        );
        let stops = StopKeeper::open(&state, &pinned, journal.stop_floor())?;
        let node = Node {
            products: Arc::new(products(&config)?),
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
            unrecorded: Mutex::default(),
            recording: tokio::sync::Mutex::default(),
            contradicted: AtomicBool::new(false),
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
        node.record_loads(node.prepare_products());
        Ok(Arc::new(node))
    }

    /// The stream origin that enrolment left; none before it.
    pub fn read_origin(config: &NodeConfig) -> Option<String> {
        let text = std::fs::read_to_string(config.data_dir.join(ORIGIN_FILE)).ok()?;
        Some(text.trim().to_owned())
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

fn products(config: &NodeConfig) -> Result<Products, OpenError> {
    let per_key = NonZeroU8::new(config.limits.rows_per_key_max);
    let resources = config
        .resources
        .iter()
        .map(|resource| {
            let environments = environments(&resource.environments)
                .ok_or(OpenError::Setting("resource.environments"))?;
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
                environments,
                register: Arc::new(file),
            })
        })
        .collect::<Result<Vec<_>, OpenError>>()?;
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

/// The environments of one resource. Sample data and production data never share one: what is tried out on samples must
/// not be able to reach anything else.
fn environments(words: &[String]) -> Option<Vec<Environment>> {
    let named: Vec<Environment> = words
        .iter()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let is_mixed = named.len() > 1 && named.contains(&Environment::Test);
    let is_doubled = (1..named.len()).any(|i| named[..i].contains(&named[i]));
    (!named.is_empty() && !is_mixed && !is_doubled).then_some(named)
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
