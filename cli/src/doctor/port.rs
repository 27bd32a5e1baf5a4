//! The addresses to listen at: free, or this very service's own; and what a running node says of itself.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::id::IdPrefix;
use lingqu_core::{Clock, ErrorCode};
use lingqu_transport::ClientTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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

/// The listener for metrics and health. It proves no identity, so that all that can be said of one that is taken is
/// whether health is answered there.
pub(crate) async fn examine_observed(service: &Service, findings: &mut Findings) {
    let settings = service.observe();
    if let Err(refused) = settings.check() {
        let zh = format!("[observe] 配置不可用：{refused}");
        let en = refused.to_string();
        return findings.fail("observe", ErrorCode::ConfigInvalid, en, zh);
    }
    let Some(listen) = settings.listen else {
        return;
    };
    match TcpListener::bind(listen) {
        Ok(_) => findings.ok(
            "observe",
            format!("{listen} is free"),
            format!("{listen} 空闲"),
        ),
        Err(_) if tells_health(listen).await => findings.ok(
            "observe",
            format!("health is answered at {listen}"),
            format!("{listen} 上有健康状态应答"),
        ),
        Err(error) => findings.fail(
            "observe",
            ErrorCode::ListenUnusable,
            format!("{listen}: {error}, and no health is answered there"),
            format!("{listen}：{error}，且无健康状态应答"),
        ),
    }
}

/// How long the listener may take to say whether it lives.
const HEALTH_TIME: Duration = Duration::from_secs(2);

async fn tells_health(listen: SocketAddr) -> bool {
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(reachable(listen)).await?;
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(&status == b"HTTP/1.1 200")
    };
    matches!(
        tokio::time::timeout(HEALTH_TIME, asking).await,
        Ok(Ok(true))
    )
}

/// Where something that listens everywhere is reached from here.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    listen
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
    let listen = reachable(service.listen());
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
