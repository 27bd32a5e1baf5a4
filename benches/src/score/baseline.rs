//! onnxruntime's side: a Python process that is told what to measure, line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::rows::directory;
use super::{Failed, ROWS, Round};
use crate::tools;

const SCRIPT: &str = include_str!("baseline.py");

/// The process; ends when its stdin does, so also when this is dropped.
pub(super) struct Baseline {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Baseline {
    /// Starts it.
    pub(super) fn start() -> Result<Baseline, Failed> {
        let python = python()?;
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(directory())
            .arg(ROWS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || Failed::Baseline("has no stdin or stdout".to_owned());
        let to = child.stdin.take().ok_or_else(gone)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        Ok(Baseline { child, to, from })
    }

    /// The label of every row.
    pub(super) fn labels(&mut self, model: &str) -> Result<Vec<String>, Failed> {
        self.ask(&format!("labels {model}"))
    }

    /// Scores batches of this many rows for this long.
    pub(super) fn round(
        &mut self,
        model: &str,
        batch: usize,
        time: Duration,
    ) -> Result<Round, Failed> {
        let seconds = time.as_secs_f64();
        let answer: Value = self.ask(&format!("round {model} {batch} {seconds}"))?;
        let number = |name: &str| {
            let number = answer[name].as_f64();
            number.ok_or_else(|| Failed::Baseline(format!("gave no `{name}`")))
        };
        Ok(Round {
            rows_per_s: number("rows_per_s")?,
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
        })
    }

    /// Ends it; gives what ran there.
    pub(super) fn stop(mut self) -> Result<String, Failed> {
        let versions = self.ask("versions")?;
        let Baseline {
            mut child,
            to,
            from: _,
        } = self;
        drop(to);
        child.wait()?;
        Ok(versions)
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &str) -> Result<T, Failed> {
        writeln!(self.to, "{command}")?;
        self.to.flush()?;
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(Failed::Baseline("has ended".to_owned()));
        }
        serde_json::from_str(&line)
            .map_err(|_| Failed::Baseline(format!("did not understand `{command}`")))
    }
}

/// The Python of the environment that `cargo xtask models` makes beside what cargo builds.
fn python() -> Result<PathBuf, Failed> {
    tools::find("tools/models/bin/python")?.map_err(Failed::NoPython)
}
