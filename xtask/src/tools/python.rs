//! A virtual environment with exactly the packages of one requirements file, each checked against its hashes.

#[cfg(test)]
mod tests;

use super::ToolError;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Within the environment: the requirements that it was made from. Written last, so that an environment that was left
/// half made is made again.
const MADE_FROM: &str = "made-from-requirements.txt";

/// The environment's interpreter. The environment is made anew unless it was made from the same requirements and can
/// still import `module`.
pub(crate) fn bring(
    requirements: &Path,
    environment: &Path,
    module: &str,
) -> Result<PathBuf, ToolError> {
    let wanted = read(requirements)?;
    let python = environment.join("bin").join("python");
    let made_from = environment.join(MADE_FROM);
    if is_current(&wanted, &made_from)? && works(&python, module) {
        return Ok(python);
    }
    eprintln!("making the Python environment {}", environment.display());
    remove(environment)?;
    if let Some(parent) = environment.parent() {
        std::fs::create_dir_all(parent).map_err(file_error(parent))?;
    }
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(environment))?;
    // Only wheels, so that nothing of a package runs while it is installed; only with their hashes, so that it is what
    // was tested; without looking for further packages, since the file names all of them.
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--no-input"])
        .args(["--require-hashes", "--only-binary", ":all:", "--no-deps"])
        .arg("--requirement")
        .arg(requirements))?;
    std::fs::write(&made_from, wanted).map_err(file_error(&made_from))?;
    Ok(python)
}

fn read(path: &Path) -> Result<String, ToolError> {
    std::fs::read_to_string(path).map_err(file_error(path))
}

fn is_current(wanted: &str, made_from: &Path) -> Result<bool, ToolError> {
    match std::fs::read_to_string(made_from) {
        Ok(found) => Ok(found == wanted),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(file_error(made_from)(error)),
    }
}

/// Whether the interpreter still runs: the system's own, which it stands on, may have been replaced.
fn works(python: &Path, module: &str) -> bool {
    let import = format!("import {module}");
    let output = Command::new(python).args(["-c", &import]).output();
    output.is_ok_and(|output| output.status.success())
}

fn remove(environment: &Path) -> Result<(), ToolError> {
    match std::fs::remove_dir_all(environment) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file_error(environment)(error)),
    }
}

fn run(command: &mut Command) -> Result<(), ToolError> {
    let line = line(command);
    let output = command.output().map_err(|source| ToolError::Command {
        command: line.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(ToolError::Failed {
        command: line,
        output: text,
    })
}

/// The command as it would be typed.
fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> ToolError {
    move |source| ToolError::File {
        path: path.to_owned(),
        source,
    }
}
