//! `lingqu.products` and `lingqu.receipts`: what a caller may use, and what it holds proofs of.
//!
//! Neither is a call: nothing of a unit's data is in them. Receipts pass the terms of their calls again, so one that
//! could not leave with its answer does not leave here either.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use futures::future::join_all;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_journal::{Outcome, Recorded};
use lingqu_proto::receipt_to_pb;
use prost::Message;

use crate::admission::caller::Caller;
use crate::call::Answer;
use crate::serve::words::level_word;
use crate::{Node, VisibleProduct};

/// Most receipts that are shown, the newest first.
const RECEIPTS_MAX: usize = 256;

/// Columns of `lingqu.products`.
pub(super) fn products_schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Schema::new(vec![
        text("product"),
        Field::new("version", DataType::UInt32, false),
        text("kind"),
        text("unit"),
        text("title_zh"),
        text("title_en"),
        text("parameters"),
        text("output"),
        Field::new_list("grants", Field::new_list_field(DataType::Utf8, true), false),
    ])
}

/// Columns of `lingqu.receipts`.
pub(super) fn receipts_schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Schema::new(vec![
        text("call_id"),
        text("grant"),
        text("product"),
        text("outcome"),
        text("audit_level"),
        Field::new("log_index", DataType::UInt64, false),
        Field::new("receipt", DataType::Binary, false),
        text("tlog_proof"),
    ])
}

/// What the caller may use.
pub(super) fn products(visible: &[VisibleProduct]) -> Result<RecordBatch, ArrowError> {
    let texts = |text: fn(&VisibleProduct) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(visible.iter().map(text)))
    };
    let versions = visible.iter().map(|product| product.reference.version);
    let mut grants = ListBuilder::new(StringBuilder::new());
    for product in visible {
        grants.append_value(product.grants.iter().map(|grant| Some(grant.as_str())));
    }
    let columns: Vec<ArrayRef> = vec![
        texts(|product| product.reference.id.to_string()),
        Arc::new(UInt32Array::from_iter_values(versions)),
        texts(|product| product.kind.to_string()),
        texts(|product| product.unit.to_string()),
        texts(|product| product.title_zh.clone()),
        texts(|product| product.title_en.clone()),
        texts(VisibleProduct::signature),
        texts(output),
        Arc::new(grants.finish()),
    ];
    RecordBatch::try_new(Arc::new(products_schema()), columns)
}

/// The columns of its answer; empty where they are not known yet.
fn output(product: &VisibleProduct) -> String {
    let columns = product.output.fields().iter();
    let columns: Vec<String> = columns
        .map(|column| format!("{} {}", column.name(), column.data_type()))
        .collect();
    columns.join(", ")
}

/// One line of `lingqu.receipts`.
struct Line {
    recorded: Arc<Recorded<Answer>>,
    outcome: &'static str,
    receipt: Receipt,
    level: Level,
}

/// The receipts of the caller's recent calls.
pub(super) async fn receipts(node: &Node, caller: &Caller) -> Result<RecordBatch, ArrowError> {
    let kept = node.retries.kept_of(&caller.party, RECEIPTS_MAX);
    let lines = kept.into_iter().map(|recorded| line(node, recorded));
    let lines: Vec<Line> = join_all(lines).await.into_iter().flatten().collect();
    let texts = |text: fn(&Line) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(text)))
    };
    let receipts = lines
        .iter()
        .map(|line| receipt_to_pb(&line.receipt, line.level).encode_to_vec());
    let columns: Vec<ArrayRef> = vec![
        texts(|line| line.recorded.header().id.to_string()),
        texts(|line| line.recorded.permit().grant().to_string()),
        texts(|line| line.recorded.header().asked.product.to_string()),
        texts(|line| line.outcome.to_owned()),
        texts(|line| level_word(line.level).to_owned()),
        Arc::new(UInt64Array::from_iter_values(
            lines.iter().map(|line| line.receipt.index),
        )),
        Arc::new(BinaryArray::from_iter_values(receipts)),
        texts(|line| line.receipt.tlog_proof().to_string()),
    ];
    RecordBatch::try_new(Arc::new(receipts_schema()), columns)
}

/// None if the receipt may not leave now.
async fn line(node: &Node, recorded: Arc<Recorded<Answer>>) -> Option<Line> {
    let (outcome, receipt, level) = match node.journal.release(&recorded).await.into_outcome() {
        Outcome::Answered {
            result: _,
            receipt,
            level,
        } => ("ANSWERED", receipt, level),
        Outcome::Failed {
            code,
            receipt,
            level,
        } => (code.as_str(), receipt, level),
        Outcome::Denied(_) | Outcome::Unrecorded(_) => return None,
    };
    Some(Line {
        recorded,
        outcome,
        receipt,
        level,
    })
}
