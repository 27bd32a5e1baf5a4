//! `call score`: which class or rounded score does an approved model give one subject?

use std::path::PathBuf;

use clap::Args;
use lingqu_proto::{ScoreValue, score_request};

use super::asking::{Asking, arguments, place, say_where};
use crate::claim::Claim;
use crate::failure::{Failure, printable};
use crate::session::Session;

/// What is printed for a subject that is not in the register, where the grant lets the caller know.
const NOT_FOUND: &str = "NOT_FOUND";

#[derive(Args, Debug)]
pub(super) struct Score {
    #[command(flatten)]
    asking: Asking,
    /// Whom it is about: `name=text` or `name:=integer`; several · 主体字段，可多次
    #[arg(
        long = "subject",
        value_name = "SUBJECT",
        required_unless_present = "subjects"
    )]
    subject: Vec<Claim>,
    /// The same as a JSON object; keeps it out of the list of processes · 主体字段文件
    #[arg(long, value_name = "FILE", conflicts_with = "subject")]
    subjects: Option<PathBuf>,
}

impl Score {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let subject = arguments(&self.subject, self.subjects.as_deref())?;
        let ask = async |node: lingqu_client::Node, question: &_| node.score(question).await;
        let (question, answered) = self.asking.ask(subject, score_request, ask, session)?;
        let kept = self.asking.keep(&answered);
        let told = &answered.value;
        if session.as_json {
            let mut value = place(&question, &answered);
            match &told.value {
                ScoreValue::Class(class) => value["class"] = class.as_str().into(),
                ScoreValue::NotFound => value["not_found"] = true.into(),
                ScoreValue::Score(score) => value["score"] = (*score).into(),
            }
            value["reasons"] = told.reasons.clone().into();
            session.json(&value)?;
        } else {
            say_where(&answered, session);
            let reasons = printable(&told.reasons.join(", "));
            if !reasons.is_empty() {
                session.say(
                    format_args!("reasons: {reasons}"),
                    format_args!("原因：{reasons}"),
                );
            }
            match &told.value {
                ScoreValue::Class(class) => session.line(printable(class))?,
                ScoreValue::NotFound => session.line(NOT_FOUND)?,
                ScoreValue::Score(score) => session.line(score)?,
            }
        }
        kept
    }
}
