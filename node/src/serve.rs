//! The node's face: one port, mutual TLS, for gRPC, Flight SQL and JSON; and the tasks that run beside it.

pub mod bearer;
mod bodies;
mod calling;
mod calls;
mod coded;
pub mod context;
pub mod door;
mod flight_sql;
mod health;
pub mod http;
pub mod sql;
mod words;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::record::{Draft, Kind};
use lingqu_proto::Rpc;
use lingqu_proto::access::{self, Server};
use lingqu_transport::{AccessLayer, ClientTls, Peer, PeerId, ReloadableTls};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use self::calling::Calling;
use self::door::Way;
use self::flight_sql::{Execution, FlightSql, Kept};
use crate::Node;
use crate::{admin, loads, ship, succession};

/// Why a node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The TLS files cannot be used.
    #[error("tls: {0}")]
    Tls(String),
    /// The journal did not close in order; what is durable in it stays so.
    #[error("the journal did not close in order")]
    Journal,
    /// The listener of metrics and health cannot be opened.
    #[error("`observe.listen`: {0}")]
    Observe(std::io::Error),
    /// The admin socket cannot be opened.
    #[error("admin socket: {0}")]
    Admin(std::io::Error),
}

/// Why serving ended in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It was told to.
    Interrupted,
    /// The node's stream has ended: open the node anew, and it writes the next one.
    Succeeded,
}

/// Serves until `shutdown` or until the stream has ended, then lets running calls finish and closes the journal in order.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Served, ServeError> {
    let tls = ReloadableTls::load(node.config.tls.clone(), Arc::clone(&node.clock))
        .map_err(|error| ServeError::Tls(error.to_string()))?;
    let tls = Arc::new(tls);
    let admin_listener = admin::listen(&node.config.admin_socket()).map_err(ServeError::Admin)?;
    let observing = observe(&node).await.map_err(ServeError::Observe)?;
    let kept = Arc::new(Kept::new(&node.config.limits));
    let beside = Beside::start(&node, &tls, &kept, admin_listener, observing);
    let calls = TaskTracker::new();
    let mut was_told = false;
    lingqu_transport::serve(
        listener,
        tls,
        node.config.limits.listener(),
        Arc::clone(&node.clock),
        router(&node, &calls, &kept),
        node.connections.clone(),
        async {
            tokio::select! {
                biased;
                () = shutdown => was_told = true,
                () = node.succeeded.cancelled() => {}
            }
            node.observe.begin_ending();
        },
    )
    .await;
    // No new call arrives. Those under way finish their bookkeeping before the journal closes.
    calls.close();
    calls.wait().await;
    close(&node, beside).await?;
    // Told to end while the stream ended: whoever told it does not want it to go on.
    Ok(match was_told {
        true => Served::Interrupted,
        false => Served::Succeeded,
    })
}

fn router(node: &Arc<Node>, calls: &TaskTracker, kept: &Arc<Kept>) -> axum::Router {
    let bytes_max = node.config.limits.request_bytes_max;
    let calling = Calling::new(Arc::clone(node), calls.clone());
    let service = calls::Calls::new(calling.clone(), calls.clone());
    let flight = FlightSql::new(Execution::new(calling.clone(), Arc::clone(kept)));
    Routes::new(service.into_server(bytes_max))
        .add_service(flight.into_server(bytes_max))
        .add_service(bodies::Opening::new(Arc::clone(node)).into_server(bytes_max))
        .add_service(health::Readiness::server(Arc::clone(node)))
        .add_service(reflection().build_v1().expect(DESCRIBED))
        .add_service(reflection().build_v1alpha().expect(DESCRIBED))
        .into_axum_router()
        .merge(http::routes(calling))
        .layer(axum::middleware::map_response(coded::coded))
        .layer(AccessLayer::new(Arc::new(admitted)))
}

/// The listener of metrics and health, if one is configured.
async fn observe(node: &Node) -> std::io::Result<Option<TcpListener>> {
    let Some(listen) = node.config.observe.listen else {
        return Ok(None);
    };
    let listener = TcpListener::bind(listen).await?;
    node.observe.serves_at(listener.local_addr()?);
    Ok(Some(listener))
}

const DESCRIBED: &str = "the descriptors are generated with the services";

/// Describes to tools what a node serves of ours. The coordinator's services are none of it.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(lingqu_proto::FILE_DESCRIPTOR_SET)
        .with_service_name("lingqu.v1.Bodies")
        .with_service_name("lingqu.v1.Calls")
}

/// What runs beside the calls: replication, pushes, local control, the minute's bookkeeping, new certificates, and what
/// tells of all this.
struct Beside {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Beside {
    fn start(
        node: &Arc<Node>,
        tls: &Arc<ReloadableTls>,
        kept: &Arc<Kept>,
        admin_listener: UnixListener,
        observing: Option<TcpListener>,
    ) -> Beside {
        let beside = Beside {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let client = ClientTls::new(Arc::clone(tls));
        let reload = Duration::from_secs(node.config.limits.tls_reload_s.max(1));
        for mirror in node.config.mirror_addresses() {
            beside.run(ship::replicate::run(
                Arc::clone(node),
                mirror,
                client.clone(),
            ));
        }
        beside.run(ship::watch::run(Arc::clone(node), client));
        beside.run(admin::run(Arc::clone(node), admin_listener));
        beside.run(loads::run(Arc::clone(node)));
        beside.run(succession::run(Arc::clone(node)));
        beside.run(every_minute(Arc::clone(node), Arc::clone(kept)));
        beside.run(heartbeats(Arc::clone(node)));
        beside.run(crate::heads::watch(Arc::clone(node)));
        beside.run(kept_bodies(Arc::clone(node)));
        beside.run(Arc::clone(tls).watch(reload));
        if let Some(listener) = observing {
            beside.run(tell(Arc::clone(node), listener));
        }
        if let Some(exporter) = node.observe.take_exporter() {
            // It ends by itself, after it has sent what the last calls left.
            beside.tasks.spawn(exporter.run(beside.stop.clone()));
        }
        beside
    }

    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Writes what is still to be recorded, the end of this run last, and closes the journal.
async fn close(node: &Arc<Node>, beside: Beside) -> Result<(), ServeError> {
    node.journal.flush_denials();
    node.record_pending().await;
    if node.journal.reconciled()
        && let Err(error) = node.journal.append(Draft::new(Kind::NodeStop)).await
    {
        tracing::warn!(%error, "the end of this run is not on record");
    }
    beside.end().await;
    node.loader.close();
    // What was begun off the async threads still holds the journal.
    node.blocking.close();
    node.blocking.wait().await;
    // Closing joins the journal's thread: not on a thread that others wait for.
    let (journal, bodies) = (node.journal.clone(), Arc::clone(&node.bodies));
    let closed = tokio::task::spawn_blocking(move || {
        bodies.close();
        journal.close();
    })
    .await;
    closed.map_err(|_| ServeError::Journal)
}

async fn tell(node: Arc<Node>, listener: TcpListener) {
    let observed: Arc<Node> = Arc::clone(&node);
    lingqu_telemetry::listener::serve(listener, &node.config.observe, observed).await;
}

/// Only what the access table opens at a node, and only to verified peers of that kind; everything else stays shut.
fn admitted(path: &str, peer: Result<&Peer, ErrorCode>) -> Result<(), ErrorCode> {
    let peer = peer?;
    let kind = match peer.id {
        PeerId::Party(_) => access::Kind::Party,
        PeerId::Node(_) => access::Kind::Node,
        PeerId::Coordinator(_) => access::Kind::Coordinator,
    };
    if let Some(way) = Way::at(path) {
        return way.admits(kind);
    }
    let admission = match access::beside(Server::Node, path) {
        Some(admission) => admission,
        None => access::admission(Rpc::from_path(path).ok_or(ErrorCode::RequestInvalid)?),
    };
    if admission.server != Server::Node {
        return Err(ErrorCode::CallerRoleForbidden);
    }
    // At a node the grant decides, not a role; whether a party is enrolled is the registry's concern.
    admission.admits(Some(kind), true, &[])
}

async fn every_minute(node: Arc<Node>, kept: Arc<Kept>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(60));
    loop {
        ticks.tick().await;
        node.journal.flush_denials();
        node.record_pending().await;
        kept.sweep(node.clock.monotonic());
        node.forget_subject_keys().await;
    }
}

/// Brings interrupted erasures to their end once records can be made, and tells the unit what it keeps for too long.
async fn kept_bodies(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while !node.ready() {
        ticks.tick().await;
    }
    node.finish_erasures().await;
    let mut ticks = tokio::time::interval(Duration::from_secs(3_600));
    loop {
        ticks.tick().await;
        let overdue = node.bodies_status().await.overdue;
        if !overdue.is_empty() {
            tracing::error!(
                ?overdue,
                "bodies of calls are kept longer than they may be: erase them"
            );
        }
    }
}

/// Says that the node is there whenever nothing else was recorded for a while.
async fn heartbeats(node: Arc<Node>) {
    let idle = Duration::from_secs(node.config.limits.heartbeat_s.clamp(10, 3_600));
    // A beat is late by a fifth at most.
    let mut ticks = tokio::time::interval(idle / 5);
    loop {
        ticks.tick().await;
        if node.journal.reconciled()
            && let Err(error) = node.journal.beat(idle).await
        {
            tracing::warn!(%error, "a heartbeat is not on record");
        }
    }
}
