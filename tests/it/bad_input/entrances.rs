//! Malformed and oversized messages at every entrance: before TLS, over HTTP/1.1, over HTTP/2, as gRPC, and at the local
//! control. Each ends with a refusal or the connection; the node goes on, holds no more memory for it, and loses nothing.

use lingqu_demo::cast::Party;
use tokio::net::{TcpStream, UnixStream};

use super::child::{ChildNode, answers, caller, on_record, status};
use super::raw::{self, frame, grpc_headers, preface};
use crate::network::{World, patiently};

const VERIFY: &str = "/lingqu.v1.Calls/Verify";
const WATCH: &str = "/lingqu.v1.Sync/Watch";
/// Most memory that all of it together may leave behind, in KiB.
const MEMORY_KIB_MAX: u64 = 96 << 10;

/// What is sent where TLS should begin.
fn before_tls() -> Vec<(&'static str, Vec<u8>)> {
    let mut long_record = vec![0x16, 3, 1, 0xff, 0xff];
    long_record.extend(vec![1; 70_000]);
    vec![
        ("nothing", Vec::new()),
        (
            "HTTP without TLS",
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        ),
        ("HTTP/2 without TLS", preface()),
        (
            "noise",
            (0..65_536_u32)
                .map(|n| u8::try_from(n * 7 % 251).unwrap())
                .collect(),
        ),
        ("a record that is too long", long_record),
        ("half a hello", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
    ]
}

/// What is sent as HTTP/1.1.
fn http_1() -> Vec<(&'static str, Vec<u8>)> {
    let post =
        |more: &str| format!("POST {VERIFY} HTTP/1.1\r\nhost: localhost\r\n{more}").into_bytes();
    let long = "a".repeat(1 << 20);
    vec![
        (
            "a request line with a zero",
            b"GET /\0 HTTP/1.1\r\n\r\n".to_vec(),
        ),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec()),
        (
            "two lengths",
            post("content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ),
        (
            "length and chunks",
            post("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a length beyond all bounds",
            post("content-length: 99999999999999999999\r\n\r\n"),
        ),
        (
            "a length that never comes",
            post("content-length: 1000000000\r\n\r\nab"),
        ),
        (
            "a chunk beyond all bounds",
            post("transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
        ),
        (
            "a header of a mebibyte",
            post(&format!("x: {long}\r\n\r\n")),
        ),
        (
            "ten thousand headers",
            post(&("x: y\r\n".repeat(10_000) + "\r\n")),
        ),
        (
            "no path that there is",
            b"GET /../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        ),
        (
            "a body that is no JSON",
            post("content-type: application/json\r\ncontent-length: 3\r\n\r\n{{{"),
        ),
        (
            "an upgrade",
            post(
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n\r\n",
            ),
        ),
    ]
}

/// What is sent as HTTP/2, after its preface.
fn http_2(path: &str) -> Vec<(&'static str, Vec<u8>)> {
    let headers = grpc_headers(path);
    let mut continued = frame(1, 0, 1, &headers);
    let mut resets = Vec::new();
    let (mut settings, mut pings) = (Vec::new(), Vec::new());
    for n in 0..10_000_u32 {
        continued.extend(frame(9, 0, 1, &[b'x'; 64]));
        settings.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 1]));
        pings.extend(frame(6, 0, 0, &[0; 8]));
        let stream = n * 2 + 1;
        resets.extend(frame(1, 4, stream, &headers));
        resets.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut huge = vec![0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1];
    huge.extend(vec![0; 100_000]);
    vec![
        ("a frame that is too long", huge),
        ("headers that are no headers", frame(1, 5, 1, &[0xff; 512])),
        ("headers that never end", continued),
        ("settings without end", settings),
        ("pings without end", pings),
        ("calls taken back without end", resets),
        ("data for no stream", frame(0, 1, 7, b"data")),
        ("a window of nothing", frame(8, 0, 0, &[0; 4])),
        (
            "a window beyond all bounds",
            frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
        ),
        (
            "a stream that waits for itself",
            frame(2, 0, 1, &[0, 0, 0, 1, 0]),
        ),
        ("a push to the server", frame(5, 4, 1, &[0, 0, 0, 2])),
        ("a frame of no kind", frame(0xee, 0xff, 1, &[0xee; 1_000])),
    ]
}

/// What is sent as the message of a gRPC call: the length is said before it.
fn grpc(path: &str) -> Vec<(&'static str, Vec<u8>)> {
    let call = |data: &[u8]| {
        let mut bytes = frame(1, 4, 1, &grpc_headers(path));
        bytes.extend(frame(0, 1, 1, data));
        bytes
    };
    let mut long = vec![0, 0, 0, 0x3f, 0];
    long.extend(vec![0x0a; 16_000]);
    vec![
        (
            "a length beyond all bounds",
            call(&[0, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("a length that never comes", call(&[0, 0, 0, 1, 0, 1, 2, 3])),
        ("a compressed message", call(&[1, 0, 0, 0, 2, 0x1f, 0x8b])),
        ("a flag of no meaning", call(&[0x7f, 0, 0, 0, 0])),
        ("no message", call(&[])),
        ("a message that is none", call(&long)),
        (
            "a message of wrong types",
            call(&[0, 0, 0, 0, 4, 0x0d, 1, 2, 3]),
        ),
    ]
}

async fn throw_everything(world: &World, address: &str, party: Party, path: &str) {
    for (what, bytes) in before_tls() {
        let stream = TcpStream::connect(address).await.unwrap();
        patiently(what, raw::exchange(stream, &bytes)).await;
    }
    for (what, bytes) in http_1() {
        let stream = raw::connect(world, address, party, b"http/1.1")
            .await
            .unwrap();
        let got = patiently(what, raw::exchange(stream, &bytes)).await;
        let answer = String::from_utf8_lossy(&got);
        // gRPC says what it refuses beside a status that says nothing.
        let refused = answer.contains("grpc-status: ") && !answer.contains("grpc-status: 0");
        assert!(
            refused || !answer.starts_with("HTTP/1.1 2"),
            "{what}: {answer}"
        );
    }
    for (what, bytes) in http_2(path).into_iter().chain(grpc(path)) {
        let stream = raw::connect(world, address, party, b"h2").await.unwrap();
        let sent = [preface(), bytes].concat();
        patiently(what, raw::exchange(stream, &sent)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_thrown_at_a_node_leaves_it_as_it_was() {
    let mut world = World::ready().await;
    let mut node = ChildNode::instead(&mut world, None).await;
    let bank = caller(&world, Party::Bank).await;
    let mut answered = vec![answers(&bank).await];
    let address = world.network.node_url().replace("https://", "");
    // What it allocates once it keeps: the second time must cost nothing more.
    throw_everything(&world, &address, Party::Broker, VERIFY).await;
    let before = node.memory_kib();
    throw_everything(&world, &address, Party::Broker, VERIFY).await;
    answered.push(answers(&bank).await);
    let cost = node.memory_kib().saturating_sub(before);
    assert!(cost < MEMORY_KIB_MAX, "{cost} KiB stay behind");
    assert!(node.runs());
    drop(node);
    world.start_node().await;
    on_record(&world.records().await, &answered);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_thrown_at_a_coordinator_leaves_it_as_it_was() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    answers(&bank).await;
    let address = world.network.coordinator_url().replace("https://", "");
    throw_everything(&world, &address, Party::Broker, WATCH).await;
    // The answer needs its cosignature.
    answers(&bank).await;
    world.mirrored().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_to_the_local_control_gets_a_code() {
    let world = World::ready().await;
    let before = status(&world).await.unwrap();
    let socket = world.state().join("admin.sock");
    let mut endless = vec![b'{'; 2 << 20];
    endless.push(b'\n');
    for (what, bytes) in [
        ("nothing", b"\n".to_vec()),
        ("no JSON", b"status\n".to_vec()),
        ("no order that there is", b"{\"do\":\"fly\"}\n".to_vec()),
        (
            "an order with more",
            b"{\"do\":\"stop\",\"order\":\"00\",\"force\":true}\n".to_vec(),
        ),
        (
            "an order that is none",
            b"{\"do\":\"stop\",\"order\":\"zz\"}\n".to_vec(),
        ),
        (
            "an object that is none",
            b"{\"do\":\"adopt\",\"object\":\"00ff\"}\n".to_vec(),
        ),
        (
            "a depth without end",
            [vec![b'['; 100_000], b"\n".to_vec()].concat(),
        ),
        ("a line without end", endless),
        ("no text", b"\xff\xfe\xfd\n".to_vec()),
    ] {
        let stream = UnixStream::connect(&socket).await.unwrap();
        let got = patiently(what, raw::exchange(stream, &bytes)).await;
        let answer = String::from_utf8_lossy(&got);
        // What is no text at all is hung up on; everything else is told a code.
        let coded = answer.contains("\"ok\":false") && answer.contains("_INVALID");
        assert!(coded || answer.is_empty(), "{what}: {answer}");
        assert!(
            coded || ["no text", "a line without end"].contains(&what),
            "{what}"
        );
    }
    let after = status(&world).await.unwrap();
    assert_eq!(
        (before.stop_number, before.objects, before.stopped),
        (after.stop_number, after.objects, after.stopped),
        "nothing was done"
    );
    world.end().await;
}
