//! Reads databases through ODBC drivers, in a process of its own.

fn main() {}
