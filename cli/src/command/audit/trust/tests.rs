//! Filled in by the command's tests.
