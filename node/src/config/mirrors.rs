//! Who mirrors the node's stream: the coordinator, and whoever else the unit pins.
//!
//! The coordinator's mirror is always one of them: it shows the head log. Another coordinator can be a second mirror, on
//! another operator's machine or on the unit's own.

use lingqu_core::CoordinatorId;
use lingqu_journal::{MIRRORS_MAX, MirrorTerms};
use lingqu_tlog::{Intl, VerifierKey};
use serde::Deserialize;

use super::{CoordinatorSection, NodeConfig, typed};
use crate::OpenError;

/// One more mirror: a coordinator that lists this node's stream under `[[mirrored]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSection {
    /// `https://host:port`.
    pub url: String,
    /// The id that its certificate must carry.
    #[serde(deserialize_with = "typed")]
    pub id: CoordinatorId,
    /// Its cosignature key as a C2SP verifier key.
    #[serde(deserialize_with = "typed")]
    pub key: VerifierKey<Intl>,
}

/// Where a mirror is.
#[derive(Clone, Debug)]
pub(crate) struct MirrorAddress {
    /// Its place among the journal's mirrors.
    pub(crate) place: usize,
    pub(crate) at: CoordinatorSection,
}

impl NodeConfig {
    /// The mirrors' keys, the coordinator's first, and how many of them an answer takes: all, unless the file says how
    /// many.
    ///
    /// # Errors
    /// [`OpenError::Setting`] when there cannot be so many, or when answers could leave without the coordinator and
    /// nothing bounds for how long.
    pub fn mirror_terms(&self) -> Result<MirrorTerms<Intl>, OpenError> {
        let first = std::iter::once(&self.trust.mirror_key);
        let others = self.mirrors.iter().map(|mirror| &mirror.key);
        let keys: Vec<_> = first.chain(others).cloned().collect();
        if keys.len() > MIRRORS_MAX {
            return Err(OpenError::Setting("mirror"));
        }
        // Two conversations with one coordinator would each end the other.
        let places = self.mirror_addresses();
        let is_twice = |one: &MirrorAddress| {
            places.iter().any(|other| {
                one.place < other.place && (one.at.id == other.at.id || one.at.url == other.at.url)
            })
        };
        if places.iter().any(is_twice) {
            return Err(OpenError::Setting("mirror"));
        }
        let required = self.trust.mirrors_min.unwrap_or(keys.len());
        if !(1..=keys.len()).contains(&required) {
            return Err(OpenError::Setting("trust.mirrors_min"));
        }
        // Supervisors follow the coordinator: what leaves without it has to be in its head log soon.
        if required < keys.len() && self.trust.head_key.is_none() {
            return Err(OpenError::Setting("trust.head_key"));
        }
        Ok(MirrorTerms { keys, required })
    }

    /// Where the mirrors are, the coordinator's first.
    pub(crate) fn mirror_addresses(&self) -> Vec<MirrorAddress> {
        let others = self.mirrors.iter().map(|mirror| CoordinatorSection {
            url: mirror.url.clone(),
            id: mirror.id.clone(),
        });
        std::iter::once(self.coordinator.clone())
            .chain(others)
            .enumerate()
            .map(|(place, at)| MirrorAddress { place, at })
            .collect()
    }
}
