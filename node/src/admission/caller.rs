//! Who is calling: the one place that knows how an identity arrives. Today that is mutual TLS end to end.

use lingqu_core::{ErrorCode, PartyId};
use lingqu_transport::{Peer, PeerId};

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The party that the certificate names.
    pub party: PartyId,
    /// SHA-256 of the certificate.
    pub certificate: [u8; 32],
}

impl Caller {
    /// A caller is a party; a node's or the coordinator's certificate opens nothing here.
    pub fn from_peer(peer: &Peer) -> Result<Caller, ErrorCode> {
        match &peer.id {
            PeerId::Party(party) => Ok(Caller {
                party: party.clone(),
                certificate: peer.fingerprint,
            }),
            PeerId::Node(_) | PeerId::Coordinator(_) => Err(ErrorCode::CallerRoleForbidden),
        }
    }
}
