//! `destruction.toml` (销毁确认): that a licensee has destroyed what it held under a grant. Signed by the licensee, then by
//! the unit.

use std::path::Path;

use lingqu_core::destruction::Destruction;
use lingqu_core::{GrantId, NodeId, PartyId};
use serde::{Deserialize, Serialize};

use super::text::{Instant, Text};
use super::{Document, DocumentRefused};

/// The schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestructionToml {
    /// Who destroyed: the grant's licensee, `party_…`.
    licensee: Text<PartyId>,
    /// The grant, which has ended.
    grant: Text<GrantId>,
    /// The node whose unit countersigns, `node_…`.
    node: Text<NodeId>,
    /// When: `YYYY-MM-DD` (midnight of UTC+8) or `YYYY-MM-DDThh:mm:ssZ`.
    at: Instant,
    /// What was destroyed.
    what: String,
    /// How.
    method: String,
    /// Who did it or saw to it. Stays in this file; the record has its digest alone.
    person: String,
    /// `true`: no copy is left.
    no_copies: bool,
    /// `true`: no backup is left.
    no_backups: bool,
}

impl Document for Destruction {
    type Written = DestructionToml;

    fn from_written(written: DestructionToml, _base: &Path) -> Result<Self, DocumentRefused> {
        for (key, is_said) in [
            ("no_copies", written.no_copies),
            ("no_backups", written.no_backups),
        ] {
            if !is_said {
                return Err(DocumentRefused::key(key, "must be confirmed"));
            }
        }
        Ok(Destruction {
            licensee: written.licensee.0,
            grant: written.grant.0,
            node: written.node.0,
            at: written.at.0,
            what: written.what,
            method: written.method,
            person: written.person,
        })
    }

    fn to_written(&self) -> DestructionToml {
        DestructionToml {
            licensee: Text(self.licensee.clone()),
            grant: Text(self.grant.clone()),
            node: Text(self.node.clone()),
            at: Instant(self.at),
            what: self.what.clone(),
            method: self.method.clone(),
            person: self.person.clone(),
            no_copies: true,
            no_backups: true,
        }
    }
}
