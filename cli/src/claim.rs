//! Claims as they stand on the command line (`name=text`, `name:=123`) or in a JSON file.

use std::collections::BTreeMap;
use std::str::FromStr;

use lingqu_proto::ClaimValue;
use serde::Deserialize;

/// One claimed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The product's field.
    pub(crate) field: String,
    /// What is claimed.
    pub(crate) value: ClaimValue,
}

/// A text that is no claim. It does not repeat the text: that is somebody's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClaimRefused {
    /// Neither form.
    #[error("a claim is `name=text` or `name:=integer`")]
    Form,
    /// After `:=` stands no whole number of 64 bits.
    #[error("after `:=` stands a whole number")]
    Integer,
}

impl FromStr for Claim {
    type Err = ClaimRefused;

    fn from_str(text: &str) -> Result<Self, ClaimRefused> {
        let (name, value) = text.split_once('=').ok_or(ClaimRefused::Form)?;
        let (field, value) = match name.strip_suffix(':') {
            Some(field) => {
                let number = value.parse().map_err(|_| ClaimRefused::Integer)?;
                (field, ClaimValue::Integer(number))
            }
            None => (name, ClaimValue::Text(value.to_owned())),
        };
        if field.is_empty() {
            return Err(ClaimRefused::Form);
        }
        Ok(Claim {
            field: field.to_owned(),
            value,
        })
    }
}

/// A value in a JSON file.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonValue {
    Integer(i64),
    Text(String),
}

/// Reads `{"name": "text", "year": 2004}`. On a shared machine a file keeps claims out of the list of processes.
///
/// # Errors
/// A constant: what stands in the file is somebody's data.
pub(crate) fn from_json(text: &str) -> Result<Vec<Claim>, &'static str> {
    let values: BTreeMap<String, JsonValue> = serde_json::from_str(text)
        .map_err(|_| "is not a JSON object of texts and whole numbers")?;
    let claim = |(field, value)| Claim {
        field,
        value: match value {
            JsonValue::Integer(number) => ClaimValue::Integer(number),
            JsonValue::Text(text) => ClaimValue::Text(text),
        },
    };
    Ok(values.into_iter().map(claim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let claim = |field: &str, value| Claim {
            field: field.to_owned(),
            value,
        };
        let text = |text: &str| ClaimValue::Text(text.to_owned());
        for (written, read) in [
            ("model=A320-214", Ok(claim("model", text("A320-214")))),
            ("note=a=b", Ok(claim("note", text("a=b")))),
            ("note=a:=b", Ok(claim("note", text("a:=b")))),
            ("empty=", Ok(claim("empty", text("")))),
            ("year:=2004", Ok(claim("year", ClaimValue::Integer(2004)))),
            ("year:=-1", Ok(claim("year", ClaimValue::Integer(-1)))),
            ("year:=x", Err(ClaimRefused::Integer)),
            ("year:=", Err(ClaimRefused::Integer)),
            ("year", Err(ClaimRefused::Form)),
            ("=x", Err(ClaimRefused::Form)),
            (":=1", Err(ClaimRefused::Form)),
        ] {
            assert_eq!(written.parse::<Claim>(), read, "{written}");
        }
    }

    #[test]
    fn a_file_gives_the_same_claims() {
        let read = from_json(r#"{"model": "A320-214", "year": 2004}"#).unwrap();
        let written: Vec<Claim> = ["model=A320-214", "year:=2004"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(read, written);
        for wrong in [
            "",
            "[]",
            r#"{"a": 1.5}"#,
            r#"{"a": null}"#,
            r#"{"a": {"b": 1}}"#,
        ] {
            assert!(from_json(wrong).is_err(), "{wrong}");
        }
    }
}
