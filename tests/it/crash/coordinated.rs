//! Conversations with a coordinator that may die in the middle of each: every one ends with what was acknowledged.
//!
//! A broken connection is the kill's doing and ends a conversation; an answer that contradicts an earlier one panics.

use std::sync::Arc;

use lingqu_client::{Event, Feed, FeedBroken, Seen};
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::epoch::{Epoch, Revocation};
use lingqu_core::record::Record;
use lingqu_core::trust::Trust;
use lingqu_core::{Clock, CoordinatorId};
use lingqu_demo::cast::{self, Party};
use lingqu_journal::SystemClock;
use lingqu_proto::pb::replicate_request::Message as ToMirror;
use lingqu_proto::pb::replicate_response::Message as FromMirror;
use lingqu_proto::{envelope_from_pb, envelope_to_pb, note_signature_from_pb, open, pb, seal};
use lingqu_tlog::{Ed25519Signer, Intl, Note, VerifierKey, verify_cosignature};
use lingqu_transport::{ClientTls, PeerId, code_of, connect};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::writer::Writer;

/// The kill came in between.
pub(crate) struct Died;

impl From<Status> for Died {
    /// A refusal with a code of ours is no death.
    fn from(status: Status) -> Died {
        let code = code_of(&status);
        assert!(code.is_none(), "the coordinator refused: {status}");
        Died
    }
}

/// Dials the coordinator as `identity`.
pub(crate) async fn dial(address: &str, identity: &ClientTls) -> Result<Channel, Died> {
    let expected: CoordinatorId = cast::coordinator();
    let url = format!("https://{address}");
    let dialled = connect(&url, identity, PeerId::Coordinator(expected)).await;
    dialled.map_err(|_| Died)
}

/// What the mirror has cosigned of the writer's stream.
#[derive(Default)]
pub(crate) struct Cosigned {
    pub(crate) size: u64,
}

/// Replicates `batches` batches from where the mirror resumes, and remembers what was cosigned.
pub(crate) async fn replicate(
    channel: Channel,
    writer: &mut Writer,
    cosigned: &mut Cosigned,
    mirror_key: &VerifierKey<Intl>,
    batches: &[usize],
) -> Result<(), Died> {
    let (requests, stream) = mpsc::channel(16);
    let send = |message| {
        let request = pb::ReplicateRequest {
            message: Some(message),
        };
        requests.try_send(request).map_err(|_| Died)
    };
    send(ToMirror::Open(pb::MirrorOpen {
        origin: writer.origin.clone(),
        checkpoint: writer.newest(),
        ..Default::default()
    }))?;
    let mut client = pb::mirror_client::MirrorClient::new(channel);
    let mut answers = client
        .replicate(ReceiverStream::new(stream))
        .await?
        .into_inner();
    let resume = match next(&mut answers).await? {
        FromMirror::Resume(resume) => resume,
        other => panic!("an answer out of order: {other:?}"),
    };
    // What was cosigned once is there, and what is there was sent.
    assert!(
        resume.size >= cosigned.size,
        "the mirror lost what it cosigned"
    );
    if resume.size > 0 {
        let note = Note::parse(&resume.checkpoint).unwrap();
        let sent = Note::parse(&writer.notes[&resume.size]).unwrap();
        assert_eq!(note.text, sent.text, "the mirror shows another checkpoint");
        note.verify(std::slice::from_ref(mirror_key)).unwrap();
    }
    cosigned.size = resume.size;
    let mut from = resume.size;
    for (number, count) in batches.iter().enumerate() {
        let batch = writer.batch(from, *count);
        from += batch.entries.len() as u64;
        send(ToMirror::Batch(batch))?;
        // Two in flight, so that a kill can hit one batch durable and the next not.
        if number > 0 {
            take(&mut answers, writer, cosigned, mirror_key).await?;
        }
    }
    if !batches.is_empty() {
        take(&mut answers, writer, cosigned, mirror_key).await?;
    }
    Ok(())
}

async fn take(
    answers: &mut tonic::Streaming<pb::ReplicateResponse>,
    writer: &Writer,
    cosigned: &mut Cosigned,
    mirror_key: &VerifierKey<Intl>,
) -> Result<(), Died> {
    let answer = match next(answers).await? {
        FromMirror::Cosigned(answer) => answer,
        other => panic!("a batch was not cosigned: {other:?}"),
    };
    let line = note_signature_from_pb(&answer.cosignature.unwrap()).unwrap();
    let note = Note::parse(&writer.notes[&answer.size]).unwrap();
    verify_cosignature::<Intl>(&note.text, mirror_key, &line).unwrap();
    assert!(answer.size > cosigned.size);
    cosigned.size = answer.size;
    Ok(())
}

async fn next(answers: &mut tonic::Streaming<pb::ReplicateResponse>) -> Result<FromMirror, Died> {
    let answer = answers.message().await?.ok_or(Died)?;
    Ok(answer.message.expect("no answer is empty"))
}

/// Everything that the mirror holds of the writer's stream.
pub(crate) async fn entries(channel: Channel, origin: &str) -> Result<Vec<Vec<u8>>, Died> {
    let request = pb::EntriesRequest {
        origin: origin.to_owned(),
        first: 0,
    };
    let mut client = pb::mirror_client::MirrorClient::new(channel);
    let mut chunks = client.entries(request).await?.into_inner();
    let mut entries = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        entries.extend(chunk.entries);
    }
    Ok(entries)
}

/// Files an object; the number it was filed under.
pub(crate) async fn file(channel: Channel, object: &Envelope) -> Result<String, Died> {
    let request = pb::FileRequest {
        object: Some(envelope_to_pb(object)),
    };
    let mut client = pb::registry_client::RegistryClient::new(channel);
    Ok(client.file(request).await?.into_inner().number)
}

/// Revokes `target` as the agency; the epoch that names it.
pub(crate) async fn revoke(
    channel: Channel,
    key: &Ed25519Signer,
    target: &str,
) -> Result<u64, Died> {
    let agency = Party::Agency.id();
    let mut revocation = seal(&Revocation {
        by: agency.clone(),
        target: target.to_owned(),
        reason: "crash".to_owned(),
        issued: SystemClock.now(),
    });
    revocation.sign(agency.as_str(), key);
    let request = pb::RevokeRequest {
        revocation: Some(envelope_to_pb(&revocation)),
    };
    let mut client = pb::registry_client::RegistryClient::new(channel);
    Ok(client.revoke(request).await?.into_inner().epoch)
}

/// The revocation epoch as a node is pushed it.
pub(crate) async fn epoch(channel: Channel, signing_key: &[u8]) -> Result<Epoch, Died> {
    let request = pb::WatchRequest { epoch_seen: 0 };
    let mut client = pb::sync_client::SyncClient::new(channel);
    let mut updates = client.watch(request).await?.into_inner();
    loop {
        let update = updates.message().await?.ok_or(Died)?.update;
        if let Some(pb::watch_response::Update::Epoch(envelope)) = update {
            let envelope = envelope_from_pb(envelope).unwrap();
            assert_eq!(envelope.signed_by(signing_key), SignedBy::Yes);
            return Ok(open(&envelope).unwrap());
        }
    }
}

/// Whom a regulator believes.
#[derive(Clone)]
pub(crate) struct Believed {
    pub(crate) trust: Trust<Intl>,
    pub(crate) head_log_keys: Arc<Vec<VerifierKey<Intl>>>,
}

/// Follows the region from what was `seen` to now, each event verified; the records by stream come in `records`.
/// What was seen stays seen: a later log that does not extend it breaks the feed.
pub(crate) async fn follow(
    channel: Channel,
    believed: &Believed,
    seen: &mut Seen,
    mut records: impl FnMut(&str, Record),
) -> Result<(), Died> {
    let region = cast::REGION.parse().unwrap();
    let heads = Trust::of_logs(&believed.head_log_keys).unwrap();
    let trust = believed.trust.clone();
    let followed = Feed::follow(channel, &region, true, trust, heads, seen.clone()).await;
    let mut feed = followed.map_err(died)?;
    let outcome = loop {
        match feed.next().await {
            Ok(Some(Event::Records {
                origin,
                records: new,
                ..
            })) => new.into_iter().for_each(|record| records(&origin, record)),
            Ok(Some(Event::Dropped { .. })) => panic!("nothing was dropped"),
            Ok(Some(Event::Complete { .. })) => {}
            Ok(None) => break Ok(()),
            Err(broken) => break Err(died(broken)),
        }
    };
    *seen = feed.into_seen();
    outcome
}

fn died(broken: FeedBroken) -> Died {
    match broken {
        FeedBroken::Status(status) => Died::from(*status),
        FeedBroken::Malformed(_)
        | FeedBroken::Course { .. }
        | FeedBroken::NotAuthentic(_)
        | FeedBroken::StreamGap(_)
        | FeedBroken::Succession { .. }
        | FeedBroken::HeadLogGap(_) => panic!("the feed is broken: {broken}"),
    }
}
