//! How a command can end otherwise than well: for people a code, its cause and its remedy in both languages; for
//! programs the same as JSON, and the exit code. All of these are part of the stable surface:
//!
//! ```text
//! 0  done, and what was checked holds
//! 1  a check failed, or the other side refused
//! 2  wrong usage, or a local file, setting or address cannot be used
//! 3  consistent, but NOT authenticated (`audit verify` without `--trust`)
//! 4  the other side could not be reached
//! ```

use std::fmt::Display;
use std::io;
use std::path::Path;

use lingqu_client::{CallFailed, FeedBroken};
use lingqu_core::ErrorCode;
use lingqu_node::config::ConfigRefused;
use lingqu_transport::{ConnectError, code_of};

use crate::language::Language;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused by a node, a coordinator, or the rules that they apply, with its code. Exit code 1.
    Refused {
        /// Why.
        code: ErrorCode,
        /// More, if the other side said more: which field, for example.
        detail: String,
    },
    /// Something that was to be checked does not hold. Exit code 1.
    CheckFailed {
        /// What, in English.
        en: String,
        /// What, in Chinese.
        zh: &'static str,
    },
    /// Something on this machine cannot be used, for a reason that has a code of its own. Exit code 2.
    Local {
        /// Why.
        code: ErrorCode,
        /// What, with its name.
        what: String,
    },
    /// An input cannot be used, such as an address or an argument. Exit code 2.
    Unusable(String),
    /// Standard output cannot be written. Exit code 2.
    Output(io::Error),
    /// Consistent in itself, but nobody's keys were given to check it against. Exit code 3.
    NotAuthenticated,
    /// No connection, or it was lost. Exit code 4.
    Unreachable(String),
}

impl Failure {
    /// A refusal without further words.
    pub(crate) fn refused(code: ErrorCode) -> Failure {
        Failure::Refused {
            code,
            detail: String::new(),
        }
    }

    /// A file that does not hold what it should, and why.
    pub(crate) fn file(path: &Path, why: impl Display) -> Failure {
        Failure::local(
            ErrorCode::FileInvalid,
            format_args!("`{}`: {why}", path.display()),
        )
    }

    /// A file that is missing or cannot be opened.
    pub(crate) fn unreadable(path: &Path, why: impl Display) -> Failure {
        Failure::local(
            ErrorCode::FileUnreadable,
            format_args!("`{}`: {why}", path.display()),
        )
    }

    /// A file that cannot be written, or is there already.
    pub(crate) fn unwritable(path: &Path, why: impl Display) -> Failure {
        Failure::local(
            ErrorCode::FileUnwritable,
            format_args!("`{}`: {why}", path.display()),
        )
    }

    /// A configuration that cannot be used; the error names its file.
    pub(crate) fn config(why: impl Display) -> Failure {
        Failure::local(ErrorCode::ConfigInvalid, why)
    }

    /// A private key that cannot be read; the error names its file.
    pub(crate) fn key(why: impl Display) -> Failure {
        Failure::local(ErrorCode::KeyUnreadable, why)
    }

    /// Something on this machine, with the code that says what is wrong with it.
    pub(crate) fn local(code: ErrorCode, what: impl Display) -> Failure {
        Failure::Local {
            code,
            what: what.to_string(),
        }
    }

    /// What a gRPC status says: a refusal if it carries a code, otherwise nobody who speaks this protocol was reached.
    pub(crate) fn of_status(status: &tonic::Status) -> Failure {
        match code_of(status) {
            Some(code) => Failure::of_message(code, status.message()),
            None => Failure::Unreachable(format!("{:?}: {}", status.code(), status.message())),
        }
    }

    /// A refusal with what the other side said beyond the code's own words.
    fn of_message(code: ErrorCode, message: &str) -> Failure {
        let usual = format!("{code}: {} / {}", code.message_en(), code.message_zh());
        let detail = message.strip_prefix(&usual).unwrap_or_default();
        Failure::Refused {
            code,
            detail: detail.trim().to_owned(),
        }
    }

    /// The cause alone, in English, to become part of another message.
    pub(crate) fn reason(&self) -> String {
        match self {
            Failure::Refused { code, detail } => format!("{code} {detail}").trim_end().to_owned(),
            Failure::CheckFailed { en, .. } => en.clone(),
            Failure::Local { what, .. } | Failure::Unusable(what) | Failure::Unreachable(what) => {
                what.clone()
            }
            Failure::Output(error) => error.to_string(),
            Failure::NotAuthenticated => "not authenticated".to_owned(),
        }
    }

    /// The code, which has a page in `docs/errors`.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Failure::Refused { code, .. } | Failure::Local { code, .. } => *code,
            Failure::CheckFailed { .. } => ErrorCode::CheckFailed,
            Failure::Unusable(_) => ErrorCode::InputUnusable,
            Failure::Output(_) => ErrorCode::OutputFailed,
            Failure::NotAuthenticated => ErrorCode::NotAuthenticated,
            Failure::Unreachable(_) => ErrorCode::PeerUnreachable,
        }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused { .. } | Failure::CheckFailed { .. } => 1,
            Failure::Local { .. } | Failure::Unusable(_) | Failure::Output(_) => 2,
            Failure::NotAuthenticated => 3,
            Failure::Unreachable(_) => 4,
        }
    }

    /// What people are told: the code, then cause and remedy in both languages.
    pub(crate) fn text(&self, language: Language) -> String {
        let code = self.code();
        let (en, zh) = self.causes();
        let [first, second] = language.order(
            format!("  {en}\n  → {}", code.remedy_en()),
            format!("  {zh}\n  → {}", code.remedy_zh()),
        );
        let head = format!("{code} {}", self.detail());
        printable(&format!("{}\n{first}\n{second}", head.trim_end()))
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let code = self.code();
        let (en, zh) = self.causes();
        serde_json::json!({ "error": {
            "code": code.as_str(),
            "detail": self.detail(),
            "message_en": en,
            "message_zh": zh,
            "remedy_en": code.remedy_en(),
            "remedy_zh": code.remedy_zh(),
            "exit_code": self.exit_code(),
        }})
    }

    /// What is particular to this failure, in English; names of files and keys need no translation.
    fn detail(&self) -> String {
        match self {
            Failure::Refused { detail, .. } => detail.clone(),
            Failure::CheckFailed { .. } | Failure::NotAuthenticated => String::new(),
            Failure::Local { what, .. } | Failure::Unusable(what) | Failure::Unreachable(what) => {
                what.clone()
            }
            Failure::Output(error) => error.to_string(),
        }
    }

    /// The cause in English and in Chinese.
    fn causes(&self) -> (String, String) {
        match self {
            Failure::CheckFailed { en, zh } => (en.clone(), (*zh).to_owned()),
            other => {
                let code = other.code();
                (code.message_en().to_owned(), code.message_zh().to_owned())
            }
        }
    }
}

/// Texts of others end up on a terminal: what could move its cursor or hide a line is made visible.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

impl From<io::Error> for Failure {
    /// Only for writing to standard output; everything else names its file.
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<ConfigRefused> for Failure {
    fn from(error: ConfigRefused) -> Failure {
        match error {
            ConfigRefused::Malformed { .. } => Failure::config(error),
            ConfigRefused::Unreadable { .. } => Failure::local(ErrorCode::FileUnreadable, error),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Failure {
        match error {
            ConnectError::Url => Failure::Unusable(error.to_string()),
            ConnectError::Handshake(_)
            | ConnectError::Http2
            | ConnectError::ServerRefused { .. }
            | ConnectError::TimedOut
            | ConnectError::Unreachable(_) => Failure::Unreachable(error.to_string()),
        }
    }
}

impl From<CallFailed> for Failure {
    fn from(error: CallFailed) -> Failure {
        match error {
            CallFailed::Refused { code, message } => Failure::of_message(code, &message),
            CallFailed::Transport(what) => Failure::Unreachable(what),
            CallFailed::Malformed(_)
            | CallFailed::Receipt(_)
            | CallFailed::OtherCall(_)
            | CallFailed::Succession(_)
            | CallFailed::Level
            | CallFailed::WitnessesUnknown => Failure::CheckFailed {
                en: format!("the answer is not believed: {error}"),
                zh: "答复不可信：回执未能证明该次调用",
            },
        }
    }
}

impl From<FeedBroken> for Failure {
    fn from(error: FeedBroken) -> Failure {
        match error {
            FeedBroken::Status(status) => Failure::of_status(&status),
            FeedBroken::Course { .. }
            | FeedBroken::Malformed(_)
            | FeedBroken::NotAuthentic(_)
            | FeedBroken::Succession { .. }
            | FeedBroken::StreamGap(_)
            | FeedBroken::HeadLogGap(_) => Failure::CheckFailed {
                en: format!("the feed is not believed any more: {error}"),
                zh: "审计推送不可信：记录缺失、被改动或签名不符",
            },
        }
    }
}

#[cfg(test)]
mod tests;
