//! How this node's stream ends and the next one begins, by the unit's signed order ([`lingqu_core::succession`]).
//!
//! While the node runs: an order is taken in and kept; when it is due, nothing new is begun, calls under way finish, the
//! end is recorded and cosigned, what the next stream takes over is written down, and serving ends. When the node opens
//! again, the old journal is put aside and the new one begins with what was written down. Each step is durable before the
//! next, and each is found done or not done after a crash. Start reading at [`run`], then [`put_aside`].

mod ending;
mod links;
mod pruning;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::{Envelope, SignedBy};
use lingqu_core::forward::{Forward, PART_LEN_MAX, PARTS_MAX};
use lingqu_core::record::{Clear, Field};
use lingqu_core::succession::{
    ORDER_LEN_MAX, SUCCESSION_TYPE, StreamBegin, SuccessionOrder, period,
};
use lingqu_journal::{EndFailed, EndOrder, Predecessor};
use lingqu_policy::AuditTerms;
use lingqu_proto::{decode_envelope, encode_envelope, open, pb};
use lingqu_tlog::{Ed25519Signer, Intl, Signer, VerifierKey};
use lingqu_transport::signing_key;
use prost::Message as _;

use crate::Node;
use crate::admission::holdings::Pinned;
use crate::config::NodeConfig;
use crate::node::OpenError;
use crate::state::{State, create_dir, write_file};

pub use pruning::PastStream;

/// Directory of the orders.
pub(crate) const DIR: &str = "successions";
/// What the next stream takes over, once the end is cosigned.
pub(crate) const BEGIN_FILE: &str = "succession.begin";
/// Most bytes of it: what a stream can begin with, and its proof.
pub(crate) const BEGIN_LEN_MAX: u64 = PARTS_MAX * PART_LEN_MAX as u64 + (1 << 20);
/// Name of the file that enrolment leaves: the origin of the stream that this node writes, and, for a stream that follows
/// another, its verifier key.
pub(crate) const ORIGIN_FILE: &str = "stream-origin";
/// Directory of the journal that is written.
pub(crate) const JOURNAL: &str = "journal";
/// Directory of the journals of streams that have ended, by their periods.
pub(crate) const PAST: &str = "past-journals";

/// Ending of the name of a journal that is being dropped; no period has this character.
pub(crate) const DROPPING: char = '~';

/// How often it is looked whether an order is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long calls under way may take to finish. One that takes longer is not answered; its unit is spent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the process waits for the mirror before it looks again.
const MIRROR_EVERY: Duration = Duration::from_millis(100);

/// The stream that a node writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentStream {
    /// Its origin.
    pub origin: String,
    /// Its verifier key, if it follows another stream; otherwise the key is the configured one.
    pub key: Option<VerifierKey<Intl>>,
}

impl CurrentStream {
    /// What enrolment and later successions left; none before enrolment.
    ///
    /// # Errors
    /// The system's, and [`io::ErrorKind::InvalidData`] for a file that neither writes.
    pub fn read(data_dir: &Path) -> io::Result<Option<CurrentStream>> {
        let text = match std::fs::read_to_string(data_dir.join(ORIGIN_FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut lines = text.lines();
        let origin = lines.next().unwrap_or_default().trim().to_owned();
        let key: Option<VerifierKey<Intl>> = lines
            .next()
            .map(|line| line.parse().map_err(|_| malformed()))
            .transpose()?;
        let names_it = key.as_ref().is_none_or(|key| key.name().as_str() == origin);
        if origin.is_empty() || !names_it || lines.next().is_some() {
            return Err(malformed());
        }
        Ok(Some(CurrentStream { origin, key }))
    }

    fn write(data_dir: &Path, key: &VerifierKey<Intl>) -> io::Result<()> {
        let text = format!("{}\n{key}\n", key.name());
        write_file(&data_dir.join(ORIGIN_FILE), text.as_bytes())
    }

    /// The signing key of the stream, among those that are configured.
    ///
    /// # Errors
    /// [`OpenError::Key`] for a file that cannot be used, [`OpenError::LogKey`] if none is the stream's.
    pub fn signer(&self, config: &NodeConfig) -> Result<Ed25519Signer, OpenError> {
        match &self.key {
            None => Ok(signing_key::read(&config.keys.log)?),
            Some(key) => signer_of(config, key.public_key())?
                .ok_or_else(|| OpenError::LogKey(self.origin.clone())),
        }
    }
}

/// The configured log key with this public key.
fn signer_of(config: &NodeConfig, public_key: &[u8]) -> Result<Option<Ed25519Signer>, OpenError> {
    for path in std::iter::once(&config.keys.log).chain(&config.keys.log_next) {
        let signer = signing_key::read(path)?;
        if signer.public_key() == public_key {
            return Ok(Some(signer));
        }
    }
    Ok(None)
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("`{ORIGIN_FILE}` is not what a node writes"),
    )
}

/// What the next stream takes over, as it is written down.
struct Written {
    next_key: VerifierKey<Intl>,
    predecessor: Predecessor,
}

impl Written {
    fn write(&self, state: &State) -> io::Result<()> {
        let written = pb::StreamSuccession {
            next_key: self.next_key.to_string(),
            previous_key: self.predecessor.key.clone(),
            previous_end: self.predecessor.end.clone(),
            forward: self.predecessor.forward.clone(),
        };
        let bytes = written.encode_to_vec();
        if bytes.len() as u64 > BEGIN_LEN_MAX {
            return Err(io::Error::other(
                "more balances than a stream can begin with",
            ));
        }
        state.write_large(&state.dir().join(BEGIN_FILE), &bytes)
    }

    /// None if there is none.
    fn read(state: &State) -> io::Result<Option<Written>> {
        let bytes = match state.read_large(&state.dir().join(BEGIN_FILE), 2 * BEGIN_LEN_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "`succession.begin`");
        let written = pb::StreamSuccession::decode(bytes.as_slice()).map_err(invalid)?;
        let next_key = written.next_key.parse();
        Ok(Some(Written {
            next_key: next_key.map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "`succession.begin`: the key")
            })?,
            predecessor: Predecessor {
                key: written.previous_key,
                end: written.previous_end,
                forward: written.forward,
            },
        }))
    }
}

/// Puts the journal of a stream that has ended aside, and makes the next one the node's: each step is done once, whatever
/// was done of them before a crash.
pub(crate) fn put_aside(config: &NodeConfig, state: &State) -> Result<(), OpenError> {
    let Some(written) = Written::read(state)? else {
        return Ok(());
    };
    let current = CurrentStream::read(&config.data_dir)?.ok_or(OpenError::NotEnrolled)?;
    if current.origin == written.next_key.name().as_str() {
        return match current.key.as_ref() == Some(&written.next_key) {
            true => Ok(()),
            false => Err(OpenError::State(malformed())),
        };
    }
    let ended: VerifierKey<Intl> =
        { written.predecessor.key.parse() }.map_err(|_| OpenError::State(malformed()))?;
    if ended.name().as_str() != current.origin {
        return Err(OpenError::State(malformed()));
    }
    // Without its key the next stream could not be written: found out while the old one is still in its place.
    signer_of(config, written.next_key.public_key())?
        .ok_or_else(|| OpenError::LogKey(written.next_key.name().to_string()))?;
    let past = config.data_dir.join(PAST);
    create_dir(&past)?;
    let (from, to) = (
        config.data_dir.join(JOURNAL),
        past.join(period(&current.origin)),
    );
    // Both are there when the files of before were put back into their place beside what they became.
    if from.exists() {
        std::fs::rename(from, to)?;
        std::fs::File::open(&past)?.sync_all()?;
        std::fs::File::open(&config.data_dir)?.sync_all()?;
    }
    CurrentStream::write(&config.data_dir, &written.next_key)?;
    tracing::info!(
        ended = current.origin,
        begins = %written.next_key.name(),
        "the stream is followed by another"
    );
    Ok(())
}

/// Whether the stream follows another one. Said by each of three traces, so that none of them alone can be taken away to
/// begin anew with nothing spent.
pub(crate) fn follows(stream: &CurrentStream, state: &State) -> io::Result<bool> {
    if stream.key.is_some() || !past_journals(state)?.is_empty() {
        return Ok(true);
    }
    let written = Written::read(state)?;
    Ok(written.is_some_and(|written| written.next_key.name().as_str() == stream.origin))
}

/// Where the journals of streams that have ended are, by their periods; what is being dropped is left out.
pub(crate) fn past_journals(state: &State) -> io::Result<Vec<PathBuf>> {
    let mut found = below_past(state)?;
    found.retain(|path| !is_dropping(path));
    Ok(found)
}

/// Removes what a crash left of journals that were being dropped: that they are is on record already.
fn remove_half_dropped(state: &State) -> io::Result<()> {
    let left = below_past(state)?;
    let mut left = left.into_iter().filter(|path| is_dropping(path));
    left.try_for_each(std::fs::remove_dir_all)
}

fn is_dropping(path: &Path) -> bool {
    path.to_string_lossy().ends_with(DROPPING)
}

fn below_past(state: &State) -> io::Result<Vec<PathBuf>> {
    let dir = state.dir().join(PAST);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let paths = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let mut found: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
    found.sort();
    Ok(found)
}

/// The unit's order about the stream that is written.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    envelope: Envelope,
    order: SuccessionOrder,
}

/// The order about the stream of this origin that was signed last, of those that are kept as the signed files that they
/// came as.
pub(crate) fn pending(state: &State, pinned: &Pinned, origin: &str) -> io::Result<Option<Pending>> {
    let dir = state.dir().join(DIR);
    if !dir.exists() {
        return Ok(None);
    }
    let files = state.read_all(&dir, "env")?;
    let envelopes = { files.iter() }.filter_map(|(_, bytes)| decode_envelope(bytes).ok());
    Ok(envelopes
        .filter_map(|envelope| {
            let order = check(&envelope, pinned).ok()?;
            Some(Pending { envelope, order })
        })
        .filter(|pending| pending.order.ends == origin)
        .max_by_key(|pending| pending.order.issued))
}

fn check(envelope: &Envelope, pinned: &Pinned) -> Result<SuccessionOrder, ErrorCode> {
    let is_signed = envelope.signed_by(&pinned.unit_key) == SignedBy::Yes;
    if envelope.payload_type != SUCCESSION_TYPE || !is_signed {
        return Err(ErrorCode::ObjectSignatureInvalid);
    }
    let order = open::<SuccessionOrder>(envelope).map_err(|_| ErrorCode::ObjectInvalid)?;
    if order.unit == pinned.unit && order.node == pinned.node {
        Ok(order)
    } else {
        Err(ErrorCode::ObjectInvalid)
    }
}

impl Node {
    /// Takes an order in. It is carried out when it is due; of several about the stream the one that was signed last
    /// counts. Blocking: it writes a file.
    ///
    /// # Errors
    /// `OBJECT_SIGNATURE_INVALID`; `OBJECT_INVALID` for another unit or node, for one that is dead, or that the mirror would
    /// not take; `OBJECT_CONFLICT` if it ends another stream than the one that is written, or an order signed later is
    /// there; `KEY_UNREADABLE` if none of the configured log keys is the next stream's.
    pub(crate) fn take_succession(&self, envelope: &Envelope) -> Result<(), ErrorCode> {
        let order = check(envelope, &self.pinned)?;
        // Whoever carried it may have added lines, and it has to fit into a record.
        let envelope = &self.with_the_units_signature(envelope)?;
        if order.ends != self.journal.origin() || self.journal.has_ended() {
            return Err(ErrorCode::ObjectConflict);
        }
        let origin = self.journal.origin();
        let tried = ending::try_order(&self.config, origin, (envelope, &order), self.facts().now());
        tried.map_err(|refused| {
            tracing::warn!(%refused, "an order about the stream is not taken in");
            ErrorCode::ObjectInvalid
        })?;
        let internal = |error: io::Error| {
            tracing::error!(%error, "cannot read or store an order about the stream");
            ErrorCode::Internal
        };
        // One at a time: of two that come together the one that was signed last must stay.
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_older = |known: &Pending| known.order.issued > order.issued;
        if pending.as_ref().is_some_and(is_older) {
            return Err(ErrorCode::ObjectConflict);
        }
        let key: VerifierKey<Intl> = order.begins.parse().map_err(|_| ErrorCode::ObjectInvalid)?;
        match signer_of(&self.config, key.public_key()) {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Err(ErrorCode::KeyUnreadable),
        }
        let dir = self.state.dir().join(DIR);
        let path = dir
            .join(hex::encode(envelope.digest().0))
            .with_extension("env");
        create_dir(&dir)
            .and_then(|()| self.state.write(&path, &encode_envelope(envelope)))
            .map_err(internal)?;
        let clear = Clear::default()
            .text(Field::Action, "succession")
            .text(Field::NextKey, &order.begins)
            .bytes(Field::ObjectDigest, &envelope.digest().0);
        self.record_change(clear);
        *pending = Some(Pending {
            envelope: envelope.clone(),
            order,
        });
        Ok(())
    }

    /// The same with one signature: the unit's.
    fn with_the_units_signature(&self, envelope: &Envelope) -> Result<Envelope, ErrorCode> {
        let mut alone = envelope.clone();
        for signature in &envelope.signatures {
            alone.signatures = vec![signature.clone()];
            if alone.signed_by(&self.pinned.unit_key) == SignedBy::Yes {
                return match encode_envelope(&alone).len() <= ORDER_LEN_MAX {
                    true => Ok(alone),
                    false => Err(ErrorCode::ObjectInvalid),
                };
            }
        }
        Err(ErrorCode::ObjectSignatureInvalid)
    }

    /// The order about the stream that is written, if it is due.
    fn due(&self) -> Option<Pending> {
        let now = self.facts().now();
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending
            .clone()
            .filter(|pending| (pending.order.not_before..pending.order.not_after).contains(&now))
    }

    /// Sets an order aside that would not hold, until it is given again or the node is started anew.
    fn forget_pending(&self, refused: &Pending) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if { pending.as_ref() }.is_some_and(|known| known.envelope == refused.envelope) {
            *pending = None;
        }
    }

    /// Whether no call is begun any more, since the stream is about to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Takes over what the stream before left, if the journal waits for it. Blocking.
    ///
    /// # Errors
    /// Why it could not, for the log.
    pub(crate) fn begin_stream(&self) -> Result<(), String> {
        if !self.journal.awaits_beginning() {
            return Ok(());
        }
        let written = Written::read(&self.state).map_err(|error| error.to_string())?;
        let written = written.ok_or("what the stream before left is missing")?;
        let begun = self.journal.begin(&written.predecessor);
        begun.map_err(|error| error.to_string())
    }

    /// How the stream that is written begins, if it follows another one. Before that is on record, it is what was written
    /// down.
    ///
    /// # Errors
    /// Why what was written down cannot be read, for the log.
    pub(crate) fn begins(&self) -> Result<Option<StreamBegin>, String> {
        if let Some(begin) = self.journal.begins() {
            return Ok(Some(begin));
        }
        let written = Written::read(&self.state).map_err(|error| error.to_string())?;
        let written = written.filter(|one| one.next_key.name().as_str() == self.journal.origin());
        Ok(written.map(|written| StreamBegin {
            previous_key: written.predecessor.key,
            previous_end: written.predecessor.end.into_bytes(),
            forward_records: Forward::parts(&written.predecessor.forward).len() as u64,
            forward_digest: Forward::digest::<Intl>(&written.predecessor.forward),
        }))
    }
}

/// Ends the stream when an order is due, and then serving.
pub(crate) async fn run(node: Arc<Node>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if node.journal.has_ended() {
            break;
        }
        // Not while a mirror is away or far behind: the end would close the node until every one of them has it.
        let terms = AuditTerms::Mirrored { wait_ms_max: 1 };
        if node.journal.audit_ready(terms).is_ok()
            && node.journal.mirrors_are_near()
            && let Some(pending) = node.due()
        {
            match end(&node, &pending).await {
                Ok(()) => break,
                Err(error) => {
                    node.ending.store(false, Ordering::SeqCst);
                    tracing::error!(error, "the stream could not be ended");
                }
            }
        }
    }
    node.ending.store(true, Ordering::SeqCst);
    leave(&node).await;
}

async fn end(node: &Arc<Node>, pending: &Pending) -> Result<(), String> {
    let order = &pending.order;
    node.ending.store(true, Ordering::SeqCst);
    tracing::info!(ends = order.ends, begins = order.begins, "the stream ends");
    let finished = async {
        let mut looks = tokio::time::interval(MIRROR_EVERY);
        while node.journal.calls_under_way() > 0 {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(PATIENCE, finished).await.is_err() {
        tracing::warn!("calls that have not ended in time are not answered");
    }
    node.record_pending().await;
    let next: VerifierKey<Intl> = order
        .begins
        .parse()
        .map_err(|_| "the next key".to_owned())?;
    let journal = node.journal.clone();
    let by = EndOrder {
        order: encode_envelope(&pending.envelope),
        next,
        not_before: order.not_before,
        check: ending::check(&node.config, journal.origin()),
    };
    let ended = node.blocking.spawn_blocking(move || journal.end_stream(by));
    match ended.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            if let EndFailed::Refused(_) = &error {
                // Otherwise calls would be held up for it again and again.
                node.forget_pending(pending);
            }
            Err(error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Waits until the mirror has the end, writes down what follows, and ends serving.
async fn leave(node: &Arc<Node>) {
    let mut looks = tokio::time::interval(MIRROR_EVERY);
    loop {
        looks.tick().await;
        let leaving = Arc::clone(node);
        let left = node.blocking.spawn_blocking(move || leaving.write_down());
        match left.await {
            Ok(Ok(true)) => {
                node.succeeded.cancel();
                return;
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "what the next stream takes over cannot be kept");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(_) => return,
        }
    }
}

impl Node {
    /// Whether the end is cosigned and what the next stream takes over is durable.
    fn write_down(&self) -> io::Result<bool> {
        let Some(predecessor) = self.journal.predecessor() else {
            return Ok(false);
        };
        self.keep_link()?;
        let next = self.journal.next_key().ok_or_else(malformed)?;
        let next_key = next.parse().map_err(|_| malformed())?;
        let written = Written {
            next_key,
            predecessor,
        };
        written.write(&self.state)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
