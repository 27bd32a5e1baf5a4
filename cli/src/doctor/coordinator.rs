//! The coordinator behind a node: whether it can be reached, whether it is the expected one, whether it takes the node,
//! whether its revocation list is signed with the pinned key, and how its clock compares.
//!
//! The time is that of the `date` header of its answer, which came over a connection that proved who answered.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lingqu_core::envelope::SignedBy;
use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_node::NodeConfig;
use lingqu_proto::pb::sync_client::SyncClient;
use lingqu_proto::pb::watch_response::Update;
use lingqu_proto::{envelope_from_pb, pb};
use lingqu_transport::{ClientTls, ConnectError, PeerId, code_of, connect};
use tonic::metadata::MetadataMap;

use super::Findings;

/// Most by which the clocks may differ: beyond it no call is answered.
const SKEW_MAX_S: i64 = 30;
/// Beyond this somebody should look.
const SKEW_LARGE_S: i64 = 5;
/// How long its first push is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn examine(node: &NodeConfig, clock: &Arc<dyn Clock>, findings: &mut Findings) {
    // What is wrong with the files was said where certificates are looked at.
    let Ok(tls) = ClientTls::load(node.tls.clone(), Arc::clone(clock)) else {
        return;
    };
    let (url, id) = (&node.coordinator.url, &node.coordinator.id);
    let channel = match connect(url, &tls, PeerId::Coordinator(id.clone())).await {
        Ok(channel) => channel,
        Err(error) => {
            let code = code_of_connection(&error);
            let text = format!("`{url}`: {error}");
            return findings.fail("coordinator", code, text.clone(), text);
        }
    };
    findings.ok(
        "coordinator",
        format!("{id} answers at {url}"),
        format!("{url} 上应答的是 {id}"),
    );
    let begun = clock.now();
    let watched = SyncClient::new(channel)
        .watch(pb::WatchRequest { epoch_seen: 0 })
        .await;
    let now = midpoint(begun, clock.now());
    match watched {
        Ok(response) => {
            time(response.metadata(), now, findings);
            let first = tokio::time::timeout(PATIENCE, response.into_inner().message()).await;
            epoch(first.ok().and_then(Result::ok).flatten(), node, findings);
        }
        Err(status) => {
            time(status.metadata(), now, findings);
            refused(&status, findings);
        }
    }
}

fn code_of_connection(error: &ConnectError) -> ErrorCode {
    match error {
        ConnectError::ServerRefused { .. } => ErrorCode::CoordinatorOtherIdentity,
        ConnectError::Url => ErrorCode::ConfigInvalid,
        ConnectError::Handshake(_)
        | ConnectError::Http2
        | ConnectError::TimedOut
        | ConnectError::Unreachable(_) => ErrorCode::CoordinatorUnreachable,
    }
}

fn refused(status: &tonic::Status, findings: &mut Findings) {
    match code_of(status) {
        // A node that is still to be enrolled is not broken.
        Some(ErrorCode::NotEnrolled) => findings.warn(
            "coordinator",
            ErrorCode::NotEnrolled,
            "it does not know this node yet, or has suspended it",
            "协调端尚不认识本节点，或已暂停本节点",
        ),
        Some(code) => findings.fail(
            "coordinator",
            code,
            "it turns this node away",
            "协调端拒绝本节点",
        ),
        None => {
            let text = format!("{:?}: {}", status.code(), status.message());
            findings.fail(
                "coordinator",
                ErrorCode::CoordinatorUnreachable,
                text.clone(),
                text,
            );
        }
    }
}

fn midpoint(begun: Timestamp, ended: Timestamp) -> Timestamp {
    begun.plus(ended.since(begun) / 2)
}

/// How far the clocks are apart. The header counts whole seconds.
fn time(metadata: &MetadataMap, now: Timestamp, findings: &mut Findings) {
    let told = metadata.get("date").and_then(|date| date.to_str().ok());
    let told = told.and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(told) = told.and_then(|told| told.duration_since(UNIX_EPOCH).ok()) else {
        return findings.warn(
            "clock",
            ErrorCode::ClockUnsteady,
            "the coordinator's answer carries no time to compare with",
            "协调端的应答未带时间，无法比对",
        );
    };
    let told = i64::try_from(told.as_secs()).unwrap_or(i64::MAX);
    let apart = now.unix_s().abs_diff(told);
    let en = format!("{apart} s from the coordinator's");
    let zh = format!("与协调端相差 {apart} 秒");
    if apart > SKEW_MAX_S.unsigned_abs() {
        findings.fail("clock", ErrorCode::ClockSkew, en, zh);
    } else if apart > SKEW_LARGE_S.unsigned_abs() {
        findings.warn("clock", ErrorCode::ClockSkew, en, zh);
    } else {
        findings.ok("clock", en, zh);
    }
}

/// The first push is the revocation list in force.
fn epoch(first: Option<pb::WatchResponse>, node: &NodeConfig, findings: &mut Findings) {
    let update = first.and_then(|first| first.update);
    let Some(Update::Epoch(sealed)) = update else {
        return findings.warn(
            "coordinator",
            ErrorCode::EpochMissing,
            "it sent no revocation list in time",
            "协调端未及时发送撤销清单",
        );
    };
    let signed = envelope_from_pb(sealed)
        .is_ok_and(|sealed| sealed.signed_by(&node.trust.coordinator_key) == SignedBy::Yes);
    if signed {
        findings.ok(
            "coordinator",
            "its revocation list is signed with the pinned key",
            "撤销清单由预置密钥签署",
        );
    } else {
        findings.fail(
            "coordinator",
            ErrorCode::EpochInvalid,
            "`trust.coordinator_key` did not sign its revocation list",
            "撤销清单并非由 `trust.coordinator_key` 签署",
        );
    }
}

#[cfg(test)]
mod tests;
