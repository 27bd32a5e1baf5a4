//! How one page leads to the next.

use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pointer::Pointer;

/// Longest cursor in bytes.
const CURSOR_BYTES_MAX: usize = 4_096;

/// The ways that interfaces have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Paging {
    /// There is one page.
    #[default]
    None,
    /// Pages have numbers; a page with fewer rows than `size` is the last.
    Page {
        /// The parameter of the number.
        parameter: String,
        /// The first number; 1.
        #[serde(default = "one")]
        first: u64,
        /// The parameter of the size.
        size_parameter: String,
        /// Rows of a page.
        size: u64,
    },
    /// Pages begin at a row; a page with fewer rows than `size` is the last.
    Offset {
        /// The parameter of the first row, counted from 0.
        parameter: String,
        /// The parameter of the size.
        size_parameter: String,
        /// Rows of a page.
        size: u64,
    },
    /// A page has the cursor of the next; the last has none, null or an empty text.
    Cursor {
        /// The parameter of the cursor.
        parameter: String,
        /// JSON pointer to the cursor of the next page.
        pointer: String,
    },
    /// The header `Link` has the address of the next page (RFC 8288, `rel="next"`).
    Link,
}

fn one() -> u64 {
    1
}

/// What a page says of the next.
pub(super) struct Seen<'p> {
    pub(super) body: &'p RawValue,
    pub(super) rows: u64,
    pub(super) link: Option<&'p str>,
    /// Pages so far, this one included.
    pub(super) pages: u64,
    /// Rows so far, those of this one included.
    pub(super) rows_so_far: u64,
}

/// Why the next page cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// The cursor is neither text nor number, or too long.
    Cursor,
    /// The link leads to another host.
    Elsewhere,
    /// The page has more rows than it should.
    Oversized,
}

impl Paging {
    /// Whether it can work.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Paging::Page { size: 0, .. } | Paging::Offset { size: 0, .. } => {
                Err("has pages of no rows".to_owned())
            }
            Paging::Cursor { pointer, .. } if Pointer::parse(pointer).is_none() => {
                Err("has no JSON pointer to the cursor".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The address of the first page.
    pub(super) fn first(&self, table: &Url) -> Url {
        match self {
            Paging::Page {
                parameter,
                first,
                size_parameter,
                size,
            } => with(table, &[(parameter, *first), (size_parameter, *size)]),
            Paging::Offset {
                parameter,
                size_parameter,
                size,
            } => with(table, &[(parameter, 0), (size_parameter, *size)]),
            Paging::None | Paging::Cursor { .. } | Paging::Link => table.clone(),
        }
    }

    /// The address of the page after the one that was seen, if there is one.
    pub(super) fn next(&self, table: &Url, seen: &Seen<'_>) -> Result<Option<Url>, Astray> {
        match self {
            Paging::None => Ok(None),
            Paging::Page {
                parameter,
                first,
                size_parameter,
                size,
            } => full(seen, *size).map(|full| {
                let number = first.saturating_add(seen.pages);
                full.then(|| with(table, &[(parameter, number), (size_parameter, *size)]))
            }),
            Paging::Offset {
                parameter,
                size_parameter,
                size,
            } => full(seen, *size).map(|full| {
                let offset = seen.rows_so_far;
                full.then(|| with(table, &[(parameter, offset), (size_parameter, *size)]))
            }),
            Paging::Cursor { parameter, pointer } => {
                let cursor = Pointer::parse(pointer).and_then(|pointer| pointer.find(seen.body));
                let Some(cursor) = cursor.map(cursor_text).transpose()?.flatten() else {
                    return Ok(None);
                };
                let mut next = table.clone();
                next.query_pairs_mut().append_pair(parameter, &cursor);
                Ok(Some(next))
            }
            Paging::Link => {
                let Some(target) = seen.link.and_then(next_link) else {
                    return Ok(None);
                };
                let next = table.join(target).map_err(|_| Astray::Elsewhere)?;
                if next.origin() == table.origin() {
                    Ok(Some(next))
                } else {
                    Err(Astray::Elsewhere)
                }
            }
        }
    }
}

/// Whether a page is full, so that another may follow.
fn full(seen: &Seen<'_>, size: u64) -> Result<bool, Astray> {
    if seen.rows > size {
        // A server that ignores the size would be asked for rows twice.
        return Err(Astray::Oversized);
    }
    Ok(seen.rows == size)
}

fn with(table: &Url, parameters: &[(&String, u64)]) -> Url {
    let mut url = table.clone();
    for (name, value) in parameters {
        url.query_pairs_mut().append_pair(name, &value.to_string());
    }
    url
}

/// The cursor as text; `None` if it says that there is no further page.
fn cursor_text(cursor: &RawValue) -> Result<Option<String>, Astray> {
    let raw = cursor.get();
    let text = match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map_err(|_| Astray::Cursor)?,
        Some(b'-' | b'0'..=b'9') => raw.to_owned(),
        Some(b'n' | b'f') => return Ok(None),
        _ => return Err(Astray::Cursor),
    };
    if text.len() > CURSOR_BYTES_MAX {
        return Err(Astray::Cursor);
    }
    Ok(Some(text).filter(|text: &String| !text.is_empty()))
}

/// The target of the first link with `rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split(',').next().unwrap_or_default();
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let words = value.trim().trim_matches('"').split(' ');
            name.trim().eq_ignore_ascii_case("rel")
                && words
                    .into_iter()
                    .any(|word| word.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'p>(body: &'p RawValue, rows: u64, link: Option<&'p str>) -> Seen<'p> {
        Seen {
            body,
            rows,
            link,
            pages: 3,
            rows_so_far: 30,
        }
    }

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_and_offsets_go_on_while_pages_are_full() {
        let table: Url = "https://h/x?a=1".parse().unwrap();
        let body = raw("[]");
        let page: Paging =
            toml::from_str("by = \"page\"\nparameter = \"p\"\nsize_parameter = \"n\"\nsize = 10")
                .unwrap();
        assert_eq!(page.first(&table).as_str(), "https://h/x?a=1&p=1&n=10");
        let next = page.next(&table, &seen(&body, 10, None)).unwrap().unwrap();
        assert_eq!(next.as_str(), "https://h/x?a=1&p=4&n=10");
        assert_eq!(page.next(&table, &seen(&body, 9, None)), Ok(None));
        assert_eq!(
            page.next(&table, &seen(&body, 11, None)),
            Err(Astray::Oversized)
        );
        let offset: Paging =
            toml::from_str("by = \"offset\"\nparameter = \"o\"\nsize_parameter = \"n\"\nsize = 10")
                .unwrap();
        let next = offset
            .next(&table, &seen(&body, 10, None))
            .unwrap()
            .unwrap();
        assert_eq!(next.as_str(), "https://h/x?a=1&o=30&n=10");
    }

    #[test]
    fn cursors_and_links_lead_nowhere_else() {
        let table: Url = "https://h/x".parse().unwrap();
        let cursor: Paging =
            toml::from_str("by = \"cursor\"\nparameter = \"c\"\npointer = \"/next\"").unwrap();
        for (body, expected) in [
            (r#"{"next": "a&b=1"}"#, Ok(Some("https://h/x?c=a%26b%3D1"))),
            (r#"{"next": 12}"#, Ok(Some("https://h/x?c=12"))),
            (r#"{"next": null}"#, Ok(None)),
            (r#"{"next": ""}"#, Ok(None)),
            ("{}", Ok(None)),
            (r#"{"next": {"x": 1}}"#, Err(Astray::Cursor)),
        ] {
            let body = raw(body);
            let found = cursor.next(&table, &seen(&body, 1, None));
            assert_eq!(
                found.map(|url| url.map(String::from)),
                expected.map(|url| url.map(str::to_owned))
            );
        }
        let body = raw("[]");
        for (link, expected) in [
            (
                "<https://h/x?p=2>; rel=\"next\", </x>; rel=last",
                Ok(Some("https://h/x?p=2")),
            ),
            (
                "</a>; rel=prev, </x?p=3>; title=\"t\"; rel=next",
                Ok(Some("https://h/x?p=3")),
            ),
            ("<https://evil/x>; rel=next", Err(Astray::Elsewhere)),
            ("<http://h/x>; rel=next", Err(Astray::Elsewhere)),
            ("<//evil/x>; rel=next", Err(Astray::Elsewhere)),
            ("<https://h:444/x>; rel=next", Err(Astray::Elsewhere)),
            ("</x>; rel=last", Ok(None)),
            ("<unclosed", Ok(None)),
        ] {
            let found = Paging::Link.next(&table, &seen(&body, 1, Some(link)));
            assert_eq!(
                found.map(|url| url.map(String::from)),
                expected.map(|url| url.map(str::to_owned)),
                "{link}"
            );
        }
    }
}
