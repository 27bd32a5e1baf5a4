//! Ours: the generated client, as any caller has it, and what the receipts of its answers must prove.

use std::sync::Arc;

use lingqu_core::CallId;
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_demo::cast;
use lingqu_demo::objects::Which;
use lingqu_proto::pb::calls_client::CallsClient;
use lingqu_proto::{ClaimValue, pb, receipt_from_pb, verify_request};
use lingqu_tlog::Intl;
use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::Status;
use tonic::transport::Channel;

use super::Failed;
use super::load::Target;
use crate::filing::GRANT;

/// Aircraft that are asked for in turn: tail number, manufacturer, model, year. The last is not registered.
const CLAIMS: [(&str, &str, &str, i64); 5] = [
    ("N10156", "EMBRAER", "EMB-145XR", 2004),
    ("N102UW", "AIRBUS INDUSTRIE", "A320-214", 1998),
    ("N103US", "AIRBUS INDUSTRIE", "A320-214", 1999),
    ("N104UW", "AIRBUS INDUSTRIE", "A320-214", 2001),
    ("N00000", "EMBRAER", "EMB-145XR", 2004),
];

/// One connection to the node.
#[derive(Clone)]
pub(super) struct Verification {
    calls: CallsClient<Channel>,
    trust: Arc<Trust<Intl>>,
    /// Made once: only the call id differs between requests.
    requests: Arc<[pb::VerifyRequest]>,
    random: SystemRandom,
    checks_each: bool,
}

impl Verification {
    pub(super) fn new(channel: Channel, trust: Arc<Trust<Intl>>) -> Verification {
        Verification {
            calls: CallsClient::new(channel),
            trust,
            requests: CLAIMS.iter().map(request).collect(),
            random: SystemRandom::new(),
            checks_each: false,
        }
    }

    /// The same, but each receipt is checked as part of the call.
    pub(super) fn checking(&self) -> Verification {
        Verification {
            checks_each: true,
            ..self.clone()
        }
    }

    /// Bytes of one request and of its answer.
    pub(super) async fn sizes(mut self) -> Result<(usize, usize), Failed> {
        let request = self.request(0);
        let len = request.encoded_len();
        let answer = self.call(request.clone()).await;
        let answer = answer.map_err(|status| Failed::Call(status.to_string()))?;
        let sizes = (len, answer.encoded_len());
        self.check(&request, answer)?;
        Ok(sizes)
    }
}

impl Target for Verification {
    type Request = pb::VerifyRequest;
    type Answer = pb::VerifyResponse;

    fn request(&self, number: usize) -> pb::VerifyRequest {
        let mut request = self.requests[number % self.requests.len()].clone();
        if let Some(context) = &mut request.context {
            self.random
                .fill(&mut context.call_id)
                .expect("without randomness no connection would exist either");
        }
        request
    }

    async fn call(&mut self, request: pb::VerifyRequest) -> Result<pb::VerifyResponse, Status> {
        if !self.checks_each {
            return Ok(self.calls.verify(request).await?.into_inner());
        }
        let answer = self.calls.verify(request.clone()).await?.into_inner();
        let checked = self.check(&request, answer.clone());
        checked.map_err(|failed| Status::data_loss(failed.to_string()))?;
        Ok(answer)
    }

    fn check(&self, request: &pb::VerifyRequest, answer: pb::VerifyResponse) -> Result<(), Failed> {
        let refused = |reason: &dyn std::fmt::Display| Failed::Receipt(reason.to_string());
        let receipt = answer.receipt.ok_or_else(|| refused(&"there is none"))?;
        let (receipt, _) = receipt_from_pb(&receipt).map_err(|error| refused(&error))?;
        let proven = receipt
            .verify(&self.trust)
            .map_err(|error| refused(&error))?;
        if proven.level != Level::Mirrored {
            return Err(refused(&"its record is not mirrored"));
        }
        let asked = request.context.as_ref().map(|context| &context.call_id[..]);
        if asked != Some(&proven.record.draft.call.0[..]) {
            return Err(refused(&"its record is of another call"));
        }
        Ok(())
    }
}

fn request((tail, manufacturer, model, year): &(&str, &str, &str, i64)) -> pb::VerifyRequest {
    let text = |field: &str, value: &str| (field.to_owned(), ClaimValue::Text(value.to_owned()));
    let asked = Asked {
        grant: Some(GRANT.parse().expect("well-formed")),
        product: Which::Plane.reference().id,
        version: None,
        purpose: cast::PURPOSE.to_owned(),
        scenario: cast::SCENARIO.to_owned(),
        end_user: cast::END_USER.to_owned(),
        environment: Environment::Prod,
    };
    let claims = [
        text("tail_number", tail),
        text("manufacturer", manufacturer),
        text("model", model),
        ("year".to_owned(), ClaimValue::Integer(*year)),
    ];
    verify_request(CallId([0; 16]), &asked, &claims, None)
}
