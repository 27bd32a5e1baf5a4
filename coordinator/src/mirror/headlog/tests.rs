use super::super::testbed::{Bed, Writer, head_log_key, heads, region, replicate};
use super::*;

/// The roots of every published checkpoint, computed again from the leaves alone.
#[tokio::test]
async fn every_checkpoint_is_over_exactly_the_leaves_before_it() {
    let (mut one, mut two) = (Writer::new("a", "4501", 1), Writer::new("b", "4501", 2));
    let bed = Bed::new(&[&one, &two]);
    let mirror = bed.open();
    let mut checkpoints = Vec::new();
    for round in 0..4 {
        one.write(2);
        replicate(&mirror, &one, 1).await;
        if round % 2 == 0 {
            two.write(1);
            replicate(&mirror, &two, 1).await;
        }
        mirror.tick().await.unwrap();
        // Nothing new, no new head.
        mirror.tick().await.unwrap();
        checkpoints.push(
            mirror.shared.state().logs[&region("4501")]
                .checkpoint
                .clone(),
        );
    }
    let heads = heads(&mirror, &region("4501"));
    let mut tree = Frontier::<Intl>::new();
    let mut roots = vec![(0, tree.root())];
    for (head, index) in heads.iter().zip(0..) {
        let leaf = mirror.archive.leaf(&region("4501"), index).unwrap();
        tree.push(leaf_hash::<Intl>(&leaf));
        roots.push((tree.size(), tree.root()));
        let read = Leaf::decode(&leaf).unwrap();
        assert_eq!(
            (read.checkpoint.origin, read.checkpoint.size),
            (head.origin.clone(), head.size)
        );
    }
    let mut sizes = Vec::new();
    for note in checkpoints {
        let note = Note::parse(note).unwrap();
        note.verify(&[head_log_key("4501")]).unwrap();
        let checkpoint = Checkpoint::parse(&note.text).unwrap();
        assert_eq!(checkpoint.origin, "coord.example/h/4501");
        assert!(roots.contains(&(checkpoint.size, checkpoint.root)));
        sizes.push(checkpoint.size);
    }
    assert_eq!(sizes, [2, 3, 5, 6]);
    // Each head begins where its stream's head before it ended.
    for writer in [&one, &two] {
        let own = heads.iter().filter(|head| head.origin == writer.origin());
        let end = own.fold(0, |end, head| {
            assert_eq!(head.first, end);
            head.size
        });
        assert_eq!(end, writer.size());
    }
}
