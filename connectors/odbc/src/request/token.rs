//! The tokens of a request. There are so few kinds that whatever else SQL has (comments, strings with escapes, casts,
//! semicolons, parameters) cannot even be written.

use super::RequestRefused;

/// One token, with the byte where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub(super) at: usize,
    pub(super) kind: Kind<'s>,
}

/// Kinds of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'s> {
    /// Letters; keywords are compared without regard to case.
    Word(&'s str),
    /// A quoted name, with doubled quotes undone.
    Name(String),
    /// What stands between two single quotes; it holds none itself.
    Quoted(&'s str),
    /// Digits, a minus before and a point inside.
    Number(&'s str),
    /// `,` `.` `(` `)` or a comparison.
    Sign(&'s str),
}

/// All tokens.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token<'_>>, RequestRefused> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let (kind, length) = match first {
            ' ' | '\n' | '\t' | '\r' => {
                at += 1;
                continue;
            }
            'a'..='z' | 'A'..='Z' => {
                let length = run(rest, |c| c.is_ascii_alphabetic());
                (Kind::Word(&rest[..length]), length)
            }
            '"' => name(rest).ok_or(RequestRefused::Form(at))?,
            '\'' => {
                let end = rest[1..].find('\'').ok_or(RequestRefused::Form(at))? + 1;
                (Kind::Quoted(&rest[1..end]), end + 1)
            }
            '-' | '0'..='9' => {
                let digits = run(&rest[1..], |c| c.is_ascii_digit() || c == '.');
                (Kind::Number(&rest[..=digits]), digits + 1)
            }
            ',' | '.' | '(' | ')' | '=' => (Kind::Sign(&rest[..1]), 1),
            '<' | '>' => {
                let long = matches!(rest.as_bytes().get(1), Some(b'=' | b'>'));
                let length = if long && &rest[..2] != ">>" { 2 } else { 1 };
                (Kind::Sign(&rest[..length]), length)
            }
            _ => return Err(RequestRefused::Form(at)),
        };
        found.push(Token { at, kind });
        at += length;
    }
    Ok(found)
}

/// Length of the beginning whose characters all fit.
fn run(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

/// A name in double quotes and its length in the text.
fn name(text: &str) -> Option<(Kind<'static>, usize)> {
    let mut name = String::new();
    let mut rest = text[1..].char_indices().peekable();
    while let Some((index, character)) = rest.next() {
        if character != '"' {
            name.push(character);
        } else if rest.next_if(|&(_, next)| next == '"').is_some() {
            name.push('"');
        } else {
            return Some((Kind::Name(name), index + 2));
        }
    }
    None
}
