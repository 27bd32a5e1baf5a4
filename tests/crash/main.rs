//! A small process that is made to be killed.
fn main() {}
