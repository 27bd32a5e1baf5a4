//! That a licensee has destroyed what it held under a grant, and kept no copy and no backup (003 Art. 12(三); R-285).

use crate::{GrantId, NodeId, PartyId, Timestamp};

/// Payload type of a confirmation's envelope.
pub const DESTRUCTION_TYPE: &str = "lingqu.v1.Destruction";

/// The licensee's confirmation, countersigned by the unit. That no copy and no backup is left is said by signing it: a
/// confirmation that does not say so does not decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destruction {
    /// Who destroyed: the grant's licensee.
    pub licensee: PartyId,
    /// The grant, which has ended.
    pub grant: GrantId,
    /// The node whose unit countersigns.
    pub node: NodeId,
    /// When it was done.
    pub at: Timestamp,
    /// What was destroyed.
    pub what: String,
    /// How.
    pub method: String,
    /// Who did it or saw to it, by name or office. Stays in the signed file: the record has its digest alone.
    pub person: String,
}
