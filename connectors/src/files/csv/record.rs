//! Where the fields of one record begin and end. Knows nothing of columns or values.

/// The characters that have a meaning besides the line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
}

/// One field, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// Whether pairs of quotes stand for one.
    pub(super) escaped: bool,
}

/// What the beginning of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A record of this many bytes, its line end included.
    Record(usize),
    /// Not yet a whole record, or nothing.
    More,
    /// A quoted field that the end of the file cuts.
    Unclosed,
    /// A quote or a carriage return where none may be.
    Malformed,
}

/// Finds the first record of `text` and puts its fields into `fields`; if it is not complete, those that are. `last`: the
/// file ends with the text.
pub(super) fn scan(text: &[u8], syntax: Syntax, last: bool, fields: &mut Vec<Field>) -> Scanned {
    fields.clear();
    if text.is_empty() {
        return Scanned::More;
    }
    let mut at = 0;
    loop {
        let found = if syntax.quote.is_some() && text.get(at).copied() == syntax.quote {
            quoted(text, at, syntax, last)
        } else {
            plain(text, at, syntax, last)
        };
        let (field, end) = match found {
            Ok(found) => found,
            Err(scanned) => return scanned,
        };
        // What follows a field decides whether the record goes on.
        match text.get(end) {
            Some(&byte) if byte == syntax.delimiter => {
                fields.push(field);
                at = end + 1;
            }
            Some(b'\n') => {
                fields.push(field);
                return Scanned::Record(end + 1);
            }
            Some(b'\r') => match text.get(end + 1) {
                Some(b'\n') => {
                    fields.push(field);
                    return Scanned::Record(end + 2);
                }
                None if !last => return Scanned::More,
                _ => return Scanned::Malformed,
            },
            None if last => {
                fields.push(field);
                return Scanned::Record(end);
            }
            None => return Scanned::More,
            Some(_) => return Scanned::Malformed,
        }
    }
}

/// A field without quotes and the place after it.
fn plain(text: &[u8], start: usize, syntax: Syntax, last: bool) -> Result<(Field, usize), Scanned> {
    let special = |byte: &u8| {
        *byte == syntax.delimiter || matches!(*byte, b'\n' | b'\r') || Some(*byte) == syntax.quote
    };
    let rest = &text[start..];
    let length = match rest.iter().position(special) {
        Some(length) if Some(rest[length]) == syntax.quote => return Err(Scanned::Malformed),
        Some(length) => length,
        None if last => rest.len(),
        None => return Err(Scanned::More),
    };
    let field = Field {
        start,
        end: start + length,
        quoted: false,
        escaped: false,
    };
    Ok((field, start + length))
}

/// A field in quotes, the first at `open`, and the place after the second.
fn quoted(text: &[u8], open: usize, syntax: Syntax, last: bool) -> Result<(Field, usize), Scanned> {
    let incomplete = if last {
        Scanned::Unclosed
    } else {
        Scanned::More
    };
    let mut at = open + 1;
    let mut escaped = false;
    loop {
        let close = text[at..]
            .iter()
            .position(|byte| Some(*byte) == syntax.quote)
            .map(|length| at + length)
            .ok_or(incomplete)?;
        match text.get(close + 1) {
            // A pair of quotes is one quote of the value.
            next if next.copied() == syntax.quote => {
                escaped = true;
                at = close + 2;
            }
            None if !last => return Err(Scanned::More),
            _ => {
                let field = Field {
                    start: open + 1,
                    end: close,
                    quoted: true,
                    escaped,
                };
                return Ok((field, close + 1));
            }
        }
    }
}
