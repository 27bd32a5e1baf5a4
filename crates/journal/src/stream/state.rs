//! What the committer's thread and the callers share, behind one lock that is never held across I/O.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lingqu_core::record::StreamId;
use lingqu_core::{Clock, Timestamp};
use lingqu_tlog::{Note, NoteSignature, Policy, Suite, VerifierKey};
use tokio::sync::watch;

use super::fold::Fold;
use super::mirror::Mirror;
use super::options::{JournalLimits, MirrorTerms};

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendFailed {
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The log can no longer be written. Whether this record is durable is not known; its answer must not leave.
    #[error("the journal can no longer be written")]
    Failed,
    /// The unit has ended the stream: another one follows.
    #[error("the stream has ended")]
    Ended,
    /// The mirror holds another history of this stream.
    #[error("the journal and its mirror contradict each other")]
    Forked,
    /// Records of calls and of denials have ways of their own.
    #[error("this kind of record is not appended directly")]
    Kind,
    /// The stream follows another one, and has not taken over what that one brings forward.
    #[error("the stream has not begun")]
    NotBegun,
    /// The journal was not compared with its mirror since the start.
    #[error("the journal was not compared with its mirror yet")]
    NotReconciled,
    /// The charge was reserved for another call's permit.
    #[error("the charge belongs to another permit")]
    OtherCharge,
    /// The debit of the call's privacy budget was not seen to become durable.
    #[error("the debit of the call is not known to be on record")]
    Undebited,
}

pub(crate) struct Shared<S: Suite> {
    pub(crate) origin: String,
    pub(crate) stream: StreamId,
    pub(crate) log_key: VerifierKey<S>,
    pub(crate) mirrors: MirrorTerms<S>,
    /// The key of the head log that is followed, if one is, and the witnesses that are asked for, if any are.
    pub(crate) heads: OnceLock<(VerifierKey<S>, Option<Policy<S>>)>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: JournalLimits,
    /// Whether the stream follows another one.
    pub(crate) follows: bool,
    state: Mutex<State<S>>,
    glance: Glance,
    /// The durable size, for whoever waits for more.
    pub(crate) progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) size: u64,
    /// Nothing more will come.
    pub(crate) ended: bool,
}

pub(crate) struct State<S: Suite> {
    /// Follows from the durable frames alone.
    pub(crate) fold: Fold<S>,
    /// What the mirrors are known to have.
    pub(crate) mirror: Mirror,
    pub(crate) phase: Phase,
    /// Calls that hold a reservation and a place in the queue.
    pub(crate) calls_under_way: usize,
}

/// Few numbers of the state, as whoever held the lock last left them: every call asks for them, and must not wait for
/// the lock each time.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    is_ready: AtomicBool,
    is_skewed: AtomicBool,
    last_time: AtomicI64,
    time_floor: AtomicI64,
}

impl Glance {
    /// Whether the journal is open for records.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Whether the clock was too far from the mirror's.
    pub(crate) fn is_skewed(&self) -> bool {
        self.is_skewed.load(Ordering::Acquire)
    }

    /// Time of the newest record.
    pub(crate) fn last_time(&self) -> Timestamp {
        Timestamp(self.last_time.load(Ordering::Acquire))
    }

    /// The highest time recorded or cosigned.
    pub(crate) fn time_floor(&self) -> Timestamp {
        Timestamp(self.time_floor.load(Ordering::Acquire))
    }

    /// Takes over what has changed. What has not is not written, so that those who read it keep it close.
    fn update<S: Suite>(&self, state: &State<S>) {
        let is_ready = state.phase == Phase::Ready;
        if self.is_ready.load(Ordering::Relaxed) != is_ready {
            self.is_ready.store(is_ready, Ordering::Release);
        }
        if self.is_skewed.load(Ordering::Relaxed) != state.mirror.skewed {
            self.is_skewed.store(state.mirror.skewed, Ordering::Release);
        }
        let times = [
            (&self.last_time, state.fold.last_time),
            (&self.time_floor, state.time_floor()),
        ];
        for (known, time) in times {
            if known.load(Ordering::Relaxed) != time.0 {
                known.store(time.0, Ordering::Release);
            }
        }
    }
}

/// The state, locked. Whoever lets it go shows at a glance what has changed.
pub(crate) struct Locked<'a, S: Suite> {
    state: MutexGuard<'a, State<S>>,
    glance: &'a Glance,
}

impl<S: Suite> Deref for Locked<'_, S> {
    type Target = State<S>;

    fn deref(&self) -> &State<S> {
        &self.state
    }
}

impl<S: Suite> DerefMut for Locked<'_, S> {
    fn deref_mut(&mut self) -> &mut State<S> {
        &mut self.state
    }
}

impl<S: Suite> Drop for Locked<'_, S> {
    fn drop(&mut self) {
        // Still under the lock, so that an older state is never shown after a newer one.
        self.glance.update(&self.state);
    }
}

/// Where the journal is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not compared with the mirror since the start; if the mirror is ahead, up to which size.
    Unreconciled { ahead_to: Option<u64> },
    /// Compared with the mirror, and waiting for what the stream before brings forward.
    Beginning,
    /// Open for records.
    Ready,
    /// The stream's last record is on its way or there: only the mirror still gets what is there.
    Ended,
    /// Closed in order.
    Closed,
    /// A write failed.
    Failed,
    /// The mirror holds another history. For ever, in this process.
    Forked,
}

impl Phase {
    /// Whether records may be appended.
    pub(crate) fn check(self) -> Result<(), AppendFailed> {
        match self {
            Phase::Ready => Ok(()),
            Phase::Beginning => Err(AppendFailed::NotBegun),
            Phase::Ended => Err(AppendFailed::Ended),
            Phase::Unreconciled { .. } => Err(AppendFailed::NotReconciled),
            Phase::Closed => Err(AppendFailed::Closed),
            Phase::Failed => Err(AppendFailed::Failed),
            Phase::Forked => Err(AppendFailed::Forked),
        }
    }
}

/// What does not change while a journal is open.
pub(crate) struct Fixed<S: Suite> {
    pub(crate) log_key: VerifierKey<S>,
    pub(crate) mirrors: MirrorTerms<S>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: JournalLimits,
    pub(crate) follows: bool,
}

impl<S: Suite> Shared<S> {
    pub(crate) fn new(fold: Fold<S>, mirror: Mirror, fixed: Fixed<S>) -> Shared<S> {
        let origin = fixed.log_key.name().as_str().to_owned();
        let progress = Progress {
            size: fold.tree.size(),
            ended: false,
        };
        let shared = Shared {
            stream: StreamId::of::<S>(&origin),
            origin,
            log_key: fixed.log_key,
            mirrors: fixed.mirrors,
            heads: OnceLock::new(),
            clock: fixed.clock,
            limits: fixed.limits,
            follows: fixed.follows,
            state: Mutex::new(State {
                fold,
                mirror,
                phase: Phase::Unreconciled { ahead_to: None },
                calls_under_way: 0,
            }),
            glance: Glance::default(),
            progress: watch::Sender::new(progress),
        };
        // What the log says is shown from the beginning.
        drop(shared.lock());
        shared
    }

    /// A holder that panics is the committer, which then sets [`Phase::Failed`]: nothing is appended or released on a
    /// state that is only half changed.
    pub(crate) fn lock(&self) -> Locked<'_, S> {
        Locked {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            glance: &self.glance,
        }
    }

    /// What every call asks and what is known without the lock.
    pub(crate) fn glance(&self) -> &Glance {
        &self.glance
    }

    /// Ends the journal, unless it has ended already, and tells everybody who waits.
    pub(crate) fn end(&self, phase: Phase) {
        let mut state = self.lock();
        if !state.phase.is_over() || phase == Phase::Failed {
            state.phase = phase;
        }
        state.mirror.drop_waiters();
        drop(state);
        self.progress.send_modify(|progress| progress.ended = true);
    }

    /// The note of a checkpoint of ours with this signature by the log key.
    pub(crate) fn own_signature(&self, blob: Vec<u8>) -> NoteSignature {
        NoteSignature {
            name: self.log_key.name().clone(),
            id: self.log_key.id(),
            blob,
        }
    }
}

impl Phase {
    /// Whether nothing will come any more, not even for the mirror.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Phase::Closed | Phase::Failed | Phase::Forked => true,
            Phase::Beginning | Phase::Ended | Phase::Ready | Phase::Unreconciled { .. } => false,
        }
    }
}

impl<S: Suite> State<S> {
    /// The phase of a journal that was compared with its mirror.
    pub(crate) fn compared(&self, follows: bool) -> Phase {
        if self.fold.life.end().is_some() || self.phase == Phase::Ended {
            Phase::Ended
        } else if self.fold.life.is_opening() || (follows && !self.fold.life.has_begun()) {
            Phase::Beginning
        } else {
            Phase::Ready
        }
    }

    /// Opens the journal for records, if none of the mirrors has shown more and enough of them were heard. Gives whether it
    /// was compared.
    pub(crate) fn open_if_heard(&mut self, follows: bool) -> bool {
        match self.phase {
            Phase::Unreconciled { ahead_to } => {
                let is_whole = ahead_to.unwrap_or(0) <= self.fold.tree.size();
                if !is_whole || !self.mirror.has_heard_enough() {
                    return false;
                }
            }
            Phase::Beginning | Phase::Ended | Phase::Ready => {}
            Phase::Closed | Phase::Failed | Phase::Forked => return false,
        }
        self.phase = self.compared(follows);
        true
    }

    /// The newest checkpoint as a signed note.
    pub(crate) fn newest(&self, shared: &Shared<S>) -> Option<Note> {
        let (checkpoint, blob) = self.fold.signed(self.fold.tree.size())?;
        Some(Note {
            text: checkpoint.to_text(),
            signatures: vec![shared.own_signature(blob)],
        })
    }

    /// The highest time recorded or cosigned.
    pub(crate) fn time_floor(&self) -> Timestamp {
        self.fold.last_time.max(self.mirror.time_floor)
    }
}
