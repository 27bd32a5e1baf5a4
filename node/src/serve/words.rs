//! Words that an answer has in Chinese too.

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
