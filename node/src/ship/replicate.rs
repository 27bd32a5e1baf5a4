//! Journal → mirrors, one conversation each. The journal is compared with them before anything is signed; then batches
//! flow, a bounded number unanswered, and each cosignature that comes back is verified before it counts.

use std::sync::Arc;
use std::time::Duration;

use lingqu_core::record::{Clear, Draft, Field, Kind, RECORD_LEN_MAX};
use lingqu_core::{ErrorCode, PartyId};
use lingqu_journal::{ReconcileRefused, Reconciled};
use lingqu_proto::pb::mirror_conflict::Kind as ConflictKind;
use lingqu_proto::pb::replicate_request::Message as ToMirror;
use lingqu_proto::pb::replicate_response::Message as FromMirror;
use lingqu_proto::{head_shown_from_pb, note_signature_from_pb, pb};
use lingqu_transport::ClientTls;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::{Pause, dial, mirror_client, past};
use crate::config::MirrorAddress;
use crate::{Node, TakeHeadFailed};

/// Largest window that is believed, in batches.
const WINDOW_MAX: u32 = 64;
/// Most entries taken over from the mirror at once.
const ADOPTED_ENTRIES_MAX: usize = 10_000_000;
/// Entries that the mirror may have more than it has just shown: another process may still be writing.
const ENTRIES_SINCE_MAX: usize = 65_536;
/// Longest wait for the next entries.
const CHUNK_WAIT: Duration = Duration::from_secs(60);

/// Why one connection to the mirror ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// Try again later.
    #[error("{0}")]
    Away(String),
    /// Journal and mirror contradict each other: this node answers nothing more until a person has looked.
    #[error("journal and mirror contradict each other: {0}")]
    Contradiction(String),
}

impl From<tonic::Status> for Ended {
    fn from(status: tonic::Status) -> Self {
        Ended::Away(status.to_string())
    }
}

/// One mirror, as the node converses with it.
struct Peer {
    node: Arc<Node>,
    mirror: MirrorAddress,
}

/// Replicates to one mirror for ever; connects again whenever the stream ends, except after a contradiction.
pub(crate) async fn run(node: Arc<Node>, mirror: MirrorAddress, tls: ClientTls) {
    let mut pause = Pause::new();
    let (place, id) = (mirror.place, mirror.at.id.clone());
    let peer = Peer { node, mirror };
    loop {
        let ended = replicate(&peer, &tls, &mut pause).await;
        peer.node.journal.set_mirror_connected(place, false);
        match ended {
            Err(Ended::Away(reason)) => {
                tracing::warn!(%id, %reason, "the mirror is away");
                if peer.node.journal.mirror_was_away(place) {
                    // The others are enough, as far as they were heard.
                    if let Err(error) = peer.node.open_for_records().await {
                        tracing::warn!(%error, "the journal cannot be opened for records");
                    }
                }
            }
            Err(Ended::Contradiction(reason)) => {
                peer.node.contradict();
                tracing::error!(%id, %reason, "journal and mirror contradict each other: no more answers");
                return;
            }
            Ok(()) => {}
        }
        pause.wait().await;
    }
}

async fn replicate(peer: &Peer, tls: &ClientTls, pause: &mut Pause) -> Result<(), Ended> {
    let (node, place) = (&peer.node, peer.mirror.place);
    let channel = dial(&peer.mirror.at, tls).await.map_err(Ended::Away)?;
    let (requests, stream) = mpsc::channel(usize::try_from(WINDOW_MAX).expect("64 fits"));
    let open = pb::MirrorOpen {
        origin: node.journal.origin().to_owned(),
        checkpoint: node.journal.checkpoint().unwrap_or_default(),
        heads: peer.shows_heads() && node.config.trust.head_key.is_some(),
        head_checkpoint: node.journal.accepted_head().unwrap_or_default(),
    };
    send(&requests, ToMirror::Open(open)).await?;
    let mut client = mirror_client(channel.clone());
    let mut responses = client
        .replicate(ReceiverStream::new(stream))
        .await?
        .into_inner();
    let resume = match next(&mut responses).await? {
        FromMirror::Resume(resume) => resume,
        FromMirror::Conflict(conflict) if conflict.kind() == ConflictKind::NotYours => {
            past::give_back(node, &channel).await?;
            return Err(Ended::Away(
                "the mirror has the end of the stream before again".to_owned(),
            ));
        }
        FromMirror::Conflict(conflict) => return Err(conflict_ends(peer, &conflict).await),
        FromMirror::Cosigned(_) | FromMirror::Headed(_) => {
            return Err(Ended::Away("an answer out of order".to_owned()));
        }
    };
    // Connected once it has what there is now: while it catches up, no call could be answered in time.
    let near = node.journal.size();
    reconcile(peer, channel, &resume).await?;
    pause.reset();
    // With something to send, the mirror is there once it has cosigned it: only then is it known that it does, and how
    // far its clock is from ours. No call under `Mirrored` terms is begun before.
    let from = begin(peer, &resume);
    if from == node.journal.size() {
        node.journal.set_mirror_connected(place, true);
    }
    let course = Course {
        window: resume.window.clamp(1, WINDOW_MAX),
        from,
        near,
    };
    pump(peer, course, requests, responses).await
}

impl Node {
    /// Does what comes first once the journal was compared with enough mirrors: takes over what the stream before left, and
    /// puts the start of this run on record. One mirror's task at a time.
    async fn open_for_records(self: &Arc<Node>) -> Result<(), Ended> {
        let mut started = self.starting.lock().await;
        if self.is_contradicted() {
            return Err(Ended::Away("another mirror contradicts".to_owned()));
        }
        self.unmark_lost();
        begin_stream(self).await?;
        if !*started && !self.journal.has_ended() {
            self.journal
                .append(node_start(&self.config.unit))
                .await
                .map_err(|error| Ended::Away(error.to_string()))?;
            *started = true;
        }
        self.record_pending().await;
        Ok(())
    }
}

/// Takes over what the stream before left, where this one follows another, and what follows from that.
async fn begin_stream(node: &Arc<Node>) -> Result<(), Ended> {
    if !node.journal.awaits_beginning() {
        return Ok(());
    }
    let beginning = Arc::clone(node);
    // It waits for the disk: not on a thread that others wait for.
    let begun = node
        .blocking
        .spawn_blocking(move || beginning.begin_stream());
    begun
        .await
        .map_err(|_| Ended::Away("beginning the stream was interrupted".to_owned()))?
        .map_err(Ended::Away)?;
    heed_what_came_back(node)
}

/// Where replication begins. A mirror that was restored from a backup has less than it once cosigned: it gets again what
/// it lacks. It is never believed to have more than what its cosignatures show.
fn begin(peer: &Peer, resume: &pb::MirrorResume) -> u64 {
    let mirrored = peer.node.journal.mirrored_by(peer.mirror.place);
    if resume.size < mirrored {
        tracing::warn!(
            from = resume.size,
            mirrored,
            "the mirror lost entries that it had cosigned; it gets them again"
        );
    }
    resume.size.min(mirrored)
}

/// Takes over what the mirror has and this journal lost, or finds that both are one log; and opens the journal for records
/// if enough mirrors were heard.
async fn reconcile(peer: &Peer, channel: Channel, resume: &pb::MirrorResume) -> Result<(), Ended> {
    let (journal, place) = (&peer.node.journal, peer.mirror.place);
    let checkpoint = (!resume.checkpoint.is_empty()).then_some(resume.checkpoint.as_str());
    let mut compared = peer.compare(checkpoint).await?;
    if let Reconciled::MirrorAhead { from } = compared {
        tracing::warn!(
            from,
            size = resume.size,
            "the mirror holds entries that this journal lost"
        );
        // Not under the lock that all mirrors wait for: this one may be slow.
        let (entries, newest) = entries(journal.origin().to_owned(), from, resume, channel).await?;
        take_back(peer, entries, newest.clone()).await?;
        compared = peer.compare(Some(&newest)).await?;
    }
    match compared {
        Reconciled::Ready => peer.node.open_for_records().await,
        Reconciled::Waiting => {
            tracing::info!(
                place,
                "journal and mirror agree; other mirrors are still to be heard"
            );
            Ok(())
        }
        Reconciled::MirrorAhead { .. } => Err(Ended::Away(
            "the mirror holds still more entries".to_owned(),
        )),
    }
}

/// Makes entries that came back durable, and draws the consequences.
async fn take_back(peer: &Peer, entries: Vec<Vec<u8>>, newest: String) -> Result<(), Ended> {
    let _one_at_a_time = peer.node.starting.lock().await;
    let marked = peer.node.mark_lost();
    marked.map_err(|error| Ended::Away(error.to_string()))?;
    // It waits for the disk: not on a thread that others wait for.
    let (journal, place) = (peer.node.journal.clone(), peer.mirror.place);
    let adopted = peer
        .node
        .blocking
        .spawn_blocking(move || journal.adopt(place, entries, &newest));
    match adopted.await {
        Ok(Ok(())) => heed_what_came_back(&peer.node),
        // Another mirror gave them meanwhile.
        Ok(Err(ReconcileRefused::NotAhead)) => Err(Ended::Away("not ahead any more".to_owned())),
        Ok(Err(error)) => Err(peer.refused(error)),
        Err(_) => Err(Ended::Away("taking over was interrupted".to_owned())),
    }
}

/// All entries that the mirror has from `first` on, and the checkpoint after the last. No more than it has shown.
async fn entries(
    origin: String,
    first: u64,
    resume: &pb::MirrorResume,
    channel: Channel,
) -> Result<(Vec<Vec<u8>>, String), Ended> {
    let request = pb::EntriesRequest { origin, first };
    let mut chunks = mirror_client(channel).entries(request).await?.into_inner();
    let most = usize::try_from(resume.size.saturating_sub(first)).unwrap_or(usize::MAX);
    let most = most
        .saturating_add(ENTRIES_SINCE_MAX)
        .min(ADOPTED_ENTRIES_MAX);
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut newest = String::new();
    loop {
        let chunk = tokio::time::timeout(CHUNK_WAIT, chunks.next()).await;
        let chunk = chunk.map_err(|_| Ended::Away("the mirror sends nothing".to_owned()))?;
        let Some(chunk) = chunk else {
            return Ok((entries, newest));
        };
        let chunk = chunk?;
        let is_record = |entry: &Vec<u8>| entry.len() <= RECORD_LEN_MAX;
        if entries.len() + chunk.entries.len() > most || !chunk.entries.iter().all(is_record) {
            return Err(Ended::Away(
                "more entries than were shown or can be taken over at once".to_owned(),
            ));
        }
        entries.extend(chunk.entries);
        newest = chunk.checkpoint;
    }
}

impl Peer {
    /// Whether it is the coordinator, which shows the head log.
    fn shows_heads(&self) -> bool {
        self.mirror.place == 0
    }

    /// Compares the journal with what this mirror shows. One mirror at a time.
    async fn compare(&self, checkpoint: Option<&str>) -> Result<Reconciled, Ended> {
        let _one_at_a_time = self.node.starting.lock().await;
        let compared = self.node.journal.reconcile(self.mirror.place, checkpoint);
        compared.map_err(|error| self.refused(error))
    }

    /// What it means that the journal does not accept what this mirror shows. Another history signed with our own key is a
    /// contradiction whoever shows it; anything else from a mirror beside the coordinator's is its own trouble.
    fn refused(&self, error: ReconcileRefused) -> Ended {
        if self.shows_heads() || error == ReconcileRefused::Fork {
            Ended::Contradiction(error.to_string())
        } else {
            Ended::Away(error.to_string())
        }
    }
}

/// Draws the consequences of entries that came back, while the journal is still shut: a call that were decided between
/// the two would be decided without the stops and revocations that the log already knows of.
fn heed_what_came_back(node: &Node) -> Result<(), Ended> {
    node.epochs.raise_floor(node.journal.epoch_floor());
    if node.stops.current().number() < node.journal.stop_floor() {
        return Err(Ended::Contradiction(
            "stop orders on record are missing on disk".to_owned(),
        ));
    }
    Ok(())
}

/// How a conversation goes.
struct Course {
    /// Most batches that are unanswered.
    window: u32,
    /// The entry that is sent next.
    from: u64,
    /// The size from which on the mirror counts as connected.
    near: u64,
}

/// Sends batches and takes cosignatures.
async fn pump(
    peer: &Peer,
    mut course: Course,
    requests: mpsc::Sender<pb::ReplicateRequest>,
    mut responses: Streaming<pb::ReplicateResponse>,
) -> Result<(), Ended> {
    let node = &peer.node;
    let mut unanswered: u32 = 0;
    loop {
        tokio::select! {
            response = next(&mut responses) => {
                match response? {
                    FromMirror::Cosigned(cosigned) => {
                        unanswered = unanswered
                            .checked_sub(1)
                            .ok_or_else(|| Ended::Away("an answer to nothing".to_owned()))?;
                        accept(peer, &course, cosigned)?;
                    }
                    FromMirror::Headed(headed) if peer.shows_heads() => {
                        take_head(node, headed).await?;
                    }
                    FromMirror::Conflict(conflict) => return Err(conflict_ends(peer, &conflict).await),
                    FromMirror::Headed(_) | FromMirror::Resume(_) => return Err(Ended::Away("an answer out of order".to_owned())),
                }
            }
            batch = node.journal.next_batch(course.from), if unanswered < course.window => {
                let batch = batch.map_err(|error| Ended::Away(error.to_string()))?;
                course.from = batch.first + batch.entries.len() as u64;
                let batch = pb::MirrorBatch {
                    first: batch.first,
                    entries: batch.entries,
                    checkpoint: batch.checkpoint,
                };
                send(&requests, ToMirror::Batch(batch)).await?;
                unanswered += 1;
            }
        }
    }
}

fn accept(peer: &Peer, course: &Course, cosigned: pb::MirrorCosigned) -> Result<(), Ended> {
    let (journal, place) = (&peer.node.journal, peer.mirror.place);
    let line = cosigned.cosignature.as_ref().map(note_signature_from_pb);
    let Some(Ok(line)) = line else {
        return Err(Ended::Away("an unreadable cosignature".to_owned()));
    };
    let accepted = journal.accept_cosignature(place, cosigned.size, &line);
    accepted.map_err(|error| Ended::Away(format!("{}: {error}", ErrorCode::AuditUnavailable)))?;
    if journal.mirrored_by(place) >= course.near {
        journal.set_mirror_connected(place, true);
    }
    Ok(())
}

/// Takes in where the head log has this node's stream.
async fn take_head(node: &Arc<Node>, headed: pb::MirrorHeaded) -> Result<(), Ended> {
    let shown = head_shown_from_pb(headed).map_err(|error| Ended::Away(error.to_string()))?;
    let taker = Arc::clone(node);
    // What is accepted is made durable: not on a thread that others wait for.
    let taken = node
        .blocking
        .spawn_blocking(move || taker.take_head(&shown))
        .await
        .map_err(|_| Ended::Away("taking in a head was interrupted".to_owned()))?;
    taken.map_err(|failed| match failed {
        TakeHeadFailed::Refused(refused) if refused.is_contradiction() => {
            Ended::Contradiction(refused.to_string())
        }
        failed => Ended::Away(failed.to_string()),
    })
}

/// The record that opens a run. It says whose node this is, so that whoever follows the streams of a unit needs nobody's
/// word for which they are.
fn node_start(unit: &PartyId) -> Draft {
    let mut draft = Draft::new(Kind::NodeStart);
    draft.clear = Clear::default()
        .text(
            Field::Software,
            concat!("lingqu ", env!("CARGO_PKG_VERSION")),
        )
        .text(Field::Actor, unit.as_str());
    draft
}

/// What a conflict means. A fork is believed only with evidence: a checkpoint by our own key, cosigned, that contradicts
/// this journal. Without it the mirror may simply be lying, and then it is no better than away.
async fn conflict_ends(peer: &Peer, conflict: &pb::MirrorConflict) -> Ended {
    use pb::mirror_conflict::Kind;
    let kind = conflict.kind();
    match kind {
        Kind::Fork if !conflict.checkpoint.is_empty() => {
            match peer.compare(Some(&conflict.checkpoint)).await {
                Err(ended) => ended,
                Ok(_) => Ended::Away("the mirror claims a fork and shows none".to_owned()),
            }
        }
        Kind::Superseded => Ended::Contradiction(
            "another process writes this stream with this node's key".to_owned(),
        ),
        Kind::BadBatch
        | Kind::BadSignature
        | Kind::Behind
        | Kind::Ended
        | Kind::Fork
        | Kind::NotYours
        | Kind::Unspecified => {
            Ended::Away(format!("the mirror refused with {}", kind.as_str_name()))
        }
    }
}

pub(super) async fn send(
    requests: &mpsc::Sender<pb::ReplicateRequest>,
    message: ToMirror,
) -> Result<(), Ended> {
    let request = pb::ReplicateRequest {
        message: Some(message),
    };
    requests
        .send(request)
        .await
        .map_err(|_| Ended::Away("the stream ended".to_owned()))
}

pub(super) async fn next(
    responses: &mut Streaming<pb::ReplicateResponse>,
) -> Result<FromMirror, Ended> {
    let response = responses
        .next()
        .await
        .ok_or_else(|| Ended::Away("the stream ended".to_owned()))??;
    response
        .message
        .ok_or_else(|| Ended::Away("an empty answer".to_owned()))
}
