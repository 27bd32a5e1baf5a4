//! The nodes of the network: started from their files, stopped in order, dialled, each on its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_journal::FatalHook;
use lingqu_node::{Node, NodeConfig};
use lingqu_transport::{ClientTls, PeerId};
use tokio::net::TcpListener;
use tonic::transport::Channel;

use super::{During, Network, NetworkFailed, Running};
use crate::cast::Unit;

/// A free address for each node.
pub(super) async fn addresses() -> Result<BTreeMap<Unit, SocketAddr>, NetworkFailed> {
    let mut held = Vec::new();
    for unit in Unit::ALL {
        let listener = TcpListener::bind("127.0.0.1:0").await.during("binding")?;
        held.push((unit, listener));
    }
    // The ports are free again until the nodes start; nobody else looks for one here in between.
    held.into_iter()
        .map(|(unit, listener)| Ok((unit, listener.local_addr().during("binding")?)))
        .collect()
}

/// Listens at a port that was free before. Whoever on this machine connects somewhere may have been given it for a
/// moment, so that it is tried again for a while.
pub(super) async fn bound(address: SocketAddr) -> Result<TcpListener, NetworkFailed> {
    for _ in 0..100 {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            listener => return listener.during("binding"),
        }
    }
    TcpListener::bind(address).await.during("binding")
}

impl Network {
    /// The running node of the transport bureau.
    pub fn node(&self) -> Option<&Arc<Node>> {
        self.node_of(Unit::Transport)
    }

    /// A unit's running node.
    pub fn node_of(&self, unit: Unit) -> Option<&Arc<Node>> {
        self.nodes.get(&unit).map(|running| &running.inner)
    }

    /// `https://…` of the transport bureau's node.
    pub fn node_url(&self) -> String {
        self.node_url_of(Unit::Transport)
    }

    /// `https://…` of a unit's node.
    pub fn node_url_of(&self, unit: Unit) -> String {
        format!("https://{}", self.node_addresses[&unit])
    }

    /// Starts the transport bureau's node from its configuration file.
    pub async fn start_node(&mut self) -> Result<(), NetworkFailed> {
        self.start_node_of(Unit::Transport).await
    }

    /// Starts a unit's node from its configuration file.
    pub async fn start_node_of(&mut self, unit: Unit) -> Result<(), NetworkFailed> {
        let config =
            NodeConfig::read(&self.files.node_toml_of(unit)).during("reading node.toml")?;
        self.start(unit, config, Arc::clone(&self.clock)).await
    }

    /// Starts the transport bureau's node with a configuration and a clock of the caller's, for attempts that a file
    /// would not make.
    pub async fn start_node_with(
        &mut self,
        config: NodeConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(), NetworkFailed> {
        self.start(Unit::Transport, config, clock).await
    }

    async fn start(
        &mut self,
        unit: Unit,
        config: NodeConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(), NetworkFailed> {
        let listener = bound(self.node_addresses[&unit]).await?;
        let opened =
            tokio::task::spawn_blocking(move || Node::open(config, clock, FatalHook::default()));
        let node = opened
            .await
            .during("opening the node")?
            .during("opening the node")?;
        let serving = Arc::clone(&node);
        let running = Running::start(node, |ended| async move {
            let shutdown = async { drop(ended.await) };
            let served = lingqu_node::serve::serve(serving, listener, shutdown).await;
            served.map(drop).map_err(|error| error.to_string())
        });
        self.nodes.insert(unit, running);
        Ok(())
    }

    /// Stops the transport bureau's node in order.
    pub async fn stop_node(&mut self) -> Result<(), NetworkFailed> {
        self.stop_node_of(Unit::Transport).await
    }

    /// Stops a unit's node in order.
    pub async fn stop_node_of(&mut self, unit: Unit) -> Result<(), NetworkFailed> {
        match self.nodes.remove(&unit) {
            Some(running) => running.end().await,
            None => Ok(()),
        }
    }

    /// A connection to the transport bureau's node as `identity`.
    pub async fn dial_node(&self, identity: &ClientTls) -> Result<Channel, NetworkFailed> {
        self.dial_node_of(Unit::Transport, identity).await
    }

    /// A connection to a unit's node as `identity`.
    pub async fn dial_node_of(
        &self,
        unit: Unit,
        identity: &ClientTls,
    ) -> Result<Channel, NetworkFailed> {
        let expected = PeerId::Node(unit.node());
        lingqu_transport::connect(&self.node_url_of(unit), identity, expected)
            .await
            .during("dialling the node")
    }
}

/// Waits until `holds` of the running node of the transport bureau, looking every few milliseconds, for at most the
/// network's patience: only a failure takes so long.
pub async fn wait_until(
    network: &Network,
    what: &'static str,
    holds: impl Fn(&Node) -> bool,
) -> Result<(), NetworkFailed> {
    wait_until_of(network, Unit::Transport, what, holds).await
}

/// As [`wait_until`], of any unit's node.
pub async fn wait_until_of(
    network: &Network,
    unit: Unit,
    what: &'static str,
    holds: impl Fn(&Node) -> bool,
) -> Result<(), NetworkFailed> {
    let node = network
        .node_of(unit)
        .ok_or("the node is not running")
        .during(what)?;
    let looking = async {
        while !holds(node) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(network.patience, looking)
        .await
        .map_err(|_| gave_up(network, unit, node))
        .during(what)
}

/// What there is instead of what was waited for. Whoever reads it must not look for a defect where the machine is slow.
fn gave_up(network: &Network, unit: Unit, node: &Node) -> String {
    let journal = node.journal();
    format!(
        "waited {} s for this at {}, and gave up; it {} ready, has {} objects and {} open products, and {} of its {} \
         records are mirrored; on a slow machine wait longer with --patience-s",
        network.patience.as_secs(),
        unit.node(),
        if node.ready() { "is" } else { "is not" },
        node.holdings().len(),
        node.products_open(),
        journal.mirrored_size(),
        journal.size(),
    )
}
