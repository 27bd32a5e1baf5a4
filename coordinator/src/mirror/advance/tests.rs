//! A base changes nothing that anybody can see: whatever is asked before and after it, over starts, crashes and damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lingqu_core::Region;
use lingqu_tlog::{Hash, Intl, verify_consistency, verify_inclusion};

use super::super::files::Plan;
use super::super::testbed::{Bed, Writer, replicate};
use super::super::{MirrorOpenError, base};
use super::*;

/// Everything that readers can ask.
#[derive(Debug, PartialEq, Eq)]
struct Everything {
    entries: BTreeMap<String, Vec<Vec<u8>>>,
    checkpoints: BTreeMap<(String, u64), Option<String>>,
    notes: BTreeMap<String, String>,
    leaves: BTreeMap<(Region, u64), Vec<u8>>,
    /// Origin, first entry, size.
    heads: BTreeMap<(Region, u64), (String, u64, u64)>,
}

fn everything(mirror: &Mirror) -> Everything {
    let mut all = Everything {
        entries: BTreeMap::new(),
        checkpoints: BTreeMap::new(),
        notes: BTreeMap::new(),
        leaves: BTreeMap::new(),
        heads: BTreeMap::new(),
    };
    for origin in mirror
        .shared
        .state()
        .held
        .keys()
        .cloned()
        .collect::<Vec<_>>()
    {
        let size = mirror.size(&origin);
        let mut entries = Vec::new();
        while (entries.len() as u64) < size {
            let next = entries.len() as u64;
            entries.extend(mirror.archive.entries(&origin, next, size, 900).unwrap());
        }
        for at in (0..=size).filter(|_| origin != mirror.own.origin) {
            let text = mirror.archive.checkpoint(&origin, at).unwrap();
            let text = text.map(|note| note.split_once("\n\n").unwrap().0.to_owned());
            all.checkpoints.insert((origin.clone(), at), text);
        }
        all.notes.insert(
            origin.clone(),
            mirror.cosigned(&origin).unwrap().note.to_string(),
        );
        all.entries.insert(origin, entries);
    }
    let logs: Vec<(Region, u64)> = {
        let state = mirror.shared.state();
        state
            .logs
            .values()
            .map(|log| (log.region.clone(), log.size()))
            .collect()
    };
    for (region, size) in logs {
        for index in 0..size {
            let head = mirror.archive.head(&region, index).unwrap();
            let leaf = mirror.archive.leaf(&region, index).unwrap();
            let key = (region.clone(), index);
            all.heads
                .insert(key.clone(), (head.origin, head.first, head.size));
            all.leaves.insert(key, leaf);
        }
        check_proofs(mirror, &region, size, &all);
    }
    all
}

/// Every proof about every head and size must hold.
fn check_proofs(mirror: &Mirror, region: &Region, size: u64, all: &Everything) {
    let state = mirror.shared.state();
    let log = &state.logs[region];
    let root = log.root_at(size).unwrap();
    for index in 0..size {
        let leaf = lingqu_tlog::leaf_hash::<Intl>(&all.leaves[&(region.clone(), index)]);
        let proof = log.inclusion_proof(index, size).unwrap();
        verify_inclusion::<Intl>(leaf, index, size, root, &proof).unwrap();
        let old: Hash = log.root_at(index).unwrap();
        let proof = log.consistency_proof(index, size).unwrap();
        verify_consistency::<Intl>(index, size, old, root, &proof).unwrap();
    }
}

/// Two streams in two regions, the own one between them, and heads of all.
async fn grow(mirror: &Arc<Mirror>, writers: &mut [Writer], rounds: usize) {
    for round in 0..rounds {
        for writer in writers.iter_mut() {
            writer.write(3);
            replicate(mirror, writer, 2).await;
        }
        if round % 3 == 0 {
            let mut draft = lingqu_core::record::Draft::new(lingqu_core::record::Kind::Control);
            draft.clear = lingqu_core::record::Clear::default()
                .text(lingqu_core::record::Field::Action, "act");
            mirror.append_own(vec![draft]).await.unwrap();
        }
        mirror.tick().await.unwrap();
    }
}

fn writers() -> [Writer; 2] {
    [Writer::new("a", "4501", 1), Writer::new("b", "45", 2)]
}

/// A grown mirror, closed, and what it held.
async fn grown(bed: &Bed, writers: &mut [Writer], advances: usize) -> Everything {
    let mirror = bed.open();
    for _ in 0..advances {
        grow(&mirror, writers, 12).await;
        assert!(mirror.advance(true).unwrap());
        assert!(!mirror.advance(true).unwrap(), "there is no full segment");
    }
    grow(&mirror, writers, 3).await;
    let all = everything(&mirror);
    mirror.close();
    all
}

fn bed(writers: &[Writer]) -> Bed {
    Bed::new(&writers.iter().collect::<Vec<_>>())
}

#[tokio::test]
async fn nothing_that_is_asked_changes_with_a_base() {
    let mut writers = writers();
    let bed = bed(&writers);
    let mirror = bed.open();
    for _ in 0..3 {
        grow(&mirror, &mut writers, 12).await;
        let before = everything(&mirror);
        assert!(mirror.advance(true).unwrap());
        assert!(everything(&mirror) == before);
    }
    let before = everything(&mirror);
    mirror.close();
    drop(mirror);
    let mirror = bed.open();
    assert!(everything(&mirror) == before);
    // And it goes on, with heads and proofs over the border.
    grow(&mirror, &mut writers, 12).await;
    let before = everything(&mirror);
    assert!(mirror.advance(true).unwrap());
    mirror.close();
    drop(mirror);
    assert!(everything(&bed.open()) == before);
}

/// What is before the base is not read at a start, and not in memory.
#[tokio::test]
async fn a_start_costs_the_tail_only() {
    let mut writers = writers();
    let bed = bed(&writers);
    let all = grown(&bed, &mut writers, 2).await;
    let first = bed.wal().join(format!("{:016x}.wal", 0));
    let mut bytes = fs::read(&first).unwrap();
    // In the first frame, behind its head.
    bytes[4_096 + 100] ^= 1;
    fs::write(&first, bytes).unwrap();
    let mirror = bed.open();
    {
        let state = mirror.shared.state();
        let batches: usize = state.held.values().map(|held| held.batches.len()).sum();
        let entries: usize = all.entries.values().map(Vec::len).sum();
        assert!(batches < entries / 4, "{batches} of {entries}");
    }
    let origin = writers[0].origin();
    assert!(mirror.archive.entries(&origin, 0, 1, 900).is_err());
    let last = mirror.size(&origin) - 1;
    assert!(mirror.archive.entries(&origin, last, last + 1, 900).is_ok());
}

#[tokio::test]
async fn a_crash_at_each_step_leaves_the_old_base_or_the_new_one() {
    let mut writers = writers();
    let template = bed(&writers);
    grown(&template, &mut writers, 1).await;
    {
        let mirror = template.open();
        grow(&mirror, &mut writers, 12).await;
        mirror.close();
    }
    let mut step = 0;
    loop {
        let mut ended = true;
        for is_done in [false, true] {
            let bed = bed(&writers);
            copy(template.dir.path(), bed.dir.path());
            let mirror = bed.open();
            let before = everything(&mirror);
            let plan = Plan { step, is_done };
            mirror.keeping.lock().unwrap().files.plan(Some(plan));
            let advanced = mirror.advance(true);
            mirror.close();
            drop(mirror);
            ended &= advanced.is_ok();
            let mirror = bed.open();
            assert!(everything(&mirror) == before, "step {step}, {is_done}");
            mirror.advance(true).unwrap();
            assert!(everything(&mirror) == before, "step {step}, {is_done}");
            mirror.close();
            drop(mirror);
            assert!(everything(&bed.open()) == before, "step {step}, {is_done}");
        }
        if ended {
            assert!(step > 10, "there are that many durable steps");
            return;
        }
        step += 1;
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn base_file(bed: &Bed) -> std::path::PathBuf {
    bed.dir.path().join("mirror-base").join(base::NAME)
}

#[tokio::test]
async fn a_damaged_base_is_refused() {
    let mut writers = writers();
    let bed = bed(&writers);
    let all = grown(&bed, &mut writers, 1).await;
    let path = base_file(&bed);
    let good = fs::read(&path).unwrap();
    let refused = |what: String, bytes: Vec<u8>| {
        fs::write(&path, bytes).unwrap();
        let opened = bed.try_open(writers.iter().map(Writer::stream).collect());
        assert!(matches!(opened, Err(MirrorOpenError::Base(_))), "{what}");
    };
    let keys = super::super::testbed::keys();
    let key = bed.open().own.log_key.clone();
    let log = bed.open().keeping.lock().unwrap().log;
    let again = Base::decode(&good, log, &key).unwrap();
    assert_eq!(
        again.encode(log, &key, keys.log.as_ref()),
        good,
        "one encoding"
    );
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        assert!(Base::decode(&bytes, log, &key).is_err(), "byte {at}");
        assert!(Base::decode(&good[..at], log, &key).is_err(), "cut to {at}");
        if at % 97 == 0 {
            refused(format!("byte {at}"), bytes);
        }
    }
    refused("more".to_owned(), [good.clone(), vec![0]].concat());
    fs::write(&path, good).unwrap();
    assert!(everything(&bed.open()) == all);
    // Without any the log is read from its beginning, and nothing is missing.
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert!(everything(&bed.open()) == all);
}

#[tokio::test]
async fn a_base_of_somebody_else_is_refused_and_an_older_one_is_harmless() {
    let mut writers = writers();
    let template = bed(&writers);
    grown(&template, &mut writers, 1).await;
    let older = fs::read(base_file(&template)).unwrap();
    let mirror = template.open();
    grow(&mirror, &mut writers, 12).await;
    assert!(mirror.advance(true).unwrap());
    let all = everything(&mirror);
    let newer = mirror.keeping.lock().unwrap();
    let (log, key) = (newer.log, newer.own.log_key.clone());
    drop(newer);
    mirror.close();
    drop(mirror);
    fs::write(base_file(&template), &older).unwrap();
    assert!(everything(&template.open()) == all, "older");
    // The same content under another key, and of another log.
    let (content, _) = Base::load(&template.files_at(&template.wal()), log, &key)
        .unwrap()
        .unwrap();
    let other = lingqu_tlog::Ed25519Signer::from_seed([77; 32]);
    fs::write(base_file(&template), content.encode(log, &key, &other)).unwrap();
    let streams = || writers.iter().map(Writer::stream).collect();
    assert!(template.try_open(streams()).is_err(), "another key");
    let keys = super::super::testbed::keys();
    let of_other = content.encode(LogId([9; 16]), &key, keys.log.as_ref());
    fs::write(base_file(&template), of_other).unwrap();
    assert!(template.try_open(streams()).is_err(), "another log");
}

/// Signed with the right key, and saying what is not so: only somebody with the coordinator's key could write it.
#[tokio::test]
async fn a_base_that_lies_is_refused() {
    let mut writers = writers();
    let bed = bed(&writers);
    let all = grown(&bed, &mut writers, 1).await;
    let keys = super::super::testbed::keys();
    let key = bed.open().own.log_key.clone();
    let log = bed.open().keeping.lock().unwrap().log;
    let (good, _) = Base::load(&bed.files_at(&bed.wal()), log, &key)
        .unwrap()
        .unwrap();
    let at = good
        .streams
        .iter()
        .position(|of| of.origin == writers[0].origin())
        .unwrap();
    type Lie = fn(&mut Base, usize);
    let lies: [(&str, Lie); 12] = [
        ("a stream less", |base, at| drop(base.streams.remove(at))),
        ("an older time of the cosignature", |base, at| {
            base.streams[at].taken.0 -= 1_000_000
        }),
        ("another checkpoint", |base, at| {
            let other = (at + 1) % base.streams.len();
            base.streams[at].note = base.streams[other].note.clone();
        }),
        ("another tree", |base, at| {
            let other = (at + 1) % base.streams.len();
            base.streams[at].frontier = base.streams[other].frontier.clone();
        }),
        ("more entries that are covered", |base, at| {
            base.streams[at].headed -= 1
        }),
        ("another newest head", |base, at| {
            base.streams[at].last_head = Some(0)
        }),
        ("no head", |base, at| base.streams[at].last_head = None),
        ("dropped, though it goes on", |base, at| {
            base.streams[at].is_dropped = true
        }),
        ("an end that is none", |base, at| {
            base.streams[at].course = OfCourse::Ended(vec![1], Vec::new());
        }),
        ("another head log", |base, _| {
            base.regions[0].checkpoint = base.regions[1].checkpoint.clone();
        }),
        ("fewer kept bytes", |base, _| base.regions[0].bytes -= 1),
        ("more own bytes", |base, _| base.own_bytes += 1),
    ];
    for (what, lie) in lies {
        let mut base = good.clone();
        lie(&mut base, at);
        fs::write(base_file(&bed), base.encode(log, &key, keys.log.as_ref())).unwrap();
        let opened = bed.try_open(writers.iter().map(Writer::stream).collect());
        assert!(opened.is_err(), "{what}");
    }
    fs::write(base_file(&bed), good.encode(log, &key, keys.log.as_ref())).unwrap();
    assert!(everything(&bed.open()) == all);
}

#[tokio::test]
async fn damaged_indices_are_made_again_and_damaged_items_are_no_answer() {
    let mut writers = writers();
    let bed = bed(&writers);
    let all = grown(&bed, &mut writers, 2).await;
    let dir = bed.dir.path().join("mirror-base");
    let named = |end: &str| -> Vec<std::path::PathBuf> {
        let found = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        found
            .filter(|path| path.to_string_lossy().ends_with(end))
            .collect()
    };
    let indices = named(".batches");
    assert!(indices.len() > 2);
    for (index, path) in indices.iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() * index / indices.len();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    fs::remove_file(&indices[0]).unwrap();
    fs::copy(&indices[1], &indices[2]).unwrap();
    assert!(everything(&bed.open()) == all);
    for end in [".items", ".places", ".tree-0"] {
        for path in named(end) {
            let good = fs::read(&path).unwrap();
            for part in 0..8 {
                let mut bytes = good.clone();
                let at = bytes.len() * part / 8;
                bytes[at] ^= 1;
                fs::write(&path, bytes).unwrap();
                shows_nothing_wrong(&bed, &writers, &all, &path);
            }
            fs::write(&path, &good[..good.len() - 1]).unwrap();
            shows_nothing_wrong(&bed, &writers, &all, &path);
            fs::write(&path, good).unwrap();
        }
    }
    assert!(everything(&bed.open()) == all);
}

/// Either it does not open, or what it gives is what was there, or an error.
fn shows_nothing_wrong(bed: &Bed, writers: &[Writer], all: &Everything, what: &Path) {
    let Ok(mirror) = bed.try_open(writers.iter().map(Writer::stream).collect()) else {
        return;
    };
    let mut errors = 0;
    for ((region, index), leaf) in &all.leaves {
        match mirror.archive.leaf(region, *index) {
            Ok(found) => assert_eq!(found, *leaf, "{}", what.display()),
            Err(_) => errors += 1,
        }
    }
    for (entry, index) in all.entries[&mirror.own.origin].iter().zip(0..) {
        let found = mirror
            .archive
            .entries(&mirror.own.origin, index, index + 1, 900);
        match found {
            Ok(found) => assert_eq!(found[0], *entry, "{}", what.display()),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 0, "{}", what.display());
}
