//! `lingqu node bodies`: what a node keeps of calls, and the unit's order to erase the keys of a grant's bodies.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::body::{BodyAct, BodyOrder, Day};
use lingqu_core::{GrantId, NodeId, PartyId};
use lingqu_node::admin::AdminRequest;
use lingqu_proto::encode_envelope;
use lingqu_transport::signing_key;
use serde_json::json;

use crate::body_order;
use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `node bodies status|erase`
#[derive(Args, Debug)]
pub(super) struct BodiesArguments {
    #[command(subcommand)]
    command: BodiesCommand,
}

#[derive(Subcommand, Debug)]
enum BodiesCommand {
    /// Erase the keys of a grant's bodies, after the retention · 留存期满后删除某一授权的内容密钥
    Erase(Erase),
    /// What is kept, and what may or should be erased · 留存情况，以及可删除与逾期未删除的授权
    Status(Status),
}

/// `node bodies erase --socket S --key approval.key --unit PARTY --node NODE --grant G --from DAY --to DAY --reason TEXT`
#[derive(Args, Debug)]
struct Erase {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The unit's approval key · 数源单位审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The unit, `party_…` · 数源单位
    #[arg(long, value_name = "PARTY")]
    unit: PartyId,
    /// The node, `node_…` · 节点
    #[arg(long, value_name = "NODE")]
    node: NodeId,
    /// The grant · 授权
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    /// First day of the calls, in UTC+8 · 起始日
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Day,
    /// Last day of the calls · 截止日
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Day,
    /// Why; stands in the record · 事由，将写入日志
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
struct Status {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
}

impl BodiesArguments {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            BodiesCommand::Erase(erase) => erase.run(session),
            BodiesCommand::Status(status) => status.run(session),
        }
    }
}

impl Erase {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let order = BodyOrder {
            by: self.unit,
            node: self.node,
            issued: session.clock.now(),
            grant: self.grant,
            days: body_order::days(self.from, self.to)?,
            act: BodyAct::Erase,
            reason: self.reason,
        };
        let envelope = body_order::sign(&order, &key)?;
        let request = AdminRequest::EraseBodies {
            order: hex::encode(encode_envelope(&envelope)),
        };
        let answer = session.wait(local_control::response(&self.socket, &request))??;
        let erased = answer.erased.unwrap_or_default();
        session.say(
            format_args!("{erased} keys erased: what they sealed is unreadable. Backups of the state directory may still hold them"),
            format_args!("已删除 {erased} 个密钥，其封装的内容不可再读；状态目录的备份中可能仍有密钥"),
        );
        session.answer(erased, &json!({ "erased": erased }))
    }
}

impl Status {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = AdminRequest::Bodies;
        let answer = session.wait(local_control::response(&self.socket, &request))??;
        let kept = answer.bodies.unwrap_or_default();
        if !kept.overdue.is_empty() {
            session.say(
                format_args!("kept for too long, erase them: {}", kept.overdue.join(" ")),
                format_args!("留存已逾期，请删除：{}", kept.overdue.join(" ")),
            );
        }
        session.answer(
            format_args!(
                "{} keys, {} days, {} bytes today; erasable: {}",
                kept.keys,
                kept.days,
                kept.bytes_today,
                kept.erasable.join(" ")
            ),
            &json!(kept),
        )
    }
}
