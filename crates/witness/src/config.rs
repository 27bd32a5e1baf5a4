//! `witness.toml`: this struct is its manual. Unknown keys are refused; relative paths are relative to the file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lingqu_tlog::{Intl, KeyKind, KeyName, VerifierKey};
use serde::Deserialize;

/// The whole configuration of one witness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name under which it cosigns, for example `bureau.example/witness`. It can never change: those who trust the
    /// witness know it by name and key.
    pub name: String,
    /// Private key, Ed25519 in PKCS #8 PEM; used for nothing else, since a cosignature does not say in which role it was
    /// made.
    pub key: PathBuf,
    /// Directory of its state, made by `lingqu witness init`.
    pub state_dir: PathBuf,
    /// Address and port. Without `[tls]` it must be a loopback address: a proxy on the same machine may stand before it.
    pub listen: SocketAddr,
    /// Certificate, key and the authorities that vouch for those who submit. Without it: plain HTTP on loopback.
    pub tls: Option<TlsConfig>,
    /// The logs that it watches; at least one.
    #[serde(rename = "log")]
    pub logs: Vec<LogConfig>,
    /// Requests that are worked on at a time; the others are answered with 503. Default 16.
    #[serde(default = "in_flight_max")]
    pub in_flight_max: usize,
    /// Files of evidence that are kept, the oldest first; beyond it a contradiction is only logged. Default 1,000.
    #[serde(default = "evidence_max")]
    pub evidence_max: usize,
}

/// Where the TLS material lies. All files are PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Own certificate, then any intermediate ones.
    pub cert: PathBuf,
    /// Own private key.
    pub key: PathBuf,
    /// Certificates of the authority that vouches for coordinators.
    pub ca: PathBuf,
}

/// One log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The log's verifier key (vkey), whose name is its origin.
    pub vkey: String,
}

fn in_flight_max() -> usize {
    16
}

fn evidence_max() -> usize {
    1_000
}

/// Most logs of one witness.
const LOGS_MAX: usize = 10_000;

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
    /// Not the verifier key of a log, or one log twice.
    #[error("`log.vkey`: `{0}` is not the key of a log, or the log is there twice")]
    Log(String),
    /// The name cannot be a key's name.
    #[error("`name` cannot be the name of a key")]
    Name,
    /// Plain HTTP would leave the machine.
    #[error("`listen` must be a loopback address unless there is `[tls]`")]
    Plain,
    /// Not the TOML of a configuration.
    #[error("not a witness's configuration: {0}")]
    Toml(#[from] toml::de::Error),
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
        config.key = base.join(&config.key);
        config.state_dir = base.join(&config.state_dir);
        if let Some(tls) = &mut config.tls {
            for path in [&mut tls.cert, &mut tls.key, &mut tls.ca] {
                // Joining an absolute path replaces the base.
                *path = base.join(&*path);
            }
        }
        if config.tls.is_none() && !config.listen.ip().is_loopback() {
            return Err(ConfigError::Plain);
        }
        if !(1..=1_024).contains(&config.in_flight_max) {
            return Err(ConfigError::Bound("in_flight_max"));
        }
        if config.logs.is_empty() || config.logs.len() > LOGS_MAX {
            return Err(ConfigError::Bound("log"));
        }
        config.key_name()?;
        config.keys()?;
        Ok(config)
    }

    /// The name under which it cosigns.
    ///
    /// # Errors
    /// [`ConfigError::Name`].
    pub fn key_name(&self) -> Result<KeyName, ConfigError> {
        self.name.parse().map_err(|_| ConfigError::Name)
    }

    /// The logs' keys.
    ///
    /// # Errors
    /// [`ConfigError::Log`].
    pub fn keys(&self) -> Result<Vec<VerifierKey<Intl>>, ConfigError> {
        let mut names = BTreeSet::new();
        let mut keys = Vec::new();
        for log in &self.logs {
            let refused = || ConfigError::Log(log.vkey.clone());
            let key: VerifierKey<Intl> = log.vkey.parse().map_err(|_| refused())?;
            if key.kind() != KeyKind::Note || !names.insert(key.name().clone()) {
                return Err(refused());
            }
            keys.push(key);
        }
        Ok(keys)
    }
}
