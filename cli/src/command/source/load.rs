//! `lingqu source load`: the running node reads a resource again. With `--corrects` the unit marks a load as wrong, under
//! its own signature; nothing answers from that load any more, and the new one takes its place.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::source_order::SourceAct;
use lingqu_core::{LoadId, NodeId, PartyId, Timestamp};
use lingqu_node::admin::AdminRequest;
use serde_json::json;

use super::accept::{Signed, order};
use super::running::Named;
use super::watch;
use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `source load --socket S RESOURCE [--as-of DATE] [--watch] [--corrects LOAD --reason R --key K --unit P --node N]`
#[derive(Args, Debug)]
pub(super) struct Load {
    #[command(flatten)]
    named: Named,
    /// The date that the data speaks for, in place of the configured one · 数据日期
    #[arg(long, value_name = "DATE", conflicts_with = "corrects")]
    as_of: Option<Timestamp>,
    /// Follow it until it ends · 跟踪至结束
    #[arg(long)]
    watch: bool,
    /// Mark this load as wrong · 将该装载标记为有误
    #[arg(long, value_name = "LOAD", requires_all = ["reason", "key", "unit", "node"])]
    corrects: Option<LoadId>,
    /// What was wrong, without anything personal: it stands in the record · 原因，不得含个人信息
    #[arg(long, value_name = "TEXT", requires = "corrects")]
    reason: Option<String>,
    /// The unit's approval key · 数源单位审批密钥
    #[arg(long, value_name = "FILE", requires = "corrects")]
    key: Option<PathBuf>,
    /// The unit, `party_…` · 数源单位
    #[arg(long, value_name = "PARTY", requires = "corrects")]
    unit: Option<PartyId>,
    /// The node, `node_…` · 节点
    #[arg(long, value_name = "NODE", requires = "corrects")]
    node: Option<NodeId>,
}

impl Load {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let named = &self.named;
        let (sources, status) = session.wait(named.status())??;
        let request = match (&self.corrects, &self.key, &self.unit, &self.node) {
            (Some(wrong), Some(key), Some(unit), Some(node)) => {
                let act = SourceAct::Correct {
                    wrong: wrong.clone(),
                    reason: self.reason.clone().unwrap_or_default(),
                };
                let signed = Signed { key, unit, node };
                order(&signed, &status, sources.order_number, act, session)?
            }
            (_, _, _, _) => AdminRequest::Load {
                resource: named.resource.clone(),
                environment: named.word(),
                as_of: self.as_of.map(rfc3339),
            },
        };
        session.wait(local_control::response(&named.socket, &request))??;
        session.say("the load has begun", "装载已开始");
        match self.watch {
            true => watch::follow(named, session),
            false => session.answer(
                &named.resource,
                &json!({ "resource": named.resource, "begun": true }),
            ),
        }
    }
}

/// Whole seconds, as dates are read.
fn rfc3339(date: Timestamp) -> String {
    let text = date.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{seconds}Z")
}
