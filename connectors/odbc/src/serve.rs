//! The serving process: one Unix socket per source, upstream Flight SQL on each.
//!
//! It never loads a driver. What it holds of a source is the configuration, counters and batches on their way.

mod answer;
mod check;
mod connection;
mod flight;
mod peer;
mod socket;
mod status;

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tonic::transport::Server;

pub(crate) use self::check::check;
use self::flight::Flight;
use self::peer::Peers;
use self::socket::Socket;
use self::socket::SocketRefused;
use crate::config::Config;
use crate::supervise::Supervisor;

/// Longest message of a caller: a statement and what is around it.
const REQUEST_BYTES_MAX: usize = crate::request::BYTES_MAX + (16 << 10);
/// Requests at once on one connection.
const STREAMS_MAX: u32 = 32;
/// How long running queries may go on once the process is told to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// A socket cannot be made where it should be.
    #[error(transparent)]
    Socket(#[from] SocketRefused),
    /// Signals cannot be heard.
    #[error("signals cannot be heard: {0}")]
    Signals(std::io::Error),
    /// A socket failed while it was served.
    #[error("a socket failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A socket cannot be made, or fails.
pub(crate) async fn serve(config: Config) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    // All sockets are bound before one is served: a process that cannot serve everything serves nothing.
    let mut bound = Vec::new();
    for source in config.sources {
        let socket = Socket::bind(&config.server, &source.name)?;
        bound.push((socket, Supervisor::new(source, config.base.clone())));
    }
    let (stop, stopped) = watch::channel(false);
    let mut served = tokio::task::JoinSet::new();
    let peers = Peers::new(&config.server);
    for (socket, supervisor) in bound {
        tracing::info!(source = %supervisor.source.name, socket = %socket.path().display(), "serving");
        if let Some(profile) = &supervisor.source.profile
            && !profile.tested
        {
            tracing::warn!(source = %supervisor.source.name, product = %profile.product,
                "this profile was not tested against the product");
        }
        served.spawn(one(socket, supervisor, peers.clone(), stopped.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Some(ended) = served.join_next() => return ended.unwrap_or(Ok(())),
    }
    tracing::info!("stopping");
    let _ = stop.send(true);
    let all = async { while served.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIME_MAX, all).await.is_err() {
        tracing::warn!("queries were still running; their workers end with this process");
    }
    Ok(())
}

async fn one(
    socket: Socket,
    supervisor: Arc<Supervisor>,
    peers: Peers,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let service = FlightServiceServer::new(Flight::new(supervisor))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let stop = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .concurrency_limit_per_connection(STREAMS_MAX as usize)
        .http2_max_header_list_size(16 << 10)
        .initial_connection_window_size(1 << 20)
        .initial_stream_window_size(1 << 20)
        .add_service(service)
        .serve_with_incoming_shutdown(socket.incoming(peers), stop)
        .await?;
    Ok(())
}
