use std::net::TcpListener;
use std::sync::Arc;

use rustls::CertificateError;

use super::*;
use crate::Limits;
use crate::testbed::{DAY, EVERYBODY, ManualClock, Pki, Running, START, id};
use crate::tls::ServerRefused;

/// What is wrong with the server, if that is why the dial failed.
fn refused(error: ConnectError) -> CertificateError {
    match error {
        ConnectError::ServerRefused {
            cause: rustls::Error::InvalidCertificate(cause),
            ..
        } => cause,
        other => panic!("{other:?}"),
    }
}

fn as_ours(error: &CertificateError) -> &ServerRefused {
    let CertificateError::Other(other) = error else {
        panic!("{error:?}")
    };
    other.0.downcast_ref().expect("our refusal")
}

#[tokio::test]
async fn another_server_than_the_expected_one_is_refused() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let files = pki.files(&pki.issue("node_gx.bank", 365), &EVERYBODY);
    let running = Running::start(files, &clock, Limits::default()).await;
    let client = pki.client("party_gx.bank", 30);

    let error = connect(&running.url(), &client, id("node_gx.tax"))
        .await
        .unwrap_err();
    let expected = ServerRefused::Other {
        expected: id("node_gx.tax"),
        found: id("node_gx.bank"),
    };
    assert_eq!(as_ours(&refused(error)), &expected);
    assert!(
        connect(&running.url(), &client, id("node_gx.bank"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_server_outside_its_authoritys_prefix_is_refused() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let files = pki.files(&pki.issue("node_gx.bank", 365), &EVERYBODY);
    let running = Running::start(files, &clock, Limits::default()).await;
    let narrow = pki.files(&pki.issue("party_gx.bank", 30), &["node_yn.", "party_"]);
    let client = ClientTls::load(narrow, clock).unwrap();
    let error = connect(&running.url(), &client, id("node_gx.bank"))
        .await
        .unwrap_err();
    assert_eq!(
        as_ours(&refused(error)),
        &ServerRefused::OutsidePrefix(id("node_gx.bank"))
    );
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_or_after_its_time_is_refused() {
    let clock = ManualClock::at(START);
    let (pki, other) = (Pki::new("Test CA", &clock), Pki::new("Test CA", &clock));
    let files = pki.files(&pki.issue("node_gx.bank", 10), &EVERYBODY);
    let running = Running::start(files, &clock, Limits::default()).await;
    let stranger = other.client("party_gx.bank", 30);
    let error = connect(&running.url(), &stranger, id("node_gx.bank"))
        .await
        .unwrap_err();
    assert_eq!(refused(error), CertificateError::UnknownIssuer);

    let client = pki.client("party_gx.bank", 365);
    clock.set(START.plus(DAY * 11));
    let error = connect(&running.url(), &client, id("node_gx.bank"))
        .await
        .unwrap_err();
    assert!(matches!(
        refused(error),
        CertificateError::ExpiredContext { .. }
    ));
}

#[tokio::test]
async fn what_is_not_there_or_no_url_says_so() {
    let clock = ManualClock::at(START);
    let client = Pki::new("Test CA", &clock).client("party_gx.bank", 30);
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (url, expected) in [
        (
            format!("https://{closed}"),
            ConnectError::Unreachable(std::io::ErrorKind::ConnectionRefused),
        ),
        (format!("http://{closed}"), ConnectError::Url),
        ("https://node.example".to_owned(), ConnectError::Url),
        ("node.example:1".to_owned(), ConnectError::Url),
        (String::new(), ConnectError::Url),
    ] {
        assert_eq!(
            connect(&url, &client, id("node_gx.bank"))
                .await
                .unwrap_err(),
            expected,
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_lazy_channel_connects_with_the_certificate_of_the_moment() {
    use tower::ServiceExt;
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let files = pki.files(&pki.issue("node_gx.bank", 365), &EVERYBODY);
    let running = Running::start(files, &clock, Limits::default()).await;
    let own = pki.issue("party_gx.bank", 30);
    let tls = Arc::new(ReloadableTls::load(pki.files(&own, &EVERYBODY), clock).unwrap());
    let channel = connect_lazy(
        &running.url(),
        &ClientTls::new(Arc::clone(&tls)),
        id("node_gx.bank"),
    )
    .unwrap();

    pki.issue("party_gx.bank", 60);
    tls.reload().unwrap();
    let request = http::Request::get("https://test/whoami")
        .body(tonic::body::Body::empty())
        .unwrap();
    assert!(
        channel
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let connected = running.connections.list().pop().unwrap();
    assert_eq!(connected.peer().unwrap().not_after, START.plus(DAY * 60));
}

#[tokio::test]
async fn a_server_that_agrees_on_no_protocol_is_refused() {
    let clock = ManualClock::at(START);
    let pki = Pki::new("Test CA", &clock);
    let files = pki.files(&pki.issue("node_gx.bank", 365), &EVERYBODY);
    let tls = ReloadableTls::load(files, clock).unwrap();
    let mut config = (*tls.current().server).clone();
    config.alpn_protocols.clear();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        // Held open, so that the client ends for its own reason.
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
            .accept(tcp)
            .await
    });
    let client = pki.client("party_gx.bank", 30);
    assert_eq!(
        connect(&url, &client, id("node_gx.bank"))
            .await
            .unwrap_err(),
        ConnectError::Http2
    );
    assert!(server.await.unwrap().is_ok());
}
