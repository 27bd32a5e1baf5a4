//! Pure packages neither touch files and sockets nor read a clock.
//!
//! The manifest shows libraries; what the standard library offers is only seen in the source. The
//! check reads words, not types: a detour (`extern crate`, a macro) is for review to see.

#[cfg(test)]
mod tests;

use crate::source::{Token, production_files, tokens, without_tests};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Modules of `std` that reach out of the process.
const MODULES: &[&str] = &["fs", "net"];

/// Types that read a clock, by whatever path they are named.
const TYPES: &[&str] = &["Instant", "SystemTime"];

/// A place where a pure package is not.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, what } = self;
        write!(
            f,
            "{}:{line}: a pure package must not use {what}",
            file.display()
        )
    }
}

/// All such places in the production source of a package.
///
/// # Errors
///
/// A file or directory cannot be read.
pub(crate) fn check(package: &Path) -> io::Result<Vec<Use>> {
    let mut found = Vec::new();
    for file in production_files(package)? {
        let text = std::fs::read_to_string(&file)?;
        found.extend(uses(&text).into_iter().map(|(line, what)| Use {
            file: file.clone(),
            line,
            what,
        }));
    }
    Ok(found)
}

/// The lines that use something impure, and what it is.
fn uses(text: &str) -> Vec<(usize, String)> {
    let all = tokens(text);
    let code = without_tests(&all);
    let mut found = Vec::new();
    for (at, token) in code.iter().enumerate() {
        if TYPES.contains(&token.text) {
            found.push((token.line, token.text.to_owned()));
        }
        if token.text == "std" {
            found.extend(
                named_in_std(&code[at + 1..])
                    .filter(|named| MODULES.contains(&named.text))
                    .map(|named| (named.line, format!("std::{}", named.text))),
            );
        }
    }
    found
}

/// The first names behind `std`: of `::name`, or of each branch of `::{name…, name…}`.
fn named_in_std<'a, 'b>(after: &'b [Token<'a>]) -> impl Iterator<Item = &'b Token<'a>> {
    let path = match after {
        [a, b, path @ ..] if a.text == ":" && b.text == ":" => path,
        _ => &[],
    };
    let is_group = path.first().is_some_and(|token| token.text == "{");
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for (at, token) in path.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ if !is_group => names.push(token),
            _ if depth == 1 && matches!(path[at - 1].text, "{" | ",") => names.push(token),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.into_iter()
}
