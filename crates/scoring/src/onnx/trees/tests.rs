//! The flat form gives what the described trees give, for every mode of branches and any mixture of rows.

use proptest::prelude::*;

use super::build::forest;
use super::described::WeightNames;
use super::{Block, Forest};
use crate::Limits;
use crate::onnx::attributes::Attributes;
use crate::onnx::message::{AttributeProto, NodeProto};

const WIDTH: usize = 3;
const TARGETS: usize = 3;
const NAMES: WeightNames = WeightNames {
    ids: "class_ids",
    nodes: "class_nodeids",
    trees: "class_treeids",
    weights: "class_weights",
};
const MODES: [&str; 6] = [
    "BRANCH_EQ",
    "BRANCH_GT",
    "BRANCH_GTE",
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_NEQ",
];

/// A tree as anyone would write it down.
#[derive(Clone, Debug)]
enum Plain {
    Branch {
        mode: usize,
        feature: usize,
        threshold: f32,
        missing_true: bool,
        children: Box<[Plain; 2]>,
    },
    Leaf(Vec<(usize, f32)>),
}

impl Plain {
    fn leaf(&self, row: &[f32]) -> &[(usize, f32)] {
        match self {
            Plain::Leaf(weights) => weights,
            Plain::Branch {
                mode,
                feature,
                threshold,
                missing_true,
                children,
            } => {
                let x = row[*feature];
                let passes = match MODES[*mode] {
                    "BRANCH_EQ" => x == *threshold,
                    "BRANCH_GT" => x > *threshold,
                    "BRANCH_GTE" => x >= *threshold,
                    "BRANCH_LEQ" => x <= *threshold,
                    "BRANCH_LT" => x < *threshold,
                    _ => x != *threshold,
                };
                let passes = passes || (*missing_true && x.is_nan());
                children[usize::from(!passes)].leaf(row)
            }
        }
    }
}

fn value() -> impl Strategy<Value = f32> {
    // Few different numbers, so that rows are often exactly at a threshold.
    prop::sample::select(vec![
        -1.0,
        -0.0,
        0.0,
        f32::MIN_POSITIVE,
        1.0,
        1.0_f32.next_up(),
        f32::INFINITY,
        f32::NEG_INFINITY,
    ])
}

fn leaf(dense: bool) -> impl Strategy<Value = Plain> {
    let weight = (0..TARGETS, -2.0_f32..2.0).prop_map(|weight| vec![weight]);
    let weights = prop::collection::vec(-2.0_f32..2.0, TARGETS)
        .prop_map(|weights| weights.into_iter().enumerate().collect());
    if dense {
        weights.prop_map(Plain::Leaf).boxed()
    } else {
        weight.prop_map(Plain::Leaf).boxed()
    }
}

fn tree(modes: std::ops::Range<usize>, dense: bool) -> impl Strategy<Value = Plain> {
    leaf(dense).prop_recursive(6, 40, 2, move |below| {
        let branch = (modes.clone(), 0..WIDTH, value(), any::<bool>());
        (branch, below.clone(), below).prop_map(|(branch, yes, no)| {
            let (mode, feature, threshold, missing_true) = branch;
            Plain::Branch {
                mode,
                feature,
                threshold,
                missing_true,
                children: Box::new([yes, no]),
            }
        })
    })
}

/// The parallel lists.
#[derive(Default)]
struct Lists {
    ints: std::collections::BTreeMap<&'static str, Vec<i64>>,
    /// Of branches the ids for rows that pass and for those that do not.
    children: Vec<[i64; 2]>,
    modes: Vec<Vec<u8>>,
    values: Vec<f32>,
    weights: Vec<f32>,
    next: i64,
}

impl Lists {
    fn push(&mut self, name: &'static str, entry: i64) {
        self.ints.entry(name).or_default().push(entry);
    }

    /// Adds a node and what is below; gives its id.
    fn node(&mut self, tree: i64, node: &Plain) -> i64 {
        let id = self.next;
        self.next += 1;
        self.push("nodes_treeids", tree);
        self.push("nodes_nodeids", id);
        self.children.push([0; 2]);
        match node {
            Plain::Leaf(weights) => {
                self.modes.push(b"LEAF".to_vec());
                self.values.push(0.0);
                for name in ["nodes_featureids", "nodes_missing_value_tracks_true"] {
                    self.push(name, 0);
                }
                for (target, weight) in weights {
                    self.push("class_treeids", tree);
                    self.push("class_nodeids", id);
                    self.push("class_ids", *target as i64);
                    self.weights.push(*weight);
                }
            }
            Plain::Branch {
                mode,
                feature,
                threshold,
                missing_true,
                children,
            } => {
                self.modes.push(MODES[*mode].as_bytes().to_vec());
                self.values.push(*threshold);
                self.push("nodes_featureids", *feature as i64);
                self.push("nodes_missing_value_tracks_true", i64::from(*missing_true));
                let at = self.children.len() - 1;
                for (side, child) in children.iter().enumerate() {
                    self.children[at][side] = self.node(tree, child);
                }
            }
        }
        id
    }
}

fn built(trees: &[Plain]) -> Forest {
    let mut lists = Lists::default();
    for (at, tree) in trees.iter().enumerate() {
        lists.next = 0;
        lists.node(at as i64, tree);
    }
    for [yes, no] in std::mem::take(&mut lists.children) {
        lists.push("nodes_truenodeids", yes);
        lists.push("nodes_falsenodeids", no);
    }
    let named = |name: &str, kind| AttributeProto {
        name: name.to_owned(),
        kind,
        ..Default::default()
    };
    let mut attribute: Vec<AttributeProto> = { lists.ints.into_iter() }
        .map(|(name, ints)| AttributeProto {
            ints,
            ..named(name, 7)
        })
        .collect();
    attribute.push(AttributeProto {
        strings: lists.modes,
        ..named("nodes_modes", 8)
    });
    for (name, floats) in [
        ("nodes_values", lists.values),
        (NAMES.weights, lists.weights),
    ] {
        attribute.push(AttributeProto {
            floats,
            ..named(name, 6)
        });
    }
    let mut node = NodeProto {
        attribute,
        ..Default::default()
    };
    let mut attributes = Attributes::of("TreeEnsembleClassifier", &mut node).unwrap();
    let limits = Limits::default();
    let (forest, _) = forest(&mut attributes, &NAMES, (WIDTH, TARGETS), &limits).unwrap();
    attributes.done().unwrap();
    forest
}

fn check(trees: &[Plain], values: &[f32]) {
    let forest = built(trees);
    let rows = values.len() / WIDTH;
    let block = Block {
        values,
        stride: WIDTH,
        first: 0,
        width: WIDTH,
        rows,
    };
    let mut sums = vec![f32::NAN; rows * TARGETS];
    forest.sum(block, &mut sums);
    for (row, sums) in values.chunks(WIDTH).zip(sums.chunks(TARGETS)) {
        let mut expected = [0.0_f32; TARGETS];
        for tree in trees {
            for (target, weight) in tree.leaf(row) {
                expected[*target] += weight;
            }
        }
        assert_eq!(sums, expected, "{row:?}");
    }
}

fn rows() -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![4 => value(), 1 => Just(f32::NAN)];
    let whole = |values: Vec<f32>| {
        let len = values.len() - values.len() % WIDTH;
        values[..len].to_vec()
    };
    // From one row to more than walk side by side.
    prop::collection::vec(value, WIDTH..20 * WIDTH).prop_map(whole)
}

proptest! {
    #[test]
    fn branches_of_every_mode_lead_where_they_say(
        trees in prop::collection::vec(tree(0..6, false), 1..20),
        rows in rows(),
    ) {
        check(&trees, &rows);
    }

    #[test]
    fn ordered_branches_lead_side_by_side_where_they_lead_alone(
        trees in prop::collection::vec(tree(1..5, false), 1..20),
        rows in rows(),
    ) {
        check(&trees, &rows);
    }

    #[test]
    fn leaves_with_many_weights_add_all_of_them(
        trees in prop::collection::vec(tree(1..5, true), 1..10),
        rows in rows(),
    ) {
        check(&trees, &rows);
    }
}
