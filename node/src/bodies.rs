//! Request and answer of each call, kept sealed to regulators where the unit's policy says so; off otherwise.
//!
//! A body is durable before the record that says it is kept, and the record before the answer leaves. Each grant and
//! day has a key, wrapped with HPKE to every regulator that `node.toml` names; in clear it is in memory only, for that
//! day. Keys lie in `body-keys/`, sealed bodies in one log a day below `body-log/`, the unit's erasures in
//! `body-orders/`. Start reading at [`Bodies::keeping`]; `orders.rs` opens and erases.

mod day_log;
mod ended;
mod keys;
mod orders;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lingqu_core::body::{Body, BodyPlace, SALT_LEN, keep_until, seal_body};
use lingqu_core::decide::Permit;
use lingqu_core::succession::place;
use lingqu_core::{CallId, ErrorCode, GrantId, PartyId, Timestamp};
use lingqu_policy::Day;
use lingqu_proto::pb;
use prost::Message as _;
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::{LimitsSection, NodeConfig};
use crate::state::{State, create_dir};

pub(crate) use day_log::{LAYOUT, log_id};
pub(crate) use keys::is_sealing_key;
pub use status::BodiesStatus;

use day_log::DayLog;
use keys::GrantKey;

/// Directory of the logs, one a day.
pub(crate) const LOGS: &str = "body-log";
/// Directory of the wrapped keys.
pub(crate) const KEYS: &str = "body-keys";
/// Directory of the unit's orders to erase.
pub(crate) const ORDERS: &str = "body-orders";

/// Where bodies are kept.
pub(crate) struct Bodies {
    state: State,
    origin: String,
    regulators: Vec<Regulator>,
    day_bytes_max: u64,
    queue_max: usize,
    /// The log of the current day, once a body was kept on it.
    today: Mutex<Option<Arc<DayLog>>>,
    /// Held by whoever makes a log or a key: files are written, so nobody on an async thread waits for it.
    making: Mutex<()>,
    /// Held while bodies are read for an order, erased or counted.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A regulator that the unit names: whose orders are obeyed, and to whom keys are wrapped.
#[derive(Clone, Debug)]
pub(crate) struct Regulator {
    pub(crate) id: PartyId,
    /// Checks its orders.
    pub(crate) key: Vec<u8>,
    /// Its X25519 key.
    pub(crate) sealing_key: Vec<u8>,
}

/// How long what a key seals is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    /// First instant at which it may go, if the grant lives as long as it says.
    until: Timestamp,
    /// Calendar months after the grant's end, whenever that is.
    months: u16,
}

impl Term {
    /// Whether what is kept under this is kept long enough for `other`, whenever the grant ends.
    fn covers(self, other: Term) -> bool {
        self.until >= other.until && self.months >= other.months
    }
}

/// Leave to keep one call's body: there is room, and a key whose wrapped form is durable.
pub(crate) struct Keeping {
    log: Arc<DayLog>,
    key: Arc<GrantKey>,
    grant: GrantId,
    origin: String,
}

impl Bodies {
    /// Makes the directories ready, and finds out what is there.
    pub(crate) fn open(
        state: &State,
        config: &NodeConfig,
        origin: &str,
    ) -> std::io::Result<Arc<Bodies>> {
        for dir in [LOGS, KEYS, ORDERS] {
            create_dir(&state.dir().join(dir))?;
        }
        let LimitsSection {
            body_day_bytes_max,
            journal_queue_max,
            ..
        } = config.limits;
        let regulators = config.trust.regulators.iter();
        Ok(Arc::new(Bodies {
            state: state.clone(),
            // Streams of the node follow each other, and what is kept is opened whichever of them it is of.
            origin: place(origin).to_owned(),
            regulators: regulators
                .map(|regulator| Regulator {
                    id: regulator.id.clone(),
                    key: regulator.key.clone(),
                    sealing_key: regulator.sealing_key.clone(),
                })
                .collect(),
            day_bytes_max: body_day_bytes_max,
            queue_max: journal_queue_max,
            today: Mutex::default(),
            making: Mutex::default(),
            turn: Arc::default(),
        }))
    }

    /// Leave to keep the body of a call under `permit`; none if its policy keeps none. Asked for before anything is
    /// charged: a call whose body could not be kept is not begun.
    ///
    /// # Errors
    /// `AUDIT_UNAVAILABLE` when no regulator is named, the day's room is used up, or a file cannot be written.
    pub(crate) async fn keeping(
        self: &Arc<Self>,
        permit: &Permit,
    ) -> Result<Option<Keeping>, ErrorCode> {
        let Some(terms) = permit.bodies() else {
            return Ok(None);
        };
        let term = Term {
            until: keep_until(permit.grant_ends(), terms.keep_months()),
            months: terms.keep_months(),
        };
        let (day, grant) = (day_of(permit.at())?, permit.grant().clone());
        if let Some(keeping) = self.at_hand(day, &grant, term)? {
            return Ok(Some(keeping));
        }
        // The first call of a grant on a day writes files.
        let making = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || making.make(day, &grant, term));
        made.await.unwrap_or(Err(ErrorCode::Internal)).map(Some)
    }

    /// Leave without writing a file, if log and key are there.
    fn at_hand(&self, day: Day, grant: &GrantId, term: Term) -> Result<Option<Keeping>, ErrorCode> {
        let log = self.today();
        let Some(log) = log.filter(|log| log.day() == day) else {
            return Ok(None);
        };
        if log.bytes() >= self.day_bytes_max || !log.is_open() {
            tracing::error!(%day, "no more bodies can be kept today: `limits.body_day_bytes_max`");
            return Err(ErrorCode::AuditUnavailable);
        }
        let key = log.key(grant).filter(|key| key.term.covers(term));
        Ok(key.map(|key| Keeping {
            log,
            key,
            grant: grant.clone(),
            origin: self.origin.clone(),
        }))
    }

    fn make(&self, day: Day, grant: &GrantId, term: Term) -> Result<Keeping, ErrorCode> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have made it meanwhile.
        if let Some(keeping) = self.at_hand(day, grant, term)? {
            return Ok(keeping);
        }
        if self.regulators.is_empty() {
            tracing::error!(
                "a policy keeps bodies, and `trust.regulator` names nobody to seal them to"
            );
            return Err(ErrorCode::AuditUnavailable);
        }
        let log = match self.today().filter(|log| log.day() == day) {
            Some(log) => log,
            None => {
                let log = Arc::new(DayLog::open(self, day)?);
                *self.lock_today() = Some(Arc::clone(&log));
                log
            }
        };
        let (key, wrapped) = keys::make(&self.origin, &self.regulators, grant, day, term)?;
        // Durable before anything is sealed with it: a body without its key would be lost.
        self.state
            .write(&self.key_path(&wrapped), &wrapped.encode_to_vec())
            .map_err(|error| {
                tracing::error!(%error, "cannot store the key of a grant's bodies");
                ErrorCode::AuditUnavailable
            })?;
        log.add_key(grant.clone(), key);
        self.at_hand(day, grant, term)?
            .ok_or(ErrorCode::AuditUnavailable)
    }

    fn today(&self) -> Option<Arc<DayLog>> {
        self.lock_today().clone()
    }

    fn lock_today(&self) -> std::sync::MutexGuard<'_, Option<Arc<DayLog>>> {
        self.today.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.state.dir().join(name)
    }

    fn key_path(&self, key: &pb::BodyKey) -> PathBuf {
        let name = format!("{}-{}.key", key.day, hex::encode(&key.id));
        self.dir(KEYS).join(name)
    }

    /// Ends the log of the day, waiting for what is under way. Blocking.
    pub(crate) fn close(&self) {
        let log = self.lock_today().take();
        if let Some(log) = log {
            log.close();
        }
    }
}

impl Keeping {
    /// Seals a body and makes it durable.
    ///
    /// # Errors
    /// `EVALUATION_FAILED`: the answer must not leave.
    pub(crate) async fn keep(self, call: CallId, body: &Body) -> Result<(), ErrorCode> {
        const FAILED: ErrorCode = ErrorCode::EvaluationFailed;
        let mut salt = [0; SALT_LEN];
        SystemRandom::new().fill(&mut salt).map_err(|_| FAILED)?;
        let place = BodyPlace {
            origin: &self.origin,
            grant: &self.grant,
            day: self.log.day(),
            call,
        };
        let sealed = pb::SealedBody {
            call_id: call.0.to_vec(),
            grant: self.grant.to_string(),
            day: self.log.day().to_string(),
            key_id: self.key.id.to_vec(),
            salt: salt.to_vec(),
            ciphertext: seal_body(&self.key.secret, &salt, &place, body.encode()),
        };
        self.log.append(sealed.encode_to_vec()).await.ok_or(FAILED)
    }
}

/// The day of UTC+8.
fn day_of(at: Timestamp) -> Result<Day, ErrorCode> {
    let days = i32::try_from(at.day_utc8()).ok();
    days.and_then(Day::from_days).ok_or(ErrorCode::Internal)
}
