//! The one binary, lingqu.
fn main() {}
