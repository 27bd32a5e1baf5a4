//! What one listener bounds. Every number has a default that suits a node; none may be unlimited.

use std::time::Duration;

/// Most strangers that a listener may be configured for: each costs a file descriptor before it has said anything.
const STRANGERS_CEILING: usize = 16_384;
/// Most connections that a listener may be configured for.
const CONNECTIONS_CEILING: usize = 65_536;
/// Longest of the times that a stranger may be given.
const PATIENCE_CEILING: Duration = Duration::from_secs(300);

/// Bounds of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that completed their handshake; default 1,024. Further ones are closed and counted as
    /// `OVERLOADED`.
    pub connections_max: usize,
    /// Of these, connections of one peer; default 128. Without it, one that only connects and stays takes the places of
    /// all. Those whose identity was refused count as one peer.
    pub connections_per_peer_max: usize,
    /// Strangers: TCP connections that have not finished their TLS handshake; default 256. Counted apart, so that they
    /// cannot take the places of callers. When all places are taken, a newcomer takes that of the oldest from the
    /// address that holds most of them.
    pub strangers_max: usize,
    /// Of these, strangers of one address, an IPv4 address or an IPv6 network of 64 bits; default 64. A newcomer beyond
    /// it takes the place of the oldest from its own address. Behind a proxy or a translated address all callers share
    /// one: then this may be as large as [`Limits::strangers_max`].
    pub strangers_per_address_max: usize,
    /// Time for the first message of TLS, whole; default 3 s.
    pub hello_timeout: Duration,
    /// Time for the TLS handshake, its first message included; default 10 s.
    pub handshake_timeout: Duration,
    /// Time for the opening of HTTP/2 after the handshake; default 10 s.
    pub opening_timeout: Duration,
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
            strangers_max: 256,
            strangers_per_address_max: 64,
            hello_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(10),
            opening_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            header_list_bytes_max: 32 * 1_024,
            streams_per_connection_max: 128,
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Whether what an operator may configure lies within its bounds; the name of the first key that does not, as
    /// configuration files spell it.
    ///
    /// # Errors
    /// The key: counts are at least 1 and have a ceiling, times are from 1 ms to 5 minutes. A share larger than the whole is
    /// no error: it bounds nothing.
    pub fn check(&self) -> Result<(), &'static str> {
        let counts = [
            (
                "limits.connections_max",
                self.connections_max,
                CONNECTIONS_CEILING,
            ),
            (
                "limits.connections_per_peer_max",
                self.connections_per_peer_max,
                CONNECTIONS_CEILING,
            ),
            (
                "limits.strangers_max",
                self.strangers_max,
                STRANGERS_CEILING,
            ),
            (
                "limits.strangers_per_address_max",
                self.strangers_per_address_max,
                STRANGERS_CEILING,
            ),
        ];
        for (key, count, max) in counts {
            if !(1..=max).contains(&count) {
                return Err(key);
            }
        }
        let times = [
            ("limits.hello_s", self.hello_timeout),
            ("limits.handshake_s", self.handshake_timeout),
            ("limits.opening_s", self.opening_timeout),
        ];
        for (key, time) in times {
            if !(Duration::from_millis(1)..=PATIENCE_CEILING).contains(&time) {
                return Err(key);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
