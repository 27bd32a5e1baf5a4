//! What this process logs, and where: to standard error, chosen by `LINGQU_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// The variable; its value is a filter such as `warn,lingqu_node=debug`.
const VARIABLE: &str = "LINGQU_LOG";

/// Begins logging; `default` holds where the variable is not set.
///
/// # Errors
/// [`Failure::Unusable`] for a filter that cannot be read: to log less than was asked for would go unnoticed.
pub(crate) fn begin(default: &str) -> Result<(), Failure> {
    let chosen = std::env::var(VARIABLE).unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&chosen)
        .map_err(|error| Failure::Unusable(format!("`{VARIABLE}`: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
