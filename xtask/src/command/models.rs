//! `cargo xtask models [--check]`: the models of other libraries that the scorer is compared with.
//!
//! `make_models.py` trains, exports and scores, or only scores again what is committed.

use super::maker::Maker;
use std::ffi::OsString;
use std::process::ExitCode;

/// `benches score` looks for the environment there too.
const MODELS: Maker = Maker {
    directory: "tests/data/models",
    script: "make_models.py",
    environment: "tools/models",
    module: "onnxruntime",
};

/// Runs the maker and hands on whether it succeeded.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    MODELS.run(args)
}
