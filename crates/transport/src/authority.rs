//! Who may vouch for whom: each trusted authority is entered with the prefixes of ids it may speak for.
//!
//! Which authority issued a chain is found by verifying the chain against each authority alone, never by comparing
//! issuer names: any authority can issue certificates under any name, only its key is its own.
//! A chain that one authority verified for an id outside its prefixes is a *coded* refusal, not a failed handshake,
//! so that the caller learns what to do about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::id::IdPrefix;
use lingqu_core::{ErrorCode, Timestamp};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DistinguishedName, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::identity::{self, Peer, PeerId};

/// One trusted certificate authority, as the operator entered it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// What logs and [`Peer::authority`] call it.
    pub name: String,
    /// Its certificates; more than one while a key is being replaced.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The ids it may speak for.
    pub prefixes: Vec<IdPrefix>,
}

impl Authority {
    pub(crate) fn may_speak_for(&self, id: &PeerId) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| prefix.covers(id.as_str()))
    }
}

/// Why a set of authorities cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityRefused {
    /// Nobody could connect.
    #[error("no authority is configured")]
    Absent,
    /// A certificate that is no usable trust anchor, or none at all.
    #[error("authority `{0}` has no usable certificate")]
    Certificates(String),
    /// Two authorities of one name.
    #[error("authority `{0}` is entered twice")]
    Duplicate(String),
    /// An authority that may speak for nobody.
    #[error("authority `{0}` has no prefix")]
    Prefixes(String),
}

/// What the peer's certificate is used for: its extended key usage must allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Client,
    Server,
}

/// The set of trusted authorities. Immutable; a reload makes a new one.
pub struct Authorities {
    entries: Vec<Entry>,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

struct Entry {
    authority: Authority,
    roots: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    /// Builds one verifier per authority.
    ///
    /// # Errors
    /// No authority, two of one name, one without a prefix or without a usable certificate.
    pub fn new(
        authorities: Vec<Authority>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, AuthorityRefused> {
        if authorities.is_empty() {
            return Err(AuthorityRefused::Absent);
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(authorities.len());
        for authority in authorities {
            if entries
                .iter()
                .any(|entry| entry.authority.name == authority.name)
            {
                return Err(AuthorityRefused::Duplicate(authority.name));
            }
            entries.push(Entry::new(authority, provider)?);
        }
        let hints = entries
            .iter()
            .flat_map(|entry| entry.roots.subjects())
            .collect();
        Ok(Authorities {
            entries,
            hints,
            provider: Arc::clone(provider),
        })
    }

    /// The subject names of all authorities, which a TLS server sends so that a client can choose its certificate.
    pub(crate) fn hints(&self) -> &[DistinguishedName] {
        &self.hints
    }

    pub(crate) fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    /// Who the chain names, verified from the beginning.
    ///
    /// # Errors
    /// [`ErrorCode::CallerCertExpired`], [`ErrorCode::CallerCertUntrusted`], or [`ErrorCode::CallerOutsidePrefix`] when
    /// the authorities that issued the chain may not speak for its id.
    pub(crate) fn identify(
        &self,
        chain: Chain<'_>,
        now: Timestamp,
        usage: Usage,
    ) -> Result<Peer, ErrorCode> {
        let vouching = self
            .vouching(chain, unix_time(now), usage)
            .map_err(|error| code_of_certificate(&error))?;
        let untrusted = |_| ErrorCode::CallerCertUntrusted;
        let claimed = identity::claimed(chain.leaf).map_err(untrusted)?;
        let (not_before, not_after) =
            identity::validity(chain.leaf, chain.intermediates).map_err(untrusted)?;
        let authority = vouching
            .into_iter()
            .find(|authority| authority.may_speak_for(&claimed.id))
            .ok_or(ErrorCode::CallerOutsidePrefix)?;
        let authority = authority.name.clone();
        Ok(Peer {
            id: claimed.id,
            fingerprint: claimed.fingerprint,
            not_before,
            not_after,
            authority,
        })
    }

    /// Every authority that issued the chain, valid at `now` for `usage`; at least one. Usually one; two entries may
    /// share a certificate or be cross-signed.
    pub(crate) fn vouching(
        &self,
        chain: Chain<'_>,
        now: UnixTime,
        usage: Usage,
    ) -> Result<Vec<&Authority>, rustls::Error> {
        let mut vouching = Vec::new();
        let mut refused = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for entry in &self.entries {
            match entry.verify(chain, now, usage, &self.provider) {
                Ok(()) => vouching.push(&entry.authority),
                Err(error) if !is_other_issuer(&error) => refused = error,
                Err(_) => {}
            }
        }
        if vouching.is_empty() {
            Err(refused)
        } else {
            Ok(vouching)
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorities = self
            .entries
            .iter()
            .map(|entry| (&entry.authority.name, &entry.authority.prefixes));
        f.debug_map().entries(authorities).finish()
    }
}

impl Entry {
    fn new(authority: Authority, provider: &Arc<CryptoProvider>) -> Result<Self, AuthorityRefused> {
        if authority.prefixes.is_empty() {
            return Err(AuthorityRefused::Prefixes(authority.name));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &authority.certificates {
            let unusable = |_| AuthorityRefused::Certificates(authority.name.clone());
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        let roots = Arc::new(roots);
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
        let clients = match builder.build() {
            Ok(clients) => clients,
            Err(_) => {
                return Err(AuthorityRefused::Certificates(authority.name));
            }
        };
        Ok(Entry {
            authority,
            roots,
            clients,
        })
    }

    fn verify(
        &self,
        chain: Chain<'_>,
        now: UnixTime,
        usage: Usage,
        provider: &CryptoProvider,
    ) -> Result<(), rustls::Error> {
        match usage {
            Usage::Client => self
                .clients
                .verify_client_cert(chain.leaf, chain.intermediates, now)
                .map(drop),
            Usage::Server => {
                let leaf = ParsedCertificate::try_from(chain.leaf)?;
                let algorithms = provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(
                    &leaf,
                    &self.roots,
                    chain.intermediates,
                    now,
                    algorithms,
                )
            }
        }
    }
}

/// A certificate chain as it was presented: the leaf, then what the peer sent with it, in no trusted order.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) leaf: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
}

impl<'a> Chain<'a> {
    /// `None` if the peer presented nothing.
    pub(crate) fn new(certificates: &'a [CertificateDer<'a>]) -> Option<Self> {
        let (leaf, intermediates) = certificates.split_first()?;
        Some(Chain {
            leaf,
            intermediates,
        })
    }
}

/// The code under which a refused certificate is counted and answered.
pub(crate) fn code_of_certificate(error: &rustls::Error) -> ErrorCode {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => ErrorCode::CallerCertExpired,
        _ => ErrorCode::CallerCertUntrusted,
    }
}

/// The same instant as TLS libraries write it; before 1970 nothing is valid anyway.
pub(crate) fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(now.unix_s()).unwrap_or(0),
    ))
}

/// Whether the error only says that this authority is not the issuer. A wrong signature says so too: the issuer has
/// this authority's name and another key.
fn is_other_issuer(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(error) = error else {
        return false;
    };
    matches!(
        error,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    )
}

#[cfg(test)]
mod tests;
