use super::*;
use crate::frontier::Frontier;
use crate::oracle::{leaves, mth};
use crate::suite::Intl;

/// The eight leaves of the Certificate Transparency test suite and the roots of their trees.
const CLASSIC: [(&str, &str); 8] = [
    ("", "6e340b9c…afa01d"),
    ("00", "fac54203…e3c125"),
    ("10", "aeb6bcfe…e06e77"),
    ("2021", "d37ee418…9614b7"),
    ("3031", "4e3bbb1f…6264d4"),
    ("40414243", "76e67dad…2087ef"),
    ("5051525354555657", "ddb89be4…a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79…604328"),
];

#[test]
fn classic_leaves_have_their_roots() {
    let mut tree: Frontier = Frontier::new();
    for (leaf, root) in CLASSIC {
        tree.push(leaf_hash::<Intl>(&hex::decode(leaf).unwrap()));
        let got = tree.root().to_string();
        assert_eq!(format!("{}…{}", &got[..8], &got[58..]), root);
    }
}

#[test]
fn hashes_agree_with_another_implementation() {
    let left = leaf_hash::<Intl>(b"left");
    let right = leaf_hash::<Intl>(b"right");
    assert_eq!(left.0, tlog_tiles::record_hash(b"left").0);
    let node = tlog_tiles::node_hash(tlog_tiles::Hash(left.0), tlog_tiles::Hash(right.0));
    assert_eq!(node_hash::<Intl>(&left, &right).0, node.0);
    assert_eq!(empty_root::<Intl>().0, tlog_tiles::EMPTY_HASH.0);
}

#[test]
fn a_leaf_cannot_pass_for_a_node() {
    let leaves = leaves(2);
    let root = mth(&leaves);
    let forged = [leaves[0].0, leaves[1].0].concat();
    assert_ne!(leaf_hash::<Intl>(&forged), root);
}
