//! The sealed bodies of one day: a log of frames, committed in groups like the journal.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lingqu_core::record::StreamId;
use lingqu_core::{ErrorCode, GrantId};
use lingqu_journal::{
    Committer, CommitterOptions, FatalHook, FileStore, LogId, Stage, StateKeys, Wal, WalOptions,
    WalReader,
};
use lingqu_policy::Day;
use lingqu_tlog::Intl;
use tokio::sync::oneshot;

use super::keys::GrantKey;
use super::{Bodies, LOGS};

/// How every log of bodies is laid out: length of a segment, and of the longest payload. Fixed, since a log must never be
/// opened with less than it was written with.
pub(crate) const LAYOUT: (u64, usize) = (16 << 20, 8 << 20);
/// Most bytes of bodies in one frame; one alone may be longer.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = LAYOUT.1 - 4;

/// The log of one day, open for writing.
pub(super) struct DayLog {
    day: Day,
    committer: Committer<Item>,
    reader: WalReader,
    /// Bytes that wait to be written.
    queued: AtomicU64,
    keys: Mutex<BTreeMap<GrantId, Arc<GrantKey>>>,
}

struct Item {
    body: Vec<u8>,
    done: oneshot::Sender<()>,
}

/// Frames of the form `u32 length ‖ SealedBody`, repeated.
struct Bundling;

impl Stage for Bundling {
    type Item = Item;

    fn weight(item: &Item) -> usize {
        item.body.len() + 4
    }

    fn prepare(&mut self, items: &mut Vec<Item>, payload: &mut Vec<u8>) {
        for item in items {
            let length = u32::try_from(item.body.len()).expect("a body is shorter than 8 MiB");
            payload.extend_from_slice(&length.to_be_bytes());
            payload.extend_from_slice(&item.body);
        }
    }

    fn committed(&mut self, items: &mut Vec<Item>, _: &mut Vec<u8>) {
        for item in items.drain(..) {
            // Whoever waited may be gone; the body is there all the same.
            let _ = item.done.send(());
        }
    }
}

impl DayLog {
    /// Opens the log of `day`, or makes it.
    pub(super) fn open(bodies: &Bodies, day: Day) -> Result<DayLog, ErrorCode> {
        let unusable = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, %day, "cannot open the log of the day's bodies");
            ErrorCode::AuditUnavailable
        };
        let dir = bodies.dir(LOGS).join(day.to_string());
        let store = FileStore::open(dir).map_err(|error| unusable(&error))?;
        let any = |_: &[u8]| Ok::<(), Infallible>(());
        let options = options(&bodies.origin, day);
        let wal = Wal::open_with(Arc::new(store), options, bodies.state.keys(), any)
            .map_err(|error| unusable(&error))?;
        let reader = wal.reader();
        let options = CommitterOptions {
            name: "bodies".to_owned(),
            queue_max: bodies.queue_max,
            frame_items_max: 4_096,
            frame_bytes_max: FRAME_BYTES_MAX,
        };
        // As for the journal: after a failed write nobody knows what the disk holds.
        let committer = Committer::spawn(options, wal, Bundling, FatalHook::default())
            .map_err(|error| unusable(&error))?;
        Ok(DayLog {
            day,
            committer,
            reader,
            queued: AtomicU64::new(0),
            keys: Mutex::default(),
        })
    }

    pub(super) fn day(&self) -> Day {
        self.day
    }

    pub(super) fn is_open(&self) -> bool {
        self.committer.is_open()
    }

    /// Bytes written and waiting.
    pub(super) fn bytes(&self) -> u64 {
        self.reader.used_bytes() + self.queued.load(Ordering::Relaxed)
    }

    pub(super) fn key(&self, grant: &GrantId) -> Option<Arc<GrantKey>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(grant).cloned()
    }

    pub(super) fn add_key(&self, grant: GrantId, key: GrantKey) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(grant, Arc::new(key));
    }

    /// Appends one body; some once it is durable.
    pub(super) async fn append(&self, body: Vec<u8>) -> Option<()> {
        let length = body.len();
        if length > BODY_BYTES_MAX {
            return None;
        }
        let (done, durable) = oneshot::channel();
        self.queued.fetch_add(length as u64, Ordering::Relaxed);
        let queued = self.committer.submit(Item { body, done });
        let outcome = match queued {
            Ok(()) => durable.await.ok(),
            Err(_) => None,
        };
        self.queued.fetch_sub(length as u64, Ordering::Relaxed);
        outcome
    }

    /// Shows every durable body to `visit`, until it breaks. Blocking.
    pub(super) fn read(&self, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Option<()> {
        let read = self.reader.read(0, |payload| each(payload, visit));
        read.ok()
    }

    pub(super) fn close(&self) {
        self.committer.close();
    }
}

/// Shows every body of a past day's log to `visit`, until it breaks; none if the log cannot be read. Blocking.
pub(super) fn read_past(
    dir: &Path,
    origin: &str,
    keys: Option<Arc<StateKeys>>,
    day: Day,
    visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Option<()> {
    let store = FileStore::open(dir.join(day.to_string())).ok()?;
    let mut stopped = false;
    let opened = Wal::open_with(Arc::new(store), options(origin, day), keys, |payload| {
        if each(payload, visit).is_break() {
            stopped = true;
            return Err(());
        }
        Ok(())
    });
    (stopped || opened.is_ok()).then_some(())
}

/// Takes a payload apart. What is no bundle is damage that the frame's own checksum would have found.
fn each(mut payload: &[u8], visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
    while let Some((length, rest)) = payload.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return ControlFlow::Break(());
        };
        visit(body)?;
        payload = rest;
    }
    ControlFlow::Continue(())
}

fn options(origin: &str, day: Day) -> WalOptions {
    WalOptions {
        log: log_id(origin, day),
        segment_len: LAYOUT.0,
        payload_len_max: LAYOUT.1,
    }
}

/// A day's log cannot stand in for another one, nor for another node's.
pub(crate) fn log_id(origin: &str, day: Day) -> LogId {
    LogId(StreamId::of::<Intl>(&format!("{origin}/bodies/{day}")).0)
}
