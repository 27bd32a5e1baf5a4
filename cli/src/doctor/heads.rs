//! Whether a node sees for itself what supervisors are shown of it, and whether its products can be witnessed as their
//! units' terms ask.
//!
//! Both are choices of the configuration that work on in silence: without the head log's key the node notices nothing of what
//! the coordinator leaves out, and without pinned witnesses a product under `witnessed` terms answers nobody.

use std::collections::BTreeMap;

use lingqu_core::ErrorCode;
use lingqu_core::product::{POLICY_TYPE, SignedPolicy};
use lingqu_node::NodeConfig;
use lingqu_node::state::State;
use lingqu_policy::AuditTerms;
use lingqu_proto::{decode_envelope, open};

use super::Findings;

pub(super) fn examine(config: &NodeConfig, findings: &mut Findings) {
    if config.trust.head_key.is_some() {
        findings.ok(
            "head log",
            "the node follows the head log of its region",
            "节点核对本区域的头部日志",
        );
    } else {
        findings.warn(
            "head log",
            ErrorCode::HeadLogUnfollowed,
            "`trust.head_key` is not set",
            "未设置 `trust.head_key`",
        );
    }
    if config.trust.witnesses.is_none() {
        for resource in witnessed(config) {
            findings.fail(
                "witnesses",
                ErrorCode::WitnessesUnpinned,
                format!("the policy on `{resource}` asks for witnesses, and `trust.witnesses` is not set"),
                format!("数据资源 `{resource}` 的策略要求见证，但未设置 `trust.witnesses`"),
            );
        }
    }
}

/// The resources whose newest policy that the node holds asks for witnesses. What cannot be read is found where the state is
/// looked at.
fn witnessed(config: &NodeConfig) -> Vec<String> {
    let dir = config.data_dir.join("objects");
    if !dir.exists() {
        return Vec::new();
    }
    let state = config
        .state_key()
        .ok()
        .and_then(|key| State::open(&config.data_dir, key.as_ref()).ok());
    let objects = state.and_then(|state| state.read_all(&dir, "env").ok());
    let mut newest: BTreeMap<String, SignedPolicy> = BTreeMap::new();
    for (_, bytes) in objects.unwrap_or_default() {
        let envelope = decode_envelope(&bytes).ok();
        let envelope = envelope.filter(|envelope| envelope.payload_type == POLICY_TYPE);
        let policy = envelope.and_then(|envelope| open::<SignedPolicy>(&envelope).ok());
        let Some(policy) = policy else {
            continue;
        };
        let is_newer = |known: &SignedPolicy| known.version >= policy.version;
        if !newest.get(&policy.resource).is_some_and(is_newer) {
            newest.insert(policy.resource.clone(), policy);
        }
    }
    let asks =
        |policy: &SignedPolicy| matches!(policy.policy.audit(), AuditTerms::Witnessed { .. });
    let resources = newest.into_iter().filter(|(_, policy)| asks(policy));
    resources.map(|(resource, _)| resource).collect()
}
