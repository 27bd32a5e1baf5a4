//! `lingqu audit export`: a region's streams and head logs as files in the layout of C2SP tlog-tiles. What is written was
//! verified before, by the same checks as `audit follow`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use lingqu_client::archive::{ArchiveWriter, write_dropped};
use lingqu_client::{Event, FeedBroken, Head, Seen};
use lingqu_core::receipt::Receipt;
use lingqu_core::{ErrorCode, Region};
use lingqu_tlog::{Checkpoint, Intl, Note};
use serde_json::json;

use super::archive::failed;
use super::links;
use super::subscription::Subscription;
use crate::failure::Failure;
use crate::session::Session;
use crate::written;

/// `audit export --coordinator URL --id COORD_ID --cert … --key … --ca … --trust FILE --head-trust FILE --region R --out DIR`
#[derive(Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    subscription: Subscription,
    /// Where the archive goes; it must not exist yet · 归档目录（须为新目录）
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The logs of an archive while they arrive.
struct Logs {
    out: PathBuf,
    open: BTreeMap<String, Open>,
}

/// One of them, with the newest checkpoint that is about exactly what was written.
struct Open {
    writer: ArchiveWriter,
    checkpoint: String,
}

impl Export {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        written::must_be_new(&self.out)?;
        let runtime = session.runtime()?;
        let mut feed = self
            .subscription
            .follow(true, Seen::default(), &runtime, session)?;
        let mut logs = Logs {
            out: self.out.clone(),
            open: BTreeMap::new(),
        };
        // Heads of a region that its signed head log does not cover yet.
        let mut pending: BTreeMap<Region, Vec<Vec<u8>>> = BTreeMap::new();
        while let Some(event) = runtime.block_on(feed.next())? {
            match event {
                Event::Records {
                    origin,
                    region,
                    records,
                    head,
                    follows,
                } => {
                    if let Some(step) = follows {
                        links::tell(std::slice::from_ref(&*step), session);
                    }
                    let entries = records.iter().map(|record| record.encode::<Intl>());
                    let note = Head::decode(&head)
                        .ok_or(FeedBroken::Malformed("head"))?
                        .note;
                    logs.append(&origin, entries, note.to_string())?;
                    pending.entry(region).or_default().push(head);
                }
                Event::Dropped {
                    region, head, end, ..
                } => {
                    pending.entry(region).or_default().push(head);
                    if let Some(end) = end {
                        links::check_dropped(&end.0, session)?;
                        links::tell_dropped(&end.0, session);
                        logs.dropped(&end.1)?;
                    }
                }
                Event::Complete {
                    region, checkpoint, ..
                } => {
                    let origin = origin_of(&checkpoint)?;
                    let heads = pending.remove(&region).unwrap_or_default();
                    logs.append(&origin, heads.into_iter(), checkpoint)?;
                }
            }
        }
        // What was written is as it came; whoever verifies it later is told the same.
        let off: Vec<String> = feed
            .seen()
            .off_record()
            .into_iter()
            .map(str::to_owned)
            .collect();
        logs.finish(session)?;
        links::check_on_record(off.iter().map(String::as_str))
    }
}

impl Logs {
    fn append(
        &mut self,
        origin: &str,
        entries: impl Iterator<Item = Vec<u8>>,
        checkpoint: String,
    ) -> Result<(), Failure> {
        if !self.open.contains_key(origin) {
            let writer = ArchiveWriter::create(&self.out, origin).map_err(failed)?;
            let open = Open {
                writer,
                checkpoint: String::new(),
            };
            self.open.insert(origin.to_owned(), open);
        }
        let open = self
            .open
            .get_mut(origin)
            .expect("it was entered just above");
        for entry in entries {
            open.writer.append(&entry).map_err(failed)?;
        }
        open.checkpoint = checkpoint;
        Ok(())
    }

    /// Writes what there is of a stream whose records were dropped.
    fn dropped(&mut self, end: &Receipt) -> Result<(), Failure> {
        let origin = &end.checkpoint.origin;
        if self.open.contains_key(origin) {
            // Dropped while it was read: half of it is no archive, and the next export begins without it.
            return Err(Failure::refused(ErrorCode::StreamPruned));
        }
        write_dropped(&self.out, end).map_err(failed)
    }

    fn finish(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut entries = 0;
        let count = self.open.len();
        for (origin, open) in self.open {
            let size = open.writer.size();
            open.writer.finish(&open.checkpoint).map_err(failed)?;
            entries += size;
            session.answer(
                format_args!("{origin} {size}"),
                &json!({ "origin": origin, "size": size }),
            )?;
        }
        session.say(
            format_args!("{count} logs with {entries} entries, all verified"),
            format_args!("共 {count} 个日志、{entries} 条，均已核验"),
        );
        Ok(())
    }
}

fn origin_of(checkpoint: &str) -> Result<String, Failure> {
    let malformed = || FeedBroken::Malformed("head log");
    let note = Note::parse(checkpoint).map_err(|_| malformed())?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| malformed())?;
    Ok(checkpoint.origin)
}
