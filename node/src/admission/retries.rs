//! Retries: the same call id with the same request is answered again from what was recorded, never evaluated or
//! charged again; with another request it is refused.
//!
//! A slot is held by one task at a time, so two copies of a call that arrive together are evaluated once: the second
//! waits for the first and finds its record. What is kept is the record, not a loose answer: to leave again, it has to
//! pass the release terms again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_core::{CallId, GrantId, PartyId};
use tokio::sync::OwnedMutexGuard;

/// What a call id is unique within.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryKey {
    /// The caller.
    pub party: PartyId,
    /// The grant that the call runs under.
    pub grant: GrantId,
    /// The caller's id of the call.
    pub call: CallId,
}

/// Kept records by call, bounded in number and time.
#[derive(Debug)]
pub struct Retries<R> {
    kept_max: usize,
    kept_bytes_max: usize,
    kept_for: Duration,
    inner: Mutex<Inner<R>>,
}

#[derive(Debug)]
struct Inner<R> {
    slots: HashMap<RetryKey, Slot<R>>,
    order: VecDeque<(RetryKey, Duration)>,
    /// Of all slots together.
    bytes: usize,
}

#[derive(Debug)]
struct Slot<R> {
    tag: [u8; 16],
    bytes: usize,
    record: Arc<tokio::sync::Mutex<Option<Arc<R>>>>,
}

/// What is known of a call id.
#[derive(Debug)]
pub enum Entered<R> {
    /// Nothing: evaluate it and put its record into the slot.
    New(OwnedMutexGuard<Option<Arc<R>>>),
    /// It was recorded: release that again.
    Again(Arc<R>),
    /// The id was used for another request.
    Other,
    /// Every slot is taken by a younger call.
    Full,
}

impl<R> Retries<R> {
    /// Keeps at most `kept_max` records, of at most `kept_bytes_max` together, each for at most `kept_for`.
    pub fn new(kept_max: usize, kept_bytes_max: usize, kept_for: Duration) -> Self {
        let inner = Inner {
            slots: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        };
        Retries {
            kept_max,
            kept_bytes_max,
            kept_for,
            inner: Mutex::new(inner),
        }
    }

    /// How many records are kept, running calls included.
    pub fn len(&self) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.slots.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Enters a call; `at` is monotonic time. Waits while a copy of the call is being evaluated.
    pub async fn enter(&self, key: &RetryKey, tag: [u8; 16], at: Duration) -> Entered<R> {
        let record = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.forget(
                at.saturating_sub(self.kept_for),
                self.kept_max,
                self.kept_bytes_max,
            );
            match inner.slots.get(key) {
                Some(slot) if slot.tag != tag => return Entered::Other,
                Some(slot) => Arc::clone(&slot.record),
                None if inner.slots.len() >= self.kept_max => return Entered::Full,
                None => {
                    let record = Arc::default();
                    inner.slots.insert(
                        key.clone(),
                        Slot {
                            tag,
                            bytes: 0,
                            record: Arc::clone(&record),
                        },
                    );
                    inner.order.push_back((key.clone(), at));
                    record
                }
            }
        };
        let guard = record.lock_owned().await;
        match &*guard {
            Some(record) => Entered::Again(Arc::clone(record)),
            None => Entered::New(guard),
        }
    }
}

impl<R> Retries<R> {
    /// The records of `party` that are kept, the newest first, at most `most`. Calls under way are left out.
    pub fn kept_of(&self, party: &PartyId, most: usize) -> Vec<Arc<R>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = inner
            .order
            .iter()
            .rev()
            .filter(|(key, _)| key.party == *party);
        theirs
            .filter_map(|(key, _)| inner.slots.get(key)?.record.try_lock().ok()?.clone())
            .take(most)
            .collect()
    }

    /// Forgets every record of `grant` whose call is not under way; gives their number.
    pub fn forget_grant(&self, grant: &GrantId) -> usize {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            slots,
            order,
            bytes,
        } = &mut *inner;
        let before = slots.len();
        slots.retain(|key, slot| {
            let stays = key.grant != *grant || Arc::strong_count(&slot.record) > 1;
            if !stays {
                *bytes = bytes.saturating_sub(slot.bytes);
            }
            stays
        });
        order.retain(|(key, _)| slots.contains_key(key));
        before - slots.len()
    }

    /// Says how much memory the record takes that was put into the slot of `key`. The next call to enter forgets the
    /// oldest ones if all together take too much.
    pub fn weigh(&self, key: &RetryKey, bytes: usize) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = inner.slots.get_mut(key) {
            let before = std::mem::replace(&mut slot.bytes, bytes);
            inner.bytes = inner.bytes.saturating_sub(before).saturating_add(bytes);
        }
    }
}

impl<R> Inner<R> {
    /// Forgets what is older than `before`, and the oldest ones when there are too many. A slot in use is never
    /// forgotten: its call would otherwise be evaluated twice. In use is also one that a task has found and not locked
    /// yet; slots are found only under the lock that is held here.
    fn forget(&mut self, before: Duration, kept_max: usize, kept_bytes_max: usize) {
        while let Some((key, at)) = self.order.front() {
            let in_use = self
                .slots
                .get(key)
                .is_some_and(|slot| Arc::strong_count(&slot.record) > 1);
            let fits = self.slots.len() < kept_max && self.bytes <= kept_bytes_max;
            if in_use || (*at >= before && fits) {
                break;
            }
            if let Some(slot) = self.slots.remove(key) {
                self.bytes = self.bytes.saturating_sub(slot.bytes);
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(call: u8) -> RetryKey {
        RetryKey {
            party: "party_a".parse().unwrap(),
            grant: "grant_1".parse().unwrap(),
            call: CallId([call; 16]),
        }
    }

    #[tokio::test]
    async fn a_retry_finds_the_record_and_another_request_does_not() {
        let retries = Retries::<u8>::new(8, 1_000, Duration::from_secs(60));
        let Entered::New(mut slot) = retries.enter(&key(1), [1; 16], Duration::ZERO).await else {
            panic!()
        };
        *slot = Some(Arc::new(42));
        drop(slot);
        let again = retries.enter(&key(1), [1; 16], Duration::ZERO).await;
        assert!(matches!(again, Entered::Again(record) if *record == 42));
        assert!(matches!(
            retries.enter(&key(1), [2; 16], Duration::ZERO).await,
            Entered::Other
        ));
        assert!(matches!(
            retries.enter(&key(2), [2; 16], Duration::ZERO).await,
            Entered::New(_)
        ));
    }

    #[tokio::test]
    async fn a_party_sees_its_own_records_newest_first() {
        let retries = Retries::<u8>::new(8, 1_000, Duration::from_secs(60));
        let party = key(1).party;
        for call in 1..=3 {
            let Entered::New(mut slot) = retries.enter(&key(call), [1; 16], Duration::ZERO).await
            else {
                panic!()
            };
            *slot = Some(Arc::new(call));
        }
        let running = retries.enter(&key(4), [1; 16], Duration::ZERO).await;
        let kept = |most| -> Vec<u8> {
            let kept = retries.kept_of(&party, most);
            kept.iter().map(|record| **record).collect()
        };
        assert_eq!((kept(8), kept(2)), (vec![3, 2, 1], vec![3, 2]));
        drop(running);
        assert!(retries.kept_of(&"party_b".parse().unwrap(), 8).is_empty());
    }

    #[tokio::test]
    async fn an_ended_grant_is_forgotten_and_no_other() {
        let retries = Retries::<u8>::new(8, 1_000, Duration::from_secs(60));
        let other = RetryKey {
            grant: "grant_2".parse().unwrap(),
            ..key(9)
        };
        for key in [key(1), key(2), other.clone()] {
            let Entered::New(mut slot) = retries.enter(&key, [1; 16], Duration::ZERO).await else {
                panic!()
            };
            *slot = Some(Arc::new(1));
            retries.weigh(&key, 100);
        }
        let running = retries.enter(&key(3), [1; 16], Duration::ZERO).await;
        assert_eq!(retries.forget_grant(&key(1).grant), 2);
        let inner = retries.inner.lock().unwrap();
        assert!(inner.slots.contains_key(&key(3)) && inner.slots.contains_key(&other));
        assert_eq!((inner.bytes, inner.order.len()), (100, 2));
        drop((inner, running));
    }

    #[tokio::test]
    async fn copies_that_arrive_together_are_evaluated_once() {
        let retries = Arc::new(Retries::<u8>::new(8, 1_000, Duration::from_secs(60)));
        let Entered::New(mut slot) = retries.enter(&key(1), [1; 16], Duration::ZERO).await else {
            panic!()
        };
        let second = tokio::spawn({
            let retries = Arc::clone(&retries);
            async move {
                matches!(
                    retries.enter(&key(1), [1; 16], Duration::ZERO).await,
                    Entered::Again(_)
                )
            }
        });
        tokio::task::yield_now().await;
        *slot = Some(Arc::new(1));
        drop(slot);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn memory_is_bounded_and_a_running_call_is_not_forgotten() {
        let retries = Retries::<u8>::new(2, 1_000, Duration::from_secs(60));
        let running = retries.enter(&key(1), [1; 16], Duration::ZERO).await;
        for call in 2..50 {
            drop(retries.enter(&key(call), [1; 16], Duration::ZERO).await);
        }
        let inner = retries.inner.lock().unwrap();
        assert!(inner.slots.len() <= 2 && inner.slots.contains_key(&key(1)));
        drop((inner, running));
    }

    #[tokio::test]
    async fn large_records_push_out_the_oldest() {
        let retries = Retries::<u8>::new(100, 1_000, Duration::from_secs(60));
        for call in 1..=4 {
            let Entered::New(mut slot) = retries.enter(&key(call), [1; 16], Duration::ZERO).await
            else {
                panic!()
            };
            *slot = Some(Arc::new(call));
            retries.weigh(&key(call), 400);
        }
        drop(retries.enter(&key(5), [1; 16], Duration::ZERO).await);
        let inner = retries.inner.lock().unwrap();
        assert!(inner.bytes <= 1_000);
        assert!(!inner.slots.contains_key(&key(1)) && inner.slots.contains_key(&key(4)));
    }
}
