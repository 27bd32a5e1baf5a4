//! The coordinator's own keys, one for each role, and the names they sign under.
//!
//! A cosignature does not say in which role it was made, so two equal keys are refused here rather than trusted to be
//! told apart later. Private keys never leave this struct.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::Region;
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer, VerifierKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use crate::config::KeysConfig;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Two roles would share a key.
    #[error("two roles share one key: {0} and {1}")]
    Equal(&'static str, &'static str),
    /// A key file cannot be read.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Not an Ed25519 private key in PKCS #8.
    #[error("`{0}` is not an ed25519 private key in pkcs#8 form")]
    Malformed(PathBuf),
}

/// One signing key for each role.
#[derive(Clone)]
pub struct Keys {
    /// Signs the checkpoints of the coordinator's own stream.
    pub log: Arc<dyn Signer>,
    /// Cosigns what the mirror holds.
    pub mirror: Arc<dyn Signer>,
    /// Signs the checkpoints of the head logs.
    pub head_log: Arc<dyn Signer>,
    /// Signs filings and epochs.
    pub signing: Arc<dyn Signer>,
}

impl Keys {
    /// Reads the four key files.
    ///
    /// # Errors
    /// [`KeysError`] names the file or the roles.
    pub fn load(files: &KeysConfig) -> Result<Keys, KeysError> {
        let keys = Keys {
            log: read(&files.log)?,
            mirror: read(&files.mirror)?,
            head_log: read(&files.head_log)?,
            signing: read(&files.signing)?,
        };
        keys.check()?;
        Ok(keys)
    }

    /// Refuses keys that two roles share.
    ///
    /// # Errors
    /// [`KeysError::Equal`] names the two roles.
    pub fn check(&self) -> Result<(), KeysError> {
        let roles = self.roles();
        for (position, (role, key)) in roles.iter().enumerate() {
            let shared = roles[..position].iter().find(|(_, other)| other == key);
            if let Some((other, _)) = shared {
                return Err(KeysError::Equal(other, role));
            }
        }
        Ok(())
    }

    /// The public keys with the words for their roles.
    pub(crate) fn roles(&self) -> [(&'static str, &[u8]); 4] {
        [
            ("log", self.log.public_key()),
            ("mirror", self.mirror.public_key()),
            ("head_log", self.head_log.public_key()),
            ("signing", self.signing.public_key()),
        ]
    }
}

/// The names of this coordinator's logs and of its mirror.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    origin_name: String,
}

impl Names {
    /// `origin_name` was checked with the configuration.
    pub(crate) fn new(origin_name: &str) -> Names {
        Names {
            origin_name: origin_name.to_owned(),
        }
    }

    /// The name under which the mirror cosigns.
    pub(crate) fn mirror(&self) -> KeyName {
        key_name(&format!("{}/mirror", self.origin_name))
    }

    /// The origin of a region's head log.
    pub(crate) fn head_log(&self, region: &Region) -> String {
        format!("{}/h/{region}", self.origin_name)
    }

    /// The origin of the coordinator's own stream. It stands apart from the nodes' streams, so that no node's name can
    /// make its origin the same.
    pub(crate) fn own_stream(&self, subject: &str, region: &Region, half_year: &str) -> String {
        let name = subject.split_once('_').map_or(subject, |(_, name)| name);
        format!("{}/c/{name}/{region}/{half_year}", self.origin_name)
    }

    /// The origin of the stream of the node `subject`, of whose id the part after the prefix is taken.
    pub(crate) fn stream(&self, subject: &str, region: &Region, half_year: &str) -> String {
        let name = subject.split_once('_').map_or(subject, |(_, name)| name);
        format!("{}/s/{name}/{region}/{half_year}", self.origin_name)
    }
}

/// The verifier key of a stream, whose name is its origin.
pub(crate) fn stream_key(origin: &str, public_key: &[u8]) -> Option<VerifierKey<Intl>> {
    let name = KeyName::parse(origin).ok()?;
    VerifierKey::note(name, public_key).ok()
}

/// A name that this coordinator made itself.
pub(crate) fn key_name(name: &str) -> KeyName {
    KeyName::parse(name).expect("names are made of a checked origin name, an id and a region code")
}

fn read(path: &Path) -> Result<Arc<dyn Signer>, KeysError> {
    let bytes = std::fs::read(path).map_err(|source| KeysError::File {
        path: path.to_owned(),
        source,
    })?;
    let malformed = || KeysError::Malformed(path.to_owned());
    let signer = match PrivatePkcs8KeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ed25519Signer::from_pkcs8(key.secret_pkcs8_der()),
        // A file without PEM markers may be DER.
        Err(_) => Ed25519Signer::from_pkcs8(&bytes),
    };
    Ok(Arc::new(signer.map_err(|_| malformed())?))
}

#[cfg(test)]
mod tests;
