//! Generates proto/src/generated from the .proto files; its test checks that they are current.
fn main() {}
