//! What an archive has of a stream whose records were dropped before it was written: the receipt of its last record.

use std::path::{Path, PathBuf};

use lingqu_core::receipt::Receipt;
use lingqu_core::trust::Trust;
use lingqu_tlog::Intl;

use super::ArchiveFailed;
use super::files::read;
use super::write::{create, log_dir};
use crate::succession::{DroppedEnd, consistent_end, dropped_end};

/// The file's name.
pub(super) const NAME: &str = "dropped";
/// Largest such file: a record and a proof.
const BYTES_MAX: u64 = 1 << 20;

/// Writes the receipt of the last record of a stream whose records were dropped, below `root`, where nothing of it may be.
///
/// # Errors
/// [`ArchiveFailed`].
pub fn write_dropped(root: &Path, end: &Receipt) -> Result<(), ArchiveFailed> {
    let dir = log_dir(root, &end.checkpoint.origin)?;
    std::fs::create_dir_all(&dir).map_err(|error| (dir.clone(), error))?;
    create(&dir.join(NAME), end.to_text().as_bytes())
}

/// Reads such a file.
pub(super) fn read_dropped(dir: &Path) -> Result<Receipt, ArchiveFailed> {
    let path: PathBuf = dir.join(NAME);
    let bytes = read(&path, BYTES_MAX).map_err(|error| (path.clone(), error))?;
    let text = String::from_utf8(bytes).ok();
    let receipt = text.and_then(|text| Receipt::from_text(&text).ok());
    receipt.ok_or(ArchiveFailed::Checkpoint { path })
}

/// The end that it proves, to whoever has the first of these that knows the stream.
pub(super) fn ended(
    receipt: &Receipt,
    trusts: &[Trust<Intl>],
) -> Result<DroppedEnd, ArchiveFailed> {
    let origin = &receipt.checkpoint.origin;
    let refused = |why: String| ArchiveFailed::Succession {
        origin: origin.clone(),
        why,
    };
    if trusts.is_empty() {
        return consistent_end(receipt).map_err(|why| refused(why.to_string()));
    }
    let trust = trusts.iter().find(|trust| trust.log(origin).is_some());
    let trust = trust.ok_or_else(|| refused("it is not trusted".to_owned()))?;
    dropped_end(trust, receipt).map_err(|why| refused(why.to_string()))
}
