//! `lingqu audit import`: feed files that were carried here, verified as a follower verifies the feed, and printed as it
//! prints it. Needs no network and no certificate.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::feed::spool::{SpoolFailed, SpoolReader};
use lingqu_core::ErrorCode;

use super::shown::Shown;
use super::subscription::{Believed, Choice, keep_seen, read_seen};
use crate::failure::Failure;
use crate::session::Session;

/// `audit import --trust FILE --head-trust FILE --region R --dir DIR [--state FILE] [--unit …] [--json]`
#[derive(Args, Debug)]
pub(crate) struct Import {
    #[command(flatten)]
    believed: Believed,
    #[command(flatten)]
    choice: Choice,
    /// Directory of the feed files · 文件目录
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to keep what was verified, to go on behind it the next time · 续读状态文件
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// One JSON object a line · 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let trust = self.believed.trust()?;
        let heads = self.believed.heads.trust()?;
        let seen = read_seen(self.state.as_deref())?;
        let before = seen.files;
        let mut reader = SpoolReader::new(&self.believed.region, trust, heads, seen);
        let mut shown = Shown::new(self.choice.selection(), self.json);
        while let Some(events) = reader.next(&self.dir).map_err(failed)? {
            for event in events {
                shown.show(event, reader.seen(), session)?;
            }
            // Only where signed head logs are over everything is there a place to go on from.
            if reader.is_whole().is_ok() {
                keep_seen(self.state.as_deref(), reader.seen())?;
            }
        }
        let files = reader.seen().files - before;
        session.say(
            format_args!("{files} new feed files"),
            format_args!("新增 {files} 个推送文件"),
        );
        reader.is_whole()?;
        shown.end(reader.seen(), session)
    }
}

/// What went wrong with a feed file: one that cannot be read is not a check that failed.
pub(super) fn failed(error: SpoolFailed) -> Failure {
    match error {
        SpoolFailed::File { .. } => Failure::local(ErrorCode::FileUnreadable, error),
        SpoolFailed::Broken { .. } | SpoolFailed::Malformed { .. } => Failure::CheckFailed {
            en: format!("the feed files are not believed: {error}"),
            zh: "推送文件不可信：内容缺失、被改动或签名不符",
        },
    }
}
