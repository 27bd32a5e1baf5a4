//! What the audit page shows: records that this process has read back from the disk and checked as a stranger would.
//!
//! The auditor follows every head log of the mirror. For each head it reads the entries that the head stands for, as they
//! lie on the disk, and shows them only if they lead to the root that the node signed and the mirror cosigned. It starts
//! from the beginning at each start, so that nothing is taken over from an earlier process. What is kept of it is bounded
//! ([`Window`]); what left the window is in the log as before, and an archive has it.
//! Start reading at [`Auditor::run`], then [`span`] for one head, [`search`] for what is shown.

pub(crate) mod prove;
pub(crate) mod search;
pub(crate) mod span;
pub(crate) mod window;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use lingqu_core::{ErrorCode, Region};
use lingqu_tlog::{Checkpoint, Intl, Note, VerifierKey, leaf_hash};

use self::span::{Checked, Fault, Task};
use self::window::{Names, ReadLog, Window};
use crate::keys::{Keys, Names as KeyNames, key_name};
use crate::mirror::Mirror;

/// See the module.
pub(crate) struct Auditor {
    mirror: Arc<Mirror>,
    mirror_key: VerifierKey<Intl>,
    key_names: KeyNames,
    head_log_public: Vec<u8>,
    window: RwLock<Window>,
    /// Locked only by whoever reads a span.
    names: Arc<Mutex<Names>>,
}

impl Auditor {
    /// An auditor that has read nothing yet.
    pub(crate) fn new(mirror: Arc<Mirror>, keys: &Keys, key_names: KeyNames) -> Auditor {
        let mirror_key = VerifierKey::cosignature(key_names.mirror(), keys.mirror.public_key());
        Auditor {
            window: RwLock::new(Window::new(mirror.limits.audit_window_bytes_max)),
            mirror,
            mirror_key: mirror_key.expect("a key that a private key belongs to has full order"),
            head_log_public: keys.head_log.public_key().to_vec(),
            key_names,
            names: Arc::default(),
        }
    }

    /// Reads and checks everything there is and then everything that comes, for ever.
    pub(crate) async fn run(&self) {
        let mut changes = self.mirror.shared.changes();
        // Heads come at this interval at most, so looking more often finds nothing.
        let pause = Duration::from_millis(self.mirror.limits.head_interval_ms);
        loop {
            // Seen before the state is read, so that a change in between wakes us again.
            changes.mark_unchanged();
            self.catch_up().await;
            if changes.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads and checks every head that there is now.
    pub(crate) async fn catch_up(&self) {
        for (region, size) in self.heads() {
            let mut next = self.window().read_heads(&region);
            while next < size {
                if let Err(code) = self.check(&region, next).await {
                    // The reason was logged where it arose; the head is tried again with the next change.
                    tracing::error!(%region, head = next, code = code.as_str(), "a head could not be read back");
                    break;
                }
                next += 1;
            }
            self.close(&region);
        }
    }

    /// What is kept, to be searched.
    pub(crate) fn window(&self) -> RwLockReadGuard<'_, Window> {
        self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of each region's head log was read back and found whole, in heads.
    pub(crate) fn checked(&self) -> Vec<(Region, u64)> {
        let heads = self.heads();
        let window = self.window();
        let closed = |region: &Region| window.logs.get(region).map_or(0, ReadLog::closed);
        let checked = heads.into_iter().map(|(region, _)| {
            let closed = closed(&region);
            (region, closed)
        });
        checked.collect()
    }

    /// Streams and head logs of which something that was read back does not hold.
    pub(crate) fn faults(&self) -> usize {
        let window = self.window();
        let streams = window.streams.values().filter(|kept| kept.fault.is_some());
        streams.count() + window.logs.values().filter(|log| log.is_faulty()).count()
    }

    fn window_mut(&self) -> RwLockWriteGuard<'_, Window> {
        self.window.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn heads(&self) -> Vec<(Region, u64)> {
        let state = self.mirror.shared.state();
        let logs = state.logs.values();
        logs.map(|log| (log.region.clone(), log.size())).collect()
    }

    /// Reads the span of one head and keeps what it holds, or that it does not hold.
    async fn check(&self, region: &Region, index: u64) -> Result<(), ErrorCode> {
        let below = region.clone();
        let head = self.mirror.read(move |archive| archive.head(&below, index));
        let head = head.await?;
        let stream = self.mirror.shared.stream(&head.origin);
        let stream = stream.ok_or(ErrorCode::Internal)?;
        let (before, is_faulty) = {
            let window = self.window();
            (window.edge(&head.origin), window.is_faulty(&head.origin))
        };
        let task = Task {
            region: region.clone(),
            index,
            before,
            is_faulty,
            head,
            stream: Arc::clone(&stream),
            mirror_key: self.mirror_key.clone(),
            bytes_max: self.mirror.limits.audit_window_bytes_max,
            chunk_bytes_max: self.mirror.limits.chunk_bytes_max,
        };
        let names = Arc::clone(&self.names);
        let read = move |archive: &crate::mirror::archive::Archive| {
            let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
            task.read(archive, &mut names)
        };
        let (leaf, checked) = self.mirror.read(read).await?;
        if let Checked::Faulty(fault) = &checked {
            tracing::error!(%region, head = index, stream = stream.origin, %fault,
                "what the disk holds of a stream is not what was signed");
        }
        let mut window = self.window_mut();
        window.log(region).push(leaf_hash::<Intl>(&leaf));
        window.keep(&stream, index, checked);
        Ok(())
    }

    /// Compares the leaves that were read with the head log's own signed checkpoint.
    fn close(&self, region: &Region) {
        let signed = {
            let state = self.mirror.shared.state();
            let log = state.logs.get(region);
            log.map(|log| log.checkpoint.clone()).unwrap_or_default()
        };
        let Some(checkpoint) = self.head_log_checkpoint(region, &signed) else {
            return;
        };
        let mut window = self.window_mut();
        let log = window.log(region);
        // A newer one than what was read is compared the next time.
        if checkpoint.size == log.size() {
            log.close(checkpoint.root);
            if log.is_faulty() {
                tracing::error!(%region, fault = %Fault::HeadLog, "the head log is not over its leaves");
            }
        }
    }

    fn head_log_checkpoint(&self, region: &Region, signed: &str) -> Option<Checkpoint> {
        let name = key_name(&self.key_names.head_log(region));
        let key = VerifierKey::<Intl>::note(name, &self.head_log_public).ok()?;
        let note = Note::parse(signed).ok()?;
        note.verify(&[key]).ok()?;
        Checkpoint::parse(&note.text).ok()
    }
}

#[cfg(test)]
mod tests;
