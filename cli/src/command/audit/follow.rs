//! `lingqu audit follow`: the records of a region, each shown only after it was verified.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use lingqu_client::{Event, Feed, FeedBroken, Seen};
use lingqu_core::Region;
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, VerifierKey};
use serde_json::json;

use crate::connection::{CoordinatorAt, Identity};
use crate::failure::Failure;
use crate::interrupt;
use crate::record_json;
use crate::session::Session;
use crate::trust_file;

/// Whose head logs are believed.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct HeadLogs {
    /// Verifier key of a region's head log; several · 区域头部日志验证密钥，可多次
    #[arg(long = "head-log-key", value_name = "VKEY", num_args = 1..)]
    head_log_keys: Vec<VerifierKey<Intl>>,
    /// Trust file of the head logs and of the witnesses that must have cosigned them · 头部日志及见证方信任文件
    #[arg(long = "head-trust", value_name = "FILE")]
    head_trust: Option<PathBuf>,
}

impl HeadLogs {
    /// The keys, and the quorum of witnesses if a file says so.
    pub(super) fn trust(&self) -> Result<Trust<Intl>, Failure> {
        match &self.head_trust {
            Some(path) => trust_file::read(path),
            None => Trust::of_logs(&self.head_log_keys)
                .map_err(|error| Failure::Unusable(format!("`--head-log-key`: {error}"))),
        }
    }
}

/// `audit follow --coordinator URL --id COORD_ID --cert … --key … --ca … --trust FILE --head-log-key VKEY… --region R`
#[derive(Args, Debug)]
pub(crate) struct Follow {
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: Identity,
    /// Whose logs and cosignatures are believed · 信任文件
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    heads: HeadLogs,
    /// The region, with everything below it · 行政区划代码（含下级）
    #[arg(long, value_name = "REGION")]
    region: Region,
    /// End when everything known at the start was shown · 输出现有记录后结束
    #[arg(long)]
    until_current: bool,
    /// One JSON object a line · 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
}

impl Follow {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let trust = trust_file::read(&self.trust)?;
        let heads = self.heads.trust()?;
        let tls = self.identity.load(&session.clock)?;
        let runtime = session.runtime()?;
        let (mut feed, ended) = runtime.block_on(async {
            let ended = interrupt::interrupted()?;
            let channel = self.coordinator.dial(&tls).await?;
            let seen = Seen::default();
            let feed = Feed::follow(
                channel,
                &self.region,
                self.until_current,
                trust,
                heads,
                seen,
            )
            .await?;
            Ok::<_, Failure>((feed, ended))
        })?;
        let mut ended = std::pin::pin!(ended);
        let mut shown = Shown::default();
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    event = feed.next() => Some(event),
                    () = &mut ended => None,
                }
            });
            match next {
                Some(Ok(Some(event))) => shown.show(event, self.json, session)?,
                Some(Ok(None)) if self.until_current => return shown.end(session),
                Some(Ok(None)) => {
                    return Err(Failure::Unreachable(
                        "the coordinator ended the feed".to_owned(),
                    ));
                }
                Some(Err(broken)) => return Err(broken.into()),
                // Whoever interrupts has seen what was shown; nothing is claimed beyond it.
                None => return Ok(()),
            }
        }
    }
}

/// What was shown, and of which regions it is not known yet that it is all.
#[derive(Default)]
struct Shown {
    records: u64,
    open: BTreeSet<Region>,
}

impl Shown {
    fn show(&mut self, event: Event, json: bool, session: &mut Session<'_>) -> Result<(), Failure> {
        match event {
            Event::Records {
                origin,
                region,
                records,
                ..
            } => {
                for record in &records {
                    if json {
                        let mut line = record_json::of(record);
                        line["stream"] = origin.as_str().into();
                        line["region"] = region.as_str().into();
                        session.json(&line)?;
                    } else {
                        session.line(format_args!("{origin} {}", record_json::line(record)))?;
                    }
                }
                self.records += records.len() as u64;
                self.open.insert(region);
            }
            Event::Complete { region, heads, .. } => {
                if json {
                    session.json(
                        &json!({ "complete": { "region": region.as_str(), "heads": heads } }),
                    )?;
                } else {
                    session.say(
                        format_args!("region {region} is complete up to head {heads}"),
                        format_args!("区域 {region} 截至第 {heads} 个头部记录完整"),
                    );
                }
                self.open.remove(&region);
            }
        }
        Ok(())
    }

    /// A feed that ends before its head log says that it was all could have left something out.
    fn end(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.open.into_iter().next() {
            Some(region) => Err(FeedBroken::HeadLogGap(region).into()),
            None => {
                session.say(
                    format_args!("{} records, all verified", self.records),
                    format_args!("共 {} 条记录，均已核验", self.records),
                );
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
