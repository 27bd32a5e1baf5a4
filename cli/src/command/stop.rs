//! `lingqu stop`: the unit's own stop (叫停), carried out by its node at once and without any network.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::product::ProductRef;
use lingqu_core::stop::{StopOrder, StopScope};
use lingqu_core::{GrantId, NodeId, PartyId};
use lingqu_node::admin::AdminRequest;
use lingqu_proto::{FieldInvalid, encode_envelope, open, product_ref, seal};
use lingqu_transport::signing_key;
use serde_json::json;

use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `stop --socket S --key approval.key --unit PARTY --node NODE (--all|--party P|--grant G|--product P@V) [--lift]`
#[derive(Args, Debug)]
pub(crate) struct Stop {
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
    #[command(flatten)]
    scope: Scope,
    /// Lift the stop of exactly this scope · 解除该范围的叫停
    #[arg(long)]
    lift: bool,
    /// Number of the order; by default one more than the node's last · 指令编号
    #[arg(long, value_name = "N")]
    number: Option<u64>,
}

/// What is stopped: exactly one.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Scope {
    /// Every call · 全部调用
    #[arg(long)]
    all: bool,
    /// Calls by one party · 某一参与方的调用
    #[arg(long, value_name = "PARTY")]
    party: Option<PartyId>,
    /// Calls under one grant · 某一授权下的调用
    #[arg(long, value_name = "GRANT")]
    grant: Option<GrantId>,
    /// Calls of one product version, `unit.product@version` · 某一产品版本的调用
    #[arg(long, value_name = "PRODUCT", value_parser = product)]
    product: Option<ProductRef>,
}

fn product(text: &str) -> Result<ProductRef, FieldInvalid> {
    product_ref(text)
}

impl Scope {
    fn scope(self) -> Result<StopScope, Failure> {
        let party = self.party.map(StopScope::Party);
        let grant = self.grant.map(StopScope::Grant);
        let product = self.product.map(StopScope::Product);
        let all = self.all.then_some(StopScope::All);
        all.or(party)
            .or(grant)
            .or(product)
            .ok_or_else(|| Failure::Unusable("no scope is given".to_owned()))
    }
}

impl Stop {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let scope = self.scope.scope()?;
        let number = match self.number {
            Some(number) => number,
            None => session
                .wait(local_control::status(&self.socket))??
                .stop_number
                .saturating_add(1),
        };
        let order = StopOrder {
            unit: self.unit.clone(),
            node: self.node,
            number,
            issued: session.clock.now(),
            lift: self.lift,
            scope,
        };
        let mut envelope = seal(&order);
        open::<StopOrder>(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
        envelope.sign(self.unit.as_str(), &key);
        let request = AdminRequest::Stop {
            order: hex::encode(encode_envelope(&envelope)),
        };
        session.wait(local_control::request(&self.socket, &request))??;
        if self.lift {
            session.say(
                "lifted; this is the order's number",
                "已解除叫停，指令编号如下",
            );
        } else {
            session.say(
                "stopped; this is the order's number",
                "已叫停，指令编号如下",
            );
        }
        session.answer(number, &json!({ "number": number, "lifted": self.lift }))
    }
}
