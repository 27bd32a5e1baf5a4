//! What was found, for people in two languages and for programs as data.

use std::fmt;

use serde::Serialize;

/// Tables that the heading of a report names at most, of each sort.
const NAMES_SHOWN: usize = 12;

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
    /// Tables of the source that were not: the prepared one that cannot be read, those that were not asked for, and those
    /// beyond [`super::Options::tables_max`].
    pub left_out: Vec<String>,
    /// What of the options or of the fixture cannot be used. Then nothing was checked, and there are no outcomes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<Text>,
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
        self.unusable.is_empty() && count.failed == 0 && count.passed > 0
    }

    /// The ids of the checks that did not apply, in their order, so that a test can pin them: one that stops to apply
    /// unnoticed checks nothing any more.
    pub fn not_applicable(&self) -> impl Iterator<Item = &'static str> + '_ {
        let outcomes = self.outcomes.iter();
        outcomes
            .filter(|outcome| matches!(outcome.verdict, Verdict::NotApplicable { .. }))
            .map(|outcome| outcome.check.id)
    }

    /// The outcome of the check `id`.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.check.id == id)
    }
}

impl fmt::Display for Report {
    /// Both languages, English first; a line or two for each check.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables.len();
        writeln!(
            formatter,
            "{} · {tables} tables · {tables} 张表",
            self.server
        )?;
        let lists = [
            ("checked · 已检查", &self.tables),
            ("left out · 未检查", &self.left_out),
        ];
        for (what, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            writeln!(formatter, "    {what}: {}", some(names))?;
        }
        for Text { en, zh } in &self.unusable {
            writeln!(formatter, "✗ {en} · {zh}")?;
        }
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

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} … (+{more})"),
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
