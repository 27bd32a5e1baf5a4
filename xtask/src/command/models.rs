//! `cargo xtask models [--check]`: the models of other libraries that the scorer is compared with.
//!
//! Makes a virtual environment below the target directory from pinned wheels, and has `make_models.py` there train,
//! export and score, or only score again what is committed. Needs Python and a package index; tests need neither.

use crate::workspace;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// Where the models, their maker and its requirements are.
const MODELS: &str = "tests/data/models";

/// Why there is no environment, or nothing was run in it.
#[derive(Debug)]
enum ModelsError {
    /// A program could not be started.
    Start(&'static str, std::io::Error),
    /// A program of the preparation ended otherwise than well; it has said why on stderr.
    Ended(&'static str, ExitStatus),
    Io(std::io::Error),
    Load(workspace::LoadError),
}

impl fmt::Display for ModelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(program, source) => write!(f, "cannot start {program}: {source}"),
            Self::Ended(program, status) => write!(f, "{program} failed: {status}"),
            Self::Io(source) => write!(f, "cannot keep the virtual environment: {source}"),
            Self::Load(source) => write!(f, "{source}"),
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
    let python = environment(&target, &models.join("requirements.txt"))?;
    let mut command = Command::new(python);
    // Warnings are about versions to come, of libraries that are pinned.
    command.args(["-W", "ignore"]);
    command.arg(models.join("make_models.py")).arg(&models);
    if check {
        command.arg("--check");
    }
    command
        .status()
        .map_err(|source| ModelsError::Start("make_models.py", source))
}

/// The Python of the virtual environment; made anew when the requirements are others than when it was made.
fn environment(target: &Path, requirements: &Path) -> Result<PathBuf, ModelsError> {
    let directory = target.join("models-venv");
    let python = directory.join("bin/python");
    let installed = directory.join("requirements.txt");
    let wanted = std::fs::read(requirements).map_err(ModelsError::Io)?;
    if std::fs::read(&installed).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&directory);
    succeed("python3 -m venv", &mut venv)?;
    let mut pip = Command::new(&python);
    // Wheels only: building a source distribution runs whatever it brings. The list is complete, so nothing else is
    // asked for.
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(requirements);
    succeed("pip install", &mut pip)?;
    // Last, so that an environment that was interrupted is made again.
    std::fs::write(&installed, wanted).map_err(ModelsError::Io)?;
    Ok(python)
}

fn succeed(program: &'static str, command: &mut Command) -> Result<(), ModelsError> {
    let status = command
        .status()
        .map_err(|source| ModelsError::Start(program, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(ModelsError::Ended(program, status))
    }
}
