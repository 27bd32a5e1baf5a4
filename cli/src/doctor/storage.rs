//! The data directory: whose it is, on what it lies, how much room there is, and whether what is written stays.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lingqu_core::{Clock, ErrorCode};

use super::{Findings, Service, sync_probe};

/// File systems that forget everything with the power.
const VOLATILE: [&str; 2] = ["ramfs", "tmpfs"];
/// Room in bytes below which somebody should look.
const ROOM_LITTLE: u64 = 1 << 30;

pub(crate) fn examine(service: &Service, clock: &dyn Clock, findings: &mut Findings) {
    let dir = service.data_dir();
    if !directory(dir, findings) {
        return;
    }
    let Some(existing) = existing(dir) else {
        return;
    };
    medium(&existing, findings);
    room(&existing, service.segment_bytes(), findings);
    match sync_probe::measure(&existing, clock) {
        Ok(median) => durability(median, findings),
        Err(error) => findings.fail(
            "disk",
            ErrorCode::DataDirUnusable,
            format!("`{}`: {error}", existing.display()),
            format!("`{}`：{error}", existing.display()),
        ),
    }
}

/// Whether there is a directory of the service's own, or can be.
fn directory(dir: &Path, findings: &mut Findings) -> bool {
    let shown = dir.display();
    let Ok(metadata) = std::fs::metadata(dir) else {
        let parent = dir.parent().is_some_and(Path::is_dir);
        if parent {
            findings.ok(
                "directory",
                format!("`{shown}` is made at the first start"),
                format!("`{shown}` 将在首次启动时创建"),
            );
        } else {
            findings.fail(
                "directory",
                ErrorCode::DataDirUnusable,
                format!("`{shown}` is not there, nor is the directory above it"),
                format!("`{shown}` 及其上级目录均不存在"),
            );
        }
        return parent;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_dir() {
        findings.fail(
            "directory",
            ErrorCode::DataDirUnusable,
            format!("`{shown}` is no directory"),
            format!("`{shown}` 不是目录"),
        );
        return false;
    }
    if mode & 0o077 != 0 {
        findings.fail(
            "directory",
            ErrorCode::DataDirExposed,
            format!("`{shown}` has mode {mode:03o}"),
            format!("`{shown}` 的权限为 {mode:03o}"),
        );
    } else if !is_ours(metadata.uid()) {
        findings.fail(
            "directory",
            ErrorCode::DataDirUnusable,
            format!("`{shown}` belongs to user {}", metadata.uid()),
            format!("`{shown}` 归用户 {} 所有", metadata.uid()),
        );
        return false;
    } else {
        findings.ok(
            "directory",
            format!("`{shown}` is its owner's alone"),
            format!("`{shown}` 仅所有者可访问"),
        );
    }
    true
}

/// Whether this process may act as user `uid`: an administrator examines services of other users.
pub(crate) fn is_ours(uid: u32) -> bool {
    let own = std::fs::metadata("/proc/self").map(|own| own.uid());
    own.is_ok_and(|own| own == 0 || own == uid)
}

fn existing(dir: &Path) -> Option<PathBuf> {
    dir.ancestors()
        .find(|above| above.is_dir())
        .and_then(|found| found.canonicalize().ok())
}

fn medium(dir: &Path, findings: &mut Findings) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(kind) = file_system(&mounts, dir)
        && VOLATILE.contains(&kind)
    {
        findings.fail(
            "disk",
            ErrorCode::DataDirVolatile,
            format!("`{}` lies on {kind}", dir.display()),
            format!("`{}` 位于 {kind}", dir.display()),
        );
    }
}

/// The kind of file system that `path` lies on, by the deepest mount above it (proc_pid_mountinfo(5)).
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (before, after) = line.split_once(" - ")?;
        let point = Path::new(before.split(' ').nth(4)?);
        let kind = after.split(' ').next()?;
        path.starts_with(point)
            .then(|| (point.components().count(), kind))
    };
    // Of two mounts on one point the later one is on top.
    let deepest = mounts
        .lines()
        .filter_map(mount)
        .max_by_key(|(depth, _)| *depth);
    deepest.map(|(_, kind)| kind)
}

fn room(dir: &Path, segment_bytes: u64, findings: &mut Findings) {
    match rustix::fs::statvfs(dir) {
        Ok(found) => enough(
            found.f_bavail.saturating_mul(found.f_frsize),
            segment_bytes,
            findings,
        ),
        Err(error) => findings.fail(
            "room",
            ErrorCode::DataDirUnusable,
            format!("`{}`: {error}", dir.display()),
            format!("`{}`：{error}", dir.display()),
        ),
    }
}

/// A log needs the whole next segment before it writes the first record into it.
fn enough(free: u64, segment_bytes: u64, findings: &mut Findings) {
    let mib = free >> 20;
    let (en, zh) = (format!("{mib} MiB free"), format!("剩余 {mib} MiB"));
    if free < segment_bytes.saturating_mul(2) {
        findings.fail("room", ErrorCode::DiskSpaceLow, en, zh);
    } else if free < ROOM_LITTLE.max(segment_bytes.saturating_mul(8)) {
        findings.warn("room", ErrorCode::DiskSpaceLow, en, zh);
    } else {
        findings.ok("room", en, zh);
    }
}

fn durability(median: Duration, findings: &mut Findings) {
    let us = median.as_micros();
    let rate = 1_000_000 / us.max(1);
    let en = format!("a block is durable after {us} µs, {rate} a second");
    let zh = format!("单次落盘 {us} 微秒，约每秒 {rate} 次");
    if median < sync_probe::SUSPICIOUS {
        findings.warn("disk", ErrorCode::DiskSyncSuspicious, en, zh);
    } else if median > sync_probe::SLOW {
        findings.warn("disk", ErrorCode::DiskSyncSlow, en, zh);
    } else {
        findings.ok("disk", en, zh);
    }
}

#[cfg(test)]
mod tests;
