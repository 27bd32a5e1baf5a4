//! What the story prints: for people, or one JSON object a line.

use std::io::{self, Write};

use serde::Serialize;

#[cfg(test)]
mod tests;

/// Columns of a line of text, before which a word begins a new one.
const COLUMNS: usize = 100;

/// One step: what was done, what must come of it, what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Number, from 1.
    pub step: u32,
    /// The article that asks for it.
    pub article: &'static str,
    /// What is done.
    pub what: String,
    /// What must come of it.
    pub expected: String,
    /// What came of it.
    pub got: String,
    /// Which key the check relied on.
    pub relied_on: &'static str,
    /// Whether both agree.
    pub ok: bool,
}

/// The end of the story.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// Steps told.
    pub steps: u32,
    /// Steps that went as they must.
    pub ok: u32,
    /// Whole run, in milliseconds.
    pub elapsed_ms: u64,
}

/// Writes steps as they happen.
pub struct Report<'a> {
    out: &'a mut (dyn Write + Send),
    json: bool,
    steps: u32,
    ok: u32,
}

impl<'a> Report<'a> {
    /// Writes to `out`, as JSON lines if `json`.
    pub fn new(out: &'a mut (dyn Write + Send), json: bool) -> Self {
        Report {
            out,
            json,
            steps: 0,
            ok: 0,
        }
    }

    /// A heading, for people only.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            Ok(())
        } else {
            writeln!(self.out, "\n{text}")
        }
    }

    /// Something takes a while, or took it; for people only, at once.
    pub fn progress(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "      {text}")?;
        self.out.flush()
    }

    /// A step has happened.
    pub fn step(
        &mut self,
        article: &'static str,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
        relied_on: &'static str,
    ) -> io::Result<()> {
        let (expected, got) = (expected.into(), got.into());
        // An expectation with a trailing `…` fixes only the beginning of what must come.
        let ok = match expected.strip_suffix('…') {
            Some(beginning) => got.starts_with(beginning),
            None => got == expected,
        };
        self.steps += 1;
        self.ok += u32::from(ok);
        let step = Step {
            step: self.steps,
            article,
            what: what.into(),
            expected,
            got,
            relied_on,
            ok,
        };
        if self.json {
            serde_json::to_writer(&mut *self.out, &step)?;
            return writeln!(self.out);
        }
        let mark = if ok { "✓" } else { "✗" };
        let what = wrapped(&step.what);
        writeln!(self.out, "{mark} {:>2}  {what}", step.step)?;
        if !ok {
            writeln!(self.out, "      expected {}", step.expected)?;
        }
        writeln!(
            self.out,
            "      {}   [{article}; relied on: {relied_on}]",
            step.got
        )
    }

    /// Ends the report; true if every step went as it must.
    pub fn finish(self, elapsed_ms: u64) -> io::Result<bool> {
        let summary = Summary {
            steps: self.steps,
            ok: self.ok,
            elapsed_ms,
        };
        if self.json {
            serde_json::to_writer(&mut *self.out, &serde_json::json!({ "summary": summary }))?;
            writeln!(self.out)?;
        } else {
            let seconds = summary.elapsed_ms as f64 / 1_000.0;
            writeln!(
                self.out,
                "\n{} of {} steps as they must be, in {seconds:.1} s",
                summary.ok, summary.steps
            )?;
        }
        Ok(self.ok == self.steps && self.steps > 0)
    }
}

/// What is done, in lines that a terminal shows whole; the later ones stand below the first one's text.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let wide = width(word);
        if column > 0 && column + 1 + wide > COLUMNS {
            out.push_str("\n      ");
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += wide;
    }
    out
}

/// Columns that a text takes: Chinese characters and punctuation take two each.
fn width(text: &str) -> usize {
    let of = |c: char| match c {
        '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' => 2,
        _ => 1,
    };
    text.chars().map(of).sum()
}
