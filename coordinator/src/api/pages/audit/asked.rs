//! What a viewer asks of the audit page: filters and a place in the list. What is not understood is left out, and the
//! form shows what was understood.

use http::Uri;
use lingqu_core::{ErrorCode, Region, Timestamp};

use super::super::query;
use crate::audit::search::{Cursor, Filter, Kinds, Outcome};
use crate::audit::window::Class;

/// Longest value of a filter, in bytes: what a field of a record can have.
const VALUE_LEN_MAX: usize = 256;
/// Seconds by which the regulations' clock is ahead of UTC.
const UTC8_S: i64 = 8 * 3_600;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// A region within the viewer's own.
    pub(super) region: Option<Region>,
    /// The data-source unit.
    pub(super) unit: Option<String>,
    pub(super) filter: Filter,
    pub(super) before: Option<Cursor>,
}

impl Asked {
    /// Reads the query.
    pub(super) fn of(uri: &Uri) -> Asked {
        let text = |name| query::value(uri, name).filter(|value| value.len() <= VALUE_LEN_MAX);
        let filter = Filter {
            party: text("party"),
            product: text("product"),
            purpose: text("purpose"),
            outcome: text("outcome").and_then(|word| outcome(&word)),
            kinds: kinds(text("kinds").as_deref()),
            from: text("from").and_then(|time| local_time(&time)),
            until: text("until").and_then(|time| local_time(&time)),
            owners: None,
        };
        Asked {
            region: text("region").and_then(|code| code.parse().ok()),
            unit: text("unit"),
            filter,
            before: text("before").and_then(|place| cursor(&place)),
        }
    }

    /// The filters as pairs of a query, without the place in the list.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let filter = &self.filter;
        vec![
            (
                "region",
                self.region
                    .as_ref()
                    .map(Region::to_string)
                    .unwrap_or_default(),
            ),
            ("unit", of(&self.unit)),
            ("party", of(&filter.party)),
            ("product", of(&filter.product)),
            ("purpose", of(&filter.purpose)),
            ("outcome", self.outcome()),
            ("kinds", self.kinds().to_owned()),
            ("from", filter.from.map(form_time).unwrap_or_default()),
            ("until", filter.until.map(form_time).unwrap_or_default()),
        ]
    }

    /// The outcome as the form has it.
    pub(super) fn outcome(&self) -> String {
        match &self.filter.outcome {
            Some(Outcome::Class(Class::Answered)) => "answered".to_owned(),
            Some(Outcome::Class(Class::Failed)) => "failed".to_owned(),
            Some(Outcome::Class(Class::Refused)) => "refused".to_owned(),
            Some(Outcome::Class(Class::Act)) | None => String::new(),
            Some(Outcome::Code(code)) => code.clone(),
        }
    }

    /// The kinds as the form has them; calls are not said.
    pub(super) fn kinds(&self) -> &'static str {
        match self.filter.kinds {
            Kinds::Calls => "",
            Kinds::Acts => "acts",
            Kinds::All => "all",
        }
    }
}

fn outcome(word: &str) -> Option<Outcome> {
    match word {
        "answered" => Some(Outcome::Class(Class::Answered)),
        "failed" => Some(Outcome::Class(Class::Failed)),
        "refused" => Some(Outcome::Class(Class::Refused)),
        code => code
            .parse::<ErrorCode>()
            .ok()
            .map(|code| Outcome::Code(code.as_str().to_owned())),
    }
}

fn kinds(word: Option<&str>) -> Kinds {
    match word {
        Some("acts") => Kinds::Acts,
        Some("all") => Kinds::All,
        _ => Kinds::Calls,
    }
}

/// `2026-11-22T09:42` or with seconds, in UTC+8, as a form writes it.
fn local_time(text: &str) -> Option<Timestamp> {
    let seconds = if text.len() == 16 { ":00" } else { "" };
    let utc: Timestamp = format!("{text}{seconds}Z").parse().ok()?;
    (text.len() >= 16).then(|| Timestamp::from_unix_s(utc.unix_s() - UTC8_S))
}

/// The inverse of [`local_time`].
pub(super) fn form_time(time: Timestamp) -> String {
    let local = Timestamp::from_unix_s(time.unix_s() + UTC8_S).to_string();
    local.chars().take(19).collect()
}

/// A place in the list: time in µs, stream, index.
fn cursor(text: &str) -> Option<Cursor> {
    let mut parts = text.split('-');
    let (time, stream, index) = (parts.next()?, parts.next()?, parts.next()?);
    let stream = hex::decode(stream).ok()?;
    let cursor = Cursor {
        time: Timestamp(time.parse().ok()?),
        stream: stream.try_into().ok()?,
        index: index.parse().ok()?,
    };
    parts.next().is_none().then_some(cursor)
}

/// The inverse of [`cursor`].
pub(super) fn cursor_text(cursor: Cursor) -> String {
    let stream = hex::encode(cursor.stream);
    format!("{}-{stream}-{}", cursor.time.0, cursor.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::of(&format!("/audit?{query}").parse().unwrap())
    }

    #[test]
    fn what_is_asked_is_asked_again_by_the_links() {
        let before = "1795132800000001-000102030405060708090a0b0c0d0e0f-7";
        let query = format!(
            "region=4501&unit=party_u&party=party_bank&product=u.p&purpose=KYC&outcome=GRANT_EXPIRED&kinds=all\
             &from=2026-11-22T08:00&until=2026-11-22T09:00:05&before={before}"
        );
        let read = asked(&query);
        assert_eq!(read.before.map(cursor_text).as_deref(), Some(before));
        let again = query::of(read.pairs());
        let again = Asked::of(&format!("/audit{again}").parse().unwrap());
        let expected = Asked {
            before: None,
            ..read.clone()
        };
        assert_eq!(again, expected);
        // Eight in the morning there is midnight in UTC.
        assert_eq!(
            read.filter.from,
            Some("2026-11-22T00:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for query in [
            "outcome=nonsense",
            "from=yesterday",
            "from=2026-11-22",
            "until=2026-02-30T00:00",
            "from=2026-11-22T08:00:00Z",
            "before=1-00-1",
            "before=x-000102030405060708090a0b0c0d0e0f-7",
            "before=1-000102030405060708090a0b0c0d0e0f-7-8",
            "region=45x",
            "kinds=calls",
        ] {
            assert_eq!(asked(query), Asked::default(), "{query}");
        }
        let long = format!("party={}", "x".repeat(VALUE_LEN_MAX + 1));
        assert_eq!(asked(&long), Asked::default());
    }
}
