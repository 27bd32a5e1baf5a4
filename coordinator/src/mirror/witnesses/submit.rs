//! One checkpoint submitted to one witness: proof, answer, and what the answer is held against.

use std::sync::PoisonError;

use axum::body::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use lingqu_core::{Clock, Region};
use lingqu_tlog::{
    AddCheckpoint, Hash, NoteSignature, parse_cosignatures, parse_size, verify_cosignature,
};
use tonic::body::Body;
use tower::ServiceExt;

use super::Peer;
use crate::mirror::Mirror;

/// Largest answer of a witness, in bytes: it cosigns with a few keys at most.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How often a witness may say that it has another size before that is taken for a fault.
const ROUNDS_MAX: usize = 4;
/// Most that a witness's clock may differ from this one's, in seconds: the same as between node and coordinator.
const SKEW_MAX_S: u64 = 30;

/// A checkpoint to be cosigned.
#[derive(Clone, Debug)]
pub(super) struct Submission {
    pub(super) region: Region,
    pub(super) size: u64,
    pub(super) checkpoint: String,
    text: String,
}

impl Submission {
    /// The newest signed checkpoint of a region; nothing if there is none, or the region is closed.
    pub(super) fn newest(mirror: &Mirror, region: &Region) -> Option<Submission> {
        let state = mirror.shared.state();
        let log = state.logs.get(region).filter(|log| !log.closed)?;
        let (text, _) = log.checkpoint.split_once("\n\n")?;
        Some(Submission {
            region: region.clone(),
            size: log.size(),
            checkpoint: log.checkpoint.clone(),
            text: format!("{text}\n"),
        })
    }

    fn proof(&self, mirror: &Mirror, old: u64) -> Option<Vec<Hash>> {
        let state = mirror.shared.state();
        let log = state.logs.get(&self.region)?;
        log.consistency_proof(old, self.size)
    }
}

/// Why a witness's cosignature is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum SubmitFailed {
    /// The witness has cosigned more than this coordinator knows: one of the two lost something.
    #[error("it has cosigned size {size}, which is more than there is")]
    Ahead { size: u64 },
    /// What came is not an answer of this protocol.
    #[error("its answer is not one of a witness")]
    Answer,
    /// Its clock, or this one, is wrong.
    #[error("its time {time_unix_s} differs too much from this coordinator's")]
    Clock { time_unix_s: u64 },
    /// The witness finds that the head log does not extend what it cosigned.
    #[error("it finds that the head log contradicts what it cosigned")]
    Inconsistent,
    /// The witness says that it cosigned less than it has: it was restored from an older state.
    #[error("it has gone back to size {size}, though it cosigned more")]
    Regressed { size: u64 },
    /// The cosignature is wrong, or by another key.
    #[error("its cosignature is missing or does not verify")]
    Signature,
    /// Another status.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Its time is before one that it signed.
    #[error("its time has gone back")]
    TimeRegressed,
    /// No connection.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

impl SubmitFailed {
    /// Whether one of the two sides has lost or changed its past.
    pub(super) fn is_contradiction(&self) -> bool {
        match self {
            SubmitFailed::Ahead { .. } | SubmitFailed::Inconsistent => true,
            SubmitFailed::Answer
            | SubmitFailed::Clock { .. }
            | SubmitFailed::Regressed { .. }
            | SubmitFailed::Signature
            | SubmitFailed::Status(_)
            | SubmitFailed::TimeRegressed
            | SubmitFailed::Unreachable(_) => false,
        }
    }
}

/// Submits, going by the size that the witness says it has; its verified cosignature.
pub(super) async fn submit(
    peer: &Peer,
    mirror: &Mirror,
    submission: &Submission,
    clock: &dyn Clock,
) -> Result<NoteSignature, SubmitFailed> {
    let known = peer.last().get(&submission.region).copied();
    let mut old = known.map_or(0, |(size, _)| size);
    for _ in 0..ROUNDS_MAX {
        let request = AddCheckpoint {
            old_size: old,
            proof: submission
                .proof(mirror, old)
                .ok_or(SubmitFailed::Ahead { size: old })?,
            checkpoint: submission.checkpoint.clone(),
        };
        let (status, body) = post(peer, request.to_string()).await?;
        match status {
            200 => return accept(peer, submission, &body, clock),
            409 => {
                let size = parse_size(&body).ok_or(SubmitFailed::Answer)?;
                if size > submission.size {
                    return Err(SubmitFailed::Ahead { size });
                }
                // A witness that forgot what it cosigned could be made to cosign another history.
                if known.is_some_and(|(cosigned, _)| size < cosigned) {
                    return Err(SubmitFailed::Regressed { size });
                }
                old = size;
            }
            422 => return Err(SubmitFailed::Inconsistent),
            other => return Err(SubmitFailed::Status(other)),
        }
    }
    Err(SubmitFailed::Answer)
}

/// Holds an answer against the witness's key, this clock and the time that it signed last.
fn accept(
    peer: &Peer,
    submission: &Submission,
    body: &str,
    clock: &dyn Clock,
) -> Result<NoteSignature, SubmitFailed> {
    let lines = parse_cosignatures(body).ok_or(SubmitFailed::Answer)?;
    let is_by = |line: &NoteSignature| line.name == *peer.key.name() && line.id == peer.key.id();
    let line = lines
        .into_iter()
        .find(is_by)
        .ok_or(SubmitFailed::Signature)?;
    let time_unix_s = verify_cosignature(&submission.text, &peer.key, &line)
        .map_err(|_| SubmitFailed::Signature)?;
    let now = u64::try_from(clock.now().unix_s()).unwrap_or(0);
    if now.abs_diff(time_unix_s) > SKEW_MAX_S {
        return Err(SubmitFailed::Clock { time_unix_s });
    }
    let mut last = peer.last();
    let before = last.get(&submission.region).map_or(0, |(_, time)| *time);
    if time_unix_s < before {
        return Err(SubmitFailed::TimeRegressed);
    }
    last.insert(submission.region.clone(), (submission.size, time_unix_s));
    Ok(line)
}

async fn post(peer: &Peer, body: String) -> Result<(u16, String), SubmitFailed> {
    let request = Request::post("/add-checkpoint")
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Body::new(
            Full::new(Bytes::from(body)).map_err(|never| match never {}),
        ))
        .map_err(|_| SubmitFailed::Answer)?;
    let unreachable = |error: &dyn std::fmt::Display| SubmitFailed::Unreachable(error.to_string());
    let response = peer.channel.clone().oneshot(request).await;
    let response = response.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body
        .collect()
        .await
        .map_err(|_| SubmitFailed::Answer)?
        .to_bytes();
    let body = String::from_utf8(body.to_vec()).map_err(|_| SubmitFailed::Answer)?;
    Ok((status, body))
}

impl Peer {
    fn last(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<Region, (u64, u64)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
