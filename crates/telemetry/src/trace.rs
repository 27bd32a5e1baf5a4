//! One piece of work as a trace: a server span with a child for each step.
//!
//! The trace's id is given by whoever did the work: for a call it is the id that the caller chose, so that a receipt, a
//! record and a trace are found by the same 16 bytes. Names and attribute keys are constants of the program.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use ring::rand::{SecureRandom, SystemRandom};

/// The span is sampled (W3C trace flags); everything is.
const SAMPLED: u32 = 1;

/// A value under a key that is a constant of the program.
pub type Attribute = (&'static str, Value);

/// What an attribute can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word: an id or a code, never free text of a request.
    Word(String),
    /// A number.
    Number(i64),
}

/// One step of the work, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// When it began.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// A piece of work that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Id of the trace, not all zero.
    pub id: [u8; 16],
    /// The whole; its name is the server span's.
    pub whole: Step,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// A word if the fault was ours; the span's status is then an error.
    pub fault: Option<&'static str>,
    /// Its steps, in their order.
    pub steps: Vec<Step>,
}

impl Trace {
    /// The spans; none if the system gives no randomness for their ids.
    pub(crate) fn into_spans(self) -> Vec<Span> {
        let mut ids = vec![0; 8 * (1 + self.steps.len())];
        if SystemRandom::new().fill(&mut ids).is_err() {
            return Vec::new();
        }
        let mut ids = ids.chunks_exact(8).map(|id| {
            let mut id = id.to_vec();
            // All zero would mean "no span".
            id[7] |= 1;
            id
        });
        let root = ids.next().unwrap_or_default();
        let steps = self.steps.iter().zip(ids);
        let mut spans: Vec<Span> = steps
            .map(|(step, id)| Span {
                parent_span_id: root.clone(),
                ..span(&self.id, id, step, SpanKind::Internal)
            })
            .collect();
        let status = self.fault.map(|fault| Status {
            message: fault.to_owned(),
            code: StatusCode::Error.into(),
        });
        spans.push(Span {
            attributes: self.attributes.into_iter().map(key_value).collect(),
            status,
            ..span(&self.id, root, &self.whole, SpanKind::Server)
        });
        spans
    }
}

fn span(trace: &[u8; 16], id: Vec<u8>, step: &Step, kind: SpanKind) -> Span {
    Span {
        trace_id: trace.to_vec(),
        span_id: id,
        flags: SAMPLED,
        name: step.name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: step.start_ns,
        end_time_unix_nano: step.end_ns.max(step.start_ns),
        ..Span::default()
    }
}

pub(crate) fn key_value((key, value): Attribute) -> KeyValue {
    let value = match value {
        Value::Word(word) => any_value::Value::StringValue(word),
        Value::Number(number) => any_value::Value::IntValue(number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
