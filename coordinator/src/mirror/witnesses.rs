//! Witnesses (C2SP tlog-witness) of the head logs: others that cosign a head log only if it never takes anything back.
//!
//! Each region's newest signed checkpoint is submitted to every witness at once, with the proof that it extends what that
//! witness cosigned last. When enough of them have cosigned, as the policy says, the checkpoint is published to the
//! followers with the cosignatures. A witness that is away must not stop supervision at once: after the configured
//! patience the checkpoint is published without, unless the policy is required; those who ask for the quorum refuse it.
//! A witness that knows of more than this coordinator, or of something else, ends the publishing of that region: one of
//! the two has lost or changed its past, and a person must look.

mod submit;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lingqu_core::{Clock, Region};
use lingqu_tlog::{Intl, Note, NoteSignature, Policy, VerifierKey};
use lingqu_transport::{ClientTls, PeerId, ReloadableTls, connect_lazy};
use tonic::transport::{Channel, Endpoint};

use self::submit::{Submission, SubmitFailed, submit};
use super::Mirror;
use crate::config::WitnessConfig;

/// Pause before a region is tried again that was not cosigned by enough.
const RETRY: Duration = Duration::from_secs(1);

/// The witnesses, and what each cosigned last.
pub(crate) struct Witnesses {
    policy: Policy<Intl>,
    peers: Vec<Peer>,
    patience: Duration,
    required: bool,
    clock: Arc<dyn Clock>,
}

/// One witness.
pub(super) struct Peer {
    pub(super) key: VerifierKey<Intl>,
    pub(super) channel: Channel,
    /// By region: the size and time of its last cosignature.
    pub(super) last: Mutex<BTreeMap<Region, (u64, u64)>>,
}

/// A checkpoint that followers may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The heads that it covers.
    pub(crate) size: u64,
    /// The signed checkpoint, with cosignatures.
    pub(crate) checkpoint: String,
    /// Whether enough witnesses have cosigned it; if not, it is submitted again.
    pub(crate) is_complete: bool,
}

impl Witnesses {
    /// Reads the policy and prepares a connection to each witness; none is dialled yet.
    ///
    /// # Errors
    /// What is wrong with the policy or an address, in words.
    pub(crate) fn load(
        config: &WitnessConfig,
        tls: &Arc<ReloadableTls>,
        clock: Arc<dyn Clock>,
    ) -> Result<Witnesses, String> {
        let path = &config.policy;
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
        let policy: Policy<Intl> =
            Policy::parse(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let tls = ClientTls::new(Arc::clone(tls));
        let peers = policy.witnesses().iter().map(|witness| {
            let url = witness.url.as_deref();
            let url = url.ok_or_else(|| format!("witness `{}` has no url", witness.name))?;
            Ok(Peer {
                key: witness.key.clone(),
                channel: channel(&witness.name, url, config, &tls)?,
                last: Mutex::default(),
            })
        });
        let peers = peers.collect::<Result<Vec<_>, String>>()?;
        if peers.is_empty() || !policy.logs().is_empty() {
            let path = path.display();
            return Err(format!("`{path}` must name witnesses, and no log"));
        }
        Ok(Witnesses {
            peers,
            policy,
            patience: Duration::from_millis(config.patience_ms),
            required: config.required,
            clock,
        })
    }

    /// The witnesses' part of a trust file for head logs.
    pub(crate) fn policy_text(config: &WitnessConfig) -> Option<String> {
        std::fs::read_to_string(&config.policy).ok()
    }

    /// Has every new checkpoint cosigned and publishes it, for ever.
    pub(crate) async fn gather(&self, mirror: &Mirror) {
        let mut changes = mirror.shared.changes();
        loop {
            // Seen before the state is read, so that a change in between wakes us again.
            changes.mark_unchanged();
            let open = unpublished(mirror);
            let rounds = open.into_iter().map(|region| self.publish(mirror, region));
            let done = futures::future::join_all(rounds).await;
            if done.into_iter().all(|done| done) {
                if changes.changed().await.is_err() {
                    return;
                }
            } else {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Has the newest checkpoint of one region cosigned and publishes it; whether that is done, or can never be.
    async fn publish(&self, mirror: &Mirror, region: Region) -> bool {
        let Some(submission) = Submission::newest(mirror, &region) else {
            return true;
        };
        let (lines, refused) = self.cosignatures(mirror, &submission).await;
        if let Some(refused) = refused {
            tracing::error!(%region, witness = %refused.0, reason = %refused.1,
                "a witness contradicts this coordinator's head log; the region is not published any more");
            mirror.shared.state_mut().close(&region);
            return true;
        }
        let Ok(mut note) = Note::parse(&submission.checkpoint) else {
            return true;
        };
        note.signatures.extend(lines);
        let is_met = self.policy.cosigned(&note).is_ok();
        if !is_met {
            tracing::warn!(%region, size = submission.size, "not enough witnesses have cosigned the head log");
        }
        if is_met || !self.required {
            let published = Published {
                size: submission.size,
                checkpoint: note.to_string(),
                is_complete: is_met,
            };
            mirror.shared.state_mut().publish(&region, published);
            mirror.shared.announce();
            mirror.shared.announce_published();
        }
        is_met
    }

    /// The cosignatures that came in time, until they are enough; or the witness that contradicts, and how.
    async fn cosignatures(
        &self,
        mirror: &Mirror,
        submission: &Submission,
    ) -> (
        Vec<NoteSignature>,
        Option<(VerifierKey<Intl>, SubmitFailed)>,
    ) {
        let mut asked: FuturesUnordered<_> = self
            .peers
            .iter()
            .map(|peer| async move {
                (
                    peer,
                    submit(peer, mirror, submission, self.clock.as_ref()).await,
                )
            })
            .collect();
        let mut lines = Vec::new();
        let deadline = tokio::time::sleep(self.patience);
        tokio::pin!(deadline);
        loop {
            let answered = tokio::select! {
                () = &mut deadline => return (lines, None),
                answered = asked.next() => answered,
            };
            match answered {
                None => return (lines, None),
                Some((_, Ok(line))) => {
                    lines.push(line);
                    if self.is_enough(&submission.checkpoint, &lines) {
                        return (lines, None);
                    }
                }
                Some((peer, Err(failed))) if failed.is_contradiction() => {
                    return (lines, Some((peer.key.clone(), failed)));
                }
                Some((peer, Err(failed))) => {
                    tracing::warn!(witness = %peer.key.name(), reason = %failed, "a witness did not cosign");
                }
            }
        }
    }

    fn is_enough(&self, checkpoint: &str, lines: &[NoteSignature]) -> bool {
        let note = Note::parse(checkpoint).map(|mut note| {
            note.signatures.extend(lines.iter().cloned());
            note
        });
        self.policy.has_quorum() && note.is_ok_and(|note| self.policy.cosigned(&note).is_ok())
    }
}

/// The regions whose newest checkpoint is not published.
fn unpublished(mirror: &Mirror) -> Vec<Region> {
    let state = mirror.shared.state();
    let open = state.logs.values().filter(|log| {
        let is_done = |one: &Published| one.is_complete && one.size == log.size();
        !log.closed && log.size() > 0 && !log.published.as_ref().is_some_and(is_done)
    });
    open.map(|log| log.region.clone()).collect()
}

/// The connection to one witness: mutual TLS to whoever the configuration names, or plain HTTP on this machine.
fn channel(
    name: &str,
    url: &str,
    config: &WitnessConfig,
    tls: &ClientTls,
) -> Result<Channel, String> {
    let refused = |why: &dyn std::fmt::Display| format!("witness `{name}`: {why}");
    if url.starts_with("https://") {
        let id = config.ids.get(name);
        let id =
            id.ok_or_else(|| refused(&"`witnesses.ids` does not say whose certificate it has"))?;
        let id: PeerId = id.parse().map_err(|_| refused(&"its id is malformed"))?;
        return connect_lazy(url, tls, id).map_err(|error| refused(&error));
    }
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| refused(&error))?;
    let host = endpoint.uri().host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = address
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if !is_loopback || endpoint.uri().scheme_str() != Some("http") {
        return Err(refused(&"plain http is for loopback addresses only"));
    }
    Ok(endpoint
        .connect_timeout(lingqu_transport::client::CONNECT_TIMEOUT)
        .connect_lazy())
}

#[cfg(test)]
mod tests;
