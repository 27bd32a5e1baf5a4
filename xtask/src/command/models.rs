//! `cargo xtask models [--check]`: the models of other libraries that the scorer is compared with.
//!
//! Makes a virtual environment below the target directory from pinned wheels, and has `make_models.py` there train,
//! export and score, or only score again what is committed. Needs Python and a package index; tests need neither.

use crate::tools::{ToolError, python};
use crate::workspace::{self, LoadError};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

/// Where the models, their maker and its requirements are.
const MODELS: &str = "tests/data/models";
/// Where the environment is below the target directory; `benches score` looks for it there too.
const ENVIRONMENT: &str = "tools/models";

/// Why nothing was made or compared.
#[derive(Debug)]
enum ModelsError {
    Environment(ToolError),
    Load(LoadError),
    /// The maker could not be started.
    Start(io::Error),
}

impl fmt::Display for ModelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(source) => write!(f, "{source}"),
            Self::Load(source) => write!(f, "{source}"),
            Self::Start(source) => write!(f, "cannot start make_models.py: {source}"),
        }
    }
}

/// Runs the maker and hands on whether it succeeded.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        [other, ..] => {
            eprintln!("error: unexpected argument `{}`\n", other.display());
            eprint!("{}", super::usage());
            return super::USAGE_ERROR.into();
        }
    };
    match make(check) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => super::failed("the models are not as they should be"),
        Err(error) => super::failed(error),
    }
}

fn make(check: bool) -> Result<ExitStatus, ModelsError> {
    let models = workspace::root().join(MODELS);
    let target = workspace::load()
        .map_err(ModelsError::Load)?
        .target_directory;
    let requirements = models.join("requirements.txt");
    let python = python::bring(&requirements, &target.join(ENVIRONMENT), "onnxruntime")
        .map_err(ModelsError::Environment)?;
    let mut command = Command::new(python);
    // Warnings are about versions to come, of libraries that are pinned.
    command.args(["-W", "ignore"]);
    command.arg(models.join("make_models.py")).arg(&models);
    if check {
        command.arg("--check");
    }
    command.status().map_err(ModelsError::Start)
}
