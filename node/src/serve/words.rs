//! Words that answers have on every way out.

use lingqu_core::receipt::Level;
use lingqu_proto::Verdict;

/// The verdict in Chinese, as the regulations have it.
pub(super) fn verdict_zh(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Indeterminate => "无法核验",
        Verdict::Match => "一致",
        Verdict::NoMatch => "不一致",
        Verdict::NotFound => "查无",
    }
}

/// How much is true of a call's record.
pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Local => "LOCAL",
        Level::Mirrored => "MIRRORED",
        Level::Witnessed => "WITNESSED",
    }
}
