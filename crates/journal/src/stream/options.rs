//! What a journal is opened with, and why it is not opened.

use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_core::record::{Field, RECORD_LEN_MAX};
use lingqu_tlog::{Intl, KeyKind, Signer, Suite, VerifierKey};

use super::mirror::COORDINATOR;
use super::payload::{ENTRY_OVERHEAD, PAYLOAD_OVERHEAD};
use crate::commit::FatalHook;
use crate::store::StoreError;

/// Longest record that a draft can become, other than of a stream's end or beginning: fixed header, and every field at
/// its longest.
pub(crate) const DRAFT_LEN_MAX: usize = 160 + Field::ALL.len() * (4 + 256) + ENTRY_OVERHEAD;

/// What a journal is opened with.
pub struct JournalOptions<S: Suite = Intl> {
    /// The stream's origin, which is also the name of its key.
    pub origin: String,
    /// The log key. It signs checkpoints of this stream and nothing else.
    pub signer: Arc<dyn Signer>,
    /// The mirrors, as the unit pinned them.
    pub mirrors: MirrorTerms<S>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Sizes and bounds.
    pub limits: JournalLimits,
    /// Called once when the log can no longer be written; by default the process ends.
    pub on_fatal: FatalHook,
    /// Whether the stream follows another one: then nothing is recorded before [`super::Journal::begin`].
    pub follows: bool,
    /// Whether the journal is known to have lost records, from an earlier run that had not heard every mirror since. An
    /// empty one, and one whose last frame is torn, are taken to have without it.
    pub lost: bool,
}

/// Most mirrors of one stream.
pub const MIRRORS_MAX: usize = 8;

/// Who mirrors a stream, and how many of them must have cosigned a checkpoint before it counts as mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorTerms<S: Suite = Intl> {
    /// Their cosignature keys; the first is the coordinator's, which also shows the head log. A mirror is named by its
    /// place here. At most [`MIRRORS_MAX`].
    pub keys: Vec<VerifierKey<S>>,
    /// How many of them it takes, from 1 to all.
    pub required: usize,
}

impl<S: Suite> MirrorTerms<S> {
    /// The coordinator's mirror alone.
    #[must_use]
    pub fn one(key: VerifierKey<S>) -> MirrorTerms<S> {
        MirrorTerms {
            keys: vec![key],
            required: 1,
        }
    }

    /// A cosignature does not name its cosigner: one key in two roles could answer for both.
    pub(crate) fn check(&self, log_key: &VerifierKey<S>) -> Result<(), OpenError> {
        let mut seen = vec![log_key];
        for key in &self.keys {
            let is_other = seen
                .iter()
                .all(|other| other.public_key() != key.public_key());
            if key.kind() != KeyKind::Cosignature || !is_other {
                return Err(OpenError::MirrorKey);
            }
            seen.push(key);
        }
        if (1..=MIRRORS_MAX).contains(&self.keys.len())
            && (1..=self.keys.len()).contains(&self.required)
        {
            Ok(())
        } else {
            Err(OpenError::Mirrors)
        }
    }

    /// Belief in `log` and in the coordinator's mirror, as a policy: the others may have changed since.
    pub(crate) fn coordinators(&self, log: &str) -> String {
        let key = &self.keys[COORDINATOR];
        format!("log {log}\nwitness mirror {key}\nquorum mirror\n")
    }
}

/// Sizes and bounds of a journal. The defaults take about 130 MB of memory at most, some 20 of them for the ids of the
/// newest calls, whose number is fixed ([`lingqu_core::forward::CALLS_MAX`]). None of them changes what records lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLimits {
    /// Length of a segment file in bytes, a multiple of 4,096. Default 32 MiB.
    pub segment_len: u64,
    /// Most calls that hold a reservation at one time, recorded or not yet. Default 4,096.
    pub queue_max: usize,
    /// Most denial records that wait. Default 256.
    pub denial_queue_max: usize,
    /// Most combinations of party, code and product that are counted within a minute. One party has at most a
    /// sixteenth of them. Default 4,096.
    pub denial_keys_max: usize,
    /// Newest entries that can be proved: an answer must be released before so many others are recorded. About 64
    /// bytes each. Default 262,144.
    pub recent_entries_max: u64,
    /// Bytes of newest frames kept in memory for the mirror. Default 16 MiB.
    pub recent_bytes_max: usize,
    /// Pairs of subject and grant that are counted at one time; beyond it, calls about others under a limit are
    /// refused. About 120 bytes each. Default 262,144.
    pub subjects_max: usize,
    /// Most queued items of one frame. Default 1,024.
    pub frame_entries_max: usize,
    /// Longest payload of one frame in bytes. Default 8 MiB.
    pub frame_bytes_max: usize,
    /// Most entries of one batch for the mirror, unless one frame has more. Default 8,192.
    pub batch_entries_max: usize,
    /// Most bytes of entries of one batch, unless one frame has more. Default 2 MiB.
    pub batch_bytes_max: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        JournalLimits {
            segment_len: 32 << 20,
            queue_max: 4_096,
            denial_queue_max: 256,
            denial_keys_max: 4_096,
            recent_entries_max: 262_144,
            recent_bytes_max: 16 << 20,
            subjects_max: 262_144,
            frame_entries_max: 1_024,
            frame_bytes_max: 8 << 20,
            batch_entries_max: 8_192,
            batch_bytes_max: 2 << 20,
        }
    }
}

impl JournalLimits {
    /// Bytes of entries that one frame can take.
    pub(crate) fn frame_room(&self) -> usize {
        self.frame_bytes_max - PAYLOAD_OVERHEAD
    }

    /// Refuses limits under which the journal could not work.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let wrong = |what| Err(OpenError::Limits(what));
        let smallest_frame = PAYLOAD_OVERHEAD + ENTRY_OVERHEAD + RECORD_LEN_MAX;
        if self.frame_bytes_max < smallest_frame {
            return wrong("`frame_bytes_max` is too small for the longest record");
        }
        if self.segment_len < self.frame_bytes_max as u64 + 3 * 4_096 {
            return wrong("`segment_len` is too small for the longest frame");
        }
        if !self.segment_len.is_multiple_of(4_096) {
            return wrong("`segment_len` is not a multiple of 4,096");
        }
        let counts = [
            self.queue_max,
            self.denial_queue_max,
            self.denial_keys_max,
            self.subjects_max,
            self.frame_entries_max,
            self.batch_entries_max,
            self.batch_bytes_max,
        ];
        if counts.contains(&0) || self.recent_entries_max == 0 {
            return wrong("a limit is zero");
        }
        Ok(())
    }
}

/// Why a journal is not opened. What lies in the store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// State keys were given, and the journal lies in clear: it has to be migrated first.
    #[error("the journal is not sealed: migrate the state first")]
    Clear,
    /// What was acknowledged once is damaged or missing. Restore the files, or start with an empty store and adopt the
    /// mirror's copy.
    #[error("the journal is damaged and was left as it is: {0}")]
    Corrupt(String),
    /// The limits do not fit together.
    #[error("limits: {0}")]
    Limits(&'static str),
    /// A mirror's key is no cosignature key, or the log's own, or another mirror's.
    #[error("a mirror's key is not a cosignature key of its own")]
    MirrorKey,
    /// No mirror, too many of them, or more required than there are.
    #[error("the number of mirrors, or of those that are required, is impossible")]
    Mirrors,
    /// The origin is no key name, or the signer's key is not admitted.
    #[error("the origin or the log key is refused")]
    Origin,
    /// The store holds the journal of another stream.
    #[error("the store holds the journal of another stream")]
    OtherStream,
    /// The journal is sealed, and no state key was given.
    #[error("the journal is sealed and needs its state key")]
    Sealed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread could be made.
    #[error("no thread for the journal: {0}")]
    Thread(std::io::Error),
}
