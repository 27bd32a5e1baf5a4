//! The way to the other side: TLS to one host, or a Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use lingqu_connector_sdk::SourceError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::bounded::failed;
use crate::net;

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the other side is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Socket(PathBuf),
    Tls {
        host: String,
        port: u16,
        files: TlsFiles,
    },
}

/// Whom to believe, and who we are.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    pub(super) ca_file: PathBuf,
    /// Certificate and key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// A connection of either kind.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Of `https://host:port` and nothing more.
pub(super) fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.authority()?;
    let bare = bare && !authority.as_str().contains('@') && uri.scheme_str() == Some("https");
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    bare.then_some(())?;
    Some((host.to_owned(), uri.port_u16()?))
}

impl Target {
    /// See `Health`.
    pub(super) fn verified_tls(&self) -> Option<bool> {
        match self {
            Target::Socket(_) => None,
            Target::Tls { .. } => Some(true),
        }
    }

    /// A channel that dials at its first call and again whenever it must, each time with the files of then.
    pub(super) fn channel(&self, time_max: Duration) -> Channel {
        // The address is only what requests say of themselves; where they go the target decides.
        let endpoint = Endpoint::from_static("https://upstream")
            .connect_timeout(time_max)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        let target = self.clone();
        endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            let target = target.clone();
            async move {
                let dialled = tokio::time::timeout(time_max, target.dial()).await;
                let connection = dialled.unwrap_or(Err(SourceError::TimedOut));
                connection.map(TokioIo::new).map_err(io::Error::other)
            }
        }))
    }

    async fn dial(&self) -> Result<Box<dyn Connection>, SourceError> {
        match self {
            Target::Socket(path) => {
                let stream = UnixStream::connect(path).await;
                Ok(Box::new(stream.map_err(|_| SourceError::Unreachable)?))
            }
            Target::Tls { host, port, files } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await;
                let tcp = tcp.map_err(|_| SourceError::Unreachable)?;
                tcp.set_nodelay(true)
                    .map_err(|_| SourceError::Unreachable)?;
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| SourceError::Untrusted)?;
                let connector = TlsConnector::from(Arc::new(files.config()?));
                let stream = connector.connect(name, tcp).await;
                Ok(Box::new(stream.map_err(|error| tls_error(&error))?))
            }
        }
    }
}

fn tls_error(error: &io::Error) -> SourceError {
    if net::refused_certificate(error) {
        SourceError::Untrusted
    } else {
        SourceError::Unreachable
    }
}

impl TlsFiles {
    fn config(&self) -> Result<ClientConfig, SourceError> {
        let mut roots = RootCertStore::empty();
        for certificate in net::certificates(&self.ca_file)? {
            roots.add(certificate).map_err(|_| failed("pem-file"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of both versions")
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(net::certificates(certificate)?, private_key(key)?)
                .map_err(|_| failed("pem-file"))?,
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// A key that only its owner can read.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SourceError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).map_err(|_| failed("pem-file"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(failed("key-file-permissions"));
    }
    let pem = net::pem_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| failed("pem-file"))
}

/// What our own dialling said, somewhere below what tonic makes of it.
pub(super) fn dial_error(error: &(dyn std::error::Error + 'static)) -> Option<SourceError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<SourceError>() {
            return Some(found.clone());
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<SourceError>());
        if let Some(found) = inner {
            return Some(found.clone());
        }
        next = error.source();
    }
    None
}
