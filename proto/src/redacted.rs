//! `Debug` of the messages that carry somebody's data: shape without content.

use std::fmt;

use crate::pb::{Claim, VerifyResponse, claim};

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

impl fmt::Debug for VerifyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyResponse")
            .field("load", &self.load)
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
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
        let request = pb::VerifyRequest {
            claims: vec![claim],
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
        let printed = format!("{request:?} {response:?} {item:?}");
        for shown in ["CANARY", "171", "verdict"] {
            assert!(!printed.contains(shown), "{shown}");
        }
    }
}
