use lingqu_core::ErrorCode;
use lingqu_core::head::Head;
use lingqu_tlog::{Intl, leaf_hash, verify_consistency, verify_inclusion};
use tokio::sync::mpsc;

use super::super::replicate::{Answer, Said, converse};
use super::super::testbed::{Bed, Writer, head_log_key, region, replicate};
use super::super::witnesses::Published;
use super::*;

/// The node's side of a conversation.
struct Talk {
    said: mpsc::Sender<Result<Said, ErrorCode>>,
    answers: mpsc::Receiver<Result<Answer, ErrorCode>>,
}

impl Talk {
    async fn open(mirror: &Arc<Mirror>, writer: &Writer, heads: Option<String>) -> Talk {
        let (said, saying) = mpsc::channel(8);
        let (answering, answers) = mpsc::channel(8);
        let (mirror, owner) = (Arc::clone(mirror), writer.owner());
        tokio::spawn(async move {
            let saying = tokio_stream::wrappers::ReceiverStream::new(saying);
            converse(mirror, &owner, saying, answering).await;
        });
        let Said::Open {
            origin, checkpoint, ..
        } = writer.open()
        else {
            unreachable!()
        };
        let open = Said::Open {
            origin,
            checkpoint,
            heads,
        };
        said.send(Ok(open)).await.unwrap();
        let mut talk = Talk { said, answers };
        assert!(matches!(talk.next().await, Answer::Resume { .. }));
        talk
    }

    async fn next(&mut self) -> Answer {
        self.answers.recv().await.unwrap().unwrap()
    }

    async fn headed(&mut self) -> HeadShown {
        match self.next().await {
            Answer::Headed(shown) => shown,
            other => panic!("{other:?}"),
        }
    }

    /// Says the batch; nothing comes before its answer.
    async fn says(&mut self, batch: Said) {
        self.said.send(Ok(batch)).await.unwrap();
        assert!(matches!(self.next().await, Answer::Cosigned { .. }));
    }
}

/// Verifies what is shown; gives the size of the head log and of the stream.
fn sizes(shown: &HeadShown, accepted: Option<&HeadShown>) -> (u64, u64) {
    let read = |text: &str| {
        let note = Note::parse(text).unwrap();
        note.verify(&[head_log_key("4501")]).unwrap();
        Checkpoint::parse(&note.text).unwrap()
    };
    let newest = read(&shown.checkpoint);
    let leaf = leaf_hash::<Intl>(&shown.leaf);
    verify_inclusion::<Intl>(leaf, shown.index, newest.size, newest.root, &shown.proof).unwrap();
    match accepted {
        None => assert!(shown.consistency.is_empty()),
        Some(accepted) => {
            let old = read(&accepted.checkpoint);
            let proof = &shown.consistency;
            verify_consistency::<Intl>(old.size, newest.size, old.root, newest.root, proof)
                .unwrap();
        }
    }
    (
        newest.size,
        Head::decode(&shown.leaf).unwrap().checkpoint.size,
    )
}

async fn grow(mirror: &Arc<Mirror>, other: &mut Writer) {
    other.write(1);
    replicate(mirror, other, 1).await;
    mirror.tick().await.unwrap();
}

#[tokio::test]
async fn a_node_is_told_of_its_newest_head_and_only_of_that() {
    let (mut writer, mut other) = (Writer::new("a", "4501", 1), Writer::new("b", "4501", 2));
    let bed = Bed::new(&[&writer, &other]);
    let mirror = bed.open();
    writer.write(6);
    let mut talk = Talk::open(&mirror, &Writer::new("a", "4501", 1), Some(String::new())).await;
    talk.says(writer.batch(0, 2)).await;
    mirror.tick().await.unwrap();
    let first = talk.headed().await;
    assert_eq!(sizes(&first, None), (1, 2));
    // What others add is no news to this node: the next that it hears is the answer to its own batch.
    grow(&mirror, &mut other).await;
    grow(&mirror, &mut other).await;
    talk.says(writer.batch(2, 3)).await;
    mirror.tick().await.unwrap();
    let second = talk.headed().await;
    assert_eq!(sizes(&second, Some(&first)), (4, 3));
    drop(talk);

    // A new conversation begins with where the stream stands, proven from what the node has.
    let seen = first.checkpoint.clone();
    let mut talk = Talk::open(&mirror, &Writer::new("a", "4501", 1), Some(seen)).await;
    let again = talk.headed().await;
    assert_eq!(sizes(&again, Some(&first)), (4, 3));
    // And a node that does not ask is told nothing.
    let mut silent = Talk::open(&mirror, &Writer::new("a", "4501", 1), None).await;
    silent.says(writer.batch(3, 4)).await;
    mirror.tick().await.unwrap();
    silent.says(writer.batch(4, 6)).await;
}

#[tokio::test]
async fn only_what_is_published_is_told_and_better_cosignatures_are() {
    let mut writer = Writer::new("a", "4501", 1);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    mirror.shared.state_mut().is_witnessed = true;
    writer.write(3);
    let mut talk = Talk::open(&mirror, &Writer::new("a", "4501", 1), Some(String::new())).await;
    talk.says(writer.batch(0, 1)).await;
    mirror.tick().await.unwrap();
    talk.says(writer.batch(1, 2)).await;
    mirror.tick().await.unwrap();
    let key = region("4501");
    let publish = |size: u64, more: &str, is_complete: bool| {
        let checkpoint = mirror.shared.state().logs[&key].checkpoint.clone();
        let published = Published {
            size,
            checkpoint: checkpoint + more,
            is_complete,
        };
        mirror.shared.state_mut().publish(&key, published);
        mirror.shared.announce_published();
    };
    publish(2, "", false);
    let first = talk.headed().await;
    assert_eq!(sizes(&first, None), (2, 2));
    let line = "\u{2014} w.example AAAAAAAA\n";
    publish(2, line, true);
    let better = talk.headed().await;
    assert!(better.checkpoint.ends_with(line));
    // Complete: the same head again is no news, whatever is published.
    publish(2, "", true);
    talk.says(writer.batch(2, 3)).await;
}

/// The head log as it was before the last head: what a coordinator restored from a backup has.
#[tokio::test]
async fn a_coordinator_that_went_back_learns_it_from_a_node_and_publishes_nothing_more() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(2);
    let bed = Bed::new(&[&writer]);
    let (mirror, restored) = (bed.open(), bed.dir.path().join("restored"));
    replicate(&mirror, &writer, 1).await;
    mirror.tick().await.unwrap();
    writer.write(1);
    replicate(&mirror, &writer, 1).await;
    mirror.tick().await.unwrap();
    let newest = mirror.shared.state().logs[&region("4501")]
        .checkpoint
        .clone();

    let restored = bed.try_open_at(&restored, vec![writer.stream()]).unwrap();
    let mut short = Writer::new("a", "4501", 1);
    short.write(2);
    replicate(&restored, &short, 2).await;
    restored.tick().await.unwrap();
    let mut talk = Talk::open(&restored, &short, Some(newest.clone())).await;
    assert!(restored.shared.state().logs[&region("4501")].closed);
    short.write(1);
    talk.says(short.batch(2, 3)).await;
    restored.tick().await.unwrap();
    let mut unaware = Talk::open(&restored, &short, Some(String::new())).await;
    short.write(1);
    // Nobody is told anything of this region any more.
    unaware.says(short.batch(3, 4)).await;

    // The one that did not go back accepts it.
    let mut talk = Talk::open(&mirror, &writer, Some(newest)).await;
    talk.headed().await;
    assert!(!mirror.shared.state().logs[&region("4501")].closed);
}

/// Whoever could close a region with a text of its own making would silence supervision.
#[tokio::test]
async fn what_the_coordinator_did_not_sign_closes_nothing() {
    let mut writer = Writer::new("a", "4501", 1);
    writer.write(2);
    let bed = Bed::new(&[&writer]);
    let mirror = bed.open();
    replicate(&mirror, &writer, 1).await;
    mirror.tick().await.unwrap();
    let newest = mirror.shared.state().logs[&region("4501")]
        .checkpoint
        .clone();
    let mut larger = Note::parse(newest.clone()).unwrap();
    larger.text = larger.text.replace("\n1\n", "\n9\n");
    assert_ne!(larger.to_string(), newest);
    let own = Note::parse(writer.checkpoint(2)).unwrap();
    for claim in [larger.to_string(), own.to_string(), "?".to_owned()] {
        let mut talk = Talk::open(&mirror, &writer, Some(claim)).await;
        writer.write(1);
        let size = writer.size();
        talk.says(writer.batch(size - 1, size)).await;
        assert!(!mirror.shared.state().logs[&region("4501")].closed);
    }
}
