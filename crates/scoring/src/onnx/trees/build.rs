//! From the attributes of a tree ensemble to a [`Forest`], checking that what they describe are trees.
//!
//! The attributes are parallel lists, one entry per node; a node is known by its tree's id and its own. onnxruntime
//! takes the first node of each tree for its root; here that must also be the only one that no branch leads to.

use std::collections::BTreeMap;

use super::described::{Described, Mode, Weight, WeightNames, described, weights};
use super::{FEATURES_MAX, Forest, Leaves, NEXT, Node, Test, Tree};
use crate::onnx::attributes::Attributes;
use crate::{Limits, ModelRefused};

/// What the weights of an ensemble look like, as far as its answer depends on it.
#[derive(Debug)]
pub(in crate::onnx) struct Facts {
    /// Whether some weight is negative.
    pub(in crate::onnx) negative: bool,
    /// By target, whether any weight adds to it.
    pub(in crate::onnx) used: Vec<bool>,
    /// By target, whether every row gets a weight for it.
    pub(in crate::onnx) always: Vec<bool>,
    /// By column of the input, whether any branch looks at it.
    pub(in crate::onnx) looks_at: Vec<bool>,
}

/// Builds the forest over `width` columns that makes `targets` sums.
pub(in crate::onnx) fn forest(
    attributes: &mut Attributes,
    names: &WeightNames,
    (width, targets): (usize, usize),
    limits: &Limits,
) -> Result<(Forest, Facts), ModelRefused> {
    let (tree_ids, described) = described(attributes, limits)?;
    let mut weights = weights(attributes, names, targets)?;
    let mut build = Build {
        forest: Forest {
            nodes: Vec::with_capacity(described.len()),
            trees: Vec::new(),
            leaves: Leaves::One(Vec::new()),
            targets,
            nan_left: false,
            tests: None,
        },
        tests: Vec::with_capacity(described.len()),
        weights: Vec::with_capacity(described.len()),
        facts: Facts {
            negative: false,
            used: vec![false; targets],
            always: vec![false; targets],
            looks_at: vec![false; width],
        },
        depth_max: limits.depth_max,
    };
    let mut begin = 0;
    let mut seen = BTreeMap::new();
    while let Some(&tree) = tree_ids.get(begin) {
        let len = tree_ids[begin..].iter().take_while(|t| **t == tree).count();
        let nodes = &described[begin..begin + len];
        if seen.insert(tree, ()).is_some() {
            let node = nodes[0].id;
            return Err(ModelRefused::NodeTwice { tree, node });
        }
        if seen.len() > limits.trees_max {
            return Err(ModelRefused::TooMany {
                what: "trees",
                max: limits.trees_max,
            });
        }
        build.tree(tree, nodes, &mut weights)?;
        begin += len;
    }
    if let Some((&(tree, node), _)) = weights.first_key_value() {
        return Err(ModelRefused::Weights { tree, node });
    }
    if build.forest.trees.is_empty() {
        return Err(ModelRefused::Nothing("tree"));
    }
    Ok(build.finish())
}

struct Build {
    forest: Forest,
    tests: Vec<Test>,
    /// By node of the forest.
    weights: Vec<Vec<Weight>>,
    facts: Facts,
    depth_max: usize,
}

impl Build {
    /// Lays out one tree, breadth first: what every row looks at lies at its beginning.
    fn tree(
        &mut self,
        tree: i64,
        nodes: &[Described],
        weights: &mut BTreeMap<(i64, i64), Vec<Weight>>,
    ) -> Result<(), ModelRefused> {
        let children = children(tree, nodes)?;
        let first = self.forest.nodes.len();
        let mut always: Option<Vec<u32>> = None;
        let mut level = vec![0];
        let mut place = 0;
        if nodes[0].mode == Mode::Leaf {
            // A tree of one leaf gets a branch to two copies of it, so that a leaf is never at place 0.
            self.push(Node::branch(f32::NAN, 0, 1, false), Test::AtMost, vec![]);
            (level, place) = (vec![0, 0], 1);
        }
        for depth in 0.. {
            if level.is_empty() {
                break;
            }
            if depth > self.depth_max {
                let max = self.depth_max;
                return Err(ModelRefused::TooDeep { tree, max });
            }
            let mut below = Vec::new();
            let next_level = place + level.len();
            for at in level {
                let node = nodes[at];
                let next = next_level + below.len();
                match self.branch(tree, &node, next)? {
                    Some(swapped) => {
                        let [yes, no] = children[at];
                        below.extend(if swapped { [no, yes] } else { [yes, no] });
                    }
                    None => {
                        let (of_leaf, node) = (weights.get(&(tree, node.id)), node.id);
                        let of_leaf = of_leaf.ok_or(ModelRefused::Weights { tree, node })?;
                        note(&mut always, of_leaf);
                        self.push(Node::leaf(place), Test::AtMost, of_leaf.clone());
                    }
                }
                place += 1;
            }
            level = below;
        }
        for node in nodes.iter().filter(|node| node.mode == Mode::Leaf) {
            weights.remove(&(tree, node.id));
        }
        for target in always.unwrap_or_default() {
            self.facts.always[target as usize] = true;
        }
        self.planted(first)
    }

    /// Keeps the tree whose nodes begin at `first`.
    fn planted(&mut self, first: usize) -> Result<(), ModelRefused> {
        let len = self.forest.nodes.len() - first;
        if len > NEXT as usize {
            return Err(ModelRefused::TooMany {
                what: "nodes of a tree",
                max: NEXT as usize,
            });
        }
        self.forest.trees.push(Tree {
            first: first as u32,
            len: len as u32,
            target: 0,
        });
        Ok(())
    }

    fn push(&mut self, node: Node, test: Test, weights: Vec<Weight>) {
        for &(target, weight) in &weights {
            self.facts.used[target as usize] = true;
            self.facts.negative |= weight < 0.0;
        }
        self.forest.nodes.push(node);
        self.tests.push(test);
        self.weights.push(weights);
    }

    /// Adds a branch whose children are at `next` and behind, and says whether they change places; does nothing about
    /// a leaf.
    fn branch(
        &mut self,
        tree: i64,
        node: &Described,
        next: usize,
    ) -> Result<Option<bool>, ModelRefused> {
        // `x < t` is `x <= next_down(t)`, and `x < -inf` is nothing, as is being at most NaN.
        let below = if node.value == f32::NEG_INFINITY {
            f32::NAN
        } else {
            node.value.next_down()
        };
        let (test, threshold, swapped) = match node.mode {
            Mode::LessOrEqual => (Test::AtMost, node.value, false),
            Mode::Less => (Test::AtMost, below, false),
            Mode::Greater => (Test::AtMost, node.value, true),
            Mode::GreaterOrEqual => (Test::AtMost, below, true),
            Mode::Equal => (Test::Equal, node.value, false),
            Mode::NotEqual => (Test::NotEqual, node.value, false),
            Mode::Leaf => return Ok(None),
        };
        let width = self.facts.looks_at.len().min(FEATURES_MAX);
        let feature = usize::try_from(node.feature).ok().filter(|f| *f < width);
        let feature = feature.ok_or(ModelRefused::FeatureId {
            tree,
            node: node.id,
        })?;
        self.facts.looks_at[feature] = true;
        // NaN passes no test but "not equal", unless it is told to.
        let nan_left = node.missing_true != swapped;
        self.forest.nan_left |= nan_left;
        self.push(
            // A place beyond the bits is cut here and refused when the tree is complete.
            Node::branch(threshold, feature, next & NEXT as usize, nan_left),
            test,
            vec![],
        );
        Ok(Some(swapped))
    }

    fn finish(mut self) -> (Forest, Facts) {
        if self.tests.iter().any(|test| *test != Test::AtMost) {
            self.forest.tests = Some(self.tests);
        }
        self.forest.leaves = one(&mut self.forest.trees, &self.weights).unwrap_or_else(|| {
            let mut start = vec![0];
            let mut all = Vec::new();
            for weights in &self.weights {
                all.extend_from_slice(weights);
                start.push(all.len() as u32);
            }
            Leaves::Many {
                start,
                weights: all,
            }
        });
        (self.forest, self.facts)
    }
}

/// The leaves, if each tree's have a single weight for the same target; that target is then the tree's.
fn one(trees: &mut [Tree], weights: &[Vec<Weight>]) -> Option<Leaves> {
    let mut values = vec![0.0; weights.len()];
    let mut targets = Vec::with_capacity(trees.len());
    for tree in trees.iter() {
        let mut target = None;
        for node in tree.first as usize..(tree.first + tree.len) as usize {
            match weights[node][..] {
                [] => {}
                [(of, value)] if *target.get_or_insert(of) == of => values[node] = value,
                _ => return None,
            }
        }
        targets.push(target?);
    }
    for (tree, target) in trees.iter_mut().zip(targets) {
        tree.target = target;
    }
    Some(Leaves::One(values))
}

/// Keeps of `always` what this leaf has too.
fn note(always: &mut Option<Vec<u32>>, leaf: &[Weight]) {
    match always {
        None => *always = Some(leaf.iter().map(|(target, _)| *target).collect()),
        Some(always) => always.retain(|target| leaf.iter().any(|(other, _)| other == target)),
    }
}

/// The children of every branch by their position, checking that all of it is one tree from the first node.
///
/// Children have larger ids than their parents and every node but the first has one parent; so following parents from
/// any node ends, and can only end at the first.
fn children(tree: i64, nodes: &[Described]) -> Result<Vec<[usize; 2]>, ModelRefused> {
    let mut at_id = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        if at_id.insert(node.id, at).is_some() {
            let node = node.id;
            return Err(ModelRefused::NodeTwice { tree, node });
        }
    }
    let mut parents = vec![0_usize; nodes.len()];
    let mut children = vec![[0; 2]; nodes.len()];
    for (at, described) in nodes.iter().enumerate() {
        if described.mode == Mode::Leaf {
            continue;
        }
        let node = described.id;
        for (child, id) in children[at].iter_mut().zip(described.children) {
            *child = *at_id
                .get(&id)
                .ok_or(ModelRefused::Dangling { tree, node })?;
            if id <= node {
                return Err(ModelRefused::Backward { tree, node });
            }
            parents[*child] += 1;
        }
    }
    let reached = |(at, parents): (usize, &usize)| *parents == usize::from(at != 0);
    match parents.iter().enumerate().position(|entry| !reached(entry)) {
        None => Ok(children),
        Some(at) => Err(ModelRefused::NotATree {
            tree,
            node: nodes[at].id,
        }),
    }
}
