//! The revocation epoch: one signed, numbered list of everything that is revoked, and of every grant that is suspended.
//!
//! A list, not a stream of changes, so that a node that missed some is whole again with the next one. The number only
//! grows; freshness is measured on the monotonic clock by whoever holds the epoch.

use std::collections::BTreeSet;

use lingqu_tlog::Hash;

use crate::product::ProductRef;
use crate::{CoordinatorId, ErrorCode, GrantId, PartyId, Timestamp};

/// Payload type of an epoch's envelope.
pub const EPOCH_TYPE: &str = "lingqu.v1.Epoch";
/// Payload type of a revocation request's envelope.
pub const REVOCATION_TYPE: &str = "lingqu.v1.Revocation";
/// Payload type of a suspension request's envelope.
pub const SUSPENSION_TYPE: &str = "lingqu.v1.Suspension";
/// Payload type of the envelope of a request to lift a suspension.
pub const LIFTING_TYPE: &str = "lingqu.v1.Lifting";
/// Most entries of one epoch, revoked and suspended together. With ids of the longest kind the list still fits into one envelope.
pub const REVOKED_MAX: usize = 13_000;

/// What is revoked as of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Who signed it.
    pub coordinator: CoordinatorId,
    /// Strictly growing.
    pub number: u64,
    /// When it was issued.
    pub issued: Timestamp,
    /// After this instant it is stale, whatever the unit's policy says.
    pub valid_until: Timestamp,
    /// Typed ids: grants, `product@version`, parties.
    pub revoked: BTreeSet<String>,
    /// Grants that allow nothing until their suspension is lifted. Unlike `revoked`, a later number may name fewer.
    pub suspended: BTreeSet<GrantId>,
}

impl Epoch {
    /// Whether the grant is suspended.
    pub fn suspends(&self, grant: &GrantId) -> bool {
        self.suspended.contains(grant)
    }

    /// Whether the grant is revoked.
    pub fn revokes_grant(&self, grant: &GrantId) -> bool {
        self.revoked.contains(grant.as_str())
    }

    /// Whether the party is revoked.
    pub fn revokes_party(&self, party: &PartyId) -> bool {
        self.revoked.contains(party.as_str())
    }

    /// Whether the product version is revoked.
    pub fn revokes_product(&self, product: &ProductRef) -> bool {
        self.revoked.contains(&product.to_string())
    }

    /// Whether this epoch may follow one with the number `seen`. The same number again is allowed: it renews freshness
    /// with a later date of issue.
    pub fn may_follow(&self, seen: u64) -> Result<(), ErrorCode> {
        if self.number >= seen {
            Ok(())
        } else {
            Err(ErrorCode::EpochRollback)
        }
    }
}

/// A signed request to revoke something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Who asks.
    pub by: PartyId,
    /// What is to be revoked, as in [`Epoch::revoked`].
    pub target: String,
    /// Why, for the record.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
}

/// A signed request to suspend a grant until the same party lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Who asks.
    pub by: PartyId,
    /// The grant.
    pub grant: GrantId,
    /// Why, for the record.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
}

/// A signed request to lift one suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifting {
    /// Who asks: whoever asked for the suspension.
    pub by: PartyId,
    /// Digest of the suspension's envelope. An old request can therefore not lift a later suspension.
    pub suspension: Hash,
    /// Why, for the record.
    pub reason: String,
    /// When it was signed.
    pub issued: Timestamp,
}
