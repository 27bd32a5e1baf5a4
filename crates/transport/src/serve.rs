//! The accept loop: TCP, TLS, who is it, then HTTP/2 or HTTP/1.1 on the same port.
//!
//! It is our own because only then can connections be listed and cut, certificates be replaced while running, and a
//! peer outside its authority's prefix be told so by a code instead of a closed connection.
//! Events name codes, peer ids and addresses, never anything of a request.

mod opening;

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
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use self::opening::{Opened, Version};
use crate::authority::{Chain, Usage, code_of_certificate};
use crate::connection::{Connected, Connections, StrangerEnd};
use crate::limits::Limits;
use crate::reload::ReloadableTls;
use crate::strangers::{Place, Strangers};

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
        strangers: Strangers::new(&limits, connections.clone()),
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
    strangers: Strangers,
    places: Arc<Semaphore>,
    /// No new requests: connections finish what they have.
    draining: CancellationToken,
    /// Parent of every connection's own token: everything ends now.
    all: CancellationToken,
}

impl Server {
    /// Starts the task of a new connection. Nobody is refused here: see [`Strangers::enter`].
    fn admit(self: &Arc<Self>, tasks: &mut JoinSet<()>, tcp: TcpStream, remote: SocketAddr) {
        let place = self.strangers.enter(remote);
        let server = Arc::clone(self);
        let cut = self.all.child_token();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                () = server.connection(tcp, remote, place, &cut) => {}
            }
        });
    }

    async fn connection(
        &self,
        tcp: TcpStream,
        remote: SocketAddr,
        place: Place,
        cut: &CancellationToken,
    ) {
        // Whoever has finished the handshake keeps the connection, even if the place went to a newcomer meanwhile.
        let stream = tokio::select! {
            biased;
            stream = self.handshake(tcp, remote, &place) => stream,
            () = place.given_up() => {
                tracing::debug!(%remote, "gave way to a newer connection in its handshake");
                None
            }
        };
        let Some(stream) = stream else {
            return;
        };
        drop(place);
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
        let per_peer_max = self.limits.connections_per_peer_max;
        let Some(_entered) =
            self.connections
                .enter(Arc::clone(&connected), chain, cut.clone(), per_peer_max)
        else {
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

    async fn handshake(
        &self,
        tcp: TcpStream,
        remote: SocketAddr,
        place: &Place,
    ) -> Option<TlsStream<TcpStream>> {
        // Small frames of one answer must not wait for each other's acknowledgement.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%remote, %error, "connection lost before its handshake");
            return None;
        }
        let handshake = async {
            let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp);
            let hello = tokio::time::timeout(self.limits.hello_timeout, hello).await;
            let hello = hello.map_err(|_elapsed| StrangerEnd::Hello)?;
            Ok(match hello {
                Ok(hello) => {
                    place.greeted();
                    let config = Arc::clone(&self.tls.current().server);
                    hello.into_stream(config).await
                }
                Err(error) => Err(error),
            })
        };
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, handshake).await;
        match handshake.unwrap_or(Err(StrangerEnd::Handshake)) {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                match refused_certificate(&error) {
                    Some(code) => self.refuse(code, remote),
                    None => tracing::debug!(%remote, %error, "tls handshake failed"),
                }
                None
            }
            Err(end) => {
                self.too_late(end, remote);
                None
            }
        }
    }

    async fn http(&self, mut stream: TlsStream<TcpStream>, connected: Arc<Connected>) {
        let opening = opening::opened(&mut stream);
        let opening = tokio::time::timeout(self.limits.opening_timeout, opening);
        let Some(opened) = self.draining.run_until_cancelled(opening).await else {
            return;
        };
        let Ok(opened) = opened else {
            self.too_late(StrangerEnd::Opening, connected.remote());
            return;
        };
        let (version, read) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::debug!(remote = %connected.remote(), %error, "connection ended before a request");
                return;
            }
        };
        let builder = self.builder(version);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&connected));
            let answer = self.router.clone().call(request);
            async move { answer.await as Result<Response, Infallible> }
        });
        let connection = builder.serve_connection(TokioIo::new(Opened::new(stream, read)), service);
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

    /// HTTP with our bounds, in the version that the peer has begun.
    fn builder(&self, version: Version) -> auto::Builder<TokioExecutor> {
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
        match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        }
    }

    fn too_late(&self, end: StrangerEnd, remote: SocketAddr) {
        self.connections.count_stranger_end(end);
        tracing::debug!(%remote, end = end.as_str(), "connection ended, it was too slow to begin");
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
