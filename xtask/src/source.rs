//! Rust source as far as the chores read it: files, and their text as a list of tokens.
//!
//! The tokens leave out comments and literals, so that a word in a sentence is not taken for code.
//! This is no parser: macros are seen as written, not as expanded.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

/// A word (identifier, keyword, number) or a single punctuation character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The production source of a package, sorted: everything in `src`, and `build.rs`, but no file
/// of tests and nothing generated.
///
/// # Errors
///
/// A directory cannot be read; a missing `src` counts as empty.
pub(crate) fn production_files(package: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![package.join("src")];
    while let Some(directory) = directories.pop() {
        if !directory.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type()?.is_dir() {
                if name != "tests" && name != "generated" {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
                files.push(path);
            }
        }
    }
    let build = package.join("build.rs");
    if build.exists() {
        files.push(build);
    }
    files.sort();
    Ok(files)
}

/// The tokens of a source text.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = word_length(rest);
        let length = if let Some(skipped) = skipped_length(rest) {
            skipped
        } else {
            let length = if word > 0 { word } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push(Token {
                    line,
                    text: &rest[..length],
                });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The tokens without items under `#[cfg(test)]`.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].len() >= MARK.len()
            && tokens[at..]
                .iter()
                .zip(MARK)
                .all(|(token, text)| token.text == text);
        if marked {
            at = item_end(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The index behind the item that starts at `start`: behind its `;`, or behind the `}` that closes
/// its first `{`, whichever comes first outside parentheses and brackets.
pub(crate) fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut braces = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 && depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 && braces == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The length of the word at the start, 0 if there is none.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len())
}

/// The length of the comment, literal or lifetime at the start, if there is one.
fn skipped_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment_length(text));
    }
    if text.starts_with('"') {
        return Some(quoted_length(text, '"'));
    }
    if let Some(inner) = text.strip_prefix('\'') {
        return Some(match word_length(inner) {
            // A word without a closing quote behind it is a lifetime.
            word if word > 0 && !inner[word..].starts_with('\'') => 1 + word,
            _ => quoted_length(text, '\''),
        });
    }
    raw_string_length(text)
}

/// The length of a literal with escapes, quotes included.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"`, `br#"…"#` and their like.
fn raw_string_length(text: &str) -> Option<usize> {
    let word = word_length(text);
    if !matches!(&text[..word], "r" | "br" | "cr") {
        return None;
    }
    let hashes = text[word..].bytes().take_while(|b| *b == b'#').count();
    let open = word + hashes + 1;
    if !text[word + hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text[open..].find(&close).map(|at| open + at + close.len());
    Some(end.unwrap_or(text.len()))
}

/// The length of a block comment; these nest.
fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}
