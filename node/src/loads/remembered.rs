//! What the node remembers of its resources beyond a restart: the columns that the unit has looked at, the loads that
//! were, the dates that were said, and the unit's orders. Names, digests and dates; no row.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::product::Load;
use lingqu_core::source_order::{SourceAct, SourceOrder};
use lingqu_core::{ErrorCode, LoadId, Timestamp};
use lingqu_proto::{SignedObject, decode_envelope, encode_envelope, open};
use serde::{Deserialize, Serialize};

use crate::admission::holdings::Pinned;
use crate::sources::Resource;
use crate::sources::schema::Columns;
use crate::state::{State, create_dir};

/// Most loads of one resource that are remembered by their ids.
const LOADS_MAX: usize = 1_024;

/// Why what was kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptUnreadable {
    /// The files cannot be read.
    #[error("cannot read what is kept of the sources: {0}")]
    Io(#[from] std::io::Error),
    /// A file is not what was written.
    #[error(
        "`{0}` is damaged: restore it, or remove it if its table need not be compared with what the unit has seen"
    )]
    Damaged(PathBuf),
}

/// What is kept of one resource.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfResource {
    /// What the unit has looked at; none before the first load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<Columns>,
    /// The loads that were, the newest last.
    #[serde(default)]
    loads: Vec<String>,
    /// The date that the unit said with a load, µs since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_as_of_us: Option<i64>,
}

/// See the module.
pub(super) struct Kept {
    state: State,
    dir: PathBuf,
    orders: PathBuf,
    labels: Vec<String>,
    inner: Mutex<Inner>,
}

struct Inner {
    resources: Vec<OfResource>,
    wrong: BTreeSet<LoadId>,
    /// Number of the last order.
    number: u64,
}

impl Kept {
    pub(super) fn open(
        state: &State,
        resources: &[Arc<Resource>],
        pinned: &Pinned,
    ) -> Result<Kept, KeptUnreadable> {
        let dir = state.dir().join("sources");
        create_dir(&dir)?;
        let orders = state.dir().join("source-orders");
        create_dir(&orders)?;
        let labels: Vec<String> = resources.iter().map(|resource| resource.label()).collect();
        let files = state.read_all(&dir, "json")?;
        let mut of_resources = Vec::new();
        for label in &labels {
            let path = dir.join(format!("{label}.json"));
            let file = files.iter().find(|(found, _)| *found == path);
            of_resources.push(match file {
                Some((path, bytes)) => serde_json::from_slice(bytes)
                    .map_err(|_| KeptUnreadable::Damaged(path.clone()))?,
                None => OfResource::default(),
            });
        }
        let mut inner = Inner {
            resources: of_resources,
            wrong: BTreeSet::new(),
            number: 0,
        };
        for (path, bytes) in state.read_all(&orders, "env")? {
            let order = decode_envelope(&bytes).map_err(|_| ErrorCode::ObjectInvalid);
            let order = order.and_then(|envelope| check(&envelope, pinned));
            let order = order.map_err(|_| KeptUnreadable::Damaged(path))?;
            inner.number = inner.number.max(order.number);
            if let SourceAct::Correct { wrong, .. } = order.act {
                inner.wrong.insert(wrong);
            }
        }
        Ok(Kept {
            state: state.clone(),
            dir,
            orders,
            labels,
            inner: Mutex::new(inner),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn accepted(&self, place: usize) -> Option<Columns> {
        self.inner().resources[place].accepted.clone()
    }

    pub(super) fn said_as_of(&self, place: usize) -> Option<Timestamp> {
        self.inner().resources[place].said_as_of_us.map(Timestamp)
    }

    pub(super) fn is_wrong(&self, load: &LoadId) -> bool {
        self.inner().wrong.contains(load)
    }

    /// Whether the resource had this load.
    pub(super) fn had(&self, place: usize, load: &LoadId) -> bool {
        let inner = self.inner();
        let mut loads = inner.resources[place].loads.iter();
        loads.any(|known| known == load.as_str())
    }

    /// Number of the last order.
    pub(super) fn number(&self) -> u64 {
        self.inner().number
    }

    /// Keeps a load; gives the one before it. What cannot be written is said in the log: the load is good, and only what
    /// a restart would know of it is missing.
    pub(super) fn note_load(
        &self,
        place: usize,
        load: &Load,
        columns: &Columns,
        said: Option<Timestamp>,
    ) -> Option<LoadId> {
        let mut inner = self.inner();
        let kept = &mut inner.resources[place];
        let before = kept.clone();
        let previous = kept.loads.last().and_then(|id| id.parse().ok());
        kept.accepted.get_or_insert_with(|| columns.clone());
        kept.said_as_of_us = said.map(|said| said.0).or(kept.said_as_of_us);
        kept.loads.retain(|id| id != load.id.as_str());
        kept.loads.push(load.id.to_string());
        let excess = kept.loads.len().saturating_sub(LOADS_MAX);
        kept.loads.drain(..excess);
        let is_changed = kept.loads != before.loads
            || kept.accepted != before.accepted
            || kept.said_as_of_us != before.said_as_of_us;
        if is_changed && let Err(error) = self.write(place, kept) {
            tracing::error!(%error, resource = self.labels[place], "cannot keep what is known of a resource");
        }
        previous
    }

    /// Keeps an order, durably, and what it says.
    ///
    /// # Errors
    /// `OBJECT_CONFLICT` when it is not newer than the last one, `INTERNAL` when it cannot be stored.
    pub(super) fn take(
        &self,
        place: usize,
        order: &SourceOrder,
        envelope: &Envelope,
        accepted: Option<Columns>,
    ) -> Result<(), ErrorCode> {
        let mut inner = self.inner();
        if order.number <= inner.number {
            return Err(ErrorCode::ObjectConflict);
        }
        let unwritten = |error: std::io::Error| {
            tracing::error!(%error, "cannot store a source order");
            ErrorCode::Internal
        };
        let path = self.orders.join(format!("{:020}.env", order.number));
        self.state
            .write(&path, &encode_envelope(envelope))
            .map_err(unwritten)?;
        // From here on the order counts: a restart finds it.
        inner.number = order.number;
        if let SourceAct::Correct { wrong, .. } = &order.act {
            inner.wrong.insert(wrong.clone());
        }
        if let Some(columns) = accepted {
            let kept = &mut inner.resources[place];
            kept.accepted = Some(columns);
            self.write(place, kept).map_err(unwritten)?;
        }
        Ok(())
    }

    fn write(&self, place: usize, kept: &OfResource) -> std::io::Result<()> {
        let path = self.dir.join(format!("{}.json", self.labels[place]));
        self.state.write(&path, &serde_json::to_vec_pretty(kept)?)
    }
}

/// The order, if the unit signed it for this node.
///
/// # Errors
/// `OBJECT_SIGNATURE_INVALID`, `OBJECT_INVALID`.
pub(super) fn check(envelope: &Envelope, pinned: &Pinned) -> Result<SourceOrder, ErrorCode> {
    if envelope.payload_type != SourceOrder::TYPE
        || envelope.signed_by(&pinned.unit_key) != SignedBy::Yes
    {
        return Err(ErrorCode::ObjectSignatureInvalid);
    }
    let order = open::<SourceOrder>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
    match order.unit == pinned.unit && order.node == pinned.node {
        true => Ok(order),
        false => Err(ErrorCode::ObjectInvalid),
    }
}
