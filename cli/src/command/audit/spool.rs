//! `lingqu audit spool`: a region's feed as numbered files, to be carried to a network without any connection. What is
//! written was verified before, by the same checks as `audit follow`; `audit import` makes them again where it arrives.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::feed::spool::{SpoolReader, SpoolWriter, path_of};
use lingqu_client::{Event, Feed};
use serde_json::json;

use super::import::failed;
use super::subscription::{Subscription, keep_seen, read_seen};
use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `audit spool --coordinator URL --id COORD_ID --cert … --key … --ca … --trust FILE --head-trust FILE --region R --dir DIR --state FILE [--every-s SECONDS]`
#[derive(Args, Debug)]
pub(crate) struct Spool {
    #[command(flatten)]
    subscription: Subscription,
    /// Directory of the files; it must exist · 文件目录
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to keep what was written, to go on from there · 续传状态文件
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Go on with what comes, a new file every so many seconds · 持续写出，每隔若干秒一个文件
    #[arg(long, value_name = "SECONDS")]
    every_s: Option<u64>,
}

impl Spool {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let believed = &self.subscription.believed;
        let (trust, heads) = (believed.trust()?, believed.heads.trust()?);
        let mut seen = read_seen(Some(&self.state))?;
        // A run that ended between a file and the note of it: what the file holds is gone over, not written again.
        if path_of(&self.dir, seen.files).exists() {
            let mut reader = SpoolReader::new(&believed.region, trust, heads, seen);
            while reader.next(&self.dir).map_err(failed)?.is_some() {}
            seen = reader.seen().clone();
            keep_seen(Some(&self.state), &seen)?;
        }
        let files = seen.files;
        let runtime = session.runtime()?;
        let mut feed = self
            .subscription
            .follow(self.every_s.is_none(), seen, &runtime, session)?;
        let mut writer = SpoolWriter::new(&self.dir, files);
        let ended = runtime.block_on(async { interrupt::interrupted() })?;
        let mut ended = std::pin::pin!(ended);
        let mut written = session.clock.monotonic();
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    message = feed.next_message() => Some(message),
                    () = &mut ended => None,
                }
            });
            let Some(Some((message, event))) = next.transpose()? else {
                break;
            };
            writer.push(&message);
            // Nodes report at least every few seconds, so that looking at the clock with each event is enough.
            let (now, is_closed) = (
                session.clock.monotonic(),
                matches!(event, Some(Event::Complete { .. })),
            );
            let is_due = self
                .every_s
                .is_some_and(|every| now.saturating_sub(written).as_secs() >= every);
            if writer.is_full() || (is_due && is_closed) {
                self.write(&mut writer, &feed, session)?;
                written = now;
            }
        }
        self.write(&mut writer, &feed, session)
    }

    /// Ends a file, and keeps that it was written.
    fn write(
        &self,
        writer: &mut SpoolWriter,
        feed: &Feed,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let Some((number, path)) = writer.finish().map_err(failed)? else {
            return Ok(());
        };
        let mut seen = feed.seen().clone();
        seen.files = number + 1;
        keep_seen(Some(&self.state), &seen)?;
        session.answer(
            path.display(),
            &json!({ "file": path.display().to_string(), "number": number }),
        )
    }
}
