//! Orders about kept bodies: a regulator's, to have some opened, and the unit's, to erase their keys.
//!
//! An opening is on record, and the record mirrored, before a byte is handed out. An erasure is durable as the signed
//! order before the first key goes, and is brought to its end after a crash.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::body::{BODY_ORDER_TYPE, BodyAct, BodyOrder};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::{ErrorCode, PartyId, Timestamp};
use lingqu_policy::Day;
use lingqu_proto::pb::open_bodies_response::Item;
use lingqu_proto::{decode_envelope, encode_envelope, open, pb, receipt_to_pb};
use prost::Message as _;
use tokio::sync::{OwnedMutexGuard, mpsc};

use super::{Bodies, KEYS, LOGS, ORDERS, day_log};
use crate::Node;

/// How long an order is good after it was signed.
const GOOD_FOR: Duration = Duration::from_secs(86_400);
/// How far ahead an order's time may be: the skew that clocks are allowed.
const AHEAD_MAX: Duration = Duration::from_secs(30);
/// How long an opening waits for the mirror's cosignature of its record.
const MIRROR_WAIT: Duration = Duration::from_secs(10);

/// An opening that is on record: what it names may be handed out.
pub(crate) struct Opening {
    order: BodyOrder,
    receipt: Receipt,
    _turn: OwnedMutexGuard<()>,
}

impl Node {
    /// Puts the opening on record. Only one is under way at a time.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `OBJECT_SIGNATURE_INVALID`, `BODY_ORDER_FORBIDDEN` for whoever is not the regulator that
    /// signed or is not named by the unit, `BODY_ORDER_STALE`, `OVERLOADED`, `AUDIT_UNAVAILABLE` when the order is not on
    /// record at the mirror in time.
    pub(crate) async fn open_bodies(
        &self,
        caller: &PartyId,
        envelope: &Envelope,
    ) -> Result<Opening, ErrorCode> {
        let order = self.order_of(envelope, BodyAct::Open)?;
        let regulators = self.bodies.regulators.iter();
        let regulator = regulators.into_iter().find(|known| known.id == order.by);
        let regulator = regulator.ok_or(ErrorCode::BodyOrderForbidden)?;
        if *caller != regulator.id {
            return Err(ErrorCode::BodyOrderForbidden);
        }
        signed_by(envelope, &regulator.key)?;
        self.check_age(&order)?;
        let turn = Arc::clone(&self.bodies.turn)
            .try_lock_owned()
            .map_err(|_| ErrorCode::Overloaded)?;
        if !self.ready() {
            return Err(ErrorCode::NodeNotReady);
        }
        let draft = draft("bodies-open", &order, envelope);
        let receipt = self.journal.append_mirrored(draft, MIRROR_WAIT).await;
        let receipt = receipt.ok().flatten().ok_or(ErrorCode::AuditUnavailable)?;
        // At this point everybody who follows the log can see that the order was given.
        Ok(Opening {
            order,
            receipt,
            _turn: turn,
        })
    }

    /// Erases the keys of a grant's bodies. Returns how many.
    ///
    /// # Errors
    /// `OBJECT_INVALID`, `OBJECT_SIGNATURE_INVALID`, `BODY_ORDER_FORBIDDEN`, `BODY_ORDER_STALE`,
    /// `RETENTION_NOT_ELAPSED` if one of the keys must be kept longer, and then none is erased.
    pub(crate) async fn erase_bodies(&self, envelope: &Envelope) -> Result<u64, ErrorCode> {
        let order = self.order_of(envelope, BodyAct::Erase)?;
        if order.by != self.pinned.unit {
            return Err(ErrorCode::BodyOrderForbidden);
        }
        signed_by(envelope, &self.pinned.unit_key)?;
        self.check_age(&order)?;
        if !self.ready() {
            return Err(ErrorCode::NodeNotReady);
        }
        let _turn = self.bodies.turn.lock().await;
        let now = self.facts().now();
        self.finish_erasure(&order, envelope, Some(now)).await
    }

    /// Brings the erasures to their end that a crash has interrupted.
    pub(crate) async fn finish_erasures(&self) {
        let _turn = self.bodies.turn.lock().await;
        let bodies = Arc::clone(&self.bodies);
        let unfinished = tokio::task::spawn_blocking(move || bodies.unfinished()).await;
        for envelope in unfinished.unwrap_or_default() {
            let Ok(order) = open::<BodyOrder>(&envelope) else {
                continue;
            };
            let is_units = envelope.signed_by(&self.pinned.unit_key) == SignedBy::Yes;
            if !is_units || order.act != BodyAct::Erase || order.by != self.pinned.unit {
                tracing::error!("a stored order to erase is not the unit's: it is not carried out");
                continue;
            }
            if let Err(code) = self.finish_erasure(&order, &envelope, None).await {
                tracing::error!(%code, "an erasure could not be brought to its end");
            }
        }
    }

    /// Carries an erasure out and puts it on record. `checked_at` is the time by which the retention must be over; none
    /// for an order that was checked when it was stored.
    async fn finish_erasure(
        &self,
        order: &BodyOrder,
        envelope: &Envelope,
        checked_at: Option<Timestamp>,
    ) -> Result<u64, ErrorCode> {
        const LOST: ErrorCode = ErrorCode::Internal;
        let (bodies, given) = (Arc::clone(&self.bodies), (order.clone(), envelope.clone()));
        // Files are written and removed: not on a task that others wait for.
        let erased =
            tokio::task::spawn_blocking(move || bodies.carry_out(&given.0, &given.1, checked_at));
        let erased = erased.await.unwrap_or(Err(LOST))?;
        let mut draft = draft("bodies-erase", order, envelope);
        draft.clear = draft.clear.number(Field::Count, erased);
        let recorded = self.journal.append(draft).await;
        recorded.map_err(|_| ErrorCode::AuditUnavailable)?;
        let (bodies, done) = (Arc::clone(&self.bodies), envelope.clone());
        let ended = tokio::task::spawn_blocking(move || {
            let path = bodies.order_path(&done).with_extension("done");
            bodies.state.write(&path, b"").map_err(internal)
        });
        ended.await.unwrap_or(Err(LOST))?;
        Ok(erased)
    }

    fn order_of(&self, envelope: &Envelope, act: BodyAct) -> Result<BodyOrder, ErrorCode> {
        if envelope.payload_type != BODY_ORDER_TYPE {
            return Err(ErrorCode::ObjectInvalid);
        }
        let order = open::<BodyOrder>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
        if order.node != self.pinned.node || order.act != act {
            return Err(ErrorCode::ObjectInvalid);
        }
        Ok(order)
    }

    fn check_age(&self, order: &BodyOrder) -> Result<(), ErrorCode> {
        let now = self.facts().now();
        let too_old = now.since(order.issued) > GOOD_FOR;
        if too_old || order.issued.since(now) > AHEAD_MAX {
            return Err(ErrorCode::BodyOrderStale);
        }
        Ok(())
    }
}

impl Opening {
    /// Hands out receipt, keys and bodies. Blocking; ends early when nobody takes them any more.
    pub(crate) fn hand_out(
        self,
        bodies: &Bodies,
        to: &mpsc::Sender<Result<pb::OpenBodiesResponse, ErrorCode>>,
    ) {
        // Whether somebody still takes them.
        let gives = |item| {
            let sent = to.blocking_send(Ok(pb::OpenBodiesResponse { item: Some(item) }));
            sent.is_ok()
        };
        let receipt = receipt_to_pb(&self.receipt, Level::Mirrored);
        if !gives(Item::Receipt(receipt)) {
            return;
        }
        let Ok(keys) = bodies.keys_of(&self.order) else {
            let _ = to.blocking_send(Err(ErrorCode::Internal));
            return;
        };
        let mut days: Vec<Day> = keys
            .iter()
            .filter_map(|(_, key)| key.day.parse().ok())
            .collect();
        days.sort_unstable();
        days.dedup();
        for (_, mut key) in keys {
            // Each regulator gets what is wrapped to it and nothing else.
            let by = self.order.by.as_str();
            key.wrapped.retain(|wrapped| wrapped.regulator == by);
            if !gives(Item::Key(key)) {
                return;
            }
        }
        let grant = self.order.grant.as_str();
        for day in days {
            let read = bodies.read_day(day, &mut |bytes| {
                let Ok(body) = pb::SealedBody::decode(bytes) else {
                    return ControlFlow::Continue(());
                };
                let unwanted = body.grant != grant;
                if unwanted || gives(Item::Body(body)) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if read.is_none() {
                tracing::error!(%day, "the bodies of a day cannot be read");
                let _ = to.blocking_send(Err(ErrorCode::Internal));
                return;
            }
        }
    }
}

impl Bodies {
    /// The stored keys that an order is about.
    fn keys_of(&self, order: &BodyOrder) -> std::io::Result<Vec<(PathBuf, pb::BodyKey)>> {
        let keys = self.all_keys()?.into_iter().filter(|(_, key)| {
            let day = key.day.parse::<Day>();
            key.grant == order.grant.as_str() && day.is_ok_and(|day| order.days.contains(day))
        });
        Ok(keys.collect())
    }

    pub(super) fn all_keys(&self) -> std::io::Result<Vec<(PathBuf, pb::BodyKey)>> {
        let files = self.state.read_all(&self.dir(KEYS), "key")?;
        let keys = files.into_iter().map(|(path, bytes)| {
            let key = pb::BodyKey::decode(bytes.as_slice());
            Ok((path, key.map_err(std::io::Error::other)?))
        });
        keys.collect()
    }

    /// Stores the order and erases what it names.
    fn carry_out(
        &self,
        order: &BodyOrder,
        envelope: &Envelope,
        checked_at: Option<Timestamp>,
    ) -> Result<u64, ErrorCode> {
        if let Some(now) = checked_at {
            self.check_elapsed(order, now)?;
        }
        let path = self.order_path(envelope).with_extension("env");
        self.state
            .write(&path, &encode_envelope(envelope))
            .map_err(internal)?;
        // From here on it is carried out, also after a crash.
        self.erase(order).map_err(internal)
    }

    /// Where an order lies, without the ending.
    fn order_path(&self, envelope: &Envelope) -> PathBuf {
        self.dir(ORDERS).join(hex::encode(envelope.digest().0))
    }

    fn check_elapsed(&self, order: &BodyOrder, now: Timestamp) -> Result<(), ErrorCode> {
        let keys = self.keys_of(order).map_err(|_| ErrorCode::Internal)?;
        let ended = self.ended().map_err(|_| ErrorCode::Internal)?;
        if keys.iter().all(|(_, key)| ended.keep_until(key) <= now) {
            Ok(())
        } else {
            Err(ErrorCode::RetentionNotElapsed)
        }
    }

    /// Removes the keys, and the logs of days that no key is left of. Gives the number of keys.
    fn erase(&self, order: &BodyOrder) -> std::io::Result<u64> {
        let keys = self.keys_of(order)?;
        let erased = keys.len() as u64;
        for (path, _) in keys {
            std::fs::remove_file(path)?;
        }
        let is_left = |key: &pb::BodyKey| key.grant == order.grant.as_str();
        if !self.all_keys()?.iter().any(|(_, key)| is_left(key)) {
            self.forget_end(order.grant.as_str())?;
        }
        sync(&self.dir(KEYS))?;
        // At this point no key is left, and a crash changes that no more. The bodies are noise from here on.
        self.remove_dead_days()?;
        Ok(erased)
    }

    fn remove_dead_days(&self) -> std::io::Result<()> {
        let keys = self.all_keys()?;
        let today = self.today().map(|log| log.day().to_string());
        for entry in std::fs::read_dir(self.dir(LOGS))? {
            let entry = entry?;
            let day = entry.file_name().to_string_lossy().into_owned();
            let is_needed = today.as_ref() == Some(&day) || keys.iter().any(|(_, k)| k.day == day);
            if day.parse::<Day>().is_ok() && !is_needed {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        sync(&self.dir(LOGS))
    }

    fn read_day(&self, day: Day, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Option<()> {
        match self.today().filter(|log| log.day() == day) {
            Some(log) => log.read(visit),
            None => {
                let dir = self.dir(LOGS);
                // A key without a log: the process ended between the two, and nothing was kept.
                if !dir.join(day.to_string()).exists() {
                    return Some(());
                }
                day_log::read_past(&dir, &self.origin, self.state.keys(), day, visit)
            }
        }
    }

    /// Stored orders whose end is not known.
    fn unfinished(&self) -> Vec<Envelope> {
        let files = self.state.read_all(&self.dir(ORDERS), "env");
        let files = files.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the orders to erase bodies");
            Vec::new()
        });
        files
            .into_iter()
            .filter(|(path, _)| !path.with_extension("done").exists())
            .filter_map(|(_, bytes)| decode_envelope(&bytes).ok())
            .collect()
    }
}

fn internal(error: std::io::Error) -> ErrorCode {
    tracing::error!(%error, "cannot erase the keys of bodies");
    ErrorCode::Internal
}

fn signed_by(envelope: &Envelope, key: &[u8]) -> Result<(), ErrorCode> {
    match envelope.signed_by(key) {
        SignedBy::Yes => Ok(()),
        SignedBy::Altered | SignedBy::No => Err(ErrorCode::ObjectSignatureInvalid),
    }
}

fn draft(action: &str, order: &BodyOrder, envelope: &Envelope) -> Draft {
    let mut draft = Draft::new(Kind::AuthorizationChange);
    draft.clear = Clear::default()
        .text(Field::Grant, order.grant.as_str())
        .text(Field::Action, action)
        .text(Field::Actor, order.by.as_str())
        .text(Field::Reason, &order.reason)
        .text(Field::BodyDays, &order.days.to_string())
        .bytes(Field::ObjectDigest, &envelope.digest().0);
    draft
}

fn sync(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
