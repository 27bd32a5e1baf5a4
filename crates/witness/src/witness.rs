//! One witness: what it answers to a submitted checkpoint, in one atomic step for each log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use lingqu_core::Clock;
use lingqu_tlog::{
    AddCheckpoint, Checkpoint, Fork, Intl, KeyName, Note, NoteSignature, SIZE_CONTENT_TYPE, Signer,
    VerifierKey, WitnessRefused, encode_cosignatures, encode_size, judge, sign_cosignature,
};

use crate::store::{LogState, Store, StoreError, file_name};

/// How far the clock may stand behind a time that was signed, in seconds: what a time service corrects.
const CLOCK_BEHIND_MAX_S: u64 = 2;

/// What is answered: an HTTP status, a content type and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// See the module. Shared by all requests.
pub struct Witness {
    store: Store,
    clock: Arc<dyn Clock>,
    name: KeyName,
    signer: Arc<dyn Signer>,
    own_key: VerifierKey<Intl>,
    evidence_max: usize,
    logs: BTreeMap<String, Log>,
    /// The latest time signed for any log. Times never go back over all of them.
    floor_unix_s: Mutex<u64>,
}

/// One log, and what was cosigned last. The lock is held from the check until the new state is durable.
struct Log {
    key: VerifierKey<Intl>,
    state: Mutex<Option<LogState>>,
}

/// Why a witness cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The own key has small order, or is also a log's: one signature could then stand for another.
    #[error("the witness's key cannot be used, or is also the key of a log")]
    Key,
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Witness {
    /// Takes up the state of every log in `keys`.
    ///
    /// # Errors
    /// [`SetupError`]; nothing is cosigned by a witness that does not know what it cosigned.
    pub fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        name: KeyName,
        signer: Arc<dyn Signer>,
        keys: Vec<VerifierKey<Intl>>,
        evidence_max: usize,
    ) -> Result<Witness, SetupError> {
        let own_key = VerifierKey::cosignature(name.clone(), signer.public_key())
            .map_err(|_| SetupError::Key)?;
        let mut logs = BTreeMap::new();
        let mut floor = 0;
        for key in keys {
            if key.public_key() == signer.public_key() {
                return Err(SetupError::Key);
            }
            let state = store.get(key.name().as_str())?;
            floor = floor.max(state.time_unix_s);
            let state = Mutex::new(Some(state));
            logs.insert(key.name().to_string(), Log { key, state });
        }
        Ok(Witness {
            store,
            clock,
            name,
            signer,
            own_key,
            evidence_max,
            logs,
            floor_unix_s: Mutex::new(floor),
        })
    }

    /// The key with which it cosigns.
    pub fn key(&self) -> &VerifierKey<Intl> {
        &self.own_key
    }

    /// Answers `add-checkpoint`. Blocking: it waits for the disk.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let Ok(request) = AddCheckpoint::parse(body) else {
            return text(400, "the request is malformed\n");
        };
        let origin =
            match Note::parse(&request.checkpoint).map(|note| Checkpoint::parse(&note.text)) {
                Ok(Ok(checkpoint)) => checkpoint.origin,
                _ => return text(400, "the request is malformed\n"),
            };
        let Some(log) = self.logs.get(&origin) else {
            return text(404, "the checkpoint's origin is not known here\n");
        };
        // Check and store are one step: two requests at once could otherwise make the log go back.
        let mut state = log.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = state.as_ref() else {
            return text(500, "the state of this log could not be written\n");
        };
        let latest = known.cosigned.as_ref().map(|(checkpoint, _)| checkpoint);
        match judge(&request, std::slice::from_ref(&log.key), latest) {
            Ok(checkpoint) => match self.cosign(&request, checkpoint, known) {
                Ok((next, cosignature)) => self.store(&origin, next, &mut state, cosignature),
                Err(answer) => answer,
            },
            Err(refused) => {
                if let WitnessRefused::Inconsistent(_) = refused {
                    self.keep_evidence(&origin, &request, known, &log.key);
                }
                answer(&refused)
            }
        }
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256, in hexadecimal.
    pub fn checkpoint(&self, digest: &str) -> Option<String> {
        let (_, log) = self
            .logs
            .iter()
            .find(|(origin, _)| file_name(origin) == digest)?;
        let state = log.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, note) = state.as_ref()?.cosigned.as_ref()?;
        Some(note.clone())
    }

    fn cosign(
        &self,
        request: &AddCheckpoint,
        checkpoint: Checkpoint,
        known: &LogState,
    ) -> Result<(LogState, NoteSignature), Answer> {
        let time_unix_s = self.time(known.time_unix_s)?;
        let malformed = || text(400, "the request is malformed\n");
        let mut note = Note::parse(&request.checkpoint).map_err(|_| malformed())?;
        let key = &self.logs[&checkpoint.origin].key;
        // What strangers append to a note is neither stored nor shown.
        note.signatures
            .retain(|line| line.name == *key.name() && line.id == key.id());
        let cosignature =
            sign_cosignature::<Intl>(&note.text, &self.name, time_unix_s, self.signer.as_ref())
                .map_err(|_| malformed())?;
        note.signatures.push(cosignature.clone());
        let next = LogState {
            time_unix_s,
            cosigned: Some((checkpoint, note.to_string())),
        };
        Ok((next, cosignature))
    }

    /// The time to sign: never before one that was signed. A clock that was set back is not signed with at all.
    fn time(&self, last_unix_s: u64) -> Result<u64, Answer> {
        let now = u64::try_from(self.clock.now().unix_s()).unwrap_or(0);
        let mut floor = self
            .floor_unix_s
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let latest = floor.max(last_unix_s);
        if now.saturating_add(CLOCK_BEHIND_MAX_S) < latest {
            tracing::error!(now, latest, "the clock was set back; nothing is cosigned");
            return Err(text(503, "the witness's clock was set back\n"));
        }
        *floor = latest.max(now);
        Ok(*floor)
    }

    fn store(
        &self,
        origin: &str,
        next: LogState,
        state: &mut Option<LogState>,
        cosignature: NoteSignature,
    ) -> Answer {
        if let Err(error) = self.store.put(origin, &next) {
            tracing::error!(%error, origin, "the state of a log cannot be written; it is not cosigned any more");
            // Nobody knows what the disk holds now; the next process reads it back.
            *state = None;
            return text(500, "the state of this log could not be written\n");
        }
        // At this point the new state survives any crash, so the cosignature may leave.
        *state = Some(next);
        Answer {
            status: 200,
            content_type: "text/plain; charset=utf-8",
            body: encode_cosignatures(&[cosignature]),
        }
    }

    /// A log that signed what contradicts its past is evidence for everybody: two roots of one size prove it alone; for
    /// anything else what was submitted is kept for people to look at.
    fn keep_evidence(
        &self,
        origin: &str,
        request: &AddCheckpoint,
        known: &LogState,
        key: &VerifierKey<Intl>,
    ) {
        let Some((_, cosigned)) = &known.cosigned else {
            return;
        };
        let fork = Fork {
            one: cosigned.clone(),
            other: request.checkpoint.clone(),
            branch: None,
        };
        let (suffix, text) = match fork.verify(key) {
            Ok(_) => ("fork", fork.to_string()),
            Err(_) => ("request", request.to_string()),
        };
        let name = format!("{}.{suffix}", file_name(&text));
        match self.store.keep_evidence(&name, &text, self.evidence_max) {
            Ok(Some(path)) => {
                tracing::error!(origin, evidence = %path.display(), "a log contradicts what it showed before");
            }
            Ok(None) => tracing::error!(origin, "a log contradicts what it showed before"),
            Err(error) => tracing::error!(origin, %error, "evidence against a log cannot be kept"),
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn answer(refused: &WitnessRefused) -> Answer {
    match refused {
        WitnessRefused::OtherSize { size } => Answer {
            status: 409,
            content_type: SIZE_CONTENT_TYPE,
            body: encode_size(*size),
        },
        other => text(other.status(), &format!("{other}\n")),
    }
}

fn text(status: u16, body: &str) -> Answer {
    Answer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
