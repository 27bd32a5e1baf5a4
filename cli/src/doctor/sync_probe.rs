//! Whether the disk makes records durable, and how fast: the writes of the journal in small.
//!
//! A disk, hypervisor or file system that ignores flushes cannot be told from here for certain; that it answers faster
//! than any medium can is the sign that it does.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use lingqu_core::Clock;

/// Bytes of one write: a frame of the journal.
const BLOCK: usize = 4_096;
/// Writes that are measured.
const ROUNDS: usize = 32;
/// Faster than this, in the median, no medium keeps a block: flash with a protected cache needs more.
pub(crate) const SUSPICIOUS: Duration = Duration::from_micros(15);
/// Slower than this, in the median, every answer waits noticeably.
pub(crate) const SLOW: Duration = Duration::from_millis(30);

/// The median time in which one block became durable in `dir`.
///
/// # Errors
/// What the operating system said; or [`io::ErrorKind::InvalidData`] if other bytes came back than were written.
pub(crate) fn measure(dir: &Path, clock: &dyn Clock) -> io::Result<Duration> {
    let path = dir.join(format!(".lingqu-doctor-{}", std::process::id()));
    let measured = measure_in(&path, clock);
    // Whatever came of it, nothing stays behind.
    let removed = std::fs::remove_file(&path);
    let measured = measured?;
    removed?;
    Ok(measured)
}

fn measure_in(path: &Path, clock: &dyn Clock) -> io::Result<Duration> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // As in the journal: space first, so that the writes that are measured change no metadata.
    file.write_all_at(&vec![0; BLOCK * ROUNDS], 0)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let block = block(round);
        let begun = clock.monotonic();
        file.write_all_at(&block, (round * BLOCK) as u64)?;
        file.sync_data()?;
        times.push(clock.monotonic().saturating_sub(begun));
    }
    let mut found = vec![0; BLOCK];
    for round in 0..ROUNDS {
        file.read_exact_at(&mut found, (round * BLOCK) as u64)?;
        if found != block(round) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    times.sort_unstable();
    Ok(times[ROUNDS / 2])
}

/// Different bytes for each round, so that nothing is saved by comparing.
fn block(round: usize) -> Vec<u8> {
    (0..BLOCK)
        .map(|at| u8::try_from((at * 31 + round * 97) % 251).expect("less than 251"))
        .collect()
}

#[cfg(test)]
mod tests;
