//! Small reproducible choices: SplitMix64. Nothing here is a secret.

/// A sequence that a seed determines.
#[derive(Debug)]
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Choices {
        Choices(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero; small ends make the bias meaningless.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below a usize")
    }

    /// At most `most` of `from`, in their order.
    pub(super) fn some<T>(&mut self, mut from: Vec<T>, most: usize) -> Vec<T> {
        while from.len() > most {
            let at = self.below(from.len());
            from.remove(at);
        }
        from
    }

    /// At most `most` of `from`, in any order; in time that does not grow with what is left out.
    pub(super) fn some_of<T>(&mut self, mut from: Vec<T>, most: usize) -> Vec<T> {
        for at in 0..most.min(from.len()) {
            let other = at + self.below(from.len() - at);
            from.swap(at, other);
        }
        from.truncate(most);
        from
    }
}
