//! Certificates, key and trusted authorities from files, replaced while running.
//!
//! The whole configuration is swapped at once, trusted authorities included, so that no connection sees half of a
//! change. New files that cannot be used leave the old configuration in place. A process keeps its id: files for
//! another one are refused.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lingqu_core::Clock;
use lingqu_core::id::{IdPrefix, IdRefused};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Deserializer};
use tokio::sync::watch;

use crate::authority::{Authorities, Authority, AuthorityRefused};
use crate::identity::{self, IdentityRefused, PeerId};
use crate::tls::{self, Credentials};

/// Where the TLS material lies. All files are PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Own certificate, then any intermediate ones.
    pub cert_chain: PathBuf,
    /// Own private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// Who may vouch for peers.
    pub authorities: Vec<AuthorityFile>,
    /// Also accept TLS 1.2 with AEAD suites; default `false`.
    #[serde(default)]
    pub allow_tls12: bool,
}

/// One trusted authority.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFile {
    /// What logs call it.
    pub name: String,
    /// Its certificates.
    pub path: PathBuf,
    /// The ids it may speak for, for example `party_gx.` or `node_gx.bank`.
    #[serde(deserialize_with = "prefixes")]
    pub prefixes: Vec<IdPrefix>,
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IdPrefix>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parsed: Result<Vec<IdPrefix>, IdRefused> = texts.iter().map(|text| text.parse()).collect();
    parsed.map_err(serde::de::Error::custom)
}

/// Why TLS files cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// The trusted authorities contradict themselves.
    #[error(transparent)]
    Authorities(#[from] AuthorityRefused),
    /// No certificate in the file, or one that is no PEM.
    #[error("`{0}` holds no readable certificate")]
    Certificates(PathBuf),
    /// The files are for another id than the running process has.
    #[error("the certificate is for `{found}`, this process is `{running}`")]
    IdChanged {
        /// Who the new certificate names.
        found: PeerId,
        /// Who this process is.
        running: PeerId,
    },
    /// Own certificate names nobody.
    #[error("own certificate: {0}")]
    Identity(#[from] IdentityRefused),
    /// No private key in the file.
    #[error("`{0}` holds no readable private key")]
    Key(PathBuf),
    /// The file cannot be read.
    #[error("cannot read `{path}`: {kind}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// Key and certificate do not fit, or rustls refuses them.
    #[error("certificate and key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// The TLS configuration of this process, as of the last usable state of its files.
pub struct ReloadableTls {
    clock: Arc<dyn Clock>,
    files: TlsFiles,
    // Written only by `reload`; everybody else reads.
    loaded: ArcSwap<Loaded>,
    reloads: watch::Sender<u64>,
}

/// One consistent configuration.
pub(crate) struct Loaded {
    id: PeerId,
    digest: [u8; 32],
    pub(crate) credentials: Credentials,
    pub(crate) server: Arc<ServerConfig>,
}

impl ReloadableTls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Any [`LoadError`] but `IdChanged`.
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>) -> Result<Self, LoadError> {
        let loaded = load(&Contents::read(&files)?, &files, &clock)?;
        Ok(ReloadableTls {
            clock,
            files,
            loaded: ArcSwap::from_pointee(loaded),
            reloads: watch::Sender::new(0),
        })
    }

    /// Who this process is.
    pub fn id(&self) -> PeerId {
        self.loaded.load().id.clone()
    }

    /// Reads the files again and, if their contents changed and can be used, replaces the configuration. Says whether
    /// it did.
    ///
    /// # Errors
    /// Any [`LoadError`]; the old configuration then stays.
    pub fn reload(&self) -> Result<bool, LoadError> {
        let contents = Contents::read(&self.files)?;
        let running = self.loaded.load();
        if contents.digest() == running.digest {
            return Ok(false);
        }
        let loaded = load(&contents, &self.files, &self.clock)?;
        if loaded.id != running.id {
            return Err(LoadError::IdChanged {
                found: loaded.id,
                running: running.id.clone(),
            });
        }
        self.loaded.store(Arc::new(loaded));
        // From here on new connections use the new files; listeners are told, to cut what these no longer admit.
        self.reloads.send_modify(|count| *count += 1);
        Ok(true)
    }

    /// Looks at the files every `every`, until dropped. The digest of their contents is compared, not their times:
    /// two changes may fall into one tick of a file system.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        let mut last_error = None;
        loop {
            tokio::time::sleep(every).await;
            let this = Arc::clone(&self);
            // Files may lie on a slow medium, and parsing a key is no business of an async worker.
            let Ok(outcome) = tokio::task::spawn_blocking(move || this.reload()).await else {
                continue;
            };
            match outcome {
                Ok(true) => tracing::info!(id = %self.id(), "tls files reloaded"),
                Ok(false) => {}
                // One line per failure, not one per look.
                Err(error) if last_error.as_ref() == Some(&error) => continue,
                Err(error) => {
                    tracing::error!(id = %self.id(), %error, "tls files not usable, the old ones stay in use");
                    last_error = Some(error);
                    continue;
                }
            }
            last_error = None;
        }
    }

    pub(crate) fn current(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn reloads(&self) -> watch::Receiver<u64> {
        self.reloads.subscribe()
    }
}

impl fmt::Debug for ReloadableTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadableTls")
            .field("id", &self.id())
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The bytes of all files, read before any is interpreted, so that digest and configuration are of the same bytes.
struct Contents {
    cert_chain: Vec<u8>,
    key: Vec<u8>,
    authorities: Vec<Vec<u8>>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, LoadError> {
        let authorities: Result<Vec<_>, LoadError> = files
            .authorities
            .iter()
            .map(|file| read(&file.path))
            .collect();
        Ok(Contents {
            cert_chain: read(&files.cert_chain)?,
            key: read(&files.key)?,
            authorities: authorities?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in [&self.cert_chain, &self.key]
            .into_iter()
            .chain(&self.authorities)
        {
            // Lengths keep two files apart from one that holds both.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context
            .finish()
            .as_ref()
            .try_into()
            .expect("sha-256 has 32 bytes")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|error| LoadError::Read {
        path: path.to_owned(),
        kind: error.kind(),
    })
}

fn load(
    contents: &Contents,
    files: &TlsFiles,
    clock: &Arc<dyn Clock>,
) -> Result<Loaded, LoadError> {
    let provider = tls::provider();
    let mut authorities = Vec::with_capacity(files.authorities.len());
    for (file, pem) in files.authorities.iter().zip(&contents.authorities) {
        let certificates = certificates(pem, &file.path)?;
        authorities.push(Authority {
            name: file.name.clone(),
            certificates,
            prefixes: file.prefixes.clone(),
        });
    }
    let authorities = Arc::new(Authorities::new(authorities, &provider)?);
    let chain = certificates(&contents.cert_chain, &files.cert_chain)?;
    let leaf = chain
        .first()
        .ok_or_else(|| LoadError::Certificates(files.cert_chain.clone()))?;
    let id = identity::claimed(leaf)?.id;
    let key = PrivateKeyDer::from_pem_slice(&contents.key)
        .map_err(|_| LoadError::Key(files.key.clone()))?;
    let certified = Arc::new(CertifiedKey::from_der(chain, key, &provider)?);
    let credentials = Credentials {
        certified,
        authorities,
        allow_tls12: files.allow_tls12,
    };
    let server = Arc::new(tls::server_config(&credentials, Arc::clone(clock))?);
    Ok(Loaded {
        id,
        digest: contents.digest(),
        credentials,
        server,
    })
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(LoadError::Certificates(path.to_owned())),
    }
}

#[cfg(test)]
mod tests;
