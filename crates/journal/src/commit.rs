//! Group commit without timers: one thread takes everything that is queued, makes one frame of it, waits for the disk,
//! and tells.
//!
//! While one frame is on its way to the disk the next one gathers, so that a slow disk makes larger frames, not longer
//! queues of frames. What items mean is the [`Stage`]'s affair; nodes and coordinators have one each.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::wal::{Wal, WalError};

/// What turns items into frames. It lives on the committer's thread and is called by it alone.
///
/// Per frame: `prepare`, then the disk, then `committed`. A panic in any of them counts as a failed write.
pub trait Stage: Send + 'static {
    /// What is queued.
    type Item: Send + 'static;

    /// Bytes that `item` adds to a payload at most.
    fn weight(item: &Self::Item) -> usize;

    /// Writes the payload of one frame for `items` into `payload`, which is empty. Items that do not belong in it are
    /// answered and removed; if the payload stays empty, nothing is written. Nothing of it may be told to anybody yet.
    fn prepare(&mut self, items: &mut Vec<Self::Item>, payload: &mut Vec<u8>);

    /// The payload is durable: now it may be told. The stage may keep the payload, and leave another buffer in its place;
    /// items that it leaves are dropped.
    fn committed(&mut self, items: &mut Vec<Self::Item>, payload: &mut Vec<u8>);

    /// The queue is empty and the thread is about to wait.
    fn idle(&mut self) {}

    /// A write failed. Nothing more is written; items that are left are dropped.
    fn failed(&mut self) {}
}

/// Sizes of a committer.
#[derive(Clone, Debug)]
pub struct CommitterOptions {
    /// Name of the thread, at most 15 bytes.
    pub name: String,
    /// Most items that wait.
    pub queue_max: usize,
    /// Most items of one frame.
    pub frame_items_max: usize,
    /// Most bytes that the items of one frame weigh together; one item alone may weigh more.
    pub frame_bytes_max: usize,
}

/// What is done once, when the log can no longer be written.
pub struct FatalHook(Box<dyn FnOnce(&str) + Send>);

impl FatalHook {
    /// Calls `hook` with the reason, on the committer's thread.
    pub fn new(hook: impl FnOnce(&str) + Send + 'static) -> FatalHook {
        FatalHook(Box::new(hook))
    }
}

impl Default for FatalHook {
    /// Ends the process at once: the kernel may have dropped what it could not write, so that only a new process,
    /// reading from the disk, knows what is there (I2).
    fn default() -> Self {
        FatalHook::new(|_| std::process::abort())
    }
}

impl fmt::Debug for FatalHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FatalHook")
    }
}

/// An item that was not queued, and why.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct QueueFull<I> {
    /// The item.
    pub item: I,
    /// Why.
    pub reason: NotQueued,
}

/// Why an item was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// The committer was closed.
    #[error("the log is closed")]
    Closed,
    /// A write failed.
    #[error("the log can no longer be written")]
    Failed,
    /// The queue is full.
    #[error("the queue is full")]
    Full,
}

/// The thread and its queue. Dropping it closes it.
pub struct Committer<I: Send + 'static> {
    shared: Arc<Shared<I>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared<I> {
    queue: Mutex<Queue<I>>,
    /// Something was queued, or the end has come. Only the committer's thread waits here.
    filled: Condvar,
    /// Something was taken, or the end has come. Whoever waits for room waits here.
    taken: Condvar,
    options: CommitterOptions,
    weight: fn(&I) -> usize,
}

struct Queue<I> {
    items: Vec<I>,
    /// What they weigh together.
    weight: u128,
    end: Option<NotQueued>,
    // Waking is a system call whether or not somebody sleeps, and most items come while a frame is on its way to the
    // disk; so it is known here who sleeps.
    committer_sleeps: bool,
    wait_for_room: usize,
}

impl<I: Send + 'static> Committer<I> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, when it cannot make one.
    pub fn spawn<S: Stage<Item = I>>(
        options: CommitterOptions,
        wal: Wal,
        stage: S,
        on_fatal: FatalHook,
    ) -> io::Result<Committer<I>> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                items: Vec::new(),
                weight: 0,
                end: None,
                committer_sleeps: false,
                wait_for_room: 0,
            }),
            filled: Condvar::new(),
            taken: Condvar::new(),
            weight: S::weight,
            options,
        });
        let thread = thread::Builder::new()
            .name(shared.options.name.clone())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, wal, stage, on_fatal)
            })?;
        Ok(Committer {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues `item`, or gives it back at once.
    ///
    /// # Errors
    /// [`QueueFull`] with the item.
    pub fn submit(&self, item: I) -> Result<(), QueueFull<I>> {
        self.shared.push(item, |queue, _| queue)
    }

    /// Queues `item`, waiting for room if there is none. Blocks the thread.
    ///
    /// # Errors
    /// [`QueueFull`] with the item when the committer has come to its end.
    pub fn submit_waiting(&self, item: I) -> Result<(), QueueFull<I>> {
        self.shared.push(item, |mut queue, shared| {
            while queue.end.is_none() && queue.items.len() >= shared.options.queue_max {
                queue.wait_for_room += 1;
                queue = wait(&shared.taken, queue);
                queue.wait_for_room -= 1;
            }
            queue
        })
    }

    /// Whether it still takes items: it was not closed, and no write has failed.
    pub fn is_open(&self) -> bool {
        self.shared.lock().end.is_none()
    }

    /// Takes nothing more, writes what is queued, and ends the thread. Blocks until that is done.
    pub fn close(&self) {
        self.shared.end(NotQueued::Closed);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // The thread catches every panic of its stage; one outside is reported by the runtime.
            let _ = thread.join();
        }
    }
}

impl<I: Send + 'static> Drop for Committer<I> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<I> Shared<I> {
    fn lock(&self) -> MutexGuard<'_, Queue<I>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push<'a>(
        &'a self,
        item: I,
        until_room: impl FnOnce(MutexGuard<'a, Queue<I>>, &'a Self) -> MutexGuard<'a, Queue<I>>,
    ) -> Result<(), QueueFull<I>> {
        let weight = (self.weight)(&item) as u128;
        let mut queue = until_room(self.lock(), self);
        let full = (queue.items.len() >= self.options.queue_max).then_some(NotQueued::Full);
        if let Some(reason) = queue.end.or(full) {
            return Err(QueueFull { item, reason });
        }
        queue.items.push(item);
        queue.weight += weight;
        let wakes = std::mem::take(&mut queue.committer_sleeps);
        drop(queue);
        if wakes {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// The first end stays: a log that failed does not become one that was closed.
    fn end(&self, end: NotQueued) {
        let mut queue = self.lock();
        queue.end.get_or_insert(end);
        drop(queue);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.filled.notify_all();
        self.taken.notify_all();
    }

    /// Puts what the next frame is made of into `items`, which is empty. `false` when the committer has come to its end.
    fn take<S: Stage<Item = I>>(&self, stage: &mut S, items: &mut Vec<I>) -> bool {
        let mut queue = self.lock();
        if queue.items.is_empty() && queue.end.is_none() {
            drop(queue);
            stage.idle();
            queue = self.lock();
        }
        while queue.items.is_empty() {
            if queue.end.is_some() {
                return false;
            }
            queue.committer_sleeps = true;
            queue = wait(&self.filled, queue);
            queue.committer_sleeps = false;
        }
        queue.take(&self.options, self.weight, items);
        let somebody_waits = queue.wait_for_room > 0;
        drop(queue);
        if somebody_waits {
            self.taken.notify_all();
        }
        true
    }
}

impl<I> Queue<I> {
    /// Takes what one frame can hold. Mostly that is everything, and only two buffers change places: whoever queues waits
    /// for this.
    fn take(&mut self, options: &CommitterOptions, weight: fn(&I) -> usize, items: &mut Vec<I>) {
        let bytes_max = options.frame_bytes_max as u128;
        if self.items.len() <= options.frame_items_max && self.weight <= bytes_max {
            std::mem::swap(&mut self.items, items);
            self.weight = 0;
            return;
        }
        let mut taken = 0;
        let fitting = self.items.iter().take(options.frame_items_max);
        let fitting = fitting.enumerate().take_while(|(at, item)| {
            let heavier = taken + weight(item) as u128;
            let fits = *at == 0 || heavier <= bytes_max;
            if fits {
                taken = heavier;
            }
            fits
        });
        let count = fitting.count();
        self.weight -= taken;
        items.extend(self.items.drain(..count));
    }
}

fn wait<'a, I>(changed: &Condvar, queue: MutexGuard<'a, Queue<I>>) -> MutexGuard<'a, Queue<I>> {
    changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

fn run<S: Stage>(shared: &Shared<S::Item>, mut wal: Wal, mut stage: S, on_fatal: FatalHook) {
    // The items of a failed frame live until everybody can see the failure: whoever is told by their end that nothing
    // came of it finds a log that takes nothing more.
    let mut items = Vec::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        commit_all(shared, &mut wal, &mut stage, &mut items)
    }));
    let reason = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the journal's own check of a frame failed".to_owned(),
    };
    let left = {
        let mut queue = shared.lock();
        queue.end = Some(NotQueued::Failed);
        std::mem::take(&mut queue.items)
    };
    shared.wake_all();
    tracing::error!(reason, "the log can no longer be written");
    // A stage that panics while it is told changes nothing: the queue is closed already.
    let _ = catch_unwind(AssertUnwindSafe(|| stage.failed()));
    drop((items, left));
    (on_fatal.0)(&reason);
}

fn commit_all<S: Stage>(
    shared: &Shared<S::Item>,
    wal: &mut Wal,
    stage: &mut S,
    items: &mut Vec<S::Item>,
) -> Result<(), WalError> {
    let mut payload = Vec::new();
    while shared.take(stage, items) {
        payload.clear();
        stage.prepare(items, &mut payload);
        if !payload.is_empty() {
            wal.append(&payload)?;
            // Only here may anything of the frame be told (I1).
            stage.committed(items, &mut payload);
        }
        items.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
