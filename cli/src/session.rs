//! What a command works with besides its arguments: where it writes, in which order of languages, and the clock.
//!
//! Standard output is data, for programs too; standard error is for people. Tests put buffers in their place.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::SystemClock;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::language::Language;

/// One run of one command.
pub(crate) struct Session<'a> {
    /// Standard output: data.
    pub(crate) out: &'a mut (dyn Write + Send),
    /// Standard error: for people.
    notes: &'a mut (dyn Write + Send),
    /// The clock of this process.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether `--json` was given: data, and what went wrong, as one JSON object a line.
    pub(crate) as_json: bool,
    /// Which language comes first.
    pub(crate) language: Language,
}

impl<'a> Session<'a> {
    /// A run that writes data to `out` and words to `notes`.
    pub(crate) fn new(
        out: &'a mut (dyn Write + Send),
        notes: &'a mut (dyn Write + Send),
        language: Language,
    ) -> Self {
        Session {
            out,
            notes,
            clock: Arc::new(SystemClock),
            as_json: false,
            language,
        }
    }

    /// The same with data as JSON, if `as_json`.
    pub(crate) fn with_json(mut self, as_json: bool) -> Self {
        self.as_json = as_json;
        self
    }

    /// Tells people something, in both languages. That standard error is closed is no reason to stop.
    pub(crate) fn say(&mut self, en: impl Display, zh: impl Display) {
        for text in self.language.order(en.to_string(), zh.to_string()) {
            let _ = writeln!(self.notes, "{}", crate::failure::printable(&text));
        }
    }

    /// One line of data.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}").map_err(Failure::Output)
    }

    /// The one result of a command: `text` for people, `value` where `--json` was given.
    pub(crate) fn answer(
        &mut self,
        text: impl Display,
        value: &impl Serialize,
    ) -> Result<(), Failure> {
        if self.as_json {
            self.json(value)
        } else {
            self.line(text)
        }
    }

    /// One JSON object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut *self.out, value).map_err(io::Error::other)?;
        writeln!(self.out).map_err(Failure::Output)
    }

    /// Waits for something that needs a runtime.
    pub(crate) fn wait<F: Future>(&mut self, task: F) -> Result<F::Output, Failure> {
        Ok(self.runtime()?.block_on(task))
    }

    /// A runtime, for commands that write between what they wait for.
    pub(crate) fn runtime(&self) -> Result<Runtime, Failure> {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::local(ErrorCode::SystemRefused, error))
    }

    /// Says what went wrong, to people or, where `--json` was given, to programs.
    pub(crate) fn complain(&mut self, failure: &Failure) {
        let text = if self.as_json {
            failure.json().to_string()
        } else {
            failure.text(self.language)
        };
        let _ = writeln!(self.notes, "{text}");
    }

    /// Says what went wrong, if something did, and gives the exit code.
    pub(crate) fn end(&mut self, ended: Result<(), Failure>) -> ExitCode {
        let ended = ended.and_then(|()| self.out.flush().map_err(Failure::Output));
        let Err(failure) = ended else {
            return ExitCode::SUCCESS;
        };
        let closed =
            matches!(&failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe);
        if !closed {
            self.complain(&failure);
        }
        ExitCode::from(failure.exit_code())
    }
}
