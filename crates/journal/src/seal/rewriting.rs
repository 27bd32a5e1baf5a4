//! A log written anew under other keys, frame by frame, and compared with the one it was made from.

use std::convert::Infallible;
use std::sync::Arc;

use ring::digest::{Context, Digest, SHA256};

use super::StateKeys;
use crate::store::Store;
use crate::wal::{Wal, WalError, WalOpenError, WalOptions};

/// Why a log was not written anew.
#[derive(Debug, thiserror::Error)]
pub enum ResealFailed {
    /// The new log is not the old one's: nothing may use it.
    #[error("the copy of the log differs from the log")]
    Differs,
    /// The place of the new log holds something.
    #[error("the place of the copy is not empty")]
    NotEmpty,
    /// A log does not open.
    #[error(transparent)]
    Open(WalOpenError<WalError>),
    /// The new log does not open.
    #[error(transparent)]
    Reopen(#[from] WalOpenError<Infallible>),
}

/// Copies every frame of one log into an empty store, sealed with other keys (or in clear, without), reads the copy back
/// and compares; gives the number of frames. The first store is only read, apart from what every opening mends.
///
/// Each frame is synced by itself, as it was when it was written; a log of a million frames takes minutes.
///
/// # Errors
/// [`ResealFailed`]
pub fn reseal(
    (from, from_keys): (Arc<dyn Store>, Option<Arc<StateKeys>>),
    (to, to_keys): (Arc<dyn Store>, Option<Arc<StateKeys>>),
    options: WalOptions,
) -> Result<u64, ResealFailed> {
    let empty = |_: &[u8]| Ok::<(), Infallible>(());
    let mut copy = Wal::open_with(Arc::clone(&to), options, to_keys.clone(), empty)?;
    if copy.reader().frames() > 0 {
        return Err(ResealFailed::NotEmpty);
    }
    let mut written = Sum::default();
    let original = Wal::open_with(from, options, from_keys, |payload| {
        written.add(payload);
        copy.append(payload).map(drop)
    });
    let frames = original.map_err(ResealFailed::Open)?.reader().frames();
    drop(copy);
    let mut found = Sum::default();
    let copy = Wal::open_with(to, options, to_keys, |payload| {
        found.add(payload);
        Ok::<(), Infallible>(())
    })?;
    if copy.reader().frames() != frames || found.end() != written.end() {
        return Err(ResealFailed::Differs);
    }
    Ok(frames)
}

/// A digest over payloads in order, each with its length.
struct Sum(Context);

impl Default for Sum {
    fn default() -> Self {
        Sum(Context::new(&SHA256))
    }
}

impl Sum {
    fn add(&mut self, payload: &[u8]) {
        self.0.update(&(payload.len() as u64).to_be_bytes());
        self.0.update(payload);
    }

    fn end(self) -> [u8; 32] {
        let digest: Digest = self.0.finish();
        digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}
