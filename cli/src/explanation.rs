//! What an object means, sentence by sentence in both languages: for those who sign it and read no TOML.

use serde_json::json;

use crate::failure::{Failure, printable};
use crate::session::Session;

/// Sentences, each in English and in Chinese.
#[derive(Debug, Default)]
pub(crate) struct Explanation(Vec<(String, String)>);

impl Explanation {
    /// Adds a sentence.
    pub(crate) fn add(&mut self, en: impl Into<String>, zh: impl Into<String>) {
        self.0.push((en.into(), zh.into()));
    }

    /// Tells it all: first in the reader's language, then in the other.
    pub(crate) fn tell(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (en, zh): (Vec<_>, Vec<_>) = self.0.iter().map(|(en, zh)| (en, zh)).unzip();
        if session.as_json {
            return session.json(&json!({ "en": en, "zh": zh }));
        }
        let [first, second] = session.language.order(en, zh);
        for sentence in &first {
            session.line(format_args!("- {}", printable(sentence)))?;
        }
        session.line("")?;
        for sentence in &second {
            session.line(format_args!("- {}", printable(sentence)))?;
        }
        Ok(())
    }
}
