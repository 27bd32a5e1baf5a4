//! Local control over a Unix socket: status, and orders signed with the unit's key. Works without any network.
//!
//! One request a connection: one line of JSON, at most 1 MiB; one line back, at most 64 MiB. The socket is for the owner only, and an
//! order needs the unit's signature anyway: access to the machine alone stops nothing and opens nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Environment;
use lingqu_proto::decode_envelope;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::Node;
use crate::bodies::BodiesStatus;
use crate::budgets::BudgetStatus;
use crate::destructions::Destructions;
use crate::loads::lineage::Page;
use crate::loads::status::{ResourceStatus, SourceHealth};
use crate::succession::PastStream;

/// Longest request, in bytes.
const REQUEST_LEN_MAX: u64 = 1 << 20;
/// Longest answer, in bytes: a page of records, or a thousand resources.
const ANSWER_LEN_MAX: u64 = 64 << 20;
/// Time for one request.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    /// How the node is.
    Status,
    /// Carry out a signed stop order (also a lift).
    Stop {
        /// The order's envelope, hex.
        order: String,
    },
    /// Take in a signed object of the unit without the coordinator, for example a narrower policy.
    Adopt {
        /// The object's envelope, hex.
        object: String,
        /// For a grant: its filing's envelope, hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filing: Option<String>,
    },
    /// How the resources and their sources are.
    Sources,
    /// Begin to read a resource again.
    Load {
        /// Its name.
        resource: String,
        /// An environment that it serves, if there are several of the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        /// The date that the data speaks for, `YYYY-MM-DD` or RFC 3339, in place of the configured one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_of: Option<String>,
    },
    /// End the reading of a resource.
    StopLoad {
        /// Its name.
        resource: String,
        /// An environment that it serves, if there are several of the name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
    },
    /// Carry out a signed order about a resource.
    OrderSource {
        /// The order's envelope, hex.
        order: String,
    },
    /// Take in a signed order that ends the stream and begins the next.
    Succeed {
        /// The order's envelope, hex.
        order: String,
    },
    /// The streams that have ended and whose journals are here.
    PastStreams {
        /// Drop those that need not be kept any more.
        drop: bool,
    },
    /// Erase the keys of a grant's kept bodies, by the unit's signed order.
    EraseBodies {
        /// The order's envelope, hex.
        order: String,
    },
    /// What is kept of calls.
    Bodies,
    /// Take in a licensee's confirmation of destruction, countersigned by the unit.
    Destruction {
        /// The confirmation's envelope, hex.
        confirmation: String,
    },
    /// Which grants that have ended are confirmed as destroyed.
    Destructions,
    /// Look at every source and table now, instead of at the next turn.
    LookAtSources,
    /// A page of the records that have to do with a load.
    Lineage {
        /// Its id.
        load: String,
        /// The record to begin with.
        from: u64,
    },
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
pub struct AdminResponse {
    /// Whether it was done.
    pub ok: bool,
    /// The code, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// For the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Sources>,
    /// For a lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Page>,
    /// For the kept bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<BodiesStatus>,
    /// For the confirmations of destruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructions: Option<Destructions>,
    /// For the streams that have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Vec<PastStream>>,
    /// For an erasure: how many keys there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<u64>,
}

/// How the resources and their sources are.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sources {
    /// The resources, in the order of the configuration.
    pub resources: Vec<ResourceStatus>,
    /// The sources by name, as they were when they were last looked at.
    pub sources: BTreeMap<String, SourceHealth>,
    /// Number of the last order about a source.
    pub order_number: u64,
}

/// One mirror of the node's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorStatus {
    /// The coordinator that keeps it.
    pub id: String,
    /// Whether it can be reached.
    pub connected: bool,
    /// Records that it has not cosigned.
    pub missing: u64,
}

/// How the node is. Counts and names only.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The node's id.
    pub node: String,
    /// Software version.
    pub version: String,
    /// Origin of its stream.
    pub stream: String,
    /// Records in the journal.
    pub journal_size: u64,
    /// Of these, cosigned by as many mirrors as are required.
    pub mirrored_size: u64,
    /// Each mirror; none from a node of an earlier version.
    #[serde(default)]
    pub mirrors: Vec<MirrorStatus>,
    /// Of these, covered by the head log, as far as this run was shown; none if no key of the head log is pinned.
    #[serde(default)]
    pub headed_size: Option<u64>,
    /// Of these, covered by a head log that the pinned quorum of witnesses cosigned; none if no key of the head log is pinned.
    #[serde(default)]
    pub witnessed_size: Option<u64>,
    /// Whether the head log covers in time what the mirror cosigned. If not, no call is begun under `mirrored` terms.
    #[serde(default)]
    pub headed: bool,
    /// Whether journal and mirror were compared since the start and fit each other, and no stop order is missing.
    pub reconciled: bool,
    /// Revocation epoch in force.
    pub epoch: Option<u64>,
    /// Signed objects held.
    pub objects: usize,
    /// Products that can be called.
    pub products_open: usize,
    /// Number of the last stop order.
    pub stop_number: u64,
    /// What is stopped.
    pub stopped: Vec<String>,
    /// Open connections.
    pub connections: usize,
    /// Privacy budgets: of every entity space that a policy in force or a debit on record names.
    #[serde(default)]
    pub budgets: Vec<BudgetStatus>,
}

/// Opens the socket for the owner only; a socket left by an earlier run is replaced.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers for ever, one connection at a time: orders have an order.
pub(crate) async fn run(node: Arc<Node>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answered = tokio::time::timeout(REQUEST_TIME, answer(&node, stream)).await;
                if !matches!(answered, Ok(Ok(()))) {
                    tracing::warn!("a local control request was not completed");
                }
            }
            Err(error) => {
                tracing::error!(%error, "local control");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(node: &Arc<Node>, mut stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(REQUEST_LEN_MAX))
        .read_line(&mut line)
        .await?;
    let response = match serde_json::from_str::<AdminRequest>(&line) {
        Ok(request) => handle(node, request).await,
        Err(_) => done(Err(ErrorCode::RequestInvalid)),
    };
    let mut text = serde_json::to_string(&response).map_err(io::Error::other)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

async fn handle(node: &Arc<Node>, request: AdminRequest) -> AdminResponse {
    match &request {
        AdminRequest::Lineage { load, from } => {
            return AdminResponse {
                lineage: Some(node.lineage(load, *from).await),
                ..done(Ok(()))
            };
        }
        AdminRequest::Bodies => {
            return AdminResponse {
                bodies: Some(node.bodies_status().await),
                ..done(Ok(()))
            };
        }
        AdminRequest::PastStreams { drop: dropping } => {
            let past = node.past_streams(*dropping).await;
            return AdminResponse {
                past: past.as_ref().ok().cloned(),
                ..done(past.map(drop))
            };
        }
        AdminRequest::EraseBodies { order } => {
            let erased = match envelope(order) {
                Ok(order) => node.erase_bodies(&order).await,
                Err(code) => Err(code),
            };
            return AdminResponse {
                erased: erased.ok(),
                ..done(erased.map(drop))
            };
        }
        AdminRequest::LookAtSources => {
            // It may take longer than a request may: it goes on by itself.
            let looking = Arc::clone(node);
            node.blocking.spawn(async move {
                looking.look_at_sources().await;
                looking.record_pending().await;
            });
            return done(Ok(()));
        }
        AdminRequest::Adopt { .. }
        | AdminRequest::Destruction { .. }
        | AdminRequest::Destructions
        | AdminRequest::Load { .. }
        | AdminRequest::OrderSource { .. }
        | AdminRequest::Succeed { .. }
        | AdminRequest::Sources
        | AdminRequest::Status
        | AdminRequest::Stop { .. }
        | AdminRequest::StopLoad { .. } => {}
    }
    let worker = Arc::clone(node);
    // Files are written and registers read: not on a task that others wait for.
    let acted = node
        .blocking
        .spawn_blocking(move || act(&worker, request))
        .await;
    node.record_pending().await;
    match acted.unwrap_or(Err(ErrorCode::Internal)) {
        Ok(response) => response,
        Err(code) => done(Err(code)),
    }
}

fn act(node: &Node, request: AdminRequest) -> Result<AdminResponse, ErrorCode> {
    let mut response = done(Ok(()));
    match request {
        AdminRequest::Status => response.status = Some(status(node)),
        AdminRequest::Sources => response.sources = Some(sources(node)),
        AdminRequest::Load {
            resource,
            environment,
            as_of,
        } => {
            let date = as_of.map(|date| date.parse()).transpose();
            let date = date.map_err(|_| ErrorCode::ResourceDateInvalid)?;
            node.begin_load(&resource, of_word(environment)?, date)?;
        }
        AdminRequest::StopLoad {
            resource,
            environment,
        } => node.stop_load(&resource, of_word(environment)?)?,
        AdminRequest::Destruction { confirmation } => {
            node.take_destruction(&envelope(&confirmation)?)?;
        }
        AdminRequest::Destructions => response.destructions = Some(node.destructions()?),
        AdminRequest::Succeed { order } => node.take_succession(&envelope(&order)?)?,
        AdminRequest::OrderSource { order } => node.order_source(&envelope(&order)?)?,
        // These wait for more than files, and are answered before this is reached.
        AdminRequest::Bodies
        | AdminRequest::EraseBodies { .. }
        | AdminRequest::Lineage { .. }
        | AdminRequest::LookAtSources
        | AdminRequest::PastStreams { .. } => {
            return Err(ErrorCode::RequestInvalid);
        }
        AdminRequest::Stop { order } => node.carry_out(&envelope(&order)?)?,
        AdminRequest::Adopt { object, filing } => {
            let filing = filing.as_deref().map(envelope).transpose()?;
            node.adopt(&envelope(&object)?, filing.as_ref())?;
        }
    }
    Ok(response)
}

fn of_word(environment: Option<String>) -> Result<Option<Environment>, ErrorCode> {
    let environment = environment.map(|word| word.parse()).transpose();
    environment.map_err(|_| ErrorCode::ResourceUnknown)
}

fn sources(node: &Node) -> Sources {
    Sources {
        resources: node.resource_statuses(),
        sources: node.source_healths().into_iter().collect(),
        order_number: node.source_order_number(),
    }
}

fn envelope(text: &str) -> Result<Envelope, ErrorCode> {
    let bytes = hex::decode(text).map_err(|_| ErrorCode::ObjectInvalid)?;
    decode_envelope(&bytes).map_err(|_| ErrorCode::ObjectInvalid)
}

fn done(result: Result<(), ErrorCode>) -> AdminResponse {
    AdminResponse {
        ok: result.is_ok(),
        code: result.err().map(|code| code.as_str().to_owned()),
        status: None,
        sources: None,
        lineage: None,
        bodies: None,
        destructions: None,
        past: None,
        erased: None,
    }
}

fn status(node: &Node) -> Status {
    let stops = node.stops.current();
    Status {
        node: node.id().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stream: node.journal.origin().to_owned(),
        journal_size: node.journal.size(),
        mirrored_size: node.journal.mirrored_size(),
        mirrors: mirrors(node),
        headed_size: node.journal.figures().heads.map(|heads| heads.covered),
        witnessed_size: node.journal.figures().heads.map(|heads| heads.witnessed),
        headed: node.headed(),
        reconciled: node.ready(),
        epoch: node.epoch(),
        objects: node.holdings().len(),
        products_open: node.products_open(),
        stop_number: stops.number(),
        stopped: stops.scopes().map(|scope| format!("{scope:?}")).collect(),
        connections: node.connections.count(),
        budgets: node.budgets().into_iter().map(Into::into).collect(),
    }
}

fn mirrors(node: &Node) -> Vec<MirrorStatus> {
    let addresses = node.config.mirror_addresses().into_iter();
    let each = addresses.zip(node.journal.mirror_figures());
    each.map(|(address, figures)| MirrorStatus {
        id: address.at.id.to_string(),
        connected: figures.connected,
        missing: figures.records_missing,
    })
    .collect()
}

/// Asks the node at `socket`.
pub async fn ask(socket: &Path, request: &AdminRequest) -> io::Result<AdminResponse> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut text = serde_json::to_string(request).map_err(io::Error::other)?;
    text.push('\n');
    stream.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_LEN_MAX))
        .read_line(&mut line)
        .await?;
    serde_json::from_str(&line).map_err(io::Error::other)
}
