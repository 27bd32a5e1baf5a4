use std::fs;
use std::path::Path;

use lingqu_core::Timestamp;
use lingqu_core::record::{Draft, Kind, StreamId};
use lingqu_core::trust::Trust;
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Fork, Frontier, Intl, KeyName, Note, Quorum, Signer, VerifierKey,
    leaf_hash, sign_cosignature, sign_note,
};

use super::*;

pub(super) const STREAM: &str = "c.example/s/tb-01/4591/2026h2";
pub(super) const HEADS: &str = "c.example/h/4591";
const COUNT: u64 = 600;

fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed([seed; 32])
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn note(origin: &str, entries: &[Vec<u8>], seed: u8, cosigner: Option<(&str, u8)>) -> String {
    let mut tree = Frontier::<Intl>::new();
    entries
        .iter()
        .for_each(|entry| tree.push(leaf_hash::<Intl>(entry)));
    let (size, root) = (tree.size(), tree.root());
    let text = Checkpoint {
        origin: origin.to_owned(),
        size,
        root,
    }
    .to_text();
    let mut signatures = vec![sign_note::<Intl>(&text, &name(origin), &signer(seed)).unwrap()];
    if let Some((cosigner, seed)) = cosigner {
        let line = sign_cosignature::<Intl>(&text, &name(cosigner), 1_800_000_000, &signer(seed));
        signatures.push(line.unwrap());
    }
    Note { text, signatures }.to_string()
}

pub(super) fn records(count: u64) -> Vec<Vec<u8>> {
    let id = StreamId::of::<Intl>(STREAM);
    let record = |index: u64| {
        let time = Timestamp(1_000_000 + i64::try_from(index).unwrap());
        Draft::new(Kind::NodeStart)
            .at(id, index, time)
            .encode::<Intl>()
    };
    (0..count).map(record).collect()
}

pub(super) fn stream_note(entries: &[Vec<u8>]) -> String {
    note(STREAM, entries, 1, Some(("c.example/mirror", 2)))
}

fn head(entries: &[Vec<u8>]) -> Vec<u8> {
    format!("lingqu/head/v1\n{}\n{}", 7, stream_note(entries)).into_bytes()
}

pub(super) fn write(
    root: &Path,
    origin: &str,
    entries: &[Vec<u8>],
    note: &str,
) -> Result<(), ArchiveFailed> {
    let mut writer = ArchiveWriter::create(root, origin)?;
    entries.iter().try_for_each(|entry| writer.append(entry))?;
    assert_eq!(writer.size(), entries.len() as u64);
    writer.finish(note)
}

/// An archive of a stream and its head log, with heads at these sizes.
pub(super) fn archive(root: &Path, heads: &[usize]) -> Vec<Vec<u8>> {
    let records = records(COUNT);
    write(root, STREAM, &records, &stream_note(&records)).unwrap();
    let heads: Vec<Vec<u8>> = heads.iter().map(|size| head(&records[..*size])).collect();
    let signed = note(HEADS, &heads, 3, Some(("w.example/1", 4)));
    write(root, HEADS, &heads, &signed).unwrap();
    records
}

fn log_key() -> VerifierKey<Intl> {
    VerifierKey::note(name(STREAM), signer(1).public_key()).unwrap()
}

pub(super) fn trusts() -> Vec<Trust<Intl>> {
    let mirror = VerifierKey::<Intl>::cosignature(name("c.example/mirror"), signer(2).public_key());
    let heads = VerifierKey::<Intl>::note(name(HEADS), signer(3).public_key());
    let witness = VerifierKey::<Intl>::cosignature(name("w.example/1"), signer(4).public_key());
    let streams = format!(
        "log {}\nwitness m {}\nquorum m\n",
        log_key(),
        mirror.unwrap()
    );
    let heads = format!(
        "log {}\nwitness w {}\nquorum w\n",
        heads.unwrap(),
        witness.unwrap()
    );
    vec![
        Trust::parse(&streams).unwrap(),
        Trust::parse(&heads).unwrap(),
    ]
}

fn file(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(STREAM).join(path)
}

#[test]
fn an_archive_verifies_with_and_without_keys() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), &[1, 256, 600]);
    for trusts in [trusts(), Vec::new()] {
        let reports = verify_all(dir.path(), &trusts).unwrap();
        let [heads, stream] = reports.as_slice() else {
            panic!("{reports:?}")
        };
        assert_eq!((heads.kind, heads.size), (LogKind::HeadLog, 3));
        assert_eq!((stream.kind, stream.size), (LogKind::Stream, COUNT));
        assert_eq!(stream.cosigned.len(), trusts.len() / 2);
    }
}

/// any edit or deletion is detected.
#[test]
fn no_byte_of_an_archive_can_be_altered() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), &[600]);
    for path in [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ] {
        let path = file(dir.path(), path);
        let good = fs::read(&path).unwrap();
        for place in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(
                verify_all(dir.path(), &trusts()).is_err(),
                "{path:?} at {place}"
            );
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(verify_all(dir.path(), &trusts()).is_err(), "{path:?} cut");
        fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
        assert!(
            verify_all(dir.path(), &trusts()).is_err(),
            "{path:?} longer"
        );
        fs::remove_file(&path).unwrap();
        assert!(verify_all(dir.path(), &trusts()).is_err(), "{path:?} gone");
        fs::write(&path, &good).unwrap();
    }
    verify_all(dir.path(), &trusts()).unwrap();
}

#[test]
fn a_link_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path(), &[600]);
    let path = file(dir.path(), "tile/entries/000");
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(matches!(
        verify_all(dir.path(), &trusts()),
        Err(ArchiveFailed::Tile(_))
    ));
}

#[test]
fn a_stream_that_lacks_what_a_head_is_about_is_not_complete() {
    let dir = tempfile::tempdir().unwrap();
    let records = archive(dir.path(), &[600]);
    fs::remove_dir_all(dir.path().join(STREAM)).unwrap();
    let refused = verify_all(dir.path(), &trusts());
    assert!(matches!(
        refused,
        Err(ArchiveFailed::Incomplete { size: 600, .. })
    ));
    // The node and its mirror sign a shorter stream: true in itself, but the head log knows more.
    write(
        dir.path(),
        STREAM,
        &records[..500],
        &stream_note(&records[..500]),
    )
    .unwrap();
    let refused = verify_all(dir.path(), &trusts());
    assert!(matches!(
        refused,
        Err(ArchiveFailed::Incomplete { size: 600, .. })
    ));
}

/// The malicious node and mirror together: they rewrite an entry and sign the new history.
#[test]
fn a_rewritten_stream_contradicts_its_heads_and_is_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = archive(dir.path(), &[300, 600]);
    let first = LogFiles::open(&dir.path().join(STREAM)).unwrap();
    fs::remove_dir_all(dir.path().join(STREAM)).unwrap();
    let id = StreamId::of::<Intl>(STREAM);
    records[10] = Draft::new(Kind::NodeStop)
        .at(id, 10, Timestamp(1_000_010))
        .encode::<Intl>();
    write(dir.path(), STREAM, &records, &stream_note(&records)).unwrap();
    let refused = verify_all(dir.path(), &trusts());
    assert!(
        matches!(refused, Err(ArchiveFailed::Contradiction { size: 300, .. })),
        "{refused:?}"
    );
    // Whoever has both can prove it to a third party with the log's key alone.
    let second = LogFiles::open(&dir.path().join(STREAM)).unwrap();
    let fork = second
        .fork_with(&Note::parse(&first.note).unwrap(), &log_key())
        .unwrap()
        .unwrap();
    assert_eq!(fork.verify(&log_key()), Ok(600));
    let same = second.fork_with(&Note::parse(&second.note).unwrap(), &log_key());
    assert_eq!(same.unwrap(), None);
    // A smaller checkpoint that was signed before needs the archive's own proof.
    let before = self::records(300);
    let half = Note::parse(stream_note(&before)).unwrap();
    let fork = second.fork_with(&half, &log_key()).unwrap().unwrap();
    assert_eq!(fork.verify(&log_key()), Ok(300));
    assert_eq!(Fork::parse(&fork.to_string()), Some(fork));
    let prefix = Note::parse(stream_note(&records[..300])).unwrap();
    assert_eq!(second.fork_with(&prefix, &log_key()).unwrap(), None);
    // An archive whose files do not lead to its checkpoint says nothing, least of all that all is well.
    let tile = dir.path().join(STREAM).join("tile/0/001");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[40] ^= 1;
    fs::write(&tile, &bytes).unwrap();
    for signed in [&half, &prefix] {
        let compared = second.fork_with(signed, &log_key());
        assert!(
            matches!(compared, Err(ProveFailed::NotCompared(_))),
            "{compared:?}"
        );
    }
    // A larger one says nothing: the archive may be older.
    let smaller = tempfile::tempdir().unwrap();
    write(smaller.path(), STREAM, &before, &stream_note(&before)).unwrap();
    let smaller = LogFiles::open(&smaller.path().join(STREAM)).unwrap();
    let larger = Note::parse(&first.note).unwrap();
    assert!(smaller.fork_with(&larger, &log_key()).is_err());
}

#[test]
fn heads_that_repeat_or_go_back_are_refused() {
    for heads in [[300, 300], [600, 300]] {
        let dir = tempfile::tempdir().unwrap();
        archive(dir.path(), &heads);
        let refused = verify_all(dir.path(), &trusts());
        assert!(
            matches!(refused, Err(ArchiveFailed::Entry { index: 1, .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn proofs_out_of_an_archive_verify_alone() {
    let dir = tempfile::tempdir().unwrap();
    let records = archive(dir.path(), &[600]);
    let log = LogFiles::open(&dir.path().join(STREAM)).unwrap();
    let mirror = VerifierKey::<Intl>::cosignature(name("c.example/mirror"), signer(2).public_key());
    let quorum = Quorum::new(vec![mirror.unwrap()], 1).unwrap();
    for index in [0, 255, 256, 599] {
        let proof = log.prove_entry(index).unwrap();
        let entry = proof.extra.clone().unwrap();
        assert_eq!(entry, records[usize::try_from(index).unwrap()]);
        let verified = proof
            .verify(leaf_hash::<Intl>(&entry), &log_key(), &quorum)
            .unwrap();
        assert_eq!(verified.checkpoint.size, COUNT);
    }
    assert!(matches!(log.prove_entry(600), Err(ProveFailed::Outside(_))));
    let (proof, root) = log.prove_prefix(300).unwrap();
    let mut old = Frontier::<Intl>::new();
    records[..300]
        .iter()
        .for_each(|entry| old.push(leaf_hash::<Intl>(entry)));
    assert_eq!(root, old.root());
    assert_eq!(proof.verify(&log_key(), old.root()).unwrap().size, COUNT);
    assert!(matches!(
        log.prove_prefix(601),
        Err(ProveFailed::Outside(_))
    ));
}

#[test]
fn an_origin_leads_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    for origin in [
        "", "/etc/x", "a/../b", "../a", "a//b", "a/", "./a", "a/tile", "a\\b", "a\nb",
    ] {
        let refused = ArchiveWriter::create(dir.path(), origin);
        assert!(
            matches!(refused, Err(ArchiveFailed::Origin(_))),
            "{origin:?}"
        );
    }
    ArchiveWriter::create(dir.path(), "a/b").unwrap();
    assert!(matches!(
        ArchiveWriter::create(dir.path(), "a/b"),
        Err(ArchiveFailed::Exists(_))
    ));
    assert!(matches!(
        verify_all(dir.path(), &[]),
        Err(ArchiveFailed::NoLog(_))
    ));
}

#[test]
fn a_checkpoint_about_something_else_does_not_end_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let records = records(3);
    let other = stream_note(&records[..2]);
    let refused = write(dir.path(), STREAM, &records, &other);
    assert!(matches!(refused, Err(ArchiveFailed::Root { .. })));
    assert!(!file(dir.path(), "checkpoint").exists());
}

/// Two streams of one node, the second of which follows the first, in one archive or apart.
mod succession {
    use lingqu_core::record::{Clear, Field};
    use lingqu_testkit::HandWritten;

    use super::*;
    use crate::succession::tests::{BALANCES, MIRROR, NEXT, OLD, both, order, trust};

    fn lay(root: &Path, of: &HandWritten) {
        write(
            root,
            &of.origin,
            &of.entries,
            &of.cosigned(of.size()).to_string(),
        )
        .unwrap();
    }

    fn laid(streams: &[&HandWritten]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        streams.iter().for_each(|of| lay(dir.path(), of));
        dir
    }

    /// trust in the first stream's key is enough, with both or with the second alone.
    #[test]
    fn trust_in_the_first_is_enough() {
        let (old, mut next) = both();
        next.push(Draft::new(Kind::Heartbeat));
        let both = laid(&[&old, &next]);
        let verified = verify(both.path(), &[trust()], &[]).unwrap();
        let ended: Vec<_> = verified
            .logs
            .iter()
            .map(|log| log.next.as_deref())
            .collect();
        assert_eq!(ended, [Some(NEXT), None]);
        assert_eq!(verified.steps.len(), 1);
        assert_eq!(verified.trusts[0].log(NEXT), Some(&next.key()));
        // The old stream is dropped one day.
        let alone = laid(&[&next]);
        assert_eq!(verify_all(alone.path(), &[trust()]).unwrap().len(), 1);
        assert_eq!(
            first_records(alone.path()).unwrap(),
            [next.entries[0].clone()]
        );
        // A stream cut off in its beginning needs the link from elsewhere; there is none in an empty one.
        assert_eq!(verify_all(alone.path(), &[]).unwrap().len(), 1);
    }

    /// what is said to be dropped must be on record, in one form alone, and begin what follows.
    #[test]
    fn a_dropped_stream_is_checked() {
        let (old, next) = both();
        let end = old.receipt(old.size() - 1);
        let root = end.checkpoint.root;
        let mut own = HandWritten::new("c.example/c/gx/4501/2026h2", 7, MIRROR);
        let mut draft = Draft::new(Kind::Control);
        draft.clear = Clear::default()
            .text(Field::Action, crate::drops::STREAM_DROPPED)
            .text(Field::Subject, OLD)
            .number(Field::Count, old.size())
            .bytes(Field::ObjectDigest, &root.0);
        own.push(draft);
        let believed = trust().with_log(own.key()).unwrap();
        let believed = believed.with_log(next.key()).unwrap();
        let verified = |streams: &[&HandWritten]| {
            let dir = laid(streams);
            super::super::write_dropped(dir.path(), &end).unwrap();
            super::super::verify(dir.path(), std::slice::from_ref(&believed), &[])
        };
        let on_record = verified(&[&next, &own]).unwrap();
        assert_eq!(
            (on_record.dropped.len(), on_record.off_record.len()),
            (1, 0)
        );
        assert_eq!(verified(&[&next]).unwrap().off_record, [OLD]);
        let mut silent = old.next(NEXT, 2);
        silent.push(Draft::new(Kind::NodeStart));
        let refused = verified(&[&silent, &own]).unwrap_err();
        assert!(matches!(
            refused,
            super::super::ArchiveFailed::Succession { .. }
        ));
        assert!(verified(&[&old, &next, &own]).is_err(), "both ways");
    }

    #[test]
    fn what_is_left_out_or_added_is_found() {
        let (old, next) = both();
        let mut continued = both().0;
        continued.push(Draft::new(Kind::Heartbeat));
        let mut cut = both().0;
        cut.entries.pop();
        let mut stranger = old.next(NEXT, 9);
        stranger.begin(&old, BALANCES);
        let mut less = old.next(NEXT, 2);
        less.begin(&old, b"less");
        let mut silent = old.next(NEXT, 2);
        silent.push(Draft::new(Kind::NodeStart));
        let mut fork = crate::succession::tests::old();
        fork.push(Draft::new(Kind::Heartbeat));
        fork.end(&order(OLD, &next, "party_unit"), &next, BALANCES);
        for (streams, why) in [
            (vec![&continued], "records behind the end"),
            (vec![&cut, &next], "the end is missing"),
            (
                vec![&fork, &next],
                "another end than the one that is followed",
            ),
            (vec![&stranger], "a key that is not named"),
            (vec![&old, &less], "less is brought forward"),
            (vec![&old, &silent], "nothing is brought forward"),
        ] {
            let dir = laid(&streams);
            assert!(verify_all(dir.path(), &[trust()]).is_err(), "{why}");
        }
        // Also where both are believed by the file itself.
        let both = trust().with_log(next.key()).unwrap();
        let dir = laid(&[&old, &silent]);
        assert!(matches!(
            verify_all(dir.path(), &[both]),
            Err(ArchiveFailed::Succession { .. })
        ));
    }
}
