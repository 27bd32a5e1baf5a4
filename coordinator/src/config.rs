//! `coordinator.toml`: this struct is its manual.
//!
//! Unknown keys are refused, every number has a unit in its name and a default beside it, and relative paths are
//! relative to the file. Key files are read by [`crate::keys`]; no secret stands in the configuration itself.

mod mirrored;
mod workflow;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use lingqu_core::id::IdPrefix;
use lingqu_core::{CoordinatorId, PartyId, Region, Role};
use serde::{Deserialize, Deserializer};

pub use mirrored::MirroredConfig;
pub use workflow::{Bureau, WorkflowConfig};

/// The whole configuration of one coordinator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The coordinator's id, for example `coord_gx`. It must be the id in the TLS certificate.
    #[serde(deserialize_with = "parsed")]
    pub id: CoordinatorId,
    /// What every origin of this coordinator begins with, for example `coord.example`: a host name of its own, without
    /// scheme, spaces or `+`. It can never change, since streams are named by it.
    pub origin_name: String,
    /// Division code of the region that the coordinator serves.
    #[serde(deserialize_with = "parsed")]
    pub region: Region,
    /// Directory of the registry's database and the mirror's log. Created if it does not exist.
    pub data_dir: PathBuf,
    /// Address and port for gRPC, for example `0.0.0.0:7600`.
    pub listen: SocketAddr,
    /// Certificate, key and trusted authorities.
    pub tls: TlsConfig,
    /// One signing key for each role.
    pub keys: KeysConfig,
    /// Parties that are enrolled from the start. At least one operating agency: somebody must issue the first code.
    pub founders: Vec<Founder>,
    /// Streams of other coordinators' nodes that this one mirrors as well; none unless configured. An entry stays for as
    /// long as the log holds the stream.
    #[serde(default)]
    pub mirrored: Vec<MirroredConfig>,
    /// How the revocation epoch is renewed.
    #[serde(default)]
    pub epoch: EpochConfig,
    /// Bounds of everything that others can make grow.
    #[serde(default)]
    pub limits: Limits,
    /// How applications for authorisation are handled.
    #[serde(default)]
    pub workflow: WorkflowConfig,
    /// Witnesses of the head logs; none unless configured.
    pub witnesses: Option<WitnessConfig>,
    /// Metrics and health; off unless configured. The coordinator makes no traces, and refuses `otlp`.
    #[serde(default)]
    pub observe: lingqu_telemetry::Settings,
}

/// Who cosigns the head logs, so that this coordinator cannot show two regulators two different pasts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// A C2SP tlog-policy: a `witness` line with its URL for each, `group` lines, and the `quorum`. A URL is
    /// `https://host:port`, or `http://` with a loopback address.
    pub policy: PathBuf,
    /// Whose certificate the witness with this name has, for each with an `https` URL, for example `party_gx.bureau`.
    #[serde(default)]
    pub ids: std::collections::BTreeMap<String, String>,
    /// Milliseconds that a checkpoint waits for the quorum; default 2,000, least 1.
    #[serde(default = "witness_patience_ms")]
    pub patience_ms: u64,
    /// Whether a checkpoint without the quorum is never published; default `false`: it is, after the patience.
    #[serde(default)]
    pub required: bool,
}

fn witness_patience_ms() -> u64 {
    2_000
}

/// Where the TLS material lies. All files are PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Own certificate, then any intermediate ones.
    pub cert: PathBuf,
    /// Own private key.
    pub key: PathBuf,
    /// Who may vouch for peers.
    pub authorities: Vec<AuthorityConfig>,
    /// Also accept TLS 1.2 with AEAD suites; default `false`.
    #[serde(default)]
    pub allow_tls12: bool,
}

/// One trusted certificate authority.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityConfig {
    /// What logs call it.
    pub name: String,
    /// Its certificates.
    pub path: PathBuf,
    /// The ids it may speak for: an exact id, or a prefix that ends in `_`, `.` or `-`.
    #[serde(deserialize_with = "all_parsed")]
    pub prefixes: Vec<IdPrefix>,
}

/// Private keys, Ed25519 in PKCS #8, PEM or DER. Two equal keys are refused: a cosignature does not name its role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// Signs the checkpoints of the coordinator's own stream.
    pub log: PathBuf,
    /// Cosigns what the mirror holds.
    pub mirror: PathBuf,
    /// Signs the checkpoints of the head logs.
    pub head_log: PathBuf,
    /// Signs filings and epochs.
    pub signing: PathBuf,
}

/// A party that is enrolled without a code, by whoever writes this file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// The party.
    #[serde(deserialize_with = "parsed")]
    pub party: PartyId,
    /// Its roles, for example `["operating_agency"]`.
    #[serde(deserialize_with = "all_parsed")]
    pub roles: Vec<Role>,
    /// Division code of its region: it can enrol only what lies within.
    #[serde(deserialize_with = "parsed")]
    pub region: Region,
    /// Its approval key, 32 bytes in hexadecimal.
    pub approval_key: String,
}

/// How the revocation epoch is renewed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EpochConfig {
    /// Seconds between renewals of an unchanged epoch; default 20, least 1.
    pub renew_s: u64,
    /// Seconds for which an epoch holds; default 3,600, more than `renew_s`.
    pub valid_s: u64,
}

impl Default for EpochConfig {
    fn default() -> Self {
        EpochConfig {
            renew_s: 20,
            valid_s: 3_600,
        }
    }
}

/// Calendar months for which everything of a grant is kept after its end: no configuration says less.
pub(crate) const GRANT_KEEP_MONTHS: u16 = 6;
/// The longest term of a grant, and the six months after it.
const MIRRORED_KEEP_MONTHS_MIN: u16 = 5 * 12 + GRANT_KEEP_MONTHS;

/// Smallest segment, in bytes: room for the heads of one tick.
const SEGMENT_MIN: u64 = 128 << 10;

/// Bounds of everything that others can make grow. Each must be at least 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Records that one page of the audit page lists; default 100, at most 500.
    pub audit_rows_max: usize,
    /// Bytes of checked records that the audit page searches, over all streams; default 64 MiB, about 150,000 records.
    /// Older ones are in the log as before.
    pub audit_window_bytes_max: usize,
    /// Entries of one replicated batch; default 16,384. A node whose journal makes larger batches than these two limits
    /// allow can never replicate, so they lie above what a journal makes by default.
    pub batch_entries_max: usize,
    /// Bytes of all entries of one replicated batch; default 8 MiB.
    pub batch_bytes_max: usize,
    /// Bytes of entries in one message of a feed or of `Mirror.Entries`; default 1 MiB.
    pub chunk_bytes_max: usize,
    /// Seconds for which an enrolment code holds; default 86,400.
    pub code_valid_s: u64,
    /// Connections at a time of those who have shown a certificate; default 1,024, at most 65,536.
    pub connections_max: usize,
    /// Of these, connections of one peer; default 16. A node needs three and a party one, and both may come back before
    /// their last connection is known to be dead.
    pub connections_per_peer_max: usize,
    /// Calls that the console lists, the newest ones; default 50.
    pub console_calls_max: usize,
    /// Nodes, products and grants that the console lists, of each; default 200.
    pub console_rows_max: usize,
    /// Failed enrolments of one peer within `enrol_window_s`; default 5.
    pub enrol_failures_max: u32,
    /// Seconds after which failed enrolments are forgotten; default 600.
    pub enrol_window_s: u64,
    /// Subscriptions of regulators at a time; default 64.
    pub followers_max: usize,
    /// Seconds for the TLS handshake; default 10, at most 300.
    pub handshake_s: u64,
    /// Milliseconds between heads of a busy stream in its region's head log; default 200.
    pub head_interval_ms: u64,
    /// Seconds for the first message of TLS; default 3, at most 300.
    pub hello_s: u64,
    /// Bytes of one received message of a replicating node; default 16 MiB, at least twice `batch_bytes_max`.
    pub message_bytes_max: usize,
    /// Calendar months, from its end on, for which a past stream of a `[[mirrored]]` node is kept at least, if
    /// `stream_keep_months` lets anything be dropped; default and least 66. Its grants were filed elsewhere and nobody here
    /// knows their ends: these are the longest term of a grant, five years, and the six months after it.
    pub mirrored_keep_months: u16,
    /// Seconds for HTTP/2 to be begun after the handshake; default 10, at most 300.
    pub opening_s: u64,
    /// Seconds after which a subscriber that takes nothing is disconnected; default 30.
    pub push_timeout_s: u64,
    /// Bytes of batches that wait for the disk, over all streams; default 64 MiB, at least `batch_bytes_max`.
    pub queue_bytes_max: usize,
    /// Batches and own acts that wait for the disk, over all streams; default 256.
    pub queue_max: usize,
    /// Bytes of one preallocated segment of the mirror's log, a multiple of 4,096; default 128 MiB, at least four times
    /// `batch_bytes_max`. Never lower it: what was written with more cannot be read with less.
    pub segment_bytes: u64,
    /// Calendar months, from its end on, for which a past stream is kept at least; nothing is ever dropped unless it is
    /// given, and then at least 6. Six months after the end of each of its grants are kept in any case.
    pub stream_keep_months: Option<u16>,
    /// Connections that have not shown a certificate; default 256, at most 16,384. When all places are taken, an older
    /// one gives way.
    pub strangers_max: usize,
    /// Of these, connections of one address: an IPv4 address or an IPv6 network of 64 bits; default 64. Raise it up to
    /// `strangers_max` where all peers come through one address.
    pub strangers_per_address_max: usize,
    /// Nodes that watch epochs and filings at a time, that replicate, and that read back; default 1,024.
    pub watchers_max: usize,
    /// Unanswered batches of one replicating node; default 8.
    pub window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            audit_rows_max: 100,
            audit_window_bytes_max: 64 << 20,
            batch_entries_max: 16_384,
            batch_bytes_max: 8 << 20,
            chunk_bytes_max: 1 << 20,
            code_valid_s: 86_400,
            connections_max: 1_024,
            connections_per_peer_max: 16,
            console_calls_max: 50,
            console_rows_max: 200,
            enrol_failures_max: 5,
            enrol_window_s: 600,
            followers_max: 64,
            handshake_s: 10,
            head_interval_ms: 200,
            hello_s: 3,
            message_bytes_max: 16 << 20,
            mirrored_keep_months: MIRRORED_KEEP_MONTHS_MIN,
            opening_s: 10,
            push_timeout_s: 30,
            queue_bytes_max: 64 << 20,
            queue_max: 256,
            segment_bytes: 128 << 20,
            stream_keep_months: None,
            strangers_max: 256,
            strangers_per_address_max: 64,
            watchers_max: 1_024,
            window: 8,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A number is out of its bounds.
    #[error("`{0}` is out of bounds")]
    Bound(&'static str),
    /// The file cannot be read.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No founder is an operating agency, or one is named twice.
    #[error("`founders` names no operating agency, or one party twice")]
    Founders,
    /// An entry under `mirrored` names a stream twice, one of this coordinator's own, or no stream.
    #[error("`mirrored`: `{0}` is named twice, is this coordinator's own, or is no stream")]
    Mirrored(String),
    /// There is nothing to trace.
    #[error("the coordinator makes no traces: remove `observe.otlp`")]
    NoTraces,
    /// The section of metrics and health cannot be used.
    #[error(transparent)]
    Observe(#[from] lingqu_telemetry::SettingsRefused),
    /// The origin name cannot begin an origin.
    #[error("`origin_name` must be a name without scheme, slash, space or `+`")]
    OriginName,
    /// Not the TOML of a configuration.
    #[error("not a coordinator's configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// The witnesses' policy cannot be used.
    #[error("`witnesses`: {0}")]
    Witnesses(String),
}

impl Config {
    /// Reads a configuration file; relative paths in it are taken from the file's directory.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key or the line.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        Config::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a configuration; relative paths in it are taken from `base`.
    ///
    /// # Errors
    /// See [`Config::load`].
    pub fn parse(text: &str, base: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text)?;
        config.rebase(base);
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot: bounds, founders and the origin name.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let forbidden = |c: char| c == '+' || c == '/' || c.is_whitespace() || c.is_control();
        // The name, the id, the region and the half-year must fit a key name of 255 bytes.
        if !(1..=100).contains(&self.origin_name.len()) || self.origin_name.contains(forbidden) {
            return Err(ConfigError::OriginName);
        }
        let agency = |founder: &Founder| founder.roles.contains(&Role::OperatingAgency);
        let ids: std::collections::BTreeSet<_> =
            self.founders.iter().map(|founder| &founder.party).collect();
        if !self.founders.iter().any(agency) || ids.len() != self.founders.len() {
            return Err(ConfigError::Founders);
        }
        if self.epoch.renew_s == 0 || self.epoch.valid_s <= self.epoch.renew_s {
            return Err(ConfigError::Bound("epoch.renew_s, epoch.valid_s"));
        }
        if self
            .witnesses
            .as_ref()
            .is_some_and(|one| one.patience_ms == 0)
        {
            return Err(ConfigError::Bound("witnesses.patience_ms"));
        }
        mirrored::check(&self.mirrored, &self.origin_name)?;
        self.workflow.check()?;
        self.observe.check()?;
        if self.observe.otlp.is_some() {
            return Err(ConfigError::NoTraces);
        }
        self.limits.check()
    }

    fn rebase(&mut self, base: &Path) {
        let paths = [
            &mut self.data_dir,
            &mut self.tls.cert,
            &mut self.tls.key,
            &mut self.keys.log,
            &mut self.keys.mirror,
            &mut self.keys.head_log,
            &mut self.keys.signing,
        ];
        let authorities = self
            .tls
            .authorities
            .iter_mut()
            .map(|authority| &mut authority.path);
        let policy = self
            .witnesses
            .as_mut()
            .map(|witnesses| &mut witnesses.policy);
        for path in paths.into_iter().chain(authorities).chain(policy) {
            // Joining an absolute path replaces the base.
            *path = base.join(&*path);
        }
    }
}

impl Limits {
    /// The bounds of the port that nodes and parties reach.
    pub(crate) fn listener(&self) -> lingqu_transport::Limits {
        lingqu_transport::Limits {
            connections_max: self.connections_max,
            connections_per_peer_max: self.connections_per_peer_max,
            strangers_max: self.strangers_max,
            strangers_per_address_max: self.strangers_per_address_max,
            hello_timeout: Duration::from_secs(self.hello_s),
            handshake_timeout: Duration::from_secs(self.handshake_s),
            opening_timeout: Duration::from_secs(self.opening_s),
            // Each stream may keep a message of mebibytes that is not whole yet.
            streams_per_connection_max: 16,
            ..lingqu_transport::Limits::default()
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let counts = [
            ("limits.audit_rows_max", self.audit_rows_max as u64),
            (
                "limits.audit_window_bytes_max",
                self.audit_window_bytes_max as u64,
            ),
            ("limits.batch_entries_max", self.batch_entries_max as u64),
            ("limits.batch_bytes_max", self.batch_bytes_max as u64),
            ("limits.chunk_bytes_max", self.chunk_bytes_max as u64),
            ("limits.code_valid_s", self.code_valid_s),
            ("limits.console_calls_max", self.console_calls_max as u64),
            ("limits.console_rows_max", self.console_rows_max as u64),
            (
                "limits.enrol_failures_max",
                u64::from(self.enrol_failures_max),
            ),
            ("limits.enrol_window_s", self.enrol_window_s),
            ("limits.followers_max", self.followers_max as u64),
            ("limits.head_interval_ms", self.head_interval_ms),
            ("limits.push_timeout_s", self.push_timeout_s),
            ("limits.queue_bytes_max", self.queue_bytes_max as u64),
            ("limits.queue_max", self.queue_max as u64),
            ("limits.segment_bytes", self.segment_bytes),
            ("limits.watchers_max", self.watchers_max as u64),
            ("limits.window", u64::from(self.window)),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::Bound(name));
        }
        let months = self.stream_keep_months;
        if months.is_some_and(|months| months < GRANT_KEEP_MONTHS) {
            return Err(ConfigError::Bound("limits.stream_keep_months"));
        }
        if self.mirrored_keep_months < MIRRORED_KEEP_MONTHS_MIN {
            return Err(ConfigError::Bound("limits.mirrored_keep_months"));
        }
        self.listener().check().map_err(ConfigError::Bound)?;
        // The receipts of one page must fit the file that `audit verify` reads.
        if self.audit_rows_max > lingqu_core::receipt::RECEIPTS_MAX {
            return Err(ConfigError::Bound("limits.audit_rows_max"));
        }
        // The largest batch must fit a message with all that is around it, the queue, and a frame of the log.
        let batch = self.batch_bytes_max;
        if self.message_bytes_max / 2 < batch {
            return Err(ConfigError::Bound("limits.message_bytes_max"));
        }
        if self.queue_bytes_max < batch || u32::try_from(self.queue_bytes_max).is_err() {
            return Err(ConfigError::Bound("limits.queue_bytes_max"));
        }
        let segment_min = (batch as u64).saturating_mul(4).max(SEGMENT_MIN);
        if self.segment_bytes < segment_min || !self.segment_bytes.is_multiple_of(4_096) {
            return Err(ConfigError::Bound("limits.segment_bytes"));
        }
        Ok(())
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn all_parsed<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| text.parse().map_err(serde::de::Error::custom))
        .collect()
}

#[cfg(test)]
mod tests;
