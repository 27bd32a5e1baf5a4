//! The conversation in which a node replicates its stream: open, resume, batches within a window, conflicts.
//!
//! Answers leave in the order of the batches. A newer conversation about the same stream takes it over: batches of the
//! older one are refused from that moment on, in the same step that would have appended them. Nothing here knows the
//! wire; `api/mirror.rs` translates.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream as AsyncStream;
use futures::stream::{FuturesOrdered, StreamExt};
use lingqu_core::ErrorCode;
use lingqu_core::head::HeadShown;
use lingqu_core::receipt::Receipt;
use lingqu_core::succession::ShownEnd;
use lingqu_proto::EndRefused;
use lingqu_tlog::NoteSignature;
use tokio::sync::{mpsc, oneshot, watch};

use super::Mirror;
use super::archive::Archive;
use super::headed::Heads;
use super::store::{Refusal, Refused};
use super::streams::{
    BatchRefused, Cosigned, Stream, TakeRefused, Verified, signed_checkpoint, verify,
};

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Which stream, and its newest checkpoint; empty when it has no entry.
    Open {
        origin: String,
        checkpoint: String,
        /// The checkpoint of the head log that it accepted last, empty if none; nothing if it asks for no heads.
        heads: Option<String>,
    },
    Batch {
        first: u64,
        entries: Vec<Vec<u8>>,
        checkpoint: String,
    },
}

/// What the mirror answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Resume {
        size: u64,
        checkpoint: String,
        window: u32,
    },
    Cosigned {
        size: u64,
        cosignature: NoteSignature,
    },
    /// Where the stream stands in its region's head log. Answers nothing that was said.
    Headed(HeadShown),
    /// The conversation ends after it.
    Conflict {
        kind: Conflict,
        size: u64,
        checkpoint: String,
    },
}

/// The kinds of `lingqu.v1.MirrorConflict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    BadBatch,
    BadSignature,
    Behind,
    Ended,
    Fork,
    NotYours,
    Superseded,
}

/// How a conversation ends that does not end well.
enum End {
    Conflict(Conflict),
    /// Answered as the status of the call.
    Code(ErrorCode),
    /// Nobody listens any more.
    Gone,
}

impl From<BatchRefused> for End {
    fn from(refused: BatchRefused) -> End {
        End::Conflict(match refused {
            BatchRefused::BadSignature => Conflict::BadSignature,
            BatchRefused::Malformed | BatchRefused::Succession => Conflict::BadBatch,
            BatchRefused::OtherStream => Conflict::NotYours,
        })
    }
}

impl From<ErrorCode> for End {
    fn from(code: ErrorCode) -> End {
        End::Code(code)
    }
}

type Answers = mpsc::Sender<Result<Answer, ErrorCode>>;

/// Holds the conversation with the node `owner` until either side ends it.
pub(crate) async fn converse(
    mirror: Arc<Mirror>,
    owner: &str,
    mut said: impl AsyncStream<Item = Result<Said, ErrorCode>> + Unpin,
    answers: Answers,
) {
    let Some(Ok(Said::Open {
        origin,
        checkpoint,
        heads,
    })) = said.next().await
    else {
        let _ = answers.send(Err(ErrorCode::RequestInvalid)).await;
        return;
    };
    let stream = mirror
        .shared
        .stream(&origin)
        .filter(|stream| stream.owner == owner);
    let Some(stream) = stream else {
        let conflict = Answer::Conflict {
            kind: Conflict::NotYours,
            size: 0,
            checkpoint: String::new(),
        };
        let _ = answers.send(Ok(conflict)).await;
        return;
    };
    let conversation = Conversation {
        mirror,
        stream,
        answers,
    };
    let opened = Opened { checkpoint, heads };
    let Err(end) = conversation.hold(&opened, said).await else {
        return;
    };
    match end {
        End::Conflict(kind) => {
            tracing::warn!(%origin, ?kind, "replication ended in a conflict");
            let (size, checkpoint) = conversation.held();
            let _ = conversation
                .say(Answer::Conflict {
                    kind,
                    size,
                    checkpoint,
                })
                .await;
        }
        End::Code(code) => {
            let _ = conversation.answers.send(Err(code)).await;
        }
        End::Gone => {}
    }
}

/// What a conversation was opened with, besides the stream.
struct Opened {
    checkpoint: String,
    heads: Option<String>,
}

struct Conversation {
    mirror: Arc<Mirror>,
    stream: Arc<Stream>,
    answers: Answers,
}

impl Conversation {
    async fn hold(
        &self,
        opened: &Opened,
        mut said: impl AsyncStream<Item = Result<Said, ErrorCode>> + Unpin,
    ) -> Result<(), End> {
        let (writer, mut superseded) = self.open(&opened.checkpoint).await?;
        let mut heads = self.heads(opened);
        self.tell(&mut heads).await?;
        let window = self.mirror.limits.window as usize;
        let mut unanswered = FuturesOrdered::new();
        loop {
            tokio::select! {
                biased;
                _ = superseded.changed() => return Err(End::Conflict(Conflict::Superseded)),
                Some(outcome) = unanswered.next() => self.answer(outcome).await?,
                () = published(&mut heads) => self.tell(&mut heads).await?,
                next = said.next(), if unanswered.len() < window => match next {
                    // The node has said all; what it said is still answered.
                    None => break,
                    Some(Ok(Said::Batch { first, entries, checkpoint })) => {
                        let batch = self.check(first, entries, &checkpoint);
                        let batch = match batch {
                            Ok(batch) => batch,
                            Err(end) => {
                                if let End::Conflict(kind) = &end {
                                    // Signed by the node: with its entries, evidence of what it tried.
                                    tracing::warn!(origin = self.stream.origin, ?kind, first, %checkpoint, "a batch is refused");
                                }
                                // Answers keep the order of the batches, a refusal included.
                                self.answer_all(&mut unanswered).await?;
                                return Err(end);
                            }
                        };
                        let stream = Arc::clone(&self.stream);
                        let outcome = self.mirror.submit(stream, batch, writer).await;
                        unanswered.push_back(outcome?);
                    }
                    Some(Ok(Said::Open { .. })) => return Err(End::Code(ErrorCode::RequestInvalid)),
                    Some(Err(code)) => return Err(End::Code(code)),
                },
            }
        }
        self.answer_all(&mut unanswered).await
    }

    /// Compares the node's newest checkpoint with what is held, takes the stream over and says where to resume.
    async fn open(&self, checkpoint: &str) -> Result<(u64, watch::Receiver<u64>), End> {
        let (writer, superseded) = self.mirror.shared.take_over(&self.stream.origin);
        // Behind this tick, everything that an earlier writer had queued is durable or refused, so that the size below
        // stays true until this writer changes it.
        self.mirror.tick().await?;
        if !checkpoint.is_empty() {
            let (claimed, _) = signed_checkpoint(&self.stream, checkpoint)?;
            if self
                .stored_checkpoint(claimed.size)
                .await?
                .is_some_and(|text| text != claimed.to_text())
            {
                return Err(End::Conflict(Conflict::Fork));
            }
        }
        let (size, checkpoint) = self.held();
        let window = self.mirror.limits.window;
        self.say(Answer::Resume {
            size,
            checkpoint,
            window,
        })
        .await?;
        Ok((writer, superseded))
    }

    /// What the node is to be told of the head log; nothing if it did not ask.
    fn heads(&self, opened: &Opened) -> Option<Heads> {
        let accepted = opened.heads.as_deref()?;
        Heads::new(&self.mirror, &self.stream, accepted)
    }

    /// Tells the node of its newest head, if it does not know it.
    async fn tell(&self, heads: &mut Option<Heads>) -> Result<(), End> {
        let Some(heads) = heads else {
            return Ok(());
        };
        match heads.newest().await? {
            Some(shown) => self.say(Answer::Headed(shown)).await,
            None => Ok(()),
        }
    }

    fn check(
        &self,
        first: u64,
        entries: Vec<Vec<u8>>,
        checkpoint: &str,
    ) -> Result<Box<Verified>, End> {
        let limits = &self.mirror.limits;
        let bytes: usize = entries.iter().map(Vec::len).sum();
        if entries.len() > limits.batch_entries_max || bytes > limits.batch_bytes_max {
            return Err(End::Code(ErrorCode::RequestInvalid));
        }
        let batch = verify(&self.stream, first, entries, checkpoint)?;
        Ok(Box::new(batch))
    }

    async fn answer_all(&self, unanswered: &mut FuturesOrdered<Outcome>) -> Result<(), End> {
        while let Some(outcome) = unanswered.next().await {
            self.answer(outcome).await?;
        }
        Ok(())
    }

    async fn answer(
        &self,
        outcome: Result<Result<Cosigned, Refused>, oneshot::error::RecvError>,
    ) -> Result<(), End> {
        // The log ends before the conversation only when it can no longer be written, or at shutdown.
        let outcome = outcome.map_err(|_| End::Code(ErrorCode::AuditUnavailable))?;
        let cosigned = match outcome {
            Ok(cosigned) => cosigned,
            Err(Refused { batch, refusal }) => match refusal {
                Refusal::Superseded => return Err(End::Conflict(Conflict::Superseded)),
                Refusal::Take(TakeRefused::Gap) => return Err(End::Conflict(Conflict::Behind)),
                Refusal::Take(TakeRefused::Contradiction | TakeRefused::Course) => {
                    return Err(End::Conflict(Conflict::BadBatch));
                }
                Refusal::Take(TakeRefused::End(refused, shown)) => {
                    self.keep_end(refused, *shown).await;
                    return Err(End::Conflict(Conflict::BadBatch));
                }
                Refusal::Take(TakeRefused::Ended) => return Err(End::Conflict(Conflict::Ended)),
                Refusal::Take(TakeRefused::Overlap) => self.repeated(batch).await?,
            },
        };
        self.say(Answer::Cosigned {
            size: cosigned.size,
            cosignature: cosigned.cosignature,
        })
        .await
    }

    /// Keeps an end that the node signed and that may not be.
    async fn keep_end(&self, refused: EndRefused, shown: Receipt) {
        let origin = &self.stream.origin;
        tracing::error!(origin, %refused, "a node signed an end of its stream that may not be");
        let evidence = self.mirror.evidence.clone();
        let keeping = move || evidence.keep_end(&ShownEnd(shown));
        match self.mirror.tasks.spawn_blocking(keeping).await {
            Ok(Ok(Some(path))) => tracing::error!(evidence = %path.display(), "evidence is kept"),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(%error, "evidence against a node cannot be kept"),
            Err(error) => tracing::error!(%error, "the task that keeps evidence failed"),
        }
    }

    /// A batch that begins below what is held. If it only repeats that, the cosignature is given again.
    ///
    /// A repeat whose end is not the end of a stored batch has a checkpoint that nothing here can be compared with, and
    /// one that reaches beyond has entries that are not taken piecemeal: both are BEHIND, and the node resumes.
    async fn repeated(&self, batch: Box<Verified>) -> Result<Cosigned, End> {
        let cosigned = self.mirror.cosigned(&self.stream.origin);
        let cosigned = cosigned.ok_or(End::Conflict(Conflict::Behind))?;
        let end = batch.end().min(cosigned.size);
        if !self.repeats(&batch, end).await? {
            return Err(End::Conflict(Conflict::Fork));
        }
        if batch.end() > cosigned.size {
            return Err(End::Conflict(Conflict::Behind));
        }
        match self.stored_checkpoint(batch.end()).await? {
            Some(text) if text == batch.checkpoint.to_text() => Ok(cosigned),
            Some(_) => Err(End::Conflict(Conflict::Fork)),
            None => Err(End::Conflict(Conflict::Behind)),
        }
    }

    /// Whether the batch's entries below `end` are those that are stored.
    async fn repeats(&self, batch: &Verified, end: u64) -> Result<bool, End> {
        let mut next = batch.first;
        let mut entries = batch.entries.iter();
        while next < end {
            let origin = self.stream.origin.clone();
            let bytes_max = self.mirror.limits.chunk_bytes_max;
            let page = move |archive: &Archive| archive.entries(&origin, next, end, bytes_max);
            let stored = self.mirror.read(page).await?;
            next += stored.len() as u64;
            if !stored.iter().all(|stored| entries.next() == Some(stored)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The text of the stream's checkpoint of this size, if a batch ended there.
    async fn stored_checkpoint(&self, size: u64) -> Result<Option<String>, End> {
        let origin = self.stream.origin.clone();
        let note = self
            .mirror
            .read(move |archive| archive.checkpoint(&origin, size));
        let note = note.await?;
        Ok(note.and_then(|note| Some(lingqu_tlog::Note::parse(note).ok()?.text)))
    }

    fn held(&self) -> (u64, String) {
        let cosigned = self.mirror.cosigned(&self.stream.origin);
        cosigned.map_or_else(Default::default, |cosigned| {
            (cosigned.size, cosigned.note.to_string())
        })
    }

    /// Says something, unless the node has stopped listening.
    async fn say(&self, answer: Answer) -> Result<(), End> {
        let patience = Duration::from_secs(self.mirror.limits.push_timeout_s);
        match tokio::time::timeout(patience, self.answers.send(Ok(answer))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// Waits for another published checkpoint; for ever when nobody asked for any.
async fn published(heads: &mut Option<Heads>) {
    match heads {
        Some(heads) => heads.changed().await,
        None => std::future::pending().await,
    }
}

type Outcome = oneshot::Receiver<Result<Cosigned, Refused>>;

#[cfg(test)]
mod tests;
