//! Who may connect: the kernel says which user is at the other end (`SO_PEERCRED`), whatever the rights of the file.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::connection::Connection;
use crate::config::Server;

/// Who is served, and how many connections at once.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    uids: Arc<[u32]>,
    idle_time_max: Duration,
    connections_max: usize,
}

/// The connections of one socket.
#[derive(Debug)]
pub(super) struct Door {
    peers: Peers,
    places: Arc<Semaphore>,
}

impl Peers {
    pub(super) fn new(server: &Server) -> Peers {
        let own = || vec![rustix::process::geteuid().as_raw()];
        Peers {
            uids: server.peer_uids.clone().unwrap_or_else(own).into(),
            idle_time_max: Duration::from_secs(server.idle_seconds_max),
            connections_max: server.connections_max,
        }
    }

    pub(super) fn door(self) -> Door {
        Door {
            places: Arc::new(Semaphore::new(self.connections_max)),
            peers: self,
        }
    }
}

impl Door {
    /// Takes a connection in, or drops it before a byte of it is read.
    pub(super) fn admit(&self, stream: UnixStream) -> Option<Connection> {
        let uid = match stream.peer_cred() {
            Ok(credentials) => credentials.uid(),
            Err(error) => {
                tracing::warn!(%error, "a connection without credentials was closed");
                return None;
            }
        };
        if !self.peers.uids.contains(&uid) {
            tracing::warn!(uid, "a connection of another user was closed");
            return None;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(uid, "a connection beyond `connections_max` was closed");
            return None;
        };
        Some(Connection::new(stream, place, self.peers.idle_time_max))
    }
}
