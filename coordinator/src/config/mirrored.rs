//! Streams of nodes that another coordinator has enrolled, and that this one mirrors as well.
//!
//! Such a node is known here by this file alone: it may replicate its stream, and read it back, and nothing else. The streams
//! that follow the one named here are known by the stream's own end, as everywhere.

use std::collections::HashSet;

use lingqu_core::head::head_log_of;
use lingqu_core::{NodeId, PartyId, Region};
use lingqu_tlog::{Intl, KeyKind, Suite, VerifierKey};
use serde::{Deserialize, Deserializer};

use super::{ConfigError, parsed};
use crate::mirror::streams::Stream;
use crate::mirror::succession::Unit;

/// One stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirroredConfig {
    /// The node that writes it, as in its certificate.
    #[serde(deserialize_with = "parsed")]
    pub node: NodeId,
    /// The stream's verifier key, as the node's unit or its coordinator gives it: `ORIGIN+NUMBER+KEY`.
    #[serde(deserialize_with = "parsed")]
    pub stream: VerifierKey<Intl>,
    /// Division code of the node's region: its heads stand in this coordinator's head log of that region.
    #[serde(deserialize_with = "parsed")]
    pub region: Region,
    /// The unit that can order the stream's end.
    #[serde(deserialize_with = "parsed")]
    pub unit: PartyId,
    /// The unit's approval key, 32 bytes in hexadecimal.
    #[serde(deserialize_with = "public_key")]
    pub unit_key: Vec<u8>,
}

impl MirroredConfig {
    /// Whether the region is the one that the stream's own name has.
    fn is_of_region(&self) -> bool {
        let heads = head_log_of(self.stream.name().as_str());
        heads.is_some_and(|heads| heads.ends_with(&format!("/h/{}", self.region)))
    }

    /// The stream; nothing if the key cannot be a stream's.
    pub(crate) fn stream(&self) -> Option<Stream> {
        let (name, key) = (self.stream.name().as_str(), self.stream.public_key());
        let stream = Stream::new(name, self.node.as_str(), &self.region, key)?;
        let unit = Unit {
            id: self.unit.clone(),
            approval_key: self.unit_key.clone(),
        };
        Some(stream.of_unit(unit).of_another_coordinator())
    }
}

/// Refuses what could not be told apart: two entries for one stream, a stream of this coordinator's own names, and keys
/// that are no stream's.
pub(super) fn check(mirrored: &[MirroredConfig], origin_name: &str) -> Result<(), ConfigError> {
    let own = format!("{origin_name}/");
    let mut origins = HashSet::new();
    for one in mirrored {
        let origin = one.stream.name().as_str();
        let is_sound = one.stream.kind() == KeyKind::Note
            && one.unit_key != one.stream.public_key()
            && !origin.starts_with(&own)
            && origins.insert(origin)
            && one.is_of_region()
            && one.stream().is_some();
        if !is_sound {
            return Err(ConfigError::Mirrored(origin.to_owned()));
        }
    }
    Ok(())
}

/// Reads a public key in hexadecimal, and refuses weak ones.
fn public_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    use serde::de::Error;
    let key = hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
    Intl::admit(&key).map_err(D::Error::custom)?;
    Ok(key)
}

#[cfg(test)]
mod tests;
