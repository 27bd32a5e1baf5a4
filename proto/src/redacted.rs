//! `Debug` of the messages that carry somebody's data: shape without content.

use std::fmt;

use crate::pb::{
    CallContext, Claim, ExplainRequest, ExplainResponse, QueryRequest, QueryResponse, ScoreRequest,
    ScoreResponse, ScoreResult, VerifyRequest, VerifyResponse, claim, score_result,
};

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The field's name too is what the caller wrote.
        f.write_str("Claim(redacted)")
    }
}

impl fmt::Debug for claim::Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            claim::Value::Integer(_) => "Integer(redacted)",
            claim::Value::Text(_) => "Text(redacted)",
        })
    }
}

impl fmt::Debug for CallContext {
    /// Before it is read, every text is whatever the caller wrote: a purpose may be somebody's address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

macro_rules! request {
    ($message:ident, $arguments:ident) => {
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    .field("context", &self.context)
                    .field("version", &self.version)
                    .field(stringify!($arguments), &self.$arguments.len())
                    .field("as_of_min_us", &self.as_of_min_us)
                    .finish_non_exhaustive()
            }
        }
    };
}

request!(ExplainRequest, arguments);
request!(QueryRequest, parameters);
request!(ScoreRequest, subject);
request!(VerifyRequest, claims);

macro_rules! response {
    ($message:ident, $loads:ident) => {
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    .field(stringify!($loads), &self.$loads)
                    .field("receipt", &self.receipt)
                    .finish_non_exhaustive()
            }
        }
    };
}

response!(ExplainResponse, loads);
response!(QueryResponse, loads);
response!(ScoreResponse, load);
response!(VerifyResponse, load);

impl fmt::Debug for ScoreResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScoreResult(redacted)")
    }
}

impl fmt::Debug for score_result::Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use crate::pb;

    #[test]
    fn a_printed_request_or_answer_shows_no_value() {
        let claim = pb::Claim {
            field: "CANARY-FIELD".into(),
            value: Some(pb::claim::Value::Text("CANARY-TEXT".into())),
        };
        let context = pb::CallContext {
            purpose: "CANARY-PURPOSE".into(),
            end_user: "CANARY-END-USER".into(),
            ..Default::default()
        };
        let request = pb::VerifyRequest {
            context: Some(context),
            product: "CANARY-PRODUCT".into(),
            claims: vec![claim.clone()],
            ..Default::default()
        };
        let response = pb::VerifyResponse {
            opening_key: vec![171; 32],
            verdict: 1,
            ..Default::default()
        };
        let item = pb::VerifyStreamResponse {
            outcome: Some(pb::verify_stream_response::Outcome::Answer(
                response.clone(),
            )),
            ..Default::default()
        };
        let score = pb::ScoreResponse {
            result: Some(pb::ScoreResult {
                value: Some(pb::score_result::Value::Class("CANARY-CLASS".into())),
                reasons: vec!["CANARY-REASON".into()],
            }),
            ..Default::default()
        };
        let table = pb::QueryResponse {
            table: vec![171; 8],
            ..Default::default()
        };
        let subject = pb::ScoreRequest {
            subject: vec![claim.clone()],
            ..Default::default()
        };
        let parameters = pb::QueryRequest {
            parameters: vec![claim.clone()],
            ..Default::default()
        };
        let explained = pb::ExplainRequest {
            arguments: vec![claim.clone()],
            ..Default::default()
        };
        let explanation = pb::ExplainResponse {
            table: vec![171; 8],
            ..Default::default()
        };
        let printed = format!(
            "{explained:?} {explanation:?} {request:?} {claim:?} {response:?} {item:?} {score:?} {:?} {table:?} {subject:?} {parameters:?}",
            score.result
        );
        for shown in ["CANARY", "171", "verdict"] {
            assert!(!printed.contains(shown), "{shown}");
        }
    }
}
