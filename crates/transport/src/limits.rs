//! What one listener bounds. Every number has a default that suits a node; none may be unlimited.

use std::time::Duration;

/// Bounds of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that completed their handshake; default 1,024. Further ones are closed and counted as
    /// `OVERLOADED`.
    pub connections_max: usize,
    /// Of these, connections of one peer; default 128. Peers whose identity is refused count as one together. Nobody
    /// can then take the places of others by holding connections open.
    pub connections_per_peer_max: usize,
    /// TCP connections in their TLS handshake; default 256. Counted apart, so that strangers who connect and stay
    /// silent cannot take the places of callers.
    pub handshakes_max: usize,
    /// Time for the TLS handshake; default 10 s.
    pub handshake_timeout: Duration,
    /// Time for the header of an HTTP/1.1 request, idle time between requests included; default 30 s.
    pub header_timeout: Duration,
    /// Size of a request's header list, bytes; default 32 KiB.
    pub header_list_bytes_max: u32,
    /// Concurrent HTTP/2 streams per connection; default 128.
    pub streams_per_connection_max: u32,
    /// Silence after which an HTTP/2 peer is asked whether it lives; default 20 s.
    pub keep_alive_interval: Duration,
    /// Time for its answer; default 10 s.
    pub keep_alive_timeout: Duration,
    /// Time for running requests when the listener stops; default 10 s. What then still runs is cut.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 1_024,
            connections_per_peer_max: 128,
            handshakes_max: 256,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            header_list_bytes_max: 32 * 1_024,
            streams_per_connection_max: 128,
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
