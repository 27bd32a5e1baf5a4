//! Comparators and the keyed index for verification: "does this name and number match?".
//!
//! **What it is.** A register is read once, row by row, into an [`Index`] that keeps keyed digests
//! only. A [`Claim`] is then looked up in it and the answer is one of four [`Finding`]s.
//!
//! **In scope.** The published rules by which a claimed value equals a registered one
//! ([`Comparator`]), the shape of a verification ([`Schema`]), refusing a claim that does not have
//! exactly that shape, and a lookup whose work does not depend on the answer.
//!
//! **Out of scope.** Reading sources, deciding who may ask, counting calls, and what a finding is
//! called on the wire. Nothing here does I/O, reads a clock or draws randomness of its own.
//!
//! **What still shows.** Who holds the memory of the process holds the digest key next to the
//! digests and can test guesses against them; the digests protect a dump of the table, not of the
//! process. Who holds the table without the key learns how many rows there are and which rows share
//! a key, and among those which share a value of a field. The time of a lookup depends on the
//! length of the claim (known to the caller), on the size of the register, and, through processor
//! caches and page faults, on whether the same key was looked up shortly before.
//!
//! **Start reading at** [`Index::lookup`], then [`Comparator`].

mod builder;
mod claim;
mod comparator;
mod date;
mod digest;
mod directory;
mod fold;
mod index;
mod schema;
mod value;
#[cfg(test)]
mod work;

pub use builder::{BuildRefused, IndexBuilder, Limits, RowRefused};
pub use claim::{Claim, ClaimRefused};
pub use comparator::{Comparator, MAX_TEXT_BYTES, UnknownComparator};
pub use digest::{IndexKey, RandomnessUnavailable};
pub use directory::{Directory, DirectoryBuilder, KeyShared};
pub use index::{Finding, Index};
pub use schema::{
    Field, MAX_COMPARED_FIELDS, MAX_KEY_FIELDS, MAX_NAME_BYTES, MAX_THRESHOLDS, Schema,
    SchemaRefused,
};
pub use value::Value;
