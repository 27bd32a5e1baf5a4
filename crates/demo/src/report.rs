//! What the story prints: for people, or one JSON object a line.

use std::io::{self, Write};

use serde::Serialize;

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
        writeln!(self.out, "{mark} {:>2}  {}", step.step, step.what)?;
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
