//! The clock of this machine: whether it is set, and whether it goes evenly while the examination lasts.
//!
//! How it compares with the coordinator's is looked at where the coordinator is asked, how it compares with what is
//! already recorded where the journal is read.

use std::time::Duration;

use lingqu_core::{Clock, ErrorCode, Timestamp};

use super::Findings;

/// 2025-01-01: a machine that says that it is earlier was never set.
const LEAST: Timestamp = Timestamp::from_unix_s(1_735_689_600);
/// Most by which wall clock and monotonic clock may come apart during an examination.
const APART_MAX: Duration = Duration::from_secs(1);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    wall: Timestamp,
    monotonic: Duration,
}

impl Reading {
    pub(crate) fn take(clock: &dyn Clock) -> Reading {
        Reading {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }
}

pub(crate) fn examine(begun: Reading, clock: &dyn Clock, findings: &mut Findings) {
    let ended = Reading::take(clock);
    if ended.wall < LEAST {
        return findings.fail(
            "clock",
            ErrorCode::ClockUnsteady,
            format!("this machine says that it is {}", ended.wall),
            format!("本机时间为 {}", ended.wall),
        );
    }
    let passed = ended.monotonic.saturating_sub(begun.monotonic);
    let expected = begun.wall.plus(passed);
    let apart = ended.wall.since(expected).max(expected.since(ended.wall));
    if apart > APART_MAX {
        findings.warn(
            "clock",
            ErrorCode::ClockUnsteady,
            format!("the wall clock jumped by {} ms", apart.as_millis()),
            format!("系统时钟跳变 {} 毫秒", apart.as_millis()),
        );
    } else {
        findings.ok(
            "clock",
            format!("set to {} and even", ended.wall),
            format!("时间为 {}，走时平稳", ended.wall),
        );
    }
}

#[cfg(test)]
mod tests;
