//! The coordinator as it is seen from outside: numbers of who takes part, what is mirrored and what is filed.
//!
//! Everything is read when somebody asks. Labels are ids of nodes, codes of regions and words of the program; the
//! coordinator knows of no subject or parameter, and what it knows of end users is in no label.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingqu_core::{ErrorCode, NodeId, Timestamp};
use lingqu_telemetry::exposition::Series;
use lingqu_telemetry::listener::Told;
use lingqu_telemetry::{Exposition, Health, Observed, Settings};
use lingqu_transport::{Connections, PeerId, StrangerEnd};
use tokio::net::TcpListener;

use crate::api::grpc::Services;
use crate::store::nodes::Node;

/// What is made when the coordinator opens.
pub(crate) struct Observe {
    started: Timestamp,
    series_max: usize,
    address: Option<SocketAddr>,
    /// Taken by whoever serves.
    listener: Mutex<Option<TcpListener>>,
}

impl Observe {
    /// Opens the listener, if one is configured: an address that is taken is found before anything is served.
    pub(crate) async fn bind(settings: &Settings, started: Timestamp) -> std::io::Result<Observe> {
        let listener = match settings.listen {
            Some(listen) => Some(TcpListener::bind(listen).await?),
            None => None,
        };
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(Observe {
            started,
            series_max: settings.series_max,
            address,
            listener: Mutex::new(listener),
        })
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn take_listener(&self) -> Option<TcpListener> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.take()
    }
}

/// Tells whoever asks, for ever; nobody can ask if no address is configured.
pub(crate) async fn tell(settings: &Settings, watched: Arc<Watched>) {
    match watched.observe.take_listener() {
        Some(listener) => lingqu_telemetry::listener::serve(listener, settings, watched).await,
        None => std::future::pending().await,
    }
}

/// The coordinator while it serves.
pub(crate) struct Watched {
    services: Services,
    observe: Arc<Observe>,
}

impl Watched {
    pub(crate) fn new(services: &Services, observe: Arc<Observe>) -> Watched {
        Watched {
            services: services.clone(),
            observe,
        }
    }
}

/// What being ready consists of.
pub(crate) fn health(services: &Services) -> Health {
    Health(vec![
        ("serving", !services.ending.is_cancelled()),
        ("store_open", services.registry.store.is_open()),
        ("acts_logged", services.registry.acts_are_logged()),
        ("mirror_open", services.mirror.is_open()),
    ])
}

impl Observed for Watched {
    fn metrics(self: Arc<Self>) -> Told<String> {
        Box::pin(async move {
            let filed = self.services.registry.store.filed().await;
            let filed = filed.unwrap_or_else(|error| {
                tracing::error!(%error, "filings cannot be counted");
                Vec::new()
            });
            let mut exposition = Exposition::default();
            self.process(&mut exposition);
            self.parties(&mut exposition);
            self.nodes(&mut exposition);
            self.streams(&mut exposition);
            self.registry(&mut exposition, filed);
            self.connections(&mut exposition);
            exposition.into_text()
        })
    }

    fn health(&self) -> Health {
        health(&self.services)
    }
}

impl Watched {
    fn process(&self, exposition: &mut Exposition) {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        exposition.gauges(
            "lingqu_coordinator_build_info",
            "Always 1; the label tells the version of the software.",
            [(version, 1.0)],
        );
        exposition.gauge(
            "lingqu_coordinator_start_time_seconds",
            "When the coordinator was opened, in seconds since the Unix epoch.",
            Some(seconds(self.observe.started)),
        );
        let health = self.health();
        exposition.gauge(
            "lingqu_coordinator_ready",
            "1 if requests can be served now.",
            Some(flag(health.is_ready())),
        );
        let checks = health
            .0
            .into_iter()
            .map(|(check, holds)| (vec![("check", check.to_owned())], flag(holds)));
        exposition.gauges(
            "lingqu_coordinator_health_check",
            "1 if the condition holds; all of them make the coordinator ready.",
            checks,
        );
    }

    fn parties(&self, exposition: &mut Exposition) {
        let directory = self.services.registry.directory();
        let series = lingqu_core::Role::ALL.into_iter().map(|role| {
            let having = directory
                .parties
                .values()
                .filter(|party| party.roles.contains(&role));
            (
                vec![("role", role.as_str().to_owned())],
                count(having.count()),
            )
        });
        exposition.gauges(
            "lingqu_coordinator_parties",
            "Enrolled parties, by role; a party counts once for each of its roles.",
            series,
        );
    }

    fn nodes(&self, exposition: &mut Exposition) {
        let directory = self.services.registry.directory();
        exposition.gauge(
            "lingqu_coordinator_nodes",
            "Enrolled nodes.",
            Some(count(directory.nodes.len())),
        );
        let connected = connected(&self.services.connections);
        exposition.gauge(
            "lingqu_coordinator_nodes_connected",
            "Enrolled nodes with an open connection.",
            Some(count(
                directory
                    .nodes
                    .keys()
                    .filter(|id| connected.contains(*id))
                    .count(),
            )),
        );
        let mut contacts: Vec<(Timestamp, &Node)> = directory
            .nodes
            .values()
            .filter_map(|node| Some((self.services.last_contact(node)?, node)))
            .collect();
        // Those that were silent longest come first: they are the ones to be told of.
        contacts.sort_by(|one, other| (one.0, &one.1.id).cmp(&(other.0, &other.1.id)));
        contacts.truncate(self.observe.series_max);
        let series = contacts
            .into_iter()
            .map(|(last, node)| (of_node(node), seconds(last)));
        exposition.gauges(
            "lingqu_coordinator_node_last_contact_timestamp_seconds",
            "When a node was last heard of, in seconds since the Unix epoch; the nodes that were silent longest.",
            series,
        );
    }

    fn streams(&self, exposition: &mut Exposition) {
        let directory = self.services.registry.directory();
        let mirror = &self.services.mirror;
        let mut nodes: Vec<&Node> = directory.nodes.values().collect();
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        let streams = nodes.into_iter().take(self.observe.series_max);
        let streams =
            streams.map(|node| (of_node(node), number(mirror.size_with_next(&node.origin))));
        exposition.gauges(
            "lingqu_coordinator_stream_records",
            "Records of a node's streams that are mirrored and cosigned; the first nodes by id.",
            streams,
        );
        let (total, heads): (u64, Vec<Series>) = {
            let state = mirror.shared.state();
            let total = state.held.values().map(|held| held.size()).sum();
            let heads = state
                .logs
                .values()
                .take(self.observe.series_max)
                .map(|log| (vec![("region", log.region.to_string())], number(log.size())));
            (total, heads.collect())
        };
        exposition.gauge(
            "lingqu_coordinator_mirrored_records",
            "Records of all streams that are mirrored and cosigned, the coordinator's own included.",
            Some(number(total)),
        );
        exposition.gauges(
            "lingqu_coordinator_head_log_entries",
            "Heads in a region's head log.",
            heads,
        );
        let auditor = &self.services.auditor;
        let checked = auditor.checked().into_iter().take(self.observe.series_max);
        let checked =
            checked.map(|(region, heads)| (vec![("region", region.to_string())], number(heads)));
        exposition.gauges(
            "lingqu_coordinator_audit_heads_checked",
            "Heads of a region's head log that were read back from the disk since the start and found whole.",
            checked,
        );
        exposition.gauge(
            "lingqu_coordinator_audit_faults",
            "Streams and head logs of which something that was read back does not hold.",
            Some(count(auditor.faults())),
        );
    }

    fn registry(&self, exposition: &mut Exposition, filed: Vec<(String, u64)>) {
        // A type is a name of the program, `lingqu.v1.Grant`: the store takes no other.
        let filed = filed.into_iter().map(|(kind, filed)| {
            let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
            (vec![("type", kind)], number(filed))
        });
        exposition.counters(
            "lingqu_coordinator_filings_total",
            "Signed objects that were ever filed, by type; a new version is one more.",
            filed,
        );
        let epoch = self.services.registry.current_epoch();
        exposition.gauge(
            "lingqu_coordinator_epoch_number",
            "Number of the current revocation list.",
            Some(number(epoch.number)),
        );
        exposition.gauge(
            "lingqu_coordinator_epoch_issued_timestamp_seconds",
            "When the current revocation list was last signed, in seconds since the Unix epoch.",
            Some(seconds(epoch.issued)),
        );
        exposition.gauge(
            "lingqu_coordinator_revocations",
            "What the current list names as revoked.",
            Some(count(epoch.revoked.len())),
        );
        exposition.gauge(
            "lingqu_coordinator_suspensions",
            "Grants that the current list names as suspended.",
            Some(count(epoch.suspended.len())),
        );
    }

    fn connections(&self, exposition: &mut Exposition) {
        let services = &self.services;
        let subscriptions = [
            ("follow", services.followers.count()),
            ("watch", services.registry.watchers.count()),
            ("replicate", services.writers.count()),
            ("entries", services.readers.count()),
        ];
        exposition.gauges(
            "lingqu_coordinator_subscriptions",
            "Open streams, by what is streamed: the regulators' feed, pushes to nodes, replication, reading back.",
            subscriptions.map(|(kind, open)| (vec![("kind", kind.to_owned())], count(open))),
        );
        exposition.gauge(
            "lingqu_coordinator_connections",
            "Open connections.",
            Some(count(services.connections.count())),
        );
        let refused = ErrorCode::ALL.iter().filter_map(|code| {
            let refused = services.connections.refused(*code);
            (refused > 0).then(|| (vec![("code", code.as_str().to_owned())], number(refused)))
        });
        exposition.counters(
            "lingqu_coordinator_connections_refused_total",
            "Connections that were refused, by error code.",
            refused,
        );
        exposition.gauge(
            "lingqu_coordinator_strangers",
            "Connections that have not shown a certificate yet.",
            Some(count(services.connections.strangers())),
        );
        let ended = StrangerEnd::ALL.map(|end| {
            let ended = number(services.connections.stranger_ends(end));
            (vec![("reason", end.as_str().to_owned())], ended)
        });
        exposition.counters(
            "lingqu_coordinator_strangers_ended_total",
            "Connections that were ended before they were a caller's, by reason.",
            ended,
        );
    }
}

impl Services {
    /// When a node was last heard of: in this process, or when its newest batch was taken.
    pub(crate) fn last_contact(&self, node: &Node) -> Option<Timestamp> {
        let batch = self
            .mirror
            .newest_cosigned(&node.origin)
            .map(|cosigned| cosigned.taken);
        self.registry.contacts.last(&node.id).max(batch)
    }
}

/// The nodes that have an open connection.
pub(crate) fn connected(connections: &Connections) -> BTreeSet<NodeId> {
    let live = connections.list();
    let nodes = live
        .iter()
        .filter_map(|connected| match &connected.peer().ok()?.id {
            PeerId::Node(id) => Some(id.clone()),
            PeerId::Coordinator(_) | PeerId::Party(_) => None,
        });
    nodes.collect()
}

fn of_node(node: &Node) -> Vec<(&'static str, String)> {
    vec![("node", node.id.to_string())]
}

fn seconds(time: Timestamp) -> f64 {
    Duration::from_micros(u64::try_from(time.0).unwrap_or(0)).as_secs_f64()
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// Exact up to 2^53, which is how far the text format counts.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating-point numbers"
)]
fn number(value: u64) -> f64 {
    value as f64
}

fn count(value: usize) -> f64 {
    number(value as u64)
}
