//! The live connections: who is on each, and the means to cut them.
//!
//! [`Connected`] goes into the extensions of every request. The peer's expiry is checked each time it is asked for:
//! a connection may outlive its certificate, a request may not begin after it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lingqu_core::{Clock, ErrorCode};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authorities, Chain, Usage};
use crate::identity::{Peer, PeerId};

/// One connection, as a request sees it: `Extension<Arc<Connected>>`.
pub struct Connected {
    peer: Result<Peer, ErrorCode>,
    remote: SocketAddr,
    clock: Arc<dyn Clock>,
}

impl Connected {
    /// A connection from `remote` whose peer is `peer`. The accept loop makes these; tests of handlers may too.
    pub fn new(peer: Result<Peer, ErrorCode>, remote: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        Connected {
            peer,
            remote,
            clock,
        }
    }

    /// Who is calling, now.
    ///
    /// # Errors
    /// [`ErrorCode::CallerOutsidePrefix`] if the issuing authority may not speak for the id,
    /// [`ErrorCode::CallerCertExpired`] if the certificate has expired since the handshake.
    pub fn peer(&self) -> Result<&Peer, ErrorCode> {
        let peer = self.peer.as_ref().map_err(|code| *code)?;
        if peer.valid_at(self.clock.now()) {
            Ok(peer)
        } else {
            Err(ErrorCode::CallerCertExpired)
        }
    }

    /// Whom the place is counted for; none for all whose identity was refused.
    fn id(&self) -> Option<&PeerId> {
        self.peer.as_ref().ok().map(|peer| &peer.id)
    }

    /// The other end's address: for logs only, it proves nothing.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("peer", &self.peer)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

/// The connections of one listener or several, shared by cloning.
#[derive(Clone, Default)]
pub struct Connections {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    live: BTreeMap<u64, Live>,
    next: u64,
    refused: BTreeMap<ErrorCode, u64>,
    strangers: usize,
    stranger_ends: BTreeMap<StrangerEnd, u64>,
}

/// Why a connection was ended that had not become a caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrangerEnd {
    /// Its address had its share of places, and came with another connection.
    AddressShare,
    /// All places were taken, its address had most of them, and a newcomer came.
    AllPlaces,
    /// The TLS handshake was not finished in time.
    Handshake,
    /// The first message of TLS did not come in time.
    Hello,
    /// The handshake was finished, and no protocol was begun in time.
    Opening,
}

impl StrangerEnd {
    /// All of them.
    pub const ALL: [StrangerEnd; 5] = [
        StrangerEnd::AddressShare,
        StrangerEnd::AllPlaces,
        StrangerEnd::Handshake,
        StrangerEnd::Hello,
        StrangerEnd::Opening,
    ];

    /// Its name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            StrangerEnd::AddressShare => "address_share",
            StrangerEnd::AllPlaces => "all_places",
            StrangerEnd::Handshake => "handshake",
            StrangerEnd::Hello => "hello",
            StrangerEnd::Opening => "opening",
        }
    }
}

struct Live {
    connected: Arc<Connected>,
    chain: Vec<CertificateDer<'static>>,
    cut: CancellationToken,
}

impl Connections {
    /// None yet.
    pub fn new() -> Self {
        Connections::default()
    }

    /// How many are live.
    pub fn count(&self) -> usize {
        self.table().live.len()
    }

    /// The live ones, oldest first.
    pub fn list(&self) -> Vec<Arc<Connected>> {
        self.table()
            .live
            .values()
            .map(|live| Arc::clone(&live.connected))
            .collect()
    }

    /// Closes every connection of `id` at once and says how many there were.
    ///
    /// Requests in progress lose their connection; a call's own task still finishes its bookkeeping. The peer may
    /// connect again: whoever cuts for good also makes each call refuse.
    pub fn cut(&self, id: &PeerId) -> usize {
        let is_theirs = |live: &&Live| {
            live.connected
                .peer
                .as_ref()
                .is_ok_and(|peer| peer.id == *id)
        };
        let table = self.table();
        table
            .live
            .values()
            .filter(is_theirs)
            .inspect(|live| live.cut.cancel())
            .count()
    }

    /// How many connections were refused under `code` since the start.
    pub fn refused(&self, code: ErrorCode) -> u64 {
        self.table().refused.get(&code).copied().unwrap_or(0)
    }

    pub(crate) fn count_refused(&self, code: ErrorCode) {
        *self.table().refused.entry(code).or_default() += 1;
    }

    /// How many connections are in their TLS handshake now.
    pub fn strangers(&self) -> usize {
        self.table().strangers
    }

    /// How many connections ended for `end` since the start, before they were a caller's.
    pub fn stranger_ends(&self, end: StrangerEnd) -> u64 {
        self.table().stranger_ends.get(&end).copied().unwrap_or(0)
    }

    pub(crate) fn count_stranger_end(&self, end: StrangerEnd) {
        *self.table().stranger_ends.entry(end).or_default() += 1;
    }

    pub(crate) fn stranger_came(&self) {
        self.table().strangers += 1;
    }

    pub(crate) fn stranger_went(&self) {
        let mut table = self.table();
        table.strangers = table.strangers.saturating_sub(1);
    }

    /// Enters a connection until the returned value is dropped; none if its peer has `per_peer_max` already.
    pub(crate) fn enter(
        &self,
        connected: Arc<Connected>,
        chain: Vec<CertificateDer<'static>>,
        cut: CancellationToken,
        per_peer_max: usize,
    ) -> Option<Entered> {
        let mut table = self.table();
        let id = connected.id();
        let theirs = table.live.values().filter(|live| live.connected.id() == id);
        if theirs.count() >= per_peer_max {
            return None;
        }
        let number = table.next;
        table.next += 1;
        table.live.insert(
            number,
            Live {
                connected,
                chain,
                cut,
            },
        );
        Some(Entered {
            connections: self.clone(),
            number,
        })
    }

    /// Cuts what `authorities` would no longer admit in the same way: an authority that is taken off the list loses
    /// its open connections too. Says how many.
    pub(crate) fn recheck(&self, authorities: &Authorities) -> usize {
        let table = self.table();
        let changed = |live: &&Live| {
            let Some(chain) = Chain::new(&live.chain) else {
                return true;
            };
            let peer = authorities.identify(chain, live.connected.clock.now(), Usage::Client);
            peer != live.connected.peer
        };
        table
            .live
            .values()
            .filter(changed)
            .inspect(|live| live.cut.cancel())
            .count()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock, and each change of the table is a single step.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("count", &self.count())
            .finish()
    }
}

/// A connection's place in the table.
pub(crate) struct Entered {
    connections: Connections,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.connections.table().live.remove(&self.number);
    }
}
