//! `cargo xtask acro [--check]`: random tables through the PyPI package `acro`, with whose outcomes the guard's are
//! compared.
//!
//! Its environment takes half a gigabyte, so it is not brought for every test run: the outcomes are committed.

use super::maker::{self, Maker};
use std::ffi::OsString;
use std::process::ExitCode;

const ACRO: Maker = Maker {
    data: "crates/guard/tests/acro",
    script: "make_cells.py",
    environment: "tools/acro",
    module: "acro",
};

/// Runs the maker and hands on whether it succeeded.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    maker::run(&ACRO, args)
}
