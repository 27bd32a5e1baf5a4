//! The text folding behind the comparator `folded`: what people type differently without meaning
//! anything different.
//!
//! Deliberately small, so that it can be stated in one paragraph and checked by hand; the paragraph
//! stands at `Comparator::Folded` and is part of the published rules of a product.

#[cfg(test)]
mod tests;

/// Appends the folded `text` to `out` as UTF-8, or returns `false` once more than `max_bytes` have
/// been appended.
pub(crate) fn fold_into(text: &str, max_bytes: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut pending_space = false;
    for c in text.chars().map(half_width) {
        if c.is_whitespace() {
            // Leading white space never becomes pending, trailing white space never gets written.
            pending_space = out.len() > start;
            continue;
        }
        if pending_space {
            out.push(b' ');
            pending_space = false;
        }
        push_case_folded(c, out);
        // Checked per character, so that the buffer never outgrows its reserved capacity.
        if out.len() - start > max_bytes {
            return false;
        }
    }
    true
}

/// Maps a full-width ASCII character (U+FF01 to U+FF5E) and the ideographic space to their
/// half-width forms.
pub(crate) fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(c) - 0xFEE0).expect("the range maps onto printable ASCII")
        }
        other => other,
    }
}

fn push_case_folded(c: char, out: &mut Vec<u8>) {
    if c.is_ascii() {
        out.push((c as u8).to_ascii_lowercase());
        return;
    }
    // Lower, upper, lower: the first step takes `ẞ` to `ß`, the second `ß` to `SS` and `ς` to `Σ`,
    // the third brings all of them to small letters.
    let mut utf8 = [0; 4];
    for lower in c.to_lowercase() {
        for upper in lower.to_uppercase() {
            for folded in upper.to_lowercase() {
                out.extend_from_slice(folded.encode_utf8(&mut utf8).as_bytes());
            }
        }
    }
}
