//! The query of a request as a form writes it (`application/x-www-form-urlencoded`), and back. Bounded; what is not
//! understood is left out.

use http::Uri;

/// Longest query that is read.
const QUERY_LEN_MAX: usize = 4 << 10;

/// The value of `name`, if it is there once or more, is text and is not empty: the first.
pub(super) fn value(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().filter(|query| query.len() <= QUERY_LEN_MAX)?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    decoded(value).filter(|value| !value.is_empty())
}

/// A query of these pairs; those without a value are left out. Names are constants of the program.
pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut query = String::from("?");
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        if query.len() > 1 {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&encoded(&value));
    }
    query
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, name: &str) -> Option<String> {
        value(&format!("/audit?{query}").parse().unwrap(), name)
    }

    #[test]
    fn what_a_form_writes_is_read_and_nothing_else() {
        for (query, expected) in [
            ("a=x", Some("x")),
            ("b=1&a=x&a=y", Some("x")),
            ("a=%E6%A0%B8+x%2B", Some("核 x+")),
            ("a=", None),
            ("a", None),
            ("b=x", None),
            ("a=%", None),
            ("a=%4", None),
            ("a=%zz", None),
            ("a=%ff", None),
            ("a=%00", None),
            ("a=%0a", None),
        ] {
            assert_eq!(read(query, "a").as_deref(), expected, "{query}");
        }
        let long = format!("a={}", "x".repeat(QUERY_LEN_MAX));
        assert_eq!(read(&long, "a"), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["核验", "a b&c=d", "\"><script>", "100%", "ÿ", "+"] {
            let query = of([("z", String::new()), ("a", text.to_owned())]);
            let safe = query
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"');
            assert!(safe && query.starts_with("?a="), "{query}");
            let uri: Uri = format!("/audit{query}").parse().unwrap();
            assert_eq!(value(&uri, "a").as_deref(), Some(text));
        }
    }
}
