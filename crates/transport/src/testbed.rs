//! What the tests of this crate share: a clock set by hand, an authority in a directory of its own, a running
//! listener, and clients that misbehave in one way each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::any;
use axum::{Extension, Router};
use lingqu_core::{Clock, ErrorCode, Timestamp};
use rcgen::CertificateParams;
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub(crate) use lingqu_testkit::ManualClock;

use crate::pki::{DevAuthority, IssuedFiles, leaf_params};
use crate::reload::AuthorityFile;
use crate::tls::TlsClock;
use crate::{
    AccessLayer, ClientTls, Connected, Connections, Limits, Peer, PeerId, ReloadableTls, TlsFiles,
    serve,
};

/// 2026-01-01, where every test begins.
pub(crate) const START: Timestamp = Timestamp::from_unix_s(1_767_225_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn id(text: &str) -> PeerId {
    text.parse().unwrap()
}

/// One authority and the certificates it issued.
pub(crate) struct Pki {
    pub(crate) authority: DevAuthority,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
}

impl Pki {
    pub(crate) fn new(name: &str, clock: &Arc<ManualClock>) -> Self {
        let authority = DevAuthority::create(name, &**clock).unwrap();
        let dir = tempfile::tempdir().unwrap();
        authority.write(dir.path()).unwrap();
        Pki {
            authority,
            clock: Arc::clone(clock),
            dir,
        }
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(crate) fn issue(&self, who: &str, days: u32) -> IssuedFiles {
        let issued = self
            .authority
            .issue(&id(who), &["127.0.0.1"], days, &*self.clock)
            .unwrap();
        issued.write(self.dir.path()).unwrap()
    }

    /// Issues a certificate that `change` has made wrong in one way.
    pub(crate) fn issue_wrong(
        &self,
        who: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> IssuedFiles {
        let mut params = leaf_params(&id(who), &["127.0.0.1"], START, START.plus(DAY)).unwrap();
        change(&mut params);
        self.authority
            .sign(&id(who), params)
            .unwrap()
            .write(self.dir.path())
            .unwrap()
    }

    /// Files of somebody who trusts this authority for `prefixes`.
    pub(crate) fn files(&self, own: &IssuedFiles, prefixes: &[&str]) -> TlsFiles {
        TlsFiles {
            cert_chain: own.certificate.clone(),
            key: own.key.clone(),
            authorities: vec![trusted("ours", &self.ca(), prefixes)],
            allow_tls12: false,
        }
    }

    /// A client that trusts this authority for everybody.
    pub(crate) fn client(&self, who: &str, days: u32) -> ClientTls {
        self.client_of(&self.issue(who, days))
    }

    pub(crate) fn client_of(&self, own: &IssuedFiles) -> ClientTls {
        ClientTls::load(
            self.files(own, &EVERYBODY),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        )
        .unwrap()
    }

    /// A bare rustls client, so that a test can take away or add what ours always or never has.
    pub(crate) fn bare(
        &self,
        own: Option<&IssuedFiles>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.ca()).unwrap())
            .unwrap();
        let clock = Arc::new(TlsClock(Arc::clone(&self.clock) as Arc<dyn Clock>));
        let builder = ClientConfig::builder_with_details(crate::tls::provider(), clock)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&own.key).unwrap())
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}

pub(crate) const EVERYBODY: [&str; 3] = ["party_", "node_", "coord_"];

pub(crate) fn trusted(name: &str, path: &Path, prefixes: &[&str]) -> AuthorityFile {
    let prefixes = prefixes
        .iter()
        .map(|prefix| prefix.parse().unwrap())
        .collect();
    AuthorityFile {
        name: name.to_owned(),
        path: path.to_owned(),
        prefixes,
    }
}

/// A listener with `/whoami`, which names the peer, and `/wait`, which answers when it is released.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Connections,
    pub(crate) tls: Arc<ReloadableTls>,
    pub(crate) waiting: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(files: TlsFiles, clock: &Arc<ManualClock>, limits: Limits) -> Self {
        let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        let tls = Arc::new(ReloadableTls::load(files, Arc::clone(&clock)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, shutdown) = (Connections::new(), CancellationToken::new());
        let (waiting, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = router(Arc::clone(&waiting), Arc::clone(&release));
        let stop = shutdown.clone().cancelled_owned();
        let serving = serve(
            listener,
            Arc::clone(&tls),
            limits,
            clock,
            router,
            connections.clone(),
            stop,
        );
        let task = tokio::spawn(serving);
        Running {
            address,
            connections,
            tls,
            waiting,
            release,
            shutdown,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        let host = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::clone(config))
            .connect(host, tcp)
            .await
    }

    /// The alert that refuses `config`, wherever in the handshake it comes.
    pub(crate) async fn alert(&self, config: ClientConfig) -> rustls::AlertDescription {
        let error = match self.handshake(&Arc::new(config)).await {
            Ok(mut stream) => stream
                .read_u8()
                .await
                .expect_err("the server says nothing first"),
            Err(error) => error,
        };
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            Some(rustls::Error::AlertReceived(alert)) => *alert,
            _ => panic!("no alert but {error:?}"),
        }
    }
}

fn router(waiting: Arc<Notify>, release: Arc<Notify>) -> Router {
    let whoami = |Extension(connected): Extension<Arc<Connected>>| async move {
        connected
            .peer()
            .map_or_else(|code| code.to_string(), |peer| peer.id.to_string())
    };
    let wait = move || async move {
        waiting.notify_one();
        release.notified().await;
        "released"
    };
    let decide = |path: &str, peer: Result<&Peer, ErrorCode>| match path {
        "/whoami" | "/wait" => peer.map(drop),
        _ => Err(ErrorCode::CallerRoleForbidden),
    };
    Router::new()
        .route("/whoami", any(whoami))
        .route("/wait", any(wait))
        // Behind the table's back: reached only if the layer lets an unlisted path through.
        .route("/unlisted", any(|| async { "reached" }))
        .layer(AccessLayer::new(Arc::new(decide)))
}

/// One HTTP/1.1 request on a connection that stays open; head and body of the answer.
pub(crate) async fn http1(stream: &mut TlsStream<TcpStream>, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .split_once("content-length: ")
        .unwrap()
        .1
        .split_once("\r\n")
        .unwrap()
        .0;
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Lets other tasks run until `condition` holds. The bound is only there so that a failing test ends.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
