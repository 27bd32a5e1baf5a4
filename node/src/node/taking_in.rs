//! What the node is given while it runs: signed objects, revocation epochs, stop orders. Each is checked, durable, in
//! force, and then on record.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::stop::StopScope;
use lingqu_proto::encode_envelope;
use lingqu_tlog::Hash;

use super::Node;
use crate::admission::holdings::Adopted;

/// Longest that whoever brings an object waits for what it opens. Most often nothing is to be read, or little.
const ADOPT_WAIT: Duration = Duration::from_secs(5);
/// The same for the coordinator's pushes: the next one may be a revocation.
const PUSH_WAIT: Duration = Duration::from_millis(500);

impl Node {
    /// Takes in a signed object. Refused ones change nothing but the code that a call under them is told.
    /// Blocking: it writes a file and may read a register.
    pub fn adopt(&self, envelope: &Envelope, filing: Option<&Envelope>) -> Result<(), ErrorCode> {
        self.adopt_within(envelope, filing, ADOPT_WAIT)
    }

    /// As [`Node::adopt`], for pushes, which wait for one another.
    pub(crate) fn adopt_push(
        &self,
        envelope: &Envelope,
        filing: Option<&Envelope>,
    ) -> Result<(), ErrorCode> {
        self.adopt_within(envelope, filing, PUSH_WAIT)
    }

    fn adopt_within(
        &self,
        envelope: &Envelope,
        filing: Option<&Envelope>,
        wait: Duration,
    ) -> Result<(), ErrorCode> {
        let adopting = self.adopting.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.holdings.load_full();
        let (next, adopted) = match current.adopt(&self.pinned, envelope, filing) {
            Ok(None) => return Ok(()),
            Ok(Some(adopted)) => adopted,
            Err(code) => {
                if let Some(next) = current.with_refused(envelope, code) {
                    self.holdings.store(Arc::new(next));
                }
                tracing::warn!(%code, kind = envelope.payload_type, "a signed object was refused");
                return Err(code);
            }
        };
        // What replaces something is taken in also when there is no room: a newer policy or grant may be narrower.
        if next.len() > current.len() && next.len() > self.config.limits.objects_max {
            return Err(ErrorCode::Overloaded);
        }
        self.store_object(envelope, filing, &adopted)
            .map_err(|error| {
                tracing::error!(%error, "cannot store a signed object");
                ErrorCode::Internal
            })?;
        self.holdings.store(Arc::new(next));
        drop(adopting);
        self.record(adopted_draft(&adopted));
        if adopted.kind != "grant" {
            // What is no longer approved is closed before anything else; what is opened may be a long load away.
            self.products.close_outdated(|| self.holdings.load_full());
            self.settle(wait);
        }
        Ok(())
    }

    /// Takes in a revocation epoch. Blocking: it writes a file.
    pub fn adopt_epoch(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        match self.epochs.adopt(envelope) {
            Ok(None) => Ok(()),
            Ok(Some(number)) => {
                let clear = Clear::default()
                    .text(Field::Action, "epoch")
                    .number(Field::Epoch, number)
                    .bytes(Field::ObjectDigest, &envelope.digest().0);
                self.record_epoch(change(clear));
                Ok(())
            }
            Err(code) => {
                tracing::error!(%code, "a revocation list was refused");
                Err(code)
            }
        }
    }

    /// Carries out a stop order of the unit, at once and without the coordinator. Blocking: it writes a file.
    pub fn carry_out(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        let order = self.stops.carry_out(envelope, &self.pinned)?;
        if let (false, StopScope::Party(party)) = (order.lift, &order.scope) {
            self.connections
                .cut(&lingqu_transport::PeerId::Party(party.clone()));
        }
        let clear = Clear::default()
            .text(Field::Action, if order.lift { "lift" } else { "stop" })
            .number(Field::StopNumber, order.number)
            .bytes(Field::ObjectDigest, &envelope.digest().0);
        self.record(change(clear));
        Ok(())
    }

    /// Keeps a draft until the journal may write it; [`Node::record_pending`] then does.
    fn record(&self, draft: Draft) {
        self.unrecorded_queue().push_back(draft);
    }

    /// As [`Node::record`], in place of an older epoch that still waits: whoever signs epochs without end while the
    /// journal cannot be written must not fill the memory.
    fn record_epoch(&self, draft: Draft) {
        let mut queue = self.unrecorded_queue();
        queue.retain(|waiting| waiting.clear.get_number(Field::Epoch).is_none());
        queue.push_back(draft);
    }

    fn unrecorded_queue(&self) -> MutexGuard<'_, VecDeque<Draft>> {
        self.unrecorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force since before a crash but missed its record: the file was durable, the journal's entry was not.
    pub(super) fn record_unlogged(&self) {
        if let Some(held) = self.epochs.held()
            && held.epoch.number > self.journal.epoch_floor()
        {
            let clear = Clear::default()
                .text(Field::Action, "epoch")
                .number(Field::Epoch, held.epoch.number);
            self.record(change(clear));
        }
        let number = self.stops.current().number();
        if number > self.journal.stop_floor() {
            let clear = Clear::default()
                .text(Field::Action, "stop")
                .number(Field::StopNumber, number);
            self.record(change(clear));
        }
    }

    /// Keeps a change of what the node may do until the journal may write it.
    pub(crate) fn record_change(&self, clear: Clear) {
        self.record(change(clear));
    }

    /// Keeps the records of loads. Before the journal is compared with its mirror nothing answers until they are written.
    pub(crate) fn record_loads(&self, loads: Vec<Draft>) {
        let mut queue = self.unrecorded_queue();
        if !loads.is_empty() && !self.journal.reconciled() {
            self.loads_unrecorded.store(true, Ordering::SeqCst);
        }
        queue.extend(loads);
    }

    /// Appends what waits, in order. Called when the journal is ready and after each change.
    pub async fn record_pending(&self) {
        let _in_order = self.recording.lock().await;
        loop {
            if !self.journal.reconciled() {
                return;
            }
            let waiting = {
                let queue = self.unrecorded_queue();
                if queue.is_empty() {
                    // Under the queue's lock: what is queued from here on is queued with the journal compared.
                    self.loads_unrecorded.store(false, Ordering::SeqCst);
                }
                queue.front().cloned()
            };
            let Some(waiting) = waiting else {
                return;
            };
            // It is taken off the queue only once it is durable.
            if let Err(error) = self.journal.append(waiting.clone()).await {
                tracing::error!(%error, "an authorization change could not be recorded");
                return;
            }
            // An epoch may have given way to a newer one meanwhile; what then stands first is not on record yet.
            let mut queue = self.unrecorded_queue();
            if queue.front() == Some(&waiting) {
                queue.pop_front();
            }
        }
    }

    fn store_object(
        &self,
        envelope: &Envelope,
        filing: Option<&Envelope>,
        adopted: &Adopted,
    ) -> std::io::Result<()> {
        let stem = object_path(&self.config.data_dir.join("objects"), adopted.digest);
        if let Some(filing) = filing {
            self.state
                .write(&stem.with_extension("filing"), &encode_envelope(filing))?;
        }
        self.state
            .write(&stem.with_extension("env"), &encode_envelope(envelope))
    }
}

/// Where the object of this digest lies, without the ending.
pub(super) fn object_path(dir: &Path, digest: Hash) -> PathBuf {
    dir.join(hex::encode(digest.0))
}

fn change(clear: Clear) -> Draft {
    let mut draft = Draft::new(Kind::AuthorizationChange);
    draft.clear = clear;
    draft
}

fn adopted_draft(adopted: &Adopted) -> Draft {
    let clear = Clear::default()
        .text(Field::Action, adopted.kind)
        .text(Field::Subject, &adopted.subject)
        .bytes(Field::ObjectDigest, &adopted.digest.0)
        .text(
            Field::FilingNumber,
            adopted.filing.as_deref().unwrap_or_default(),
        );
    change(clear)
}
