//! Completeness: who follows sees every entry of its subtree once and in order, and nothing else, wherever it resumes.

use std::collections::HashMap;

use lingqu_tlog::{Checkpoint, Frontier, Intl, Note, leaf_hash};

use super::super::headlog::Leaf;
use super::super::testbed::{Bed, Writer, head_log_key, mirror_key, region, replicate};
use super::*;

/// A subscriber who believes nothing that it has not checked.
#[derive(Clone, Default)]
struct Subscriber {
    streams: HashMap<String, (Frontier<Intl>, Vec<Vec<u8>>)>,
    logs: BTreeMap<Region, Frontier<Intl>>,
    /// Regions whose newest checkpoint covers every head that was received.
    closed: BTreeMap<Region, bool>,
}

impl Subscriber {
    fn take(&mut self, event: Event) {
        match event {
            Event::Span {
                region,
                head_index,
                head,
                origin,
                first,
                entries,
            } => {
                let (stream, seen) = self.streams.entry(origin.clone()).or_default();
                assert_eq!(stream.size(), first, "a gap or a repetition in {origin}");
                entries
                    .iter()
                    .for_each(|entry| stream.push(leaf_hash::<Intl>(entry)));
                seen.extend(entries);
                if head.is_empty() {
                    return;
                }
                let leaf = Leaf::decode(&head).unwrap();
                leaf.note.verify(&[mirror_key()]).unwrap();
                let expected = Checkpoint {
                    origin,
                    size: stream.size(),
                    root: stream.root(),
                };
                assert_eq!(leaf.checkpoint, expected);
                let log = self.logs.entry(region.clone()).or_default();
                assert_eq!(log.size(), head_index);
                log.push(leaf_hash::<Intl>(&head));
                self.closed.insert(region, false);
            }
            Event::Dropped { .. } => panic!("nothing was dropped"),
            Event::HeadLog { region, checkpoint } => {
                let note = Note::parse(checkpoint).unwrap();
                note.verify(&[head_log_key(region.as_str())]).unwrap();
                let checkpoint = Checkpoint::parse(&note.text).unwrap();
                let log = &self.logs[&region];
                assert_eq!((checkpoint.size, checkpoint.root), (log.size(), log.root()));
                self.closed.insert(region, true);
            }
        }
    }

    fn resume(&self) -> Vec<(Region, u64)> {
        self.logs
            .iter()
            .map(|(region, log)| (region.clone(), log.size()))
            .collect()
    }

    fn entries(&self, writer: &Writer) -> Option<&Vec<Vec<u8>>> {
        self.streams
            .get(&writer.origin())
            .map(|(_, entries)| entries)
    }
}

async fn follow(mirror: &Arc<Mirror>, code: &str, resume: Vec<(Region, u64)>) -> Vec<Event> {
    let follower = Follower::new(Arc::clone(mirror), region(code), resume).unwrap();
    let (sender, mut receiver) = mpsc::channel(2);
    let task = tokio::spawn(follower.run(true, sender));
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event.unwrap());
    }
    task.await.unwrap().unwrap();
    events
}

/// Three regions, uneven growth, large spans.
async fn network() -> (Bed, Arc<Mirror>, [Writer; 3]) {
    let mut writers = [
        Writer::new("a", "4501", 1),
        Writer::new("b", "450102", 2),
        Writer::new("c", "4503", 3),
    ];
    let bed = Bed::new(&writers.each_ref());
    let mirror = bed.open();
    for round in 1..5 {
        for (writer, grows) in writers.iter_mut().zip([2, 13, round]) {
            writer.write(grows);
            replicate(&mirror, writer, 4).await;
        }
        mirror.tick().await.unwrap();
    }
    (bed, mirror, writers)
}

/// a lower bureau sees its own subtree only.
#[tokio::test]
async fn a_follower_sees_its_subtree_whole_and_nothing_outside() {
    let (bed, mirror, [one, two, three]) = network().await;
    for (code, inside, outside) in [
        ("4501", vec![&one, &two], vec![&three]),
        ("4503", vec![&three], vec![&one, &two]),
        ("450102", vec![&two], vec![&one, &three]),
        ("45", vec![&one, &two, &three], vec![]),
        ("44", vec![], vec![&one, &two, &three]),
    ] {
        for mirror in [Arc::clone(&mirror), Arc::clone(&mirror)] {
            let mut subscriber = Subscriber::default();
            let events = follow(&mirror, code, Vec::new()).await;
            events.into_iter().for_each(|event| subscriber.take(event));
            for writer in &inside {
                assert_eq!(subscriber.entries(writer), Some(&writer.entries), "{code}");
            }
            assert!(
                outside
                    .iter()
                    .all(|writer| subscriber.entries(writer).is_none()),
                "{code}"
            );
            assert!(subscriber.logs.keys().all(|log| region(code).covers(log)));
            assert!(
                subscriber.closed.values().all(|closed| *closed),
                "every span is closed"
            );
        }
    }
    drop((bed, mirror));
}

/// Cut anywhere, resumed with the heads that were verified, across a restart of the coordinator: nothing is missing, and
/// what a cut span repeats is repeated whole.
#[tokio::test]
async fn a_follower_resumes_at_every_event() {
    let (bed, mirror, writers) = network().await;
    let all = follow(&mirror, "45", Vec::new()).await;
    drop(mirror);
    let mirror = bed.open();
    for cut in 0..=all.len() {
        let mut subscriber = Subscriber::default();
        let mut verified = subscriber.clone();
        for event in &all[..cut] {
            subscriber.take(event.clone());
            // What it keeps is its state after the last whole head.
            if !matches!(event, Event::Span { head, .. } if head.is_empty()) {
                verified = subscriber.clone();
            }
        }
        let rest = follow(&mirror, "45", verified.resume()).await;
        rest.into_iter().for_each(|event| verified.take(event));
        for writer in &writers {
            assert_eq!(
                verified.entries(writer),
                Some(&writer.entries),
                "cut at {cut}"
            );
        }
        assert!(
            verified.closed.values().all(|closed| *closed),
            "cut at {cut}"
        );
    }
}

#[tokio::test]
async fn parts_of_a_span_are_bounded_and_the_head_stands_in_the_last() {
    let (_bed, mirror, _) = network().await;
    let mut parts = 0;
    for event in follow(&mirror, "450102", Vec::new()).await {
        let Event::Span { head, entries, .. } = event else {
            continue;
        };
        let bytes: usize = entries.iter().map(Vec::len).sum();
        assert!(!entries.is_empty() && bytes <= mirror.limits.chunk_bytes_max);
        parts += usize::from(head.is_empty());
    }
    assert!(
        parts > 4,
        "the spans of this stream are larger than a message"
    );
}

#[tokio::test]
async fn a_live_follower_is_woken_by_new_heads_of_new_regions_too() {
    let (mut one, mut two) = (Writer::new("a", "4501", 1), Writer::new("b", "4502", 2));
    let bed = Bed::new(&[&one, &two]);
    let mirror = bed.open();
    let follower = Follower::new(Arc::clone(&mirror), region("45"), Vec::new()).unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let task = tokio::spawn(follower.run(false, sender));
    let mut subscriber = Subscriber::default();
    for writer in [&mut one, &mut two] {
        writer.write(3);
        replicate(&mirror, writer, 3).await;
        mirror.tick().await.unwrap();
        while subscriber.closed.get(&writer.region) != Some(&true) {
            subscriber.take(receiver.recv().await.unwrap().unwrap());
        }
        assert_eq!(subscriber.entries(writer), Some(&writer.entries));
    }
    drop(receiver);
    // It notices that nobody listens without having anything to say.
    task.await.unwrap().unwrap();
}

/// Otherwise the end of a feed that was cut would be that of a whole one.
#[tokio::test]
async fn who_takes_nothing_is_told_that_there_was_more() {
    let (_bed, mut mirror, _) = network().await;
    // No patience at all, so that nothing has to be waited for.
    Arc::get_mut(&mut mirror).unwrap().limits.push_timeout_s = 0;
    let follower = Follower::new(Arc::clone(&mirror), region("45"), Vec::new()).unwrap();
    let (sender, _receiver) = mpsc::channel(1);
    assert_eq!(follower.run(true, sender).await, Err(ErrorCode::Overloaded));
}

#[tokio::test]
async fn resume_points_that_cannot_be_are_refused() {
    let (_bed, mirror, _) = network().await;
    let heads = mirror.shared.state().logs[&region("4501")].size();
    let refused = |code: &str, resume: Vec<(&str, u64)>| {
        let resume = resume
            .into_iter()
            .map(|(code, heads)| (region(code), heads))
            .collect();
        Follower::new(Arc::clone(&mirror), region(code), resume).err()
    };
    assert_eq!(refused("45", vec![("4501", heads)]), None);
    assert_eq!(
        refused("45", vec![("4501", heads + 1)]),
        Some(ErrorCode::FeedResumeInvalid)
    );
    assert_eq!(
        refused("45", vec![("4577", 1)]),
        Some(ErrorCode::FeedResumeInvalid)
    );
    assert_eq!(
        refused("45", vec![("4501", 0), ("4501", 1)]),
        Some(ErrorCode::FeedResumeInvalid)
    );
    assert_eq!(
        refused("4503", vec![("4501", 0)]),
        Some(ErrorCode::RegionForbidden)
    );
}
