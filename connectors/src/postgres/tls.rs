//! TLS to the server by rustls with ring: the name in its certificate is checked against the authorities of one file,
//! never against those of the operating system.

use std::path::Path;
use std::sync::Arc;

use lingqu_connector_sdk::SettingsRefused;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::Settings;
use crate::server::settings::TlsMode;

/// How to encrypt, or `None` for a connection that stays on the machine.
pub(super) fn connector(
    settings: &Settings,
    base: &Path,
) -> Result<Option<MakeRustlsConnect>, SettingsRefused> {
    if settings.tls == TlsMode::OffLoopbackOnly {
        return Ok(None);
    }
    let unusable = |key, why: &str| SettingsRefused::Unusable {
        key,
        why: why.to_owned(),
    };
    let mut roots = RootCertStore::empty();
    let ca = settings
        .ca
        .as_ref()
        .ok_or_else(|| unusable("ca", "is missing"))?;
    for certificate in certificates(&base.join(ca))
        .ok_or_else(|| unusable("ca", "names no readable PEM file with certificates"))?
    {
        roots
            .add(certificate)
            .map_err(|_| unusable("ca", "has a certificate that is none"))?;
    }
    // Named rather than taken from the process: whichever provider another library installs does not count here.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable("tls", "has no usable protocol version"))?
        .with_root_certificates(roots);
    let config = match &settings.client {
        None => config.with_no_client_auth(),
        Some(client) => {
            let chain = certificates(&base.join(&client.certificate))
                .ok_or_else(|| unusable("client", "names no readable certificate chain"))?;
            let key = PrivateKeyDer::from_pem_file(base.join(&client.key))
                .map_err(|_| unusable("client", "names no readable key"))?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|_| unusable("client", "has a key that does not fit its certificate"))?
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// The certificates of a file; `None` if it cannot be read or has none.
fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .ok()?
        .collect::<Result<_, _>>()
        .ok()?;
    (!found.is_empty()).then_some(found)
}
