//! What a coordinator lost of the streams before this one, given back to it.
//!
//! A coordinator that was restored to a state from before a stream's end does not know the stream that follows, and answers
//! `NOT_YOURS`: it can only come to know it by that end. The journals of past streams have every frame with the signature
//! that it was written with, so they are replicated again, the oldest that is lacking first, and then this stream goes on.
//! Nothing is signed and nothing new is said: what the mirror has already, it compares.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use lingqu_core::record::RecordView;
use lingqu_core::succession::{StreamBegin, Succession, period, proven_end};
use lingqu_journal::{Batch, FileStore, past_batches};
use lingqu_proto::pb;
use lingqu_proto::pb::mirror_conflict::Kind;
use lingqu_proto::pb::replicate_request::Message as ToMirror;
use lingqu_proto::pb::replicate_response::Message as FromMirror;
use lingqu_tlog::{Intl, VerifierKey};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::mirror_client;
use super::replicate::{Ended, next, send};
use crate::Node;
use crate::succession::PAST;

/// Batches that are read ahead of what was sent.
const AHEAD_MAX: usize = 4;
/// Most batches that are unanswered, however large a window the mirror gives.
const WINDOW_MAX: u32 = 16;

/// A stream of this node that has ended.
struct Past {
    key: VerifierKey<Intl>,
    /// Its number of records.
    size: u64,
}

impl Past {
    /// The stream before the one that begins so.
    fn before(begin: &StreamBegin) -> Option<Past> {
        Some(Past {
            key: begin.previous_key.parse().ok()?,
            size: proven_end(begin).ok()?.checkpoint.size,
        })
    }

    fn origin(&self) -> &str {
        self.key.name().as_str()
    }

    fn dir(&self, node: &Node) -> PathBuf {
        let past = node.config.data_dir.join(PAST);
        past.join(period(self.origin()))
    }
}

/// How the mirror stands to a past stream.
enum Offered {
    /// It has all of it.
    Complete,
    /// It does not know the stream.
    Unknown,
}

/// Gives the mirror back what it lacks of the streams before this one, after it has said that it does not know this one.
///
/// # Errors
/// [`Ended::Away`] with the reason if this stream follows none, the mirror lacks nothing of those before, or a journal
/// is not here any more.
pub(super) async fn give_back(node: &Arc<Node>, channel: &Channel) -> Result<(), Ended> {
    let away = |reason: &str| Ended::Away(reason.to_owned());
    let begin = node.begins().map_err(Ended::Away)?;
    let mut lacking: Vec<Past> = Vec::new();
    let mut past = begin.as_ref().and_then(Past::before);
    loop {
        let Some(known) = past else {
            return Err(away("the mirror refused with NOT_YOURS"));
        };
        match offer(node, channel, &known).await? {
            Offered::Complete => break,
            Offered::Unknown => {
                past = first_record(node, &known).await?;
                lacking.push(known);
            }
        }
    }
    while let Some(known) = lacking.pop() {
        if let Offered::Unknown = offer(node, channel, &known).await? {
            return Err(away(
                "the mirror does not know the stream that follows an end",
            ));
        }
    }
    Ok(())
}

/// The stream before a past one, as its first record says.
async fn first_record(node: &Arc<Node>, past: &Past) -> Result<Option<Past>, Ended> {
    let mut batches = read(node, past, 0);
    let batch = batches.recv().await;
    let entry = batch.and_then(|batch| batch.entries.into_iter().next());
    let entry = entry.ok_or_else(|| gone(past))?;
    let view = RecordView::read::<Intl>(&entry).map_err(|_| gone(past))?;
    Ok(match Succession::of(&view) {
        Ok(Some(Succession::Begin(begin))) => Past::before(&begin),
        Ok(_) | Err(_) => None,
    })
}

fn gone(past: &Past) -> Ended {
    Ended::Away(format!(
        "the mirror lacks `{}`, whose journal is not here any more or cannot be read",
        past.origin()
    ))
}

/// Replicates a past stream from what the mirror has of it.
async fn offer(node: &Arc<Node>, channel: &Channel, past: &Past) -> Result<Offered, Ended> {
    let (requests, stream) = mpsc::channel(AHEAD_MAX);
    let open = pb::MirrorOpen {
        origin: past.origin().to_owned(),
        checkpoint: String::new(),
        heads: false,
        head_checkpoint: String::new(),
    };
    send(&requests, ToMirror::Open(open)).await?;
    let mut client = mirror_client(channel.clone());
    let mut responses = client
        .replicate(ReceiverStream::new(stream))
        .await?
        .into_inner();
    let resume = match next(&mut responses).await? {
        FromMirror::Resume(resume) => resume,
        FromMirror::Conflict(conflict) if conflict.kind() == Kind::NotYours => {
            return Ok(Offered::Unknown);
        }
        FromMirror::Conflict(conflict) => return Err(refused(past, &conflict)),
        FromMirror::Cosigned(_) | FromMirror::Headed(_) => return Err(out_of_order()),
    };
    if resume.size > past.size {
        // Signed with this node's key after its end: for a person to look at, and none of this stream's business.
        tracing::error!(
            origin = past.origin(),
            size = resume.size,
            "the mirror has records behind the end of a past stream"
        );
    }
    if resume.size >= past.size {
        return Ok(Offered::Complete);
    }
    tracing::warn!(
        origin = past.origin(),
        from = resume.size,
        to = past.size,
        "the mirror lost the end of a stream; it gets it again"
    );
    let batches = read(node, past, resume.size);
    pump(past, resume.window, batches, (requests, &mut responses)).await?;
    Ok(Offered::Complete)
}

/// Reads the batches of a past stream in a thread of its own.
fn read(node: &Arc<Node>, past: &Past, from: u64) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(AHEAD_MAX);
    let (key, dir) = (past.key.clone(), past.dir(node));
    let (limits, keys) = (node.config.limits.journal(), node.state.keys());
    node.blocking.spawn_blocking(move || {
        // A directory that is not there would be made.
        if !dir.exists() {
            return;
        }
        let told = |batch| match sender.blocking_send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let read = match FileStore::open(&dir) {
            Ok(store) => past_batches(&key, Arc::new(store), &limits, keys, from, told)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = read {
            tracing::error!(error, origin = %key.name(), "a past stream cannot be read back");
        }
    });
    receiver
}

type Conversation<'a> = (
    mpsc::Sender<pb::ReplicateRequest>,
    &'a mut Streaming<pb::ReplicateResponse>,
);

/// Sends what is read, and waits until the mirror has cosigned the last of it.
async fn pump(
    past: &Past,
    window: u32,
    mut batches: mpsc::Receiver<Batch>,
    (requests, responses): Conversation<'_>,
) -> Result<(), Ended> {
    let window = window.clamp(1, WINDOW_MAX);
    let (mut unanswered, mut is_read, mut cosigned) = (0, false, 0);
    while cosigned < past.size {
        if is_read && unanswered == 0 {
            return Err(gone(past));
        }
        tokio::select! {
            response = next(responses), if unanswered > 0 => match response? {
                FromMirror::Cosigned(one) => {
                    cosigned = one.size;
                    unanswered = u32::saturating_sub(unanswered, 1);
                }
                FromMirror::Conflict(conflict) => return Err(refused(past, &conflict)),
                FromMirror::Headed(_) | FromMirror::Resume(_) => return Err(out_of_order()),
            },
            batch = batches.recv(), if !is_read && unanswered < window => match batch {
                None => is_read = true,
                Some(batch) => {
                    let batch = pb::MirrorBatch {
                        first: batch.first,
                        entries: batch.entries,
                        checkpoint: batch.checkpoint,
                    };
                    send(&requests, ToMirror::Batch(batch)).await?;
                    unanswered += 1;
                }
            },
        }
    }
    Ok(())
}

fn refused(past: &Past, conflict: &pb::MirrorConflict) -> Ended {
    let (origin, kind) = (past.origin(), conflict.kind().as_str_name());
    // Two histories of a past stream are for a person to look at; what is written now has nothing to do with them.
    tracing::error!(
        origin,
        kind,
        "the mirror refuses what it lacks of a past stream"
    );
    Ended::Away(format!("the mirror refused `{origin}` with {kind}"))
}

fn out_of_order() -> Ended {
    Ended::Away("an answer out of order".to_owned())
}
