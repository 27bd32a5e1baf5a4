//! What was found, for people in two languages and for programs as data.

use std::fmt;

use serde::Serialize;

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// 中文.
    pub zh: String,
}

/// A sentence in both languages.
pub(super) fn text(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text {
        en: en.into(),
        zh: zh.into(),
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The connector does not do what it must.
    Failed {
        /// What it does instead.
        why: Text,
    },
    /// Nothing was found out.
    NotApplicable {
        /// Why, and what to prepare.
        why: Text,
    },
    /// It does what it must.
    Passed {
        /// What was looked at, where that needs saying.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
    },
}

impl Verdict {
    pub(super) fn failed(why: Text) -> Verdict {
        Verdict::Failed { why }
    }

    pub(super) fn not_applicable(why: Text) -> Verdict {
        Verdict::NotApplicable { why }
    }

    pub(super) fn passed() -> Verdict {
        Verdict::Passed { note: None }
    }

    pub(super) fn passed_on(note: Text) -> Verdict {
        Verdict::Passed { note: Some(note) }
    }

    /// The sentence that comes with it.
    pub fn said(&self) -> Option<&Text> {
        match self {
            Verdict::Failed { why } | Verdict::NotApplicable { why } => Some(why),
            Verdict::Passed { note } => note.as_ref(),
        }
    }
}

/// One check and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Which.
    #[serde(flatten)]
    pub check: super::Check,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The outcome of every check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Product and version of the source, as it states them; empty if it was not reached.
    pub server: String,
    /// The tables that were checked.
    pub tables: Vec<String>,
    /// In the order of the checks.
    pub outcomes: Vec<Outcome>,
}

/// How often each verdict was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Failed.
    pub failed: usize,
    /// Not applicable.
    pub not_applicable: usize,
    /// Passed.
    pub passed: usize,
}

impl Report {
    /// How often each verdict was given.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for outcome in &self.outcomes {
            match outcome.verdict {
                Verdict::Failed { .. } => count.failed += 1,
                Verdict::NotApplicable { .. } => count.not_applicable += 1,
                Verdict::Passed { .. } => count.passed += 1,
            }
        }
        count
    }

    /// Whether the connector conforms as far as was checked: nothing failed, and something passed.
    pub fn conforms(&self) -> bool {
        let count = self.count();
        count.failed == 0 && count.passed > 0
    }

    /// The outcome of the check `id`.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.check.id == id)
    }
}

impl fmt::Display for Report {
    /// Both languages, English first; a line or two for each check.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} · {} tables · {} 张表",
            self.server,
            self.tables.len(),
            self.tables.len()
        )?;
        for outcome in &self.outcomes {
            writeln!(formatter, "{outcome}")?;
        }
        let Count {
            failed,
            not_applicable,
            passed,
        } = self.count();
        write!(
            formatter,
            "{passed} passed, {failed} failed, {not_applicable} not applicable · 通过 {passed}，不通过 {failed}，不适用 {not_applicable}"
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Failed { .. } => "✗",
            Verdict::NotApplicable { .. } => "–",
            Verdict::Passed { .. } => "✓",
        };
        let super::Check { id, en, zh } = self.check;
        write!(formatter, "{mark} {id}: {en} · {zh}")?;
        if let Some(said) = self.verdict.said() {
            write!(formatter, "\n    {}\n    {}", said.en, said.zh)?;
        }
        Ok(())
    }
}
