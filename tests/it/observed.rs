//! Seen from outside: metrics by Prometheus' own checker, traces at receivers of others, health, and the console over
//! real sockets. What is told, to whom, and that telling it never holds a call up.
//!
//! `cargo xtask test` brings the checker and the independent receiver; without them these tests fail.

mod sink;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_node::NodeConfig;
use lingqu_policy::AuditTerms;
use lingqu_transport::ClientTls;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::network::{GRANT, Setup, World, call, patiently};

pub(crate) use sink::Sink;

/// A tool that `cargo xtask test` brings.
fn tool(variable: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(
        || panic!("{variable} is not set: run `cargo xtask test`, which brings what it names"),
        PathBuf::from,
    )
}

/// Turns metrics and health on, on a port of its own.
pub(crate) fn listening(config: &mut NodeConfig) {
    config.observe.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
}

/// Asks the listener of metrics and health; status and body.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

impl World {
    /// What the node's listener says.
    pub(crate) async fn node_says(&self, path: &str) -> (u16, String) {
        ask(self.node().observe_address().unwrap(), path).await
    }

    /// What the coordinator's listener says.
    pub(crate) async fn coordinator_says(&self, path: &str) -> (u16, String) {
        let coordinator = self.network.coordinator().unwrap();
        ask(coordinator.observe_address().unwrap(), path).await
    }

    /// Starts the coordinator again, with its listener on.
    pub(crate) async fn observe_coordinator(&mut self) {
        self.network.stop_coordinator().await.unwrap();
        let path = self.network.files().coordinator_toml();
        let config = std::fs::read_to_string(&path).unwrap();
        let section = "\n[observe]\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(&path, config + section).unwrap();
        self.network.start_coordinator().await.unwrap();
    }

    /// The console as `identity` gets it over mutual TLS; status and page.
    pub(crate) async fn console(&self, identity: &ClientTls, query: &str) -> (u16, String) {
        self.get(identity, &format!("/console{query}")).await
    }

    /// What the coordinator has at a path, for `identity`; status and text.
    pub(crate) async fn get(&self, identity: &ClientTls, path: &str) -> (u16, String) {
        let channel = self.network.dial_coordinator(identity).await.unwrap();
        let request = http::Request::get(format!("https://localhost{path}"));
        let request = request.body(tonic::body::Body::empty()).unwrap();
        let answered = tower::ServiceExt::oneshot(channel, request).await;
        let (parts, body) = answered.unwrap().into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap();
        let page = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        (parts.status.as_u16(), page)
    }
}

/// The samples of a scrape, by name and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series, value.parse().unwrap()))
        .collect()
}

#[track_caller]
pub(crate) fn sample(text: &str, series: &str) -> f64 {
    let samples = samples(text);
    let found = samples.get(series);
    *found.unwrap_or_else(|| panic!("no `{series}` in\n{text}"))
}

/// Runs Prometheus' own checker over what a listener said: it must have nothing to remark.
async fn check_metrics(text: &str) {
    let mut checking = Command::new(tool("LINGQU_PROMTOOL"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = checking.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).await.unwrap();
    drop(stdin);
    let output = patiently("promtool", checking.wait_with_output())
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// Every metric that came out is explained in both manuals, and every one that they explain came out.
fn check_manuals(prefix: &str, text: &str, only_with_traces: bool) {
    let told: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for manual in ["observability.md", "observability.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating");
        let manual = std::fs::read_to_string(path.join(manual)).unwrap();
        let explained: BTreeSet<&str> = manual
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
            .filter(|name| name.starts_with(prefix))
            // What there is only when something was refused, or is traced, is absent otherwise.
            .filter(|name| !name.ends_with("connections_refused_total"))
            .filter(|name| only_with_traces || !name.contains("_spans_"))
            // Nor are there budgets where no policy has one; `noisy.rs` reads them where one has.
            .filter(|name| told.contains(name) || !name.ends_with("_rho"))
            .collect();
        let told: BTreeSet<&str> = told
            .iter()
            .copied()
            .filter(|name| !name.ends_with("connections_refused_total"))
            .collect();
        assert_eq!(told, explained);
    }
}

fn with_purpose(purpose: &str) -> Question {
    let mut question = call(GRANT);
    question.asked.purpose = purpose.to_owned();
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_metrics_say_what_happened_and_pass_prometheus_own_check() {
    let world = World::with(Setup {
        config: listening,
        ..Setup::default()
    })
    .await;
    let (status, before) = world.node_says("/metrics").await;
    assert_eq!(status, 200);
    check_metrics(&before).await;
    let bank = world.caller(Party::Bank).await;
    let question = call(GRANT);
    assert_eq!(bank.told(&question).await, "MATCH");
    assert_eq!(bank.told(&question).await, "MATCH", "the retry");
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    assert_eq!(
        bank.told(&with_purpose("MARKETING")).await,
        "PURPOSE_MISMATCH"
    );
    world.mirrored().await;
    let (_, text) = world.node_says("/metrics").await;
    check_metrics(&text).await;
    check_manuals("lingqu_node_", &text, false);
    assert!(!text.contains("MARKETING"), "what a refused caller wrote");

    for (series, expected) in [
        (
            "lingqu_node_calls_total{kind=\"verification\",outcome=\"answered\"}",
            3.0,
        ),
        (
            "lingqu_node_calls_total{kind=\"verification\",outcome=\"denied\"}",
            1.0,
        ),
        ("lingqu_node_denials_total{code=\"PURPOSE_MISMATCH\"}", 1.0),
        ("lingqu_node_denials_total{code=\"GRANT_EXPIRED\"}", 0.0),
        (
            "lingqu_node_unrecorded_total{code=\"AUDIT_UNAVAILABLE\"}",
            0.0,
        ),
        (
            "lingqu_node_call_duration_seconds_count{kind=\"verification\"}",
            4.0,
        ),
        (
            "lingqu_node_call_phase_duration_seconds_count{kind=\"verification\",phase=\"evaluate\"}",
            2.0,
        ),
        (
            "lingqu_node_call_phase_duration_seconds_count{kind=\"verification\",phase=\"release\"}",
            3.0,
        ),
        ("lingqu_node_calls_in_flight", 0.0),
        ("lingqu_node_mirror_connected", 1.0),
        ("lingqu_node_mirror_lag_records", 0.0),
        ("lingqu_node_mirror_lag_seconds", 0.0),
        ("lingqu_node_products_open", 1.0),
        ("lingqu_node_retries_kept", 2.0),
        ("lingqu_node_ready", 1.0),
        ("lingqu_node_grants", 1.0),
        ("lingqu_node_stops", 0.0),
    ] {
        assert!(
            (sample(&text, series) - expected).abs() < f64::EPSILON,
            "{series}: {}",
            sample(&text, series)
        );
    }
    // The retry was answered again and charged once.
    let left = |window: &str| {
        let series = format!(
            "lingqu_node_grant_units_left{{environment=\"PROD\",grant=\"{GRANT}\",window=\"{window}\"}}"
        );
        sample(&text, &series)
    };
    let quota = &world.grant(GRANT).quotas[0];
    #[expect(clippy::cast_precision_loss, reason = "quotas of the story are small")]
    let (day, term) = (
        quota.calls_per_day as f64 - 2.0,
        quota.calls_total as f64 - 2.0,
    );
    assert!((left("day") - day).abs() < f64::EPSILON && (left("term") - term).abs() < f64::EPSILON);
    #[expect(clippy::cast_precision_loss, reason = "the journal is short")]
    let records = world.journal().size() as f64;
    assert!((sample(&text, "lingqu_node_journal_records") - records).abs() < f64::EPSILON);
    assert!(sample(&text, "lingqu_node_journal_disk_bytes") > 0.0);
    assert!(sample(&text, "lingqu_node_epoch_number") >= 1.0);
    assert!(sample(&text, "lingqu_node_connections") >= 1.0);
    let dates = samples(&text);
    let of_planes =
        "lingqu_node_resource_as_of_timestamp_seconds{environment=\"PROD\",resource=\"planes\"}";
    assert!(dates[of_planes] > 0.0);
    assert!(!text.contains("lingqu_node_spans"), "nothing is traced");
    world.end().await;
}

/// `AUDIT_UNAVAILABLE` stands in no record: this is where it is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_counted() {
    let mut world = World::with(Setup {
        config: listening,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    world.network.stop_coordinator().await.unwrap();
    world.mirror_is_away().await;
    for _ in 0..3 {
        assert_eq!(bank.told(&call(GRANT)).await, "AUDIT_UNAVAILABLE");
    }
    let (_, text) = world.node_says("/metrics").await;
    for (series, expected) in [
        (
            "lingqu_node_unrecorded_total{code=\"AUDIT_UNAVAILABLE\"}",
            3.0,
        ),
        (
            "lingqu_node_calls_total{kind=\"verification\",outcome=\"unrecorded\"}",
            3.0,
        ),
        ("lingqu_node_mirror_connected", 0.0),
    ] {
        assert!(
            (sample(&text, series) - expected).abs() < f64::EPSILON,
            "{series}"
        );
    }
    world.network.stop_node().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinators_metrics_say_who_takes_part_and_pass_the_check() {
    let mut world = World::ready().await;
    world.observe_coordinator().await;
    world.mirrored().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    world.mirrored().await;
    let (status, text) = world.coordinator_says("/metrics").await;
    assert_eq!(status, 200);
    check_metrics(&text).await;
    check_manuals("lingqu_coordinator_", &text, false);
    let node = cast::node();
    for (series, expected) in [
        ("lingqu_coordinator_ready".to_owned(), 1.0),
        ("lingqu_coordinator_nodes".to_owned(), 1.0),
        ("lingqu_coordinator_nodes_connected".to_owned(), 1.0),
        (
            "lingqu_coordinator_parties{role=\"regulator\"}".to_owned(),
            2.0,
        ),
        (
            "lingqu_coordinator_filings_total{type=\"Grant\"}".to_owned(),
            1.0,
        ),
        (
            "lingqu_coordinator_filings_total{type=\"Product\"}".to_owned(),
            1.0,
        ),
        ("lingqu_coordinator_revocations".to_owned(), 0.0),
        (
            "lingqu_coordinator_subscriptions{kind=\"replicate\"}".to_owned(),
            1.0,
        ),
        (
            "lingqu_coordinator_subscriptions{kind=\"watch\"}".to_owned(),
            1.0,
        ),
        (
            format!("lingqu_coordinator_stream_records{{node=\"{node}\"}}"),
            #[expect(clippy::cast_precision_loss, reason = "the journal is short")]
            {
                world.journal().size() as f64
            },
        ),
    ] {
        assert!(
            (sample(&text, &series) - expected).abs() < f64::EPSILON,
            "{series}: {text}"
        );
    }
    let contact =
        format!("lingqu_coordinator_node_last_contact_timestamp_seconds{{node=\"{node}\"}}");
    assert!(sample(&text, &contact) >= sample(&text, "lingqu_coordinator_start_time_seconds"));
    assert!(sample(&text, "lingqu_coordinator_epoch_number") >= 1.0);
    assert_eq!(world.coordinator_says("/health/live").await.0, 200);
    let (status, health) = world.coordinator_says("/health/ready").await;
    assert_eq!(
        (status, health.contains("\"mirror_open\":true")),
        (200, true),
        "{health}"
    );
    world.end().await;
}

async fn health(
    client: &mut HealthClient<tonic::transport::Channel>,
) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest {
        service: String::new(),
    };
    client
        .check(request)
        .await
        .map(|answer| HealthCheckResponse::status(answer.get_ref()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_ready_when_it_can_answer_and_says_what_is_missing() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    world.open_node(listening).await;
    let listens = patiently("the listener", async {
        while world.node().observe_address().is_none() {
            tokio::task::yield_now().await;
        }
    });
    listens.await;
    assert_eq!(
        world.node_says("/health/live").await,
        (200, "{\"live\":true}\n".to_owned())
    );
    let (status, why) = world.node_says("/health/ready").await;
    assert_eq!(status, 503);
    assert!(
        why.contains("\"reconciled\":false") && why.contains("\"journal_open\":true"),
        "{why}"
    );
    let identity = world.network.identity(Party::Bank).unwrap();
    let mut asked = HealthClient::new(world.network.dial_node(&identity).await.unwrap());
    assert_eq!(health(&mut asked).await.unwrap(), ServingStatus::NotServing);

    world.network.start_coordinator().await.unwrap();
    wait_until(&world.network, "the node is ready", |node| {
        node.ready() && node.epoch().is_some()
    })
    .await
    .unwrap();
    let (status, why) = world.node_says("/health/ready").await;
    assert_eq!(status, 200, "{why}");
    assert_eq!(health(&mut asked).await.unwrap(), ServingStatus::Serving);
    // `Watch` would keep a stream for each of those who ask; it stays shut.
    let watched = asked.watch(HealthCheckRequest::default()).await;
    assert_eq!(
        lingqu_transport::code_of(&watched.unwrap_err()),
        Some(ErrorCode::RequestInvalid)
    );
    let mut coordinator =
        HealthClient::new(world.network.dial_coordinator(&identity).await.unwrap());
    assert_eq!(
        health(&mut coordinator).await.unwrap(),
        ServingStatus::Serving
    );

    // A revocation list that is too old for the unit: nothing can be answered, and the node says so.
    world.network.stop_coordinator().await.unwrap();
    world.clock.move_by_s(3_601);
    let (status, why) = world.node_says("/health/ready").await;
    assert_eq!(status, 503);
    assert!(why.contains("\"epoch_fresh\":false"), "{why}");
    world.network.stop_node().await.unwrap();
}

/// An independent receiver in a process of its own.
pub(crate) struct Receiver {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) endpoint: String,
}

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/otlp_receiver.py");
        let mut child = Command::new(tool("LINGQU_PYTHON"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = patiently("the receiver", lines.next_line()).await.unwrap();
        let said: Value = serde_json::from_str(&first.expect("the receiver starts")).unwrap();
        Receiver {
            child,
            lines,
            endpoint: format!("http://127.0.0.1:{}", said["port"]),
        }
    }

    /// Everything that has arrived; ends it.
    pub(crate) async fn spans(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        let mut spans = Vec::new();
        while let Some(line) = patiently("spans", self.lines.next_line()).await.unwrap() {
            spans.push(serde_json::from_str(&line).unwrap());
        }
        assert!(
            patiently("its end", self.child.wait())
                .await
                .unwrap()
                .success()
        );
        spans
    }
}

/// Everything that may stand in a trace.
const ATTRIBUTES: [&str; 9] = [
    "lingqu.audit",
    "lingqu.environment",
    "lingqu.grant",
    "lingqu.level",
    "lingqu.outcome",
    "lingqu.product",
    "lingqu.product_version",
    "lingqu.purpose",
    "lingqu.units",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_trace_under_its_own_id_at_a_receiver_of_others() {
    let mut world = World::ready().await;
    let receiver = Receiver::start().await;
    world.network.stop_node().await.unwrap();
    let endpoint = receiver.endpoint.clone();
    world
        .start_node_with(move |config| config.observe.otlp = Some(endpoint))
        .await;
    let bank = world.caller(Party::Bank).await;
    let (answered, denied) = (call(GRANT), with_purpose("MARKETING"));
    assert_eq!(bank.told(&answered).await, "MATCH");
    assert_eq!(bank.told(&denied).await, "PURPOSE_MISMATCH");
    let failed = call(GRANT);
    world.network.stop_coordinator().await.unwrap();
    world.mirror_is_away().await;
    assert_eq!(bank.told(&failed).await, "AUDIT_UNAVAILABLE");
    world.network.start_coordinator().await.unwrap();
    world.mirrored().await;
    // What is queued when the node ends is still sent.
    world.end().await;
    let spans = receiver.spans().await;

    let of = |question: &Question| -> (Value, Vec<Value>) {
        let id = hex::encode(question.id.0);
        let (roots, steps): (Vec<Value>, Vec<Value>) = spans
            .iter()
            .filter(|span| span["trace"] == id.as_str())
            .cloned()
            .partition(|span| span["parent"] == "");
        assert_eq!(roots.len(), 1, "one trace, one root");
        (roots[0].clone(), steps)
    };
    let names = |steps: &[Value]| -> Vec<String> {
        steps
            .iter()
            .map(|step| step["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (root, steps) = of(&answered);
    assert_eq!(root["name"], "verification");
    assert_eq!(root["kind"], "SPAN_KIND_SERVER");
    assert_eq!(root["status"], "STATUS_CODE_UNSET");
    assert_eq!(root["emitter"]["service.name"], "lingqu-node");
    assert_eq!(
        root["emitter"]["service.instance.id"],
        cast::node().as_str()
    );
    let attributes = &root["attributes"];
    assert_eq!(attributes["lingqu.product"], "tb.plane_registered");
    assert_eq!(attributes["lingqu.grant"], GRANT);
    assert_eq!(attributes["lingqu.purpose"], cast::PURPOSE);
    assert_eq!(attributes["lingqu.outcome"], "ANSWERED");
    assert_eq!(attributes["lingqu.units"], 1);
    assert_eq!(attributes["lingqu.audit"], "mirrored");
    assert_eq!(attributes["lingqu.level"], "mirrored");
    assert_eq!(
        names(&steps),
        ["decide", "plan", "evaluate", "record", "release"]
    );
    let mut before = root["start"].as_u64().unwrap();
    for step in &steps {
        assert_eq!(step["parent"], root["span"]);
        assert_eq!(step["kind"], "SPAN_KIND_INTERNAL");
        assert_eq!(step["attributes"], serde_json::json!({}));
        let (start, end) = (
            step["start"].as_u64().unwrap(),
            step["end"].as_u64().unwrap(),
        );
        assert!(before <= start && start <= end, "steps follow each other");
        before = end;
    }
    assert!(before <= root["end"].as_u64().unwrap());

    // What a refused caller wrote is not passed on.
    let (root, steps) = of(&denied);
    let expected =
        serde_json::json!({"lingqu.environment": "PROD", "lingqu.outcome": "PURPOSE_MISMATCH"});
    assert_eq!(root["attributes"], expected);
    assert_eq!(
        root["status"], "STATUS_CODE_UNSET",
        "a refusal is the node doing its work"
    );
    assert_eq!(names(&steps), ["decide", "record"]);

    let (root, _) = of(&failed);
    assert_eq!(root["status"], "STATUS_CODE_ERROR");
    assert_eq!(root["message"], "AUDIT_UNAVAILABLE");
    let known: BTreeSet<&str> = ATTRIBUTES.into_iter().collect();
    for span in &spans {
        for (key, _) in span["attributes"].as_object().unwrap() {
            assert!(known.contains(key.as_str()), "{key}");
        }
    }
    let ids: BTreeSet<&str> = spans
        .iter()
        .map(|span| span["span"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), spans.len());
}

/// A receiver that is away, or that takes the connection and never answers: calls are as they were, and what was
/// dropped is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_does_not_listen_holds_no_call_up() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", mute.local_addr().unwrap());
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    world
        .start_node_with(move |config| {
            listening(config);
            config.observe.otlp = Some(endpoint);
            config.observe.spans_queued_max = 12;
            config.observe.spans_batch_max = 12;
            config.observe.export_timeout_s = 1;
        })
        .await;
    let bank = world.caller(Party::Bank).await;
    for _ in 0..40 {
        assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    }
    let (_, text) = world.node_says("/metrics").await;
    check_metrics(&text).await;
    check_manuals("lingqu_node_", &text, true);
    // A call has six spans. Twelve fit into the queue, and twelve more into each batch that was given up meanwhile.
    assert!(
        sample(
            &text,
            "lingqu_node_spans_dropped_total{reason=\"overflow\"}"
        ) > 0.0,
        "{text}"
    );
    assert!(sample(&text, "lingqu_node_spans_exported_total") < 1.0);
    assert!(
        (sample(
            &text,
            "lingqu_node_calls_total{kind=\"verification\",outcome=\"answered\"}"
        ) - 40.0)
            .abs()
            < f64::EPSILON
    );
    // It ends although nobody answers.
    patiently("the node ends", world.end()).await;
    drop(mute);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_each_supervisor_its_region_over_mutual_tls() {
    let world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    assert_eq!(bank.told(&call(GRANT)).await, "MATCH");
    assert_eq!(
        bank.told(&with_purpose("MARKETING")).await,
        "PURPOSE_MISMATCH"
    );
    world.mirrored().await;
    let by = async |party: Party, query: &str| {
        let identity = world.network.identity(party).unwrap();
        world.console(&identity, query).await
    };
    for party in [Party::Bureau, Party::Agency] {
        let (status, page) = by(party, "?lang=en").await;
        assert_eq!(status, 200, "{page}");
        for shown in [
            cast::node().as_str(),
            "tb.plane_registered",
            GRANT,
            ">connected<",
            ">answered<",
            "PURPOSE_MISMATCH",
        ] {
            assert!(page.contains(shown), "{shown}\n{page}");
        }
        for hidden in [cast::END_USER, "N10156", "EMBRAER", "MARKETING"] {
            assert!(!page.contains(hidden), "{hidden}");
        }
    }
    let (status, page) = by(Party::Bureau, "").await;
    assert!(
        status == 200 && page.contains("数源节点") && page.contains("飞机登记核验"),
        "{page}"
    );
    // Another city's bureau sees its own city, where there is nothing.
    let (status, page) = by(Party::OtherBureau, "?lang=en").await;
    assert_eq!(status, 200);
    for hidden in [
        cast::node().as_str(),
        "tb.plane_registered",
        GRANT,
        ">answered<",
    ] {
        assert!(!page.contains(hidden), "{hidden}");
    }
    for party in [Party::Bank, Party::Broker, Party::Unit] {
        let (status, said) = by(party, "").await;
        assert_eq!(
            (status, said.contains("CALLER_ROLE_FORBIDDEN")),
            (403, true),
            "{said}"
        );
    }
    world.end().await;
}

/// Settings that would show the node to the world by mistake do not even start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_would_tell_strangers_does_not_start() {
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    let refused = world
        .try_open_node(|config| config.observe.listen = Some(SocketAddr::from(([0, 0, 0, 0], 0))))
        .await;
    assert!(refused.unwrap_err().contains("observe.listen"));
    let refused = world
        .try_open_node(|config| {
            config.observe.otlp = Some("http://collector.example:4317".to_owned())
        })
        .await;
    assert!(refused.unwrap_err().contains("observe.otlp"));
    let terms = AuditTerms::Mirrored { wait_ms_max: 1 };
    world.start_node_with(listening).await;
    assert!(world.journal().audit_ready(terms).is_ok());
    world.end().await;
}
