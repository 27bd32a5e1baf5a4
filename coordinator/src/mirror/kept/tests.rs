//! Items that are kept apart: every item and proof over the borders of tiles and of appends.

use lingqu_tlog::{RecentTree, verify_consistency, verify_inclusion};

use super::*;

fn item(index: u64) -> Vec<u8> {
    vec![u8::try_from(index % 251).unwrap(); usize::try_from(index % 7).unwrap()]
}

fn appended(kept: &Kept, to: u64) -> Kept {
    let mut appended = kept.append().unwrap();
    for index in kept.size()..to {
        appended.push(index * 3, &item(index)).unwrap();
    }
    appended.finish().unwrap()
}

fn files() -> (tempfile::TempDir, Arc<Files>) {
    let dir = tempfile::tempdir().unwrap();
    let files = Arc::new(Files::open(dir.path()).unwrap());
    (dir, files)
}

#[test]
fn items_and_proofs_hold_over_tiles_and_appends() {
    let (_dir, files) = files();
    let mut tree = RecentTree::<Intl>::from_frontier(lingqu_tlog::Frontier::new());
    let mut kept = Kept::new(&files, "x");
    // The second level of tiles is full with the last.
    for to in [1, 255, 256, 257, 1_000, 1_000, 65_536, 65_600] {
        kept = appended(&kept, to);
        while tree.size() < to {
            tree.push(leaf_hash::<Intl>(&item(tree.size())));
        }
        let (size, bytes) = (kept.size(), kept.bytes());
        kept = Kept::open(&files, "x", (size, bytes), tree.root()).unwrap();
        for index in [0, to / 5, to / 3, to / 2, to - 1] {
            assert_eq!(kept.item(index).unwrap(), (index * 3, item(index)));
            let proof = kept.inclusion(index, to, &[]).unwrap();
            let leaf = leaf_hash::<Intl>(&item(index));
            verify_inclusion::<Intl>(leaf, index, to, tree.root(), &proof).unwrap();
            let old = kept.root_at(index, &[]).unwrap();
            let proof = kept.consistency(index, to, &[]).unwrap();
            verify_consistency::<Intl>(index, to, old, tree.root(), &proof).unwrap();
        }
        assert!(matches!(kept.item(to), Err(KeptError::Outside)));
    }
    // What comes after is in memory alone.
    let tail: Vec<Hash> = (65_600..65_900)
        .map(|index| leaf_hash::<Intl>(&item(index)))
        .collect();
    tail.iter().for_each(|leaf| tree.push(*leaf));
    let size = tree.size();
    assert_eq!(kept.root_at(size, &tail).unwrap(), tree.root());
    for index in [0, 65_599, 65_600, 65_899] {
        let proof = kept.inclusion(index, size, &tail).unwrap();
        let leaf = leaf_hash::<Intl>(&item(index));
        verify_inclusion::<Intl>(leaf, index, size, tree.root(), &proof).unwrap();
    }
}

/// What a crash left behind the end is written over, whatever it was.
#[test]
fn what_nobody_said_holds_is_written_over() {
    let (_dir, files) = files();
    let first = appended(&Kept::new(&files, "x"), 300);
    let root = first.root_at(300, &[]).unwrap();
    let longer = appended(&first, 900);
    let again = Kept::open(&files, "x", (300, first.bytes()), root).unwrap();
    let mut other = again.append().unwrap();
    other.push(7, b"another one").unwrap();
    let other = other.finish().unwrap();
    assert_eq!(other.item(300).unwrap(), (7, b"another one".to_vec()));
    assert_ne!(
        other.root_at(301, &[]).unwrap(),
        longer.root_at(301, &[]).unwrap_or(Hash([0; 32]))
    );
    assert!(Kept::open(&files, "x", (300, first.bytes() + 1), root).is_err());
    assert!(Kept::open(&files, "x", (299, first.bytes()), root).is_err());
}
