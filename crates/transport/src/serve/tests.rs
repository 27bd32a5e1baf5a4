mod strangers;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use lingqu_core::{ErrorCode, Timestamp};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::AsyncReadExt;
use tonic::transport::Channel;
use tower::ServiceExt;

use crate::pki::IssuedFiles;
use crate::testbed::{DAY, EVERYBODY, ManualClock, Pki, Running, START, http1, id, trusted, until};
use crate::{Limits, code_of, connect};

struct Net {
    clock: Arc<ManualClock>,
    pki: Pki,
    running: Running,
    server: IssuedFiles,
}

impl Net {
    async fn start() -> Self {
        Net::with(&EVERYBODY, Limits::default()).await
    }

    async fn with(prefixes: &[&str], limits: Limits) -> Self {
        let clock = ManualClock::at(START);
        let pki = Pki::new("Test CA", &clock);
        let server = pki.issue("node_gx.bank", 365);
        let running = Running::start(pki.files(&server, prefixes), &clock, limits).await;
        Net {
            clock,
            pki,
            running,
            server,
        }
    }

    async fn channel(&self, who: &str, days: u32) -> Channel {
        let client = self.pki.client(who, days);
        connect(&self.running.url(), &client, id("node_gx.bank"))
            .await
            .unwrap()
    }
}

/// The body of an answer, or the code of a refusal.
async fn call(channel: &Channel, path: &str) -> Result<String, ErrorCode> {
    let request = http::Request::post(format!("https://test{path}"))
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = channel.clone().oneshot(request).await.unwrap();
    if let Some(status) = tonic::Status::from_header_map(response.headers()) {
        return Err(code_of(&status).expect("a status of ours"));
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_verified_caller_is_named_over_both_versions_of_http() {
    let net = Net::start().await;
    let channel = net.channel("party_gx.bank", 30).await;
    assert_eq!(
        call(&channel, "/whoami").await.as_deref(),
        Ok("party_gx.bank")
    );

    let own = net.pki.issue("coord_main", 30);
    let config = Arc::new(net.pki.bare(Some(&own), &[&TLS13]));
    let mut stream = net.running.handshake(&config).await.unwrap();
    let (head, body) = http1(&mut stream, "/whoami").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "coord_main");

    let peers = net.running.connections.list();
    let authorities: Vec<_> = peers
        .iter()
        .map(|peer| peer.peer().unwrap().authority.clone())
        .collect();
    assert_eq!(authorities, ["ours", "ours"]);
}

#[tokio::test]
async fn an_unlisted_path_is_refused_before_its_handler() {
    let net = Net::start().await;
    let channel = net.channel("party_gx.bank", 30).await;
    for path in ["/unlisted", "/nowhere"] {
        assert_eq!(
            call(&channel, path).await,
            Err(ErrorCode::CallerRoleForbidden),
            "{path}"
        );
    }
}

#[tokio::test]
async fn certificates_of_other_authorities_fail_the_handshake() {
    let net = Net::start().await;
    // The second has the name of the trusted authority, and its own key.
    for (count, name) in [(1, "Other CA"), (2, "Test CA")] {
        let foreign = Pki::new(name, &net.clock);
        let own = foreign.issue("party_gx.bank", 30);
        let alert = net.running.alert(net.pki.bare(Some(&own), &[&TLS13])).await;
        assert_eq!(alert, AlertDescription::UnknownCA, "{name}");
        let counted = || {
            net.running
                .connections
                .refused(ErrorCode::CallerCertUntrusted)
                == count
        };
        until("the refusal is counted", counted).await;
    }
    assert_eq!(net.running.connections.count(), 0);
}

#[tokio::test]
async fn a_connection_without_certificate_is_refused() {
    let net = Net::start().await;
    let alert = net.running.alert(net.pki.bare(None, &[&TLS13])).await;
    assert_eq!(alert, AlertDescription::CertificateRequired);
    let counted = || {
        net.running
            .connections
            .refused(ErrorCode::CallerCertUntrusted)
            == 1
    };
    until("the refusal is counted", counted).await;
}

#[tokio::test]
async fn certificates_that_name_nobody_or_two_or_serve_another_use_are_refused() {
    let net = Net::start().await;
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let two = net.pki.issue_wrong("party_gx.two", |params| {
        params.subject_alt_names.push(uri("lingqu:party_gx.other"));
    });
    let none = net
        .pki
        .issue_wrong("party_gx.none", |params| params.subject_alt_names.clear());
    let other_kind = net.pki.issue_wrong("party_gx.grant", |params| {
        params.subject_alt_names = vec![uri("lingqu:grant_1")];
    });
    let server_only = net.pki.issue_wrong("party_gx.server", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (count, own) in (1..).zip([two, none, other_kind, server_only]) {
        net.running.alert(net.pki.bare(Some(&own), &[&TLS13])).await;
        let counted = || {
            net.running
                .connections
                .refused(ErrorCode::CallerCertUntrusted)
                == count
        };
        until("the refusal is counted", counted).await;
    }
    assert_eq!(net.running.connections.count(), 0);
}

#[tokio::test]
async fn an_id_outside_the_authoritys_prefix_gets_a_coded_refusal() {
    let net = Net::with(&["party_gx."], Limits::default()).await;
    let inside = net.channel("party_gx.bank", 30).await;
    assert_eq!(
        call(&inside, "/whoami").await.as_deref(),
        Ok("party_gx.bank")
    );
    // A name that only continues the prefix's word lies outside, and so does another kind.
    for who in ["party_gxevil.bank", "party_yn.bank", "node_gx.bank"] {
        let outside = net.channel(who, 30).await;
        assert_eq!(
            call(&outside, "/whoami").await,
            Err(ErrorCode::CallerOutsidePrefix),
            "{who}"
        );
    }
    assert_eq!(
        net.running
            .connections
            .refused(ErrorCode::CallerOutsidePrefix),
        3
    );

    let own = net.pki.issue("party_yn.bank", 30);
    let config = Arc::new(net.pki.bare(Some(&own), &[&TLS13]));
    let mut stream = net.running.handshake(&config).await.unwrap();
    let (head, body) = http1(&mut stream, "/whoami").await;
    assert!(head.starts_with("http/1.1 401"), "{head}");
    assert!(
        head.contains("content-type: application/problem+json\r\n"),
        "{head}"
    );
    assert!(body.contains(r#""type":"CALLER_OUTSIDE_PREFIX""#), "{body}");
}

#[tokio::test]
async fn one_authority_cannot_speak_for_anothers_parties() {
    let clock = ManualClock::at(START);
    let (gx, yn) = (Pki::new("Test CA", &clock), Pki::new("Test CA", &clock));
    let mut files = gx.files(&gx.issue("node_gx.bank", 365), &["party_gx.", "node_gx."]);
    files
        .authorities
        .push(trusted("yn", &yn.ca(), &["party_yn."]));
    let running = Running::start(files, &clock, Limits::default()).await;
    for (who, expected) in [
        ("party_yn.bank", Ok("party_yn.bank".to_owned())),
        ("party_gx.bank", Err(ErrorCode::CallerOutsidePrefix)),
    ] {
        let own = yn.issue(who, 30);
        let mut files = yn.files(&own, &["party_yn."]);
        files.authorities = vec![trusted("gx", &gx.ca(), &["node_gx."])];
        let client = crate::ClientTls::load(files, clock.clone()).unwrap();
        let channel = connect(&running.url(), &client, id("node_gx.bank"))
            .await
            .unwrap();
        assert_eq!(call(&channel, "/whoami").await, expected);
    }
}

#[tokio::test]
async fn expiry_is_checked_in_the_handshake_and_again_at_each_request() {
    let net = Net::start().await;
    let own = net.pki.issue("party_gx.bank", 10);
    let channel = net.channel("party_gx.shop", 10).await;
    assert_eq!(
        call(&channel, "/whoami").await.as_deref(),
        Ok("party_gx.shop")
    );

    net.clock.set(START.plus(DAY * 10));
    assert_eq!(
        call(&channel, "/whoami").await.as_deref(),
        Ok("party_gx.shop"),
        "the last second counts"
    );
    net.clock.set(START.plus(DAY * 10 + Duration::from_secs(1)));
    assert_eq!(
        call(&channel, "/whoami").await,
        Err(ErrorCode::CallerCertExpired)
    );
    let alert = net.running.alert(net.pki.bare(Some(&own), &[&TLS13])).await;
    assert_eq!(alert, AlertDescription::CertificateExpired);
    let counted = || {
        net.running
            .connections
            .refused(ErrorCode::CallerCertExpired)
            == 1
    };
    until("the refusal is counted", counted).await;

    // A clock that was set back to before the certificate admits it just as little.
    net.clock.set(Timestamp::from_unix_s(START.unix_s() - 301));
    assert_eq!(
        call(&channel, "/whoami").await,
        Err(ErrorCode::CallerCertExpired)
    );
}

#[tokio::test]
async fn tls_12_is_refused_unless_allowed() {
    let net = Net::start().await;
    let own = net.pki.issue("party_gx.bank", 30);
    let alert = net.running.alert(net.pki.bare(Some(&own), &[&TLS12])).await;
    assert_eq!(alert, AlertDescription::ProtocolVersion);

    let mut files = net.pki.files(&net.server, &EVERYBODY);
    files.allow_tls12 = true;
    let lenient = Running::start(files, &net.clock, Limits::default()).await;
    let config = Arc::new(net.pki.bare(Some(&own), &[&TLS12]));
    let mut stream = lenient.handshake(&config).await.unwrap();
    assert_eq!(http1(&mut stream, "/whoami").await.1, "party_gx.bank");
}

#[tokio::test]
async fn no_session_is_ever_resumed() {
    let net = Net::start().await;
    let mut files = net.pki.files(&net.server, &EVERYBODY);
    files.allow_tls12 = true;
    let lenient = Running::start(files, &net.clock, Limits::default()).await;
    let own = net.pki.issue("party_gx.bank", 30);
    for version in [&TLS13, &TLS12] {
        // This client would resume: rustls does by default.
        let config = Arc::new(net.pki.bare(Some(&own), &[version]));
        for _ in 0..2 {
            let mut stream = lenient.handshake(&config).await.unwrap();
            assert_eq!(http1(&mut stream, "/whoami").await.1, "party_gx.bank");
            let session = stream.get_ref().1;
            assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(session.tls13_tickets_received(), 0);
        }
    }
}

#[tokio::test]
async fn a_reload_swaps_certificates_and_a_broken_file_keeps_the_old() {
    let net = Net::start().await;
    let own = net.pki.issue("party_gx.bank", 30);
    let config = Arc::new(net.pki.bare(Some(&own), &[&TLS13]));
    let shown = async || {
        let stream = net.running.handshake(&config).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let on_disk = || CertificateDer::from_pem_file(&net.server.certificate).unwrap();
    let first = shown().await;
    assert_eq!(first, on_disk());
    assert_eq!(net.running.tls.reload(), Ok(false));

    net.pki.issue("node_gx.bank", 365);
    assert_ne!(first, on_disk());
    assert_eq!(net.running.tls.reload(), Ok(true));
    let second = shown().await;
    assert_eq!(second, on_disk());

    std::fs::write(&net.server.certificate, "no pem").unwrap();
    assert!(net.running.tls.reload().is_err());
    assert_eq!(shown().await, second);
}

#[tokio::test]
async fn an_authority_that_is_replaced_loses_its_open_connections() {
    let net = Net::start().await;
    let channel = net.channel("party_gx.bank", 30).await;
    assert_eq!(
        call(&channel, "/whoami").await.as_deref(),
        Ok("party_gx.bank")
    );

    // A new certificate of the server alone cuts nobody.
    net.pki.issue("node_gx.bank", 365);
    net.running.tls.reload().unwrap();
    assert_eq!(
        call(&channel, "/whoami").await.as_deref(),
        Ok("party_gx.bank")
    );
    assert_eq!(net.running.connections.count(), 1);

    let other = Pki::new("Test CA", &net.clock);
    std::fs::copy(other.ca(), net.pki.ca()).unwrap();
    assert_eq!(net.running.tls.reload(), Ok(true));
    until("the connection is cut", || {
        net.running.connections.count() == 0
    })
    .await;
}

#[tokio::test]
async fn the_connection_limit_closes_what_comes_beyond_it() {
    let net = Net::with(
        &EVERYBODY,
        Limits {
            connections_max: 1,
            ..Limits::default()
        },
    )
    .await;
    let config = Arc::new(
        net.pki
            .bare(Some(&net.pki.issue("party_gx.bank", 30)), &[&TLS13]),
    );
    let mut first = net.running.handshake(&config).await.unwrap();
    http1(&mut first, "/whoami").await;

    let mut second = net.running.handshake(&config).await.unwrap();
    assert!(second.read_u8().await.is_err());
    assert_eq!(net.running.connections.refused(ErrorCode::Overloaded), 1);
    assert_eq!(http1(&mut first, "/whoami").await.1, "party_gx.bank");

    drop(first);
    until("the first place is free", || {
        net.running.connections.count() == 0
    })
    .await;
    let mut third = net.running.handshake(&config).await.unwrap();
    assert_eq!(http1(&mut third, "/whoami").await.1, "party_gx.bank");
}

/// One caller that connects again and again takes no place of another.
#[tokio::test]
async fn one_peer_takes_only_its_own_share_of_connections() {
    let net = Net::with(
        &EVERYBODY,
        Limits {
            connections_max: 2,
            connections_per_peer_max: 1,
            ..Limits::default()
        },
    )
    .await;
    let config = |id| Arc::new(net.pki.bare(Some(&net.pki.issue(id, 30)), &[&TLS13]));
    let greedy = config("party_gx.bank");
    let mut first = net.running.handshake(&greedy).await.unwrap();
    http1(&mut first, "/whoami").await;
    let mut second = net.running.handshake(&greedy).await.unwrap();
    assert!(second.read_u8().await.is_err());
    assert_eq!(net.running.connections.refused(ErrorCode::Overloaded), 1);

    let mut other = net
        .running
        .handshake(&config("party_gx.insurer"))
        .await
        .unwrap();
    assert_eq!(http1(&mut other, "/whoami").await.1, "party_gx.insurer");
    assert_eq!(http1(&mut first, "/whoami").await.1, "party_gx.bank");
}

#[tokio::test]
async fn one_peer_cannot_take_the_places_of_others() {
    let net = Net::with(
        &["party_gx."],
        Limits {
            connections_max: 4,
            connections_per_peer_max: 1,
            ..Limits::default()
        },
    )
    .await;
    let config = |id: &str| Arc::new(net.pki.bare(Some(&net.pki.issue(id, 30)), &[&TLS13]));
    // Whoever is refused as a peer still holds a place: all of them share one bound.
    for ids in [
        ["party_gx.bank", "party_gx.bank"],
        ["party_hn.one", "party_hn.two"],
    ] {
        let before = net.running.connections.refused(ErrorCode::Overloaded);
        let mut first = net.running.handshake(&config(ids[0])).await.unwrap();
        http1(&mut first, "/whoami").await;
        let mut second = net.running.handshake(&config(ids[1])).await.unwrap();
        assert!(second.read_u8().await.is_err());
        assert_eq!(
            net.running.connections.refused(ErrorCode::Overloaded),
            before + 1
        );
        let mut other = net
            .running
            .handshake(&config("party_gx.shop"))
            .await
            .unwrap();
        assert_eq!(http1(&mut other, "/whoami").await.1, "party_gx.shop");
        drop((first, second, other));
        until("every place is free", || {
            net.running.connections.count() == 0
        })
        .await;
    }
}

#[tokio::test]
async fn cutting_a_peer_closes_its_connections_and_no_others() {
    let net = Net::start().await;
    let config = |own: IssuedFiles| Arc::new(net.pki.bare(Some(&own), &[&TLS13]));
    let bank = config(net.pki.issue("party_gx.bank", 30));
    let shop = config(net.pki.issue("party_gx.shop", 30));
    let mut cut = [
        net.running.handshake(&bank).await.unwrap(),
        net.running.handshake(&bank).await.unwrap(),
    ];
    let mut kept = net.running.handshake(&shop).await.unwrap();
    for stream in cut.iter_mut().chain([&mut kept]) {
        http1(stream, "/whoami").await;
    }

    assert_eq!(net.running.connections.cut(&id("party_gx.bank")), 2);
    for stream in &mut cut {
        assert!(stream.read_u8().await.is_err());
    }
    assert_eq!(http1(&mut kept, "/whoami").await.1, "party_gx.shop");
    assert_eq!(net.running.connections.count(), 1);
    assert_eq!(net.running.connections.cut(&id("party_gx.bank")), 0);
}

#[tokio::test]
async fn a_shutdown_lets_a_running_request_finish() {
    let net = Net::start().await;
    let channel = net.channel("party_gx.bank", 30).await;
    let answer = tokio::spawn(async move { call(&channel, "/wait").await });
    net.running.waiting.notified().await;
    net.running.shutdown.cancel();
    until("the listener is closed", || {
        std::net::TcpStream::connect(net.running.address).is_err()
    })
    .await;
    net.running.release.notify_one();
    assert_eq!(answer.await.unwrap().as_deref(), Ok("released"));
    net.running.task.await.unwrap();
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_finish_in_time() {
    let limits = Limits {
        drain_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let net = Net::with(&EVERYBODY, limits).await;
    let config = Arc::new(
        net.pki
            .bare(Some(&net.pki.issue("party_gx.bank", 30)), &[&TLS13]),
    );
    let mut stream = net.running.handshake(&config).await.unwrap();
    let pending = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        stream
            .write_all(b"GET /wait HTTP/1.1\r\nhost: test\r\n\r\n")
            .await
            .unwrap();
        stream.read_u8().await
    });
    net.running.waiting.notified().await;
    net.running.shutdown.cancel();
    net.running.task.await.unwrap();
    assert_eq!(net.running.connections.count(), 0);
    assert!(pending.await.unwrap().is_err());
}
