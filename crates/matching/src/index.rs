//! The keyed index and the one question it answers.
//!
//! It holds sorted digests and no value of the register. A lookup computes the same number of
//! digests, probes the same number of rows and compares the same number of rows for every claim of
//! the same schema; nothing ends early. What time still shows is said in the crate's documentation.

use std::{fmt, hint::black_box, num::NonZeroU8};

use ring::digest;

use crate::{
    Claim, Comparator, Schema,
    comparator::{CANONICAL_NULL, rank},
    digest::{Digest, DigestKeys, KeyDigest},
};

#[cfg(test)]
mod tests;

/// What a lookup found out. Which of these a caller may tell apart is for its grant to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// No row with this key matches, but one differs from the claim only where the register itself
    /// has no value.
    Indeterminate,
    /// A row with this key agrees with the claim in every compared field: by equality, or by order
    /// where the field's comparator says so.
    Match,
    /// Rows have this key, and each differs in a field that has a value.
    NoMatch,
    /// No row has this key.
    NotFound,
}

/// The digests of one load of a register.
pub struct Index {
    schema: Schema,
    keys: DigestKeys,
    max_rows_per_key: NonZeroU8,
    rows: usize,
    skipped_rows: usize,
    /// Sorted; `rows` of them, then `max_rows_per_key` dummies of the highest digest, so that a
    /// lookup may read on from any row.
    row_keys: Vec<Digest>,
    /// As many per row as there are compared fields, in the order of `row_keys`.
    row_fields: Vec<Digest>,
    content_digest: [u8; 32],
}

/// What one compared field of a row is compared with.
enum Claimed {
    /// The register's number must be of this rank or a higher one.
    AtLeast { least: u64, null: Digest },
    /// The register's value must have this digest.
    Equal { value: Digest, null: Digest },
}

impl Index {
    /// Takes over sorted digests; the builder has checked that no key is crowded.
    pub(crate) fn new(
        schema: Schema,
        keys: DigestKeys,
        max_rows_per_key: NonZeroU8,
        skipped_rows: usize,
        mut row_keys: Vec<Digest>,
        mut row_fields: Vec<Digest>,
    ) -> Self {
        let content_digest = digest_content(&schema, &row_keys, &row_fields);
        let rows = row_keys.len();
        let padded = rows + usize::from(max_rows_per_key.get());
        row_keys.resize(padded, Digest::MAX);
        row_fields.resize(padded * schema.compared().len(), 0);
        Index {
            schema,
            keys,
            max_rows_per_key,
            rows,
            skipped_rows,
            row_keys,
            row_fields,
            content_digest,
        }
    }

    /// Compares a claim with the rows that have its key: [`Finding::Match`] if one of them equals
    /// it, else [`Finding::Indeterminate`] if one differs only in unknown values, else
    /// [`Finding::NoMatch`]; [`Finding::NotFound`] if there is none.
    ///
    /// # Panics
    ///
    /// If the claim was parsed for another schema ([`Claim::is_for`]): any finding would be a wrong
    /// statement about a person.
    #[must_use]
    pub fn lookup(&self, claim: &Claim) -> Finding {
        assert!(
            claim.is_for(&self.schema),
            "a claim is looked up in an index of its own schema"
        );
        let key = self.keys.key_tuple(claim.key());
        let claimed = self.claimed(claim, &key);
        let first = self.first_at_or_above(key.stored());
        let (mut found, mut matched, mut undecided) = (0, 0, 0);
        for row in first..first + usize::from(self.max_rows_per_key.get()) {
            let here = self.is_row_of(row, key.stored());
            let (equal, equal_or_null) = self.compare_row(row, &key, &claimed);
            found |= here;
            matched |= here & equal;
            undecided |= here & equal_or_null;
        }
        conclude(found, matched, undecided)
    }

    /// The schema claims must be parsed for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows are indexed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many rows of the register were left out because a key field was NULL.
    #[must_use]
    pub fn skipped_rows(&self) -> usize {
        self.skipped_rows
    }

    /// SHA-256 over the schema and all digests: equal for the same rows, in whatever order they
    /// were read, under the same schema and key. Without the key it tells nothing about values.
    #[must_use]
    pub fn content_digest(&self) -> [u8; 32] {
        self.content_digest
    }

    /// The position of the first row whose key digest is not below `key`. The dummies have the
    /// highest digest, so it is at most `rows`; the number of probes depends on their count alone.
    fn first_at_or_above(&self, key: Digest) -> usize {
        let mut base = 0;
        let mut size = self.row_keys.len();
        while size > 1 {
            let half = size / 2;
            // A multiplication instead of a branch, which the processor would learn.
            base += half * usize::from(self.probe(base + half - 1) < key);
            size -= half;
        }
        base + usize::from(self.probe(base) < key)
    }

    fn probe(&self, row: usize) -> Digest {
        #[cfg(test)]
        crate::work::count_probe();
        self.row_keys[row]
    }

    /// 1 if `row` is no dummy and has this key, else 0.
    fn is_row_of(&self, row: usize, key: Digest) -> u8 {
        equal(self.row_keys[row], key) & u8::from(row < self.rows)
    }

    /// What the fields of the rows with this key are compared with.
    fn claimed(&self, claim: &Claim, key: &KeyDigest) -> Vec<Claimed> {
        let fields = self.schema.compared().iter().zip(claim.compared());
        fields
            .enumerate()
            .map(|(at, (field, canonical))| match field.comparator {
                Comparator::AtLeast => Claimed::AtLeast {
                    least: rank(canonical),
                    null: self.keys.sealed(at, key, &CANONICAL_NULL),
                },
                Comparator::Date | Comparator::Exact | Comparator::Folded | Comparator::Integer => {
                    Claimed::Equal {
                        value: self.keys.compared(at, key, canonical),
                        null: self.keys.null(at, key),
                    }
                }
            })
            .collect()
    }

    /// Whether all fields of `row` agree with what is claimed, and whether those that do not are
    /// NULL in the register; each 1 or 0.
    fn compare_row(&self, row: usize, key: &KeyDigest, claimed: &[Claimed]) -> (u8, u8) {
        #[cfg(test)]
        crate::work::count_row();
        let width = claimed.len();
        let fields = &self.row_fields[row * width..(row + 1) * width];
        fields.iter().zip(claimed).enumerate().fold(
            (1, 1),
            |(all, all_or_null), (at, (stored, claimed))| {
                // Which arm is taken depends on the schema, never on the claim or the row.
                let (agrees, unknown) = match claimed {
                    Claimed::Equal { value, null } => {
                        (equal(*stored, *value), equal(*stored, *null))
                    }
                    Claimed::AtLeast { least, null } => {
                        let unknown = equal(*stored, *null);
                        let rank = self.keys.unsealed(at, key, *stored);
                        // A NULL has the lowest rank, which the lowest number has too.
                        (not_below(rank, *least) & (unknown ^ 1), unknown)
                    }
                };
                (all & agrees, all_or_null & (agrees | unknown))
            },
        )
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("rows", &self.rows)
            .field("skipped_rows", &self.skipped_rows)
            .field("content_digest", &hex::encode(self.content_digest))
            .finish_non_exhaustive()
    }
}

/// 1 if the digests are equal, else 0, without a branch.
fn equal(a: Digest, b: Digest) -> u8 {
    let difference = black_box(a ^ b);
    // The top bit of x | −x is set exactly if x is not zero.
    let differs = (difference | difference.wrapping_neg()) >> (Digest::BITS - 1);
    black_box(differs as u8 ^ 1)
}

/// 1 if `a` is `b` or greater, else 0, without a branch.
fn not_below(a: u64, b: u64) -> u8 {
    // The borrow of a subtraction in twice the width is its top bit.
    let borrow = black_box(u128::from(a)).wrapping_sub(u128::from(b)) >> (u128::BITS - 1);
    black_box(borrow as u8 ^ 1)
}

/// Reads the three bits as a table, again without a branch.
fn conclude(found: u8, matched: u8, undecided: u8) -> Finding {
    use Finding::{Indeterminate, Match, NoMatch, NotFound};
    // A match is also undecided (no field differs), and both imply found.
    const TABLE: [Finding; 4] = [NotFound, NoMatch, Indeterminate, Match];
    TABLE[usize::from(found + matched + undecided)]
}

fn digest_content(schema: &Schema, row_keys: &[Digest], row_fields: &[Digest]) -> [u8; 32] {
    let width = schema.compared().len();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"lingqu matching index v1\0");
    context.update(schema.digest());
    context.update(&(row_keys.len() as u64).to_be_bytes());
    for (key, fields) in row_keys.iter().zip(row_fields.chunks_exact(width)) {
        context.update(&key.to_be_bytes());
        for field in fields {
            context.update(&field.to_be_bytes());
        }
    }
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
