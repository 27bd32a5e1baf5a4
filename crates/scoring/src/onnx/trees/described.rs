//! The parallel lists of a tree ensemble's attributes, brought together by node.

use std::collections::BTreeMap;

use crate::onnx::attributes::Attributes;
use crate::refused::shown;
use crate::{Limits, ModelRefused};

/// Where the weights of leaves stand: `class_*` or `target_*`.
pub(in crate::onnx) struct WeightNames {
    pub(in crate::onnx) ids: &'static str,
    pub(in crate::onnx) nodes: &'static str,
    pub(in crate::onnx) trees: &'static str,
    pub(in crate::onnx) weights: &'static str,
}

/// One node as the attributes describe it.
#[derive(Clone, Copy)]
pub(super) struct Described {
    pub(super) id: i64,
    pub(super) mode: Mode,
    pub(super) feature: i64,
    pub(super) value: f32,
    /// Ids of the nodes for rows that pass the test and for those that do not.
    pub(super) children: [i64; 2],
    pub(super) missing_true: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Mode {
    Equal,
    Greater,
    GreaterOrEqual,
    Leaf,
    Less,
    LessOrEqual,
    NotEqual,
}

impl Mode {
    fn parse(name: &str) -> Option<Mode> {
        Some(match name {
            "BRANCH_EQ" => Mode::Equal,
            "BRANCH_GT" => Mode::Greater,
            "BRANCH_GTE" => Mode::GreaterOrEqual,
            "BRANCH_LEQ" => Mode::LessOrEqual,
            "BRANCH_LT" => Mode::Less,
            "BRANCH_NEQ" => Mode::NotEqual,
            "LEAF" => Mode::Leaf,
            _ => return None,
        })
    }
}

/// A weight: its target and what it adds.
pub(super) type Weight = (u32, f32);

/// The lists, brought together by node.
pub(super) fn described(
    attributes: &mut Attributes,
    limits: &Limits,
) -> Result<(Vec<i64>, Vec<Described>), ModelRefused> {
    let trees = attributes.ints("nodes_treeids")?;
    let count = trees.len();
    if count > limits.nodes_max {
        return Err(ModelRefused::TooMany {
            what: "nodes",
            max: limits.nodes_max,
        });
    }
    let mut ints = |name| {
        let list = attributes.ints(name)?;
        attributes.length(name, &list, count)?;
        Ok::<_, ModelRefused>(list)
    };
    let ids = ints("nodes_nodeids")?;
    let features = ints("nodes_featureids")?;
    let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
    let missing = if attributes.has("nodes_missing_value_tracks_true") {
        let missing = attributes.ints("nodes_missing_value_tracks_true")?;
        attributes.length("nodes_missing_value_tracks_true", &missing, count)?;
        missing
    } else {
        vec![0; count]
    };
    if missing.iter().any(|m| !matches!(m, 0 | 1)) {
        return Err(attributes.value("nodes_missing_value_tracks_true"));
    }
    let values = attributes.floats("nodes_values")?;
    attributes.length("nodes_values", &values, count)?;
    let modes = attributes.texts("nodes_modes")?;
    attributes.length("nodes_modes", &modes, count)?;
    // How often a branch was taken in training; nothing follows from it.
    attributes.ignore("nodes_hitrates");

    let mut described = Vec::with_capacity(count);
    for at in 0..count {
        let mode = Mode::parse(&modes[at]).ok_or_else(|| ModelRefused::Operator {
            domain: "nodes_modes".to_owned(),
            operator: shown(&modes[at]),
        })?;
        if values[at].is_nan() {
            return Err(ModelRefused::NotANumber {
                operator: attributes.operator(),
                attribute: "nodes_values",
            });
        }
        described.push(Described {
            id: ids[at],
            mode,
            feature: features[at],
            value: values[at],
            children: [yes[at], no[at]],
            missing_true: missing[at] == 1,
        });
    }
    Ok((trees, described))
}

/// The weights by tree and node.
pub(super) fn weights(
    attributes: &mut Attributes,
    names: &WeightNames,
    targets: usize,
) -> Result<BTreeMap<(i64, i64), Vec<Weight>>, ModelRefused> {
    let weights = attributes.finite(names.weights)?;
    let trees = attributes.ints(names.trees)?;
    let nodes = attributes.ints(names.nodes)?;
    let ids = attributes.ints(names.ids)?;
    for (name, list) in [
        (names.trees, &trees),
        (names.nodes, &nodes),
        (names.ids, &ids),
    ] {
        attributes.length(name, list, weights.len())?;
    }
    let mut by_node: BTreeMap<(i64, i64), Vec<Weight>> = BTreeMap::new();
    for (at, weight) in weights.into_iter().enumerate() {
        let target = usize::try_from(ids[at]).ok().filter(|t| *t < targets);
        let target = target.ok_or_else(|| attributes.value(names.ids))?;
        let (tree, node) = (trees[at], nodes[at]);
        let of_node = by_node.entry((tree, node)).or_default();
        if of_node.iter().any(|(other, _)| *other == target as u32) {
            return Err(ModelRefused::Weights { tree, node });
        }
        of_node.push((target as u32, weight));
    }
    Ok(by_node)
}
