//! What the connectors that dial have in common: whom they trust, and where they may go without encryption.

use std::error::Error;
use std::path::Path;

use lingqu_connector_sdk::SourceError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Longest file of certificates in bytes.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// The bytes of a file of certificates or a key.
pub(crate) fn pem_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    use std::io::Read as _;
    let unreadable = |_| crate::bounded::failed("pem-file");
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(PEM_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// The certificates of a file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let bytes = pem_file(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(crate::bounded::failed("pem-file")),
    }
}

/// Whether the host is this machine itself, by address or as `localhost`.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether the error, or what it wraps, is a certificate that was not believed.
pub(crate) fn refused_certificate(error: &(dyn Error + 'static)) -> bool {
    let refused = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(_));
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return refused(error);
    }
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| {
        inner
            .downcast_ref::<rustls::Error>()
            .map_or_else(|| inner.source().is_some_and(refused_certificate), refused)
    })
}
