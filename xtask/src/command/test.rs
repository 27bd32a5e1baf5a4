//! `cargo xtask test [ARGS]`: every test of the workspace, then a search of all its output.
//!
//! Runs `cargo test` (unit, integration and documentation tests), going on after a failure, and
//! hands on its output as it comes. The clients that tests talk to a node with are brought first
//! (`tools`). What was printed and what tests logged into
//! `LINGQU_TEST_LOG_DIR` is then searched for canaries. An ignored test fails the run: it would
//! look like a promise that is kept.

#[cfg(test)]
mod tests;
mod totals;

use crate::canaries::{self, CanaryError};
use crate::tools::{self, ToolError};
use crate::workspace::{self, LoadError};
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;
use totals::Totals;

/// Where tests put the logs of what they run.
const LOG_DIR_VARIABLE: &str = "LINGQU_TEST_LOG_DIR";

/// The packages whose tests talk to other programs.
const WITH_TOOLS: [&str; 4] = [
    "lingqu-connectors",
    "lingqu-demo",
    "lingqu-odbc",
    "lingqu-tests",
];

/// How long output may stay open after `cargo test` has ended.
const LEFT_BEHIND_MAX: Duration = Duration::from_secs(10);

/// Why a test run says nothing about the workspace.
#[derive(Debug)]
enum TestError {
    Canaries(CanaryError),
    /// A process that a test started still holds the output open.
    LeftBehind,
    Load(LoadError),
    /// Output could not be passed on or kept, so it could not be searched either.
    Output(io::Error),
    Tool(ToolError),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canaries(source) => write!(f, "{source}"),
            Self::LeftBehind => write!(f, "a test left a process behind that is still running"),
            Self::Load(source) => write!(f, "{source}"),
            Self::Output(source) => {
                write!(f, "cannot run cargo test and keep its output: {source}")
            }
            Self::Tool(source) => write!(f, "{source}"),
        }
    }
}

/// Runs the tests; the exit code is that of `cargo test`, or 1 for what was found afterwards.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    match run_and_search(args) {
        Ok(code) => code,
        Err(error) => super::failed(error),
    }
}

fn run_and_search(args: &[OsString]) -> Result<ExitCode, TestError> {
    // Read first: a run whose output could not be searched would be for nothing.
    let list = workspace::root().join(canaries::LIST);
    let canaries = canaries::read(&list).map_err(TestError::Canaries)?;
    let target = workspace::load().map_err(TestError::Load)?.target_directory;
    let logs = fresh_directory(&target).map_err(TestError::Output)?;
    let printed = logs.join("cargo-test.log");

    let tools = if needs_tools(args) {
        tools::bring(workspace::root(), &target).map_err(TestError::Tool)?
    } else {
        Vec::new()
    };

    let status = cargo_test(args, &tools, &logs, &printed)?;
    let output = std::fs::read(&printed).map_err(TestError::Output)?;
    let totals = Totals::of(&String::from_utf8_lossy(&output));
    // Whoever closes our output (`| head`) still gets a complete and searched run.
    let _ = writeln!(io::stdout(), "\n{totals}");

    let hits = canaries::search(&logs, &canaries).map_err(TestError::Canaries)?;
    for hit in &hits {
        eprintln!("{hit}");
    }
    Ok(if !hits.is_empty() {
        super::failed(format_args!("canaries came out in {} lines", hits.len()))
    } else if !status.success() {
        eprintln!("output kept in {}", logs.display());
        exit_code(status)
    } else if totals.ignored > 0 {
        super::failed(format_args!("{} tests are ignored", totals.ignored))
    } else {
        // Only a run that found something leaves its output behind.
        std::fs::remove_dir_all(&logs).map_err(TestError::Output)?;
        ExitCode::SUCCESS
    })
}

/// A directory for this run alone.
fn fresh_directory(target: &Path) -> io::Result<PathBuf> {
    let directory = target
        .join("test-logs")
        .join(std::process::id().to_string());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Runs `cargo test`, with both its outputs in one pipe so that their order is kept.
fn cargo_test(
    args: &[OsString],
    tools: &[(&'static str, PathBuf)],
    logs: &Path,
    printed: &Path,
) -> Result<ExitStatus, TestError> {
    let (reader, writer) = io::pipe().map_err(TestError::Output)?;
    let file = File::create(printed).map_err(TestError::Output)?;
    let mut command = workspace::cargo();
    command.args(["test", "--no-fail-fast"]);
    if !names_packages(args) {
        command.arg("--workspace");
    }
    command
        .args(args)
        .env(LOG_DIR_VARIABLE, logs)
        .envs(tools.iter().cloned())
        .stdout(writer.try_clone().map_err(TestError::Output)?)
        .stderr(writer);
    let mut child = command.spawn().map_err(TestError::Output)?;
    // The command holds this process's own writing ends, and reading ends only with the last one.
    drop(command);

    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        // The receiver is gone only if the run was given up; then nobody asks.
        let _ = done.send(copy(reader, file, io::stdout()));
    });
    let status = child.wait().map_err(TestError::Output)?;
    match finished.recv_timeout(LEFT_BEHIND_MAX) {
        Ok(copied) => copied.map_err(TestError::Output)?,
        Err(_) => return Err(TestError::LeftBehind),
    }
    Ok(status)
}

/// Whether packages are chosen whose tests talk to programs of others.
fn needs_tools(args: &[OsString]) -> bool {
    let mut named = args.iter().map(|arg| arg.to_string_lossy());
    let needs = |arg: &str| WITH_TOOLS.iter().any(|package| arg.contains(package));
    !names_packages(args) || named.any(|arg| needs(&arg) || arg == "--workspace")
}

/// Whether the arguments choose packages themselves.
fn names_packages(args: &[OsString]) -> bool {
    args.iter()
        .map(|arg| arg.to_string_lossy())
        .take_while(|arg| arg != "--")
        .any(|arg| {
            arg == "--workspace"
                || arg.starts_with("--package")
                || (arg.starts_with("-p") && !arg.starts_with("--"))
        })
}

/// Copies everything to both outputs, as it comes.
fn copy(mut from: impl Read, mut kept: impl Write, mut shown: impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return kept.flush(),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        kept.write_all(&buffer[..length])?;
        // A closed output ends the showing, not the run, as above.
        let _ = shown
            .write_all(&buffer[..length])
            .and_then(|()| shown.flush());
    }
}

/// The exit code to hand on; a run ended by a signal has none and counts as failed.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
