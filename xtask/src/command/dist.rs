//! `cargo xtask dist [--profile release|dev] [--out DIR]`: everything that a machine without a network needs, in one
//! archive: the programs, unit files, sample configurations, manuals, the licences of all that is linked in, checksums.
//!
//! The same inputs make the same bytes: names are sorted, times and owners are fixed, and a release build does not know
//! where it was built. Packing is left to GNU tar, gzip and sha256sum, which every Linux has.

mod licences;
mod staging;
#[cfg(test)]
mod tests;

use crate::workspace::{self, LoadError};
use staging::Staging;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// A program of the archive.
#[derive(Clone, Copy, Debug)]
struct Program {
    package: &'static str,
    name: &'static str,
}

/// Every program of the archive. Vendors' drivers are loaded by a program of its own.
const PROGRAMS: [Program; 2] = [
    Program {
        package: "lingqu-cli",
        name: "lingqu",
    },
    Program {
        package: "lingqu-odbc",
        name: "lingqu-odbc",
    },
];
/// The time of every file in the archive unless `SOURCE_DATE_EPOCH` says another: 2026-01-01T00:00:00Z.
const EPOCH_S: &str = "1767225600";

/// Why there is no archive.
#[derive(Debug)]
enum DistError {
    /// The build failed; cargo said why.
    Build,
    File(PathBuf, io::Error),
    Load(LoadError),
    /// A tool is missing or failed.
    Tool(&'static str),
}

impl fmt::Display for DistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build => write!(f, "the programs were not built"),
            Self::File(path, source) => write!(f, "`{}`: {source}", path.display()),
            Self::Load(source) => write!(f, "{source}"),
            Self::Tool(name) => write!(f, "`{name}` is missing or failed"),
        }
    }
}

/// What the archive is made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Profile {
    Dev,
    Release,
}

/// What was asked for.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    profile: Profile,
    out: Option<PathBuf>,
}

/// Makes the archive and prints its path.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let asked = match parse(args) {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!(
                "error: {what}\n\nusage: cargo xtask dist [--profile release|dev] [--out DIR]"
            );
            return super::USAGE_ERROR.into();
        }
    };
    match make(&asked) {
        Ok(archive) => {
            println!("{}", archive.display());
            ExitCode::SUCCESS
        }
        Err(error) => super::failed(error),
    }
}

fn parse(args: &[OsString]) -> Result<Asked, String> {
    let mut asked = Asked {
        profile: Profile::Release,
        out: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .ok_or(format!("`{}` needs a value", arg.display()))
        };
        match arg.to_str() {
            Some("--profile") => {
                asked.profile = match value()?.to_str() {
                    Some("dev") => Profile::Dev,
                    Some("release") => Profile::Release,
                    _ => return Err("`--profile` is `release` or `dev`".to_owned()),
                }
            }
            Some("--out") => asked.out = Some(value()?.into()),
            _ => return Err(format!("unexpected argument `{}`", arg.display())),
        }
    }
    Ok(asked)
}

fn make(asked: &Asked) -> Result<PathBuf, DistError> {
    let target = workspace::load().map_err(DistError::Load)?.target_directory;
    let built = build(asked.profile, &target)?;
    let out = asked.out.clone().unwrap_or_else(|| target.join("dist"));
    let name = format!(
        "lingqu-{}-{}-linux",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    );
    let staging = Staging::fresh(&target.join("dist-staging"), &name)?;
    staging.fill(&built)?;
    licences::fill(&staging)?;
    checksums(&staging)?;
    std::fs::create_dir_all(&out).map_err(|error| DistError::File(out.clone(), error))?;
    let archive = pack(&staging, &out, asked.profile)?;
    staging.remove()?;
    Ok(archive)
}

/// Builds the programs, and says in which directory they are.
fn build(profile: Profile, target: &Path) -> Result<PathBuf, DistError> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--quiet", "--locked"]);
    for program in PROGRAMS {
        cargo.args(["-p", program.package, "--bin", program.name]);
    }
    let directory = match profile {
        // The build that tests and demo share.
        Profile::Dev => target.join("debug"),
        Profile::Release => {
            // A directory of its own: other flags would throw everybody else's release build away.
            let apart = target.join("dist-build");
            cargo.arg("--release").arg("--target-dir").arg(&apart);
            cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped());
            apart.join("release")
        }
    };
    match cargo.status() {
        Ok(status) if status.success() => Ok(directory),
        Ok(_) | Err(_) => Err(DistError::Build),
    }
}

/// Flags under which a binary does not know the directories of the machine that built it.
fn remapped() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let root = format!(
        "--remap-path-prefix={}=/lingqu",
        workspace::root().display()
    );
    match home {
        Some(home) => format!("--remap-path-prefix={}=/cargo\x1f{root}", home.display()),
        None => root,
    }
}

/// `SHA256SUMS` over every other file, for `sha256sum -c`.
fn checksums(staging: &Staging) -> Result<(), DistError> {
    let files = staging.files()?;
    let output = Command::new("sha256sum")
        .current_dir(staging.root())
        .env("LC_ALL", "C")
        .arg("--")
        .args(&files)
        .stdin(Stdio::null())
        .output()
        .map_err(|_| DistError::Tool("sha256sum"))?;
    if !output.status.success() {
        return Err(DistError::Tool("sha256sum"));
    }
    staging.write("SHA256SUMS", &output.stdout)
}

/// The archive, and beside it its checksum.
fn pack(staging: &Staging, out: &Path, profile: Profile) -> Result<PathBuf, DistError> {
    let file = format!("{}.tar.gz", staging.name());
    let archive = out.join(&file);
    let mtime = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| EPOCH_S.to_owned());
    let gzip = match profile {
        Profile::Dev => "gzip -n -1",
        Profile::Release => "gzip -n -9",
    };
    let tar = Command::new("tar")
        .env("LC_ALL", "C")
        .args([
            "--format=ustar",
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
        ])
        .arg(format!("--mtime=@{mtime}"))
        .args(["-I", gzip, "-C"])
        .arg(staging.parent())
        .arg("-cf")
        .arg(&archive)
        .arg(staging.name())
        .stdin(Stdio::null())
        .status();
    if !tar.is_ok_and(|status| status.success()) {
        return Err(DistError::Tool("tar"));
    }
    let sum = Command::new("sha256sum")
        .current_dir(out)
        .arg(&file)
        .output()
        .map_err(|_| DistError::Tool("sha256sum"))?;
    let beside = out.join(format!("{file}.sha256"));
    std::fs::write(&beside, sum.stdout).map_err(|error| DistError::File(beside, error))?;
    Ok(archive)
}
