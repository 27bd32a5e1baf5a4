//! `lingqu audit disclose`: one committed field of a call shown to somebody else, who can check it against the call's
//! record and learns nothing of the other field; and what `audit verify` says about such a file.
//!
//! ```text
//! lingqu/disclosure/v1
//! field answer
//! salt HEX
//! value HEX
//! sibling HEX
//!
//! the receipt (tlog-proof)
//! ```

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lingqu_core::commitment::{Disclosure, Tag};
use lingqu_core::record::{Field, Record};
use lingqu_core::trust::Trust;
use lingqu_proto::pb;
use lingqu_tlog::{Hash, Intl};
use prost::Message as _;
use serde_json::{Value, json};

use super::verify::{Verify, parse, pick, prove_receipt};
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// First line of the format.
pub(super) const MAGIC: &str = "lingqu/disclosure/v1\n";

/// `audit disclose --call DIR/CALL --field answer|request --out FILE`
#[derive(Args, Debug)]
pub(super) struct Disclose {
    /// An opened call, as `audit open` wrote it, without an ending: CALL.json and CALL.receipt · 已调阅的调用（不含扩展名）
    #[arg(long, value_name = "PATH")]
    call: PathBuf,
    /// The field that is shown · 披露的字段
    #[arg(long, value_enum, value_name = "FIELD")]
    field: FieldName,
    /// Where it goes; otherwise to standard output · 输出文件
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FieldName {
    /// What was answered.
    Answer,
    /// What was asked about whom.
    Request,
}

impl FieldName {
    fn tag(self) -> Tag {
        match self {
            FieldName::Answer => Tag::Answer,
            FieldName::Request => Tag::Request,
        }
    }

    fn word(tag: Tag) -> &'static str {
        match tag {
            Tag::Answer => "answer",
            Tag::Request => "request",
        }
    }
}

impl Disclose {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let path = self.call.with_extension("json");
        let unusable = || Failure::file(&path, "is not what `audit open` writes");
        let opened: Value = serde_json::from_str(&written::text(&path)?).map_err(|_| unusable())?;
        let bytes = |name: &str| {
            let text = opened[name].as_str().ok_or_else(unusable)?;
            hex::decode(text).map_err(|_| unusable())
        };
        let key: [u8; 32] = bytes("opening_key")?.try_into().map_err(|_| unusable())?;
        let (request, answer) = (bytes("request_hex")?, bytes("answer_hex")?);
        let receipt_text = written::text(&self.call.with_extension("receipt"))?;
        let receipt = parse(receipt_text.as_bytes())?;
        let disclosure = Disclosure::of::<Intl>(&key, &request, &answer, self.field.tag());
        let record = receipt
            .check_consistency::<Intl>()
            .map_err(|error| refused(&error))?;
        if disclosure.root::<Intl>() != record.draft.body_root {
            return Err(refused(&"the record does not commit to this"));
        }
        let text = write(&disclosure, &receipt_text);
        match &self.out {
            Some(path) => written::create(path, text.as_bytes(), Access::Owner),
            None => session.line(text.trim_end_matches('\n')),
        }
    }
}

fn write(disclosure: &Disclosure, receipt: &str) -> String {
    format!(
        "{MAGIC}field {}\nsalt {}\nvalue {}\nsibling {}\n\n{receipt}",
        FieldName::word(disclosure.tag),
        hex::encode(disclosure.salt.0),
        hex::encode(&disclosure.value),
        hex::encode(disclosure.sibling.0),
    )
}

fn read(text: &str) -> Option<(Disclosure, &str)> {
    let (head, receipt) = text.strip_prefix(MAGIC)?.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let mut line = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let tag = match line("field")? {
        "answer" => Tag::Answer,
        "request" => Tag::Request,
        _ => return None,
    };
    let hash = |text: &str| Some(Hash(hex::decode(text).ok()?.try_into().ok()?));
    let disclosure = Disclosure {
        tag,
        salt: hash(line("salt")?)?,
        value: hex::decode(line("value")?).ok()?,
        sibling: hash(line("sibling")?)?,
    };
    // One form only: what is not what `write` writes was changed by somebody.
    (write(&disclosure, receipt) == text).then_some((disclosure, receipt))
}

/// Checks a disclosed field against its record, and the record against `trusts`.
pub(super) fn verify(
    arguments: &Verify,
    bytes: &[u8],
    trusts: &[Trust<Intl>],
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| refused(&error))?;
    let (disclosure, receipt) = read(text).ok_or_else(|| refused(&"it is malformed"))?;
    let receipt = parse(receipt.as_bytes())?;
    let trust = pick(trusts, &receipt.checkpoint.origin);
    let record = match trust {
        Some(_) => prove_receipt(&receipt, trusts, arguments.accept_lagged)?.record,
        None => receipt
            .check_consistency::<Intl>()
            .map_err(|error| refused(&error))?,
    };
    if disclosure.root::<Intl>() != record.draft.body_root {
        return Err(refused(&"the record does not commit to this value"));
    }
    let value = match disclosure.tag {
        Tag::Answer => shown_answer(&record, &disclosure.value),
        Tag::Request => shown_request(&disclosure.value),
    };
    let (field, call) = (FieldName::word(disclosure.tag), record.draft.call);
    if arguments.json {
        session.json(&json!({
            "authenticated": trust.is_some(), "call_id": call.to_string(), "field": field,
            "value": value, "value_hex": hex::encode(&disclosure.value),
        }))?;
    } else {
        let word = if trust.is_some() {
            "authenticated · 已认证"
        } else {
            "consistent, NOT authenticated · 内容自洽，但未经认证"
        };
        session.line(format_args!("{word}: {call} {field} {value}"))?;
    }
    trust.map(drop).ok_or(Failure::NotAuthenticated)
}

/// A committed request for people: purpose and arguments. Null if it reads as none.
pub(super) fn shown_request(bytes: &[u8]) -> Value {
    let Ok(request) = pb::VerifyRequest::decode(bytes) else {
        return Value::Null;
    };
    let arguments = request.claims.iter().map(|claim| {
        let value = match &claim.value {
            Some(pb::claim::Value::Integer(value)) => json!(value),
            Some(pb::claim::Value::Text(value)) => json!(value),
            None => Value::Null,
        };
        (claim.field.clone(), value)
    });
    json!({
        "product": request.product,
        "purpose": request.context.map(|context| context.purpose),
        "arguments": arguments.collect::<serde_json::Map<_, _>>(),
    })
}

/// A committed answer for people, where it is short enough to be one line. Null for a table, and for a call that failed.
pub(super) fn shown_answer(record: &Record, bytes: &[u8]) -> Value {
    let action = record.draft.clear.get_text(Field::Action);
    match (action, bytes) {
        (Some("verify"), [number]) => pb::Verdict::try_from(i32::from(*number))
            .map_or(Value::Null, |verdict| {
                json!(verdict.as_str_name().trim_start_matches("VERDICT_"))
            }),
        (Some("score"), bytes) => match pb::ScoreResult::decode(bytes).map(|score| score.value) {
            Ok(Some(pb::score_result::Value::Class(class))) => json!(class),
            Ok(Some(pb::score_result::Value::Score(score))) => json!(score),
            Ok(Some(pb::score_result::Value::NotFound(_))) => json!("NOT_FOUND"),
            Ok(None) | Err(_) => Value::Null,
        },
        _ => Value::Null,
    }
}

fn refused(why: &dyn std::fmt::Display) -> Failure {
    Failure::CheckFailed {
        en: format!("the disclosure does not hold: {why}"),
        zh: "披露内容无效：与记录不符或被改动",
    }
}
