//! What a caller leaves at the node between two requests: behind 32 random bytes that only it gets.
//!
//! Tickets and prepared statements are both kept like this. A token is looked for among its own party's only, so that
//! nobody else's can be found, spent or pushed out; the store keeps digests, so that a copy of its memory opens
//! nothing. Number and age are bounded: a party that leaves too much loses its own oldest.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lingqu_core::PartyId;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Length of a token in bytes.
pub const TOKEN_LEN: usize = 32;

/// What is presented to get at something kept. Its `Debug` hides it: whoever has it may use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; TOKEN_LEN]);

impl Token {
    /// The bytes that go to the caller.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoRandomness;

/// Things kept by party and token.
pub struct Bearer<T> {
    per_party_max: usize,
    total_max: usize,
    kept_for: Duration,
    parties: Mutex<Parties<T>>,
}

type Parties<T> = HashMap<PartyId, HashMap<[u8; 32], Kept<T>>>;

struct Kept<T> {
    /// When it was made or last used, whichever its kind counts from; monotonic time.
    since: Duration,
    value: Arc<T>,
}

impl<T> Bearer<T> {
    /// Keeps at most `per_party_max` things of a party and `total_max` of all, each for `kept_for` after it was made
    /// or last looked at.
    pub fn new(per_party_max: usize, total_max: usize, kept_for: Duration) -> Self {
        Bearer {
            per_party_max: per_party_max.max(1),
            total_max: total_max.max(1),
            kept_for,
            parties: Mutex::new(HashMap::new()),
        }
    }

    /// Keeps `value` for `party`; `at` is monotonic time.
    ///
    /// # Errors
    /// [`NoRandomness`]; then nothing is kept.
    pub fn keep(&self, party: &PartyId, at: Duration, value: T) -> Result<Token, NoRandomness> {
        let mut token = [0; TOKEN_LEN];
        SystemRandom::new()
            .fill(&mut token)
            .map_err(|_| NoRandomness)?;
        let mut parties = self.parties();
        self.make_room(&mut parties, party, at);
        let kept = Kept {
            since: at,
            value: Arc::new(value),
        };
        parties
            .entry(party.clone())
            .or_default()
            .insert(key(&token), kept);
        Ok(Token(token))
    }

    /// Takes what `party` left behind `token`: it is there once only.
    pub fn take(&self, party: &PartyId, token: &[u8], at: Duration) -> Option<Arc<T>> {
        let mut parties = self.parties();
        let theirs = parties.get_mut(party)?;
        let kept = theirs.remove(&key(token))?;
        if theirs.is_empty() {
            parties.remove(party);
        }
        self.is_young(&kept, at).then_some(kept.value)
    }

    /// Takes what `party` left behind `token`, if `fits` lets it go. What does not fit stays: whoever presents a token
    /// has it, and what it asked wrongly it may ask again. `fits` runs under the lock of everything that is kept, so
    /// that a token is spent once however many requests come with it.
    ///
    /// # Errors
    /// What `fits` says.
    pub fn take_if<E>(
        &self,
        party: &PartyId,
        token: &[u8],
        at: Duration,
        fits: impl FnOnce(&T) -> Result<(), E>,
    ) -> Result<Option<Arc<T>>, E> {
        let mut parties = self.parties();
        let key = key(token);
        let Some(theirs) = parties.get_mut(party) else {
            return Ok(None);
        };
        match theirs.get(&key) {
            Some(kept) if self.is_young(kept, at) => fits(&kept.value)?,
            Some(_) => {}
            None => return Ok(None),
        }
        let kept = theirs.remove(&key);
        if theirs.is_empty() {
            parties.remove(party);
        }
        let young = kept.filter(|kept| self.is_young(kept, at));
        Ok(young.map(|kept| kept.value))
    }

    /// Looks at what `party` left behind `token`. It stays, and its age starts anew.
    pub fn look(&self, party: &PartyId, token: &[u8], at: Duration) -> Option<Arc<T>> {
        let mut parties = self.parties();
        let kept = parties.get_mut(party)?.get_mut(&key(token))?;
        if !self.is_young(kept, at) {
            return None;
        }
        kept.since = at;
        Some(Arc::clone(&kept.value))
    }

    /// Forgets everything that is too old.
    pub fn sweep(&self, at: Duration) {
        self.parties().retain(|_, theirs| {
            theirs.retain(|_, kept| self.is_young(kept, at));
            !theirs.is_empty()
        });
    }

    /// How many things are kept.
    pub fn len(&self) -> usize {
        self.parties().values().map(HashMap::len).sum()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for one more of `party`. Its own oldest goes first; only when all parties together have too much, the
    /// oldest of whoever has most: nobody can fill the place of somebody with less.
    fn make_room(&self, parties: &mut Parties<T>, party: &PartyId, at: Duration) {
        if let Some(theirs) = parties.get_mut(party) {
            if theirs.len() >= self.per_party_max {
                theirs.retain(|_, kept| self.is_young(kept, at));
            }
            while theirs.len() >= self.per_party_max {
                drop_oldest(theirs);
            }
        }
        while parties.values().map(HashMap::len).sum::<usize>() >= self.total_max {
            let Some(most) = parties
                .iter()
                .max_by_key(|(_, theirs)| theirs.len())
                .map(|(party, _)| party.clone())
            else {
                return;
            };
            if let Some(theirs) = parties.get_mut(&most) {
                drop_oldest(theirs);
                if theirs.is_empty() {
                    parties.remove(&most);
                }
            }
        }
    }

    fn is_young(&self, kept: &Kept<T>, at: Duration) -> bool {
        at.saturating_sub(kept.since) < self.kept_for
    }

    fn parties(&self) -> MutexGuard<'_, Parties<T>> {
        // Each change is a single step: what others' code does under the lock, it does before one.
        self.parties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Bearer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

fn drop_oldest<T>(theirs: &mut HashMap<[u8; 32], Kept<T>>) {
    let oldest = theirs
        .iter()
        .min_by_key(|(_, kept)| kept.since)
        .map(|(key, _)| *key);
    if let Some(oldest) = oldest {
        theirs.remove(&oldest);
    }
}

fn key(token: &[u8]) -> [u8; 32] {
    digest(&SHA256, token)
        .as_ref()
        .try_into()
        .expect("a SHA-256 digest has 32 bytes")
}

#[cfg(test)]
mod tests;
