//! `succession.toml`: that a node's stream ends and which one follows. Signed by the unit.

use std::path::Path;

use lingqu_core::succession::SuccessionOrder;
use lingqu_core::{NodeId, PartyId};
use serde::{Deserialize, Serialize};

use super::text::{Instant, Text};
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuccessionToml {
    /// The unit, `party_…`.
    unit: Text<PartyId>,
    /// Its node, `node_…`.
    node: Text<NodeId>,
    /// When it is signed: of several orders about a stream the latest counts.
    issued: Instant,
    /// When it is due: `YYYY-MM-DD` (midnight of UTC+8) or `YYYY-MM-DDThh:mm:ssZ`.
    not_before: Instant,
    /// From when on it is dead, carried out or not: at most 13 months after `not_before`.
    not_after: Instant,
    /// Origin of the stream that ends, as `lingqu status` shows it.
    ends: String,
    /// Verifier key of the stream that follows, as `lingqu pki vkey --name ORIGIN --key FILE` prints it.
    begins: String,
}

impl Document for SuccessionOrder {
    type Written = SuccessionToml;

    fn from_written(written: SuccessionToml, _base: &Path) -> Result<Self, DocumentRefused> {
        Ok(SuccessionOrder {
            unit: written.unit.0,
            node: written.node.0,
            issued: written.issued.0,
            not_before: written.not_before.0,
            not_after: written.not_after.0,
            ends: written.ends,
            begins: written.begins,
        })
    }

    fn to_written(&self) -> SuccessionToml {
        SuccessionToml {
            unit: Text(self.unit.clone()),
            node: Text(self.node.clone()),
            issued: Instant(self.issued),
            not_before: Instant(self.not_before),
            not_after: Instant(self.not_after),
            ends: self.ends.clone(),
            begins: self.begins.clone(),
        }
    }
}
