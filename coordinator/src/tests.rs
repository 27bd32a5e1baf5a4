//! The coordinator over real sockets, once through everything; and who may knock at which door.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lingqu_core::{ErrorCode, Role, Timestamp};
use lingqu_proto::pb::audit_client::AuditClient;
use lingqu_proto::pb::enrolment_client::EnrolmentClient;
use lingqu_proto::pb::mirror_client::MirrorClient;
use lingqu_proto::pb::registry_client::RegistryClient;
use lingqu_proto::pb::sync_client::SyncClient;
use lingqu_proto::pb::{follow_response, replicate_request, replicate_response, watch_response};
use lingqu_proto::{Rpc, envelope_to_pb, note_signature_from_pb, pb};
use lingqu_tlog::{Ed25519Signer, Signer, verify_cosignature};
use lingqu_transport::pki::DevAuthority;
use lingqu_transport::reload::AuthorityFile;
use lingqu_transport::{ClientTls, Peer, PeerId, TlsFiles, code_of, connect};
use tokio::sync::oneshot;
use tonic::transport::Channel;

use super::*;
use crate::mirror::replicate::Said;
use crate::mirror::testbed::{ManualClock, START, Writer};
use crate::registry::testbed as bed;

/// Files of a coordinator, and certificates for whoever dials it.
struct Site {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    authority: DevAuthority,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp(START));
        let authority = DevAuthority::create("gx", clock.as_ref()).unwrap();
        authority.write(dir.path()).unwrap();
        let site = Site {
            dir,
            clock,
            authority,
        };
        let coordinator = site.issue("coord_gx");
        std::fs::rename(coordinator.cert_chain, site.path("coord.pem")).unwrap();
        std::fs::rename(coordinator.key, site.path("coord.key")).unwrap();
        for name in ["log", "mirror", "head_log", "signing"] {
            let key = Ed25519Signer::generate_pkcs8();
            std::fs::write(site.path(&format!("{name}.key")), key).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn issue(&self, id: &str) -> TlsFiles {
        let id: PeerId = id.parse().unwrap();
        let issued = self
            .authority
            .issue(&id, &[], 30, self.clock.as_ref())
            .unwrap();
        let files = issued.write(self.dir.path()).unwrap();
        TlsFiles {
            cert_chain: files.certificate,
            key: files.key,
            authorities: vec![AuthorityFile {
                name: "gx".to_owned(),
                path: self.path("ca.pem"),
                prefixes: ["party_", "node_", "coord_"]
                    .map(|p| p.parse().unwrap())
                    .to_vec(),
            }],
            allow_tls12: false,
        }
    }

    fn config(&self) -> Config {
        Config::parse(&bed::config_text(), self.dir.path()).unwrap()
    }

    async fn open(&self) -> Coordinator {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Coordinator::open(self.config(), clock).await.unwrap()
    }

    async fn dial(&self, id: &str, address: SocketAddr) -> Channel {
        let tls = ClientTls::load(self.issue(id), self.clock.clone()).unwrap();
        let expected = "coord_gx".parse().unwrap();
        connect(&format!("https://{address}"), &tls, expected)
            .await
            .unwrap()
    }
}

/// A coordinator that serves until it is stopped.
struct Running {
    coordinator: Coordinator,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(site: &Site) -> Running {
        let coordinator = site.open().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = coordinator.clone();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            serving.serve(listener, shutdown).await;
        });
        Running {
            coordinator,
            address,
            stop,
            task,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.coordinator.close().await;
    }
}

async fn enrol(
    site: &Site,
    address: SocketAddr,
    new: pb::IssueCodeRequest,
    key: &dyn Signer,
) -> String {
    let mut agency = EnrolmentClient::new(site.dial(bed::AGENCY, address).await);
    let id = new.subject.clone();
    let code = agency.issue_code(new).await.unwrap().into_inner().code;
    let purpose = if id.starts_with("node_") {
        "log"
    } else {
        "approval"
    };
    let proof = bed::proof(&code, &id, purpose, key);
    let request = pb::EnrolRequest {
        code,
        keys: vec![pb::KeyProof {
            r#use: proof.purpose,
            public_key: proof.public_key,
            signature: proof.signature,
        }],
    };
    let mut newcomer = EnrolmentClient::new(site.dial(&id, address).await);
    newcomer
        .enrol(request)
        .await
        .unwrap()
        .into_inner()
        .stream_origin
}

fn new(subject: &str, roles: &[pb::Role], unit: &str) -> pb::IssueCodeRequest {
    pb::IssueCodeRequest {
        subject: subject.to_owned(),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
        region: "4501".to_owned(),
        unit: unit.to_owned(),
        display_name: String::new(),
    }
}

fn batch(said: Said) -> pb::ReplicateRequest {
    let message = match said {
        Said::Open {
            origin,
            checkpoint,
            heads,
        } => replicate_request::Message::Open(pb::MirrorOpen {
            origin,
            checkpoint,
            heads: heads.is_some(),
            head_checkpoint: heads.unwrap_or_default(),
        }),
        Said::Batch {
            first,
            entries,
            checkpoint,
        } => replicate_request::Message::Batch(pb::MirrorBatch {
            first,
            entries,
            checkpoint,
        }),
    };
    pb::ReplicateRequest {
        message: Some(message),
    }
}

#[tokio::test]
async fn a_network_of_one_node_enrols_files_replicates_and_is_followed() {
    let site = Site::new();
    let running = Running::start(&site).await;
    let (address, coordinator) = (running.address, &running.coordinator);
    let mut writer = Writer::new("n", "4501", 5);
    let unit = new("party_unit", &[pb::Role::DataSourceUnit], "");
    enrol(&site, address, unit, &bed::key("party_unit")).await;
    let office = new("party_office", &[pb::Role::Regulator], "");
    enrol(&site, address, office, &bed::key("party_office")).await;
    let origin = enrol(
        &site,
        address,
        new("node_n", &[], "party_unit"),
        &writer.signer,
    )
    .await;
    assert_eq!(origin, writer.origin());

    // The node watches; what its unit files reaches it, and so does a revocation.
    let node = site.dial("node_n", address).await;
    let mut watched = SyncClient::new(node.clone())
        .watch(pb::WatchRequest { epoch_seen: 0 })
        .await
        .unwrap()
        .into_inner();
    let first = watched.message().await.unwrap().unwrap().update;
    assert!(matches!(first, Some(watch_response::Update::Epoch(_))));
    let policy = bed::sealed(&bed::policy(), &["party_unit"]);
    let mut filing = RegistryClient::new(site.dial("party_unit", address).await);
    let request = pb::FileRequest {
        object: Some(envelope_to_pb(&policy)),
    };
    let filed = filing.file(request).await.unwrap().into_inner();
    assert_eq!(filed.number, "2026-000001");
    let pushed = loop {
        match watched.message().await.unwrap().unwrap().update.unwrap() {
            watch_response::Update::Object(object) => break object,
            // A renewal may come between.
            watch_response::Update::Epoch(_) => {}
        }
    };
    assert_eq!(pushed.filing, filed.filing);

    // It replicates, and gets back what it lost.
    writer.write(5);
    let mut mirror = MirrorClient::new(node);
    let said = [writer.open(), writer.batch(0, 2), writer.batch(2, 5)].map(batch);
    let mut answers = mirror
        .replicate(tokio_stream::iter(said))
        .await
        .unwrap()
        .into_inner();
    let mut cosigned = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.message.unwrap() {
            replicate_response::Message::Resume(resume) => assert_eq!(resume.size, 0),
            replicate_response::Message::Cosigned(answer) => {
                let line = note_signature_from_pb(&answer.cosignature.unwrap()).unwrap();
                let text = lingqu_tlog::Note::parse(writer.checkpoint(answer.size))
                    .unwrap()
                    .text;
                verify_cosignature(&text, &coordinator.mirror_key(), &line).unwrap();
                cosigned = answer.size;
            }
            replicate_response::Message::Conflict(conflict) => panic!("{conflict:?}"),
            replicate_response::Message::Headed(headed) => panic!("{headed:?}"),
        }
    }
    assert_eq!((cosigned, coordinator.mirrored_size(&origin)), (5, 5));
    let request = pb::EntriesRequest {
        origin: origin.clone(),
        first: 1,
    };
    let mut lost = mirror.entries(request).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(page) = lost.message().await.unwrap() {
        entries.extend(page.entries);
        if entries.len() == 4 {
            assert_eq!(
                Some(page.checkpoint),
                coordinator.cosigned_checkpoint(&origin)
            );
        }
    }
    assert_eq!(entries, writer.entries[1..]);
    let foreign = pb::EntriesRequest {
        origin: coordinator.own_origin().to_owned(),
        first: 0,
    };
    let refused = mirror.entries(foreign).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(ErrorCode::CallerRoleForbidden));

    // One node holds few conversations open, each of which may keep a large message.
    let silent = tokio_stream::pending::<pb::ReplicateRequest>;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(mirror.replicate(silent()).await.unwrap());
    }
    let refused = mirror.replicate(silent()).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(ErrorCode::Overloaded));
    drop(held);

    follow(&site, &running, &writer).await;

    // A regulator that is revoked reads on no longer.
    let mut audit = AuditClient::new(site.dial("party_office", address).await);
    let request = pb::FollowRequest {
        region: "4501".to_owned(),
        ..Default::default()
    };
    let mut events = audit.follow(request).await.unwrap().into_inner();
    let request = bed::revocation(bed::AGENCY, "party_office", &site.clock);
    let mut agency = RegistryClient::new(site.dial(bed::AGENCY, address).await);
    let revocation = Some(envelope_to_pb(&request));
    agency
        .revoke(pb::RevokeRequest { revocation })
        .await
        .unwrap();
    let cut = loop {
        if let Err(cut) = events.message().await.map(Option::unwrap) {
            break cut;
        }
    };
    assert_eq!(code_of(&cut), Some(ErrorCode::CallerRevoked));

    // Everything ends, streams that would go on for ever included, and the directory is free again.
    running.stop().await;
    loop {
        match watched.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a stream that was cut must not look like one that ended"),
            Err(_) => break,
        }
    }
    let running = Running::start(&site).await;
    assert_eq!(running.coordinator.mirrored_size(&origin), 5);
    running.stop().await;
}

async fn follow(site: &Site, running: &Running, writer: &Writer) {
    let mut audit = AuditClient::new(site.dial("party_office", running.address).await);
    let request = |region: &str, until_current| pb::FollowRequest {
        region: region.to_owned(),
        resume: Vec::new(),
        until_current,
    };
    let refused = audit.follow(request("45", true)).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(ErrorCode::RegionForbidden));
    let mut events = audit
        .follow(request("4501", true))
        .await
        .unwrap()
        .into_inner();
    let (mut entries, mut closed) = (Vec::new(), false);
    while let Some(event) = events.message().await.unwrap() {
        match event.event.unwrap() {
            follow_response::Event::Span(span) => {
                assert_eq!(span.origin, writer.origin());
                entries.extend(span.entries);
                closed = false;
            }
            follow_response::Event::Dropped(_) => panic!("nothing was dropped"),
            follow_response::Event::HeadLog(log) => {
                let key = running.coordinator.head_log_key(&"4501".parse().unwrap());
                lingqu_tlog::Note::parse(log.checkpoint)
                    .unwrap()
                    .verify(&[key])
                    .unwrap();
                closed = true;
            }
        }
    }
    assert!(closed);
    assert_eq!(entries, writer.entries, "what is cosigned is current");
    // The subscription is an act, durable before its first event.
    let mut seen = Vec::new();
    running
        .coordinator
        .mirror
        .own_records(|record| {
            let text = |field| {
                record
                    .draft
                    .clear
                    .get_text(field)
                    .unwrap_or_default()
                    .to_owned()
            };
            seen.push((
                text(lingqu_core::record::Field::Action),
                text(lingqu_core::record::Field::Actor),
            ));
        })
        .unwrap();
    assert_eq!(
        seen.last(),
        Some(&("follow".to_owned(), "party_office".to_owned()))
    );
}

#[tokio::test]
async fn the_trust_text_is_one_that_readers_accept() {
    let site = Site::new();
    let coordinator = site.open().await;
    let trust = lingqu_core::trust::Trust::<Intl>::parse(&coordinator.trust()).unwrap();
    let own = trust.log(coordinator.own_origin()).unwrap();
    let policy = trust.policy();
    assert_eq!(policy.quorum(), Some("mirror"));
    assert_eq!(policy.witnesses()[0].key, coordinator.mirror_key());
    let note = lingqu_tlog::Note::parse(
        coordinator
            .cosigned_checkpoint(coordinator.own_origin())
            .unwrap(),
    );
    assert_eq!(
        note.unwrap()
            .verify(&[own.clone(), coordinator.mirror_key()])
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn what_does_not_fit_the_configuration_does_not_open() {
    let site = Site::new();
    let open = |change: fn(&mut Config, &Path)| {
        let mut config = site.config();
        change(&mut config, site.dir.path());
        let clock: Arc<dyn Clock> = site.clock.clone();
        async move {
            Coordinator::open(config, clock)
                .await
                .err()
                .map(|error| error.to_string())
        }
    };
    assert_eq!(open(|_, _| ()).await, None);
    // Nobody else on the host reads what all streams say.
    let data = std::fs::metadata(site.path("data")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&data.permissions());
    assert_eq!(mode & 0o777, 0o700);
    let other_id = open(|config, _| config.id = "coord_other".parse().unwrap()).await;
    assert!(
        other_id
            .unwrap()
            .contains("the certificate is for `coord_gx`")
    );
    let shared = open(|config, dir| config.keys.mirror = dir.join("log.key")).await;
    assert!(shared.unwrap().contains("share one key"));
    let changed = open(|config, _| config.founders[0].roles.push(Role::Regulator)).await;
    assert!(changed.unwrap().contains("another key, region or roles"));
    let weak =
        open(|config, _| config.founders[0].approval_key = format!("01{}", "0".repeat(62))).await;
    assert!(weak.unwrap().contains("not a usable key"));
    // A role's key replaced by another: the log's checkpoints are no longer by the configured key.
    std::fs::write(site.path("log.key"), Ed25519Signer::generate_pkcs8()).unwrap();
    assert!(open(|_, _| ()).await.is_some());
}

/// Every RPC against every kind of peer: only the table's own row is let in.
#[tokio::test]
async fn every_door_opens_to_its_row_of_the_access_table_only() {
    let net = bed::Net::new();
    let registry = net.open().await;
    bed::populate(&registry).await;
    let peer = |id: &str| Peer {
        id: id.parse().unwrap(),
        fingerprint: [0; 32],
        not_before: Timestamp(0),
        not_after: Timestamp(i64::MAX),
        authority: "gx".to_owned(),
    };
    let allowed = |id: &str, rpc: Rpc| match rpc {
        Rpc::AuditFollow => id == "party_office",
        Rpc::BodiesOpenBodies
        | Rpc::CallsExplain
        | Rpc::CallsLinks
        | Rpc::CallsQuery
        | Rpc::CallsScore
        | Rpc::CallsVerify
        | Rpc::CallsVerifyStream => false,
        Rpc::EnrolmentEnrol => !id.starts_with("coord_"),
        Rpc::EnrolmentIssueCode => id == bed::AGENCY,
        Rpc::MirrorEntries | Rpc::MirrorReplicate | Rpc::SyncWatch => id == "node_n",
        Rpc::RegistryFile
        | Rpc::RegistryLift
        | Rpc::RegistryRevoke
        | Rpc::RegistrySuspend
        | Rpc::WorkflowOpine => [bed::AGENCY, "party_unit"].contains(&id),
        Rpc::WorkflowAct | Rpc::WorkflowApply => [bed::AGENCY, "party_bank"].contains(&id),
        Rpc::WorkflowList | Rpc::WorkflowShow => {
            [bed::AGENCY, "party_unit", "party_bank", "party_office"].contains(&id)
        }
        Rpc::WorkflowPropose => id == bed::AGENCY,
        Rpc::WorkflowSign => ["party_unit", "party_bank"].contains(&id),
    };
    for id in [
        bed::AGENCY,
        "party_unit",
        "party_bank",
        "party_office",
        "party_stranger",
        "node_n",
        "node_stranger",
        "coord_gx",
        "coord_other",
    ] {
        for rpc in Rpc::ALL {
            let outcome = registry.admit(rpc.path(), Ok(&peer(id)));
            assert_eq!(
                outcome.is_ok(),
                allowed(id, *rpc),
                "{id} {rpc:?} {outcome:?}"
            );
        }
        assert!(
            registry
                .admit("/lingqu.v1.Registry/file", Ok(&peer(id)))
                .is_err()
        );
    }
    let expired = Err(ErrorCode::CallerCertExpired);
    assert_eq!(
        registry.admit(Rpc::SyncWatch.path(), expired),
        Err(ErrorCode::CallerCertExpired)
    );
    // A revoked party is let in nowhere, whatever its roles.
    let request = bed::revocation(bed::AGENCY, "party_unit", &net.clock);
    registry
        .revoke(&bed::party(bed::AGENCY), request)
        .await
        .unwrap();
    for rpc in Rpc::ALL {
        assert!(registry.admit(rpc.path(), Ok(&peer("party_unit"))).is_err());
    }
}
