//! Programs of others that tests need, brought to `target/tools` and kept there while nothing changes.
//!
//! A tool that cannot be brought fails the run with the reason: a test that was left out would look like one that
//! passed.

mod databases;
mod go;
mod odbc_drivers;
mod prometheus;
pub(crate) mod python;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Tells tests where MariaDB's programs are; also read, so that a machine's own can be used.
pub(crate) const MARIADB_VARIABLE: &str = "LINGQU_MARIADB";

/// Tells tests where PostgreSQL's programs are; also read.
pub(crate) const POSTGRES_VARIABLE: &str = "LINGQU_POSTGRES";

/// Tells tests where the checker built on Go's reference implementation of logs is; also read.
pub(crate) const GO_CHECKER_VARIABLE: &str = "LINGQU_GO_CHECKER";

/// Tells tests where Prometheus's checker of metrics is; also read, so that a machine's own can be used.
pub(crate) const PROMTOOL_VARIABLE: &str = "LINGQU_PROMTOOL";

/// Tells tests which Python has the clients that they run.
pub(crate) const PYTHON_VARIABLE: &str = "LINGQU_PYTHON";

/// Why a tool is not there.
#[derive(Debug)]
pub(crate) enum ToolError {
    /// A command could not be started.
    Command { command: String, source: io::Error },
    /// A command failed; the text is its own output.
    Failed { command: String, output: String },
    /// A file of the tool cannot be read or written.
    File { path: PathBuf, source: io::Error },
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { command, source } => write!(
                f,
                "cannot run `{command}`: {source}; real clients and models of other libraries need Python 3.11 or later with `venv`"
            ),
            Self::Failed { command, output } => {
                write!(f, "`{command}` failed:\n{}", output.trim_end())
            }
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

/// Brings every tool and says how tests find it.
pub(crate) fn bring(root: &Path, target: &Path) -> Result<Vec<(&'static str, PathBuf)>, ToolError> {
    let requirements = root.join("tests/clients/requirements.txt");
    let python = python::bring(&requirements, &target.join("tools/python"), "pyarrow")?;
    let named = std::env::var_os(PROMTOOL_VARIABLE);
    let promtool = prometheus::bring(named.as_deref(), &target.join("tools").join("prometheus"))?;
    let named = std::env::var_os(odbc_drivers::VARIABLE);
    let drivers = odbc_drivers::bring(named.as_deref(), &target.join("tools/odbc-drivers"))?;
    let postgres = databases::bring(&databases::POSTGRES, &target.join("tools/postgres"))?;
    let mariadb = databases::bring(&databases::MARIADB, &target.join("tools/mariadb"))?;
    let checker = go::bring(root, &target.join("tools").join("go"))?;
    Ok(vec![
        (MARIADB_VARIABLE, mariadb),
        (odbc_drivers::VARIABLE, drivers),
        (POSTGRES_VARIABLE, postgres),
        (GO_CHECKER_VARIABLE, checker),
        (PROMTOOL_VARIABLE, promtool),
        (PYTHON_VARIABLE, python),
    ])
}
