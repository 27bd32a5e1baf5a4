//! `cargo xtask gen`: brings the generated code up to date.
//!
//! The generator is a package of its own, so that `xtask` itself does not wait for a protobuf
//! compiler; this command only saves remembering its name.

use crate::workspace;
use std::process::ExitCode;

/// Runs the generator and hands on whether it succeeded.
pub(crate) fn run() -> ExitCode {
    let status = workspace::cargo()
        .args(["run", "--quiet", "-p", "lingqu-codegen"])
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        // The generator has said why on stderr.
        Ok(_) => ExitCode::FAILURE,
        Err(error) => super::failed(format_args!("cannot start cargo: {error}")),
    }
}
