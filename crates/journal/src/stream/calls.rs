//! Which calls were recorded: a caller's id of a call binds to one request, also across restarts.
//!
//! Remembered are the newest recorded calls, up to a bound. Calls in flight are not here: whoever evaluates them knows
//! them.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

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

/// The newest recorded calls, oldest first, and where each stands. About 64 bytes each.
///
/// A table of places over a queue: a call is forgotten for each one that is remembered, thousands of times a second and
/// under the lock that all calls wait for, and a map that is made for growing would be spread anew again and again.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    calls: VecDeque<Remembered>,
    /// Number of the oldest. Numbers go round; those that are in use are never as many.
    first: u32,
    /// A power of two of slots, at most three in four of them in use.
    slots: Vec<Slot>,
    max: usize,
    keys: [u64; 2],
}

/// A part of a key's hash, never zero, and the call's number. Zero is an empty slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot(u64);

impl Slot {
    const EMPTY: Slot = Slot(0);

    fn new(part: u32, number: u32) -> Slot {
        Slot(u64::from(part) << 32 | u64::from(number))
    }

    fn part(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn number(self) -> u32 {
        self.0 as u32
    }
}

/// Most calls for which there is room from the beginning.
const AT_ONCE_MAX: usize = (1 << 18) + 1;
/// Slots of an empty table.
const SLOTS_MIN: usize = 16;
/// Most calls that can be remembered: their numbers and hashes have 32 bits.
const CALLS_MAX: usize = 1 << 29;

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
        let tag = record.bytes(Field::RequestTag)?.try_into().ok()?;
        Some(Remembered::made::<S>(caller, grant, record.call(), tag))
    }

    /// What there would be to remember of this call. Ids have no NUL, so that two different triples never run together.
    pub(crate) fn made<S: Suite>(
        caller: &str,
        grant: &str,
        call: CallId,
        tag: [u8; 16],
    ) -> Remembered {
        let parts = [caller.as_bytes(), b"\0", grant.as_bytes(), b"\0", &call.0];
        Remembered {
            key: S::digest(&parts),
            tag,
        }
    }
}

impl Calls {
    pub(crate) fn new(max: usize) -> Calls {
        // Keys are digests, but whoever chooses ids of calls could choose such as fall into one place; so they are mixed
        // with two numbers that are this process's own.
        let random = RandomState::new();
        Calls {
            // Memory that is not written yet is only promised.
            calls: VecDeque::with_capacity(max.saturating_add(1).min(AT_ONCE_MAX)),
            first: 0,
            slots: vec![Slot::EMPTY; SLOTS_MIN],
            max: max.min(CALLS_MAX),
            keys: [random.hash_one(0_u8), random.hash_one(1_u8)],
        }
    }

    /// Remembers one durable call.
    pub(crate) fn fold(&mut self, call: &Remembered) {
        if (self.calls.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        match self.find(&call.key) {
            Ok(place) => self.calls[place].tag = call.tag,
            Err(empty) => {
                let number = self.number(self.calls.len());
                self.slots[empty] = Slot::new(self.part(&call.key), number);
                self.calls.push_back(*call);
            }
        }
        while self.calls.len() > self.max {
            self.forget_oldest();
        }
    }

    /// What is remembered, to be brought forward: oldest first.
    pub(crate) fn forward(&self) -> Vec<CallMade> {
        let calls = self.calls.iter();
        calls
            .map(|Remembered { key, tag }| CallMade {
                key: *key,
                tag: *tag,
            })
            .collect()
    }

    /// Takes over what another stream brings forward.
    pub(crate) fn bring(&mut self, calls: Vec<CallMade>) {
        for CallMade { key, tag } in calls {
            self.fold(&Remembered { key, tag });
        }
    }

    /// What is known of a call that would be remembered like this.
    pub(crate) fn seen(&self, call: &Remembered) -> Seen {
        match self.find(&call.key) {
            Err(_) => Seen::New,
            Ok(place) if self.calls[place].tag == call.tag => Seen::Same,
            Ok(_) => Seen::Other,
        }
    }

    /// The number of the call at a place in the queue.
    fn number(&self, place: usize) -> u32 {
        self.first.wrapping_add(place as u32)
    }

    /// The place in the queue of a call with this key, or the slot that it would have.
    fn find(&self, key: &Hash) -> Result<usize, usize> {
        let part = self.part(key);
        let mut at = self.home(part);
        while self.slots[at] != Slot::EMPTY {
            let slot = self.slots[at];
            let place = slot.number().wrapping_sub(self.first) as usize;
            if slot.part() == part && self.calls[place].key == *key {
                return Ok(place);
            }
            at = self.after(at);
        }
        Err(at)
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.calls.front() else {
            return;
        };
        let wanted = Slot::new(self.part(&oldest.key), self.first);
        let mut gap = self.home(wanted.part());
        while self.slots[gap] != wanted {
            gap = self.after(gap);
        }
        // What stands behind it moves up, unless it would come before the slot where the search for it begins.
        let mut at = self.after(gap);
        while self.slots[at] != Slot::EMPTY {
            let home = self.home(self.slots[at].part());
            let distance = |from: usize| at.wrapping_sub(from) & (self.slots.len() - 1);
            if distance(home) >= distance(gap) {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.slots[gap] = Slot::EMPTY;
        self.calls.pop_front();
        self.first = self.first.wrapping_add(1);
    }

    /// Twice as many slots.
    fn grow(&mut self) {
        self.slots = vec![Slot::EMPTY; 2 * self.slots.len()];
        for place in 0..self.calls.len() {
            let part = self.part(&self.calls[place].key);
            let mut at = self.home(part);
            while self.slots[at] != Slot::EMPTY {
                at = self.after(at);
            }
            self.slots[at] = Slot::new(part, self.number(place));
        }
    }

    /// The slot where the search for a key begins.
    fn home(&self, part: u32) -> usize {
        (part >> 1) as usize & (self.slots.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    fn part(&self, key: &Hash) -> u32 {
        let word = |at: usize| {
            let bytes = key.0[at..at + 8].try_into();
            u64::from_le_bytes(bytes.expect("the slice has the array's length"))
        };
        let product = u128::from(word(0) ^ self.keys[0]) * u128::from(word(8) ^ self.keys[1]);
        let mixed = (product as u64) ^ (product >> 64) as u64;
        (mixed as u32) | 1
    }
}

#[cfg(test)]
mod tests;
