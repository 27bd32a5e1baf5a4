//! `cargo xtask accounting [--check]`: what PyPI `dp-accounting` says of privacy budgets, which the guard's accountant is
//! compared with.
//!
//! Has `make_accounting.py` write the table, or compare it with what is committed.

use super::maker::{self, Maker};
use std::ffi::OsString;
use std::process::ExitCode;

const ACCOUNTING: Maker = Maker {
    data: "tests/data/dp",
    script: "make_accounting.py",
    environment: "tools/accounting",
    module: "dp_accounting",
};

/// Runs the maker and hands on whether it succeeded.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    maker::run(&ACCOUNTING, args)
}
