//! `promtool`, Prometheus's own checker of metrics: the one that the machine has, or Debian's package unpacked below
//! `target`. Nothing is installed.

use super::ToolError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do where neither can be had.
const HINT: &str = "install Prometheus, or set LINGQU_PROMTOOL to its `promtool`";

/// The checker's path. `named` is what the environment says it is.
pub(super) fn bring(named: Option<&OsStr>, directory: &Path) -> Result<PathBuf, ToolError> {
    let unpacked = directory.join("usr/bin/promtool");
    let known = named.map_or_else(
        || vec![PathBuf::from("promtool"), unpacked.clone()],
        |named| vec![named.into()],
    );
    if let Some(works) = known.into_iter().find(|path| works(path)) {
        return Ok(works);
    }
    if named.is_none() {
        eprintln!("unpacking promtool into {}", directory.display());
        unpack(directory)?;
        if works(&unpacked) {
            return Ok(unpacked);
        }
    }
    Err(failed("promtool --version", HINT))
}

/// Whether it runs and is what it should be.
fn works(promtool: &Path) -> bool {
    let output = Command::new(promtool).arg("--version").output();
    output.is_ok_and(|output| output.status.success() && is_promtool(&output.stdout))
}

fn is_promtool(version: &[u8]) -> bool {
    version.starts_with(b"promtool, version ")
}

/// Downloads Debian's package, whose signature the package manager checks, and unpacks it without installing.
fn unpack(directory: &Path) -> Result<(), ToolError> {
    let file_error = |source| ToolError::File {
        path: directory.to_owned(),
        source,
    };
    std::fs::create_dir_all(directory).map_err(file_error)?;
    let download = || {
        run(Command::new("apt-get")
            .args(["download", "prometheus"])
            .current_dir(directory))
    };
    if download().is_err() {
        // The lists of packages may be old or missing; whoever may not renew them is told by the second attempt.
        let _ = run(Command::new("apt-get").arg("update"));
        download()?;
    }
    let packages = std::fs::read_dir(directory).map_err(file_error)?;
    let mut packages: Vec<PathBuf> = packages
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_package(path))
        .collect();
    packages.sort();
    let package = packages
        .pop()
        .ok_or_else(|| failed("apt-get download prometheus", HINT))?;
    run(Command::new("dpkg-deb")
        .arg("-x")
        .arg(&package)
        .arg(directory))
}

fn is_package(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with("prometheus_") && name.ends_with(".deb")
}

fn run(command: &mut Command) -> Result<(), ToolError> {
    let line: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let line = line.join(" ");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(failed(&line, &format!("{}\n{HINT}", text.trim_end())))
        }
        Err(error) => Err(failed(&line, &format!("{error}\n{HINT}"))),
    }
}

fn failed(command: &str, output: &str) -> ToolError {
    ToolError::Failed {
        command: command.to_owned(),
        output: output.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_used_or_refused_and_never_replaced() {
        let directory = std::env::temp_dir().join("lingqu-xtask-no-promtool");
        let refused = bring(Some(OsStr::new("/nonexistent/promtool")), &directory);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("LINGQU_PROMTOOL"), "{text}");
        assert!(!directory.exists());
        // A program of another name that runs is no promtool.
        assert!(bring(Some(OsStr::new("true")), &directory).is_err());
    }

    #[test]
    fn only_its_own_package_is_unpacked() {
        assert!(is_package(Path::new("/t/prometheus_2.42.0+ds-5_amd64.deb")));
        for other in [
            "prometheus-node-exporter_1.5.0_amd64.deb",
            "prometheus_2.42.0.tar",
            "x.deb",
        ] {
            assert!(!is_package(Path::new(other)), "{other}");
        }
        assert!(is_promtool(b"promtool, version 2.42.0+ds"));
        assert!(!is_promtool(b"prometheus, version 2.42.0"));
    }
}
