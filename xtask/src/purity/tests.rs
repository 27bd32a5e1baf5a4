//! Each way to name something impure is found, and words alike are not.

use super::*;

#[test]
fn files_sockets_and_clocks_are_found_with_their_line() {
    for (text, expected) in [
        ("use std::fs;", "std::fs"),
        ("use std::fs::File;", "std::fs"),
        ("fn f() { std::net::TcpStream::connect(a); }", "std::net"),
        ("use ::std::net::{IpAddr};", "std::net"),
        (
            "use std::{collections::{BTreeMap, BTreeSet}, fs::File};",
            "std::fs",
        ),
        ("use std::{fmt, net};", "std::net"),
        ("use std::time::SystemTime;", "SystemTime"),
        ("use std::time::{Duration, Instant};", "Instant"),
        ("fn f() { time::Instant::now(); }", "Instant"),
    ] {
        let found = uses(&format!("//! Title.\n{text}\n"));
        assert_eq!(found, [(2, expected.to_owned())], "{text}");
    }
}

#[test]
fn words_alike_are_left_alone() {
    for text in [
        "// std::fs and Instant",
        "const TEXT: &str = \"std::fs, SystemTime\";",
        "use std::fmt; use crate::fs; use crate::net::Address;",
        "use std::{fmt, path::{self, net}};",
        "struct Instantly;",
        "#[cfg(test)] mod tests { use std::fs; use std::time::Instant; }",
        "use std::time::Duration; mod fs {}",
    ] {
        assert_eq!(uses(text), [], "{text}");
    }
}
