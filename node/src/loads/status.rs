//! How the resources and sources of the node are. Names, counts, dates and columns; no row.

use std::sync::PoisonError;
use std::time::Duration;

use lingqu_connector_sdk::Health;
use lingqu_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::schedule::status_name;
use crate::Node;
use crate::sources::Resource;

/// How one resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// Its name.
    pub resource: String,
    /// The environments that it serves.
    pub environments: Vec<String>,
    /// Its sources, in the order in which they are tried.
    pub sources: Vec<String>,
    /// What they call the table.
    pub table: String,
    /// When it is read again.
    pub refresh: String,
    /// Whether an approved product asks it.
    pub asked: bool,
    /// What answers now.
    pub load: Option<LoadStatus>,
    /// Whether that is older than its update cycle.
    pub stale: bool,
    /// How the table differs from what the unit has looked at; nothing answers until it has looked again.
    pub changed: Option<ChangedStatus>,
    /// Why the last load failed, if no later one succeeded.
    pub failed: Option<FailedStatus>,
    /// The load that is under way.
    pub progress: Option<ProgressStatus>,
}

/// A load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadStatus {
    /// Its id.
    pub id: String,
    /// The date that it speaks for.
    pub as_of: String,
    /// Rows.
    pub rows: u64,
    /// Digest of the rows, hex.
    pub digest: String,
    /// The source that it was read from.
    pub source: String,
    /// How that source named the state that was read.
    pub version: Option<String>,
    /// When the reading ended.
    pub loaded: String,
}

/// A table that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedStatus {
    /// Digest of the columns as they are now, hex: what an order accepts.
    pub columns_digest: String,
    /// `-name: type` for what the unit has looked at, `+name: type` for what is there now.
    pub differences: Vec<String>,
}

/// A load that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStatus {
    /// Its code.
    pub code: String,
    /// Why, without values.
    pub why: String,
    /// When it began.
    pub at: Option<String>,
}

/// A load under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressStatus {
    /// Whether it is being read; otherwise it waits for another one, or is being built over.
    pub reading: bool,
    /// Rows so far.
    pub rows: u64,
    /// Rows that the source expects; may be an estimate.
    pub expected: Option<u64>,
    /// Bytes of memory so far.
    pub bytes: u64,
    /// The source that is being read.
    pub source: String,
}

/// How one source was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Product and version as the source states them.
    pub server: Option<String>,
    /// Why it cannot be read, if it cannot.
    pub failure: Option<String>,
    /// Privileges of the account beyond reading.
    pub may_write: Vec<String>,
    /// Whether the connection is encrypted and verified; none where there is no connection.
    pub verified_tls: Option<bool>,
    /// When it was looked at.
    pub looked: String,
}

impl SourceHealth {
    pub(super) fn up(health: Health, now: Timestamp) -> SourceHealth {
        SourceHealth {
            server: Some(health.server),
            failure: None,
            may_write: health.may_write,
            verified_tls: health.verified_tls,
            looked: now.to_string(),
        }
    }

    pub(super) fn down(why: String, now: Timestamp) -> SourceHealth {
        SourceHealth {
            server: None,
            failure: Some(why),
            may_write: Vec::new(),
            verified_tls: None,
            looked: now.to_string(),
        }
    }
}

/// Whether data of `as_of` is older than the resource's update cycle.
pub fn is_stale(resource: &Resource, as_of: Timestamp, now: Timestamp) -> bool {
    let cycle: Option<Duration> = resource.update_cycle;
    cycle.is_some_and(|cycle| now.since(as_of) > cycle)
}

impl Node {
    /// How every resource is, in the order of the configuration.
    pub fn resource_statuses(&self) -> Vec<ResourceStatus> {
        let places = 0..self.products.resources().len();
        places.map(|place| self.resource_status(place)).collect()
    }

    /// How every source was when it was last looked at, by name.
    pub fn source_healths(&self) -> Vec<(String, SourceHealth)> {
        let all = &self.loader.health;
        let all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(name, health)| (name.clone(), health.clone()))
            .collect()
    }

    fn resource_status(&self, place: usize) -> ResourceStatus {
        let resource = &self.products.resources()[place];
        let label = resource.label();
        let snapshot = self.products.snapshot(place);
        let attempt = self.loader.attempts()[place].clone();
        let environments = resource.environments.iter();
        let now = self.clock.now();
        let load = snapshot.as_ref().map(|snapshot| LoadStatus {
            id: snapshot.load.id.to_string(),
            as_of: snapshot.load.as_of.to_string(),
            rows: snapshot.rows,
            digest: snapshot.digest.to_string(),
            source: snapshot.source.clone(),
            version: snapshot.version.clone(),
            loaded: snapshot.loaded.to_string(),
        });
        ResourceStatus {
            resource: resource.name.clone(),
            environments: environments.map(|one| one.as_str().to_owned()).collect(),
            sources: { resource.sources.iter() }
                .map(|source| status_name(&label, source))
                .collect(),
            table: resource.table.to_string(),
            refresh: resource.refresh.to_string(),
            asked: self.products.is_asked(place),
            stale: { snapshot.as_ref() }
                .is_some_and(|snapshot| is_stale(resource, snapshot.load.as_of, now)),
            load,
            changed: self.products.drift(place).map(|drift| ChangedStatus {
                columns_digest: hex::encode(drift.found.digest().0),
                differences: drift.differences(),
            }),
            failed: attempt.failed.as_ref().map(|(code, why)| FailedStatus {
                code: code.as_str().to_owned(),
                why: why.clone(),
                at: attempt.at().map(|at| at.to_string()),
            }),
            progress: self.progress(place),
        }
    }

    fn progress(&self, place: usize) -> Option<ProgressStatus> {
        let queue = self.loader.queue();
        let waits = queue.tasks.contains_key(&place) || queue.under_way.contains(&place);
        match queue.progress.get(&place) {
            Some(progress) => Some(ProgressStatus {
                reading: true,
                rows: progress.rows(),
                expected: progress.expected(),
                bytes: progress.bytes(),
                source: progress.source(),
            }),
            None if waits => Some(ProgressStatus {
                reading: false,
                rows: 0,
                expected: None,
                bytes: 0,
                source: String::new(),
            }),
            None => None,
        }
    }
}
