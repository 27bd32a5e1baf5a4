//! ADBC's PostgreSQL driver in a Python process, which takes the time itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failed;
use super::reading::Read;
use crate::tools;

const SCRIPT: &str = include_str!("adbc_reader.py");

/// Its name in the report.
pub(super) const NAME: &str = "adbc-driver-postgresql";

/// The process; ends when its stdin does, so also when this is dropped.
pub(super) struct Adbc {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Timed {
    rows: u64,
    elapsed_s: f64,
}

impl Adbc {
    /// Connects to the server of this URI.
    pub(super) fn connect(uri: &str) -> Result<Adbc, Failed> {
        let python = tools::find("tools/peers/bin/python")?.map_err(Failed::NoPeers)?;
        let mut child = Command::new(python)
            .args(["-B", "-c", SCRIPT, uri])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || failed("it has no stdin or stdout");
        let to = child.stdin.take().ok_or_else(gone)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let mut adbc = Adbc {
            child,
            to: Some(to),
            from,
        };
        adbc.answer::<String>()?;
        Ok(adbc)
    }

    /// Reads all rows of a query.
    pub(super) fn read(&mut self, sql: &str) -> Result<Read, Failed> {
        let to = self.to.as_mut().ok_or_else(|| failed("it has ended"))?;
        writeln!(to, "{sql}")?;
        to.flush()?;
        let timed: Timed = self.answer()?;
        let elapsed = Duration::try_from_secs_f64(timed.elapsed_s);
        Ok(Read {
            rows: timed.rows,
            bytes: 0,
            elapsed: elapsed.map_err(|_| failed("it gave no time"))?,
        })
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Failed> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(failed("it ended; its stderr says why"));
        }
        serde_json::from_str(&line).map_err(|_| failed("it said something else than its numbers"))
    }
}

impl Drop for Adbc {
    fn drop(&mut self) {
        drop(self.to.take());
        // If it has ended before, whoever asked it has been told.
        let _ = self.child.wait();
    }
}

fn failed(why: &str) -> Failed {
    Failed::Reader {
        reader: NAME,
        why: why.to_owned(),
    }
}
