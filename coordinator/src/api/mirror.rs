//! `lingqu.v1.Mirror`.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lingqu_core::ErrorCode;
use lingqu_proto::pb::mirror_server::Mirror as MirrorService;
use lingqu_proto::pb::{replicate_request, replicate_response};
use lingqu_proto::{head_shown_to_pb, note_signature_to_pb, pb};
use lingqu_transport::{code_of, status_of};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::grpc::{Answers, Services, malformed, node};
use crate::mirror::Mirror;
use crate::mirror::archive::Archive;
use crate::mirror::replicate::{Answer, Conflict, Said, converse};

#[tonic::async_trait]
impl MirrorService for Services {
    type ReplicateStream = Answers<pb::ReplicateResponse>;
    type EntriesStream = Answers<pb::EntriesResponse>;

    async fn replicate(
        &self,
        request: Request<Streaming<pb::ReplicateRequest>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        let owner = node(&request)?;
        let place = self.writers.take(owner.as_str()).map_err(status_of)?;
        let (registry, id) = (Arc::clone(&self.registry), owner.clone());
        let said = request.into_inner().map(move |message| {
            registry.contacts.heard(&id, registry.now());
            said(message)
        });
        let mirror = Arc::clone(&self.mirror);
        let answers = self.stream(answer, |sender| {
            Box::pin(async move {
                let _place = place;
                converse(mirror, owner.as_str(), said, sender).await;
                Ok(())
            })
        });
        Ok(Response::new(answers))
    }

    async fn entries(
        &self,
        request: Request<pb::EntriesRequest>,
    ) -> Result<Response<Self::EntriesStream>, Status> {
        let owner = node(&request)?;
        let pb::EntriesRequest { origin, first } = request.into_inner();
        let stream = self.mirror.shared.stream(&origin);
        if stream.is_none_or(|stream| stream.owner != owner.as_str()) {
            return Err(status_of(ErrorCode::CallerRoleForbidden));
        }
        let held = self.mirror.cosigned(&origin);
        let (size, checkpoint) = held.map_or_else(Default::default, |cosigned| {
            (cosigned.size, cosigned.note.to_string())
        });
        if first > size {
            return Err(malformed("first"));
        }
        let place = self.readers.take(owner.as_str()).map_err(status_of)?;
        let mirror = Arc::clone(&self.mirror);
        let answers = self.stream(
            |message| message,
            |sender| {
                Box::pin(async move {
                    let _place = place;
                    send_entries(mirror, origin, first, size, checkpoint, sender).await
                })
            },
        );
        Ok(Response::new(answers))
    }
}

/// Sends the entries `[first, size)` in messages of bounded size, the checkpoint with the last.
async fn send_entries(
    mirror: Arc<Mirror>,
    origin: String,
    mut first: u64,
    size: u64,
    checkpoint: String,
    sender: mpsc::Sender<Result<pb::EntriesResponse, ErrorCode>>,
) -> Result<(), ErrorCode> {
    let patience = Duration::from_secs(mirror.limits.push_timeout_s);
    loop {
        let mut entries = Vec::new();
        if first < size {
            let origin = origin.clone();
            let bytes_max = mirror.limits.chunk_bytes_max;
            let page = move |archive: &Archive| archive.entries(&origin, first, size, bytes_max);
            entries = match mirror.read(page).await {
                Ok(page) => page,
                Err(ErrorCode::StreamPruned) => {
                    return tell_dropped(first, checkpoint, &sender, patience).await;
                }
                Err(code) => return Err(code),
            };
        }
        let next = first + entries.len() as u64;
        let is_last = next == size;
        let message = pb::EntriesResponse {
            first,
            entries,
            checkpoint: if is_last {
                checkpoint.clone()
            } else {
                String::new()
            },
        };
        let sent = tokio::time::timeout(patience, sender.send(Ok(message))).await;
        let sent = sent.map_err(|_| ErrorCode::Overloaded)?;
        // Whoever hung up needs no more.
        if is_last || sent.is_err() {
            return Ok(());
        }
        first = next;
    }
}

/// What is left of a stream whose entries were dropped: its last checkpoint, with both signatures, and why there is no more.
async fn tell_dropped(
    first: u64,
    checkpoint: String,
    sender: &mpsc::Sender<Result<pb::EntriesResponse, ErrorCode>>,
    patience: Duration,
) -> Result<(), ErrorCode> {
    let message = pb::EntriesResponse {
        first,
        entries: Vec::new(),
        checkpoint,
    };
    // Whoever hung up needs neither.
    let _ = tokio::time::timeout(patience, sender.send(Ok(message))).await;
    Err(ErrorCode::StreamPruned)
}

fn said(message: Result<pb::ReplicateRequest, Status>) -> Result<Said, ErrorCode> {
    // A broken connection has no code of ours, and nobody is left to read one.
    let message =
        message.map_err(|status| code_of(&status).unwrap_or(ErrorCode::RequestInvalid))?;
    match message.message {
        Some(replicate_request::Message::Open(open)) => Ok(Said::Open {
            origin: open.origin,
            checkpoint: open.checkpoint,
            heads: open.heads.then_some(open.head_checkpoint),
        }),
        Some(replicate_request::Message::Batch(batch)) => Ok(Said::Batch {
            first: batch.first,
            entries: batch.entries,
            checkpoint: batch.checkpoint,
        }),
        None => Err(ErrorCode::RequestInvalid),
    }
}

fn answer(answer: Answer) -> pb::ReplicateResponse {
    let message = match answer {
        Answer::Resume {
            size,
            checkpoint,
            window,
        } => replicate_response::Message::Resume(pb::MirrorResume {
            size,
            checkpoint,
            window,
        }),
        Answer::Cosigned { size, cosignature } => {
            replicate_response::Message::Cosigned(pb::MirrorCosigned {
                size,
                cosignature: Some(note_signature_to_pb(&cosignature)),
            })
        }
        Answer::Headed(shown) => replicate_response::Message::Headed(head_shown_to_pb(shown)),
        Answer::Conflict {
            kind,
            size,
            checkpoint,
        } => replicate_response::Message::Conflict(pb::MirrorConflict {
            kind: conflict(kind).into(),
            size,
            checkpoint,
        }),
    };
    pb::ReplicateResponse {
        message: Some(message),
    }
}

fn conflict(kind: Conflict) -> pb::mirror_conflict::Kind {
    match kind {
        Conflict::BadBatch => pb::mirror_conflict::Kind::BadBatch,
        Conflict::BadSignature => pb::mirror_conflict::Kind::BadSignature,
        Conflict::Behind => pb::mirror_conflict::Kind::Behind,
        Conflict::Ended => pb::mirror_conflict::Kind::Ended,
        Conflict::Fork => pb::mirror_conflict::Kind::Fork,
        Conflict::NotYours => pb::mirror_conflict::Kind::NotYours,
        Conflict::Superseded => pb::mirror_conflict::Kind::Superseded,
    }
}
