//! The regulator's side of the audit feed: nothing is shown before it is verified, and a gap cannot go unnoticed.
//!
//! Per stream the subscriber keeps a compact range: each span must begin where the last one ended and lead to the
//! root that the node signed and the mirror cosigned. Per region it keeps the compact range of the head log: each
//! published checkpoint must be over exactly the heads that were received.

mod dropped;
mod following;
mod seen;
mod selection;
pub mod spool;

use std::collections::BTreeSet;

use lingqu_core::Region;
use lingqu_core::head::Head;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Field, Kind, Record};
use lingqu_core::succession::OutOfCourse;
use lingqu_core::trust::Trust;
use lingqu_proto::pb;
use lingqu_proto::pb::audit_client::AuditClient;
use lingqu_tlog::{Checkpoint, Frontier, Intl, Note, leaf_hash};
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use self::following::Continued;
pub use self::seen::{Seen, SeenMalformed};
pub use self::selection::{Outcome, Selection};
use crate::succession::{DroppedEnd, Step, StepRefused};

/// Largest message of the feed, in bytes.
const MESSAGE_LEN_MAX: usize = 8 << 20;
/// Most streams that have not ended, and most regions, that a subscriber follows.
const STREAMS_MAX: usize = 10_000;
/// Most streams that it remembers, those that have ended included.
const STREAMS_REMEMBERED_MAX: usize = 200_000;
/// Most bytes of one head's span, which is kept until its head has proven it. A mirror adds far less between two heads.
const SPAN_LEN_MAX: usize = 256 << 20;

/// Something verified.
#[derive(Clone, Debug)]
pub enum Event {
    /// Records of one stream, whole and in order.
    Records {
        /// The stream.
        origin: String,
        /// Its region.
        region: Region,
        /// The records.
        records: Vec<Record>,
        /// The head that proves them: a leaf of the region's head log, byte for byte.
        head: Vec<u8>,
        /// How the stream follows from the one before, if these records begin it.
        follows: Option<Box<Step>>,
    },
    /// Records that were dropped, long after their stream had ended: a head of it, proven, without what it is about.
    Dropped {
        /// The stream.
        origin: String,
        /// Its region.
        region: Region,
        /// The head: a leaf of the region's head log, byte for byte.
        head: Vec<u8>,
        /// With the stream's last head: its end, and the receipt of its last record that proves it.
        end: Option<Box<(DroppedEnd, Receipt)>>,
    },
    /// Everything of `region` up to `heads` heads has been received.
    Complete {
        /// The region.
        region: Region,
        /// Heads so far.
        heads: u64,
        /// The head log's signed checkpoint that says so, with its witnesses' cosignatures.
        checkpoint: String,
    },
}

/// Why the feed is not believed any more.
#[derive(Debug, thiserror::Error)]
pub enum FeedBroken {
    /// The connection ended or the coordinator refused.
    #[error("feed: {0}")]
    Status(Box<Status>),
    /// A message is not what it should be.
    #[error("malformed `{0}`")]
    Malformed(&'static str),
    /// A stream is not among the trusted logs, or signed or cosigned wrongly.
    #[error("stream `{0}` is not authentic")]
    NotAuthentic(String),
    /// Entries are missing, repeated, reordered or altered.
    #[error("stream `{0}` is not complete")]
    StreamGap(String),
    /// A stream says that it follows a believed one, and does not.
    #[error("stream `{origin}` does not follow the one before: {why}")]
    Succession {
        /// The stream.
        origin: String,
        /// Why.
        why: StepRefused,
    },
    /// A stream goes on behind its end, or does not begin with all that must be brought forward.
    #[error("stream `{origin}`: {why}")]
    Course {
        /// The stream.
        origin: String,
        /// Why.
        why: OutOfCourse,
    },
    /// The head log is not over the heads that were received.
    #[error("the head log of region {0} is not over what was received")]
    HeadLogGap(Region),
}

/// A subscription in progress.
pub struct Feed {
    events: Streaming<pb::FollowResponse>,
    verifier: Verifier,
}

/// What is believed, and what was verified of it so far.
struct Verifier {
    /// Nothing of other regions was asked for.
    region: Region,
    trust: Trust<Intl>,
    head_trust: Trust<Intl>,
    seen: Seen,
    /// Entries of a span whose head has not come yet, and their bytes.
    parts: Vec<Vec<u8>>,
    parts_len: usize,
    /// Regions with heads that no signed head log covers yet.
    open: BTreeSet<Region>,
}

impl Feed {
    /// Subscribes to `region` and below, resuming after what was `seen`. `trust` has the streams and their mirrors,
    /// `head_trust` the regions' head logs, and the witnesses that must have cosigned them.
    pub async fn follow(
        channel: Channel,
        region: &Region,
        until_current: bool,
        trust: Trust<Intl>,
        head_trust: Trust<Intl>,
        seen: Seen,
    ) -> Result<Feed, FeedBroken> {
        let resume = seen.heads.iter().map(|(region, heads)| pb::ResumePoint {
            region: region.to_string(),
            heads: heads.size(),
        });
        let request = pb::FollowRequest {
            region: region.to_string(),
            resume: resume.collect(),
            until_current,
        };
        let mut client = AuditClient::new(channel).max_decoding_message_size(MESSAGE_LEN_MAX);
        let events = client.follow(request).await.map_err(status)?.into_inner();
        let verifier = Verifier::new(region.clone(), trust, head_trust, seen);
        Ok(Feed { events, verifier })
    }

    /// The next verified event; none when the feed has ended in order.
    pub async fn next(&mut self) -> Result<Option<Event>, FeedBroken> {
        loop {
            match self.next_message().await? {
                None => return Ok(None),
                Some((_, Some(event))) => return Ok(Some(event)),
                Some((_, None)) => {}
            }
        }
    }

    /// The next message as it came, and the event that it completes, if it does; none when the feed has ended in order.
    pub async fn next_message(
        &mut self,
    ) -> Result<Option<(pb::FollowResponse, Option<Event>)>, FeedBroken> {
        let Some(message) = self.events.message().await.map_err(status)? else {
            self.verifier.end()?;
            return Ok(None);
        };
        let event = self.verifier.take(message.clone())?;
        Ok(Some((message, event)))
    }

    /// What has been verified so far, to resume from later.
    pub fn seen(&self) -> &Seen {
        &self.verifier.seen
    }

    /// The same, when the feed is not needed any more.
    pub fn into_seen(self) -> Seen {
        self.verifier.seen
    }
}

impl Verifier {
    fn new(region: Region, trust: Trust<Intl>, head_trust: Trust<Intl>, seen: Seen) -> Verifier {
        // Whoever comes back is shown first that what it has is still there.
        let heads = seen.heads.iter().filter(|(_, heads)| heads.size() > 0);
        Verifier {
            region,
            trust: following::trust_after(trust, &seen),
            head_trust,
            open: heads.map(|(region, _)| region.clone()).collect(),
            seen,
            parts: Vec::new(),
            parts_len: 0,
        }
    }

    fn take(&mut self, message: pb::FollowResponse) -> Result<Option<Event>, FeedBroken> {
        match message.event.ok_or(FeedBroken::Malformed("event"))? {
            pb::follow_response::Event::Span(span) => self.span(span),
            pb::follow_response::Event::Dropped(span) => self.dropped(span).map(Some),
            pb::follow_response::Event::HeadLog(checkpoint) => self.head_log(&checkpoint).map(Some),
        }
    }

    /// Whether the feed may end here: what was shown must be covered by a signed head log, since that is what two
    /// regulators can compare.
    fn end(&self) -> Result<(), FeedBroken> {
        if !self.parts.is_empty() {
            return Err(FeedBroken::Malformed("span"));
        }
        match self.open.first() {
            Some(region) => Err(FeedBroken::HeadLogGap(region.clone())),
            None => Ok(()),
        }
    }

    fn region(&self, code: &str) -> Result<Region, FeedBroken> {
        let region: Region = code.parse().map_err(|_| FeedBroken::Malformed("region"))?;
        if self.region.covers(&region) {
            Ok(region)
        } else {
            Err(FeedBroken::Malformed("region"))
        }
    }

    fn span(&mut self, span: pb::StreamSpan) -> Result<Option<Event>, FeedBroken> {
        let region = self.region(&span.region)?;
        // An empty entry takes memory too.
        let len = |entry: &Vec<u8>| entry.len() + size_of::<Vec<u8>>();
        self.parts_len += span.entries.iter().map(len).sum::<usize>();
        self.parts.extend(span.entries);
        if self.parts_len > SPAN_LEN_MAX {
            return Err(FeedBroken::Malformed("span"));
        }
        if span.head.is_empty() {
            return Ok(None);
        }
        let entries = std::mem::take(&mut self.parts);
        self.parts_len = 0;
        let head = Head::decode(&span.head).ok_or(FeedBroken::Malformed("head"))?;
        let origin = head.checkpoint.origin.clone();
        let step = self.step(&origin, &entries)?;
        let checkpoint = self.authentic(head, step.as_ref().map(|(_, trust)| trust))?;
        // An origin names its stream's region: no head log vouches for a stream of another one.
        if origin.rsplit('/').nth(1) != Some(region.as_str()) {
            return Err(FeedBroken::NotAuthentic(origin));
        }
        if self.is_full(&origin) {
            return Err(FeedBroken::Malformed("number of streams"));
        }
        // What was dropped does not come back.
        if self.seen.dropped.contains_key(&origin) || self.seen.unproven.contains(&origin) {
            return Err(FeedBroken::StreamGap(origin));
        }
        let first = self.seen.streams.get(&origin).map_or(0, Frontier::size);
        let Continued {
            stream,
            course,
            records,
            drops,
        } = self.seen.continued(&origin, &entries)?;
        // The first part of a large span says where it begins; the root says whether it does.
        if stream.size() != checkpoint.size
            || stream.root() != checkpoint.root
            || first > checkpoint.size
        {
            return Err(FeedBroken::StreamGap(origin));
        }
        let heads = self.seen.heads.entry(region.clone()).or_default();
        if span.head_index != heads.size() {
            return Err(FeedBroken::HeadLogGap(region));
        }
        heads.push(leaf_hash::<Intl>(&span.head));
        self.open.insert(region.clone());
        self.seen.streams.insert(origin.clone(), stream);
        self.seen.drops.0.extend(drops.0);
        if let Some(last) = records.last() {
            self.seen.keep_course(&origin, course, last);
        }
        let follows = step.map(|(step, trust)| self.follow(&origin, step, trust, &entries));
        let starts = records.iter().rev().map(|record| &record.draft);
        let mut starts = starts.filter(|draft| draft.kind == Kind::NodeStart);
        let unit = starts
            .next()
            .and_then(|draft| draft.clear.get_text(Field::Actor));
        if let Some(unit) = unit.and_then(|unit| unit.parse().ok()) {
            self.seen.units.insert(origin.clone(), unit);
        }
        Ok(Some(Event::Records {
            origin,
            region,
            records,
            head: span.head,
            follows,
        }))
    }

    /// Whether there is no room for another stream or region. Those that have ended take none of the places of others:
    /// nobody who ends streams often keeps others from being followed.
    fn is_full(&self, origin: &str) -> bool {
        if self.seen.heads.len() >= STREAMS_MAX {
            return true;
        }
        let going_on = self
            .seen
            .streams
            .len()
            .saturating_sub(self.seen.ended.len());
        !self.seen.streams.contains_key(origin)
            && (going_on >= STREAMS_MAX || self.seen.streams.len() >= STREAMS_REMEMBERED_MAX)
    }

    /// The stream checkpoint in a head, signed by its log and cosigned by the quorum, to whoever has taken the step to
    /// that stream.
    fn authentic(&self, head: Head, after: Option<&Trust<Intl>>) -> Result<Checkpoint, FeedBroken> {
        let Head {
            note, checkpoint, ..
        } = head;
        let trust = after.unwrap_or(&self.trust);
        let origin = checkpoint.origin.clone();
        let refused = || FeedBroken::NotAuthentic(origin.clone());
        let log = trust.log(&origin).ok_or_else(refused)?;
        note.verify(std::slice::from_ref(log))
            .map_err(|_| refused())?;
        trust.cosigned(&note).map_err(|_| refused())?;
        Ok(checkpoint)
    }

    fn head_log(&mut self, message: &pb::HeadLogCheckpoint) -> Result<Event, FeedBroken> {
        let region = self.region(&message.region)?;
        let note =
            Note::parse(&message.checkpoint).map_err(|_| FeedBroken::Malformed("head log"))?;
        let checkpoint =
            Checkpoint::parse(&note.text).map_err(|_| FeedBroken::Malformed("head log"))?;
        let origin = &checkpoint.origin;
        let refused = || FeedBroken::NotAuthentic(origin.clone());
        if !origin.ends_with(&format!("/h/{region}")) {
            return Err(refused());
        }
        self.head_trust
            .policy()
            .check(&message.checkpoint)
            .map_err(|_| refused())?;
        let heads = self.seen.heads.entry(region.clone()).or_default();
        if heads.size() != checkpoint.size || heads.root() != checkpoint.root {
            return Err(FeedBroken::HeadLogGap(region));
        }
        let is_here = |origin: &&String| origin.rsplit('/').nth(1) == Some(region.as_str());
        if let Some(origin) = self.seen.unproven.iter().find(is_here) {
            return Err(FeedBroken::StreamGap(origin.clone()));
        }
        self.open.remove(&region);
        Ok(Event::Complete {
            region,
            heads: checkpoint.size,
            checkpoint: message.checkpoint.clone(),
        })
    }
}

fn status(status: Status) -> FeedBroken {
    FeedBroken::Status(Box::new(status))
}

#[cfg(test)]
mod tests;
