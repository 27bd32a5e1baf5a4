//! Programs of others that a scenario runs: `cargo xtask` brings them below the target directory, and this finds them.

use std::path::{Path, PathBuf};

/// Finds `tools/…` beside what cargo builds.
///
/// # Errors
/// Where it should be, when it is not there.
pub(crate) fn find(tool: &str) -> std::io::Result<Result<PathBuf, String>> {
    let exe = std::env::current_exe()?;
    let found = { exe.ancestors().skip(1) }
        .map(|above| above.join(tool))
        .find(|path| path.exists());
    Ok(found.ok_or_else(|| {
        let target = exe.ancestors().nth(2).unwrap_or(Path::new("target"));
        target.join(tool).display().to_string()
    }))
}
