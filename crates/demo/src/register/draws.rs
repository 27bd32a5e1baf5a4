//! Numbers drawn from a seed, the same on every machine and in every version: SplitMix64, written out.
//!
//! A library's generators may change their streams between versions, and the register's digest would change with them.
//! Every subject has a stream of its own, so that a rule added for one subject does not move the others. Not for secrets.

#[cfg(test)]
mod tests;

/// The golden ratio in 64 bits: SplitMix64's increment.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Draws {
    state: u64,
}

impl Draws {
    /// The stream of the `index`-th subject of `domain` under `seed`.
    pub(crate) fn of(seed: u64, domain: u64, index: u64) -> Draws {
        let start = mix(seed ^ mix(domain.wrapping_mul(GAMMA)));
        Draws {
            state: mix(start ^ index.wrapping_add(1).wrapping_mul(GAMMA)),
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number in `0..bound`; `bound` is not 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        u32::try_from(scaled).expect("a product's high half is below the bound")
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True `per_mille` times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `items`, all alike.
    pub(crate) fn one<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let bound = u32::try_from(items.len()).expect("the tables here are short");
        &items[self.below(bound) as usize]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A choice by weights: positions of a table, drawn as often as their weights say.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Running sums.
    sums: Vec<u32>,
}

impl Weights {
    /// Weights in the order of the table; at least one is not 0.
    pub(crate) fn new(weights: impl IntoIterator<Item = u32>) -> Weights {
        let mut sum = 0;
        let sums = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Weights { sums }
    }

    /// A position.
    pub(crate) fn draw(&self, draws: &mut Draws) -> usize {
        let total = *self.sums.last().expect("a choice has alternatives");
        let at = draws.below(total);
        self.sums.partition_point(|sum| *sum <= at)
    }
}
