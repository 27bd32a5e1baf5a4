//! `call explain`: what a call would answer, under which rules and at what cost. No data is touched.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::Table;
use lingqu_proto::explain_request;
use serde_json::{Value, json};

use super::asking::{Asking, arguments, place, say_where};
use super::query::Rows;
use crate::claim::Claim;
use crate::failure::{Failure, printable};
use crate::session::Session;

#[derive(Args, Debug)]
pub(super) struct Explain {
    #[command(flatten)]
    asking: Asking,
    /// What the call would state: `name=text` or `name:=integer`; several · 调用参数，可多次
    #[arg(long = "argument", value_name = "ARGUMENT")]
    argument: Vec<Claim>,
    /// The same as a JSON object · 调用参数文件
    #[arg(long, value_name = "FILE", conflicts_with = "argument")]
    arguments: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let stated = arguments(&self.argument, self.arguments.as_deref())?;
        let ask = async |node: lingqu_client::Node, question: &_| node.explain(question).await;
        let (question, answered) = self.asking.ask(stated, explain_request, ask, session)?;
        let kept = self.asking.keep(&answered);
        let Table(stream) = &answered.value;
        let sentences = sentences(stream).ok_or(Failure::CheckFailed {
            en: "the answer is no explanation".to_owned(),
            zh: "答复不是有效的说明",
        })?;
        if session.as_json {
            let told = sentences.iter();
            let told = told.map(|[topic, en, zh]| json!({"topic": topic, "en": en, "zh": zh}));
            let mut value = place(&question, &answered);
            value["explanation"] = told.collect();
            session.json(&value)?;
        } else {
            say_where(&answered, session);
            for [topic, en, zh] in &sentences {
                let [words, _] = session.language.order(en, zh);
                session.line(format_args!("{}\t{}", printable(topic), printable(words)))?;
            }
        }
        kept
    }
}

/// Topic, English and Chinese of each row; none if it is another table.
fn sentences(stream: &[u8]) -> Option<Vec<[String; 3]>> {
    let rows = Rows::read(stream).ok()?;
    if rows.columns != ["topic", "en", "zh"] {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rows.values
        .iter()
        .map(|row| match row.as_array()?.as_slice() {
            [topic, en, zh] => Some([text(topic)?, text(en)?, text(zh)?]),
            _ => None,
        })
        .collect()
}
