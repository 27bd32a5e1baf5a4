//! `node.toml`: this struct is its manual. Unknown keys are refused; relative paths are relative to the file.

mod mirrors;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lingqu_core::{CoordinatorId, NodeId, PartyId, Region};
use lingqu_journal::{JournalLimits, StateKey, StateKeyUnreadable};
use lingqu_tlog::{Intl, Suite, VerifierKey};
use lingqu_transport::TlsFiles;
use serde::Deserialize;

pub(crate) use mirrors::MirrorAddress;
pub use mirrors::MirrorSection;

/// Everything a node is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// This node's id, as in its certificate and its enrolment.
    #[serde(deserialize_with = "typed")]
    pub id: NodeId,
    /// The unit that owns it.
    #[serde(deserialize_with = "typed")]
    pub unit: PartyId,
    /// Statistical division code of the unit.
    #[serde(deserialize_with = "typed")]
    pub region: Region,
    /// Where journal and state live. Created with access for the owner only.
    pub data_dir: PathBuf,
    /// Address that callers reach. Default `127.0.0.1:7443`.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Unix socket of the local control. Default `admin.sock` in `data_dir`.
    pub admin_socket: Option<PathBuf>,
    /// Certificate, key and trusted authorities.
    pub tls: TlsFiles,
    /// The node's own signing keys.
    pub keys: KeysSection,
    /// Whom the node believes. Nothing else makes it answer.
    pub trust: TrustSection,
    /// How the coordinator is reached.
    pub coordinator: CoordinatorSection,
    /// Further mirrors of the node's stream, besides the coordinator's; at most seven. None by default.
    #[serde(default, rename = "mirror")]
    pub mirrors: Vec<MirrorSection>,
    /// Where it may read.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceSection>,
    /// The resources that it may read.
    #[serde(default, rename = "resource")]
    pub resources: Vec<ResourceSection>,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsSection,
    /// Metrics, health and traces; off unless configured.
    #[serde(default)]
    pub observe: lingqu_telemetry::Settings,
    /// The directory that relative paths are relative to; from where the file lies.
    #[serde(skip)]
    pub base: PathBuf,
}

/// The node's own signing keys: PKCS#8 PEM, Ed25519.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysSection {
    /// Signs checkpoints of the node's stream. Never the TLS key, never the unit's approval key.
    pub log: PathBuf,
    /// The key that signs the next stream, where the unit has ordered another one. Beside `log` until that stream has begun;
    /// then it is the one to be named there.
    #[serde(default)]
    pub log_next: Option<PathBuf>,
    /// Seals the state directory: a file with 64 hexadecimal digits, readable by its owner only, outside
    /// `data_dir`. Without it, and without `state_env`, the state lies in clear.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// Name of the environment variable that holds the state key instead of a file.
    #[serde(default)]
    pub state_env: Option<String>,
}

/// Pinned keys. A signature by any other key counts for nothing, whoever vouches for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustSection {
    /// The unit's approval key (32 bytes, hex): policies, approvals, grants and stops need its signature.
    #[serde(deserialize_with = "public_key")]
    pub unit_key: Vec<u8>,
    /// Operating agencies that the unit accepts.
    #[serde(rename = "agency")]
    pub agencies: Vec<AgencySection>,
    /// Regulators to whom the details of calls are sealed, where a policy keeps them, and whose orders to open them are
    /// obeyed. None by default; such a policy's products then answer nothing.
    #[serde(default, rename = "regulator")]
    pub regulators: Vec<RegulatorSection>,
    /// The coordinator's signing key (hex): filings and revocation epochs. What it signs only ever
    /// narrows what the unit has signed.
    #[serde(deserialize_with = "public_key")]
    pub coordinator_key: Vec<u8>,
    /// The cosignature key of the coordinator's mirror as a C2SP verifier key.
    #[serde(deserialize_with = "typed")]
    pub mirror_key: VerifierKey<Intl>,
    /// How many mirrors must have cosigned a call's record before it counts as mirrored, the coordinator's counted like
    /// any other. Default: all. With fewer, `head_key` has to be pinned: what leaves while the coordinator is away must
    /// stand in its head log within `limits.head_lag_s`, or no further call is begun.
    #[serde(default)]
    pub mirrors_min: Option<usize>,
    /// The key of the head log of this node's region as a C2SP verifier key; its name ends with `/h/` and the region's
    /// code. With it the node sees its own head in what supervisors are shown, or begins no call that waits for the
    /// mirror (`limits.head_lag_s`). Without it nothing here notices what the coordinator leaves out.
    #[serde(default, deserialize_with = "typed_optional")]
    pub head_key: Option<VerifierKey<Intl>>,
    /// A file with the witnesses of the head log and the quorum of them that must have cosigned, in the form of C2SP
    /// tlog-policy without `log` lines. Products under `witnessed` terms answer nothing without it. Only with `head_key`.
    #[serde(default)]
    pub witnesses: Option<PathBuf>,
}

/// One operating agency.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencySection {
    /// Its party id.
    #[serde(deserialize_with = "typed")]
    pub id: PartyId,
    /// Its approval key (32 bytes, hex).
    #[serde(deserialize_with = "public_key")]
    pub key: Vec<u8>,
}

/// One regulator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegulatorSection {
    /// Its party id.
    #[serde(deserialize_with = "typed")]
    pub id: PartyId,
    /// Its approval key (32 bytes, hex): signs its orders.
    #[serde(deserialize_with = "public_key")]
    pub key: Vec<u8>,
    /// Its sealing key (X25519, 32 bytes, hex), as `lingqu pki sealing-key` prints it. Used for nothing else.
    #[serde(deserialize_with = "sealing_key")]
    pub sealing_key: Vec<u8>,
}

/// Where the coordinator is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorSection {
    /// `https://host:port`.
    pub url: String,
    /// The id that its certificate must carry.
    #[serde(deserialize_with = "typed")]
    pub id: CoordinatorId,
}

/// One source, read only: a database, a directory, a bucket or an interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// Name in `[[resource]]`, 1 to 64 of `a-z 0-9 _ -`.
    pub name: String,
    /// The connector, for example `postgres`.
    pub kind: String,
    /// Other sources with the same tables, tried in this order when this one cannot be reached.
    #[serde(default)]
    pub replicas: Vec<String>,
    /// What the connector is told; each connector has a page that lists its keys. No secret stands here: keys name the
    /// files or variables that hold them.
    #[serde(default)]
    pub settings: Settings,
}

/// Settings of a connector. `Debug` shows keys only: what stands under a wrong key may be a secret.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub toml::Table);

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// One resource: a table of a source, or a Parquet file; read only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceSection {
    /// Name in products and policies.
    pub name: String,
    /// A Parquet file. Either this, or `source` and `table`.
    pub path: Option<PathBuf>,
    /// The `[[source]]` where it is read.
    pub source: Option<String>,
    /// What the source calls it: up to three names with dots between them.
    pub table: Option<String>,
    /// Environments that it serves: `TEST` alone, or `PROD`, or `PROD_DEBUG`, or both. Default `PROD` alone.
    #[serde(default = "default_environments")]
    pub environments: Vec<String>,
    /// The date that the data speaks for, RFC 3339 or `YYYY-MM-DD` at midnight UTC+8; or `load`: the source is kept up to
    /// date, and speaks for the moment at which a load began. Either this or `as_of_column`.
    pub as_of: Option<String>,
    /// The column whose latest day or instant is that date. Read for this alone if no policy opens it.
    pub as_of_column: Option<String>,
    /// `manual`, or `every` and a time such as `24h`: when it is read again by itself. Default `manual`.
    #[serde(default = "default_refresh")]
    pub refresh: String,
    /// How often the unit brings the data up to date, in days; older data is reported as stale. Default: no cycle.
    pub update_cycle_days: Option<u32>,
}

/// Bounds. Every one has a default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Open connections of those who have shown a certificate. Default 1,024, at most 65,536.
    pub connections_max: usize,
    /// Of these, connections of one party. Default 128.
    pub connections_per_peer_max: usize,
    /// Connections that have not shown a certificate; when all places are taken, an older one gives way. Default 256, at
    /// most 16,384.
    pub strangers_max: usize,
    /// Of these, connections of one address: an IPv4 address or an IPv6 network of 64 bits. Raise it up to
    /// `strangers_max` where all callers come through one address. Default 64.
    pub strangers_per_address_max: usize,
    /// Time for the first message of TLS, in seconds, at most 300. Default 3.
    pub hello_s: u64,
    /// Time for the TLS handshake, in seconds, at most 300. Default 10.
    pub handshake_s: u64,
    /// Time for HTTP/2 to be begun after the handshake, in seconds, at most 300. Default 10.
    pub opening_s: u64,
    /// Calls of one party at the same time. Default 256.
    pub calls_per_party_max: usize,
    /// Refused calls of one party per minute before further calls are turned away unread. Default 600.
    pub denials_per_minute_max: u32,
    /// Answers kept for retries. Default 65,536.
    pub answers_kept_max: usize,
    /// Memory of answers kept for retries, in bytes. Default 64 MiB.
    pub answers_kept_bytes_max: usize,
    /// How long an answer is kept for retries, in seconds. Default 600.
    pub answers_kept_s: u64,
    /// Largest request message in bytes. Default 65,536.
    pub request_bytes_max: usize,
    /// Time for the body of an HTTP request to arrive, in seconds. Default 30.
    pub request_body_s: u64,
    /// Longest SQL statement in bytes. Default 16,384.
    pub sql_bytes_max: usize,
    /// Prepared statements of one party; its oldest ones give way. Default 256.
    pub statements_per_party_max: usize,
    /// How long a prepared statement is kept after its last use, in seconds. Default 600.
    pub statements_kept_s: u64,
    /// Flight tickets of one party that are not spent; its oldest ones give way. Default 1,024.
    pub tickets_per_party_max: usize,
    /// How long a Flight ticket is good, in seconds. Default 60.
    pub tickets_kept_s: u64,
    /// Prepared statements of all parties together, and likewise tickets; the oldest of whoever has most give way.
    /// Default 16,384.
    pub tokens_max: usize,
    /// Signed objects held. Default 10,000.
    pub objects_max: usize,
    /// Rows of one resource. Default 5,000,000.
    pub rows_max: usize,
    /// Memory of one reading of a resource, in bytes. While it takes the place of the one before it, both are there.
    /// Default 2 GiB.
    pub load_bytes_max: u64,
    /// Longest time of one reading, in seconds. Default 3,600.
    pub load_seconds_max: u64,
    /// How often sources are looked at, in seconds: whether they can be read, and whether tables have changed. Default
    /// 300.
    pub source_check_s: u64,
    /// Register rows that share one key. Default 16.
    pub rows_per_key_max: u8,
    /// Memory that running statistics may hold together, in bytes, beside the loaded tables. Default 1 GiB.
    pub statistic_memory_bytes_max: usize,
    /// Largest answer of a statistic, in bytes. Default 1 MiB.
    pub statistic_result_bytes_max: usize,
    /// Most rows of one answer of a statistic. Default 10,000.
    pub statistic_rows_max: usize,
    /// Longest run of a statistic, in seconds. Default 60.
    pub statistic_seconds_max: u64,
    /// Threads that statistics run on. Default 2.
    pub statistic_threads: usize,
    /// Calendar months for which the journal of a stream is kept after its end, at least 6. In any case it is kept for six
    /// calendar months after the end of every grant with a call in it. Default 36.
    pub stream_keep_months: u16,
    /// Segment size of the journal in bytes. Default 16 MiB.
    pub journal_segment_bytes: u64,
    /// Calls waiting for the journal. Default 4,096.
    pub journal_queue_max: usize,
    /// After so many seconds without a record the node records that it is there, 10 to 3,600. Default 60.
    pub heartbeat_s: u64,
    /// Longest that a record which the mirror cosigned may be missing in the head log, in seconds, 1 to 3,600. Beyond it no
    /// call is begun under `mirrored` terms, and under `lagged` terms none when it is missing for the terms' own time
    /// longer. Only with `trust.head_key`; 30 when that is set and this is not.
    pub head_lag_s: Option<u64>,
    /// Pairs of subject and grant whose calls are counted at one time, under policies that limit them. Beyond it, calls
    /// about others are refused as `OVERLOADED` until a window ends. Default 262,144, about 32 MiB.
    pub subjects_max: usize,
    /// Bytes of kept bodies of one day, after which calls under policies that keep them are not begun. Default 1 GiB.
    pub body_day_bytes_max: u64,
    /// How often certificate files are looked at, in seconds. Default 10.
    pub tls_reload_s: u64,
}

impl Default for LimitsSection {
    fn default() -> Self {
        LimitsSection {
            connections_max: 1_024,
            connections_per_peer_max: 128,
            strangers_max: 256,
            strangers_per_address_max: 64,
            hello_s: 3,
            handshake_s: 10,
            opening_s: 10,
            calls_per_party_max: 256,
            denials_per_minute_max: 600,
            answers_kept_max: 65_536,
            answers_kept_bytes_max: 64 << 20,
            answers_kept_s: 600,
            request_bytes_max: 65_536,
            request_body_s: 30,
            sql_bytes_max: crate::serve::sql::SQL_BYTES_MAX,
            statements_per_party_max: 256,
            statements_kept_s: 600,
            tickets_per_party_max: 1_024,
            tickets_kept_s: 60,
            tokens_max: 16_384,
            objects_max: 10_000,
            rows_max: 5_000_000,
            load_bytes_max: 2 << 30,
            load_seconds_max: 3_600,
            source_check_s: 300,
            rows_per_key_max: 16,
            statistic_memory_bytes_max: 1 << 30,
            statistic_result_bytes_max: 1 << 20,
            statistic_rows_max: 10_000,
            statistic_seconds_max: 60,
            statistic_threads: 2,
            stream_keep_months: 36,
            journal_segment_bytes: 16 << 20,
            journal_queue_max: 4_096,
            heartbeat_s: 60,
            head_lag_s: None,
            subjects_max: 262_144,
            body_day_bytes_max: 1 << 30,
            tls_reload_s: 10,
        }
    }
}

impl LimitsSection {
    /// The bounds of the port that callers reach.
    pub fn listener(&self) -> lingqu_transport::Limits {
        lingqu_transport::Limits {
            connections_max: self.connections_max,
            connections_per_peer_max: self.connections_per_peer_max,
            strangers_max: self.strangers_max,
            strangers_per_address_max: self.strangers_per_address_max,
            hello_timeout: Duration::from_secs(self.hello_s),
            handshake_timeout: Duration::from_secs(self.handshake_s),
            opening_timeout: Duration::from_secs(self.opening_s),
            ..lingqu_transport::Limits::default()
        }
    }

    /// The bounds that the journal opens with.
    pub fn journal(&self) -> JournalLimits {
        JournalLimits {
            segment_len: self.journal_segment_bytes,
            // A frame travels whole, and must fit into the mirror's largest batch.
            frame_bytes_max: 1 << 20,
            batch_bytes_max: 1 << 20,
            batch_entries_max: 4_096,
            queue_max: self.journal_queue_max,
            subjects_max: self.subjects_max,
            ..JournalLimits::default()
        }
    }
}

/// Why a configuration file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigRefused {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is missing, unknown or malformed.
    #[error("`{path}`: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

impl NodeConfig {
    /// `limits.head_lag_s` where it is not set.
    pub(crate) const HEAD_LAG_S: u64 = 30;

    /// Longest that a cosigned record may be missing in the head log.
    pub fn head_lag(&self) -> Duration {
        Duration::from_secs(self.limits.head_lag_s.unwrap_or(Self::HEAD_LAG_S))
    }

    /// Reads a file and makes its paths absolute.
    pub fn read(path: &Path) -> Result<NodeConfig, ConfigRefused> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigRefused::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut config = NodeConfig::parse(&text).map_err(|source| ConfigRefused::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    /// Reads the text of a file; paths stay as written.
    pub fn parse(text: &str) -> Result<NodeConfig, toml::de::Error> {
        toml::from_str(text)
    }

    /// Makes every relative path relative to `base`.
    pub fn resolve(&mut self, base: &Path) {
        base.clone_into(&mut self.base);
        let paths = [
            &mut self.data_dir,
            &mut self.tls.cert_chain,
            &mut self.tls.key,
            &mut self.keys.log,
        ];
        let authorities = self
            .tls
            .authorities
            .iter_mut()
            .map(|authority| &mut authority.path);
        let resources = self.resources.iter_mut();
        let resources = resources.filter_map(|resource| resource.path.as_mut());
        for path in paths
            .into_iter()
            .chain(authorities)
            .chain(resources)
            .chain(&mut self.keys.state)
            .chain(&mut self.trust.witnesses)
            .chain(&mut self.admin_socket)
        {
            // `join` leaves an absolute path as it is.
            *path = base.join(&*path);
        }
    }

    /// The key that seals the state directory; none if nothing is said of it.
    ///
    /// # Errors
    /// [`crate::OpenError`] when it cannot be read, is no key, or lies inside the directory.
    pub fn state_key(&self) -> Result<Option<StateKey>, crate::OpenError> {
        match (&self.keys.state, &self.keys.state_env) {
            (None, None) => Ok(None),
            (Some(path), None) => {
                let key = StateKey::read(path)?;
                crate::state::key_outside(path, &self.data_dir)?;
                Ok(Some(key))
            }
            (None, Some(name)) => {
                let text = std::env::var(name).map_err(|_| StateKeyUnreadable::Form)?;
                Ok(Some(StateKey::parse(&zeroize::Zeroizing::new(text))?))
            }
            (Some(_), Some(_)) => Err(crate::OpenError::Setting("keys.state_env")),
        }
    }

    /// The socket of the local control.
    pub fn admin_socket(&self) -> PathBuf {
        self.admin_socket
            .clone()
            .unwrap_or_else(|| self.data_dir.join("admin.sock"))
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7443))
}

fn default_refresh() -> String {
    "manual".to_owned()
}

fn default_environments() -> Vec<String> {
    vec!["PROD".to_owned()]
}

/// Reads a text through `FromStr`.
fn typed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

/// The same where nothing may be said.
fn typed_optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    typed(deserializer).map(Some)
}

/// Reads an X25519 key in hex and refuses those to which everybody has the private half.
fn sealing_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let key = hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
    if crate::bodies::is_sealing_key(&key) {
        Ok(key)
    } else {
        Err(serde::de::Error::custom("not an X25519 public key"))
    }
}

/// Reads a public key in hex and refuses weak ones.
fn public_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let key = hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
    Intl::admit(&key).map_err(serde::de::Error::custom)?;
    Ok(key)
}
