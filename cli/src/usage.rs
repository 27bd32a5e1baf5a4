//! The command line before it is understood: help in the reader's language, and what is wrong with it as a failure with
//! a code like any other.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};
use lingqu_core::ErrorCode;

use crate::command::Arguments;
use crate::failure::Failure;
use crate::language::Language;
use crate::session::Session;

/// What stands between the two languages of every help text.
pub(crate) const BETWEEN: &str = " · ";

/// Why nothing is run.
pub(crate) enum Stopped {
    /// Help or the version was asked for.
    Help(String),
    /// The words make no command.
    Usage(String),
}

impl Stopped {
    /// Says it.
    pub(crate) fn tell(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Stopped::Help(text) => session.line(text.trim_end()),
            Stopped::Usage(what) => Err(Failure::local(ErrorCode::UsageInvalid, what)),
        }
    }
}

impl Arguments {
    /// Reads the command line; help texts have `language` first.
    pub(crate) fn understand(words: &[OsString], language: Language) -> Result<Self, Stopped> {
        let command = spoken(Arguments::command(), language);
        let read = command.try_get_matches_from(words);
        let read = read.and_then(|matches| Arguments::from_arg_matches(&matches));
        read.map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Stopped::Help(error.render().to_string())
            }
            _ => Stopped::Usage(told(&error)),
        })
    }
}

/// What is wrong, without a claim that somebody typed wrongly: that is personal data, and standard error is often kept.
fn told(error: &clap::Error) -> String {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let is_claim = argument.is_some_and(|argument| argument.starts_with("--claim "));
    if is_claim && error.kind() == ErrorKind::ValueValidation {
        return "`--claim`: a claim is `name=text` or `name:=integer`".to_owned();
    }
    let text = error.render().to_string();
    text.strip_prefix("error: ")
        .unwrap_or(&text)
        .trim_end()
        .to_owned()
}

/// The same command with `language` first in the texts of all its parts.
fn spoken(command: Command, language: Language) -> Command {
    if language == Language::En {
        return command;
    }
    let text = |text: Option<&clap::builder::StyledStr>| text.map(|text| turned(&text.to_string()));
    let (about, long_about) = (text(command.get_about()), text(command.get_long_about()));
    let command = match about {
        Some(about) => command.about(about),
        None => command,
    };
    let command = match long_about {
        Some(long_about) => command.long_about(long_about),
        None => command,
    };
    command
        .mut_args(|argument| {
            let help = argument.get_help().map(|help| turned(&help.to_string()));
            match help {
                Some(help) => argument.help(help),
                None => argument,
            }
        })
        .mut_subcommands(|subcommand| spoken(subcommand, language))
}

/// `English · 中文` as `中文 · English`; anything else as it is.
fn turned(text: &str) -> String {
    match text.split_once(BETWEEN) {
        Some((en, zh)) => format!("{zh}{BETWEEN}{en}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
