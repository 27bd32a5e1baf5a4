//! The demo's network with one product and one grant, and the echo beside the node; each on threads of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::{Network, wait_until};
use lingqu_demo::objects::{self, Which};
use lingqu_tlog::{Intl, Signer};
use lingqu_transport::{ClientTls, Connections, Limits, PeerId, ReloadableTls};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::Channel;

use super::Failed;
use super::echo::EchoServer;

/// The bank's grant: the story's, with a quota that no run exhausts.
pub(super) const GRANT: &str = "grant_bench";
/// Calls that it allows.
const QUOTA: u64 = 1_000_000_000_000;

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
        callers.block_on(set_up(&network))?;
        node.block_on(network.start_node())?;
        callers.block_on(wait_until(
            &network,
            "the node has all that was filed",
            |node| {
                // Policy, product, approval and grant.
                node.journal().reconciled()
                    && node.products_open() == 1
                    && node.holdings().len() >= 4
            },
        ))?;
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

fn runtime(name: &str) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .enable_all()
        .build()
}

/// Enrols the unit, the bank and the node, and files what the node needs to answer.
async fn set_up(network: &Network) -> Result<(), Failed> {
    for party in [Party::Unit, Party::Bank] {
        let code = network.issue_party_code(party).await?;
        accepted("enrolling", network.enrol_party(party, &code).await?)?;
    }
    let code = network.issue_node_code().await?;
    accepted("enrolling", network.enrol_node(&code).await?)?;

    let which = Which::Plane;
    let policy = network.signed(&objects::policy(which), &[Party::Unit])?;
    let product = network.signed(&objects::product(which), &[Party::Agency])?;
    let approval = objects::approval(which, &product, &policy);
    let approval = network.signed(&approval, &[Party::Unit])?;
    let key = network.approval_key(Party::Bank)?;
    let products = [(which, product.digest())];
    let now = network.clock().now();
    let mut grant = objects::grant(GRANT, Party::Bank, key.public_key(), &products, now);
    grant.quotas[0].calls_per_day = QUOTA;
    grant.quotas[0].calls_total = QUOTA;
    let grant = network.signed(&grant, &[Party::Agency, Party::Bank, Party::Unit])?;
    let objects: [(Party, &Envelope); 4] = [
        (Party::Unit, &policy),
        (Party::Agency, &product),
        (Party::Unit, &approval),
        (Party::Agency, &grant),
    ];
    for (party, object) in objects {
        accepted("filing", network.file(party, object).await?)?;
    }
    Ok(())
}

fn accepted<T>(what: &str, outcome: Result<T, ErrorCode>) -> Result<T, Failed> {
    outcome.map_err(|code| Failed::SettingUp(format!("{what}: {code}")))
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
