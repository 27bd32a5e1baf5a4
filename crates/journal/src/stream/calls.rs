//! Which calls were recorded: a caller's id of a call binds to one request, also across restarts.
//!
//! Remembered are the newest recorded calls, up to a bound. Calls in flight are not here: whoever evaluates them knows
//! them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::marker::PhantomData;

use lingqu_core::CallId;
use lingqu_core::forward::CallMade;
use lingqu_core::record::{Field, Kind, RecordView};
use lingqu_tlog::{Hash, Suite};

/// What is known of a call's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No recorded call of this party under this grant has it.
    New,
    /// A recorded call has it, with another request.
    Other,
    /// A recorded call has it, with the same request.
    Same,
}

/// The newest recorded calls. About 150 bytes each.
#[derive(Clone, Debug)]
pub(crate) struct Calls<S> {
    tags: HashMap<Hash, [u8; 16], Keyed>,
    order: VecDeque<Hash>,
    max: usize,
    suite: PhantomData<S>,
}

/// Spreads digests over the map. They are even already, but whoever chooses ids of calls could choose such as fall into
/// one place; so they are mixed with two numbers that are this process's own.
#[derive(Clone, Debug)]
struct Keyed([u64; 2]);

impl Keyed {
    fn random() -> Keyed {
        let random = RandomState::new();
        Keyed([random.hash_one(0_u8), random.hash_one(1_u8)])
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixing;

    fn build_hasher(&self) -> Mixing {
        Mixing {
            keys: self.0,
            mixed: 0,
        }
    }
}

/// See [`Keyed`].
struct Mixing {
    keys: [u64; 2],
    mixed: u64,
}

impl Hasher for Mixing {
    fn write(&mut self, bytes: &[u8]) {
        for half in bytes.chunks(16) {
            let word = |at: usize| {
                let mut word = [0; 8];
                for (to, from) in word.iter_mut().zip(half.iter().skip(at)) {
                    *to = *from;
                }
                u64::from_le_bytes(word)
            };
            let left = word(0) ^ self.keys[0] ^ self.mixed;
            let product = u128::from(left) * u128::from(word(8) ^ self.keys[1]);
            self.mixed = (product as u64) ^ ((product >> 64) as u64);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length, which is the same for all digests.
    }

    fn finish(&self) -> u64 {
        self.mixed
    }
}

/// What is remembered of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    key: Hash,
    tag: [u8; 16],
}

impl Remembered {
    /// What there is to remember of a record; nothing unless it is a call's.
    pub(crate) fn of<S: Suite>(record: &RecordView<'_>) -> Option<Remembered> {
        if record.kind() != Kind::Call {
            return None;
        }
        let (caller, grant) = (record.text(Field::Caller)?, record.text(Field::Grant)?);
        Some(Remembered {
            key: key::<S>(caller, grant, record.call()),
            tag: record.bytes(Field::RequestTag)?.try_into().ok()?,
        })
    }
}

impl<S: Suite> Calls<S> {
    pub(crate) fn new(max: usize) -> Calls<S> {
        Calls {
            tags: HashMap::with_hasher(Keyed::random()),
            order: VecDeque::new(),
            max,
            suite: PhantomData,
        }
    }

    /// Remembers one durable call.
    pub(crate) fn fold(&mut self, call: &Remembered) {
        let Remembered { key, tag } = *call;
        if self.tags.insert(key, tag).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.tags.remove(&oldest);
            }
        }
    }

    /// What is remembered, to be brought forward: oldest first.
    pub(crate) fn forward(&self) -> Vec<CallMade> {
        let calls = self.order.iter();
        calls
            .filter_map(|key| {
                let tag = *self.tags.get(key)?;
                Some(CallMade { key: *key, tag })
            })
            .collect()
    }

    /// Takes over what another stream brings forward.
    pub(crate) fn bring(&mut self, calls: Vec<CallMade>) {
        for CallMade { key, tag } in calls {
            self.fold(&Remembered { key, tag });
        }
    }

    pub(crate) fn seen(&self, caller: &str, grant: &str, call: CallId, tag: [u8; 16]) -> Seen {
        match self.tags.get(&key::<S>(caller, grant, call)) {
            None => Seen::New,
            Some(known) if *known == tag => Seen::Same,
            Some(_) => Seen::Other,
        }
    }
}

/// Ids have no NUL, so that two different triples never run together.
fn key<S: Suite>(caller: &str, grant: &str, call: CallId) -> Hash {
    S::digest(&[caller.as_bytes(), b"\0", grant.as_bytes(), b"\0", &call.0])
}

#[cfg(test)]
mod tests;
