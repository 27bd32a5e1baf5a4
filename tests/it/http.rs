//! JSON over HTTPS at the wire: calls and their receipts, refusals as problems, and what somebody with a certificate may
//! try with HTTP itself. `curl` runs the manual's examples in `clients.rs`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lingqu_core::ErrorCode;
use lingqu_core::receipt::Level;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_proto::{pb, receipt_from_pb};
use prost::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::network::{GRANT, Setup, World, call, calls, denied, patiently, records, wire};

/// One answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code, which the problem's type is.
    fn code(&self) -> ErrorCode {
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], json!(self.status), "{self:?}");
        assert!(problem["title_zh"].is_string());
        problem["type"].as_str().unwrap().parse().unwrap()
    }
}

/// A connection that speaks HTTP/1.1, with whatever bytes a test likes.
struct Http(TlsStream<TcpStream>);

impl World {
    async fn http(&self, party: Party) -> Http {
        let (cert, key) = self.network.files().party_tls(party);
        let mut roots = RootCertStore::empty();
        let ca = std::fs::read(self.network.files().ca()).unwrap();
        roots
            .add(CertificateDer::from_pem_slice(&ca).unwrap())
            .unwrap();
        let chain = CertificateDer::pem_file_iter(cert).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let mut config = ClientConfig::builder_with_provider(lingqu_transport::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let url = self.network.node_url();
        let tcp = TcpStream::connect(url.strip_prefix("https://").unwrap())
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await;
        Http(tls.unwrap())
    }
}

impl Http {
    async fn write(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The next answer; none if the node ended the connection.
    async fn read(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match patiently("an answer", self.0.read_u8()).await {
                Ok(byte) => head.push(byte),
                Err(_) => return None,
            }
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        let mut body = vec![0; length];
        patiently("a body", self.0.read_exact(&mut body))
            .await
            .ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(Answer { status, head, body })
    }

    async fn post(&mut self, path: &str, body: &str) -> Answer {
        self.write(&posted(path, "", body)).await;
        self.read().await.expect("the node answers")
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: node\r\n\r\n"))
            .await;
        self.read().await.expect("the node answers")
    }
}

fn posted(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A call that matches, with changes.
fn body(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({
        "grant": GRANT, "purpose": cast::PURPOSE, "scenario": cast::SCENARIO, "end_user": cast::END_USER,
        "environment": "PROD", "product": "tb.plane_registered",
        "claims": {"tail_number": "N10156", "manufacturer": "EMBRAER", "model": "EMB-145XR", "year": 2004},
    });
    change(&mut body);
    body.to_string()
}

/// The loads are named and dated. Their exact number of rows, or a digest, would tell from load to load who came in or
/// went out, whatever the answers themselves keep back.
fn assert_named(answer: &Value) {
    for load in answer["loads"].as_array().unwrap() {
        let keys: Vec<&String> = load.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["as_of", "id", "resource"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_answers_with_its_receipt() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    let answer = bank.post("/v1/verify", &body(|_| ())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("cache-control: no-store"));
    let answer = answer.json();
    assert_eq!(
        (&answer["verdict"], &answer["verdict_zh"]),
        (&json!("MATCH"), &json!("一致"))
    );
    assert_eq!(answer["loads"][0]["resource"], "planes");
    assert_named(&answer);
    let receipt = STANDARD
        .decode(answer["receipt"]["receipt"].as_str().unwrap())
        .unwrap();
    let receipt = pb::Receipt::decode(receipt.as_slice()).unwrap();
    let (receipt, level) = receipt_from_pb(&receipt).unwrap();
    assert_eq!(
        (level, &answer["receipt"]["audit_level"]),
        (Level::Mirrored, &json!("MIRRORED"))
    );
    let proven = receipt.verify(&world.trust).unwrap();
    assert_eq!(
        proven.record.draft.call.to_string(),
        answer["call_id"].as_str().unwrap()
    );
    let text = answer["receipt"]["tlog_proof"].as_str().unwrap();
    let published = lingqu_core::receipt::Receipt::from_tlog_proof(text).unwrap();
    assert_eq!(
        published.verify(&world.trust).unwrap().record,
        proven.record
    );

    let other = bank
        .post("/v1/verify", &body(|b| b["claims"]["year"] = json!(1999)))
        .await;
    assert_eq!(other.json()["verdict"], "NO_MATCH");
    assert_eq!(world.charged(), 2);
    world.end().await;
}

/// An explanation is a table like any other, and no call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_explained_without_being_made() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    let explained = body(|b| b["arguments"] = b.as_object_mut().unwrap().remove("claims").unwrap());
    let answer = bank.post("/v1/explain", &explained).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let names: Vec<&Value> = { answer["columns"].as_array().unwrap().iter() }
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["topic", "en", "zh"]);
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row[0] == "releases"), "{rows:?}");
    assert!(answer["receipt"]["tlog_proof"].is_string());
    assert_named(&answer);
    let odd = bank.post("/v1/explain", &body(|_| ())).await;
    assert_eq!(odd.code(), ErrorCode::RequestInvalid);
    assert_eq!(world.charged(), 0);
    world.end().await;
}

/// The same call id is the same call, whichever way it comes in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_of_a_grpc_call_may_come_as_json() {
    let world = World::ready().await;
    let by_grpc = world.caller(Party::Bank).await;
    let mut bank = world.http(Party::Bank).await;
    let call = call(GRANT);
    let first = by_grpc.raw(wire(&call)).await.unwrap();
    let id = call.id.to_string();
    let again = bank
        .post("/v1/verify", &body(|b| b["call_id"] = json!(id)))
        .await
        .json();
    assert_eq!(again["opening_key"], json!(hex::encode(first.opening_key)));
    let other = body(|b| {
        b["call_id"] = json!(id);
        b["claims"]["year"] = json!(2005);
    });
    assert_eq!(
        bank.post("/v1/verify", &other).await.code(),
        ErrorCode::CallIdReused
    );
    assert_eq!(world.charged(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_problems_and_on_record() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    for (code, status, path, text) in [
        (
            ErrorCode::PurposeMismatch,
            403,
            "/v1/verify",
            body(|b| b["purpose"] = json!("MARKETING")),
        ),
        (
            ErrorCode::EndUserMissing,
            400,
            "/v1/verify",
            body(|b| b["end_user"] = json!("")),
        ),
        (
            ErrorCode::GrantUnknown,
            403,
            "/v1/verify",
            body(|b| b["grant"] = json!("grant_other")),
        ),
        (
            ErrorCode::EnvMismatch,
            403,
            "/v1/verify",
            body(|b| b["environment"] = json!("TEST")),
        ),
        (
            ErrorCode::ProductUnknown,
            404,
            "/v1/verify",
            body(|b| b["product"] = json!("tb.nothing")),
        ),
        (
            ErrorCode::CallIdInvalid,
            400,
            "/v1/verify",
            body(|b| b["call_id"] = json!("call_00")),
        ),
        (ErrorCode::RequestInvalid, 400, "/v1/verify", "{".to_owned()),
        (
            ErrorCode::RequestInvalid,
            400,
            "/v1/verify",
            body(|b| b["sudo"] = json!(true)),
        ),
        (
            ErrorCode::ClaimInvalid,
            400,
            "/v1/verify",
            body(|b| b["claims"] = json!({"year": 2004})),
        ),
        (
            ErrorCode::ProductKindMismatch,
            400,
            "/v1/score",
            body(|b| b["subject"] = b.as_object_mut().unwrap().remove("claims").unwrap()),
        ),
        (
            ErrorCode::ProductKindMismatch,
            400,
            "/v1/query",
            body(|b| b["parameters"] = b.as_object_mut().unwrap().remove("claims").unwrap()),
        ),
    ] {
        let answer = bank.post(path, &text).await;
        assert_eq!((answer.code(), answer.status), (code, status), "{text}");
    }
    assert_eq!(world.charged(), 0);
    let records = world.records().await;
    assert_eq!(denied(&records, Party::Bank, ErrorCode::PurposeMismatch), 1);
    let mut broker = world.http(Party::Broker).await;
    let answer = broker.post("/v1/verify", &body(|_| ())).await;
    assert_eq!(answer.code(), ErrorCode::GrantUnknown);
    world.end().await;
}

/// What in a request is to blame is named, whichever way it came in, and nothing of what was sent is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_field_and_never_the_value() {
    const PLANTED: &str = "459201198803140011";
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    let without = |field: &'static str| {
        body(|b| {
            b["claims"].as_object_mut().unwrap().remove(field);
        })
    };
    for (text, detail) in [
        (without("model"), "`model` is missing"),
        (
            body(|b| b["claims"]["year"] = json!(PLANTED.to_owned() + "x")),
            "`year` cannot be read as the number or date that it must be",
        ),
        (
            body(|b| b["claims"][PLANTED] = json!(1)),
            "`arguments` name a field that the product does not have",
        ),
        (
            body(|b| b["claims"]["secret_name"] = json!(PLANTED)),
            "`arguments` name a field that the product does not have",
        ),
    ] {
        let answer = bank.post("/v1/verify", &text).await;
        assert_eq!(answer.code(), ErrorCode::ClaimInvalid);
        let told = answer.json()["detail"].clone();
        assert_eq!(told, json!(detail), "{text}");
        for planted in [PLANTED, "secret_name"] {
            assert!(!answer.body.contains(planted), "{}", answer.body);
        }
    }
    let mut call = call(GRANT);
    call.arguments.retain(|(field, _)| field != "model");
    let caller = world.caller(Party::Bank).await;
    let status = caller.raw.clone().verify(wire(&call)).await.unwrap_err();
    assert!(
        status.message().ends_with("(`model` is missing)"),
        "{}",
        status.message()
    );
    assert_eq!(world.charged(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_shows_a_caller_its_own() {
    let world = World::ready().await;
    let listed = world
        .http(Party::Bank)
        .await
        .get("/v1/products")
        .await
        .json();
    assert_eq!(listed["products"].as_array().unwrap().len(), 1);
    let product = &listed["products"][0];
    assert_eq!(
        (&product["product"], &product["kind"], &product["grants"]),
        (
            &json!("tb.plane_registered"),
            &json!("verification"),
            &json!([GRANT])
        )
    );
    assert_eq!(
        product["parameters"][0],
        json!({"name": "tail_number", "type": "text", "comparator": "folded"})
    );
    assert_eq!(
        product["parameters"][3],
        json!({"name": "year", "type": "integer", "comparator": "integer"})
    );
    let others = world
        .http(Party::Broker)
        .await
        .get("/v1/products")
        .await
        .json();
    assert_eq!(others["products"], json!([]));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_and_methods_are_refused() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    for path in [
        "/",
        "/v1",
        "/v1/verify/",
        "/v1/../v1/verify",
        "/V1/verify",
        "/v2/verify",
        "//v1/verify",
    ] {
        let answer = bank.post(path, &body(|_| ())).await;
        assert_eq!(answer.code(), ErrorCode::RequestInvalid, "{path}");
    }
    assert_eq!(bank.get("/v1/verify").await.status, 405);
    assert_eq!(bank.post("/v1/products", "{}").await.status, 405);
    bank.write("DELETE /v1/products HTTP/1.1\r\nhost: node\r\n\r\n")
        .await;
    assert_eq!(bank.read().await.unwrap().status, 405);
    let answer = bank.post("/v1/verify?version=2", &body(|_| ())).await;
    assert_eq!(answer.code(), ErrorCode::RequestInvalid);
    assert_eq!(world.charged(), 0);
    world.end().await;
}

/// Requests that are written behind each other are read one after the other, each whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_calls_of_their_own() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    let requests: Vec<String> = [2004, 1999, 2004]
        .map(|year| {
            posted(
                "/v1/verify",
                "",
                &body(|b| b["claims"]["year"] = json!(year)),
            )
        })
        .to_vec();
    bank.write(&requests.concat()).await;
    for verdict in ["MATCH", "NO_MATCH", "MATCH"] {
        assert_eq!(bank.read().await.unwrap().json()["verdict"], verdict);
    }
    assert_eq!(world.charged(), 3);
    world.end().await;
}

/// A body whose end two readers could see in two places is not read at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_behind_a_request() {
    let world = World::ready().await;
    let hidden = posted("/v1/verify", "", &body(|_| ()));
    for (what, head) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 4\r\n"),
        ("a length with a sign", "content-length: +2\r\n"),
        ("a length in hexadecimal", "content-length: 0x2\r\n"),
        (
            "a length that overflows",
            "content-length: 18446744073709551618\r\n",
        ),
        ("an unknown coding", "transfer-encoding: xchunked\r\n"),
        (
            "chunked and something behind",
            "transfer-encoding: chunked, identity\r\n",
        ),
        ("a folded line", "x: y\r\n content-length: 2\r\n"),
        ("a blank before the colon", "content-length : 2\r\n"),
    ] {
        let mut bank = world.http(Party::Bank).await;
        bank.write(&format!("POST /v1/verify HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n{head}\r\n{{}}{hidden}"))
            .await;
        let first = bank.read().await;
        assert!(first.is_none_or(|answer| answer.status >= 400), "{what}");
        while let Some(answer) = bank.read().await {
            assert!(
                answer.status >= 400,
                "{what}: the hidden request is answered {answer:?}"
            );
        }
    }
    assert_eq!(world.charged(), 0);
    world.end().await;
}

/// Large, slow and broken bodies cost no call, and the next connection is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_in_size_and_time() {
    let config = |config: &mut lingqu_node::NodeConfig| config.limits.request_body_s = 1;
    let world = World::with(Setup {
        config,
        ..Setup::default()
    })
    .await;
    let mut large = world.http(Party::Bank).await;
    large
        .write("POST /v1/verify HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 10000000000\r\n\r\n{\"a\": \"")
        .await;
    let mut slow = world.http(Party::Bank).await;
    slow.write("POST /v1/verify HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .await;
    for connection in [&mut large, &mut slow] {
        let answer = connection.read().await.unwrap();
        assert_eq!(answer.code(), ErrorCode::RequestInvalid);
    }
    let mut broken = world.http(Party::Bank).await;
    let whole = posted("/v1/verify", "", &body(|_| ()));
    broken.write(&whole[..whole.len() - 1]).await;
    drop(broken);
    let mut bank = world.http(Party::Bank).await;
    let padded = body(|b| b["claims"]["model"] = json!("x".repeat(70_000)));
    assert_eq!(
        bank.post("/v1/verify", &padded).await.code(),
        ErrorCode::RequestInvalid
    );
    let mut bank = world.http(Party::Bank).await;
    assert_eq!(bank.post("/v1/verify", &body(|_| ())).await.status, 200);
    assert_eq!(world.charged(), 1);
    world.end().await;
}

/// A client that goes away once its request is sent loses the answer; its call is on record and charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_loses_no_record() {
    let world = World::ready().await;
    for number in 1..=10 {
        let mut bank = world.http(Party::Bank).await;
        bank.write(&posted("/v1/verify", "", &body(|_| ()))).await;
        wait_until(&world.network, "the call is charged", |_| {
            world.charged() == number
        })
        .await
        .unwrap();
        drop(bank);
    }
    // A node that ends in order waits for the calls under way.
    let journal = world.journal().clone();
    world.end().await;
    assert_eq!(calls(&records(&journal).await).len(), 10);
}

/// Neither the body nor a header of a request comes back in a refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_repeats_nothing_of_the_request() {
    let world = World::ready().await;
    let mut bank = world.http(Party::Bank).await;
    for text in [
        body(|b| b["secret-4711"] = json!(1)),
        body(|b| b["claims"]["secret-4711"] = json!(1)),
        body(|b| b["claims"]["model"] = json!({"secret-4711": 1})),
        body(|b| b["purpose"] = json!("secret-4711")),
        "secret-4711".to_owned(),
    ] {
        let answer = bank.post("/v1/verify", &text).await;
        assert!(
            answer.status >= 400 && !format!("{answer:?}").contains("4711"),
            "{answer:?}"
        );
    }
    world.end().await;
}
