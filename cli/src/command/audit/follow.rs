//! `lingqu audit follow`: the records of a region, each shown only after it was verified.
//!
//! Filters choose among verified records: everything is delivered, so that nothing can be left out by them.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::Event;

use super::links;
use super::shown::Shown;
use super::subscription::{Choice, Subscription, keep_seen, read_seen};
use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `audit follow --coordinator URL --id COORD_ID --cert … --key … --ca … --trust FILE --head-log-key VKEY… --region R [--unit …] [--party …] [--product …] [--purpose …] [--outcome …] [--state FILE]`
#[derive(Args, Debug)]
pub(crate) struct Follow {
    #[command(flatten)]
    subscription: Subscription,
    #[command(flatten)]
    choice: Choice,
    /// Where to keep what was verified, to go on behind it the next time · 续订状态文件
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// End when everything known at the start was shown · 输出现有记录后结束
    #[arg(long)]
    until_current: bool,
    /// One JSON object a line · 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
}

impl Follow {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let seen = read_seen(self.state.as_deref())?;
        let runtime = session.runtime()?;
        let ended = runtime.block_on(async { interrupt::interrupted() })?;
        let mut feed = self
            .subscription
            .follow(self.until_current, seen, &runtime, session)?;
        let mut ended = std::pin::pin!(ended);
        let mut shown = Shown::new(self.choice.selection(), self.json);
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    event = feed.next() => Some(event),
                    () = &mut ended => None,
                }
            });
            match next {
                Some(Ok(Some(event))) => {
                    let is_closed = matches!(event, Event::Complete { .. });
                    shown.show(event, feed.seen(), session)?;
                    if is_closed {
                        keep_seen(self.state.as_deref(), feed.seen())?;
                    }
                }
                Some(Ok(None)) if self.until_current => {
                    return shown.end(feed.seen(), session);
                }
                Some(Ok(None)) => {
                    return Err(Failure::Unreachable(
                        "the coordinator ended the feed".to_owned(),
                    ));
                }
                Some(Err(broken)) => return Err(broken.into()),
                // Whoever interrupts has seen what was shown; nothing is claimed beyond it.
                None => return links::check_on_record(feed.seen().off_record().into_iter()),
            }
        }
    }
}
