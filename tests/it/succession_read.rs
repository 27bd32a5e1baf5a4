//! Over the end of a stream with nothing but the keys of before: the region's regulator follows, exports, verifies, adds
//! up and hands on, with `lingqu` as somebody who installed it runs it.

use std::path::Path;

use lingqu_demo::cast::{self, Party};
use lingqu_transport::signing_key;

use crate::binary::{Ran, run};
use crate::network::{GRANT, World};
use crate::succession::{NEXT_KEY, call, end_stream, go_on, key_of};

/// The regulator's desk: what it was given before the stream ended, and what it made of it.
pub(crate) struct Desk {
    pub(crate) dir: tempfile::TempDir,
    /// How it reaches the coordinator.
    line: Vec<String>,
    pub(crate) unit_key: String,
}

impl Desk {
    pub(crate) fn new(world: &World) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let coordinator = world.network.coordinator().unwrap();
        let put = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        put("trust", world.network.trust_text().unwrap());
        put("heads", coordinator.head_trust());
        let (cert, key) = world.network.files().party_tls(Party::Bureau);
        let shown = |path: &Path| path.display().to_string();
        let line = [
            ("--coordinator", world.network.coordinator_url()),
            ("--id", coordinator.id().to_string()),
            ("--cert", shown(&cert)),
            ("--key", shown(&key)),
            ("--ca", shown(&world.network.files().ca())),
            ("--region", cast::REGION.to_owned()),
        ];
        let line = line.map(|(name, value)| [name.to_owned(), value]);
        let key = hex::encode(&world.node().config().trust.unit_key);
        Desk {
            line: line.concat(),
            unit_key: format!("{}={key}", Party::Unit.id()),
            dir,
        }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// `lingqu audit …` with `@name` standing for a file on the desk.
    pub(crate) fn audit(&self, words: &[&str]) -> Ran {
        let words = words.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => self.text(name),
            None => (*word).to_owned(),
        });
        let line: Vec<String> = std::iter::once("audit".to_owned()).chain(words).collect();
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        tokio::task::block_in_place(|| run(&line))
    }

    pub(crate) fn ask(&self, command: &str, words: &[&str]) -> Ran {
        let mut line = vec![command, "--trust", "@trust", "--head-trust", "@heads"];
        line.extend(self.line.iter().map(String::as_str));
        line.extend(words);
        self.audit(&line)
    }

    pub(crate) fn holds(&self, words: &[&str]) -> Ran {
        let ran = self.audit(words);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    }
}

/// nothing of what a supervisor holds has to be given anew when a stream ends and its key changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_regulator_reads_on_over_the_end_with_the_keys_of_before() {
    let mut world = World::ready().await;
    assert_eq!(world.caller(Party::Bank).await.told(&call()).await, "MATCH");
    world.mirrored().await;
    let desk = Desk::new(&world);
    let follow = ["--until-current", "--state", "@seen", "--json"];
    let follow = |words: &[&str]| desk.ask("follow", &[&follow[..], words].concat());
    let ran = follow(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    signing_key::create(&world.network.files().dir().join(NEXT_KEY)).unwrap();
    let begins = key_of(&world, "9999h1", NEXT_KEY);
    let old = world.journal().origin().to_owned();
    world.network.stop_node().await.unwrap();
    world
        .start_node_with(|config| {
            config.keys.log_next = Some(config.keys.log.with_file_name("log-next.key"));
        })
        .await;
    end_stream(&mut world, &begins).await;
    go_on(&mut world, &begins).await;
    let next = world.journal().origin().to_owned();
    let caller = world.caller(Party::Bank).await;
    assert_eq!(caller.told(&call()).await, "MATCH");
    world.mirrored().await;
    // The feed goes on where it stood, into a stream whose key no file has.
    let ran = follow(&["--unit-key", &desk.unit_key]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = ran.json();
    let step = lines
        .iter()
        .find(|line| line["follows"].is_object())
        .unwrap();
    assert_eq!(step["follows"]["order_verified"], true, "{step}");
    let is_call = |line: &&serde_json::Value| line["kind"] == "CALL" && line["stream"] == *next;
    let found = lines.iter().find(is_call).unwrap();
    assert_eq!(found["unit"], Party::Unit.id().as_str());
    let index = found["index"].to_string();
    let ran = follow(&[]);
    assert_eq!(ran.code, Some(0), "and again, from what was kept: {ran:?}");
    let wrong = desk.unit_key.split('=').next().unwrap();
    let wrong = format!("{wrong}={}", hex::encode(begins.public_key()));
    let ran = desk.ask("follow", &["--until-current", "--unit-key", &wrong]);
    assert_eq!(ran.code, Some(1), "another key than the unit's: {ran:?}");
    let ran = desk.ask("export", &["--out", "@archive"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    world.end().await;
    offline(&desk, (&old, &next), &index);
}

/// What works when the network is gone.
fn offline(desk: &Desk, (old, next): (&str, &str), index: &str) {
    let trusts = ["--trust", "@trust", "--trust", "@heads"];
    let unit = ["--unit-key", desk.unit_key.as_str()];
    let verify = |words: &[&str]| desk.audit(&[&["verify"], words].concat());
    let ran = verify(&[&trusts[..], &unit, &["@archive"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains(&format!("后续 {next}")), "{ran:?}");
    // One record of the next stream, with a link and without.
    let log = desk.text(&format!("archive/{next}"));
    for (index, out) in [(index, "@receipt"), ("0", "@first")] {
        let out = desk.text(&out[1..]);
        desk.holds(&["prove", "--log", &log, "--index", index, "--out", &out]);
    }
    assert_eq!(verify(&["--trust", "@trust", "@receipt"]).code, Some(1));
    for link in ["@first", "@archive"] {
        let ran = verify(&["--trust", "@trust", "--link", link, "@receipt"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    // A trust file that has it from now on.
    let more = [
        "--archive",
        "@archive",
        "--head-trust",
        "@heads",
        "--out",
        "@more",
    ];
    desk.holds(&[&["trust", "--trust", "@trust"], &more[..]].concat());
    assert_eq!(verify(&["--trust", "@more", "@receipt"]).code, Some(0));
    desk.holds(&["trust", "--trust", "@trust", "--proof", "@first"]);
    // What was spent is exactly what goes on.
    let before = desk.text(&format!("archive/{old}"));
    let ran = desk.holds(&["budget", "--archive", &before, "--archive", &log]);
    assert!(
        ran.out.contains("exactly what its records add up to"),
        "{ran:?}"
    );
    signing_key::create(&desk.dir.path().join("clerk.key")).unwrap();
    let make = [
        &["evidence", "make", "--case", "C-1", "--document", "D-1"][..],
        &[
            "--by",
            "clerk",
            "--key",
            "@clerk.key",
            "--name",
            "court.example/clerk",
        ],
        &trusts,
        &[
            "--archive",
            "@archive",
            "--grant",
            GRANT,
            "--out",
            "@evidence",
        ],
    ];
    desk.holds(&make.concat());
    let ran = verify(&["--trust", "@trust", "--json", "@evidence"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let package = ran.json().remove(0);
    let records = package["records"].as_array().unwrap();
    for stream in [old, next] {
        let stands =
            |one: &&serde_json::Value| one["stream"] == *stream && one["record"]["kind"] == "CALL";
        assert_eq!(records.iter().filter(stands).count(), 1, "{stream}");
    }
}
