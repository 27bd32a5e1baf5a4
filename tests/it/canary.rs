//! Values that stand in registers and requests come out nowhere: not in answers, refusals or logs at the most talkative
//! level, not in journals, mirrors or feeds, and not in what public types print of themselves.
//!
//! The test runs itself in a process of its own: the log level is the process's, and so everything that it prints can
//! be searched as well. Each value is looked for as text, folded text, hex, base64 and lists of byte values.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use lingqu_client::Question;
use lingqu_core::grant::Environment;
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::wait_until;
use lingqu_demo::objects::{self, Which};
use lingqu_node::NodeConfig;
use lingqu_node::evaluate::verification::Prepared;
use lingqu_node::sources::reading::{Progress, Wanted, read};
use lingqu_node::sources::sdk::ReadLimits;
use lingqu_node::sources::{
    AsOf, FILE_SOURCE, FILE_TABLE, NamedSource, ParquetFile, Refresh, Resource,
};
use lingqu_proto::pb::audit_client::AuditClient;
use lingqu_proto::{ClaimValue, explain_request, pb, product_call};
use lingqu_transport::code_of;
use prost::Message as _;
use tonic::Status;
use tracing::level_filters::LevelFilter;

use lingqu_core::product::Load;
use lingqu_journal::SystemClock;

use crate::network::{Caller, GRANT, World, asked, calls, wire};
use crate::observed::{Sink, listening};

const CHILD: &str = "LINGQU_CANARY_CHILD";
const LOG_DIR: &str = "LINGQU_TEST_LOG_DIR";
const TRACE: &str = "trace.log";

const TAIL: &str = "N83QZXJ";
const MAKER: &str = "KESTRELWRIGHT AEROWERKE";
const MODEL: &str = "ZQ-4417XJ";
const MISTYPED: &str = "MCMXCIX-QJWZ";
const UNKNOWN_TAIL: &str = "N61YQPB";
const OTHER_MAKER: &str = "DORNVOGEL FLUGZEUGBAU";
const OTHER_MODEL: &str = "XK-9038WQ";
const CITIZEN: &str = "45010319870913428X";
const PERSON: &str = "陆明禾测";
const FIELD: &str = "qzj_shoe_size";
const NO_GRANT: &str = "grant_LuMingheQX";
const ADDRESS: &str = "朝阳路一七号戊单元";

/// Byte strings that must not occur, by their first two bytes.
struct Forbidden {
    patterns: Vec<(String, Vec<u8>)>,
    begins: HashMap<[u8; 2], Vec<usize>>,
}

impl Forbidden {
    fn new(values: &[String]) -> Forbidden {
        let patterns: Vec<(String, Vec<u8>)> = values
            .iter()
            .enumerate()
            .flat_map(|(n, value)| {
                let form = move |(form, bytes)| (format!("canary {n} as {form}"), bytes);
                forms(value).into_iter().map(form)
            })
            .collect();
        let mut begins: HashMap<[u8; 2], Vec<usize>> = HashMap::new();
        for (n, (_, bytes)) in patterns.iter().enumerate() {
            begins.entry([bytes[0], bytes[1]]).or_default().push(n);
        }
        Forbidden { patterns, begins }
    }

    /// The names of what is found; never the values, since what a test prints is searched as well.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let mut begins = vec![false; 1 << 16];
        for pair in self.begins.keys() {
            begins[usize::from(u16::from_be_bytes(*pair))] = true;
        }
        let mut found = Vec::new();
        // Files of logs are mostly zeros that were reserved.
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        for at in 0..used.saturating_sub(1) {
            let pair = [bytes[at], bytes[at + 1]];
            if !begins[usize::from(u16::from_be_bytes(pair))] {
                continue;
            }
            for n in &self.begins[&pair] {
                let (name, pattern) = &self.patterns[*n];
                if bytes[at..].starts_with(pattern) {
                    found.push(name.as_str());
                }
            }
        }
        found
    }

    fn check(&self, what: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{what} holds {found:?}");
    }

    /// Every file below `dir`.
    fn check_dir(&self, dir: &Path) -> usize {
        let mut checked = 0;
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                checked += self.check_dir(&entry.path());
            } else if kind.is_file() {
                self.check(
                    &entry.path().display().to_string(),
                    &fs::read(entry.path()).unwrap(),
                );
                checked += 1;
            }
        }
        checked
    }
}

/// The shapes in which a text may come out.
fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut list = String::new();
    let mut escaped = String::new();
    for byte in bytes {
        write!(list, "{byte}, ").unwrap();
        write!(escaped, "\\x{byte:02x}").unwrap();
    }
    let mut forms = vec![
        ("text", bytes.to_vec()),
        ("lower case", value.to_lowercase().into_bytes()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("upper-case hex", hex::encode_upper(bytes).into_bytes()),
        (
            "a list of bytes",
            list.trim_end_matches(", ").as_bytes().to_vec(),
        ),
        ("escapes", escaped.into_bytes()),
    ];
    // Base64 of a value inside of something else depends on where it begins: what does not depend on its neighbours
    // is looked for, at each of the three places.
    for offset in 0..3 {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(bytes);
        let whole = padded.len() / 3 * 4;
        let from = if offset == 0 { 0 } else { 4 };
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            forms.push(("base64", encoded.as_bytes()[from..whole].to_vec()));
        }
    }
    forms
}

fn canaries() -> Vec<String> {
    let list = include_str!("../canaries.txt").lines().map(str::trim);
    let list = list.filter(|line| !line.is_empty() && !line.starts_with('#'));
    list.map(str::to_owned).collect()
}

#[test]
fn each_form_is_found_and_each_value_is_listed() {
    let listed = canaries();
    for value in [
        TAIL,
        MAKER,
        MODEL,
        MISTYPED,
        UNKNOWN_TAIL,
        OTHER_MAKER,
        OTHER_MODEL,
        CITIZEN,
        PERSON,
        FIELD,
        NO_GRANT,
        ADDRESS,
    ] {
        assert!(listed.iter().any(|canary| canary == value));
    }
    let forbidden = Forbidden::new(&["Zk-77Q".to_owned()]);
    let inside = |offset: usize| {
        let text = format!("{}Zk-77Q and more", "-".repeat(offset));
        STANDARD_NO_PAD.encode(text).into_bytes()
    };
    for sample in [
        b"x Zk-77Q y".to_vec(),
        b"x zk-77q y".to_vec(),
        b"5a6b2d373751".to_vec(),
        format!("{:?}", b"Zk-77Q").into_bytes(),
        format!("{:?}", "Zk-77Q".as_bytes()).into_bytes(),
        inside(0),
        inside(1),
        inside(2),
    ] {
        assert!(
            !forbidden.found_in(&sample).is_empty(),
            "{}",
            String::from_utf8_lossy(&sample)
        );
    }
    assert!(forbidden.found_in(b"Zk-77 Q").is_empty());
}

/// Runs [`run`] in a process of its own, and searches what it printed.
#[test]
fn what_is_registered_and_what_is_asked_comes_out_nowhere() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return run(Path::new(&dir));
    }
    let kept = std::env::var_os(LOG_DIR).map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let dir = kept.unwrap_or(temporary.path().to_owned()).join("canary");
    fs::create_dir_all(&dir).unwrap();
    let name = "canary::what_is_registered_and_what_is_asked_comes_out_nowhere";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, &dir)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let forbidden = Forbidden::new(&canaries());
    for (what, output) in [("stdout", &child.stdout), ("stderr", &child.stderr)] {
        fs::write(dir.join(what), output).unwrap();
        forbidden.check(what, output);
    }
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    forbidden.check_dir(&dir);
    // It was really traced, our own crates and those below them.
    let trace = fs::read_to_string(dir.join(TRACE)).unwrap();
    for part in ["lingqu_node", "lingqu_transport", "h2", "TRACE", GRANT_SEEN] {
        assert!(trace.contains(part), "no trace of {part}");
    }
}

/// A word that is traced and no secret.
const GRANT_SEEN: &str = "tb.plane_registered";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn run(dir: &Path) {
    let file = fs::File::create(dir.join(TRACE)).unwrap();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(Arc::new(file))
        .init();
    let register = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut world = World::ready().await;
    world.network.stop_node().await.unwrap();
    let at = |name: &str| register.join(name);
    let good = at("canaries.parquet");
    let path = good.clone();
    world.observe_coordinator().await;
    let (sink, endpoint) = Sink::start().await;
    world
        .start_node_with_another_table(move |config| {
            config.resources[0].path = Some(path);
            config.observe.otlp = Some(endpoint);
            listening(config);
        })
        .await;

    let mut told = Told::default();
    let bank = world.caller(Party::Bank).await;
    answers(&bank, &mut told).await;
    refusals(&bank, &mut told).await;
    told.note("printed", printed(&good).as_bytes());
    let config = NodeConfig::read(&world.network.files().node_toml()).unwrap();
    told.note("configuration", format!("{config:?}").as_bytes());
    // Six calls and an explanation.
    assert_eq!(calls(&world.records().await).len(), 7);
    told.note(
        "status",
        format!("{:?}", world.node().holdings()).as_bytes(),
    );
    world.mirrored().await;
    follow(&world, &mut told).await;
    watch(&world, &mut told).await;
    world.network.stop_node().await.unwrap();
    let traces = sink.received();
    assert!(!traces.is_empty());
    for (bytes, printed) in traces {
        told.note("trace", &bytes);
        told.note("trace printed", printed.as_bytes());
    }

    // Registers that cannot be opened: what is wrong with a row is told without the row.
    let torn = world.network.files().dir().join("torn.parquet");
    let whole = fs::read(&good).unwrap();
    fs::write(&torn, &whole[..whole.len() - 9]).unwrap();
    let (unavailable, changed) = (ErrorCode::ResourceUnavailable, ErrorCode::ResourceChanged);
    for (path, expected) in [
        (at("canaries_crowded.parquet"), unavailable),
        (at("canaries_mistyped.parquet"), changed),
        (torn, unavailable),
    ] {
        let what = path.display().to_string();
        told.note(&what, unopened(&path).as_bytes());
        world
            .open_node(move |config| config.resources[0].path = Some(path))
            .await;
        wait_until(&world.network, "the node is ready", |node| {
            node.ready() && node.epoch().is_some()
        })
        .await
        .unwrap();
        world.mirrored().await;
        let bank = world.caller(Party::Bank).await;
        let refused = told.ask(&bank, claim(TAIL, MAKER, MODEL, 1999)).await;
        assert_eq!(refused, Err(Some(expected)), "{what}");
        world.network.stop_node().await.unwrap();
    }
    search(world, told, dir).await;
}

/// Everything that came out, to be searched when all is done.
#[derive(Default)]
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    fn note(&mut self, what: &str, bytes: &[u8]) {
        self.0.push((what.to_owned(), bytes.to_vec()));
    }

    fn status(&mut self, status: &Status) {
        let said = format!("{status:?} {status} {:?}", status.metadata());
        self.note("status", said.as_bytes());
        self.note("details", status.details());
        self.note("message", status.message().as_bytes());
    }

    async fn ask(
        &mut self,
        caller: &Caller,
        request: pb::VerifyRequest,
    ) -> Result<pb::Verdict, Option<ErrorCode>> {
        self.note("request", format!("{request:?}").as_bytes());
        match caller.raw.clone().verify(request).await {
            Ok(response) => {
                self.note("headers", format!("{:?}", response.metadata()).as_bytes());
                let answer = response.into_inner();
                self.note("answer", &answer.encode_to_vec());
                self.note("answer printed", format!("{answer:?}").as_bytes());
                Ok(answer.verdict())
            }
            Err(status) => {
                self.status(&status);
                Err(code_of(&status))
            }
        }
    }
}

fn claim(tail: &str, maker: &str, model: &str, year: i64) -> pb::VerifyRequest {
    wire(&verification(tail, maker, model, year))
}

fn verification(tail: &str, maker: &str, model: &str, year: i64) -> Question {
    let text = |field: &str, value: &str| (field.to_owned(), ClaimValue::Text(value.to_owned()));
    let claims = vec![
        text("tail_number", tail),
        text("manufacturer", maker),
        text("model", model),
        ("year".to_owned(), ClaimValue::Integer(year)),
    ];
    Question::new(asked(GRANT), claims)
}

async fn answers(bank: &Caller, told: &mut Told) {
    let matching = claim(TAIL, MAKER, MODEL, 1999);
    let got = told.ask(bank, matching.clone()).await;
    assert_eq!(got, Ok(pb::Verdict::Match));
    assert_eq!(told.ask(bank, matching).await, got, "the retry");
    for other in [
        claim(TAIL, MAKER, MODEL, 2000),
        claim(TAIL, OTHER_MAKER, OTHER_MODEL, 1999),
        claim(UNKNOWN_TAIL, MAKER, MODEL, 1999),
        claim(PERSON, CITIZEN, ADDRESS, 1987),
    ] {
        let got = told.ask(bank, other).await;
        assert_eq!(got, Ok(pb::Verdict::NoMatch));
    }
    let verified = bank.verify(&verification(TAIL, MAKER, MODEL, 1999)).await;
    told.note("verified", format!("{:?}", verified.unwrap()).as_bytes());
    // An explanation of a call about somebody in the register tells nothing of either.
    let Question {
        id,
        asked,
        arguments,
        ..
    } = verification(TAIL, MAKER, MODEL, 1999);
    let request = explain_request(id, &asked, &arguments, None);
    told.note("explain request", format!("{request:?}").as_bytes());
    let explained = bank.raw.clone().explain(request).await.unwrap();
    let explained = explained.into_inner();
    told.note("explanation", &explained.encode_to_vec());
    told.note("explanation printed", format!("{explained:?}").as_bytes());
}

type Change = fn(&mut pb::VerifyRequest);

fn context(request: &mut pb::VerifyRequest) -> &mut pb::CallContext {
    request.context.as_mut().unwrap()
}

fn text(value: &str) -> Option<pb::claim::Value> {
    Some(pb::claim::Value::Text(value.to_owned()))
}

async fn refusals(bank: &Caller, told: &mut Told) {
    let changes: [(Change, Option<ErrorCode>); 10] = [
        (
            |r| context(r).purpose = "MARKETING".to_owned(),
            Some(ErrorCode::PurposeMismatch),
        ),
        (
            |r| context(r).purpose = ADDRESS.to_owned(),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| context(r).scenario = PERSON.to_owned(),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| context(r).end_user = CITIZEN.to_owned(),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| context(r).grant = NO_GRANT.to_owned(),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| context(r).consent = PERSON.to_owned(),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| r.product = format!("tb.{PERSON}"),
            Some(ErrorCode::RequestInvalid),
        ),
        (
            |r| r.claims[0].field = FIELD.to_owned(),
            Some(ErrorCode::ClaimInvalid),
        ),
        (
            |r| r.claims[3].value = text(MISTYPED),
            Some(ErrorCode::ClaimInvalid),
        ),
        (
            |r| r.claims[0].value = text(&PERSON.repeat(9_000)),
            Some(ErrorCode::RequestInvalid),
        ),
    ];
    let mut streamed = Vec::new();
    for (change, code) in changes {
        let mut request = claim(UNKNOWN_TAIL, OTHER_MAKER, OTHER_MODEL, 1999);
        change(&mut request);
        let refused = told.ask(bank, request.clone()).await;
        assert_eq!(refused, Err(code));
        streamed.push(request);
    }
    // The same on a stream; the oversized one, which stands last, ends it.
    let mut raw = bank.raw.clone();
    let answers = raw.verify_stream(tokio_stream::iter(streamed)).await;
    let mut answers = answers.unwrap().into_inner();
    loop {
        match answers.message().await {
            Ok(Some(item)) => told.note("item", &item.encode_to_vec()),
            Ok(None) => panic!("the oversized request was taken"),
            Err(status) => break told.status(&status),
        }
    }
}

/// What a regulator receives.
async fn follow(world: &World, told: &mut Told) {
    let bureau = world.network.identity(Party::Bureau).unwrap();
    let channel = world.network.dial_coordinator(&bureau).await.unwrap();
    let request = pb::FollowRequest {
        region: cast::REGION.to_owned(),
        resume: Vec::new(),
        until_current: true,
    };
    let events = AuditClient::new(channel).follow(request).await;
    let mut events = events.unwrap().into_inner();
    let mut received = 0;
    while let Some(event) = events.message().await.unwrap() {
        told.note("feed", &event.encode_to_vec());
        told.note("feed printed", format!("{event:?}").as_bytes());
        received += 1;
    }
    assert!(received > 2);
}

/// What whoever watches node and coordinator sees.
async fn watch(world: &World, told: &mut Told) {
    for path in ["/metrics", "/health/live", "/health/ready"] {
        for (status, said) in [
            world.node_says(path).await,
            world.coordinator_says(path).await,
        ] {
            assert_eq!(status, 200, "{path}");
            told.note(path, said.as_bytes());
        }
    }
    for party in [Party::Agency, Party::Bureau] {
        let identity = world.network.identity(party).unwrap();
        for language in ["zh", "en"] {
            let (status, page) = world.console(&identity, &format!("?lang={language}")).await;
            assert!(status == 200 && page.contains(GRANT_SEEN));
            told.note("console", page.as_bytes());
        }
    }
    let bureau = world.network.identity(Party::Bureau).unwrap();
    for path in [
        "/audit?kinds=all",
        "/audit?lang=en&kinds=all",
        "/audit/receipts",
    ] {
        let (status, said) = world.get(&bureau, path).await;
        assert_eq!(status, 200, "{path}");
        told.note(path, said.as_bytes());
    }
}

fn parquet(path: &Path) -> Resource {
    let file = ParquetFile {
        path: path.to_owned(),
    };
    Resource {
        name: "planes".to_owned(),
        environments: vec![Environment::Prod],
        sources: vec![NamedSource {
            name: FILE_SOURCE.to_owned(),
            connector: Arc::new(file),
        }],
        table: FILE_TABLE.parse().unwrap(),
        as_of: AsOf::Fixed(Timestamp(0)),
        refresh: Refresh::Manual,
        update_cycle: None,
    }
}

fn prepare(path: &Path) -> Result<Prepared, String> {
    let columns = ["tailnum", "manufacturer", "model", "year"].map(str::to_owned);
    let wanted = Wanted {
        columns: &columns,
        accepted: None,
        limits: ReadLimits::default(),
        as_of: None,
    };
    let (resource, progress) = (parquet(path), Progress::default());
    let found = tokio::task::block_in_place(|| {
        let reading = read(&resource, &wanted, &progress, &SystemClock);
        tokio::runtime::Handle::current().block_on(reading)
    });
    let found = found.map_err(|error| format!("{error} {error:?}"))?;
    let load = Load {
        id: "load_canary".parse().unwrap(),
        resource: "planes".to_owned(),
        as_of: found.as_of,
    };
    let built = Prepared::build(
        &objects::product(Which::Plane),
        load,
        &found.batches,
        100,
        16.try_into().unwrap(),
    );
    built.map_err(|error| format!("{error} {error:?} {found:?}"))
}

/// What public types that hold data print of themselves.
fn printed(register: &Path) -> String {
    let call = verification(TAIL, MAKER, MODEL, 1999);
    let read = product_call(&wire(&call)).unwrap();
    let prepared = prepare(register).unwrap();
    let claim = prepared.claim(&read.arguments).unwrap();
    // The name of an unknown field would be told to whoever parses a claim in this process; the node drops it.
    let mut mistyped = read.arguments.clone();
    for (_, value) in &mut mistyped {
        *value = ClaimValue::Text(MISTYPED.to_owned());
    }
    let refused = prepared.claim(&mistyped).unwrap_err();
    let mut malformed = wire(&call);
    context(&mut malformed).end_user = CITIZEN.to_owned();
    let invalid = product_call(&malformed).unwrap_err();
    format!(
        "{call:?} {read:?} {prepared:?} {claim:?} {refused:?} {refused} {invalid:?} {invalid} {:?}",
        parquet(register)
    )
}

fn unopened(path: &Path) -> String {
    prepare(path).expect_err("the register is unusable")
}

/// Searches everything that was told, every state file, and the trace; for the canaries and for private keys.
async fn search(world: World, told: Told, dir: &Path) {
    let root = world.network.files().dir().to_owned();
    let mut values = canaries();
    let secrets = private_keys(&root);
    assert!(secrets.len() > 10);
    let mut network = world.network;
    network.stop_coordinator().await.unwrap();
    values.retain(|value| !value.is_empty());
    let canaries = Forbidden::new(&values);
    let keys = Forbidden::new(&secrets);
    assert!(told.0.len() > 50);
    for (what, bytes) in &told.0 {
        canaries.check(what, bytes);
        keys.check(what, bytes);
    }
    for state in ["node/state", "coordinator/state"] {
        assert!(canaries.check_dir(&root.join(state)) > 2);
        keys.check_dir(&root.join(state));
    }
    keys.check(TRACE, &fs::read(dir.join(TRACE)).unwrap());
}

/// The bodies of every private key below `dir`, as they stand in their files.
fn private_keys(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(private_keys(&path));
        } else if path.extension().is_some_and(|extension| extension == "key")
            && let Ok(pem) = fs::read_to_string(&path)
        {
            let body = pem.lines().filter(|line| !line.starts_with("-----"));
            // The first line begins like that of every other key.
            let body: String = body.collect();
            found.push(body[body.len() / 2..].to_owned());
        }
    }
    found
}
