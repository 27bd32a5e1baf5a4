//! `cargo xtask help`: what there is.

use std::process::ExitCode;

/// Prints the usage text.
pub(crate) fn run() -> ExitCode {
    print!("{}", super::usage());
    ExitCode::SUCCESS
}
