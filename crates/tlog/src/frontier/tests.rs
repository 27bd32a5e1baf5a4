use super::*;
use crate::oracle::{leaves, mth};

#[test]
fn every_prefix_has_the_recursive_definitions_root() {
    let leaves = leaves(130);
    let mut tree: Frontier = Frontier::new();
    for size in 0..=leaves.len() {
        assert_eq!(tree.root(), mth(&leaves[..size]), "size {size}");
        assert_eq!(tree.size(), size as u64);
        assert_eq!(tree.hashes().len(), size.count_ones() as usize);
        if let Some(leaf) = leaves.get(size) {
            tree.push(*leaf);
        }
    }
}

#[test]
fn growing_by_many_leaves_is_pushing_them_one_by_one() {
    let leaves = leaves(70);
    for from in 0..=35 {
        for to in from..=leaves.len() {
            let mut pushed: Frontier = Frontier::new();
            leaves[..from].iter().for_each(|leaf| pushed.push(*leaf));
            let mut grown = pushed.clone();
            leaves[from..to].iter().for_each(|leaf| pushed.push(*leaf));
            let growth = grown.grow(leaves[from..to].to_vec());
            assert_eq!(grown, pushed, "{from} to {to}");
            assert_eq!(
                (growth.from(), growth.leaves()),
                (from as u64, &leaves[from..to])
            );
        }
    }
}

#[test]
fn a_restored_frontier_continues_the_tree() {
    let leaves = leaves(40);
    let mut tree: Frontier = Frontier::default();
    for (position, leaf) in leaves.iter().enumerate() {
        let restored = Frontier::from_parts(tree.size(), tree.hashes().to_vec()).unwrap();
        assert_eq!(restored, tree);
        tree = restored;
        tree.push(*leaf);
        assert_eq!(tree.root(), mth(&leaves[..=position]));
    }
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let hash = Hash([1; 32]);
    let refused = |size, count| Frontier::<Intl>::from_parts(size, vec![hash; count]).unwrap_err();
    assert_eq!(
        refused(0, 1),
        FrontierRefused::WrongLength {
            expected: 0,
            got: 1
        }
    );
    assert_eq!(
        refused(7, 2),
        FrontierRefused::WrongLength {
            expected: 3,
            got: 2
        }
    );
    assert_eq!(
        refused(8, 2),
        FrontierRefused::WrongLength {
            expected: 1,
            got: 2
        }
    );
    assert_eq!(
        refused(1 << 63, 1),
        FrontierRefused::TooLarge { size: 1 << 63 }
    );
    assert!(Frontier::<Intl>::from_parts(MAX_TREE_SIZE, vec![hash; 63]).is_ok());
}

#[test]
fn the_largest_tree_has_a_root_and_can_grow_without_panic() {
    let mut tree: Frontier = Frontier::from_parts(MAX_TREE_SIZE, vec![Hash([1; 32]); 63]).unwrap();
    let before = tree.root();
    tree.push(Hash([2; 32]));
    assert_ne!(tree.root(), before);
    assert_eq!(tree.hashes().len(), 1);
}
