//! `lingqu doctor`: each thing is spoilt in turn, and the binary must find it, say so in both languages, and tell no
//! secret. Everything else must be found as it should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::Network;
use lingqu_journal::SystemClock;
use lingqu_testkit::ManualClock;
use lingqu_transport::PeerId;
use lingqu_transport::pki::DevAuthority;

use crate::binary::{self, Ran};

/// What a run found: `(check, level, code)`.
type Found = (String, String, Option<String>);

fn examine(config: &Path, more: &[&str]) -> (Ran, Vec<Found>) {
    let mut words = vec!["doctor", "--json", "--config", config.to_str().unwrap()];
    words.extend(more);
    let ran = binary::run(&words);
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let found = ran
        .json()
        .iter()
        .filter(|line| line.get("check").is_some())
        .map(|line| {
            if line["level"] != "ok" {
                // What is wrong is explained in both languages, and has a page.
                for key in [
                    "found_en",
                    "found_zh",
                    "message_en",
                    "message_zh",
                    "remedy_en",
                    "remedy_zh",
                ] {
                    assert!(
                        line[key].as_str().is_some_and(|text| !text.is_empty()),
                        "{line}"
                    );
                }
                let code: ErrorCode = line["code"].as_str().unwrap().parse().unwrap();
                assert!(
                    binary::root()
                        .join(format!("docs/errors/{code}.md"))
                        .is_file()
                );
            }
            let word = |key: &str| text(&line[key]).unwrap();
            (word("check"), word("level"), text(&line["code"]))
        })
        .collect();
    (ran, found)
}

/// Everything that is not as it should be, besides what this machine's own disk may be found to be.
fn troubles(found: &[Found]) -> Vec<(&str, &str)> {
    found
        .iter()
        .filter(|(check, level, _)| level != "ok" && check != "disk")
        .map(|(_, level, code)| (level.as_str(), code.as_deref().unwrap()))
        .collect()
}

/// The files of a network whose coordinator runs here, and of a node that is enrolled and does not run.
struct Place {
    network: Network,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn make() -> Place {
        // Beside what is built: elsewhere temporary files may lie in memory, which is a finding of its own.
        let dir = tempfile::tempdir_in(binary::target()).unwrap();
        let network = Network::make(dir.path()).await.unwrap();
        let unit = network.issue_party_code(Party::Unit).await.unwrap();
        network
            .enrol_party(Party::Unit, &unit)
            .await
            .unwrap()
            .unwrap();
        let code = network.issue_node_code().await.unwrap();
        network.enrol_node(&code).await.unwrap().unwrap();
        Place { network, _dir: dir }
    }

    fn node_dir(&self) -> PathBuf {
        self.network.files().dir().join("node")
    }

    fn node_toml(&self) -> PathBuf {
        self.network.files().node_toml()
    }

    /// Changes the node's configuration.
    fn edit(&self, from: &str, to: &str) {
        edit(&self.node_toml(), from, to);
    }

    /// Examines the node, off the threads that run the coordinator.
    async fn node(&self) -> Vec<Found> {
        self.look(self.node_toml()).await.1
    }

    async fn look(&self, config: PathBuf) -> (Ran, Vec<Found>) {
        tokio::task::spawn_blocking(move || examine(&config, &[]))
            .await
            .unwrap()
    }

    /// A new certificate for `id`, in the place of the node's.
    fn reissue(&self, authority: &DevAuthority, id: &PeerId, days: u32) {
        self.reissue_by(&SystemClock, authority, id, days);
    }

    fn reissue_by(&self, clock: &dyn Clock, authority: &DevAuthority, id: &PeerId, days: u32) {
        let issued = authority.issue(id, &["localhost"], days, clock).unwrap();
        let files = issued.write(&self.node_dir()).unwrap();
        let own = |suffix| self.node_dir().join(format!("{}.{suffix}", cast::node()));
        fs::rename(files.certificate, own("pem")).unwrap();
        fs::rename(files.key, own("key")).unwrap();
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_node_and_its_coordinator_are_found_good() {
    let place = Place::make().await;
    let (ran, found) = place.look(place.node_toml()).await;
    // The demo's register is of 2013, which is worth a word.
    let troubles_found = troubles(&found);
    let old = |(level, code): &(&str, &str)| *level == "warn" && *code == "RESOURCE_STALE";
    // The certificates of the demo hold for 30 days.
    let soon = |(level, code): &(&str, &str)| *level == "warn" && *code == "CERT_EXPIRES_SOON";
    let others: Vec<_> = troubles_found
        .iter()
        .filter(|t| !old(t) && !soon(t))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(ran.code, Some(0), "warnings fail nothing: {}", ran.notes);
    for check in [
        "authority",
        "certificate",
        "clock",
        "configuration",
        "coordinator",
        "directory",
        "head log",
        "journal",
        "keys",
        "listen",
        "open files",
        "page size",
        "room",
        "source",
    ] {
        assert!(
            found.iter().any(|(found, _, _)| found == check),
            "{check} was not looked at"
        );
    }
    let strict = place.node_toml();
    let strict = tokio::task::spawn_blocking(move || examine(&strict, &["--strict"]).0);
    assert_eq!(strict.await.unwrap().code, Some(1));

    let (ran, found) = place.look(place.network.files().coordinator_toml()).await;
    assert!(troubles(&found).iter().all(soon), "{found:?}");
    assert_eq!(ran.code, Some(0));
    // It runs in this very process: its log is taken, and it answers at its own address.
    let text = |check: &str| {
        let lines = ran.json();
        let line = lines.iter().find(|line| line["check"] == check).unwrap();
        line["found_en"].as_str().unwrap().to_owned()
    };
    assert!(
        text("journal").contains("running process"),
        "{}",
        text("journal")
    );
    assert!(text("listen").contains("answers"), "{}", text("listen"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_spoilt_are_found() {
    let place = Place::make().await;
    let dir = place.node_dir();
    let (id, log) = (cast::node(), dir.join("log.key"));
    let certificate = dir.join(format!("{id}.pem"));
    let key = dir.join(format!("{id}.key"));
    let planes = dir.join("data/planes.parquet");
    let kept = |path: &Path| fs::read(path).unwrap();
    let originals: Vec<(PathBuf, Vec<u8>)> =
        [&log, &certificate, &key, &planes, &place.node_toml()]
            .into_iter()
            .map(|path| (path.clone(), kept(path)))
            .collect();
    let authority = DevAuthority::load(&place.network.files().dir().join("ca")).unwrap();
    let own = PeerId::Node(id.clone());
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let cases: Vec<(&str, Spoil<'_>)> = vec![
        (
            "CONFIG_INVALID",
            Box::new(|| place.edit("region", "regoin")),
        ),
        (
            "CONFIG_INVALID",
            Box::new(|| place.edit("[keys]", "[limits]\nconections_max = 1\n[keys]")),
        ),
        (
            "CONFIG_INVALID",
            Box::new(|| place.edit("[keys]", "[limits]\nconnections_max = \"many\"\n[keys]")),
        ),
        (
            "OPEN_FILES_LOW",
            Box::new(|| place.edit("[keys]", "[limits]\nconnections_max = 9000000000\n[keys]")),
        ),
        (
            "RESOURCE_TOO_LARGE",
            Box::new(|| place.edit("[keys]", "[limits]\nrows_max = 10\n[keys]")),
        ),
        (
            "DISK_SPACE_LOW",
            Box::new(|| {
                place.edit(
                    "[keys]",
                    "[limits]\njournal_segment_bytes = 1125899906842624\n[keys]",
                )
            }),
        ),
        (
            "LISTEN_UNUSABLE",
            Box::new(|| place.edit("listen = \"127.0.0.1:", "listen = \"192.0.2.1:")),
        ),
        (
            "LISTEN_UNUSABLE",
            Box::new(|| {
                place.edit(
                    "[keys]",
                    "[observe]\nlisten = \"192.0.2.1:9464\"\nallow_remote = true\n[keys]",
                )
            }),
        ),
        (
            "CONFIG_INVALID",
            Box::new(|| place.edit("[keys]", "[observe]\nlisten = \"192.0.2.1:9464\"\n[keys]")),
        ),
        (
            "COORDINATOR_OTHER_IDENTITY",
            Box::new(|| place.edit("id = \"coord_gx\"", "id = \"coord_gx.other\"")),
        ),
        (
            "AUTHORITY_PREFIX_MISSING",
            Box::new(|| place.edit("\"coord_gx\"]", "\"coord_gd\"]")),
        ),
        (
            "COORDINATOR_UNREACHABLE",
            Box::new(|| place.edit("url = \"https://127.0.0.1:", "url = \"https://127.0.0.9:")),
        ),
        (
            "RESOURCE_DATE_INVALID",
            Box::new(|| {
                let text = fs::read_to_string(place.node_toml()).unwrap();
                let at = text.find("as_of").unwrap();
                let line: String = text[at..].lines().next().unwrap().to_owned();
                place.edit(&line, "as_of = \"2999-01-01\"");
            }),
        ),
        (
            "RESOURCE_UNAVAILABLE",
            Box::new(|| fs::remove_file(&planes).unwrap()),
        ),
        (
            "RESOURCE_UNAVAILABLE",
            Box::new(|| {
                let whole = kept(&planes);
                fs::write(&planes, &whole[..whole.len() / 2]).unwrap();
            }),
        ),
        ("KEY_FILE_EXPOSED", Box::new(|| mode(&log, 0o644))),
        ("KEY_FILE_EXPOSED", Box::new(|| mode(&key, 0o640))),
        (
            "DATA_DIR_EXPOSED",
            Box::new(|| mode(&dir.join("state"), 0o755)),
        ),
        (
            "KEY_UNREADABLE",
            Box::new(|| fs::write(&log, "-----BEGIN NOTHING-----").unwrap()),
        ),
        (
            "KEY_SHARED",
            Box::new(|| {
                let unit = place
                    .network
                    .files()
                    .party(Party::Unit)
                    .join("approval.key");
                fs::copy(unit, &log).unwrap();
            }),
        ),
        (
            "CERT_KEY_MISMATCH",
            Box::new(|| {
                let other = authority.issue(&own, &[], 60, &SystemClock).unwrap();
                let files = other.write(&dir.join("data")).unwrap();
                fs::copy(files.key, &key).unwrap();
            }),
        ),
        (
            "CERT_EXPIRES_SOON",
            Box::new(|| place.reissue(&authority, &own, 29)),
        ),
        (
            "CERT_OTHER_ID",
            Box::new(|| {
                place.reissue(&authority, &"node_gx.other".parse().unwrap(), 60);
            }),
        ),
        (
            "CERT_UNREADABLE",
            Box::new(|| fs::write(&certificate, "no certificate").unwrap()),
        ),
        (
            "CERT_EXPIRED",
            Box::new(|| {
                let before = Timestamp(SystemClock.now().0 - 2 * 86_400_000_000);
                place.reissue_by(ManualClock::at(before).as_ref(), &authority, &own, 1);
            }),
        ),
    ];
    for (code, spoil) in cases {
        place.reissue(&authority, &own, 60);
        spoil();
        let found = place.node().await;
        let named = troubles(&found);
        assert!(
            named.iter().any(|(_, found)| *found == code),
            "{code}: {named:?}"
        );
        for (path, bytes) in &originals {
            fs::write(path, bytes).unwrap();
            mode(path, 0o600);
        }
        mode(&dir.join("state"), 0o700);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_read_without_being_touched_and_damage_is_found() {
    let mut place = Place::make().await;
    place.network.start_node().await.unwrap();
    lingqu_demo::network::wait_until(&place.network, "the node is ready", |node| {
        node.journal().reconciled() && node.journal().size() > 0
    })
    .await
    .unwrap();
    let (ran, _) = place.look(place.node_toml()).await;
    let lines = ran.json();
    let line = |check: &str| {
        lines
            .iter()
            .find(|line| line["check"] == check)
            .unwrap()
            .clone()
    };
    assert!(
        line("journal")["found_en"]
            .as_str()
            .unwrap()
            .contains("running process")
    );
    assert!(
        line("node")["found_en"]
            .as_str()
            .unwrap()
            .contains("records"),
        "{}",
        line("node")
    );
    assert_eq!(line("listen")["level"], "ok", "{}", line("listen"));
    place.network.stop_node().await.unwrap();

    let segment = place.node_dir().join("state/journal/0000000000000000.wal");
    let before = fs::read(&segment).unwrap();
    let (ran, found) = place.look(place.node_toml()).await;
    let journal = ran
        .json()
        .into_iter()
        .find(|line| line["check"] == "journal")
        .unwrap();
    assert!(
        journal["found_en"]
            .as_str()
            .unwrap()
            .contains("every frame"),
        "{journal}"
    );
    assert!(
        !found
            .iter()
            .any(|(_, _, code)| code.as_deref() == Some("JOURNAL_DAMAGED"))
    );
    assert_eq!(fs::read(&segment).unwrap(), before, "it is only read");

    // One byte of a frame in the middle.
    let mut damaged = before.clone();
    damaged[4_096 + 100] ^= 1;
    fs::write(&segment, &damaged).unwrap();
    let named = place.node().await;
    assert!(
        troubles(&named).contains(&("fail", "JOURNAL_DAMAGED")),
        "{named:?}"
    );
    assert_eq!(
        fs::read(&segment).unwrap(),
        damaged,
        "damage is left as it is"
    );
    fs::write(&segment, &before).unwrap();

    // Before any enrolment there is nothing to read, and that is no failure.
    fs::remove_file(place.node_dir().join("state/stream-origin")).unwrap();
    let named = place.node().await;
    assert!(
        troubles(&named).contains(&("warn", "NOT_ENROLLED")),
        "{named:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_turns_the_node_away_is_found() {
    let mut place = Place::make().await;
    // A certificate by an authority that may not speak for nodes: its prefixes are the coordinator's to set.
    let toml = place.network.files().coordinator_toml();
    edit(&toml, "\"node_gx.\"]", "\"node_gd.\"]");
    place.network.stop_coordinator().await.unwrap();
    place.network.start_coordinator().await.unwrap();
    let named = place.node().await;
    assert!(
        troubles(&named).contains(&("fail", "CALLER_OUTSIDE_PREFIX")),
        "{named:?}"
    );
    edit(&toml, "\"node_gd.\"]", "\"node_gx.\"]");

    // Another signing key than the pinned one.
    place.network.stop_coordinator().await.unwrap();
    place.network.start_coordinator().await.unwrap();
    let pinned = hex::encode(lingqu_tlog::Signer::public_key(
        &place.network.files().coordinator_key("signing").unwrap(),
    ));
    let other = hex::encode(lingqu_tlog::Signer::public_key(&crate::network::stranger()));
    place.edit(&pinned, &other);
    let named = place.node().await;
    assert!(
        troubles(&named).contains(&("fail", "EPOCH_INVALID")),
        "{named:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_and_memory_is_no_disk() {
    let place = Place::make().await;
    let volatile = tempfile::Builder::new()
        .prefix("lingqu")
        .tempdir_in("/dev/shm");
    if let Ok(volatile) = volatile {
        mode(volatile.path(), 0o700);
        let shown = volatile.path().display();
        place.edit("data_dir = \"state\"", &format!("data_dir = \"{shown}\""));
        let named = place.node().await;
        let found = named
            .iter()
            .any(|(_, _, code)| code.as_deref() == Some("DATA_DIR_VOLATILE"));
        assert!(found, "{named:?}");
        assert_eq!(
            fs::read_dir(volatile.path()).unwrap().count(),
            0,
            "the probe is gone"
        );
    }
    let config = place.node_toml();
    for language in ["en", "zh"] {
        let words = [
            "doctor",
            "--lang",
            language,
            "--config",
            config.to_str().unwrap(),
        ];
        let ran = tokio::task::block_in_place(|| binary::run(&words));
        let all = ran.out + &ran.notes;
        for (role, path) in [
            ("log key", place.node_dir().join("log.key")),
            (
                "tls key",
                place.node_dir().join(format!("{}.key", cast::node())),
            ),
        ] {
            let secret = fs::read_to_string(path).unwrap();
            let lines = secret.lines().filter(|line| !line.starts_with('-'));
            for line in lines {
                assert!(!all.contains(line), "the {role} is printed");
            }
        }
    }
}

#[test]
fn without_a_configuration_the_machine_alone_is_examined() {
    let ran = binary::run(&["doctor", "--json"]);
    let checks: Vec<_> = ran
        .json()
        .iter()
        .filter_map(|line| Some(line["check"].as_str()?.to_owned()))
        .collect();
    assert_eq!(checks, ["page size", "open files", "clock"], "{ran:?}");
    let ran = binary::run(&["doctor", "--json", "--config", "/nowhere/node.toml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("FILE_UNREADABLE"), "{ran:?}");
}
