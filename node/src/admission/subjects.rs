//! Tags of subjects, by which their calls are counted within a window.
//!
//! Each length of window has one key at a time, random, kept sealed in `subject-keys/`, and destroyed after its window:
//! from then on a tag in the log stands for nobody, also for this node. A clock that goes back a little stays with the
//! newer key.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lingqu_core::decide::{ClockState, Permit};
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_journal::SubjectUse;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::Node;
use crate::state::{State, create_dir};

/// Directory of the keys.
pub(crate) const DIR: &str = "subject-keys";
/// How long a key outlives its window: calls that were decided in it are about to make their tags.
const KEPT_AFTER_S: i64 = 60;
/// Windows begin at midnight of UTC+8, or a whole number of windows from one.
const UTC8_S: i64 = 8 * 3_600;

/// The keys of the current windows.
pub(crate) struct SubjectWindows {
    state: State,
    windows: Mutex<HashMap<u16, Window>>,
    /// Held by whoever writes a key.
    making: Mutex<()>,
}

/// One window and its key.
#[derive(Clone)]
struct Window {
    /// Counted from 1970 in UTC+8.
    number: i64,
    key: hmac::Key,
}

impl SubjectWindows {
    pub(crate) fn open(state: &State) -> std::io::Result<Arc<SubjectWindows>> {
        create_dir(&state.dir().join(DIR))?;
        Ok(Arc::new(SubjectWindows {
            state: state.clone(),
            windows: Mutex::default(),
            making: Mutex::default(),
        }))
    }

    /// The tag of a call about `subject` of `resource` under `permit`; none if its policy sets no limit. No data is
    /// looked at: somebody whom the register does not have is counted alike.
    ///
    /// # Errors
    /// `INTERNAL` when the window's key cannot be had.
    pub(crate) async fn tag(
        self: &Arc<Self>,
        permit: &Permit,
        resource: &str,
        subject: &[u8],
    ) -> Result<Option<SubjectUse>, ErrorCode> {
        let Some(limit) = permit.subject_limit() else {
            return Ok(None);
        };
        let hours = limit.window_hours();
        let number = number_at(permit.at(), hours);
        let window = match self.at_hand(hours, number) {
            Some(window) => window,
            // The first call of a window writes a file: not on a task that others wait for.
            None => {
                let making = Arc::clone(self);
                let made = tokio::task::spawn_blocking(move || making.make(hours, number));
                made.await.unwrap_or(Err(ErrorCode::Internal))?
            }
        };
        // Whoever asks: the tag is the subject's, of one resource, over production data or over sample data.
        let mut tag = hmac::Context::with_key(&window.key);
        tag.update(&[u8::from(permit.environment().is_production())]);
        tag.update(resource.as_bytes());
        tag.update(&[0]);
        tag.update(subject);
        let tag = tag.sign();
        Ok(Some(SubjectUse {
            tag: tag.as_ref()[..16]
                .try_into()
                .expect("an HMAC-SHA-256 tag has 32 bytes"),
            ends: end_of(window.number, hours),
        }))
    }

    /// Destroys the keys of windows that have been over for a while, so that their tags stand for nobody even if no
    /// further call comes. To be called with a clock that can be believed.
    ///
    /// # Errors
    /// What the disk said; the keys that are left are tried again with the next call of this.
    pub(crate) fn forget_ended(&self, now: Timestamp) -> std::io::Result<()> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |window: &Window, hours: u16| {
            let end = end_of(window.number, hours);
            now.unix_s() >= end.unix_s().saturating_add(KEPT_AFTER_S)
        };
        {
            let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            windows.retain(|hours, window| !is_over(window, *hours));
        }
        for (path, bytes) in self.state.read_all(&self.state.dir().join(DIR), "key")? {
            let bytes = Zeroizing::new(bytes);
            let hours = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            let (Some(hours), Some(window)) = (hours, read(&bytes)) else {
                continue;
            };
            if is_over(&window, hours) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn at_hand(&self, hours: u16, number: i64) -> Option<Window> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&hours)?;
        (window.number >= number).then(|| window.clone())
    }

    fn make(&self, hours: u16, number: i64) -> Result<Window, ErrorCode> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = self.at_hand(hours, number) {
            return Ok(window);
        }
        let unusable = |error: std::io::Error| {
            tracing::error!(%error, "cannot keep the key of a window");
            ErrorCode::Internal
        };
        let path = self.path(hours);
        let stored = match self.state.read(&path) {
            // A file of another form is damage: another key would begin the counts anew, so there is no tag.
            Ok(bytes) => read(&Zeroizing::new(bytes))
                .map(Some)
                .ok_or(ErrorCode::Internal)?
                .filter(|window| window.number >= number),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(error)),
        };
        let window = match stored {
            Some(window) => window,
            None => {
                let mut bytes = Zeroizing::new([0; 40]);
                bytes[..8].copy_from_slice(&number.to_be_bytes());
                SystemRandom::new()
                    .fill(&mut bytes[8..])
                    .map_err(|_| ErrorCode::Internal)?;
                // Durable before a tag is made with it: after a restart the same subject has the same tag.
                self.state
                    .write(&path, bytes.as_slice())
                    .map_err(unusable)?;
                read(bytes.as_slice()).ok_or(ErrorCode::Internal)?
            }
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.insert(hours, window.clone());
        Ok(window)
    }

    fn path(&self, hours: u16) -> PathBuf {
        let dir = self.state.dir().join(DIR);
        dir.join(hours.to_string()).with_extension("key")
    }
}

impl Node {
    /// Destroys the keys of windows that are over. A clock that may be wrong destroys nothing.
    pub(crate) async fn forget_subject_keys(&self) {
        if self.journal.clock_state() != ClockState::Good {
            return;
        }
        let (windows, now) = (Arc::clone(&self.subjects), self.clock.now());
        let forgotten = tokio::task::spawn_blocking(move || windows.forget_ended(now));
        if let Ok(Err(error)) = forgotten.await {
            tracing::error!(%error, "cannot destroy the key of a window that is over");
        }
    }
}

/// Number of the window, i64 big-endian, and the key.
fn read(bytes: &[u8]) -> Option<Window> {
    let bytes: &[u8; 40] = bytes.try_into().ok()?;
    let (number, key) = bytes.split_first_chunk::<8>()?;
    Some(Window {
        number: i64::from_be_bytes(*number),
        key: hmac::Key::new(hmac::HMAC_SHA256, key),
    })
}

fn number_at(at: Timestamp, hours: u16) -> i64 {
    at.unix_s()
        .saturating_add(UTC8_S)
        .div_euclid(i64::from(hours) * 3_600)
}

fn end_of(number: i64, hours: u16) -> Timestamp {
    let end = number
        .saturating_add(1)
        .saturating_mul(i64::from(hours) * 3_600);
    Timestamp::from_unix_s(end.saturating_sub(UTC8_S))
}

#[cfg(test)]
mod tests;
