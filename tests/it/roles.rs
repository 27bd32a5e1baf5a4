//! Every RPC × everybody who may try it, at both servers. The table is written out here and nowhere computed; an RPC
//! without a row does not compile, and a caller without a column does not either.

use std::io;
use std::sync::Arc;

use lingqu_client::workflow::{Wanted, Workflow};
use lingqu_core::envelope::Envelope;
use lingqu_core::{ErrorCode, Role};
use lingqu_demo::cast::{self, Party};
use lingqu_proto::pb::mirror_conflict::Kind as Conflict;
use lingqu_proto::pb::replicate_response::Message as FromMirror;
use lingqu_proto::{Rpc, envelope_to_pb, pb, role_to_pb};
use lingqu_transport::{ClientTls, PeerId, code_of, signing_key};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::Status;
use tonic::transport::Channel;

use crate::network::{World, asked, claims, patiently, wire};

/// What comes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There is no connection on which anything could be answered.
    Cut,
    /// A refusal with this code.
    Refused(ErrorCode),
    /// The handler answered.
    Answered,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// No connection.
    X,
    /// `CALLER_OUTSIDE_PREFIX`.
    P,
    /// `CALLER_ROLE_FORBIDDEN`.
    F,
    /// `NOT_ENROLLED`.
    N,
    /// `CALLER_REVOKED`.
    V,
    /// `REQUEST_INVALID`: the path is none of this server's.
    R,
    /// Let in: whatever the handler says to the body, see [`handler_says`].
    I,
}

/// Who tries, in the order of the table's columns.
pub(crate) const WHO: [&str; 15] = [
    "without a certificate",
    "of a foreign authority",
    "outside the authority's prefix",
    "an unenrolled party",
    "a revoked regulator",
    "the unit",
    "an implementing agency",
    "the operating agency",
    "a catalog licensee",
    "a scenario licensee",
    "a regulator",
    "a verifier",
    "the node",
    "another node",
    "the coordinator",
];

type Row = [Cell; WHO.len()];

/// The table of the coordinator.
#[rustfmt::skip]
fn at_coordinator(rpc: Rpc) -> Row {
    use Cell::{F, I, N, P, R, V, X};
    match rpc {
        //                        none for pre une rev unit imp age cat sce reg ver node other coord
        Rpc::AuditFollow        => [X, X, P, N, V, F, F, F, F, F, I, F, F, F, P],
        Rpc::BodiesOpenBodies   => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsExplain       => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsLinks         => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsQuery         => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsScore         => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsVerify        => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::CallsVerifyStream  => [X, X, P, R, R, R, R, R, R, R, R, R, R, R, P],
        Rpc::EnrolmentEnrol     => [X, X, P, I, V, I, I, I, I, I, I, I, I, I, P],
        Rpc::EnrolmentIssueCode => [X, X, P, N, V, F, F, I, F, F, F, F, F, F, P],
        Rpc::MirrorEntries      => [X, X, P, F, V, F, F, F, F, F, F, F, I, I, P],
        Rpc::MirrorReplicate    => [X, X, P, F, V, F, F, F, F, F, F, F, I, I, P],
        Rpc::RegistryFile       => [X, X, P, N, V, I, F, I, F, F, F, F, F, F, P],
        Rpc::RegistryLift       => [X, X, P, N, V, I, F, I, F, F, F, F, F, F, P],
        Rpc::RegistryRevoke     => [X, X, P, N, V, I, F, I, F, F, F, F, F, F, P],
        Rpc::RegistrySuspend    => [X, X, P, N, V, I, F, I, F, F, F, F, F, F, P],
        Rpc::SyncWatch          => [X, X, P, F, V, F, F, F, F, F, F, F, I, I, P],
        Rpc::WorkflowAct        => [X, X, P, N, V, F, F, I, I, I, F, F, F, F, P],
        Rpc::WorkflowApply      => [X, X, P, N, V, F, F, I, I, I, F, F, F, F, P],
        Rpc::WorkflowList       => [X, X, P, N, V, I, I, I, I, I, I, I, F, F, P],
        Rpc::WorkflowOpine      => [X, X, P, N, V, I, I, I, F, F, F, F, F, F, P],
        Rpc::WorkflowPropose    => [X, X, P, N, V, F, F, I, F, F, F, F, F, F, P],
        Rpc::WorkflowShow       => [X, X, P, N, V, I, I, I, I, I, I, I, F, F, P],
        Rpc::WorkflowSign       => [X, X, P, N, V, I, F, F, I, I, F, F, F, F, P],
    }
}

/// The table of the node. It keeps no register of parties: whoever the authority vouches for may ask, and the grant
/// decides. Nodes are outside the prefixes that its authority may speak for.
#[rustfmt::skip]
fn at_node(rpc: Rpc) -> Row {
    use Cell::{F, I, P, X};
    match rpc {
        //                        none for pre une rev unit imp age cat sce reg ver node other coord
        Rpc::AuditFollow        => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::BodiesOpenBodies   => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsExplain       => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsLinks         => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsQuery         => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsScore         => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsVerify        => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::CallsVerifyStream  => [X, X, P, I, I, I, I, I, I, I, I, I, P, P, F],
        Rpc::EnrolmentEnrol     => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::EnrolmentIssueCode => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::MirrorEntries      => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::MirrorReplicate    => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::RegistryFile       => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::RegistryLift       => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::RegistryRevoke     => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::RegistrySuspend    => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::SyncWatch          => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowAct        => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowApply      => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowList       => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowOpine      => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowPropose    => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowShow       => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
        Rpc::WorkflowSign       => [X, X, P, F, F, F, F, F, F, F, F, F, P, P, F],
    }
}

/// What a handler says to the body that [`attempt`] sends: an answer, or a code that the door never gives.
fn handler_says(rpc: Rpc) -> Outcome {
    match rpc {
        // What links there are is public.
        Rpc::AuditFollow
        | Rpc::CallsLinks
        | Rpc::MirrorEntries
        | Rpc::MirrorReplicate
        | Rpc::SyncWatch => Outcome::Answered,
        Rpc::CallsExplain
        | Rpc::CallsQuery
        | Rpc::CallsScore
        | Rpc::CallsVerify
        | Rpc::CallsVerifyStream => Outcome::Refused(ErrorCode::CallIdInvalid),
        Rpc::EnrolmentEnrol => Outcome::Refused(ErrorCode::CodeInvalid),
        Rpc::EnrolmentIssueCode => Outcome::Refused(ErrorCode::RegionForbidden),
        Rpc::BodiesOpenBodies
        | Rpc::RegistryFile
        | Rpc::RegistryLift
        | Rpc::RegistryRevoke
        | Rpc::RegistrySuspend
        | Rpc::WorkflowAct
        | Rpc::WorkflowApply
        | Rpc::WorkflowOpine
        | Rpc::WorkflowPropose => Outcome::Refused(ErrorCode::ObjectInvalid),
        Rpc::WorkflowList => Outcome::Answered,
        Rpc::WorkflowShow | Rpc::WorkflowSign => Outcome::Refused(ErrorCode::CaseUnknown),
    }
}

fn expected(cell: Cell, rpc: Rpc) -> Outcome {
    match cell {
        Cell::X => Outcome::Cut,
        Cell::P => Outcome::Refused(ErrorCode::CallerOutsidePrefix),
        Cell::F => Outcome::Refused(ErrorCode::CallerRoleForbidden),
        Cell::N => Outcome::Refused(ErrorCode::NotEnrolled),
        Cell::V => Outcome::Refused(ErrorCode::CallerRevoked),
        Cell::R => Outcome::Refused(ErrorCode::RequestInvalid),
        Cell::I => handler_says(rpc),
    }
}

/// Who is who: nobody's identity is the one without a certificate.
pub(crate) type Somebody = Option<ClientTls>;

impl World {
    /// Enrols a party that is not in the cast.
    async fn enrol_extra(&self, id: &str, role: Role) -> ClientTls {
        let id = PeerId::Party(id.parse().unwrap());
        self.enrol_as(&id, vec![role_to_pb(role).into()], "", "approval")
            .await
    }

    async fn enrol_as(&self, id: &PeerId, roles: Vec<i32>, unit: &str, usage: &str) -> ClientTls {
        let dir = match id {
            PeerId::Party(id) => format!("parties/{id}"),
            PeerId::Node(id) => format!("nodes/{id}"),
            PeerId::Coordinator(_) => "coordinator".to_owned(),
        };
        let identity = self.identity_of(id, &self.authority(), &dir);
        let agency = self.network.identity(Party::Agency).unwrap();
        let channel = self.network.dial_coordinator(&agency).await.unwrap();
        let request = pb::IssueCodeRequest {
            subject: id.to_string(),
            roles,
            region: "45".to_owned(),
            unit: unit.to_owned(),
            display_name: String::new(),
        };
        let mut enrolment = pb::enrolment_client::EnrolmentClient::new(channel);
        let code = enrolment
            .issue_code(request)
            .await
            .unwrap()
            .into_inner()
            .code;
        let key = self
            .network
            .files()
            .dir()
            .join(&dir)
            .join(format!("{id}.enrolled"));
        let key = signing_key::create(&key).unwrap();
        let enrolled = self.network.enrol(id, &code, usage, &key).await.unwrap();
        let origin = enrolled.unwrap();
        let kept = self.network.files().dir().join(format!("{id}.origin"));
        std::fs::write(kept, origin).unwrap();
        identity
    }

    /// Everybody of [`WHO`], each with the origin of the stream it may read, if it is a node.
    pub(crate) async fn everybody(&self) -> Vec<(Somebody, String)> {
        let network = &self.network;
        let foreign = network.foreign_authority().unwrap();
        let ours = self.authority();
        let made_up = |id: &str, authority, dir: &str| {
            let id = PeerId::Party(id.parse().unwrap());
            self.identity_of(&id, authority, dir)
        };
        let of = |party: Party| network.identity(party).unwrap();
        let peer = |id: &PeerId| network.files().identity(id, network.clock()).unwrap();
        let revoked = self.enrol_extra("party_gx.revoked", Role::Regulator).await;
        let done = network
            .revoke(Party::Agency, "party_gx.revoked", "test")
            .await;
        done.unwrap().unwrap();
        let other = PeerId::Node("node_gx.other-01".parse().unwrap());
        let unit = Party::Unit.id();
        let other_node = self
            .enrol_as(&other, Vec::new(), unit.as_str(), "log")
            .await;
        let other_origin = network.files().dir().join(format!("{other}.origin"));
        let other_origin = std::fs::read_to_string(other_origin).unwrap();
        let parties = [
            made_up(Party::Agency.id().as_str(), &foreign, "foreign"),
            made_up("party_hb.stranger", &ours, "outside"),
            made_up("party_gx.nobody", &ours, "nobody"),
            revoked,
            of(Party::Unit),
            self.enrol_extra("party_gx.implementing", Role::ImplementingAgency)
                .await,
            of(Party::Agency),
            of(Party::Broker),
            of(Party::Bank),
            of(Party::Bureau),
            self.enrol_extra("party_gx.verifier", Role::Verifier).await,
        ];
        let mut everybody = vec![(None, String::new())];
        let own = self.journal().origin().to_owned();
        everybody.extend(parties.into_iter().map(|party| (Some(party), own.clone())));
        everybody.push((Some(peer(&PeerId::Node(cast::node()))), own.clone()));
        everybody.push((Some(other_node), other_origin));
        everybody.push((Some(peer(&PeerId::Coordinator(cast::coordinator()))), own));
        everybody
    }
}

/// The first message of a stream, or what ended it.
async fn first<T>(
    streaming: Result<tonic::Response<tonic::Streaming<T>>, Status>,
) -> Result<Option<T>, Status> {
    streaming?.into_inner().message().await
}

/// Tries one RPC with the least body that tells the handler's word from the door's.
async fn attempt(rpc: Rpc, channel: Channel, origin: &str) -> Outcome {
    let outcome = match rpc {
        Rpc::AuditFollow => {
            let request = pb::FollowRequest {
                region: "45".to_owned(),
                resume: Vec::new(),
                until_current: true,
            };
            let mut audit = pb::audit_client::AuditClient::new(channel);
            first(audit.follow(request).await).await.map(drop)
        }
        Rpc::BodiesOpenBodies => {
            let mut bodies = pb::bodies_client::BodiesClient::new(channel);
            let request = pb::OpenBodiesRequest { order: None };
            first(bodies.open_bodies(request).await).await.map(drop)
        }
        Rpc::CallsVerify => {
            let mut calls = pb::calls_client::CallsClient::new(channel);
            calls.verify(malformed_call()).await.map(drop)
        }
        Rpc::CallsExplain => {
            let mut calls = pb::calls_client::CallsClient::new(channel);
            let request = pb::ExplainRequest {
                context: malformed_call().context,
                ..Default::default()
            };
            calls.explain(request).await.map(drop)
        }
        Rpc::CallsLinks => {
            let mut calls = pb::calls_client::CallsClient::new(channel);
            let request = pb::LinksRequest::default();
            calls.links(request).await.map(drop)
        }
        Rpc::CallsQuery => {
            let mut calls = pb::calls_client::CallsClient::new(channel);
            let request = pb::QueryRequest {
                context: malformed_call().context,
                ..Default::default()
            };
            calls.query(request).await.map(drop)
        }
        Rpc::CallsScore => {
            let mut calls = pb::calls_client::CallsClient::new(channel);
            let request = pb::ScoreRequest {
                context: malformed_call().context,
                ..Default::default()
            };
            calls.score(request).await.map(drop)
        }
        Rpc::CallsVerifyStream => return stream_item(channel).await,
        Rpc::EnrolmentEnrol => {
            let request = pb::EnrolRequest {
                code: "guessed".to_owned(),
                keys: Vec::new(),
            };
            let mut enrolment = pb::enrolment_client::EnrolmentClient::new(channel);
            enrolment.enrol(request).await.map(drop)
        }
        Rpc::EnrolmentIssueCode => {
            let request = pb::IssueCodeRequest {
                subject: "party_gx.newcomer".to_owned(),
                roles: vec![role_to_pb(Role::Regulator).into()],
                region: "11".to_owned(),
                ..Default::default()
            };
            let mut enrolment = pb::enrolment_client::EnrolmentClient::new(channel);
            enrolment.issue_code(request).await.map(drop)
        }
        Rpc::MirrorEntries => {
            let request = pb::EntriesRequest {
                origin: origin.to_owned(),
                first: 0,
            };
            let mut mirror = pb::mirror_client::MirrorClient::new(channel);
            first(mirror.entries(request).await).await.map(drop)
        }
        Rpc::MirrorReplicate => return open_nobodys_stream(channel).await,
        Rpc::RegistryFile => {
            let object = Some(nonsense());
            let mut registry = pb::registry_client::RegistryClient::new(channel);
            registry.file(pb::FileRequest { object }).await.map(drop)
        }
        Rpc::RegistryRevoke => {
            let revocation = Some(nonsense());
            let mut registry = pb::registry_client::RegistryClient::new(channel);
            registry
                .revoke(pb::RevokeRequest { revocation })
                .await
                .map(drop)
        }
        Rpc::RegistryLift
        | Rpc::RegistrySuspend
        | Rpc::WorkflowAct
        | Rpc::WorkflowApply
        | Rpc::WorkflowList
        | Rpc::WorkflowOpine
        | Rpc::WorkflowPropose
        | Rpc::WorkflowShow
        | Rpc::WorkflowSign => return in_a_case(rpc, channel).await,
        Rpc::SyncWatch => {
            let mut sync = pb::sync_client::SyncClient::new(channel);
            first(sync.watch(pb::WatchRequest { epoch_seen: 0 }).await)
                .await
                .map(drop)
        }
    };
    outcome.map_or_else(|status| refused(&status), |()| Outcome::Answered)
}

/// The acts of a case, with nothing in them that any case knows.
async fn in_a_case(rpc: Rpc, channel: Channel) -> Outcome {
    let desk = Workflow::over(channel);
    let case = "case_unknown".parse().unwrap();
    let object = Envelope::new("lingqu.v1.Nonsense", vec![1, 2, 3]);
    let outcome = match rpc {
        Rpc::RegistryLift => desk.lift(&object).await.map(drop),
        Rpc::RegistrySuspend => desk.suspend(&object).await.map(drop),
        Rpc::WorkflowAct => desk.act(&object).await.map(drop),
        Rpc::WorkflowApply => desk.apply(&object).await.map(drop),
        Rpc::WorkflowList => desk.list(&Wanted::default()).await.map(drop),
        Rpc::WorkflowOpine => desk.opine(&object).await.map(drop),
        Rpc::WorkflowPropose => desk.propose(&object, None).await.map(drop),
        Rpc::WorkflowShow => desk.show(&case).await.map(drop),
        Rpc::WorkflowSign => desk.sign(&case, None, None).await.map(drop),
        other => panic!("{other:?} is no act of a case"),
    };
    match outcome {
        Ok(()) => Outcome::Answered,
        Err(failed) => failed.code().map_or(Outcome::Cut, Outcome::Refused),
    }
}

fn refused(status: &Status) -> Outcome {
    code_of(status).map_or(Outcome::Cut, Outcome::Refused)
}

fn malformed_call() -> pb::VerifyRequest {
    let call = lingqu_client::Question::new(asked("grant_x"), claims(2004));
    let mut request = wire(&call);
    request.context.as_mut().unwrap().call_id.pop();
    request
}

/// The refusal of one call is an item of the stream.
async fn stream_item(channel: Channel) -> Outcome {
    let mut calls = pb::calls_client::CallsClient::new(channel);
    let requests = tokio_stream::iter([malformed_call()]);
    match first(calls.verify_stream(requests).await).await {
        Ok(Some(item)) => match item.outcome.unwrap() {
            pb::verify_stream_response::Outcome::Answer(_) => Outcome::Answered,
            pb::verify_stream_response::Outcome::Refusal(refusal) => {
                Outcome::Refused(refusal.code.parse().unwrap())
            }
        },
        Ok(None) => Outcome::Cut,
        Err(status) => refused(&status),
    }
}

/// Opens a stream that belongs to nobody, so that the node's own replication goes on undisturbed.
async fn open_nobodys_stream(channel: Channel) -> Outcome {
    let mut mirror = pb::mirror_client::MirrorClient::new(channel);
    let open = pb::MirrorOpen {
        origin: "lingqu.example/s/nobody".to_owned(),
        ..Default::default()
    };
    let message = Some(pb::replicate_request::Message::Open(open));
    let requests = tokio_stream::iter([pb::ReplicateRequest { message }]);
    match first(mirror.replicate(requests).await).await {
        Ok(Some(answer)) => match answer.message.unwrap() {
            FromMirror::Conflict(conflict) if conflict.kind() == Conflict::NotYours => {
                Outcome::Answered
            }
            other => panic!("a stranger's stream was opened: {other:?}"),
        },
        Ok(None) => Outcome::Cut,
        Err(status) => refused(&status),
    }
}

fn nonsense() -> pb::Envelope {
    envelope_to_pb(&Envelope::new("lingqu.v1.Nonsense", vec![1, 2, 3]))
}

/// What a client without a certificate gets from `address`: TLS alone, since no gRPC client of ours can do without.
async fn without_certificate(world: &World, url: &str) -> io::Result<usize> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(world.network.files().ca()).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(lingqu_transport::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = url.strip_prefix("https://").unwrap();
    let tcp = tokio::net::TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await?;
    // HTTP/2's preface and empty settings: a server that talked to us would answer with its own.
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await?;
    tls.read(&mut [0; 64]).await
}

async fn try_all(world: &World, node: bool, who: &[(Somebody, String)]) -> Vec<String> {
    let (url, server, row): (_, _, fn(Rpc) -> Row) = if node {
        let server = PeerId::Node(cast::node());
        (world.network.node_url(), server, at_node)
    } else {
        let server = PeerId::Coordinator(cast::coordinator());
        (world.network.coordinator_url(), server, at_coordinator)
    };
    let mut wrong = Vec::new();
    for (column, (identity, origin)) in who.iter().enumerate() {
        let channel = match identity {
            Some(identity) => lingqu_transport::connect(&url, identity, server.clone())
                .await
                .ok(),
            None => {
                let got = patiently("a handshake", without_certificate(world, &url)).await;
                assert!(matches!(got, Err(_) | Ok(0)), "{url} talks to strangers");
                None
            }
        };
        for rpc in Rpc::ALL {
            let got = match &channel {
                Some(channel) => {
                    patiently(rpc.path(), attempt(*rpc, channel.clone(), origin)).await
                }
                None => Outcome::Cut,
            };
            let expected = expected(row(*rpc)[column], *rpc);
            if got != expected {
                wrong.push(format!(
                    "{server} {} {}: {got:?}, not {expected:?}",
                    WHO[column],
                    rpc.path()
                ));
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rpc_is_open_to_whom_the_table_says_and_to_nobody_else() {
    let world = World::ready().await;
    let who = world.everybody().await;
    assert_eq!(who.len(), WHO.len());
    let mut wrong = try_all(&world, false, &who).await;
    wrong.extend(try_all(&world, true, &who).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Let in is not everything: a node reads its own stream and no other's.
    let (other, _) = &who[13];
    let channel = world
        .network
        .dial_coordinator(other.as_ref().unwrap())
        .await
        .unwrap();
    let got = attempt(Rpc::MirrorEntries, channel, world.journal().origin()).await;
    assert_eq!(got, Outcome::Refused(ErrorCode::CallerRoleForbidden));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_no_rpc_is_refused_at_both_servers() {
    let world = World::ready().await;
    let agency = world.network.identity(Party::Agency).unwrap();
    let channels = [
        world.network.dial_coordinator(&agency).await.unwrap(),
        world.network.dial_node(&agency).await.unwrap(),
    ];
    for channel in channels {
        for path in [
            "/lingqu.v1.Registry/Grant",
            "/lingqu.v1.Calls/verify",
            "/",
            "/lingqu.v1.Calls/Verify/",
        ] {
            let mut grpc = tonic::client::Grpc::new(channel.clone());
            grpc.ready().await.unwrap();
            let codec: tonic_prost::ProstCodec<pb::VerifyRequest, pb::VerifyResponse> =
                Default::default();
            let path = http::uri::PathAndQuery::from_static(path);
            let refused = grpc
                .unary(tonic::Request::new(malformed_call()), path.clone(), codec)
                .await;
            let code = code_of(&refused.unwrap_err());
            assert_eq!(code, Some(ErrorCode::RequestInvalid), "{path}");
        }
    }
    world.end().await;
}
