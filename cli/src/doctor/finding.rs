//! One thing that was looked at, and what came of it.

use lingqu_core::ErrorCode;
use serde_json::{Value, json};

use crate::failure::printable;
use crate::language::Language;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, and should be looked at.
    Warn,
    /// It does not work, or must not go on.
    Fail,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// See the module. `en` and `zh` say what was found here; the code's page says what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, in a word.
    pub(crate) check: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// What it means; none if it is as it should be.
    pub(crate) code: Option<ErrorCode>,
    /// What was found, in English.
    pub(crate) en: String,
    /// What was found, in Chinese.
    pub(crate) zh: String,
}

impl Finding {
    /// As one JSON object.
    pub(crate) fn json(&self) -> Value {
        let mut value = json!({
            "check": self.check,
            "level": self.level.word(),
            "code": self.code.map(ErrorCode::as_str),
            "found_en": self.en,
            "found_zh": self.zh,
        });
        if let Some(code) = self.code {
            value["message_en"] = code.message_en().into();
            value["message_zh"] = code.message_zh().into();
            value["remedy_en"] = code.remedy_en().into();
            value["remedy_zh"] = code.remedy_zh().into();
        }
        value
    }

    /// For people: one line if all is well, otherwise what it means and what to do about it.
    pub(crate) fn text(&self, language: Language) -> String {
        let level = self.level.word();
        let check = self.check;
        let [first, second] = language.order(&self.en, &self.zh);
        let mut text = match self.code {
            None => format!("{level:<5} {check}: {first} · {second}"),
            Some(code) => format!("{level:<5} {check}: {code} {first} · {second}"),
        };
        if let Some(code) = self.code {
            let [first, second] = language.order(
                format!("{}\n        → {}", code.message_en(), code.remedy_en()),
                format!("{}\n        → {}", code.message_zh(), code.remedy_zh()),
            );
            text += &format!("\n      {first}\n      {second}");
        }
        printable(&text)
    }
}

/// Everything that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// As it should be.
    pub(crate) fn ok(&mut self, check: &'static str, en: impl Into<String>, zh: impl Into<String>) {
        self.0.push(Finding {
            check,
            level: Level::Ok,
            code: None,
            en: en.into(),
            zh: zh.into(),
        });
    }

    /// It works, and should be looked at.
    pub(crate) fn warn(
        &mut self,
        check: &'static str,
        code: ErrorCode,
        en: impl Into<String>,
        zh: impl Into<String>,
    ) {
        self.bad(check, Level::Warn, code, en.into(), zh.into());
    }

    /// It does not work, or must not go on.
    pub(crate) fn fail(
        &mut self,
        check: &'static str,
        code: ErrorCode,
        en: impl Into<String>,
        zh: impl Into<String>,
    ) {
        self.bad(check, Level::Fail, code, en.into(), zh.into());
    }

    fn bad(&mut self, check: &'static str, level: Level, code: ErrorCode, en: String, zh: String) {
        self.0.push(Finding {
            check,
            level,
            code: Some(code),
            en,
            zh,
        });
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// How many are of `level`.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|found| found.level == level).count()
    }
}
