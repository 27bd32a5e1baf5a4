//! `lingqu coordinator past`: the streams that have ended, and giving up those that need not be kept any more.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lingqu_coordinator::{Config, PastState, PastStream, PastStreams};
use serde_json::json;

use super::{not_opened, refused};
use crate::failure::Failure;
use crate::session::Session;

/// `coordinator past --config FILE [--drop]`, while the coordinator does not run
#[derive(Args, Debug)]
pub(crate) struct Past {
    /// The coordinator's configuration · 协调端配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Drop what need not be kept any more; without it nothing is changed · 清除已满留存期的日志流
    #[arg(long)]
    drop: bool,
}

impl Past {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = Config::load(&self.config).map_err(|error| refused(&self.config, &error))?;
        let clock = Arc::clone(&session.clock);
        let past = session.wait(async {
            let coordinator = lingqu_coordinator::Coordinator::open(config, clock)
                .await
                .map_err(not_opened)?;
            let past = coordinator.past_streams(self.drop).await;
            coordinator.close().await;
            past.map_err(|refusal| Failure::refused(refusal.code))
        })??;
        for stream in &past.streams {
            tell(stream, session);
        }
        tell_sum(&past, self.drop, session);
        session.answer(past.streams.len(), &json!(past))
    }
}

fn tell(stream: &PastStream, session: &mut Session<'_>) {
    let until = stream.keep_until.as_deref().unwrap_or("–");
    let unknown = stream.unknown_grants;
    let (en, zh) = match stream.state {
        PastState::Dropped => ("dropped".to_owned(), "已清除".to_owned()),
        PastState::Held => (
            "may go, but shares the log with what must stay".to_owned(),
            "可以清除，但与仍须留存的内容在同一日志段".to_owned(),
        ),
        PastState::Kept if unknown > 0 => (
            format!("kept: {unknown} grants are not known here"),
            format!("继续留存：有 {unknown} 个授权无记录"),
        ),
        PastState::Kept => (
            format!("kept at least until {until}"),
            format!("至少留存至 {until}"),
        ),
        PastState::Ready => ("can be dropped".to_owned(), "可以清除".to_owned()),
        PastState::Unreadable => (
            "kept: it cannot be judged, the coordinator's log says why".to_owned(),
            "继续留存：无法判定，原因见协调端日志".to_owned(),
        ),
    };
    let (origin, records) = (&stream.origin, stream.records);
    session.say(
        format_args!("{origin}: {records} records, {en}"),
        format_args!("{origin}：{records} 条记录，{zh}"),
    );
}

fn tell_sum(past: &PastStreams, drop: bool, session: &mut Session<'_>) {
    let (segments, bytes, at) = (past.segments, past.bytes, &past.judged_at);
    let (en, zh) = match drop {
        true => ("given up", "已释放"),
        false => ("can be given up with --drop", "可用 --drop 释放"),
    };
    session.say(
        format_args!("{segments} segments with {bytes} bytes {en}; judged at {at}"),
        format_args!("{segments} 个日志段（{bytes} 字节）{zh}；判定时间 {at}"),
    );
}
