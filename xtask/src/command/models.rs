//! `cargo xtask models [--check]`: the models of other libraries that the scorer is compared with.
//!
//! Has `make_models.py` train, export and score, or only score again what is committed.

use super::maker::{self, Maker};
use std::ffi::OsString;
use std::process::ExitCode;

/// `benches score` looks for this environment too.
const MODELS: Maker = Maker {
    data: "tests/data/models",
    script: "make_models.py",
    environment: "tools/models",
    module: "onnxruntime",
};

/// Runs the maker and hands on whether it succeeded.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    maker::run(&MODELS, args)
}
