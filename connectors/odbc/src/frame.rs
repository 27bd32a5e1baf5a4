//! What passes through the pipe from a worker: frames of one kind byte, a length (32 bits, little-endian) and a body.
//!
//! Control frames hold one JSON [`Event`]; batch frames hold messages of one Arrow IPC stream, exactly one record batch
//! each. The reader trusts nothing of it: a driver runs in the writer's memory and may have taken it over. Lengths are
//! bounded before memory is given for them, and the order of frames is checked by `supervise`.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::failure::Failure;
use crate::types::Column;

/// Longest control frame in bytes: a table of many columns described in JSON.
const CONTROL_BYTES_MAX: u32 = 4 << 20;

const CONTROL: u8 = 1;
const BATCH: u8 = 2;

/// What a worker says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The rows will have these columns; batches follow.
    Began(Vec<Column>),
    /// The columns of the table that the job names at this place, or why there are none.
    Described {
        table: usize,
        columns: Result<Vec<Column>, Failure>,
    },
    /// All was done; this many rows were sent.
    Done { rows: u64 },
    /// Nothing more will come.
    Failed(Failure),
    /// The source is reached, and calls itself this.
    Probed { server: String },
}

/// A frame as it was received.
#[derive(Debug)]
pub(crate) enum Frame {
    Batch(Vec<u8>),
    Event(Event),
}

/// What is wrong with the bytes of a worker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The pipe ended: the worker is gone.
    #[error("the worker is gone")]
    Ended,
    /// No frame, or none that fits here.
    #[error("the worker sent garbage")]
    Garbage,
}

/// Writes one event.
///
/// # Errors
/// The pipe cannot be written, which means that nobody listens any more.
pub(crate) fn write_event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    write(out, CONTROL, &serde_json::to_vec(event)?)
}

/// Writes the bytes of one record batch.
///
/// # Errors
/// The pipe cannot be written.
pub(crate) fn write_batch(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    write(out, BATCH, body)
}

fn write(out: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    out.write_all(&[kind])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.flush()
}

/// Reads one frame. `batch_bytes_max` bounds the body of a batch.
///
/// # Errors
/// The pipe ended, or what came is no frame.
pub(crate) async fn read(
    input: &mut (impl AsyncRead + Unpin),
    batch_bytes_max: u32,
) -> Result<Frame, FrameError> {
    let mut header = [0_u8; 5];
    input
        .read_exact(&mut header)
        .await
        .map_err(|_| FrameError::Ended)?;
    let [kind, length @ ..] = header;
    let length = u32::from_le_bytes(length);
    let bytes_max = match kind {
        BATCH => batch_bytes_max,
        CONTROL => CONTROL_BYTES_MAX,
        _ => return Err(FrameError::Garbage),
    };
    if length > bytes_max {
        return Err(FrameError::Garbage);
    }
    // Memory grows with what really arrives, not with what the header promises.
    let mut body = Vec::new();
    let found = input
        .take(u64::from(length))
        .read_to_end(&mut body)
        .await
        .map_err(|_| FrameError::Ended)?;
    if found != length as usize {
        return Err(FrameError::Ended);
    }
    if kind == BATCH {
        return Ok(Frame::Batch(body));
    }
    let event = serde_json::from_slice(&body).map_err(|_| FrameError::Garbage)?;
    Ok(Frame::Event(event))
}
