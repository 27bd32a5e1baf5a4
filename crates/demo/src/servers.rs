//! Database servers that a demonstration, a test or a measurement starts for itself, in a directory of its own and on a
//! loopback port, and that end with it.
//!
//! The programs are those that an environment variable names, those of the machine, or those that `cargo xtask` brought
//! beside what cargo builds. Nothing of the system is touched. Start reading at [`Postgres::start`].

mod mariadb;
mod postgres;
mod programs;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

pub use mariadb::MariaDb;
pub use postgres::Postgres;

/// Certificate and key (PEM) with which a server proves itself.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerFailed {
    /// Its programs are nowhere.
    #[error(
        "there is no `{program}` on this machine: install {package}, run `cargo xtask test` once, which brings it, or set {variable} to its directory"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// What has it.
        package: &'static str,
        /// What can name it.
        variable: &'static str,
    },
    /// A program said no.
    #[error("`{program}` failed:\n{output}")]
    Program {
        /// The program.
        program: String,
        /// What it said.
        output: String,
    },
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
}

fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServerFailed {
    let what = what.into();
    move |source| ServerFailed::Io { what, source }
}

/// A port that nobody listens on now. Somebody else may take it before the server does; then the server says so.
fn free_port() -> Result<u16, ServerFailed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(doing("looking for a port"))?.port())
}

/// A directory below the system's place for temporary files, with a short path: a Unix socket's has 107 bytes at most.
fn directory(name: &str) -> Result<tempfile::TempDir, ServerFailed> {
    tempfile::Builder::new()
        .prefix(&format!("lingqu-{name}-"))
        .tempdir()
        .map_err(doing("making a directory"))
}

/// The end of a log file, for an error.
fn tail(path: &std::path::Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Directories that may hold a program, most wanted first: what is named counts alone.
fn places(variable: &str, usual: impl FnOnce() -> Vec<PathBuf>) -> Vec<PathBuf> {
    match std::env::var_os(variable) {
        Some(named) => vec![named.into()],
        None => usual(),
    }
}
