//! Verified records on their way to log collectors: real receivers on loopback that take nothing but what the standards
//! say. Syslog by a strict parser of RFC 5424 over TCP, TLS and a Unix socket, OTLP by the receiver of others.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use lingqu_demo::cast::{self, Party};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::binary::{Ran, run_in};
use crate::network::{GRANT, World, call, patiently};
use crate::observed::Receiver;

/// A message, as RFC 5424 section 6 has it.
#[derive(Debug)]
struct Message {
    priority: u8,
    time: String,
    kind: String,
    data: BTreeMap<String, String>,
    text: String,
}

/// Reads one message, or says where it is none. Everything optional that is not used here must be absent ("-").
fn parse(bytes: &[u8]) -> Result<Message, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let rest = text.strip_prefix('<').ok_or("no priority")?;
    let (priority, rest) = rest.split_once('>').ok_or("no priority")?;
    let value: u8 = priority.parse().map_err(|_| "priority")?;
    if value > 191 || value.to_string() != priority {
        return Err("priority".to_owned());
    }
    let rest = rest.strip_prefix("1 ").ok_or("version")?;
    let mut words = rest.splitn(6, ' ');
    let mut word = |name: &str| {
        words
            .next()
            .filter(|word| !word.is_empty())
            .ok_or(name.to_owned())
    };
    let (time, host, app) = (word("time")?, word("host")?, word("app")?);
    let (process, kind, rest) = (word("process")?, word("kind")?, word("data")?);
    let plain = |word: &str, most: usize| {
        word.len() <= most && word.bytes().all(|b| (33..=126).contains(&b))
    };
    if (host, app, process) != ("-", "lingqu", "-") || !plain(kind, 32) {
        return Err("header".to_owned());
    }
    // `2026-11-22T08:30:00.000000Z`: at most six digits of a second.
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape != "0000-00-00T00:00:00.000000Z" {
        return Err("time".to_owned());
    }
    let (data, rest) = data(rest)?;
    let text = rest.strip_prefix(" \u{feff}").ok_or("the text's mark")?;
    if text.contains('\u{feff}') || text.chars().any(char::is_control) {
        return Err("text".to_owned());
    }
    Ok(Message {
        priority: value,
        time: time.to_owned(),
        kind: kind.to_owned(),
        data,
        text: text.to_owned(),
    })
}

/// One element of structured data, or none, and what follows.
fn data(text: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut found = BTreeMap::new();
    if let Some(rest) = text.strip_prefix('-') {
        return Ok((found, rest));
    }
    let mut rest = text.strip_prefix("[lingqu@32473").ok_or("data id")?;
    while let Some(after) = rest.strip_prefix(' ') {
        let (name, after) = after.split_once("=\"").ok_or("parameter")?;
        let is_name = |b: u8| (33..=126).contains(&b) && !matches!(b, b'=' | b']' | b'"');
        if name.is_empty() || name.len() > 32 || !name.bytes().all(is_name) {
            return Err(format!("parameter `{name}`"));
        }
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().ok_or("value")? {
                (at, '"') => break at + 1,
                (_, ']') => return Err("a bare `]`".to_owned()),
                (_, '\\') => match letters.next().ok_or("value")?.1 {
                    escaped @ ('"' | '\\' | ']') => value.push(escaped),
                    other => value.extend(['\\', other]),
                },
                (_, other) => value.push(other),
            }
        };
        if found.insert(name.to_owned(), value).is_some() {
            return Err(format!("`{name}` twice"));
        }
        rest = &after[end..];
    }
    let rest = rest.strip_prefix(']').ok_or("the data's end")?;
    Ok((found, rest))
}

/// Octet counting (RFC 6587, section 3.4.1), until the other side closes.
async fn frames(mut stream: impl AsyncRead + Unpin) -> Vec<Message> {
    let mut bytes = Vec::new();
    // A peer that ends TLS without saying so has still sent what it sent.
    let _ = stream.read_to_end(&mut bytes).await;
    let mut rest = bytes.as_slice();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let space = rest
            .iter()
            .position(|byte| *byte == b' ')
            .expect("a length");
        let length = std::str::from_utf8(&rest[..space]).unwrap();
        assert!(
            length.parse::<usize>().unwrap() > 0 && !length.starts_with('0'),
            "{length}"
        );
        let end = space + 1 + length.parse::<usize>().unwrap();
        messages.push(parse(&rest[space + 1..end]).unwrap());
        rest = &rest[end..];
    }
    messages
}

/// A receiver of one connection, over TLS if it has a certificate; its port.
async fn receiver(tls: Option<TlsAcceptor>) -> (u16, JoinHandle<Vec<Message>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let receiving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        match tls {
            None => frames(stream).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => frames(stream).await,
                Err(_) => Vec::new(),
            },
        }
    });
    (port, receiving)
}

/// A regulator's directory, and the words that every command of it needs.
struct Desk {
    dir: tempfile::TempDir,
    dial: Vec<String>,
}

impl Desk {
    fn of(world: &World) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let coordinator = world.network.coordinator().unwrap();
        let files = world.network.files();
        let (cert, key) = files.party_tls(Party::Bureau);
        std::fs::write(at("trust"), world.network.trust_text().unwrap()).unwrap();
        std::fs::write(at("heads"), coordinator.head_trust()).unwrap();
        let text = |path: &Path| path.display().to_string();
        let words = [
            ("--coordinator", world.network.coordinator_url()),
            ("--id", coordinator.id().to_string()),
            ("--cert", text(&cert)),
            ("--key", text(&key)),
            ("--ca", text(&files.ca())),
            ("--trust", "trust".to_owned()),
            ("--head-trust", "heads".to_owned()),
            ("--region", cast::REGION.to_owned()),
        ];
        let dial = words
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        Desk {
            dial: dial.collect(),
            dir,
        }
    }

    async fn forward(&self, state: &str, to: &str, more: &[&str]) -> Ran {
        let mut words = vec!["audit".to_owned(), "forward".to_owned()];
        words.extend(self.dial.iter().cloned());
        words.extend(["--until-current", "--state", state, "--to", to].map(str::to_owned));
        words.extend(more.iter().map(|word| (*word).to_owned()));
        let dir = self.dir.path().to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run_in(&dir, &words)
        });
        ran.await.unwrap()
    }
}

/// What is told of records, by stream and index.
fn records(messages: &[Message]) -> BTreeMap<(String, u64), &Message> {
    let mut found = BTreeMap::new();
    for message in messages.iter().filter(|message| message.kind != "FEED") {
        let index = message.data["index"].parse().unwrap();
        let key = (message.data["stream"].clone(), index);
        assert!(
            found.insert(key, message).is_none(),
            "sent twice: {message:?}"
        );
    }
    found
}

async fn world() -> World {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    for _ in 0..3 {
        bank.verify(&call(GRANT)).await.unwrap();
    }
    assert_eq!(bank.told(&call("grant_unknown")).await, "GRANT_UNKNOWN");
    world.mirrored().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn syslog_takes_every_record_once_and_goes_on_where_it_ended() {
    let world = world().await;
    let desk = Desk::of(&world);
    let (port, receiving) = receiver(None).await;
    let ran = desk
        .forward("tcp", &format!("tcp://127.0.0.1:{port}"), &[])
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let messages = patiently("messages", receiving).await.unwrap();
    let found = records(&messages);
    let calls: Vec<&&Message> = found.values().filter(|one| one.kind == "CALL").collect();
    assert_eq!(calls.len(), 3);
    for one in &calls {
        assert_eq!(
            (one.priority, one.data["outcome"].as_str()),
            (13 * 8 + 6, "ANSWERED")
        );
        assert_eq!(one.data["purpose"], cast::PURPOSE);
        assert!(one.text.contains("CALL") && one.time.ends_with('Z'));
    }
    let refused: Vec<&&Message> = found.values().filter(|one| one.kind == "DENIALS").collect();
    assert_eq!((refused.len(), refused[0].priority), (1, 13 * 8 + 4));
    // Every index of every stream came, and the last word is how many that were.
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for (stream, index) in found.keys() {
        let next = next.entry(stream).or_default();
        assert_eq!(index, next, "{stream}");
        *next += 1;
    }
    let (first, last) = (&messages[0], messages.last().unwrap());
    assert!(
        first.text.contains("begins with the first record"),
        "{first:?}"
    );
    assert_eq!(last.data["records_sent"], found.len().to_string());
    assert_eq!(last.data["records_verified"], found.len().to_string());

    // The next run says that it goes on, and sends what is new; nothing in between is left out.
    let bank = world.caller(Party::Bank).await;
    bank.verify(&call(GRANT)).await.unwrap();
    world.mirrored().await;
    let (port, receiving) = receiver(None).await;
    let ran = desk
        .forward("tcp", &format!("tcp://127.0.0.1:{port}"), &[])
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let again = patiently("messages", receiving).await.unwrap();
    assert!(
        again[0].text.contains("may have been sent before"),
        "{:?}",
        again[0]
    );
    let again = records(&again);
    let calls = again.values().filter(|one| one.kind == "CALL").count();
    assert_eq!(calls, 1);
    for (stream, next) in next {
        let new = again
            .keys()
            .filter(|(of, _)| of == stream)
            .map(|(_, index)| *index);
        for (index, expected) in new.zip(next..) {
            assert_eq!(index, expected, "{stream}");
        }
    }
    // A choice is made behind the verification.
    let socket = desk.dir.path().join("log");
    let receiving = UnixDatagram::bind(&socket).unwrap();
    let to = format!("unix:{}", socket.display());
    let ran = desk.forward("unix", &to, &["--outcome", "refused"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    receiving.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut messages = Vec::new();
    while let Ok(length) = receiving.recv(&mut buffer) {
        messages.push(parse(&buffer[..length]).unwrap());
    }
    let found = records(&messages);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found.values().next().unwrap().data["outcome"],
        "GRANT_UNKNOWN"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn syslog_over_tls_goes_only_to_whom_the_file_names() {
    let world = world().await;
    let desk = Desk::of(&world);
    let authority = world.authority();
    let id = "party_siem".parse().unwrap();
    let issued = authority
        .issue(&id, &["localhost"], 1, world.clock.as_ref())
        .unwrap();
    let files = issued.write(desk.dir.path()).unwrap();
    let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let ca = world.network.files().ca();
    let ca = ca.display().to_string();

    let (port, receiving) = receiver(Some(acceptor.clone())).await;
    let to = format!("tls://localhost:{port}");
    let ran = desk.forward("tls", &to, &["--collector-ca", &ca]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let messages = patiently("messages", receiving).await.unwrap();
    assert_eq!(
        records(&messages)
            .values()
            .filter(|one| one.kind == "CALL")
            .count(),
        3
    );

    // Another name, another authority, none at all: nothing is sent, and nothing counts as sent.
    let other = tempfile::tempdir().unwrap();
    let foreign = world.network.foreign_authority().unwrap();
    let foreign = foreign.issue(
        &"party_other".parse().unwrap(),
        &["localhost"],
        1,
        world.clock.as_ref(),
    );
    let foreign = foreign
        .unwrap()
        .write(other.path())
        .unwrap()
        .certificate
        .display()
        .to_string();
    for (host, more, code) in [
        ("127.0.0.1", vec!["--collector-ca", ca.as_str()], 4),
        ("localhost", vec!["--collector-ca", foreign.as_str()], 4),
        ("localhost", vec![], 2),
    ] {
        let (port, receiving) = receiver(Some(acceptor.clone())).await;
        let ran = desk
            .forward("never", &format!("tls://{host}:{port}"), &more)
            .await;
        assert_eq!(ran.code, Some(code), "{host} {more:?}: {ran:?}");
        receiving.abort();
        assert!(!desk.dir.path().join("never").exists());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn otlp_logs_arrive_at_the_receiver_of_others() {
    let world = world().await;
    let desk = Desk::of(&world);
    let receiver = Receiver::start().await;
    let ran = desk
        .forward("otlp", &format!("otlp+{}", receiver.endpoint), &[])
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let logs = receiver.spans().await;
    let of = |event: &str| -> Vec<_> { logs.iter().filter(|log| log["event"] == event).collect() };
    let calls = of("lingqu.call");
    assert_eq!(calls.len(), 3);
    for one in &calls {
        assert_eq!(one["severity"], "SEVERITY_NUMBER_INFO");
        assert_eq!(one["attributes"]["lingqu.outcome"], "ANSWERED");
        assert_eq!(one["emitter"]["service.name"], "lingqu-audit");
        assert!(one["time"].as_u64().unwrap() > 1_700_000_000_000_000_000);
        assert!(one["body"].as_str().unwrap().contains("CALL"));
    }
    assert_eq!(of("lingqu.denials")[0]["severity"], "SEVERITY_NUMBER_WARN");
    assert_eq!(
        of("lingqu.node_start")[0]["attributes"]["lingqu.actor"],
        Party::Unit.id().as_str()
    );
    // Beyond this machine, or with nobody there.
    for (to, code) in [
        ("otlp+http://192.0.2.1:4317", 2),
        ("otlp+https://127.0.0.1:4317", 2),
        ("otlp+http://127.0.0.1:1", 4),
        ("tcp://127.0.0.1:1", 4),
        ("udp://127.0.0.1:514", 2),
    ] {
        let ran = desk.forward("never", to, &[]).await;
        assert_eq!(ran.code, Some(code), "{to}: {ran:?}");
        assert!(!desk.dir.path().join("never").exists());
    }
    world.end().await;
}

#[test]
fn the_parser_is_strict() {
    let good = "<110>1 2026-11-22T08:30:00.000000Z - lingqu - CALL [lingqu@32473 a=\"x\\\"\\]\"] \u{feff}text";
    let message = parse(good.as_bytes()).unwrap();
    assert_eq!(message.data["a"], "x\"]");
    for (from, to) in [
        ("<110>", "<192>"),
        ("<110>", "<0110>"),
        (">1 ", ">2 "),
        ("08:30:00.000000Z", "08:30:00"),
        ("\\]", "]"),
        ("\"] ", "\" "),
        (" \u{feff}", " "),
        ("a=", "=="),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
