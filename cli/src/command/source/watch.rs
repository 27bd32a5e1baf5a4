//! `lingqu source watch`: follows a load with a line of progress until it ends.

use std::time::Duration;

use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_node::loads::status::{ProgressStatus, ResourceStatus};

use super::running::{Named, tell};
use crate::failure::Failure;
use crate::session::Session;

/// How often the node is asked.
const EVERY: Duration = Duration::from_millis(250);
/// Width of the bar.
const BAR: u64 = 24;

/// `source watch --socket S RESOURCE`
#[derive(Args, Debug)]
pub(super) struct Watch {
    #[command(flatten)]
    named: Named,
}

impl Watch {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        follow(&self.named, session)
    }
}

/// Follows the load of a resource; its end is the command's.
///
/// # Errors
/// The load's own code when it failed.
pub(super) fn follow(named: &Named, session: &mut Session<'_>) -> Result<(), Failure> {
    let runtime = session.runtime()?;
    let mut last = String::new();
    loop {
        let (_, status) = runtime.block_on(named.status())?;
        let Some(progress) = &status.progress else {
            return ended(&status, session);
        };
        if session.as_json {
            session.json(progress)?;
        } else {
            let bar = bar(progress);
            if bar != last {
                session.say(&bar, &bar);
                last = bar;
            }
        }
        // Made inside the runtime: a timer has no clock elsewhere.
        runtime.block_on(async { tokio::time::sleep(EVERY).await });
    }
}

fn ended(status: &ResourceStatus, session: &mut Session<'_>) -> Result<(), Failure> {
    tell(status, session)?;
    match &status.failed {
        Some(failed) => Err(Failure::Refused {
            code: failed.code.parse().unwrap_or(ErrorCode::LoadRefused),
            detail: failed.why.clone(),
        }),
        None => Ok(()),
    }
}

/// `[#####-----] 52 % · 5200 rows · source`
fn bar(progress: &ProgressStatus) -> String {
    if !progress.reading {
        return "waiting, or building · 等待中或正在构建".to_owned();
    }
    let rows = progress.rows;
    let mib = progress.bytes >> 20;
    let share = progress.expected.map(|expected| {
        let done = (u128::from(rows) * 100 / u128::from(expected.max(1))).min(99);
        u64::try_from(done).unwrap_or(99)
    });
    match share {
        Some(percent) => {
            let full = percent * BAR / 100;
            let filled = "#".repeat(usize::try_from(full).unwrap_or(0));
            let empty = "-".repeat(usize::try_from(BAR - full).unwrap_or(0));
            format!(
                "[{filled}{empty}] {percent} % · {rows} rows · {mib} MiB · {}",
                progress.source
            )
        }
        None => format!("{rows} rows · {mib} MiB · {}", progress.source),
    }
}

#[cfg(test)]
mod tests;
