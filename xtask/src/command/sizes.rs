//! `cargo xtask sizes`: the largest source files and the longest functions, for reports.
//!
//! Tests and generated code do not count. Functions are found by their `fn` and measured by
//! counting braces, from the line of `fn` to the line of the closing brace: approximate where a
//! macro makes functions, exact otherwise.

#[cfg(test)]
mod tests;

use crate::source::{Token, item_end, production_files, tokens, without_tests};
use crate::workspace;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many of each are printed.
const SHOWN: usize = 10;

/// The package that consists of tests alone.
const TESTS: &str = "lingqu-tests";

/// A measured thing, and where it is: a file, or a function as `file:line name`.
#[derive(Debug, Eq, PartialEq)]
struct Size {
    lines: usize,
    place: String,
}

/// Prints both lists.
pub(crate) fn run() -> ExitCode {
    let workspace = match workspace::load() {
        Ok(workspace) => workspace,
        Err(error) => return super::failed(error),
    };
    let packages = workspace.packages.iter().filter(|p| p.name != TESTS);
    let directories: Vec<&Path> = packages.map(|p| p.directory.as_path()).collect();
    match measure(&directories) {
        Ok((files, functions)) => {
            print("largest files (lines)", files);
            println!();
            print("longest functions (lines)", functions);
            ExitCode::SUCCESS
        }
        Err(error) => super::failed(format_args!("cannot read the source: {error}")),
    }
}

fn measure(packages: &[&Path]) -> io::Result<(Vec<Size>, Vec<Size>)> {
    let (mut files, mut functions) = (Vec::new(), Vec::new());
    for package in packages {
        for file in production_files(package)? {
            let text = std::fs::read_to_string(&file)?;
            let place = relative(&file).display().to_string();
            functions.extend(
                function_sizes(&text)
                    .into_iter()
                    .map(|(name, line, lines)| Size {
                        lines,
                        place: format!("{place}:{line} {name}"),
                    }),
            );
            files.push(Size {
                lines: text.lines().count(),
                place,
            });
        }
    }
    Ok((files, functions))
}

fn relative(file: &Path) -> PathBuf {
    let inside = file.strip_prefix(workspace::root());
    inside.unwrap_or(file).to_owned()
}

/// Name, first line and number of lines of every function with a body.
fn function_sizes(text: &str) -> Vec<(&str, usize, usize)> {
    let all = tokens(text);
    let code = without_tests(&all);
    let mut sizes = Vec::new();
    for (at, pair) in code.windows(2).enumerate() {
        // A function pointer type has no name behind its `fn`.
        if pair[0].text == "fn" && is_name(pair[1]) {
            let last = code[item_end(&code, at) - 1];
            if last.text == "}" {
                sizes.push((pair[1].text, pair[0].line, last.line - pair[0].line + 1));
            }
        }
    }
    sizes
}

fn is_name(token: Token<'_>) -> bool {
    token
        .text
        .starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn print(title: &str, mut sizes: Vec<Size>) {
    sizes.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.place.cmp(&b.place)));
    println!("{title}");
    for Size { lines, place } in sizes.iter().take(SHOWN) {
        println!("{lines:>6}  {place}");
    }
}
