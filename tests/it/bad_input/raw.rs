//! Connections over which anything at all can be sent: TLS with a party's own certificate, and no protocol above it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use lingqu_demo::cast::Party;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::network::World;

/// A TCP connection to `address` from `127.0.0.last`: all of these are this machine, and none is another.
pub(super) async fn socket(address: &str, last: u8) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    socket.connect(address.parse().unwrap()).await
}

/// Connects to `address` with the party's certificate, offering `protocol`.
pub(super) async fn connect(
    world: &World,
    address: &str,
    party: Party,
    protocol: &[u8],
) -> io::Result<TlsStream<TcpStream>> {
    connect_from(world, address, 1, party, protocol).await
}

/// The same from `127.0.0.last`.
pub(super) async fn connect_from(
    world: &World,
    address: &str,
    last: u8,
    party: Party,
    protocol: &[u8],
) -> io::Result<TlsStream<TcpStream>> {
    let files = world.network.files();
    let (certificate, key) = files.party_tls(party);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(files.ca()).unwrap())
        .unwrap();
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let mut config = ClientConfig::builder_with_provider(lingqu_transport::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = socket(address, last).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// Sends `bytes`, says that nothing follows, and takes whatever comes back. That the other end hangs up in between is
/// its good right.
pub(super) async fn exchange(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    bytes: &[u8],
) -> Vec<u8> {
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut got = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut got).await;
    got
}

/// HTTP/2: the preface and empty settings.
pub(super) fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(0x4, 0, 0, b""));
    bytes
}

/// One HTTP/2 frame (RFC 9113, section 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![len[1], len[2], len[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The header block of a gRPC request to `path`: literals without indexing (RFC 7541, section 6.2.2).
pub(super) fn grpc_headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("shorter than a prefix can say"));
            block.extend(text.as_bytes());
        }
    }
    block
}
