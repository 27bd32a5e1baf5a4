//! `lingqu stream`: the unit's order that its node's stream ends and another follows, and the journals of past streams.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::succession::SuccessionOrder;
use lingqu_node::admin::AdminRequest;
use lingqu_proto::{encode_envelope, open};
use serde_json::json;

use crate::command::object::{New, Show, Sign};
use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, local_control};

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Stream {
    #[command(subcommand)]
    command: StreamCommand,
}

#[derive(Subcommand, Debug)]
enum StreamCommand {
    /// Make an unsigned order from a TOML file · 由 TOML 文件生成未签名的日志流更替指令
    New(New),
    /// Add the unit's signature · 添加数源单位签名
    Sign(Sign),
    /// Show what it says and who signed · 查看内容与签名方
    Show(Show),
    /// Hand it to the unit's node, which carries it out when it is due · 提交节点，到期执行
    Succeed(Succeed),
    /// The journals of streams that have ended: until when they are kept · 已结束日志流的留存状态
    Past(Past),
}

#[derive(Args, Debug)]
struct Succeed {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The order with the unit's signature · 数源单位签署的指令
    #[arg(value_name = "X.env")]
    file: PathBuf,
}

#[derive(Args, Debug)]
struct Past {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// Drop those that need not be kept any more · 清除已满留存期的日志流
    #[arg(long)]
    drop: bool,
}

impl Stream {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            StreamCommand::New(new) => new.run::<SuccessionOrder>(session),
            StreamCommand::Sign(sign) => sign.run::<SuccessionOrder>(session),
            StreamCommand::Show(show) => show.run::<SuccessionOrder>(session),
            StreamCommand::Succeed(succeed) => succeed.run(session),
            StreamCommand::Past(past) => past.run(session),
        }
    }
}

impl Succeed {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = envelope_file::read(&self.file)?;
        let order: SuccessionOrder =
            open(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
        let request = AdminRequest::Succeed {
            order: hex::encode(encode_envelope(&envelope)),
        };
        session.wait(local_control::request(&self.socket, &request))??;
        let due = order.not_before;
        session.say(
            format_args!(
                "the order is on record; due at {due}, then the node goes on with the stream below"
            ),
            format_args!("指令已记录；{due} 到期，此后节点改写以下日志流"),
        );
        session.answer(
            &order.begins,
            &json!({ "ends": order.ends, "begins": order.begins, "due": due.to_string() }),
        )
    }
}

impl Past {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = AdminRequest::PastStreams { drop: self.drop };
        let response = session.wait(local_control::response(&self.socket, &request))??;
        let streams = response.past.unwrap_or_default();
        for stream in &streams {
            let (en, zh) = match (&stream.keep_until, stream.dropped) {
                (_, true) => ("dropped".to_owned(), "已清除".to_owned()),
                (Some(until), false) => (format!("kept until {until}"), format!("留存至 {until}")),
                (None, false) => (
                    format!(
                        "kept: {} grants are not known here any more",
                        stream.unknown_grants
                    ),
                    format!(
                        "继续留存：有 {} 个授权在本节点已无记录",
                        stream.unknown_grants
                    ),
                ),
            };
            let (origin, records) = (&stream.origin, stream.records);
            session.say(
                format_args!("{origin}: {records} records, {en}"),
                format_args!("{origin}：{records} 条记录，{zh}"),
            );
        }
        session.answer(streams.len(), &json!({ "streams": streams }))
    }
}
