//! Syslog messages (RFC 5424) over TCP with octet counting (RFC 6587), over TLS (RFC 5425), or to a Unix datagram socket.
//!
//! Syslog has no acknowledgement: that a message was taken means that the system took it. What may be lost with a
//! connection is sent again by the next run; see the module above.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram};
use tokio_rustls::TlsConnector;

use super::{Item, Severity};
use crate::failure::Failure;

/// "log audit" (RFC 5424, table 1).
const FACILITY: u8 = 13;
/// The id of our structured data. 32473 is the enterprise number that RFC 5612 keeps for whoever has none of its own.
const DATA_ID: &str = "lingqu@32473";
/// Longest a collector may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a collector.
pub(super) enum Syslog {
    /// Each message in a datagram.
    Datagrams(UnixDatagram, PathBuf),
    /// Messages one after the other, each after its length.
    Stream(Box<dyn AsyncWrite + Send + Unpin>, String),
}

impl Syslog {
    /// Connects to `tcp://HOST:PORT`, `tls://HOST:PORT` or `unix:/PATH`.
    pub(super) async fn connect(to: &str, ca: Option<&PathBuf>) -> Result<Syslog, Failure> {
        if let Some(path) = to.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            let unreachable = |error: std::io::Error| unreachable(&path.display(), &error);
            let socket = UnixDatagram::unbound().map_err(unreachable)?;
            socket.connect(&path).map_err(unreachable)?;
            return Ok(Syslog::Datagrams(socket, path));
        }
        let (address, is_tls) = match (to.strip_prefix("tcp://"), to.strip_prefix("tls://")) {
            (Some(address), _) => (address, false),
            (None, Some(address)) => (address, true),
            (None, None) => {
                let forms = "expected `tcp://HOST:PORT`, `tls://HOST:PORT`, `unix:/PATH` or `otlp+http://HOST:PORT`";
                return Err(Failure::Unusable(format!("`{to}`: {forms}")));
            }
        };
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        let connected = connected.map_err(|late| unreachable(&address, &late))?;
        let stream = connected.map_err(|error| unreachable(&address, &error))?;
        let stream: Box<dyn AsyncWrite + Send + Unpin> = if is_tls {
            let name = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
                .map_err(|error| Failure::Unusable(format!("`{address}`: {error}")))?;
            let ca = ca.ok_or_else(|| {
                Failure::Unusable(
                    "`--collector-ca` must say who vouches for the collector".to_owned(),
                )
            })?;
            let connecting = TlsConnector::from(tls(ca)?).connect(name, stream);
            let connected = tokio::time::timeout(PATIENCE, connecting).await;
            let connected = connected.map_err(|late| unreachable(&address, &late))?;
            Box::new(connected.map_err(|error| unreachable(&address, &error))?)
        } else {
            Box::new(stream)
        };
        Ok(Syslog::Stream(stream, address.to_owned()))
    }

    pub(super) async fn send(&mut self, items: &[Item]) -> Result<(), Failure> {
        match tokio::time::timeout(PATIENCE, self.send_all(items)).await {
            Ok(sent) => sent,
            Err(late) => Err(unreachable(&"the collector", &late)),
        }
    }

    /// Says that this was all.
    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        let Syslog::Stream(stream, address) = self else {
            return Ok(());
        };
        let closed = tokio::time::timeout(PATIENCE, stream.shutdown()).await;
        let closed = closed.map_err(|late| unreachable(address, &late))?;
        closed.map_err(|error| unreachable(address, &error))
    }

    async fn send_all(&mut self, items: &[Item]) -> Result<(), Failure> {
        match self {
            Syslog::Datagrams(socket, path) => {
                for item in items {
                    let sent = socket.send(message(item).as_bytes()).await;
                    sent.map_err(|error| unreachable(&path.display(), &error))?;
                }
            }
            Syslog::Stream(stream, address) => {
                for item in items {
                    let message = message(item);
                    let framed = format!("{} {message}", message.len());
                    let sent = stream.write_all(framed.as_bytes()).await;
                    sent.map_err(|error| unreachable(address, &error))?;
                }
                let flushed = stream.flush().await;
                flushed.map_err(|error| unreachable(address, &error))?;
            }
        }
        Ok(())
    }
}

/// One message: header, structured data, and the line for people.
fn message(item: &Item) -> String {
    let severity = match item.severity {
        Severity::Error => 3,
        Severity::Warning => 4,
        Severity::Info => 6,
    };
    let priority = FACILITY * 8 + severity;
    let mut message = format!("<{priority}>1 {} - lingqu - {} ", item.time, item.kind);
    if item.fields.is_empty() {
        message.push('-');
    } else {
        let _ = write!(message, "[{DATA_ID}");
        for (name, value) in &item.fields {
            let _ = write!(message, " {name}=\"");
            for letter in value.chars() {
                // RFC 5424, section 6.3.3.
                if matches!(letter, '"' | '\\' | ']') {
                    message.push('\\');
                }
                message.push(letter);
            }
            message.push('"');
        }
        message.push(']');
    }
    // The mark says that the text is UTF-8.
    let _ = write!(
        message,
        " \u{feff}{}",
        crate::failure::printable(&item.line).replace('\n', " ")
    );
    message
}

/// Trust in whoever the file names, and in nobody else.
fn tls(ca: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(ca).map_err(|error| Failure::unreadable(ca, error))?;
    for certificate in read {
        let certificate = certificate.map_err(|error| Failure::file(ca, error))?;
        roots
            .add(certificate)
            .map_err(|error| Failure::file(ca, error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::file(ca, error))?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn unreachable(what: &dyn std::fmt::Display, why: &dyn std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("`{what}`: {why}"))
}

#[cfg(test)]
mod tests {
    use lingqu_core::Timestamp;

    use super::*;

    fn item(value: &str) -> Item {
        Item {
            time: "2026-11-22T08:30:00Z".parse().unwrap(),
            severity: Severity::Warning,
            kind: "DENIALS".to_owned(),
            fields: vec![("purpose".to_owned(), value.to_owned())],
            line: "one\nline".to_owned(),
        }
    }

    #[test]
    fn a_message_is_as_the_standard_says() {
        assert_eq!(
            message(&item("KYC")),
            "<108>1 2026-11-22T08:30:00.000000Z - lingqu - DENIALS [lingqu@32473 purpose=\"KYC\"] \u{feff}one line"
        );
        let bare = Item {
            fields: Vec::new(),
            severity: Severity::Info,
            time: Timestamp(0),
            ..item("")
        };
        assert!(
            message(&bare)
                .starts_with("<110>1 1970-01-01T00:00:00.000000Z - lingqu - DENIALS - \u{feff}")
        );
    }

    /// Whoever writes a record chooses its texts: none of them can end the structured data and begin something else.
    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let said = message(&item("a\"] [evil x=\"y\\"));
        assert!(
            said.contains(r#"purpose="a\"\] [evil x=\"y\\"] "#),
            "{said}"
        );
    }
}
