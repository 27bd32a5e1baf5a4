//! Test data that other people's libraries make: a script, and the pinned wheels that it runs on.
//!
//! Makes a virtual environment below the target directory from the requirements beside the script. Needs Python and a
//! package index; tests need neither, since what was made is committed.

use crate::tools::{ToolError, python};
use crate::workspace::{self, LoadError};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

/// One maker.
pub(crate) struct Maker {
    /// Where the script, its requirements and what it makes are, from the root.
    pub(crate) data: &'static str,
    pub(crate) script: &'static str,
    /// Where the environment is below the target directory.
    pub(crate) environment: &'static str,
    /// What the environment must be able to import.
    pub(crate) module: &'static str,
}

/// Why nothing was made or compared.
#[derive(Debug)]
enum MakerError {
    Environment(ToolError),
    Load(LoadError),
    /// The script could not be started.
    Start(&'static str, io::Error),
}

impl fmt::Display for MakerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(source) => write!(f, "{source}"),
            Self::Load(source) => write!(f, "{source}"),
            Self::Start(script, source) => write!(f, "cannot start {script}: {source}"),
        }
    }
}

/// Runs the script, with `--check` only to compare, and hands on whether it succeeded.
pub(crate) fn run(maker: &Maker, args: &[OsString]) -> ExitCode {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        [other, ..] => {
            eprintln!("error: unexpected argument `{}`\n", other.display());
            eprint!("{}", super::usage());
            return super::USAGE_ERROR.into();
        }
    };
    match make(maker, check) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => super::failed(format_args!("{} is not as it should be", maker.data)),
        Err(error) => super::failed(error),
    }
}

fn make(maker: &Maker, check: bool) -> Result<ExitStatus, MakerError> {
    let data = workspace::root().join(maker.data);
    let target = workspace::load()
        .map_err(MakerError::Load)?
        .target_directory;
    let requirements = data.join("requirements.txt");
    let environment = target.join(maker.environment);
    let python = python::bring(&requirements, &environment, maker.module)
        .map_err(MakerError::Environment)?;
    let mut command = Command::new(python);
    // Warnings are about versions to come, of libraries that are pinned.
    command.args(["-W", "ignore"]);
    command.arg(data.join(maker.script)).arg(&data);
    if check {
        command.arg("--check");
    }
    command
        .status()
        .map_err(|source| MakerError::Start(maker.script, source))
}
