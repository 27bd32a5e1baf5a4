//! The two rustls configurations: mutual TLS, 1.3 unless an operator allows 1.2, and no resumption of any kind.
//!
//! rustls restores the certificate chain of a resumed session without verifying it again, so a resumed connection
//! would outlive its certificate and its authority: tickets, session caches and early data are all off.
//! The cryptography is ring's, passed explicitly: a process-wide default could be replaced by a dependency.

use std::fmt;
use std::sync::Arc;

use lingqu_core::Clock;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::authority::{Authorities, Chain, Usage};
use crate::identity::{self, PeerId};

/// HTTP/2 in ALPN.
pub(crate) const ALPN_H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

static TLS13_ONLY: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
static TLS12_TOO: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

/// The only cryptography that connections use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What one side shows and whom it trusts.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) allow_tls12: bool,
}

impl Credentials {
    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        if self.allow_tls12 {
            &TLS12_TOO
        } else {
            &TLS13_ONLY
        }
    }
}

/// A server that requires a client certificate.
pub(crate) fn server_config(
    credentials: &Credentials,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, rustls::Error> {
    let verifier = Arc::new(CallerVerifier {
        authorities: Arc::clone(&credentials.authorities),
    });
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
        .with_protocol_versions(credentials.versions())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(
            &credentials.certified,
        ))));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    // Without the extended master secret (RFC 7627) a 1.2 session can be spliced onto another.
    config.require_ems = true;
    config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(config)
}

/// A client that talks to `expected` and to nobody else. It offers HTTP/2 only: it is there for gRPC.
pub(crate) fn client_config(
    credentials: &Credentials,
    clock: Arc<dyn Clock>,
    expected: PeerId,
) -> Result<ClientConfig, rustls::Error> {
    let authorities = Arc::clone(&credentials.authorities);
    let verifier = Arc::new(CalledVerifier {
        authorities,
        expected,
    });
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
        .with_protocol_versions(credentials.versions())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(
            &credentials.certified,
        ))));
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.require_ems = true;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    Ok(config)
}

/// Why a client refused the server that answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerRefused {
    /// Another identity than the one that was dialled.
    #[error("the server is `{found}`, not `{expected}`")]
    Other {
        /// Who was dialled.
        expected: PeerId,
        /// Who answered.
        found: PeerId,
    },
    /// The issuing authority may not speak for the id.
    #[error("the authority of the server's certificate may not speak for `{0}`")]
    OutsidePrefix(PeerId),
}

/// Verifies the chain at the server. The prefix is checked after the handshake, where it can be answered with a code.
#[derive(Debug)]
struct CallerVerifier {
    authorities: Arc<Authorities>,
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.hints()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.authorities.vouching(
            Chain {
                leaf,
                intermediates,
            },
            now,
            Usage::Client,
        )?;
        identity::claimed(leaf).map_err(other)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self
            .authorities
            .provider()
            .signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self
            .authorities
            .provider()
            .signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities
            .provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Verifies the server at the client.
///
/// The host name is deliberately not compared: nodes are reached by address, through relays and under names that the
/// unit's network gives them, and whoever controls those names must not thereby become the node. What is compared is
/// the id, which is stricter. Chain, expiry, key usage and the handshake's signature are verified as always.
#[derive(Debug)]
struct CalledVerifier {
    authorities: Arc<Authorities>,
    expected: PeerId,
}

impl ServerCertVerifier for CalledVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let vouching = self.authorities.vouching(
            Chain {
                leaf,
                intermediates,
            },
            now,
            Usage::Server,
        )?;
        let found = identity::claimed(leaf).map_err(other)?.id;
        if found != self.expected {
            return Err(other(ServerRefused::Other {
                expected: self.expected.clone(),
                found,
            }));
        }
        if !vouching
            .iter()
            .any(|authority| authority.may_speak_for(&found))
        {
            return Err(other(ServerRefused::OutsidePrefix(found)));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self
            .authorities
            .provider()
            .signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self
            .authorities
            .provider()
            .signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities
            .provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// Our clock as rustls wants it, so that a fake clock in a test moves the verification of certificates too.
pub(crate) struct TlsClock(pub(crate) Arc<dyn Clock>);

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(crate::authority::unix_time(self.0.now()))
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}
