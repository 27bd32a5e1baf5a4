//! What a command works with besides its arguments: where it writes, in which order of languages, and the clock.
//!
//! Standard output is data, for programs too; standard error is for people. Tests put buffers in their place.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use lingqu_core::Clock;
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
    language: Language,
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
            language,
        }
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
            .map_err(|error| Failure::Unusable(format!("the operating system: {error}")))
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
            let _ = writeln!(self.notes, "{}", failure.text(self.language));
        }
        ExitCode::from(failure.exit_code())
    }
}
