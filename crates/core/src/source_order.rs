//! The unit's signed orders about its resources: that it has looked at a table that changed, or that a load was wrong.

use lingqu_tlog::Hash;

use crate::grant::Environment;
use crate::{LoadId, NodeId, PartyId, Timestamp};

/// Payload type of a source order's envelope.
pub const SOURCE_ORDER_TYPE: &str = "lingqu.v1.SourceOrder";

/// Longest reason of a correction, in bytes: it stands in one clear field of a record.
pub const REASON_LEN_MAX: usize = 200;

/// A signed order of the unit to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOrder {
    /// The unit.
    pub unit: PartyId,
    /// The node it is for.
    pub node: NodeId,
    /// Strictly growing per node: an order cannot be replayed.
    pub number: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// The resource that it is about.
    pub resource: String,
    /// An environment that the resource serves: one of the same name in another environment is another resource.
    pub environment: Environment,
    /// What is ordered.
    pub act: SourceAct,
}

/// What a source order says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAct {
    /// The unit has looked at the table's columns as they are now, and goes on with them.
    Accept {
        /// Digest of these columns.
        schema: Hash,
    },
    /// A load was wrong; the one that the order begins takes its place.
    Correct {
        /// The wrong load.
        wrong: LoadId,
        /// What was wrong, without anything personal, 1 to 200 bytes.
        reason: String,
    },
}
