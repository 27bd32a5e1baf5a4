//! A coordinator in an attacker's hands: it has every key and certificate of the real one, and lies in one way.
//!
//! It keeps nothing. Towards the node it behaves as the protocol wants but for its [`Lie`], so that what the node does
//! is the answer to that lie and not to some other fault.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use lingqu_core::Clock;
use lingqu_core::envelope::Envelope;
use lingqu_core::head::{Head, HeadShown, head_log_of};
use lingqu_demo::cast;
use lingqu_proto::pb::mirror_conflict::Kind as ConflictKind;
use lingqu_proto::pb::mirror_server::{Mirror, MirrorServer};
use lingqu_proto::pb::replicate_request::Message as FromNode;
use lingqu_proto::pb::replicate_response::Message as ToNode;
use lingqu_proto::pb::sync_server::{Sync, SyncServer};
use lingqu_proto::{envelope_to_pb, head_shown_to_pb, note_signature_to_pb, pb};
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Hash, Intl, KeyName, Note, NoteSignature, RecentTree,
    leaf_hash, sign_cosignature, sign_note,
};
use lingqu_transport::{Connections, Limits, ReloadableTls};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::network::{World, patiently, stranger};

/// What the impostor says that is not so. But where it says "at once", the first batch is cosigned honestly, so that
/// calls are evaluated and then wait for what never comes.
#[derive(Clone, Debug)]
pub(crate) enum Lie {
    /// Nothing: the control, which shows that the node would answer.
    None,
    /// Cosigns another root than the node's.
    OtherRoot,
    /// Answers every batch with the cosignature of the first.
    OldSize,
    /// Cosigns with a key of its own under the mirror's name.
    OtherKey,
    /// Cosigns with the coordinator's signing key, under the mirror's name.
    OtherRole,
    /// Cosigns as of ten years from now, at once.
    FutureTime,
    /// Says at once that there is a conflict, and shows no evidence.
    Claim(ConflictKind),
    /// Says so to the first batch.
    ClaimLater(ConflictKind),
    /// Cosigns honestly, shows the node a head log of its own making, and lies about that from the second head on.
    Heads(HeadLie),
    /// Shows this checkpoint at once, and these entries to whoever asks.
    Ahead {
        checkpoint: String,
        entries: Vec<Vec<u8>>,
    },
}

/// What it shows of its head log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadLie {
    /// Nothing that is not so: the control.
    None,
    /// A head log of the same size with another past.
    Forked,
    /// The head log without its last heads.
    WentBack,
    /// A head log that does not hold the head.
    NotIncluded,
}

/// The running impostor.
pub(crate) struct Impostor {
    pub(crate) url: String,
    hangups: watch::Receiver<u64>,
    serving: JoinHandle<()>,
}

impl Impostor {
    /// Waits until the node has heard the lie and hung up.
    pub(crate) async fn hung_up_on(&mut self) {
        let heard = self.hangups.wait_for(|hangups| *hangups > 0);
        assert!(patiently("hanging up", heard).await.is_ok());
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Liar {
    lie: Lie,
    keys: Arc<Keys>,
    pushes: Arc<Vec<(Envelope, Envelope)>>,
    clock: Arc<dyn Clock>,
    hangups: watch::Sender<u64>,
    /// The cosignature of the first batch.
    first: Arc<Mutex<Option<pb::MirrorCosigned>>>,
    /// The leaves of its head log.
    leaves: Arc<Mutex<Vec<Vec<u8>>>>,
    /// How many of them the node has accepted.
    accepted: Arc<Mutex<u64>>,
}

struct Keys {
    mirror: Ed25519Signer,
    signing: Ed25519Signer,
    head_log: Ed25519Signer,
}

impl World {
    /// An impostor that tells `lie` and pushes `pushes` to whoever watches.
    pub(crate) async fn impostor(&self, lie: Lie, pushes: Vec<(Envelope, Envelope)>) -> Impostor {
        let files = self.network.files();
        let home = files.dir().join("coordinator");
        let id = cast::coordinator();
        let tls = files.tls_files(
            &home.join(format!("{id}.pem")),
            &home.join(format!("{id}.key")),
        );
        let tls = ReloadableTls::load(tls, self.clock.clone()).unwrap();
        let (sender, hangups) = watch::channel(0);
        let liar = Liar {
            lie,
            hangups: sender,
            first: Arc::default(),
            leaves: Arc::default(),
            accepted: Arc::default(),
            keys: Arc::new(Keys {
                mirror: files.coordinator_key("mirror").unwrap(),
                signing: files.coordinator_key("signing").unwrap(),
                head_log: files.coordinator_key("head_log").unwrap(),
            }),
            pushes: Arc::new(pushes),
            clock: self.clock.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let router = Routes::new(MirrorServer::new(liar.clone()))
            .add_service(SyncServer::new(liar))
            .prepare()
            .into_axum_router();
        let serving = tokio::spawn(lingqu_transport::serve(
            listener,
            Arc::new(tls),
            Limits::default(),
            self.clock.clone(),
            router,
            Connections::new(),
            std::future::pending(),
        ));
        Impostor {
            url,
            hangups,
            serving,
        }
    }

    /// A cosignature of `text` as the real mirror makes it.
    pub(crate) fn cosign(&self, text: &str) -> NoteSignature {
        let key = self.network.files().coordinator_key("mirror").unwrap();
        let now = u64::try_from(self.clock.now().unix_s()).unwrap();
        sign_cosignature::<Intl>(text, &mirror_name(), now, &key).unwrap()
    }
}

fn mirror_name() -> KeyName {
    format!("{}/mirror", cast::ORIGIN_NAME).parse().unwrap()
}

fn conflict(kind: ConflictKind) -> ToNode {
    ToNode::Conflict(pb::MirrorConflict {
        kind: kind.into(),
        size: 1,
        checkpoint: String::new(),
    })
}

impl Liar {
    fn resume(&self) -> ToNode {
        match &self.lie {
            Lie::Claim(kind) => conflict(*kind),
            Lie::Ahead { checkpoint, .. } => {
                let note = Note::parse(checkpoint).unwrap();
                ToNode::Resume(pb::MirrorResume {
                    size: Checkpoint::parse(&note.text).unwrap().size,
                    checkpoint: checkpoint.clone(),
                    window: 8,
                })
            }
            _ => ToNode::Resume(pb::MirrorResume {
                size: 0,
                checkpoint: String::new(),
                window: 8,
            }),
        }
    }

    fn cosigned(&self, batch: &pb::MirrorBatch) -> ToNode {
        let mut first = self.first.lock().unwrap();
        let note = Note::parse(&batch.checkpoint).unwrap();
        let mut checkpoint = Checkpoint::parse(&note.text).unwrap();
        let size = checkpoint.size;
        let now = u64::try_from(self.clock.now().unix_s()).unwrap();
        let (mut time, unknown) = (now, stranger());
        let mut key = &self.keys.mirror;
        match self.lie {
            Lie::OtherRoot | Lie::OtherKey | Lie::OtherRole if first.is_none() => {}
            Lie::OtherRoot => checkpoint.root = Hash([7; 32]),
            Lie::OtherKey => key = &unknown,
            Lie::OtherRole => key = &self.keys.signing,
            Lie::FutureTime => time += 10 * 365 * 86_400,
            Lie::ClaimLater(kind) => return conflict(kind),
            Lie::None | Lie::OldSize | Lie::Claim(_) | Lie::Heads(_) | Lie::Ahead { .. } => {}
        }
        let text = checkpoint.to_text();
        let mut line = sign_cosignature::<Intl>(&text, &mirror_name(), time, key).unwrap();
        // What selects the key is the right one's, so that only the signature is wrong.
        let honest = sign_cosignature::<Intl>(&text, &mirror_name(), now, &self.keys.mirror);
        line.id = honest.unwrap().id;
        let answer = pb::MirrorCosigned {
            size,
            cosignature: Some(note_signature_to_pb(&line)),
        };
        let first = first.get_or_insert_with(|| answer.clone()).clone();
        ToNode::Cosigned(if matches!(self.lie, Lie::OldSize) {
            first
        } else {
            answer
        })
    }

    /// What it shows of the head log after a batch, if it shows anything.
    fn headed(&self, batch: &pb::MirrorBatch) -> Option<ToNode> {
        let Lie::Heads(lie) = self.lie else {
            return None;
        };
        let mut note = Note::parse(&batch.checkpoint).unwrap();
        let stream = Checkpoint::parse(&note.text).unwrap();
        let now = u64::try_from(self.clock.now().unix_s()).unwrap();
        let line = sign_cosignature::<Intl>(&note.text, &mirror_name(), now, &self.keys.mirror);
        note.signatures.push(line.unwrap());
        let leaf = Head::encode(self.clock.now(), &note);
        let mut honest = self.leaves.lock().unwrap();
        let known = honest.len();
        honest.push(leaf.clone());
        let others = |count: usize| vec![b"what supervisors are not to see".to_vec(); count];
        let leaves = match lie {
            HeadLie::Forked if known > 0 => [others(known - 1), vec![leaf.clone()]].concat(),
            HeadLie::WentBack if known > 1 => [others(known - 2), vec![leaf.clone()]].concat(),
            HeadLie::NotIncluded if known > 0 => [honest[..known].to_vec(), others(1)].concat(),
            HeadLie::None | HeadLie::Forked | HeadLie::WentBack | HeadLie::NotIncluded => {
                honest.clone()
            }
        };
        let mut tree = RecentTree::<Intl>::from_frontier(Frontier::new());
        for leaf in &leaves {
            tree.push(leaf_hash::<Intl>(leaf));
        }
        let (index, size) = (tree.size() - 1, tree.size());
        let mut accepted = self.accepted.lock().unwrap();
        let consistency = tree.consistency_proof(*accepted, size).unwrap_or_default();
        if leaves == *honest {
            *accepted = size;
        }
        let origin = head_log_of(&stream.origin).unwrap();
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            size,
            root: tree.root(),
        };
        let text = checkpoint.to_text();
        let name = origin.parse().unwrap();
        let signatures = vec![sign_note::<Intl>(&text, &name, &self.keys.head_log).unwrap()];
        Some(ToNode::Headed(head_shown_to_pb(HeadShown {
            leaf,
            index,
            proof: tree.inclusion_proof(index, size).unwrap(),
            checkpoint: Note { text, signatures }.to_string(),
            consistency,
        })))
    }

    async fn converse(self, said: Streaming<pb::ReplicateRequest>, answers: Sender) {
        self.lie_to(said, answers).await;
        self.hangups.send_modify(|hangups| *hangups += 1);
    }

    async fn lie_to(&self, mut said: Streaming<pb::ReplicateRequest>, answers: Sender) {
        while let Some(Ok(message)) = said.next().await {
            let messages = match message.message.unwrap() {
                FromNode::Open(open) => {
                    let note = Note::parse(&open.head_checkpoint).ok();
                    let known = note.and_then(|note| Checkpoint::parse(&note.text).ok());
                    *self.accepted.lock().unwrap() = known.map_or(0, |known| known.size);
                    [Some(self.resume()), None]
                }
                FromNode::Batch(batch) => [Some(self.cosigned(&batch)), self.headed(&batch)],
            };
            for message in messages.into_iter().flatten() {
                let answer = pb::ReplicateResponse {
                    message: Some(message),
                };
                if answers.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
        }
    }
}

type Sender = mpsc::Sender<Result<pb::ReplicateResponse, Status>>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Mirror for Liar {
    type ReplicateStream = Answers<pb::ReplicateResponse>;
    type EntriesStream = Answers<pb::EntriesResponse>;

    async fn replicate(
        &self,
        request: Request<Streaming<pb::ReplicateRequest>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        let (sender, receiver) = mpsc::channel(8);
        tokio::spawn(self.clone().converse(request.into_inner(), sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn entries(
        &self,
        request: Request<pb::EntriesRequest>,
    ) -> Result<Response<Self::EntriesStream>, Status> {
        let Lie::Ahead {
            checkpoint,
            entries,
        } = &self.lie
        else {
            return Err(Status::not_found("nothing"));
        };
        let answer = pb::EntriesResponse {
            first: request.into_inner().first,
            entries: entries.clone(),
            checkpoint: checkpoint.clone(),
        };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(answer)]))))
    }
}

#[tonic::async_trait]
impl Sync for Liar {
    type WatchStream = Answers<pb::WatchResponse>;

    async fn watch(
        &self,
        _: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let push = |(object, filing): &(Envelope, Envelope)| {
            let filed = pb::FiledObject {
                object: Some(envelope_to_pb(object)),
                filing: Some(envelope_to_pb(filing)),
            };
            Ok(pb::WatchResponse {
                update: Some(pb::watch_response::Update::Object(filed)),
            })
        };
        let pushes: Vec<_> = self.pushes.iter().map(push).collect();
        let pushes = tokio_stream::iter(pushes).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(pushes)))
    }
}
