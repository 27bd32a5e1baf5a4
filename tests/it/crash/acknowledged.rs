//! What a coordinator has acknowledged, and whether what it shows now agrees with all of it.

use std::collections::{BTreeMap, BTreeSet};

use lingqu_client::Seen;
use lingqu_core::epoch::Epoch;
use lingqu_core::record::{Field, Record};
use lingqu_tlog::{Checkpoint, Frontier, Intl, leaf_hash};

use super::coordinated::Cosigned;

/// Everything that the coordinator ever acknowledged.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) cosigned: Cosigned,
    /// Targets and the epoch that was answered.
    pub(crate) revoked: BTreeMap<String, u64>,
    /// Digests of what was filed.
    pub(crate) filed: BTreeSet<Vec<u8>>,
    /// The set of each epoch number that was ever shown.
    pub(crate) epochs: BTreeMap<u64, BTreeSet<String>>,
    /// Checkpoints of the own stream.
    pub(crate) own: Vec<Checkpoint>,
    pub(crate) seen: Seen,
}

/// A number never stands for two sets, the set only grows, and nothing answered is missing.
pub(crate) fn check_epoch(epochs: &mut BTreeMap<u64, BTreeSet<String>>, shown: &Epoch, floor: u64) {
    assert!(
        shown.number >= floor,
        "epoch {} after {floor}",
        shown.number
    );
    let known = epochs
        .entry(shown.number)
        .or_insert_with(|| shown.revoked.clone());
    assert_eq!(
        *known, shown.revoked,
        "two sets under number {}",
        shown.number
    );
    let ordered = epochs.values().zip(epochs.values().skip(1));
    for (before, after) in ordered {
        assert!(
            before.is_subset(after),
            "something was taken out of the set"
        );
    }
}

impl Known {
    /// The highest epoch number that was answered.
    pub(crate) fn epoch_answered(&self) -> u64 {
        self.revoked.values().max().copied().unwrap_or(0)
    }

    /// The own stream holds every act that was answered, once, and extends everything that was ever shown of it.
    pub(crate) fn check_own(&self, own: &[Record], epoch: &Epoch) {
        let mut tree = Frontier::<Intl>::new();
        let mut roots = vec![tree.root()];
        let (mut revoked, mut filed, mut last) = (BTreeMap::new(), BTreeSet::new(), 0);
        for record in own {
            tree.push(leaf_hash::<Intl>(&record.encode::<Intl>()));
            roots.push(tree.root());
            let clear = &record.draft.clear;
            let digest = clear.get_bytes(Field::ObjectDigest).unwrap_or_default();
            match clear.get_text(Field::Action) {
                Some("revoke") => {
                    let number = clear.get_number(Field::Epoch).unwrap();
                    assert!(number > last, "an epoch number was given twice");
                    last = number;
                    let target = clear.get_text(Field::Subject).unwrap().to_owned();
                    assert!(revoked.insert(target, number).is_none(), "revoked twice");
                }
                Some("file") => {
                    assert!(filed.insert(digest.to_vec()), "an object was filed twice");
                }
                _ => {}
            }
        }
        for shown in &self.own {
            let size = usize::try_from(shown.size).unwrap();
            assert_eq!(roots[size], shown.root, "the own stream was rewritten");
        }
        for (target, number) in &self.revoked {
            assert_eq!(
                revoked.get(target),
                Some(number),
                "the revocation of {target}"
            );
        }
        assert!(filed.is_superset(&self.filed), "a filing is missing");
        for (number, set) in &self.epochs {
            let expected = revoked.iter().filter(|(_, at)| *at <= number);
            let expected: BTreeSet<String> = expected.map(|(target, _)| target.clone()).collect();
            assert_eq!(*set, expected, "the set under number {number}");
        }
        assert!(epoch.number >= last, "the epoch on record is not pushed");
    }
}
