//! Dialling: a gRPC channel to one expected identity.
//!
//! The channel reconnects by itself, each time with the certificate and the authorities that are current then.
//! In TLS 1.3 a client has finished its handshake before the server has looked at its certificate, so a refusal by
//! the server shows at the first call, not here.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use lingqu_core::Clock;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::identity::PeerId;
use crate::reload::{LoadError, ReloadableTls, TlsFiles};
use crate::tls::{self, ALPN_H2};

/// Time for TCP and TLS together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client shows and whom it trusts; follows the reloads of its files.
#[derive(Clone, Debug)]
pub struct ClientTls {
    tls: Arc<ReloadableTls>,
}

impl ClientTls {
    /// Dials with the identity that a server of this process also has.
    pub fn new(tls: Arc<ReloadableTls>) -> Self {
        ClientTls { tls }
    }

    /// Reads the files of a process that only dials.
    ///
    /// # Errors
    /// See [`ReloadableTls::load`].
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>) -> Result<Self, LoadError> {
        Ok(ClientTls {
            tls: Arc::new(ReloadableTls::load(files, clock)?),
        })
    }

    /// Who dials.
    pub fn id(&self) -> PeerId {
        self.tls.id()
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConnectError {
    /// TLS failed for another reason than the server's certificate.
    #[error("tls handshake failed: {0}")]
    Handshake(rustls::Error),
    /// The server speaks no HTTP/2, or stopped speaking.
    #[error("the server does not speak http/2 here")]
    Http2,
    /// The server is not the expected one, or cannot prove it.
    #[error("`{expected}` was not found there: {cause}")]
    ServerRefused {
        /// Who was dialled.
        expected: PeerId,
        /// What is wrong with the certificate.
        cause: rustls::Error,
    },
    /// Neither answer nor refusal in [`CONNECT_TIMEOUT`].
    #[error("no connection in time")]
    TimedOut,
    /// No TCP connection, or it was lost during the handshake.
    #[error("the host cannot be reached: {0}")]
    Unreachable(io::ErrorKind),
    /// Not `https://host:port`.
    #[error("not a url of the form `https://host:port`")]
    Url,
}

/// Connects to `url`, where `expected` must answer.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(
    url: &str,
    tls: &ClientTls,
    expected: PeerId,
) -> Result<Channel, ConnectError> {
    let (endpoint, target) = target(url, tls, expected)?;
    let dialled = endpoint
        .connect_with_connector(service_fn(move |_: Uri| target.clone().dial()))
        .await;
    dialled.map_err(|error| connect_error(&error))
}

/// A channel that connects at its first call and then again whenever it must.
///
/// # Errors
/// [`ConnectError::Url`]; everything else appears as the failure of a call.
pub fn connect_lazy(url: &str, tls: &ClientTls, expected: PeerId) -> Result<Channel, ConnectError> {
    let (endpoint, target) = target(url, tls, expected)?;
    Ok(endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| target.clone().dial())))
}

/// Where to dial and whom to expect there.
#[derive(Clone)]
struct Target {
    tls: Arc<ReloadableTls>,
    host: Arc<str>,
    port: u16,
    expected: PeerId,
}

impl Target {
    async fn dial(self) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.handshake()).await {
            Ok(dialled) => dialled.map(TokioIo::new),
            Err(_elapsed) => Err(ConnectError::TimedOut),
        }
    }

    async fn handshake(self) -> Result<TlsStream<TcpStream>, ConnectError> {
        let unreachable = |error: io::Error| ConnectError::Unreachable(error.kind());
        let tcp = TcpStream::connect((&*self.host, self.port))
            .await
            .map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let credentials = &self.tls.current().credentials;
        let config = tls::client_config(credentials, self.tls.clock(), self.expected.clone())
            .map_err(ConnectError::Handshake)?;
        let host = ServerName::try_from(self.host.to_string()).map_err(|_| ConnectError::Url)?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect(host, tcp)
            .await
            .map_err(|error| handshake_error(&error, self.expected))?;
        if stream.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
            Ok(stream)
        } else {
            Err(ConnectError::Http2)
        }
    }
}

fn target(
    url: &str,
    tls: &ClientTls,
    expected: PeerId,
) -> Result<(Endpoint, Target), ConnectError> {
    let uri: Uri = url.parse().map_err(|_| ConnectError::Url)?;
    let (Some("https"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16())
    else {
        return Err(ConnectError::Url);
    };
    // An IPv6 address stands in brackets in a URL and without them everywhere else.
    let host = host.trim_start_matches('[').trim_end_matches(']').into();
    let target = Target {
        tls: Arc::clone(&tls.tls),
        host,
        port,
        expected,
    };
    let endpoint = Endpoint::from(uri)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok((endpoint, target))
}

fn handshake_error(error: &io::Error, expected: PeerId) -> ConnectError {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(cause @ rustls::Error::InvalidCertificate(_)) => ConnectError::ServerRefused {
            expected,
            cause: cause.clone(),
        },
        Some(cause) => ConnectError::Handshake(cause.clone()),
        None => ConnectError::Unreachable(error.kind()),
    }
}

/// tonic wraps what the connector said; ours is somewhere in the chain of sources.
fn connect_error(error: &(dyn Error + 'static)) -> ConnectError {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<ConnectError>() {
            return ours.clone();
        }
        next = error.source();
    }
    ConnectError::Http2
}

#[cfg(test)]
mod tests;
