//! What other programs make or judge and the repository keeps: a script with its requirements, run in a virtual
//! environment below the target directory from pinned wheels. Needs Python and a package index; tests need neither.

use crate::tools::{ToolError, python};
use crate::workspace::{self, LoadError};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

/// A script that writes files beside itself, or with `--check` only compares.
pub(super) struct Maker {
    /// Where script, requirements and results are.
    pub(super) directory: &'static str,
    /// The script. Its first argument is the directory.
    pub(super) script: &'static str,
    /// Where its environment is below the target directory.
    pub(super) environment: &'static str,
    /// A module that the environment must be able to import.
    pub(super) module: &'static str,
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

impl Maker {
    /// Runs the script and hands on whether it succeeded.
    pub(super) fn run(&self, args: &[OsString]) -> ExitCode {
        let check = match args {
            [] => false,
            [flag] if flag == "--check" => true,
            [other, ..] => {
                eprintln!("error: unexpected argument `{}`\n", other.display());
                eprint!("{}", super::usage());
                return super::USAGE_ERROR.into();
            }
        };
        match self.make(check) {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            Ok(_) => super::failed(format!("{} is not as it should be", self.directory)),
            Err(error) => super::failed(error),
        }
    }

    fn make(&self, check: bool) -> Result<ExitStatus, MakerError> {
        let directory = workspace::root().join(self.directory);
        let target = workspace::load()
            .map_err(MakerError::Load)?
            .target_directory;
        let requirements = directory.join("requirements.txt");
        let environment = target.join(self.environment);
        let python = python::bring(&requirements, &environment, self.module)
            .map_err(MakerError::Environment)?;
        let mut command = Command::new(python);
        // Warnings are about versions to come, of libraries that are pinned.
        command.args(["-W", "ignore"]);
        command.arg(directory.join(self.script)).arg(&directory);
        if check {
            command.arg("--check");
        }
        let started = command.status();
        started.map_err(|source| MakerError::Start(self.script, source))
    }
}
