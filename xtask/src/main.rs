//! Project chores: test, check-layers.
fn main() {}
