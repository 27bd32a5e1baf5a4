//! The node's journal: one stream, one writer. It *is* the transparency log; everything else is read from it.
//!
//! A call goes `reserve` → (evaluation) → `record` → `release`. Each needs what the one before gave: a permit, a
//! charge, a durable record. Nothing that this journal signs is told before the disk has it (I1), and nothing is signed
//! before the mirror was asked (I3).

mod batch;
mod budgets;
mod buffers;
mod calls;
mod charge;
mod coverage;
mod debiting;
mod denials;
#[cfg(test)]
mod failures;
mod figures;
mod fold;
mod heads;
mod ledger;
mod life;
mod mirror;
mod options;
mod past;
mod payload;
mod reconcile;
mod recording;
mod refold;
mod release;
mod releasing;
mod shipping;
mod stage;
mod state;
mod subjects;
mod succeeding;
#[cfg(test)]
mod world;

use std::sync::{Arc, Mutex};

use self::ledger::AccountId;
use lingqu_core::call::Header;
use lingqu_core::decide::ClockState;
use lingqu_core::grant::Environment;
use lingqu_core::record::StreamId;
use lingqu_core::{GrantId, Timestamp};
use lingqu_tlog::{Checkpoint, Intl, KeyName, Suite, VerifierKey};
use tokio::sync::Semaphore;

pub use batch::{Batch, ClosedError};
pub use budgets::SpaceUse;
pub use calls::Seen;
pub use charge::Charge;
pub use debiting::{Debited, DpCharge};
pub use figures::{Figures, HeadFigures, MirrorFigures};
pub use heads::{CheckedHead, HeadRefused, HeadTerms, HeadTermsRefused};
pub use ledger::Usage;
pub use options::{JournalLimits, JournalOptions, MIRRORS_MAX, MirrorTerms, OpenError};
pub use past::{PastUnreadable, past_batches, read_past};
pub use reconcile::{ReconcileRefused, Reconciled};
pub use refold::{Refold, RefoldRefused};
pub use release::{Outcome, Recorded, Released, Summary, Unrecorded};
pub use shipping::CosignatureRefused;
pub use state::AppendFailed;
pub use subjects::SubjectUse;
pub use succeeding::{BeginRefused, EndCheck, EndFailed, EndOrder, Predecessor};

use crate::commit::{Committer, CommitterOptions};
use crate::frame::LogId;
use crate::seal::StateKeys;
use crate::store::Store;
use crate::wal::{Wal, WalOpenError, WalOptions, WalReader};
use calls::Remembered;
use denials::Denials;
use fold::{Applied, Fold, FoldRefused, Frame};
use mirror::Mirror;
use stage::{Item, StreamStage};
use state::{Fixed, Phase, Shared};

/// Records of the node's own acts that may wait at one time.
const CONTROL_QUEUE_MAX: usize = 16;
/// Debits that may wait at one time; a further one waits for a place before it is admitted.
const DEBIT_QUEUE_MAX: usize = 64;
/// How far the clock may be behind the newest record: a correction by the time service, not a reset.
const SET_BACK_MAX: std::time::Duration = std::time::Duration::from_secs(2);

/// The journal of one node's stream. Clones are handles of the same journal.
///
/// [`Journal::close`] ends it in order. Without it, dropping the last handle writes what is queued, but the counts of
/// coalesced denials are lost.
#[derive(Clone)]
pub struct Journal<S: Suite = Intl> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Suite> {
    shared: Arc<Shared<S>>,
    committer: Committer<Item>,
    reader: WalReader,

    // Each kind of record has places of its own, so that a flood of one cannot take those of another; those of calls are
    // counted in the state.
    denial_slots: Arc<Semaphore>,
    control_slots: Arc<Semaphore>,
    debit_slots: Arc<Semaphore>,
    /// One place: for the debit that waits for the mirror.
    mirrored_debit: Arc<Semaphore>,

    denials: Mutex<Denials>,
}

impl<S: Suite> Journal<S> {
    /// Opens the journal in `store`: reads it whole, checks every frame, and makes it ready for writing. Records can
    /// be made after [`Journal::reconcile`].
    ///
    /// # Errors
    /// [`OpenError`]; the store is as it was then, except when the store itself failed.
    pub fn open(
        options: JournalOptions<S>,
        store: Box<dyn Store>,
    ) -> Result<Journal<S>, OpenError> {
        Journal::open_with(options, store, None)
    }

    /// As [`Journal::open`]; what lies in the store is sealed with `keys`. What goes to the mirror is not.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Clear`] and [`OpenError::Sealed`] when the store is the other way.
    pub fn open_with(
        options: JournalOptions<S>,
        store: Box<dyn Store>,
        keys: Option<Arc<StateKeys>>,
    ) -> Result<Journal<S>, OpenError> {
        let limits = options.limits;
        limits.check()?;
        let name = KeyName::parse(&options.origin).map_err(|_| OpenError::Origin)?;
        let log_key = VerifierKey::<S>::note(name, options.signer.public_key())
            .map_err(|_| OpenError::Origin)?;
        options.mirrors.check(&log_key)?;
        let now = (options.clock.now(), options.clock.monotonic());
        let mut fold = Fold::new(&options.origin, &limits);
        let mut mirror = Mirror::new(&options.mirrors);
        let wal_options = WalOptions {
            log: LogId(StreamId::of::<S>(&options.origin).0),
            segment_len: limits.segment_len,
            payload_len_max: limits.frame_bytes_max,
        };
        let wal = Wal::open_with(Arc::from(store), wal_options, keys, |bytes| {
            let applied = replay(&mut fold, &log_key, bytes)?;
            mirror.lag.push(&applied, now);
            Ok(())
        })
        .map_err(open_error)?;
        if options.lost || wal.was_torn() || fold.tree.size() == 0 {
            mirror.lost_something();
        }
        let fixed = Fixed {
            log_key,
            mirrors: options.mirrors,
            clock: options.clock,
            limits,
            follows: options.follows,
        };
        let shared = Shared::new(fold, mirror, fixed);
        Journal::start(Arc::new(shared), wal, options.signer, options.on_fatal)
            .map_err(OpenError::Thread)
    }

    fn start(
        shared: Arc<Shared<S>>,
        wal: Wal,
        signer: Arc<dyn lingqu_tlog::Signer>,
        on_fatal: crate::commit::FatalHook,
    ) -> std::io::Result<Journal<S>> {
        let limits = &shared.limits;
        // Whoever holds a slot finds room; one place more is for adopting and closing.
        let own_acts_max = CONTROL_QUEUE_MAX + DEBIT_QUEUE_MAX;
        let queue_max = limits.queue_max + limits.denial_queue_max + own_acts_max + 1;
        let committer_options = CommitterOptions {
            name: "journal".to_owned(),
            queue_max,
            frame_items_max: limits.frame_entries_max,
            frame_bytes_max: limits.frame_room(),
        };
        let reader = wal.reader();
        let stage = StreamStage::new(Arc::clone(&shared), signer);
        Ok(Journal {
            inner: Arc::new(Inner {
                committer: Committer::spawn(committer_options, wal, stage, on_fatal)?,
                reader,
                denial_slots: Arc::new(Semaphore::new(limits.denial_queue_max)),
                control_slots: Arc::new(Semaphore::new(CONTROL_QUEUE_MAX)),
                debit_slots: Arc::new(Semaphore::new(DEBIT_QUEUE_MAX)),
                mirrored_debit: Arc::new(Semaphore::new(1)),
                denials: Mutex::new(Denials::new(limits.denial_keys_max)),
                shared,
            }),
        })
    }

    /// The stream's origin.
    pub fn origin(&self) -> &str {
        &self.inner.shared.origin
    }

    /// Number of durable records.
    pub fn size(&self) -> u64 {
        self.inner.shared.lock().fold.tree.size()
    }

    /// Number of records that enough mirrors have cosigned, as far as this process knows.
    pub fn mirrored_size(&self) -> u64 {
        self.inner.shared.lock().mirror.size()
    }

    /// Number of records that this mirror has cosigned, as far as this process knows.
    pub fn mirrored_by(&self, mirror: usize) -> u64 {
        self.inner.shared.lock().mirror.size_of(mirror)
    }

    /// The newest signed checkpoint as a note; none while the journal is empty.
    pub fn checkpoint(&self) -> Option<String> {
        let shared = &self.inner.shared;
        let note = shared.lock().newest(shared);
        note.map(|note| note.to_string())
    }

    /// The highest time recorded or cosigned: decisions are never dated before it.
    pub fn time_floor(&self) -> Timestamp {
        self.inner.shared.glance().time_floor()
    }

    /// The highest revocation epoch that is on record.
    pub fn epoch_floor(&self) -> u64 {
        self.inner.shared.lock().fold.epoch
    }

    /// The highest stop order that is on record.
    pub fn stop_floor(&self) -> u64 {
        self.inner.shared.lock().fold.stop
    }

    /// What the clock is worth: `SetBack` if it is more than 2 s behind the newest record, `Skewed` if it was more
    /// than 30 s away from the coordinator's at the last cosignature.
    pub fn clock_state(&self) -> ClockState {
        let shared = &self.inner.shared;
        if shared.clock.now().plus(SET_BACK_MAX) < shared.glance().last_time() {
            ClockState::SetBack
        } else if shared.glance().is_skewed() {
            ClockState::Skewed
        } else {
            ClockState::Good
        }
    }

    /// What counts against a grant's quota of production at `now`: recorded and reserved.
    pub fn usage(&self, grant: &GrantId, now: Timestamp) -> Usage {
        self.usage_in(Environment::Prod, grant, now)
    }

    /// What counts against a grant's quota in `environment` at `now`: recorded and reserved.
    pub fn usage_in(&self, environment: Environment, grant: &GrantId, now: Timestamp) -> Usage {
        let account = AccountId {
            grant: grant.clone(),
            environment,
        };
        self.inner.shared.lock().fold.ledger.usage(&account, now)
    }

    /// Whether a recorded call of this caller under `grant` has the call's id. Calls in flight are not known here.
    pub fn seen(&self, header: &Header, grant: &GrantId) -> Seen {
        let call = Remembered::made::<S>(
            header.caller.as_str(),
            grant.as_str(),
            header.id,
            header.request_tag,
        );
        self.inner.shared.lock().fold.calls.seen(&call)
    }

    /// Ends the journal in order: takes nothing more, writes what is queued and the counts of coalesced denials, and
    /// ends the thread. Blocks until that is done. Other handles stay readable.
    pub fn close(self) {
        let was_ready = self.reconciled();
        self.inner.shared.end(Phase::Closed);
        if was_ready {
            self.write_denials_at_close();
        }
        self.inner.committer.close();
    }
}

/// Checks a frame's signature and lets it take effect.
fn replay<S: Suite>(
    fold: &mut Fold<S>,
    log_key: &VerifierKey<S>,
    bytes: &[u8],
) -> Result<Applied, FoldRefused> {
    let frame = Frame::read::<S>(bytes)?;
    let checkpoint = Checkpoint {
        origin: log_key.name().as_str().to_owned(),
        size: frame.payload.end(),
        root: frame.payload.root,
    };
    let text = checkpoint.to_text();
    if !S::verify(
        log_key.public_key(),
        text.as_bytes(),
        frame.payload.signature,
    ) {
        return Err(FoldRefused::Signature);
    }
    let growth = fold.tree.frontier().grow(frame.leaves::<S>());
    let bytes = fold.copied(bytes);
    fold.apply(&frame, &growth, bytes)
}

fn open_error(error: WalOpenError<FoldRefused>) -> OpenError {
    match error {
        WalOpenError::Clear => OpenError::Clear,
        WalOpenError::Sealed => OpenError::Sealed,
        WalOpenError::Corrupt { .. } => OpenError::Corrupt(error.to_string()),
        WalOpenError::Refused(refused) => OpenError::Corrupt(refused.to_string()),
        WalOpenError::Options => OpenError::Limits("segments and frames do not fit"),
        WalOpenError::OtherLog => OpenError::OtherStream,
        WalOpenError::Store(error) => OpenError::Store(error),
    }
}

#[cfg(test)]
mod tests;
