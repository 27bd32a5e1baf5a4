//! Generates `proto/src/generated` from the `.proto` files: message types, clients, servers, the
//! descriptor set and the list of all RPCs.
//!
//! The generated files are committed, and this program is a package of its own, so that nobody
//! who builds the workspace waits for a protobuf compiler. The test `generated_code_is_current`
//! keeps the committed files equal to what the `.proto` files say.
//!
//! Out of scope: conversions into domain types, they are written by hand in `lingqu-proto`.
//! Start reading at [`generate::generate`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: what it wrote goes to stdout, what went wrong to stderr"
)]

mod generate;
mod output;
mod rpc;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The import root of the `.proto` files.
fn proto_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto")
}

/// Where the generated files are committed.
fn generated_dir() -> PathBuf {
    proto_root().join("src/generated")
}

fn main() -> ExitCode {
    let written = generate::generate(&proto_root())
        .map_err(|error| error.to_string())
        .and_then(|files| {
            output::write(&files, &generated_dir()).map_err(|error| error.to_string())?;
            Ok(files)
        });
    match written {
        Ok(files) => {
            for (name, content) in &files {
                println!("proto/src/generated/{name}: {} bytes", content.len());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
