//! Tree ensembles, flat: eight bytes per node, so that a whole ensemble stays close to the processor.
//!
//! Every branch is brought into one form, "at most the threshold goes left", whatever mode the model gave it; the two
//! children of a branch lie beside each other, so that a comparison is an addition; a leaf leads to itself, so that
//! eight walks can go on side by side until the last has arrived. Sums are made in `f32` in the order of the trees, as
//! onnxruntime makes them. Built and checked by [`build`].

pub(super) mod build;
pub(super) mod described;
#[cfg(test)]
mod tests;

/// Walks that go on side by side; the waiting of one for memory is the work of the others.
const LANES: usize = 8;
/// Bits of a node for the place of its left child in the tree.
const NEXT_BITS: u32 = 20;
const NEXT: u32 = (1 << NEXT_BITS) - 1;
/// Bits of a node for its feature.
const FEATURE_BITS: u32 = 11;
const FEATURE: u32 = (1 << FEATURE_BITS) - 1;
const NAN_LEFT: u32 = 1 << 31;

/// Features that a node can name.
pub(crate) const FEATURES_MAX: usize = 1 << FEATURE_BITS;

/// A branch: `threshold`, and packed into 32 bits the left child's place in the tree (the right one follows), the
/// feature, and whether NaN goes left. A leaf has the threshold NaN, which nothing is at most, and leads to itself.
#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: f32,
    packed: u32,
}

impl Node {
    fn branch(threshold: f32, feature: usize, next: usize, nan_left: bool) -> Node {
        let nan = if nan_left { NAN_LEFT } else { 0 };
        Node {
            threshold,
            packed: next as u32 | (feature as u32) << NEXT_BITS | nan,
        }
    }

    /// `place` is at least 1: at 0 there is always a branch.
    fn leaf(place: usize) -> Node {
        Node::branch(f32::NAN, 0, place - 1, false)
    }

    #[inline(always)]
    fn feature(self) -> usize {
        ((self.packed >> NEXT_BITS) & FEATURE) as usize
    }

    /// Where a row with this value goes on.
    #[inline(always)]
    fn next<const NAN: bool>(self, value: f32) -> u32 {
        let mut left = value <= self.threshold;
        if NAN {
            left |= (self.packed & NAN_LEFT != 0) & value.is_nan();
        }
        (self.packed & NEXT) + u32::from(!left)
    }
}

/// The branches that the one form cannot express.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Test {
    AtMost,
    Equal,
    NotEqual,
}

/// One tree: its nodes' place among all, and the target of its leaves if they have only one.
#[derive(Clone, Copy, Debug)]
struct Tree {
    first: u32,
    len: u32,
    target: u32,
}

/// What a leaf adds to the sums.
#[derive(Debug)]
enum Leaves {
    /// Every leaf of a tree adds to that tree's one target; by node.
    One(Vec<f32>),
    /// A leaf adds to several targets: `weights[start[node]..start[node + 1]]`.
    Many {
        start: Vec<u32>,
        weights: Vec<(u32, f32)>,
    },
}

/// The trees of one ensemble.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    trees: Vec<Tree>,
    leaves: Leaves,
    /// Sums that it makes per row.
    targets: usize,
    /// Whether NaN goes left anywhere.
    nan_left: bool,
    /// By node, if any branch is not of the one form; these ensembles are walked one step at a time.
    tests: Option<Vec<Test>>,
}

/// The values that trees look at: some columns of a block of rows.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// Row after row.
    pub(super) values: &'a [f32],
    /// Values per row in `values`.
    pub(super) stride: usize,
    /// The first of the columns.
    pub(super) first: usize,
    /// How many columns.
    pub(super) width: usize,
    /// How many rows.
    pub(super) rows: usize,
}

impl<'a> Block<'a> {
    #[inline(always)]
    fn row(&self, row: usize) -> &'a [f32] {
        let begin = row * self.stride + self.first;
        &self.values[begin..begin + self.width]
    }

    fn has_nan(&self) -> bool {
        (0..self.rows).any(|row| self.row(row).iter().any(|value| value.is_nan()))
    }
}

impl Forest {
    /// Trees of the ensemble.
    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Nodes of the ensemble.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Sums per row.
    pub(super) fn targets(&self) -> usize {
        self.targets
    }

    /// The sums of every row, row after row; `sums` has `rows * targets` entries.
    pub(super) fn sum(&self, block: Block<'_>, sums: &mut [f32]) {
        sums.fill(0.0);
        match &self.tests {
            Some(tests) => self.sum_tested(tests, block, sums),
            // Looking once at every value is less than asking at every branch.
            None if self.nan_left && block.has_nan() => self.sum_plain::<true>(block, sums),
            None => self.sum_plain::<false>(block, sums),
        }
    }

    fn sum_plain<const NAN: bool>(&self, block: Block<'_>, sums: &mut [f32]) {
        let side_by_side = block.rows - block.rows % LANES;
        if side_by_side > 0 {
            for tree in &self.trees {
                let nodes = self.nodes_of(tree);
                for begin in (0..side_by_side).step_by(LANES) {
                    let rows = std::array::from_fn(|lane| block.row(begin + lane));
                    let places = walk::<NAN, LANES>([nodes; LANES], rows);
                    for (lane, place) in places.into_iter().enumerate() {
                        self.add(tree, place, self.sums_of(sums, begin + lane));
                    }
                }
            }
        }
        for row in side_by_side..block.rows {
            self.sum_row::<NAN>(block.row(row), self.sums_of(sums, row));
        }
    }

    /// One row through all trees, so many of them side by side.
    fn sum_row<const NAN: bool>(&self, row: &[f32], sums: &mut [f32]) {
        let mut groups = self.trees.chunks_exact(LANES);
        for group in &mut groups {
            let nodes = std::array::from_fn(|lane| self.nodes_of(&group[lane]));
            let places = walk::<NAN, LANES>(nodes, [row; LANES]);
            for (tree, place) in group.iter().zip(places) {
                self.add(tree, place, sums);
            }
        }
        for tree in groups.remainder() {
            let [place] = walk::<NAN, 1>([self.nodes_of(tree)], [row]);
            self.add(tree, place, sums);
        }
    }

    fn sum_tested(&self, tests: &[Test], block: Block<'_>, sums: &mut [f32]) {
        for tree in &self.trees {
            let nodes = self.nodes_of(tree);
            let tests = &tests[tree.first as usize..][..nodes.len()];
            for row in 0..block.rows {
                let place = walk_tested(nodes, tests, block.row(row));
                self.add(tree, place, self.sums_of(sums, row));
            }
        }
    }

    #[inline(always)]
    fn nodes_of(&self, tree: &Tree) -> &[Node] {
        &self.nodes[tree.first as usize..][..tree.len as usize]
    }

    #[inline(always)]
    fn sums_of<'a>(&self, sums: &'a mut [f32], row: usize) -> &'a mut [f32] {
        &mut sums[row * self.targets..][..self.targets]
    }

    #[inline(always)]
    fn add(&self, tree: &Tree, place: u32, sums: &mut [f32]) {
        let node = (tree.first + place) as usize;
        match &self.leaves {
            Leaves::One(values) => sums[tree.target as usize] += values[node],
            Leaves::Many { start, weights } => {
                for &(target, weight) in &weights[start[node] as usize..start[node + 1] as usize] {
                    sums[target as usize] += weight;
                }
            }
        }
    }
}

/// Walks from the root to a leaf, each row in its tree.
#[inline(always)]
fn walk<const NAN: bool, const N: usize>(trees: [&[Node]; N], rows: [&[f32]; N]) -> [u32; N] {
    let mut places = [0_u32; N];
    loop {
        let mut moved = 0;
        for lane in 0..N {
            let node = trees[lane][places[lane] as usize];
            let next = node.next::<NAN>(rows[lane][node.feature()]);
            moved |= next ^ places[lane];
            places[lane] = next;
        }
        // Ends, since a branch leads to larger places only and a leaf to itself.
        if moved == 0 {
            return places;
        }
    }
}

fn walk_tested(nodes: &[Node], tests: &[Test], row: &[f32]) -> u32 {
    let mut place = 0_u32;
    loop {
        let node = nodes[place as usize];
        let value = row[node.feature()];
        let left = match tests[place as usize] {
            Test::AtMost => value <= node.threshold,
            Test::Equal => value == node.threshold,
            Test::NotEqual => value != node.threshold,
        };
        let left = left || (node.packed & NAN_LEFT != 0 && value.is_nan());
        let next = (node.packed & NEXT) + u32::from(!left);
        if next == place {
            return place;
        }
        place = next;
    }
}
