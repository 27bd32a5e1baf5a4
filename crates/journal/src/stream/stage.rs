//! How drafts become a frame: place, time, leaf hash, root, signed checkpoint; and what happens once it is durable.

use std::sync::Arc;
use std::sync::mpsc;

use lingqu_core::Timestamp;
use lingqu_core::debit::Debit;
use lingqu_core::forward::{Forward, PARTS_MAX};
use lingqu_core::record::{RecordView, Unplaced};
use lingqu_core::succession::{StreamEnd, Succession};
use lingqu_tlog::{Checkpoint, Frontier, Growth, Hash, Signer, Suite, leaf_hash, sign_note};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::charge::Held;
use super::fold::{Applied, Frame};
use super::payload::{ENTRY_OVERHEAD, HEAD_LEN, PayloadWriter};
use super::state::{Phase, Shared};
use super::succeeding::EndCheck;
use crate::commit::Stage;

/// Something to append, and whom to tell.
pub(crate) struct Item {
    pub(crate) work: Work,
    pub(crate) done: Done,
    /// What was reserved and ends with this record.
    pub(crate) settles: Option<Held>,
    /// The debit that it puts on record.
    pub(crate) debits: Option<Box<Debit>>,
    /// The earliest time that the record may carry.
    pub(crate) not_before: Timestamp,
    /// The place in the queue, given back when the item is gone.
    pub(crate) _slot: Option<OwnedSemaphorePermit>,
}

pub(crate) enum Work {
    /// A record that has no place yet.
    Record(Unplaced),
    /// Several of them.
    Records(Vec<Unplaced>),
    /// Entries that this stream had once, as the mirror gave them back.
    Adopted(Vec<Vec<u8>>),
    /// The end of the stream, in a frame of its own: what it says follows from all that is before it. The unit's order,
    /// the next stream's key, and the record once it is made.
    End(Box<Ending>),
}

/// See [`Work::End`].
pub(crate) struct Ending {
    pub(crate) order: Vec<u8>,
    pub(crate) next_key: String,
    /// The order is not carried out before.
    pub(crate) not_before: Timestamp,
    /// Judges the record before it becomes durable.
    pub(crate) check: EndCheck,
    /// Who is told why there is no record.
    pub(crate) refused: mpsc::Sender<String>,
    pub(crate) record: Option<Unplaced>,
}

/// Whom to tell that it is durable. Dropped without a word, it says that it may not be.
pub(crate) enum Done {
    Adopted(mpsc::Sender<()>),
    Denial(watch::Sender<bool>),
    Nobody,
    Record(oneshot::Sender<Place>),
}

/// Where a record stands.
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) entry: Vec<u8>,
}

impl Item {
    pub(crate) fn new(work: Work, done: Done, slot: Option<OwnedSemaphorePermit>) -> Item {
        Item {
            work,
            done,
            settles: None,
            debits: None,
            not_before: Timestamp::default(),
            _slot: slot,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        match &self.work {
            Work::Records(records) => records.len(),
            Work::Adopted(entries) => entries.len(),
            Work::Record(_) | Work::End(_) => 1,
        }
    }

    /// Bytes that it takes of a frame's payload, as far as they are known before.
    fn len_in_frame(&self) -> usize {
        match &self.work {
            Work::Record(record) => record.len() + ENTRY_OVERHEAD,
            Work::Records(records) => {
                let lens = records.iter().map(|record| record.len() + ENTRY_OVERHEAD);
                lens.sum()
            }
            Work::Adopted(entries) => {
                let lens = entries.iter().map(|entry| entry.len() + ENTRY_OVERHEAD);
                lens.sum()
            }
            Work::End(_) => 0,
        }
    }

    /// Whether the next of these entries are exactly its own, as they were hashed.
    fn wrote<'e>(&self, entries: &mut impl Iterator<Item = &'e [u8]>) -> bool {
        let mut is_next = |bytes: &[u8]| entries.next() == Some(bytes);
        match &self.work {
            Work::Record(record) => is_next(record.as_bytes()),
            Work::Records(records) => records.iter().all(|record| is_next(record.as_bytes())),
            Work::Adopted(adopted) => adopted.iter().all(|entry| is_next(entry)),
            Work::End(ending) => {
                let record = ending.record.as_ref();
                record.is_some_and(|record| is_next(record.as_bytes()))
            }
        }
    }

    /// Tells whoever waits that it is durable; its first record has this index.
    fn tell(self, index: u64) {
        let entry = match self.work {
            Work::Record(record) => Some(record),
            Work::Records(records) => records.into_iter().next(),
            Work::End(ending) => ending.record,
            Work::Adopted(_) => None,
        };
        match self.done {
            Done::Record(done) => {
                // A caller that has gone away takes nothing from the record.
                let entry = entry.map(Unplaced::into_bytes);
                let _ = entry.map(|entry| done.send(Place { index, entry }));
            }
            Done::Denial(done) => {
                done.send_replace(true);
            }
            Done::Adopted(done) => {
                let _ = done.send(());
            }
            Done::Nobody => {}
        }
    }
}

/// Whether exactly these entries are those of the items, as they were hashed.
fn are_written(items: &[Item], entries: &[&[u8]]) -> bool {
    let mut entries = entries.iter().copied();
    items.iter().all(|item| item.wrote(&mut entries)) && entries.next().is_none()
}

/// The committer's side of a stream.
pub(crate) struct StreamStage<S: Suite> {
    shared: Arc<Shared<S>>,
    signer: Arc<dyn Signer>,
    /// The tree after the last prepared frame, and the time after the last placed record.
    frontier: Frontier<S>,
    last_time: Timestamp,
    /// The clock as it was when the frame was begun, which all its records are dated by.
    now: Timestamp,
    /// The leaves of the frame that is being made.
    leaves: Vec<Hash>,
    /// What the frame that is on its way to the disk does to the tree.
    growth: Option<Growth<S>>,
}

impl<S: Suite> StreamStage<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, signer: Arc<dyn Signer>) -> StreamStage<S> {
        let (frontier, last_time) = {
            let state = shared.lock();
            (state.fold.tree.frontier(), state.fold.last_time)
        };
        StreamStage {
            shared,
            signer,
            frontier,
            last_time,
            now: Timestamp::default(),
            leaves: Vec::new(),
            growth: None,
        }
    }

    /// Gives a record its place and time. Time is strictly increasing: if the clock stands still or has gone back, it
    /// advances by a microsecond.
    fn place(
        &mut self,
        record: &mut Unplaced,
        not_before: Timestamp,
        payload: &mut PayloadWriter<'_>,
    ) {
        let time = self.next_time().max(not_before);
        self.place_at(record, time, payload);
    }

    fn next_time(&self) -> Timestamp {
        let next = Timestamp(self.last_time.0.saturating_add(1));
        self.now.max(next)
    }

    /// The index of the next record.
    fn next_index(&self) -> u64 {
        self.frontier.size() + self.leaves.len() as u64
    }

    fn place_at(
        &mut self,
        record: &mut Unplaced,
        time: Timestamp,
        payload: &mut PayloadWriter<'_>,
    ) {
        let entry = record.at(self.next_index(), time);
        self.last_time = time;
        self.leaves.push(leaf_hash::<S>(entry));
        payload.push(entry);
    }

    /// Makes the last record, whose balances are those after the frame before this one; gives whether it may stand. One
    /// that may not leaves everything as it is: the stream goes on.
    fn place_end(&mut self, ending: &mut Ending, payload: &mut PayloadWriter<'_>) -> bool {
        let time = self.next_time().max(ending.not_before);
        let forward = self.shared.lock().fold.forward(time).encode();
        let end = StreamEnd {
            order: ending.order.clone(),
            next_key: ending.next_key.clone(),
            forward_records: Forward::parts(&forward).count() as u64,
            forward_digest: Forward::digest::<S>(&forward),
        };
        let draft = Succession::End(end).draft();
        let mut record = Unplaced::new::<S>(draft, self.shared.stream);
        let finished = record.at(self.frontier.size(), time);
        let checked = match Forward::parts(&forward).count() as u64 <= PARTS_MAX {
            true => (ending.check)(finished, self.last_time),
            // Every reader refuses the stream that would have to begin with them.
            false => Err("the balances are more than a stream can begin with".to_owned()),
        };
        if let Err(why) = checked {
            // Whoever has gone away does not need the answer.
            let _ = ending.refused.send(why);
            return false;
        }
        self.place_at(&mut record, time, payload);
        ending.record = Some(record);
        true
    }

    /// Takes adopted entries over if they stand exactly here.
    fn adopt(&mut self, adopted: &[Vec<u8>]) -> bool {
        let (mut leaves, mut last_time) = (Vec::with_capacity(adopted.len()), self.last_time);
        for (entry, index) in adopted.iter().zip(self.next_index()..) {
            let Ok(record) = RecordView::read::<S>(entry) else {
                return false;
            };
            let in_place = record.stream() == self.shared.stream && record.index() == index;
            if !in_place || record.time() <= last_time {
                return false;
            }
            last_time = record.time();
            leaves.push(leaf_hash::<S>(entry));
        }
        self.leaves.append(&mut leaves);
        self.last_time = last_time;
        true
    }

    fn sign(&self) -> Vec<u8> {
        let checkpoint = Checkpoint {
            origin: self.shared.origin.clone(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        };
        let name = self.shared.log_key.name();
        sign_note::<S>(&checkpoint.to_text(), name, self.signer.as_ref())
            .expect("a checkpoint's text is the text of a note")
            .blob
    }

    /// What a durable frame changes, in one step under the lock.
    fn apply(
        &self,
        frame: &Frame<'_>,
        growth: &Growth<S>,
        bytes: Arc<Vec<u8>>,
        items: &[Item],
    ) -> Applied {
        let now = (self.shared.clock.now(), self.shared.clock.monotonic());
        let mut state = self.shared.lock();
        let applied = state
            .fold
            .apply(frame, growth, bytes)
            .expect("the frame was built to continue this very log");
        let settled = items.iter().filter_map(|item| item.settles.as_ref());
        state.calls_under_way -= settled.clone().count();
        Held::end_all(settled, &mut state.fold);
        for debit in items.iter().filter_map(|item| item.debits.as_ref()) {
            state.fold.budgets.recorded(debit);
        }
        state.mirror.lag.push(&applied, now);
        applied
    }
}

impl<S: Suite> Stage for StreamStage<S> {
    type Item = Item;

    fn weight(item: &Item) -> usize {
        match &item.work {
            // More than a frame holds beside another item: it is alone.
            Work::End(_) => usize::MAX / 2,
            Work::Adopted(_) | Work::Record(_) | Work::Records(_) => item.len_in_frame(),
        }
    }

    fn prepare(&mut self, items: &mut Vec<Item>, payload: &mut Vec<u8>) {
        let len: usize = items.iter().map(Item::len_in_frame).sum();
        // After a fork nothing is signed, also not what was queued before it was found; and nothing behind the end.
        {
            let mut state = self.shared.lock();
            if state.phase == Phase::Forked || state.fold.life.end().is_some() {
                let calls = items.drain(..).filter(|item| item.settles.is_some());
                state.calls_under_way -= calls.count();
                return;
            }
            let buffers = &mut state.fold.buffers;
            let left = std::mem::replace(payload, buffers.take(HEAD_LEN + S::SIGNATURE_LEN + len));
            buffers.give(left);
        }
        self.now = self.shared.clock.now();
        self.leaves.clear();
        let (stream, first) = (self.shared.stream, self.frontier.size());
        let mut writer = PayloadWriter::new(payload, stream, first, S::SIGNATURE_LEN);
        items.retain_mut(|item| match &mut item.work {
            Work::Record(record) => {
                self.place(record, item.not_before, &mut writer);
                true
            }
            Work::Records(records) => {
                for record in records {
                    self.place(record, item.not_before, &mut writer);
                }
                true
            }
            Work::Adopted(adopted) => {
                let fits = self.adopt(adopted);
                if fits {
                    adopted.iter().for_each(|entry| writer.push(entry));
                }
                fits
            }
            Work::End(ending) => self.place_end(ending, &mut writer),
        });
        if writer.is_empty() {
            writer.abandon();
            return;
        }
        self.growth = Some(self.frontier.grow(std::mem::take(&mut self.leaves)));
        // The signature exists from here on, in this thread's memory only. It leaves it after the disk has the frame.
        writer.finish(self.frontier.root(), &self.sign());
    }

    fn committed(&mut self, items: &mut Vec<Item>, payload: &mut Vec<u8>) {
        let bytes = Arc::new(std::mem::take(payload));
        // Read from the bytes that went to the disk, before the lock is taken; and they must be those that were hashed:
        // a bit that flipped between the two is found before anybody hears of the frame.
        let frame = Frame::read::<S>(&bytes).expect("the frame was built of records");
        assert!(are_written(items, &frame.payload.entries), "as hashed");
        let growth = self.growth.take().expect("a frame was prepared");
        let applied = self.apply(&frame, &growth, Arc::clone(&bytes), items);
        // At this point every record of the frame is R1: durable, charged, and in a signed checkpoint.
        self.shared.progress.send_modify(|progress| {
            progress.size = applied.end;
        });
        let mut index = frame.payload.first;
        for item in items.drain(..) {
            let first = index;
            index += item.len() as u64;
            item.tell(first);
        }
    }

    fn failed(&mut self) {
        self.shared.end(Phase::Failed);
    }
}

#[cfg(test)]
mod tests;
