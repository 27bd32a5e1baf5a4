//! The baseline: a group commit and nothing else. One thread takes all that waits, writes it in one piece into a file
//! that was filled with zeros before, syncs the data, and tells the callers.
//!
//! It is built as well as we can: the thread is woken only when it sleeps, nothing is copied twice, and the file is
//! written round and round, so that no metadata changes. No tree, no signature, no ledger, no mirror.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::Failed;
use super::load::Target;

/// Length of the file, as a segment of the journal has it.
const FILE_LEN: u64 = 32 << 20;
/// Writes begin at multiples of it, as the journal's frames do.
const BLOCK: usize = 4_096;

/// The thread and its queue.
#[derive(Clone)]
pub(super) struct Bare {
    shared: Arc<Shared>,
    /// Ends the thread when the last handle goes.
    _end: Arc<End>,
    entry: Arc<[u8]>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    items: Vec<Item>,
    is_asleep: bool,
    ended: bool,
}

struct Item {
    bytes: Vec<u8>,
    done: oneshot::Sender<()>,
}

struct End {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    /// Starts the thread over a file of its own. Every call writes `entry_len` bytes.
    pub(super) fn start(path: &Path, entry_len: usize) -> io::Result<Bare> {
        let file = File::create(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_LEN).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
        });
        let thread = thread::Builder::new().name("bare".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            // A failed write drops the callers' senders, and so ends the run.
            move || drop(commit_all(&shared, &file))
        })?;
        Ok(Bare {
            _end: Arc::new(End {
                shared: Arc::clone(&shared),
                thread: Some(thread),
            }),
            shared,
            entry: vec![0x5a; entry_len].into(),
        })
    }
}

impl Target for Bare {
    async fn call(&self) -> Result<(), Failed> {
        let (done, durable) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            queue.items.push(Item {
                bytes: self.entry.to_vec(),
                done,
            });
            if std::mem::take(&mut queue.is_asleep) {
                self.shared.filled.notify_one();
            }
        }
        durable
            .await
            .map_err(|_| Failed::Call("the baseline's write failed".to_owned()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that waits; nothing when the end has come.
    fn take(&self) -> Option<Vec<Item>> {
        let mut queue = self.lock();
        while queue.items.is_empty() {
            if queue.ended {
                return None;
            }
            queue.is_asleep = true;
            queue = self
                .filled
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut queue.items))
    }
}

fn commit_all(shared: &Shared, file: &File) -> io::Result<()> {
    let (mut block, mut at) = (Vec::new(), 0);
    while let Some(items) = shared.take() {
        block.clear();
        for item in &items {
            block.extend_from_slice(&item.bytes);
        }
        block.resize(block.len().next_multiple_of(BLOCK), 0);
        if at + block.len() as u64 > FILE_LEN {
            at = 0;
        }
        file.write_all_at(&block, at)?;
        file.sync_data()?;
        at += block.len() as u64;
        for item in items {
            // A caller that has ended waits no more.
            let _ = item.done.send(());
        }
    }
    Ok(())
}

impl Drop for End {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            // It reports a panic itself.
            let _ = thread.join();
        }
    }
}
