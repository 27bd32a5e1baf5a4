//! The coordinator gives up what need not be kept, years later: nodes go on, readers old and new verify, and what was handed
//! out before proves as ever.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lingqu_client::archive::{self, ArchiveWriter, write_dropped};
use lingqu_client::{Event, Feed, FeedBroken, Seen};
use lingqu_coordinator::{PastState, PastStreams};
use lingqu_core::ErrorCode;
use lingqu_core::receipt::Receipt;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{self, Party};
use lingqu_tlog::Intl;
use lingqu_transport::PeerId;
use lingqu_transport::pki::DevAuthority;

use crate::binary::{Ran, run};
use crate::network::{Setup, World};
use crate::succession::{call, end_stream, go_on, key_of};

/// More than six years: certificates, terms of grants and six months after them are over.
const YEARS_S: i64 = 6 * 366 * 86_400;

/// Small segments, so that a stream fills some; what is past is given up after the least that may be configured.
fn small(toml: String) -> String {
    toml.replace(
        "segment_bytes = 33554432",
        "segment_bytes = 524288\nbatch_bytes_max = 131072\nstream_keep_months = 6",
    )
}

/// A network whose stream has ended and is followed by another, with several segments of each.
async fn ended() -> (World, String, Receipt) {
    let mut world = World::with(Setup {
        coordinator: small,
        ..Setup::default()
    })
    .await;
    let bank = world.caller(Party::Bank).await;
    let answered = bank.verify(&call()).await.unwrap();
    calls(&world, 150).await;
    let begins = key_of(&world, "9999h1", "node/log.key");
    let old = world.journal().origin().to_owned();
    end_stream(&mut world, &begins).await;
    go_on(&mut world, &begins).await;
    calls(&world, 150).await;
    world.mirrored().await;
    (world, old, answered.receipt)
}

async fn calls(world: &World, count: usize) {
    let bank = world.caller(Party::Bank).await;
    for _ in 0..count {
        assert_eq!(bank.told(&call()).await, "MATCH");
    }
}

async fn past(world: &World, drop: bool) -> PastStreams {
    let coordinator = world.network.coordinator().unwrap();
    coordinator.past_streams(drop).await.unwrap()
}

fn state_of(past: &PastStreams, origin: &str) -> PastState {
    let stream = past.streams.iter().find(|stream| stream.origin == origin);
    stream.unwrap().state
}

/// What a regulator with the trust file of before is shown from the beginning, or from where it was.
async fn followed(
    world: &World,
    trust: &Trust<Intl>,
    seen: Seen,
) -> Result<(Vec<Event>, Seen), FeedBroken> {
    let identity = world.network.identity(Party::Bureau).unwrap();
    let channel = world.network.dial_coordinator(&identity).await.unwrap();
    let coordinator = world.network.coordinator().unwrap();
    let heads = Trust::parse(&coordinator.head_trust()).unwrap();
    let region = cast::REGION.parse().unwrap();
    let feed = Feed::follow(channel, &region, true, trust.clone(), heads, seen);
    let mut feed = feed.await?;
    let mut events = Vec::new();
    while let Some(event) = feed.next().await? {
        events.push(event);
    }
    Ok((events, feed.into_seen()))
}

fn records_of(events: &[Event], stream: &str) -> usize {
    let of = events.iter().map(|event| match event {
        Event::Records {
            origin, records, ..
        } if origin == stream => records.len(),
        Event::Records { .. } | Event::Dropped { .. } | Event::Complete { .. } => 0,
    });
    of.sum()
}

fn ends_of(events: &[Event]) -> Vec<&Receipt> {
    let ends = events.iter().filter_map(|event| match event {
        Event::Dropped { end: Some(end), .. } => Some(&end.1),
        Event::Dropped { end: None, .. } | Event::Records { .. } | Event::Complete { .. } => None,
    });
    ends.collect()
}

/// New certificates by the same authority, for everybody who speaks after the years.
fn renew_certificates(world: &World) {
    let dir = world.network.files().dir();
    let authority = DevAuthority::load(&dir.join("ca")).unwrap();
    let mut renewed = 0;
    for entry in walk(dir) {
        let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let Some(id) = name.strip_suffix(".pem") else {
            continue;
        };
        let Ok(id) = id.parse::<PeerId>() else {
            continue;
        };
        let clock = world.network.clock().as_ref();
        let issued = authority.issue(&id, &["localhost", "127.0.0.1"], 30, clock);
        issued.unwrap().write(entry.parent().unwrap()).unwrap();
        renewed += 1;
    }
    assert!(renewed > 3, "coordinator, node and parties");
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path),
        }
    }
    found
}

/// nothing goes before its time, by whatever clock; then it goes, and everything that must stay does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_past_stream_goes_when_its_time_is_over_and_everything_else_goes_on() {
    let (mut world, old, receipt) = ended().await;
    let next = world.journal().origin().to_owned();
    let trust = first_trust(&world, &old);
    let (before, seen) = followed(&world, &trust, Seen::default()).await.unwrap();
    let of_old = records_of(&before, &old);
    assert!(of_old > 150 && records_of(&before, &next) > 150);
    let kept = past(&world, true).await;
    assert_eq!(state_of(&kept, &old), PastState::Kept);
    assert_eq!(kept.segments, 0);
    // The coordinator's clock alone is years ahead: no node has recorded that so much time has passed.
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    world.clock.move_by_s(YEARS_S);
    renew_certificates(&world);
    world.network.start_coordinator().await.unwrap();
    let kept = past(&world, true).await;
    assert_eq!(state_of(&kept, &old), PastState::Kept, "{}", kept.judged_at);
    // Years later at both sides: the node records, and the time of the stream is over.
    world.open_node(|_| {}).await;
    world.mirrored().await;
    beat(&world).await;
    let ready = past(&world, false).await;
    assert_eq!(state_of(&ready, &old), PastState::Ready, "{ready:?}");
    assert!(ready.segments > 0);
    let dropped = past(&world, true).await;
    assert_eq!(state_of(&dropped, &old), PastState::Dropped);
    assert_eq!(dropped.segments, ready.segments);
    assert_eq!(past(&world, true).await.segments, 0);
    refused_to_the_node(&world, &old).await;
    // Over a restart of both, the node goes on.
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    world.network.start_coordinator().await.unwrap();
    world.open_node(|_| {}).await;
    world.mirrored().await;
    beat(&world).await;
    for resumed in [Seen::default(), seen] {
        let is_new = resumed.is_new();
        let (after, _) = followed(&world, &trust, resumed).await.unwrap();
        assert_eq!(records_of(&after, &old), 0);
        assert_eq!(records_of(&after, &next) > 150, is_new);
        let ends = ends_of(&after);
        assert_eq!(ends.len(), usize::from(is_new));
        ends.iter()
            .for_each(|end| drop(end.verify(&trust).unwrap()));
        if is_new {
            let heads = Trust::parse(&world.network.coordinator().unwrap().head_trust());
            an_archive_of_after(&after, &[trust.clone(), heads.unwrap()], &old);
        }
    }
    // What was handed out before proves as ever, by the keys of before.
    receipt.verify(&trust).unwrap();
    world.end().await;
}

/// What is exported after the drop verifies with the keys of before, and not without the proof of the end.
fn an_archive_of_after(events: &[Event], trusts: &[Trust<Intl>], old: &str) {
    let dir = tempfile::tempdir().unwrap();
    exported(events, dir.path());
    let verified = archive::verify(dir.path(), trusts, &[]).unwrap();
    let ends: Vec<&str> = verified
        .dropped
        .iter()
        .map(|end| end.origin.as_str())
        .collect();
    assert_eq!(ends, [old]);
    assert!(verified.logs.iter().all(|log| log.origin != old));
    let proof = dir.path().join(old).join("dropped");
    let text = fs::read_to_string(&proof).unwrap();
    fs::remove_file(&proof).unwrap();
    assert!(
        archive::verify(dir.path(), trusts, &[]).is_err(),
        "without the proof of the end"
    );
    let at = text.len() / 2;
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    fs::write(&proof, [&text[..at], other, &text[at + 1..]].concat()).unwrap();
    assert!(
        archive::verify(dir.path(), trusts, &[]).is_err(),
        "with an altered one"
    );
}

/// Writes what was followed, as `audit export` does.
fn exported(events: &[Event], dir: &Path) {
    let mut logs: BTreeMap<String, (ArchiveWriter, String)> = BTreeMap::new();
    let mut heads: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut append = |origin: &str, entries: Vec<Vec<u8>>, checkpoint: String| {
        let log = logs.entry(origin.to_owned());
        let log =
            log.or_insert_with(|| (ArchiveWriter::create(dir, origin).unwrap(), String::new()));
        entries
            .iter()
            .for_each(|entry| log.0.append(entry).unwrap());
        log.1 = checkpoint;
    };
    for event in events {
        match event {
            Event::Records {
                origin,
                region,
                records,
                head,
                ..
            } => {
                let entries = records.iter().map(|record| record.encode::<Intl>());
                let note = lingqu_client::Head::decode(head).unwrap().note;
                append(origin, entries.collect(), note.to_string());
                heads
                    .entry(region.to_string())
                    .or_default()
                    .push(head.clone());
            }
            Event::Dropped {
                region, head, end, ..
            } => {
                heads
                    .entry(region.to_string())
                    .or_default()
                    .push(head.clone());
                if let Some(end) = end {
                    write_dropped(dir, &end.1).unwrap();
                }
            }
            Event::Complete {
                region, checkpoint, ..
            } => {
                let origin = checkpoint.lines().next().unwrap();
                let leaves = heads.remove(&region.to_string()).unwrap_or_default();
                append(origin, leaves, checkpoint.clone());
            }
        }
    }
    for (writer, checkpoint) in logs.into_values() {
        writer.finish(&checkpoint).unwrap();
    }
}

/// Trust in the first stream and the mirror, and in nothing else: what a regulator was given years ago.
fn first_trust(world: &World, old: &str) -> Trust<Intl> {
    let text = world.network.trust_text().unwrap();
    let is_other = |line: &&str| !line.starts_with("log ") || line.contains(&format!("{old}+"));
    let own = world.network.coordinator().unwrap().own_origin().to_owned();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| is_other(line) || line.contains(&format!("{own}+")))
        .collect();
    Trust::parse(&(lines.join("\n") + "\n")).unwrap()
}

/// The node records something by its clock of now, and the mirror has it.
async fn beat(world: &World) {
    let draft = lingqu_core::record::Draft::new(lingqu_core::record::Kind::Heartbeat);
    let patience = crate::network::PATIENCE;
    let recorded = world.journal().append_mirrored(draft, patience).await;
    assert!(matches!(recorded, Ok(Some(_))));
}

async fn refused_to_the_node(world: &World, old: &str) {
    use lingqu_proto::pb;
    use lingqu_proto::pb::mirror_client::MirrorClient;
    let node = PeerId::Node(cast::node());
    let files = world.network.files();
    let identity = files.identity(&node, world.network.clock()).unwrap();
    let channel = world.network.dial_coordinator(&identity).await.unwrap();
    let request = pb::EntriesRequest {
        origin: old.to_owned(),
        first: 0,
    };
    let answered = MirrorClient::new(channel).entries(request).await.unwrap();
    let mut answered = answered.into_inner();
    let told = answered.message().await.unwrap().unwrap();
    assert!(told.entries.is_empty() && told.checkpoint.contains(old));
    let refused = answered.message().await.unwrap_err();
    assert_eq!(
        lingqu_transport::code_of(&refused),
        Some(ErrorCode::StreamPruned)
    );
}

/// R-283, with `lingqu` as an operator runs it: nothing goes early, and no configuration says less than six months.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_command_keeps_what_must_be_kept() {
    let (mut world, _old, _) = ended().await;
    world.network.stop_node().await.unwrap();
    world.network.stop_coordinator().await.unwrap();
    let toml = world.network.files().coordinator_toml();
    let past = |more: &[&str]| -> Ran {
        let toml = toml.display().to_string();
        let line = [&["coordinator", "past", "--config", &toml], more].concat();
        tokio::task::block_in_place(|| run(&line))
    };
    // Now, by the clock of this machine, everything is kept; without the limit nothing may even be asked to go.
    for words in [&[][..], &["--drop"]] {
        let ran = past(words);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("stream_keep_months = 6", "")).unwrap();
    let ran = past(&["--drop"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.notes.contains(ErrorCode::RetentionNotElapsed.as_str()),
        "{ran:?}"
    );
    fs::write(
        &toml,
        text.replace("stream_keep_months = 6", "stream_keep_months = 5"),
    )
    .unwrap();
    let ran = past(&[]);
    assert_eq!(
        ran.code,
        Some(2),
        "R-283: less than six months is refused: {ran:?}"
    );
    assert!(ran.notes.contains("stream_keep_months"), "{ran:?}");
}
