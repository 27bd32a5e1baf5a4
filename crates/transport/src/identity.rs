//! Who is at the other end: one typed id, carried in the certificate as exactly one URI subject alternative name
//! `lingqu:<id>`, for example `lingqu:party_gx.bank`.
//!
//! Nothing else in a certificate names a peer: common names and host names are for people and for other programs.
//! This file only reads; whether the issuer may speak for the id is decided in [`crate::authority`].

use std::fmt;
use std::str::FromStr;

use lingqu_core::id::IdRefused;
use lingqu_core::{CoordinatorId, NodeId, PartyId, Timestamp};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What the URI begins with.
pub const URI_SCHEME: &str = "lingqu:";

/// A verified kind and name of a peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// A coordinator.
    Coordinator(CoordinatorId),
    /// One unit's node.
    Node(NodeId),
    /// An organisation: a licensee, an agency, a regulator.
    Party(PartyId),
}

impl PeerId {
    /// The id as text, prefix included.
    pub fn as_str(&self) -> &str {
        match self {
            PeerId::Coordinator(id) => id.as_str(),
            PeerId::Node(id) => id.as_str(),
            PeerId::Party(id) => id.as_str(),
        }
    }

    /// The URI that stands in the certificate.
    pub fn uri(&self) -> String {
        format!("{URI_SCHEME}{self}")
    }
}

impl FromStr for PeerId {
    type Err = IdRefused;

    /// Reads the kind from the prefix; refuses ids of any other kind.
    fn from_str(text: &str) -> Result<Self, IdRefused> {
        if text.starts_with(PartyId::PREFIX) {
            text.parse().map(PeerId::Party)
        } else if text.starts_with(NodeId::PREFIX) {
            text.parse().map(PeerId::Node)
        } else if text.starts_with(CoordinatorId::PREFIX) {
            text.parse().map(PeerId::Coordinator)
        } else {
            Err(IdRefused {
                kind: "party, node or coordinator",
                prefix: PartyId::PREFIX,
            })
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A peer whose certificate chain was verified and whose authority may speak for its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub id: PeerId,
    /// SHA-256 of the leaf certificate's DER: what a ticket is bound to.
    pub fingerprint: [u8; 32],
    /// First instant at which every certificate that the peer presented is valid.
    pub not_before: Timestamp,
    /// Last second in which every certificate that the peer presented is valid.
    pub not_after: Timestamp,
    /// The configured name of the authority that vouched.
    pub authority: String,
}

impl Peer {
    /// Whether the certificates are valid at `now`. X.509 counts in whole seconds and includes the last one.
    pub fn valid_at(&self, now: Timestamp) -> bool {
        (self.not_before.unix_s()..=self.not_after.unix_s()).contains(&now.unix_s())
    }
}

/// Why a certificate names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityRefused {
    /// No `lingqu:` URI.
    #[error("the certificate carries no `lingqu:` uri")]
    Absent,
    /// Two ids in one certificate: which one speaks would depend on the reader.
    #[error("the certificate carries more than one `lingqu:` uri")]
    Ambiguous,
    /// Text after the scheme that is no id.
    #[error("the certificate's `lingqu:` uri is {0}")]
    Id(#[from] IdRefused),
    /// Not a DER certificate, or one with a repeated or broken extension.
    #[error("the certificate cannot be read")]
    Unreadable,
}

/// What one certificate says, before anybody has vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) id: PeerId,
    pub(crate) fingerprint: [u8; 32],
}

/// Reads the id and the fingerprint of a leaf certificate.
pub(crate) fn claimed(leaf: &CertificateDer<'_>) -> Result<Claimed, IdentityRefused> {
    let certificate = parsed(leaf)?;
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| IdentityRefused::Unreadable)?;
    let names = &extension
        .ok_or(IdentityRefused::Absent)?
        .value
        .general_names;
    // A name that this reader cannot read might be one that another reader takes for an id.
    if names
        .iter()
        .any(|name| matches!(name, GeneralName::Invalid(..)))
    {
        return Err(IdentityRefused::Unreadable);
    }
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) if is_lingqu(uri) => Some(*uri),
        _ => None,
    });
    let uri = uris.next().ok_or(IdentityRefused::Absent)?;
    if uris.next().is_some() {
        return Err(IdentityRefused::Ambiguous);
    }
    let id = uri
        .strip_prefix(URI_SCHEME)
        .ok_or(IdentityRefused::Unreadable)?
        .parse()?;
    Ok(Claimed {
        id,
        fingerprint: fingerprint(leaf),
    })
}

/// The time in which every certificate of a chain is valid.
///
/// A chain may hold certificates that the verified path does not use; they can only narrow the span of whoever sent
/// them.
pub(crate) fn validity(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(Timestamp, Timestamp), IdentityRefused> {
    let mut span = (i64::MIN, i64::MAX);
    for der in std::iter::once(leaf).chain(intermediates) {
        let certificate = parsed(der)?;
        let validity = certificate.validity();
        span = (
            span.0.max(validity.not_before.timestamp()),
            span.1.min(validity.not_after.timestamp()),
        );
    }
    Ok((
        Timestamp::from_unix_s(span.0),
        Timestamp::from_unix_s(span.1),
    ))
}

/// SHA-256 of a certificate's DER.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    digest.as_ref().try_into().expect("sha-256 has 32 bytes")
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IdentityRefused> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(IdentityRefused::Unreadable),
    }
}

/// Schemes compare without case (RFC 3986, section 3.1), so `LINGQU:` counts as ours, and is then refused for its
/// spelling: a certificate must not hold an id that we overlook and another reader honours.
fn is_lingqu(uri: &str) -> bool {
    uri.get(..URI_SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(URI_SCHEME))
}

#[cfg(test)]
mod tests;
