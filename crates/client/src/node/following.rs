//! From the stream of a trust file to the one that the node writes now, by what the node itself hands out.
//!
//! Nothing of it is believed but what it proves: each first record carries the end of the stream before, signed by the key
//! that is believed already and cosigned by the mirror, with the unit's order in it. What was followed is kept in memory, for
//! this connection; [`Node::followed`] gives it to whoever wants to keep it, and nobody's trust file is written here.

use std::sync::{Arc, PoisonError, RwLock};

use lingqu_core::record::RECORD_LEN_MAX;
use lingqu_core::succession::{LINKS_MAX, period, place};
use lingqu_core::trust::Trust;
use lingqu_proto::pb;
use lingqu_tlog::Intl;

use super::{CallFailed, Node, refused};
use crate::succession::{Step, StepRefused, follow_links, forked};

/// Whom a connection believes.
pub(super) struct Following(RwLock<Followed>);

#[derive(Clone)]
struct Followed {
    trust: Arc<Trust<Intl>>,
    steps: Vec<Step>,
}

impl Following {
    pub(super) fn new(trust: Trust<Intl>) -> Following {
        Following(RwLock::new(Followed {
            trust: Arc::new(trust),
            steps: Vec::new(),
        }))
    }

    pub(super) fn trust(&self) -> Arc<Trust<Intl>> {
        Arc::clone(&self.read().trust)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Followed> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the steps that these records prove.
    fn take(&self, first_records: &[Vec<u8>]) -> Result<(), CallFailed> {
        let mut followed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (trust, steps) = follow_links(&followed.trust, first_records)
            .map_err(|why| CallFailed::Succession(Box::new(why)))?;
        let mut all = followed.steps.clone();
        all.extend(
            steps
                .into_iter()
                .filter(|step| !followed.steps.contains(step)),
        );
        // Also against what was shown earlier on this connection.
        if let Some(ended) = forked(&all) {
            let forked = StepRefused::Forked(ended.clone());
            return Err(CallFailed::Succession(Box::new(forked)));
        }
        followed.trust = Arc::new(trust);
        followed.steps = all;
        Ok(())
    }
}

impl Node {
    /// The steps from stream to stream that were taken on this connection and its clones, in their order: with
    /// [`crate::succession::trust_lines`] they are the lines that a trust file lacks.
    pub fn followed(&self) -> Vec<Step> {
        self.streams.read().steps.clone()
    }

    /// Asks the node how its streams follow each other, and follows. Gives whether the stream of this origin is believed
    /// then; it is not if no believed stream leads to it.
    ///
    /// # Errors
    /// [`CallFailed`]; [`CallFailed::Succession`] for what proves no step that it claims.
    pub async fn follow_to(&self, origin: &str) -> Result<bool, CallFailed> {
        let trust = self.streams.trust();
        let Some(after) = newest_before(&trust, origin) else {
            // Nothing here could be followed by it.
            return Ok(false);
        };
        self.take_links(after).await?;
        Ok(self.streams.trust().log(origin).is_some())
    }
}

impl Node {
    /// Asks the node for everything that it has, and follows as far as it leads from what is believed; gives the steps, as
    /// [`Node::followed`].
    ///
    /// # Errors
    /// As [`Node::follow_to`].
    pub async fn follow(&self) -> Result<Vec<Step>, CallFailed> {
        self.take_links(String::new()).await?;
        Ok(self.followed())
    }

    async fn take_links(&self, after: String) -> Result<(), CallFailed> {
        let request = pb::LinksRequest { after };
        let answered = self.calls.clone().links(request).await;
        let links = answered.map_err(|status| refused(&status))?.into_inner();
        let is_too_long = |record: &Vec<u8>| record.len() > RECORD_LEN_MAX;
        if links.first_records.len() > LINKS_MAX || links.first_records.iter().any(is_too_long) {
            return Err(CallFailed::Malformed(
                "too many links, or too long".to_owned(),
            ));
        }
        self.streams.take(&links.first_records)
    }
}

/// The origin of the newest believed stream in the place of `origin`, before it.
fn newest_before(trust: &Trust<Intl>, origin: &str) -> Option<String> {
    let names = trust.keys().map(|key| key.name().as_str());
    let before = names.filter(|name| {
        place(name) == place(origin) && period(name) < period(origin) && trust.log(name).is_some()
    });
    before.max_by_key(|name| period(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
