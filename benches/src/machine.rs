//! What the machine can do at most, measured in the same run: nothing built on it can be faster.
//!
//! A mirrored answer waits for two disks in a row and for one signature and one cosignature each of a whole group of
//! calls; so the rate of `fdatasync` and of Ed25519 explains most of what is measured.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lingqu_core::Clock;
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use tempfile::TempDir;

/// How long each limit is measured.
const TIME: Duration = Duration::from_millis(500);
/// What a frame of a few records has, in bytes.
const BLOCK: usize = 4_096;
/// Blocks of the file that is written round and round, as a preallocated segment is.
const BLOCKS: u64 = 1_024;

/// Why the limits are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unmeasured {
    /// The directory cannot be used.
    #[error("the directory for the measurement: {0}")]
    Io(#[from] io::Error),
    /// ring gave no key.
    #[error("no key for the measurement")]
    Key,
}

/// A temporary directory below `below`. If nothing is asked for and the system's place for temporary files is in
/// memory, where nothing is ever durable, it lies in the working directory.
pub(crate) fn directory(below: Option<&Path>) -> Result<TempDir, Unmeasured> {
    let place = match below {
        Some(below) => below.to_owned(),
        None => {
            let usual = std::env::temp_dir();
            if is_memory(&filesystem(&usual)) {
                std::env::current_dir()?
            } else {
                usual
            }
        }
    };
    let named = tempfile::Builder::new()
        .prefix("lingqu-bench-")
        .tempdir_in(place)?;
    Ok(named)
}

/// Megabytes of memory that this process has.
pub(crate) fn resident_mb() -> std::io::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.map(|kb| kb / 1_000.0)
        .ok_or_else(|| std::io::Error::other("the kernel does not tell VmRSS"))
}

fn is_memory(filesystem: &str) -> bool {
    matches!(filesystem, "tmpfs" | "ramfs")
}

/// Lines that say what the machine is and what it can do.
pub(crate) fn limits(dir: &Path, clock: &dyn Clock) -> Result<Vec<String>, Unmeasured> {
    let filesystem = filesystem(dir);
    let mut lines = vec![String::new(), machine(), format!("files on {filesystem}")];
    if is_memory(&filesystem) {
        lines.push("these numbers say nothing of a disk: the files are in memory".to_owned());
    }
    let (file, block) = (File::create(dir.join("limits"))?, [0x5a; BLOCK]);
    for at in 0..BLOCKS {
        file.write_all_at(&block, at * BLOCK as u64)?;
    }
    file.sync_all()?;
    let mut at = 0;
    let syncs = per_second(clock, || {
        at = (at + 1) % BLOCKS;
        file.write_all_at(&block, at * BLOCK as u64)?;
        file.sync_data()
    })?;
    fs::remove_file(dir.join("limits"))?;

    let pkcs8 =
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Unmeasured::Key)?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| Unmeasured::Key)?;
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref().to_vec());
    let message = [0x5a; 200];
    let signature = pair.sign(&message);
    let signs = per_second(clock, || {
        std::hint::black_box(pair.sign(&message));
        Ok(())
    })?;
    let verifies = per_second(clock, || {
        let verified = public.verify(&message, signature.as_ref());
        verified.map_err(|_| io::Error::other("a good signature was refused"))
    })?;
    let hashes = per_second(clock, || {
        std::hint::black_box(digest::digest(&digest::SHA256, &block));
        Ok(())
    })?;
    lines.push(format!(
        "write of 4 KiB and fdatasync, one after another: {syncs:.0}/s ({:.0} us)",
        1e6 / syncs
    ));
    lines.push(format!(
        "one core: Ed25519 signs {signs:.0}/s, verifies {verifies:.0}/s; SHA-256 {:.0} MB/s",
        hashes * BLOCK as f64 / 1e6
    ));
    Ok(lines)
}

fn per_second(
    clock: &dyn Clock,
    mut work: impl FnMut() -> io::Result<()>,
) -> Result<f64, Unmeasured> {
    let begin = clock.monotonic();
    let mut count = 0_u32;
    loop {
        work()?;
        count += 1;
        let elapsed = clock.monotonic().saturating_sub(begin);
        if elapsed >= TIME {
            return Ok(f64::from(count) / elapsed.as_secs_f64());
        }
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {model}, Linux {}", kernel.trim())
}

/// Type of the filesystem that holds `dir`, or `unknown`.
fn filesystem(dir: &Path) -> String {
    let dir: PathBuf = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    filesystem_of(&dir, &mounts).unwrap_or_else(|| "unknown".to_owned())
}

/// Finds the deepest mount point over `dir`; of two at the same place the later one is on top. Each line reads
/// `… … … … MOUNT_POINT … - TYPE …`, see proc(5).
fn filesystem_of(dir: &Path, mounts: &str) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let (mount, details) = line.split_once(" - ")?;
            let point = Path::new(mount.split(' ').nth(4)?);
            let kind = details.split(' ').next()?;
            dir.starts_with(point)
                .then(|| (point.components().count(), kind.to_owned()))
        })
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_decides() {
        let mounts =
            "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / /tmp rw shared:1 - tmpfs none rw\n";
        let of = |dir| filesystem_of(Path::new(dir), mounts);
        assert_eq!(of("/tmp/x").as_deref(), Some("tmpfs"));
        assert_eq!(of("/tmpfiles").as_deref(), Some("ext4"));
        assert_eq!(filesystem_of(Path::new("/x"), ""), None);
        assert!(is_memory("tmpfs") && !is_memory("ext4"));
    }
}
