//! A record's clear parts for output: as JSON with the fields' documented names, and as one line for people.

use std::fmt::Write as _;

use lingqu_core::record::{Field, Kind, Record, Shape, flag};
use serde_json::{Map, Value, json};

/// The clear parts as JSON: numbers as numbers, bytes in hexadecimal. Commitments appear as what they are: a root.
pub(crate) fn of(record: &Record) -> Value {
    let draft = &record.draft;
    let mut clear = Map::new();
    for field in draft.clear.fields() {
        clear.insert(field.name().to_owned(), value(record, field));
    }
    let mut json = json!({
        "index": record.index,
        "time": record.time.to_string(),
        "time_us": record.time.0,
        "kind": draft.kind.name(),
        "flags": flags(draft.flags),
        "body_root": draft.body_root.to_string(),
        "clear": clear,
    });
    if draft.kind == Kind::Call {
        json["call_id"] = draft.call.to_string().into();
    }
    if let Some(index) = draft.refers_to {
        json["refers_to"] = index.into();
    }
    json
}

/// The same on one line, for people.
pub(crate) fn line(record: &Record) -> String {
    let mut line = format!(
        "{} {} {}",
        record.index,
        record.time,
        record.draft.kind.name()
    );
    if record.draft.kind == Kind::Call {
        let _ = write!(line, " {}", record.draft.call);
    }
    for flag in flags(record.draft.flags) {
        let _ = write!(line, " {flag}");
    }
    for field in record.draft.clear.fields() {
        let shown = match (field.shape(), value(record, field)) {
            // An order, a proof or balances: nothing that a person reads off a line.
            (Shape::UpTo(_), Value::String(text)) => format!("({} bytes)", text.len() / 2),
            (_, Value::String(text)) => text,
            (_, other) => other.to_string(),
        };
        let _ = write!(line, " {}={shown}", field.name());
    }
    line
}

fn value(record: &Record, field: Field) -> Value {
    let clear = &record.draft.clear;
    match field.shape() {
        Shape::Text => clear.get_text(field).into(),
        Shape::Number => clear.get_number(field).into(),
        Shape::Bytes(_) | Shape::UpTo(_) => clear.get_bytes(field).map(hex::encode).into(),
    }
}

fn flags(flags: u16) -> Vec<&'static str> {
    [
        (flag::REFUSED, "REFUSED"),
        (flag::ERROR, "ERROR"),
        (flag::LAGGED, "LAGGED"),
        (flag::WITNESSED, "WITNESSED"),
        (flag::BODY_KEPT, "BODY_KEPT"),
    ]
    .into_iter()
    .filter(|(bit, _)| flags & bit != 0)
    .map(|(_, name)| name)
    .collect()
}
