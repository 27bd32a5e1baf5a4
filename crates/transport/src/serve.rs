//! The accept loop: TCP, TLS, who is it, then HTTP/2 or HTTP/1.1 on the same port.
//!
//! It is our own because only then can connections be listed and cut, certificates be replaced while running, and a
//! peer outside its authority's prefix be told so by a code instead of a closed connection.
//! Events name codes, peer ids and addresses, never anything of a request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use lingqu_core::{Clock, ErrorCode};
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::authority::{Chain, Usage, code_of_certificate};
use crate::connection::{Connected, Connections};
use crate::limits::Limits;
use crate::reload::ReloadableTls;
use crate::tls::{ALPN_H2, ALPN_HTTP1};

/// Time to wait when the operating system gives no connection, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `shutdown` completes, then lets running requests finish within
/// [`Limits::drain_timeout`]. Dropping the future closes everything at once.
///
/// Each request carries `Extension<Arc<Connected>>`. A peer whose identity was refused with a code still reaches the
/// router: put an [`AccessLayer`](crate::AccessLayer) on it, or ask [`Connected::peer`].
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ReloadableTls>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    router: Router,
    connections: Connections,
    shutdown: impl Future<Output = ()>,
) {
    let mut reloads = tls.reloads();
    let server = Arc::new(Server {
        handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
        places: Arc::new(Semaphore::new(limits.connections_max)),
        draining: CancellationToken::new(),
        all: CancellationToken::new(),
        tls,
        limits,
        clock,
        router,
        connections,
    });
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next() => report(ended),
            Ok(()) = reloads.changed() => server.recheck(),
            accepted = listener.accept() => match accepted {
                Ok((tcp, remote)) => server.admit(&mut tasks, tcp, remote),
                Err(error) => pause(&error).await,
            },
        }
    }
    drop(listener);
    server.drain(tasks).await;
}

/// What the connections of one listener share.
struct Server {
    tls: Arc<ReloadableTls>,
    clock: Arc<dyn Clock>,
    router: Router,
    connections: Connections,
    limits: Limits,
    handshakes: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// No new requests: connections finish what they have.
    draining: CancellationToken,
    /// Parent of every connection's own token: everything ends now.
    all: CancellationToken,
}

impl Server {
    /// Starts the task of a new connection, unless too many are in their handshake.
    fn admit(self: &Arc<Self>, tasks: &mut JoinSet<()>, tcp: TcpStream, remote: SocketAddr) {
        let Ok(handshake) = Arc::clone(&self.handshakes).try_acquire_owned() else {
            self.refuse(ErrorCode::Overloaded, remote);
            return;
        };
        let server = Arc::clone(self);
        let cut = self.all.child_token();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                () = server.connection(tcp, remote, handshake, &cut) => {}
            }
        });
    }

    async fn connection(
        &self,
        tcp: TcpStream,
        remote: SocketAddr,
        handshake: OwnedSemaphorePermit,
        cut: &CancellationToken,
    ) {
        let Some(stream) = self.handshake(tcp, remote).await else {
            return;
        };
        drop(handshake);
        let Ok(_place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.refuse(ErrorCode::Overloaded, remote);
            return;
        };
        let chain: Vec<CertificateDer<'static>> = stream
            .get_ref()
            .1
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(|c| c.into_owned())
            .collect();
        let loaded = self.tls.current();
        let peer = match Chain::new(&chain) {
            Some(chain) => {
                loaded
                    .credentials
                    .authorities
                    .identify(chain, self.clock.now(), Usage::Client)
            }
            None => Err(ErrorCode::CallerCertUntrusted),
        };
        match &peer {
            Ok(peer) => {
                tracing::debug!(peer = %peer.id, authority = peer.authority, %remote, "connected")
            }
            Err(code) => self.refuse(*code, remote),
        }
        let connected = Arc::new(Connected::new(peer, remote, Arc::clone(&self.clock)));
        let of_peer_max = self.limits.connections_per_peer_max;
        let entered =
            self.connections
                .enter(Arc::clone(&connected), chain, cut.clone(), of_peer_max);
        let Some(_entered) = entered else {
            self.refuse(ErrorCode::Overloaded, remote);
            return;
        };
        // A reload rechecks the connections that are entered by then. One that swapped the authorities between our
        // reading and our entry has missed this connection, so its handshake counts for nothing: it may come again.
        if !Arc::ptr_eq(&loaded, &self.tls.current()) {
            return;
        }
        self.http(stream, connected).await;
    }

    async fn handshake(&self, tcp: TcpStream, remote: SocketAddr) -> Option<TlsStream<TcpStream>> {
        // Small frames of one answer must not wait for each other's acknowledgement.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%remote, %error, "connection lost before its handshake");
            return None;
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls.current().server));
        match tokio::time::timeout(self.limits.handshake_timeout, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                match refused_certificate(&error) {
                    Some(code) => self.refuse(code, remote),
                    None => tracing::debug!(%remote, %error, "tls handshake failed"),
                }
                None
            }
            Err(_elapsed) => {
                tracing::debug!(%remote, "tls handshake timed out");
                None
            }
        }
    }

    async fn http(&self, stream: TlsStream<TcpStream>, connected: Arc<Connected>) {
        let builder = self.builder(stream.get_ref().1.alpn_protocol());
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&connected));
            let answer = self.router.clone().call(request);
            async move { answer.await as Result<Response, Infallible> }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            biased;
            () = self.draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            ended = connection.as_mut() => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(remote = %connected.remote(), error, "connection ended early");
        }
    }

    /// HTTP with our bounds, in the version that ALPN settled, so that nobody can stall in its detection.
    fn builder(&self, alpn: Option<&[u8]>) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let header_list_bytes_max = self.limits.header_list_bytes_max;
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            // hyper panics below 8 KiB.
            .max_buf_size(
                usize::try_from(header_list_bytes_max)
                    .unwrap_or(usize::MAX)
                    .max(8 * 1_024),
            );
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams_per_connection_max)
            .max_header_list_size(header_list_bytes_max)
            .keep_alive_interval(self.limits.keep_alive_interval)
            .keep_alive_timeout(self.limits.keep_alive_timeout);
        match alpn {
            Some(ALPN_H2) => builder.http2_only(),
            Some(ALPN_HTTP1) => builder.http1_only(),
            Some(_) | None => builder,
        }
    }

    fn recheck(&self) {
        let cut = self
            .connections
            .recheck(&self.tls.current().credentials.authorities);
        tracing::info!(cut, "connections checked against the reloaded authorities");
    }

    fn refuse(&self, code: ErrorCode, remote: SocketAddr) {
        self.connections.count_refused(code);
        tracing::warn!(code = code.as_str(), %remote, "connection refused");
    }

    async fn drain(&self, mut tasks: JoinSet<()>) {
        self.draining.cancel();
        let all_ended = async {
            while let Some(ended) = tasks.join_next().await {
                report(ended);
            }
        };
        if tokio::time::timeout(self.limits.drain_timeout, all_ended)
            .await
            .is_err()
        {
            tracing::warn!(connections = tasks.len(), "cut what did not finish in time");
            self.all.cancel();
            while let Some(ended) = tasks.join_next().await {
                report(ended);
            }
        }
    }
}

/// The code of a handshake that failed for the caller's certificate; `None` for noise such as port scans.
fn refused_certificate(error: &io::Error) -> Option<ErrorCode> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        error @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Some(code_of_certificate(error))
        }
        _ => None,
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(code = ErrorCode::Internal.as_str(), %error, "a connection's task failed");
    }
}

async fn pause(error: &io::Error) {
    // These belong to one connection that went away before it was accepted; the next may be fine.
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "no connections can be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
