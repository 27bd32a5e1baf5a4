//! Programs of others: roapi, which serves the same files with nothing in between, and the Python process that asks
//! both it and the node as any analyst's program does, and takes the time itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Failed;
use crate::measure::Round;
use crate::tools;

const SCRIPT: &str = include_str!("clients.py");

/// Where the programs are.
pub(super) struct Tools {
    python: PathBuf,
    roapi: PathBuf,
}

impl Tools {
    /// Finds what `cargo xtask peers` brings beside what cargo builds.
    pub(super) fn find() -> Result<Tools, Failed> {
        let find = |name| tools::find(name)?.map_err(Failed::NoPeers);
        Ok(Tools {
            python: find("tools/peers/bin/python")?,
            roapi: find("tools/peers/bin/roapi")?,
        })
    }
}

/// roapi on loopback; ends when this is dropped.
pub(super) struct Roapi {
    child: Child,
    /// Its HTTP.
    pub(super) http: SocketAddr,
    /// Its Flight SQL.
    pub(super) flight: SocketAddr,
}

impl Roapi {
    /// Starts it over the Parquet files `NAME.parquet` in `dir`.
    pub(super) fn start(tools: &Tools, dir: &Path, tables: &[&str]) -> Result<Roapi, Failed> {
        // Held together, so that the three differ. The ports are free again until roapi binds them.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
        let mut addresses = Vec::new();
        for listener in &held {
            match listener {
                Ok(listener) => addresses.push(listener.local_addr()?),
                Err(error) => return Err(std::io::Error::from(error.kind()).into()),
            }
        }
        drop(held);
        let mut command = Command::new(&tools.roapi);
        let options = ["--addr-http", "--addr-flight-sql", "--addr-postgres"];
        for (option, address) in options.iter().zip(&addresses) {
            command.arg(option).arg(address.to_string());
        }
        for table in tables {
            let file = dir.join(format!("{table}.parquet"));
            command
                .arg("--table")
                .arg(format!("{table}={}", file.display()));
        }
        let child = command
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Roapi {
            child,
            http: addresses[0],
            flight: addresses[1],
        })
    }
}

impl Drop for Roapi {
    fn drop(&mut self) {
        // If it has ended before, its clients have said so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python process; ends when its stdin does, so also when this is dropped.
pub(super) struct Clients {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What one round saw there.
#[derive(Deserialize)]
struct Timed {
    latencies_us: Vec<f64>,
    elapsed_s: f64,
}

impl Clients {
    /// Starts it with the file that says whom it asks what; returns when every side has answered once.
    pub(super) fn start(tools: &Tools, setting: &Path) -> Result<Clients, Failed> {
        let mut child = Command::new(&tools.python)
            .args(["-B", "-c", SCRIPT])
            .arg(setting)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || Failed::Peers("has no stdin or stdout".to_owned());
        let to = child.stdin.take().ok_or_else(gone)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(gone)?);
        let mut clients = Clients { child, to, from };
        let ready: Value = clients.read("start")?;
        match ready.as_str() {
            Some("ready") => Ok(clients),
            _ => Err(Failed::Peers("did not start".to_owned())),
        }
    }

    /// The number of flights by airline for one question, as this side tells it.
    pub(super) fn answer(
        &mut self,
        side: &str,
        number: usize,
    ) -> Result<Vec<(String, i64)>, Failed> {
        self.ask(&format!("answer {side} {number}"))
    }

    /// Asks for this long, and at least so often.
    pub(super) fn round(
        &mut self,
        side: &str,
        time: Duration,
        calls_min: usize,
    ) -> Result<Round, Failed> {
        let timed: Timed = self.ask(&format!("round {side} {} {calls_min}", time.as_secs_f64()))?;
        let elapsed = Duration::try_from_secs_f64(timed.elapsed_s)
            .map_err(|_| Failed::Peers("gave no time".to_owned()))?;
        Ok(Round::new(timed.latencies_us, elapsed))
    }

    /// Ends it; gives what ran there.
    pub(super) fn stop(mut self) -> Result<String, Failed> {
        let versions = self.ask("versions")?;
        let Clients {
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
        self.read(command)
    }

    fn read<T: DeserializeOwned>(&mut self, command: &str) -> Result<T, Failed> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err(Failed::Peers(format!("has ended at `{command}`")));
        }
        serde_json::from_str(&line)
            .map_err(|_| Failed::Peers(format!("did not understand `{command}`")))
    }
}
