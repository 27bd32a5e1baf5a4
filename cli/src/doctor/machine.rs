//! This machine: page size, and how many files may be open. Read from `/proc`, which every supported kernel has.

use lingqu_core::ErrorCode;

use super::{Findings, Service};

/// Files that are open besides connections: listeners, logs, configuration, databases.
const FILES_BESIDE: u64 = 128;
/// Page sizes that were tested.
const PAGE_SIZES: std::ops::RangeInclusive<u64> = 4_096..=65_536;
/// `AT_PAGESZ` of the auxiliary vector (getauxval(3)).
const AT_PAGESZ: u64 = 6;

pub(crate) fn examine(service: Option<&Service>, findings: &mut Findings) {
    let page_size = std::fs::read("/proc/self/auxv")
        .ok()
        .and_then(|auxv| page_size(&auxv));
    match page_size {
        Some(size) if PAGE_SIZES.contains(&size) => {
            findings.ok("page size", format!("{size} bytes"), format!("{size} 字节"))
        }
        size => {
            let size = size.unwrap_or(0);
            findings.warn(
                "page size",
                ErrorCode::PageSizeUntested,
                format!("{size} bytes"),
                format!("{size} 字节"),
            );
        }
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let connections = service.map_or(0, |service| service.connections_max() as u64);
    open_files(open_files_max(&limits), connections, findings);
}

/// A service takes its limit from systemd rather than from this shell; what is seen here is what a command would get.
fn open_files(max: Option<u64>, connections: u64, findings: &mut Findings) {
    let needed = connections + FILES_BESIDE;
    let max = max.unwrap_or(u64::MAX);
    if max < needed {
        findings.fail(
            "open files",
            ErrorCode::OpenFilesLow,
            format!("{max} may be open here, {needed} may be needed"),
            format!("此处最多可打开 {max} 个，可能需要 {needed} 个"),
        );
    } else {
        findings.ok(
            "open files",
            format!("enough: {needed} may be needed"),
            format!("足够，可能需要 {needed} 个"),
        );
    }
}

/// The page size in the auxiliary vector of this process: pairs of machine words.
fn page_size(auxv: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().ok().map(usize::from_ne_bytes);
    auxv.chunks_exact(2 * WORD).find_map(|pair| {
        let (kind, value) = (word(&pair[..WORD])?, word(&pair[WORD..])?);
        (kind as u64 == AT_PAGESZ).then_some(value as u64)
    })
}

/// The soft limit of open files; none where there is no limit.
fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
