//! Opening a coordinator: keys, certificate, database and log, each checked against the others before anything is served.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use lingqu_core::{Clock, CoordinatorId};
use lingqu_journal::{FatalHook, FileStore};
use lingqu_transport::reload::{AuthorityFile, LoadError};
use lingqu_transport::{Connections, PeerId, ReloadableTls, TlsFiles};

use crate::Coordinator;
use crate::config::{Config, ConfigError, TlsConfig};
use crate::keys::{Keys, KeysError, Names};
use crate::mirror::files::Files;
use crate::mirror::streams::Stream;
use crate::mirror::witnesses::Witnesses;
use crate::mirror::{Mirror, MirrorOpenError, MirrorOptions};
use crate::observe::Observe;
use crate::own_stream::SettleError;
use crate::registry::nodes::stream_of;
use crate::registry::parties::{FoundingError, found};
use crate::registry::{Directory, Registry};
use crate::store::{self, Store, StoreError};

/// The setting that fixes the own stream's origin at the first start.
const OWN_ORIGIN: &str = "own_origin";

/// Why a coordinator was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be made.
    #[error("`{path}`: {source}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The founders or the own keys contradict the database.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// The certificate is another's.
    #[error("the certificate is for `{found}`, the configuration for `{expected}`")]
    Identity {
        /// Whom the certificate names.
        found: PeerId,
        /// Whom the configuration names.
        expected: CoordinatorId,
    },
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The mirror's log cannot be used.
    #[error(transparent)]
    Mirror(#[from] MirrorOpenError),
    /// Database and own stream do not fit each other.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener of metrics and health cannot be opened.
    #[error("`observe.listen`: {0}")]
    Observe(std::io::Error),
    /// The opening was interrupted.
    #[error("the opening was interrupted")]
    Task,
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] LoadError),
    /// The mirror's files cannot be used, for example because another process has them.
    #[error(transparent)]
    Files(#[from] lingqu_journal::StoreError),
}

impl Coordinator {
    /// Opens database and mirror log, replays the log, and makes good what a crash interrupted. Nothing is served yet.
    ///
    /// # Errors
    /// [`OpenError`]: nothing was changed that a later start could not continue from.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Coordinator, OpenError> {
        Coordinator::open_with(config, clock, FatalHook::default()).await
    }

    /// As [`Coordinator::open`], with what happens when the mirror's log can no longer be written; by default the process
    /// ends at once.
    ///
    /// # Errors
    /// See [`Coordinator::open`].
    pub async fn open_with(
        config: Config,
        clock: Arc<dyn Clock>,
        on_fatal: FatalHook,
    ) -> Result<Coordinator, OpenError> {
        config.check()?;
        let observe = Observe::bind(&config.observe, clock.now()).await;
        let observe = observe.map_err(OpenError::Observe)?;
        let keys = Keys::load(&config.keys)?;
        let tls = Arc::new(certificate(&config, &clock)?);
        let (segments, store) = data(&config).await?;
        let beside = Files::open(&config.data_dir.join("mirror-base"));
        let beside = beside.map_err(|source| OpenError::DataDir {
            path: config.data_dir.join("mirror-base"),
            source,
        })?;
        let names = Names::new(&config.origin_name);
        let founders = &config.founders;
        found(
            &store,
            &keys.roles(),
            config.id.as_str(),
            founders,
            clock.now(),
        )
        .await?;
        let options = MirrorOptions {
            clock: Arc::clone(&clock),
            keys: keys.clone(),
            names: names.clone(),
            limits: config.limits,
            own: own_stream(&config, &store, &keys, &names, clock.as_ref()).await?,
            streams: all_streams(&config, &store).await?,
            is_witnessed: config.witnesses.is_some(),
            evidence: config.data_dir.join("evidence"),
            on_fatal,
        };
        let witnesses = config.witnesses.as_ref().map(|one| {
            let loaded = Witnesses::load(one, &tls, Arc::clone(&clock));
            loaded.map_err(ConfigError::Witnesses)
        });
        let witnesses = witnesses.transpose()?;
        let opened = move || Mirror::open(options, Arc::new(segments), Arc::new(beside));
        let mirror = tokio::task::spawn_blocking(opened)
            .await
            .map_err(|_| OpenError::Task)??;
        let mirror = Arc::new(mirror);
        let registry = Registry::open(
            &config,
            Arc::clone(&clock),
            keys.clone(),
            store,
            Arc::clone(&mirror),
        )
        .await?;
        Ok(Coordinator {
            config: Arc::new(config),
            clock,
            keys,
            names,
            tls,
            mirror,
            registry: Arc::new(registry),
            connections: Connections::new(),
            observe: Arc::new(observe),
            witnesses: witnesses.map(Arc::new),
        })
    }
}

/// The certificate, if it is this coordinator's.
fn certificate(config: &Config, clock: &Arc<dyn Clock>) -> Result<ReloadableTls, OpenError> {
    let tls = ReloadableTls::load(tls_files(&config.tls), Arc::clone(clock))?;
    if tls.id() == PeerId::Coordinator(config.id.clone()) {
        Ok(tls)
    } else {
        Err(OpenError::Identity {
            found: tls.id(),
            expected: config.id.clone(),
        })
    }
}

/// Log files and database. The lock on the log comes first: a second process must not touch the database either.
async fn data(config: &Config) -> Result<(FileStore, Store), OpenError> {
    // Policies, grants and the clear fields of all streams lie there: it is made for the owner alone.
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir);
    made.map_err(|source| OpenError::DataDir {
        path: config.data_dir.clone(),
        source,
    })?;
    let files = FileStore::open(config.data_dir.join("mirror"))?;
    let store = Store::open(&config.data_dir.join("registry.db")).await?;
    Ok((files, store))
}

/// The own stream: its origin is fixed at the first start, like every stream's at its enrolment.
pub(crate) async fn own_stream(
    config: &Config,
    store: &Store,
    keys: &Keys,
    names: &Names,
    clock: &dyn Clock,
) -> Result<Stream, StoreError> {
    let origin = match store.setting(OWN_ORIGIN).await? {
        Some(origin) => origin,
        None => {
            let half_year = clock.now().half_year();
            let origin = names.own_stream(config.id.as_str(), &config.region, &half_year);
            let mut tx = store.begin().await?;
            store::set_setting(&mut tx, OWN_ORIGIN, &origin).await?;
            tx.commit().await?;
            origin
        }
    };
    Stream::new(
        &origin,
        config.id.as_str(),
        &config.region,
        keys.log.public_key(),
    )
    .ok_or(StoreError::Corrupt("own origin"))
}

/// The first streams of all nodes, and those of other coordinators' nodes.
async fn all_streams(config: &Config, store: &Store) -> Result<Vec<Stream>, OpenError> {
    let mut all = streams(store).await?;
    for one in &config.mirrored {
        let refused = || ConfigError::Mirrored(one.stream.name().as_str().to_owned());
        let stream = one.stream().ok_or_else(refused)?;
        // A node is enrolled here or elsewhere: two streams of one node would be written by one certificate.
        if all.iter().any(|known| known.owner == stream.owner) {
            return Err(refused().into());
        }
        all.push(stream);
    }
    Ok(all)
}

pub(crate) async fn streams(store: &Store) -> Result<Vec<Stream>, StoreError> {
    let directory = Directory::load(store).await?;
    let nodes = directory.nodes.values();
    let streams = nodes.map(|node| stream_of(node, &directory));
    streams
        .map(|stream| stream.ok_or(StoreError::Corrupt("node")))
        .collect()
}

fn tls_files(config: &TlsConfig) -> TlsFiles {
    let authorities = config.authorities.iter().map(|authority| AuthorityFile {
        name: authority.name.clone(),
        path: authority.path.clone(),
        prefixes: authority.prefixes.clone(),
    });
    TlsFiles {
        cert_chain: config.cert.clone(),
        key: config.key.clone(),
        authorities: authorities.collect(),
        allow_tls12: config.allow_tls12,
    }
}
