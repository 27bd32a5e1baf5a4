//! The address to listen at: free, or this very service's own; and what a running node says of itself.

use std::net::TcpListener;
use std::sync::Arc;

use lingqu_core::id::IdPrefix;
use lingqu_core::{Clock, ErrorCode};
use lingqu_transport::ClientTls;

use super::{Findings, Service};
use crate::local_control;

pub(crate) async fn examine(
    service: &Service,
    in_use: bool,
    clock: &Arc<dyn Clock>,
    findings: &mut Findings,
) {
    let listen = service.listen();
    if let Some(node) = service.node()
        && in_use
    {
        running(&node.admin_socket(), findings).await;
    }
    match TcpListener::bind(listen) {
        Ok(_) => findings.ok(
            "listen",
            format!("{listen} is free"),
            format!("{listen} 空闲"),
        ),
        Err(_) if answers(service, clock).await => findings.ok(
            "listen",
            format!("{} answers at {listen}", service.id()),
            format!("{listen} 上应答的是 {}", service.id()),
        ),
        Err(error) => findings.fail(
            "listen",
            ErrorCode::ListenUnusable,
            format!(
                "{listen}: {error}, and it is not {} that answers",
                service.id()
            ),
            format!("{listen}：{error}，且应答方并非 {}", service.id()),
        ),
    }
}

/// Whether this service answers at its own address, proven by its certificate.
async fn answers(service: &Service, clock: &Arc<dyn Clock>) -> bool {
    let mut tls = service.tls();
    // Here the authorities need not be allowed to speak for this service: that is for its peers to decide.
    let prefix = |text: &str| text.parse::<IdPrefix>().ok();
    let prefixes: Vec<_> = ["coord_", "node_", "party_"]
        .into_iter()
        .filter_map(prefix)
        .collect();
    for authority in &mut tls.authorities {
        authority.prefixes.clone_from(&prefixes);
    }
    let Ok(tls) = ClientTls::load(tls, Arc::clone(clock)) else {
        return false;
    };
    let mut listen = service.listen();
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let url = format!("https://{listen}");
    lingqu_transport::connect(&url, &tls, service.id())
        .await
        .is_ok()
}

async fn running(socket: &std::path::Path, findings: &mut Findings) {
    match local_control::status(socket).await {
        Ok(status) if status.reconciled => findings.ok(
            "node",
            format!(
                "running: {} records, {} products open",
                status.journal_size, status.products_open
            ),
            format!(
                "运行中：{} 条记录，{} 个产品开放",
                status.journal_size, status.products_open
            ),
        ),
        Ok(_) => findings.warn(
            "node",
            ErrorCode::NodeNotReady,
            "running, and not compared with its mirror yet",
            "运行中，尚未与镜像核对",
        ),
        Err(failure) => findings.warn(
            "node",
            ErrorCode::PeerUnreachable,
            format!(
                "running, but its local control does not answer: {}",
                failure.reason()
            ),
            format!("运行中，但本地控制未应答：{}", failure.reason()),
        ),
    }
}
