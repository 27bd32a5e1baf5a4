//! Files that were carried: what was written is what is taken in, wherever it is interrupted, and nothing else is.

use super::super::tests::{Network, span, trusts};
use super::*;

fn reader(seen: Seen) -> SpoolReader {
    let (trust, heads) = trusts();
    SpoolReader::new(&"45".parse().unwrap(), trust, heads, seen)
}

/// Three files: one with two spans and its head log, one of a span that its head log follows in the third.
fn written(dir: &Path) -> Network {
    let mut network = Network::default();
    let mut writer = SpoolWriter::new(dir, 0);
    assert!(
        writer.finish().unwrap().is_none(),
        "there is nothing to write"
    );
    writer.push(&span(network.span("4501")));
    writer.push(&span(network.span("4501")));
    writer.push(&network.head_log("4501"));
    assert_eq!(writer.finish().unwrap().unwrap().0, 0);
    writer.push(&span(network.span("4501")));
    // A part of a span, whose end has not come yet, waits for the next file.
    let mut whole = network.span("4501");
    let mut part = whole.clone();
    part.head.clear();
    whole.entries.clear();
    writer.push(&span(part));
    assert!(!writer.is_full());
    assert_eq!(writer.finish().unwrap().unwrap().0, 1);
    assert!(writer.finish().unwrap().is_none());
    writer.push(&span(whole));
    writer.push(&network.head_log("4501"));
    let (number, path) = writer.finish().unwrap().unwrap();
    assert_eq!((number, path), (2, path_of(dir, 2)));
    network
}

fn records(events: &[Event]) -> usize {
    let of = |event: &Event| match event {
        Event::Records { records, .. } => records.len(),
        Event::Dropped { .. } | Event::Complete { .. } => 0,
    };
    events.iter().map(of).sum()
}

/// Takes everything; how many records, and what ended it.
fn take(dir: &Path, seen: Seen) -> (usize, Result<Seen, SpoolFailed>) {
    let mut reader = reader(seen);
    let mut count = 0;
    loop {
        match reader.next(dir) {
            Ok(Some(events)) => count += records(&events),
            Ok(None) => return (count, Ok(reader.seen().clone())),
            Err(failed) => return (count, Err(failed)),
        }
    }
}

#[test]
fn everything_arrives_once_wherever_the_reader_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut network = written(dir.path());
    let (count, seen) = take(dir.path(), Seen::default());
    let seen = seen.unwrap();
    assert_eq!((count, seen.files), (4, 3));
    assert_eq!(take(dir.path(), seen.clone()).0, 0);
    // A reader that stops where everything is closed goes on there, over its text form.
    let mut first = reader(Seen::default());
    assert_eq!(records(&first.next(dir.path()).unwrap().unwrap()), 2);
    first.is_whole().unwrap();
    let kept = Seen::parse(&first.seen().to_text()).unwrap();
    let (count, again) = take(dir.path(), kept);
    assert_eq!((count, again.unwrap()), (2, seen.clone()));
    // What comes later goes on behind it.
    let mut writer = SpoolWriter::new(dir.path(), seen.files);
    writer.push(&span(network.span("4501")));
    writer.push(&network.head_log("4501"));
    writer.finish().unwrap();
    assert_eq!(take(dir.path(), seen).0, 1);
}

#[test]
fn the_last_file_missing_is_noticed_by_what_is_not_closed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    std::fs::remove_file(path_of(dir.path(), 2)).unwrap();
    let mut reader = reader(Seen::default());
    while reader.next(dir.path()).unwrap().is_some() {}
    assert!(matches!(reader.is_whole(), Err(FeedBroken::HeadLogGap(_))));
}

/// Renamed, renumbered, cut, lengthened, of another network, a link, a directory: nothing of such a file is taken.
#[test]
fn a_file_is_taken_as_it_was_written_or_not_at_all() {
    let renumbered = |bytes: &[u8], from: u64, to: u64| {
        let rest = bytes
            .strip_prefix(format!("{MAGIC}{from}\n").as_bytes())
            .unwrap();
        [format!("{MAGIC}{to}\n").as_bytes(), rest].concat()
    };
    type Attack<'a> = (&'a str, Box<dyn Fn(&Path)>);
    let of = |dir: &Path, number| std::fs::read(path_of(dir, number)).unwrap();
    let put = |dir: &Path, bytes: &[u8]| std::fs::write(path_of(dir, 1), bytes).unwrap();
    let attacks: [Attack<'_>; 8] = [
        ("moved up", Box::new(move |dir| put(dir, &of(dir, 2)))),
        (
            "moved up under its number",
            Box::new(move |dir| put(dir, &renumbered(&of(dir, 2), 2, 1))),
        ),
        (
            "the first one again",
            Box::new(move |dir| put(dir, &renumbered(&of(dir, 0), 0, 1))),
        ),
        ("empty", Box::new(move |dir| put(dir, b""))),
        (
            "a length beyond the end",
            Box::new(move |dir| {
                put(dir, &[&of(dir, 1)[..], &u32::MAX.to_be_bytes()].concat());
            }),
        ),
        (
            "half a length",
            Box::new(move |dir| put(dir, &[&of(dir, 1)[..], &[0]].concat())),
        ),
        (
            "a link",
            Box::new(move |dir| {
                std::fs::rename(path_of(dir, 1), dir.join("elsewhere")).unwrap();
                std::os::unix::fs::symlink(dir.join("elsewhere"), path_of(dir, 1)).unwrap();
            }),
        ),
        (
            "a directory",
            Box::new(move |dir| {
                std::fs::remove_file(path_of(dir, 1)).unwrap();
                std::fs::create_dir(path_of(dir, 1)).unwrap();
            }),
        ),
    ];
    for (what, attack) in attacks {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        attack(dir.path());
        let (count, ended) = take(dir.path(), Seen::default());
        assert_eq!(count, 2, "{what}: only the first file is taken");
        assert!(ended.is_err(), "{what}");
    }
    // Every byte of a file matters, apart from the few that repeat what the head says.
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let good = of(dir.path(), 1);
    let taken = take(dir.path(), Seen::default());
    let (mut refused, mut same) = (0, 0);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        put(dir.path(), &bytes);
        match take(dir.path(), Seen::default()) {
            (_, Err(_)) => refused += 1,
            (count, Ok(seen)) => {
                assert_eq!(
                    (count, &seen),
                    (taken.0, taken.1.as_ref().unwrap()),
                    "byte {at}"
                );
                same += 1;
            }
        }
    }
    assert!(
        refused > 9 * same,
        "{refused} refused, {same} without effect"
    );
}
