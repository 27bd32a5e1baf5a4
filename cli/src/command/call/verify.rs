//! `call verify`: does a claim match the register?

use std::path::PathBuf;

use clap::Args;
use lingqu_proto::verify_request;

use super::asking::{Asking, arguments, place, say_where};
use crate::claim::Claim;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Args, Debug)]
pub(super) struct Verify {
    #[command(flatten)]
    asking: Asking,
    /// `name=text` or `name:=integer`; several · 核验字段，可多次
    #[arg(
        long = "claim",
        value_name = "CLAIM",
        required_unless_present = "claims"
    )]
    claim: Vec<Claim>,
    /// A JSON object of claims; keeps them out of the list of processes · 核验字段文件
    #[arg(long, value_name = "FILE", conflicts_with = "claim")]
    claims: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let claims = arguments(&self.claim, self.claims.as_deref())?;
        let ask = async |node: lingqu_client::Node, question: &_| node.verify(question).await;
        let (question, answered) = self.asking.ask(claims, verify_request, ask, session)?;
        let kept = self.asking.keep(&answered);
        let verdict = answered.value.as_str();
        if session.as_json {
            let mut value = place(&question, &answered);
            value["verdict"] = verdict.into();
            session.json(&value)?;
        } else {
            say_where(&answered, session);
            session.line(verdict)?;
        }
        kept
    }
}
