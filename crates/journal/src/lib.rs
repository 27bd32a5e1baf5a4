//! What "no log, no answer" and "never overspent" rest on: durable frames, group commit, and the node's journal.
//!
//! **In scope**: a log of opaque frames over a store that may fail ([`Wal`]), group commit ([`Committer`]), and on top
//! of them the node's own stream ([`Journal`]): records in their place, checkpoints, quotas as a fold over the records,
//! release of answers, comparison with the mirror. The journal *is* the log: one C2SP log, one writer.
//!
//! **Out of scope**: who may call (`lingqu-core`), the wire to the mirror, what an answer is, retention.
//!
//! **Start reading at** [`Journal`] (`stream.rs`); below it `stream/stage.rs` makes a frame and `stream/fold.rs` is the
//! one place where a frame takes effect, at recovery as in operation; then `commit.rs`, `wal.rs`, `store.rs`.

mod clock;
mod commit;
mod frame;
mod seal;
mod store;
mod stream;
mod wal;

pub use clock::SystemClock;
pub use commit::{Committer, CommitterOptions, FatalHook, NotQueued, QueueFull, Stage};
pub use frame::LogId;
pub use seal::{
    ResealFailed, StateKey, StateKeyUnreadable, StateKeys, StateKeysRefused, Unsealable,
    is_sealed_file, reseal,
};
pub use store::{FileStore, Segment, Store, StoreError};
pub use stream::{
    AppendFailed, Batch, BeginRefused, Charge, CheckedHead, ClosedError, CosignatureRefused,
    Debited, DpCharge, EndCheck, EndFailed, EndOrder, Figures, HeadFigures, HeadRefused, HeadTerms,
    HeadTermsRefused, Journal, JournalLimits, JournalOptions, MIRRORS_MAX, MirrorFigures,
    MirrorTerms, OpenError, Outcome, PastUnreadable, Predecessor, ReconcileRefused, Reconciled,
    Recorded, Refold, RefoldRefused, Released, Seen, SpaceUse, SubjectUse, Summary, Unrecorded,
    Usage, past_batches, read_past,
};
pub use wal::{ReadError, Sealed, Start, Wal, WalError, WalOpenError, WalOptions, WalReader};
