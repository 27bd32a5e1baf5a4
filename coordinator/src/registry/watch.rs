//! What a node keeps at hand to decide offline, pushed to it: the epoch, and the filed objects that concern it.
//!
//! A node gets the current epoch, then everything filed for it in the order of filing, then both as they come. Objects
//! are read from the database a few at a time, so a slow node costs no memory; one that takes nothing is disconnected
//! and gets everything again when it comes back. A new epoch overtakes objects that are still to be sent.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_proto::decode_envelope;
use tokio::sync::mpsc;

use super::Registry;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::store::nodes::Node;

/// Objects read at a time; each has up to a mebibyte.
const PAGE: u32 = 4;

/// One message to a watching node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Epoch(Envelope),
    Object { object: Envelope, filing: Envelope },
}

type Updates = mpsc::Sender<Result<Update, ErrorCode>>;

/// Pushes to `node` until it goes away, the registry ends, or the node takes nothing for too long.
///
/// # Errors
/// The code that the node is to be told, if it still listens.
pub(crate) async fn watch(
    registry: Arc<Registry>,
    node: Node,
    updates: Updates,
) -> Result<(), ErrorCode> {
    let _place = registry.watchers.take(node.id.as_str())?;
    let watcher = Watcher {
        epochs: registry.epoch.subscribe(),
        filed: registry.filed.subscribe(),
        registry,
        node,
        updates,
        sent: 0,
    };
    match watcher.run().await {
        Ok(()) | Err(None) => Ok(()),
        Err(Some(code)) => Err(code),
    }
}

struct Watcher {
    registry: Arc<Registry>,
    node: Node,
    updates: Updates,
    epochs: tokio::sync::watch::Receiver<Arc<super::CurrentEpoch>>,
    filed: tokio::sync::watch::Receiver<u64>,
    /// Number of the last object that was sent.
    sent: i64,
}

impl Watcher {
    /// Ends with a code, or with none when nobody listens any more.
    async fn run(mut self) -> Result<(), Option<ErrorCode>> {
        self.epochs.mark_changed();
        loop {
            // Seen before the database is read, so that a filing in between wakes us again.
            self.filed.mark_unchanged();
            while self.send_page().await? {}
            self.send_epoch().await?;
            tokio::select! {
                changed = self.epochs.changed() => {
                    changed.map_err(|_| None)?;
                    // `changed` marked it as seen, and it has not been sent yet.
                    self.epochs.mark_changed();
                }
                changed = self.filed.changed() => changed.map_err(|_| None)?,
                () = self.updates.closed() => return Err(None),
            }
        }
    }

    /// Sends a few objects; says whether there may be more.
    async fn send_page(&mut self) -> Result<bool, Option<ErrorCode>> {
        self.send_epoch().await?;
        let (node, unit) = (self.node.id.as_str(), self.node.unit.as_str());
        let page = self
            .registry
            .store
            .objects_concerning(node, unit, self.sent, PAGE)
            .await;
        let page = page.map_err(|error| Some(Refusal::from(error).code))?;
        let more = !page.is_empty();
        for (seq, object) in page {
            let (Ok(envelope), Ok(filing)) = (
                decode_envelope(&object.envelope),
                decode_envelope(&object.filing),
            ) else {
                return Err(Some(Refusal::from(StoreError::Corrupt("object")).code));
            };
            self.send_epoch().await?;
            self.send(Update::Object {
                object: envelope,
                filing,
            })
            .await?;
            self.sent = seq;
        }
        Ok(more)
    }

    async fn send_epoch(&mut self) -> Result<(), Option<ErrorCode>> {
        if !self.epochs.has_changed().map_err(|_| None)? {
            return Ok(());
        }
        let envelope = self.epochs.borrow_and_update().envelope.clone();
        self.send(Update::Epoch(envelope)).await
    }

    async fn send(&self, update: Update) -> Result<(), Option<ErrorCode>> {
        let patience = Duration::from_secs(self.registry.limits.push_timeout_s);
        match tokio::time::timeout(patience, self.updates.send(Ok(update))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(ErrorCode::Overloaded)),
        }
    }
}

#[cfg(test)]
mod tests;
