//! `lingqu destruction`: that a licensee has destroyed what it held under a grant (销毁确认), and the node's record of it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::destruction::Destruction as Confirmation;
use lingqu_node::admin::AdminRequest;
use lingqu_proto::encode_envelope;
use serde_json::json;

use crate::command::object::{New, Show, Sign};
use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, local_control};

/// What to do with it.
#[derive(Args, Debug)]
pub(crate) struct Destruction {
    #[command(subcommand)]
    command: DestructionCommand,
}

#[derive(Subcommand, Debug)]
enum DestructionCommand {
    /// Make an unsigned confirmation from a TOML file · 由 TOML 文件生成未签名的销毁确认
    New(New),
    /// Add a signature: the licensee's, then the unit's · 添加签名（先被授权方，后数源单位）
    Sign(Sign),
    /// Show what it says and who signed · 查看内容与签名方
    Show(Show),
    /// Hand it to the unit's node, which records it · 提交节点记录
    Record(Record),
    /// Which grants that have ended are confirmed, and which are not · 已终止授权的销毁确认情况
    Status(Status),
}

#[derive(Args, Debug)]
struct Record {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The confirmation with both signatures · 双方签署的销毁确认
    #[arg(value_name = "X.env")]
    file: PathBuf,
}

#[derive(Args, Debug)]
struct Status {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
}

impl Destruction {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            DestructionCommand::New(new) => new.run::<Confirmation>(session),
            DestructionCommand::Sign(sign) => sign.run::<Confirmation>(session),
            DestructionCommand::Show(show) => show.run::<Confirmation>(session),
            DestructionCommand::Record(record) => record.run(session),
            DestructionCommand::Status(status) => status.run(session),
        }
    }
}

impl Record {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = envelope_file::read(&self.file)?;
        let request = AdminRequest::Destruction {
            confirmation: hex::encode(encode_envelope(&envelope)),
        };
        session.wait(local_control::request(&self.socket, &request))??;
        session.say("the confirmation is on record", "销毁确认已记录");
        let digest = envelope.digest();
        session.answer(digest, &json!({ "recorded": digest.to_string() }))
    }
}

impl Status {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = AdminRequest::Destructions;
        let answer = session.wait(local_control::response(&self.socket, &request))??;
        let found = answer.destructions.unwrap_or_default();
        if !found.missing.is_empty() {
            session.say(
                "grants without a confirmation have ended: ask their licensees",
                "存在已终止而未确认销毁的授权，请向被授权方催办",
            );
        }
        let join = |grants: &std::collections::BTreeSet<String>| {
            grants.iter().cloned().collect::<Vec<_>>().join(" ")
        };
        session.answer(
            format_args!(
                "confirmed: {}; missing: {}",
                join(&found.confirmed),
                join(&found.missing)
            ),
            &json!(found),
        )
    }
}
