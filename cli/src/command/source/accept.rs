//! `lingqu source accept`: the unit has looked at a table that changed, and lets its products answer again.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::grant::Environment;
use lingqu_core::source_order::{SourceAct, SourceOrder};
use lingqu_core::{ErrorCode, NodeId, PartyId};
use lingqu_node::admin::AdminRequest;
use lingqu_node::loads::status::ResourceStatus;
use lingqu_proto::{encode_envelope, open, seal};
use lingqu_tlog::Hash;
use lingqu_transport::signing_key;
use serde_json::json;

use super::running::Named;
use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `source accept --socket S --key approval.key --unit PARTY --node NODE RESOURCE [--columns DIGEST]`
#[derive(Args, Debug)]
pub(super) struct Accept {
    #[command(flatten)]
    named: Named,
    /// The unit's approval key · 数源单位审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The unit, `party_…` · 数源单位
    #[arg(long, value_name = "PARTY")]
    unit: PartyId,
    /// The node, `node_…` · 节点
    #[arg(long, value_name = "NODE")]
    node: NodeId,
    /// Digest of the columns that the unit has looked at, as `source status` shows it · 已核对字段的摘要
    #[arg(long, value_name = "DIGEST")]
    columns: String,
}

impl Accept {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (sources, status) = session.wait(self.named.status())??;
        let bytes = hex::decode(&self.columns).ok();
        let digest = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let schema = digest.map(Hash).ok_or_else(|| {
            Failure::Unusable("`--columns` is not a digest of 64 hexadecimal digits".to_owned())
        })?;
        let signed = Signed {
            key: &self.key,
            unit: &self.unit,
            node: &self.node,
        };
        let act = SourceAct::Accept { schema };
        let request = order(&signed, &status, sources.order_number, act, session)?;
        session.wait(local_control::response(&self.named.socket, &request))??;
        session.say(
            "the columns are accepted, and the table is being read again",
            "已确认字段变化，正在重新装载",
        );
        session.answer(
            &self.columns,
            &json!({ "resource": status.resource, "accepted": self.columns }),
        )
    }
}

/// Who orders.
pub(super) struct Signed<'a> {
    pub(super) key: &'a Path,
    pub(super) unit: &'a PartyId,
    pub(super) node: &'a NodeId,
}

/// A signed order about the resource, with the next number.
pub(super) fn order(
    signed: &Signed<'_>,
    status: &ResourceStatus,
    last: u64,
    act: SourceAct,
    session: &Session<'_>,
) -> Result<AdminRequest, Failure> {
    let key = signing_key::read(signed.key).map_err(Failure::key)?;
    let words = status.environments.first();
    let environment: Option<Environment> = words.and_then(|word| word.parse().ok());
    let order = SourceOrder {
        unit: signed.unit.clone(),
        node: signed.node.clone(),
        number: last.saturating_add(1),
        issued: session.clock.now(),
        resource: status.resource.clone(),
        environment: environment.ok_or_else(|| Failure::refused(ErrorCode::ResourceUnknown))?,
        act,
    };
    let mut envelope = seal(&order);
    open::<SourceOrder>(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
    envelope.sign(signed.unit.as_str(), &key);
    Ok(AdminRequest::OrderSource {
        order: hex::encode(encode_envelope(&envelope)),
    })
}
