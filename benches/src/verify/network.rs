//! The demo's network with one product and one grant, and the echo beside the node; each on threads of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use lingqu_core::trust::Trust;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::Network;
use lingqu_demo::objects::Which;
use lingqu_tlog::Intl;
use lingqu_transport::{ClientTls, Connections, Limits, PeerId, ReloadableTls};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::Channel;

use super::Failed;
use super::echo::EchoServer;
use crate::filing;

/// Everything that runs.
pub(super) struct Running {
    network: Network,
    bank: ClientTls,
    echo: RunningEcho,
    // Last, since what runs on them goes first.
    callers: Runtime,
    _node: Runtime,
    _coordinator: Runtime,
}

struct RunningEcho {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Makes the files in `dir`, enrols, files, starts, and waits until the node can answer.
    pub(super) fn start(dir: &Path) -> Result<Running, Failed> {
        let (coordinator, node, callers) = (
            runtime("coordinator")?,
            runtime("node")?,
            runtime("callers")?,
        );
        let mut network = coordinator.block_on(Network::make(dir))?;
        callers.block_on(filing::file(&network, Which::Plane))?;
        node.block_on(network.start_node())?;
        callers.block_on(filing::ready(&network, Which::Plane))?;
        let echo = node.block_on(serve_echo(&network))?;
        Ok(Running {
            bank: network.identity(Party::Bank)?,
            network,
            echo,
            callers,
            _node: node,
            _coordinator: coordinator,
        })
    }

    /// Where the callers run.
    pub(super) fn callers(&self) -> &Runtime {
        &self.callers
    }

    /// Whom receipts are checked against.
    pub(super) fn trust(&self) -> Result<Arc<Trust<Intl>>, Failed> {
        Ok(Arc::new(self.network.trust()?))
    }

    /// A connection to the node.
    pub(super) async fn dial_node(&self) -> Result<Channel, Failed> {
        Ok(self.network.dial_node(&self.bank).await?)
    }

    /// A connection to the echo, made by the same connector to the same identity.
    pub(super) async fn dial_echo(&self) -> Result<Channel, Failed> {
        let url = format!("https://{}", self.echo.address);
        let dialled = lingqu_transport::connect(&url, &self.bank, PeerId::Node(cast::node())).await;
        dialled.map_err(|error| Failed::SettingUp(error.to_string()))
    }

    /// Stops everything in order.
    pub(super) fn stop(mut self) -> Result<(), Failed> {
        self.callers.block_on(async {
            // If it has ended before, its task says why.
            let _ = self.echo.shutdown.send(());
            let ended = self.echo.task.await;
            ended.map_err(|error| Failed::SettingUp(error.to_string()))?;
            self.network.stop_node().await?;
            Ok(self.network.stop_coordinator().await?)
        })
    }
}

/// A runtime with threads of this name.
pub(crate) fn runtime(name: &str) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .enable_all()
        .build()
}

/// Serves the echo as the node serves its calls: same identity, same limits, same accept loop, HTTP and TLS.
async fn serve_echo(network: &Network) -> Result<RunningEcho, Failed> {
    let home = network.files().dir().join("node");
    let id = cast::node();
    let files = network.files().tls_files(
        &home.join(format!("{id}.pem")),
        &home.join(format!("{id}.key")),
    );
    let clock = Arc::clone(network.clock());
    let tls = ReloadableTls::load(files, Arc::clone(&clock));
    let tls = Arc::new(tls.map_err(|error| Failed::SettingUp(error.to_string()))?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Routes::new(EchoServer).into_axum_router();
    let (shutdown, ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (limits, connections) = (Limits::default(), Connections::new());
        let ended = async { drop(ended.await) };
        lingqu_transport::serve(listener, tls, limits, clock, router, connections, ended).await;
    });
    Ok(RunningEcho {
        address,
        shutdown,
        task,
    })
}
