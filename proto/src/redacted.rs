//! `Debug` of the messages that carry somebody's data: shape without content.

use std::fmt;

use crate::pb::{CallContext, Claim, VerifyRequest, VerifyResponse, claim};

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

impl fmt::Debug for VerifyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyRequest")
            .field("context", &self.context)
            .field("version", &self.version)
            .field("claims", &self.claims.len())
            .field("as_of_min_us", &self.as_of_min_us)
            .finish_non_exhaustive()
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
        let printed = format!("{request:?} {claim:?} {response:?} {item:?}");
        for shown in ["CANARY", "171", "verdict"] {
            assert!(!printed.contains(shown), "{shown}");
        }
    }
}
