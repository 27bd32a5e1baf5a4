//! What is kept, in figures, and what should no longer be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::Bodies;

/// After the end of the retention, how long until keys that are still there are an alarm.
const LATE_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// What is kept of calls, without any content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodiesStatus {
    /// Keys of grants and days.
    pub keys: u64,
    /// Days with bodies.
    pub days: u64,
    /// Bytes of the current day's bodies.
    pub bytes_today: u64,
    /// Grants whose keys may be erased by now.
    pub erasable: Vec<String>,
    /// Grants whose keys should have been erased for a month (R-283, the other direction).
    pub overdue: Vec<String>,
}

impl crate::Node {
    /// What is kept; empty figures when the files cannot be read, which is logged.
    pub async fn bodies_status(&self) -> BodiesStatus {
        let (bodies, now) = (Arc::clone(&self.bodies), self.facts().now());
        let held = self.epochs.held();
        let counted = tokio::task::spawn_blocking(move || {
            if let Some(held) = &held {
                bodies.note_revoked(&bodies.all_keys()?, &held.epoch, now)?;
            }
            bodies.status(now)
        });
        let counted = counted.await;
        match counted {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot read the keys of bodies");
                BodiesStatus::default()
            }
            Err(_) => BodiesStatus::default(),
        }
    }
}

impl Bodies {
    /// The figures. Blocking: it reads every key's file.
    pub(crate) fn status(&self, now: Timestamp) -> std::io::Result<BodiesStatus> {
        let keys = self.all_keys()?;
        let mut days: Vec<&str> = keys.iter().map(|(_, key)| key.day.as_str()).collect();
        days.sort_unstable();
        days.dedup();
        let ended = self.ended()?;
        // A grant's keys go together: the last one to become erasable counts.
        let mut until: BTreeMap<&str, i64> = BTreeMap::new();
        for (_, key) in &keys {
            let keep_until = ended.keep_until(key).0;
            let latest = until.entry(&key.grant).or_insert(keep_until);
            *latest = (*latest).max(keep_until);
        }
        let past = |now: Timestamp| {
            let past = until.iter().filter(move |(_, until)| **until <= now.0);
            past.map(|(grant, _)| (*grant).to_owned()).collect()
        };
        let late = i64::try_from(LATE_AFTER.as_micros()).unwrap_or(i64::MAX);
        Ok(BodiesStatus {
            keys: keys.len() as u64,
            days: days.len() as u64,
            bytes_today: self.today().map_or(0, |log| log.bytes()),
            erasable: past(now),
            overdue: past(Timestamp(now.0.saturating_sub(late))),
        })
    }
}
