//! What a viewer asks of the page: its language, and whether it comes again by itself.
//!
//! The regulations are Chinese, and so is the page unless its reader prefers English.

use http::{HeaderMap, Uri, header};

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// The tag, in the page and in the query.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::Chinese => "zh",
            Language::English => "en",
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Language {
        match self {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }

    fn from_tag(tag: &str) -> Option<Language> {
        match tag {
            "zh" => Some(Language::Chinese),
            "en" => Some(Language::English),
            _ => None,
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) language: Language,
    pub(super) refresh: bool,
}

impl Asked {
    /// From `?lang=en&refresh=1`, and the browser's own preference. What is not understood is left out.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Asked {
        let query = uri.query().unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let preferred = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|header| header.to_str().ok())
            .and_then(preferred);
        let language = value("lang").and_then(Language::from_tag).or(preferred);
        Asked {
            language: language.unwrap_or(Language::Chinese),
            refresh: value("refresh") == Some("1"),
        }
    }
}

/// The language that an `Accept-Language` header (RFC 9110, section 12.5.4) prefers among those that there are.
fn preferred(header: &str) -> Option<Language> {
    let mut best: Option<(u32, Language)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let primary = tag.split('-').next().unwrap_or_default();
        let Some(language) = Language::from_tag(primary) else {
            continue;
        };
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(Some(1_000), weight);
        let Some(weight) = weight.filter(|weight| *weight > 0) else {
            continue;
        };
        if best.is_none_or(|(known, _)| weight > known) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A weight from 0 to 1 in thousandths.
fn weight(text: &str) -> Option<u32> {
    let weight: f32 = text.trim().parse().ok()?;
    let is_weight = (0.0..=1.0).contains(&weight);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a weight lies between 0 and 1"
    )]
    is_weight.then_some((weight * 1_000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, accepted: &str) -> Asked {
        let mut headers = HeaderMap::new();
        if !accepted.is_empty() {
            headers.insert(header::ACCEPT_LANGUAGE, accepted.parse().unwrap());
        }
        Asked::of(&path.parse().unwrap(), &headers)
    }

    #[test]
    fn chinese_unless_english_is_asked_for_or_preferred() {
        for (path, accepted, expected) in [
            ("/console", "", "zh"),
            ("/console", "en", "en"),
            ("/console", "en-GB,en;q=0.9", "en"),
            ("/console", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("/console", "en;q=0.3, zh;q=0.4", "zh"),
            ("/console", "fr, en;q=0.1", "en"),
            ("/console", "fr", "zh"),
            ("/console", "en;q=0", "zh"),
            ("/console", "en;q=9", "zh"),
            ("/console", "en;q=NaN", "zh"),
            ("/console", ";;;,,,=", "zh"),
            ("/console?lang=en", "zh", "en"),
            ("/console?lang=zh", "en", "zh"),
            ("/console?lang=EN", "", "zh"),
            ("/console?lang=%3Cscript%3E", "en", "en"),
            ("/console?x&lang=en&lang=zh", "", "en"),
        ] {
            assert_eq!(
                asked(path, accepted).language.tag(),
                expected,
                "{path} {accepted}"
            );
        }
    }

    #[test]
    fn the_page_comes_again_only_if_asked_to() {
        assert!(asked("/console?lang=en&refresh=1", "").refresh);
        assert!(!asked("/console?refresh=0", "").refresh);
        assert!(!asked("/console", "").refresh);
    }
}
