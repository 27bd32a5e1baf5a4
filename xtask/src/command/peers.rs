//! `cargo xtask peers`: what `benches statistic` and `benches connectors` are measured beside and with, in a virtual
//! environment below the target directory, from pinned wheels. Needs Python and a package index; tests need neither.

use crate::tools::{ToolError, python};
use crate::workspace::{self, LoadError};
use std::fmt;
use std::process::ExitCode;

/// What is brought.
pub(crate) const REQUIREMENTS: &str = "benches/requirements.txt";
/// Where the environment is below the target directory; `benches statistic` looks for it there.
const ENVIRONMENT: &str = "tools/peers";

/// Why they are not there.
#[derive(Debug)]
enum PeersError {
    Environment(ToolError),
    Load(LoadError),
}

impl fmt::Display for PeersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(source) => write!(f, "{source}"),
            Self::Load(source) => write!(f, "{source}"),
        }
    }
}

/// Brings them.
pub(crate) fn run() -> ExitCode {
    match bring() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(error),
    }
}

fn bring() -> Result<(), PeersError> {
    let requirements = workspace::root().join(REQUIREMENTS);
    let target = workspace::load()
        .map_err(PeersError::Load)?
        .target_directory;
    let environment = target.join(ENVIRONMENT);
    python::bring(&requirements, &environment, "adbc_driver_flightsql.dbapi")
        .map_err(PeersError::Environment)?;
    Ok(())
}
