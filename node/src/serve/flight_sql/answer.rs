//! An answer as an Arrow stream: what was released, with its call id and receipt in the schema's metadata.
//!
//! Clients drop the metadata of the stream when `FlightInfo` has a schema of its own; that is why it has none there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, Schema};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lingqu_core::product::Load;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_proto::{Score, ScoreValue, receipt_to_pb};
use prost::Message;
use serde_json::json;

use crate::call::Answer;
use crate::evaluate::AnswerValue;
use crate::serve::words::{level_word, verdict_zh};
use crate::visible::{score_schema, verdict_schema};

/// The class of a subject that is not in the register, where the grant reveals it. No product has a class of this name.
const NOT_FOUND: &str = "NOT_FOUND";

/// The answer's rows, with everything that proves it in the metadata.
pub(super) fn batch(
    answer: &Answer,
    receipt: &Receipt,
    level: Level,
) -> Result<RecordBatch, ArrowError> {
    let rows = match answer.value.as_ref() {
        AnswerValue::Verdict(verdict) => RecordBatch::try_new(
            verdict_schema(),
            vec![
                Arc::new(StringArray::from(vec![verdict.as_str()])) as ArrayRef,
                Arc::new(StringArray::from(vec![verdict_zh(*verdict)])),
            ],
        )?,
        AnswerValue::Score(score) => score_row(score)?,
        AnswerValue::Table(table) => table.rows.clone(),
    };
    let schema = Schema::clone(&rows.schema());
    let mut metadata = schema.metadata().clone();
    metadata.extend(proof(answer, receipt, level));
    rows.with_schema(Arc::new(schema.with_metadata(metadata)))
}

fn score_row(score: &Score) -> Result<RecordBatch, ArrowError> {
    let (class, number) = match &score.value {
        ScoreValue::Class(class) => (Some(class.as_str()), None),
        ScoreValue::NotFound => (Some(NOT_FOUND), None),
        ScoreValue::Score(number) => (None, Some(*number)),
    };
    let mut reasons = ListBuilder::new(StringBuilder::new());
    reasons.append_value(score.reasons.iter().map(Some));
    RecordBatch::try_new(
        score_schema(),
        vec![
            Arc::new(StringArray::from(vec![class])) as ArrayRef,
            Arc::new(Float64Array::from(vec![number])),
            Arc::new(reasons.finish()),
        ],
    )
}

fn proof(answer: &Answer, receipt: &Receipt, level: Level) -> HashMap<String, String> {
    let binary = receipt_to_pb(receipt, level).encode_to_vec();
    let as_of = answer.loads.iter().map(|load| load.as_of).min();
    let loads: Vec<_> = answer.loads.iter().map(load_json).collect();
    let mut entries = vec![
        ("lingqu.audit_level", level_word(level).to_owned()),
        ("lingqu.call_id", answer.call.to_string()),
        ("lingqu.environment", answer.environment.as_str().to_owned()),
        ("lingqu.loads", json!(loads).to_string()),
        ("lingqu.opening_key", hex::encode(answer.opening_key)),
        ("lingqu.receipt", STANDARD.encode(binary)),
        ("lingqu.tlog_proof", receipt.tlog_proof().to_string()),
    ];
    if let Some(head) = receipt.head_tlog_proof() {
        entries.push(("lingqu.head_proof", head.to_string()));
    }
    if let Some(as_of) = as_of {
        // The oldest of what the answer was made from: it speaks for no later day.
        entries.push(("lingqu.as_of", as_of.to_string()));
    }
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A load as clients read it: by name and date, without its size or digest.
fn load_json(load: &Load) -> serde_json::Value {
    json!({
        "as_of": load.as_of.to_string(),
        "id": load.id.as_str(),
        "resource": load.resource,
    })
}
