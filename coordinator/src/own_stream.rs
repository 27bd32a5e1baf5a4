//! Control-plane acts as entries of the coordinator's own stream.
//!
//! An act takes effect in this order: stored in the database together with its object, durable in the own stream,
//! marked as logged, and only then answered or pushed. A crash after the first step is made good at the next start,
//! before anything is served: what stands in the stream already is marked, the rest is appended.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_core::record::{Clear, Draft, Field, Kind, Record};

use crate::mirror::Mirror;
use crate::mirror::archive::ArchiveError;
use crate::refusal::Refusal;
use crate::store::acts::Act;
use crate::store::{Store, StoreError};

/// The act that the records of a past stream were dropped: its digest is the root that they had.
pub(crate) const STREAM_DROPPED: &str = "stream_dropped";

/// Why registry and own stream do not fit each other at a start.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The own stream cannot be read back.
    #[error("the own stream cannot be read: {0}")]
    Archive(String),
    /// The stream lacks acts that were logged: it was restored from an older state than the database.
    #[error("the own stream is older than the registry")]
    LogBehind,
    /// The own stream could not be extended.
    #[error("an act could not be logged: {0}")]
    NotLogged(ErrorCode),
    /// The stream holds an act or an epoch that the database does not know: the database was restored from an older
    /// state, and would give a number, an id or a version a second time.
    #[error("the registry is older than the own stream")]
    RegistryBehind,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ArchiveError> for SettleError {
    fn from(error: ArchiveError) -> SettleError {
        SettleError::Archive(error.to_string())
    }
}

/// The record of an act.
pub(crate) fn draft(act: &Act) -> Draft {
    let mut clear = Clear::default()
        .text(Field::Action, &act.action)
        .text(Field::Subject, &act.subject)
        .text(Field::Actor, &act.actor)
        .bytes(Field::ObjectDigest, &act.digest.0);
    if let Some(region) = &act.region {
        clear = clear.text(Field::Region, region.as_str());
    }
    if let Some(number) = &act.filing_number {
        clear = clear.text(Field::FilingNumber, number);
    }
    if let Some(epoch) = act.epoch {
        clear = clear.number(Field::Epoch, epoch);
    }
    let mut draft = Draft::new(Kind::Control);
    draft.clear = clear;
    draft
}

/// Logs every stored act that is not logged yet, in order. Whoever stored one calls this before answering.
pub(crate) async fn settle(store: &Store, mirror: &Mirror) -> Result<(), Refusal> {
    for (seq, act) in store.unlogged_acts().await? {
        let entry = mirror.append_own(vec![draft(&act)]).await?;
        // At this point the act is durable in the stream. A crash before the next line finds it there at the next start.
        store.mark_logged(seq, entry).await?;
    }
    Ok(())
}

/// Brings database and stream together at a start.
pub(crate) async fn recover(store: &Store, mirror: &Arc<Mirror>) -> Result<(), SettleError> {
    let seen = {
        let mirror = Arc::clone(mirror);
        let read = move || Seen::read(&mirror);
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| SettleError::Archive(error.to_string()))??
    };
    let logged_max = store.logged_max().await?;
    if logged_max.is_some_and(|entry| entry >= seen.size) {
        return Err(SettleError::LogBehind);
    }
    if seen.epoch > store.epoch_number().await?.unwrap_or(0) {
        return Err(SettleError::RegistryBehind);
    }
    let unlogged = store.unlogged_acts().await?;
    seen.check_known(logged_max, &unlogged)?;
    for (seq, act) in unlogged {
        let draft = draft(&act);
        let entry = match seen.acts.get(&Name::of(&draft.clear)) {
            Some(entry) => *entry,
            None => {
                let logged = mirror.append_own(vec![draft]).await;
                logged.map_err(SettleError::NotLogged)?
            }
        };
        store.mark_logged(seq, entry).await?;
    }
    Ok(())
}

/// What makes an act the same act.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    action: String,
    subject: String,
    digest: Vec<u8>,
}

impl Name {
    fn of(clear: &Clear) -> Name {
        let text = |field| clear.get_text(field).unwrap_or_default().to_owned();
        Name {
            action: text(Field::Action),
            subject: text(Field::Subject),
            digest: clear
                .get_bytes(Field::ObjectDigest)
                .unwrap_or_default()
                .to_vec(),
        }
    }
}

/// What the own stream holds.
struct Seen {
    size: u64,
    epoch: u64,
    acts: HashMap<Name, u64>,
}

impl Seen {
    fn read(mirror: &Mirror) -> Result<Seen, ArchiveError> {
        let mut seen = Seen {
            size: 0,
            epoch: 0,
            acts: HashMap::new(),
        };
        mirror.own_records(|record: Record| {
            let clear = &record.draft.clear;
            seen.size = record.index + 1;
            seen.epoch = seen.epoch.max(clear.get_number(Field::Epoch).unwrap_or(0));
            // What rests on no object of the registry, such as a subscription, is in no database.
            let is_drop = clear.get_text(Field::Action) == Some(STREAM_DROPPED);
            if clear.get_bytes(Field::ObjectDigest).is_some() && !is_drop {
                seen.acts.insert(Name::of(clear), record.index);
            }
        })?;
        Ok(seen)
    }

    /// Acts are logged in the order of the database, so what stands behind the last one that it knows as logged must be
    /// among those that it still has to mark.
    fn check_known(
        &self,
        logged_max: Option<u64>,
        unlogged: &[(i64, Act)],
    ) -> Result<(), SettleError> {
        let unlogged: HashSet<Name> = unlogged
            .iter()
            .map(|(_, act)| Name::of(&draft(act).clear))
            .collect();
        let is_known = |(name, entry): (&Name, &u64)| {
            logged_max.is_some_and(|logged| *entry <= logged) || unlogged.contains(name)
        };
        if self.acts.iter().all(is_known) {
            Ok(())
        } else {
            Err(SettleError::RegistryBehind)
        }
    }
}

#[cfg(test)]
mod tests;
