//! Where a subject's row is: keyed digests of key tuples, each with the number of its row.
//!
//! A model's features lie beside it, by row number. Like the index it holds no value of the register, and a lookup makes
//! the same number of probes whether the subject is there or not.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    Claim, IndexKey, RowRefused, Schema, Value,
    builder::refused,
    claim::{key_capacity, push_key_part},
    digest::{Digest, DigestKeys},
};

#[cfg(test)]
mod tests;

/// Collects the keys of one load of a register.
pub struct DirectoryBuilder {
    schema: Schema,
    keys: DigestKeys,
    max_rows: usize,
    next: usize,
    rows: Vec<(Digest, u32)>,
    scratch: Zeroizing<Vec<u8>>,
}

/// Two rows have one key: it would be unclear whose features are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two rows share one key")]
pub struct KeyShared;

/// The rows of one load by key.
pub struct Directory {
    schema: Schema,
    keys: DigestKeys,
    /// Sorted by digest.
    rows: Vec<(Digest, u32)>,
}

impl DirectoryBuilder {
    /// An empty directory of at most `max_rows` rows under a key that no other load uses. Only the schema's key fields
    /// count.
    #[must_use]
    pub fn new(schema: Schema, key: IndexKey, max_rows: usize) -> Self {
        DirectoryBuilder {
            keys: DigestKeys::derive(&key, &schema),
            scratch: Zeroizing::new(Vec::with_capacity(key_capacity(&schema))),
            max_rows: max_rows.min(u32::MAX as usize),
            schema,
            next: 0,
            rows: Vec::new(),
        }
    }

    /// Adds the next row's key. A row with a NULL in its key takes its number and is found by nobody.
    ///
    /// # Errors
    ///
    /// [`RowRefused`], as for an index.
    pub fn add_key(&mut self, key: &[Value<'_>]) -> Result<(), RowRefused> {
        let number = self.next;
        let expected = self.schema.key().len();
        if key.len() != expected {
            let found = key.len();
            return Err(RowRefused::WrongWidth {
                row: number,
                found,
                expected,
            });
        }
        let max_rows = self.max_rows;
        let row = u32::try_from(number)
            .ok()
            .filter(|_| number < max_rows)
            .ok_or(RowRefused::TooManyRows { max_rows })?;
        self.next += 1;
        if key.contains(&Value::Null) {
            return Ok(());
        }
        self.scratch.clear();
        for (field, value) in self.schema.key().iter().zip(key) {
            push_key_part(field, *value, &mut self.scratch)
                .map_err(|unfit| refused(number, field, unfit))?;
        }
        let digest = self.keys.key_tuple(&self.scratch).stored();
        self.rows.push((digest, row));
        self.scratch.clear();
        Ok(())
    }

    /// Sorts the keys.
    ///
    /// # Errors
    ///
    /// [`KeyShared`].
    pub fn build(mut self) -> Result<Directory, KeyShared> {
        self.rows.sort_unstable();
        if self.rows.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(KeyShared);
        }
        Ok(Directory {
            schema: self.schema,
            keys: self.keys,
            rows: self.rows,
        })
    }
}

impl Directory {
    /// The schema that claims on it must be parsed for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of the subject's row, counted from 0 in the order of the source.
    ///
    /// # Panics
    ///
    /// If the claim was parsed for another schema.
    #[must_use]
    pub fn row(&self, claim: &Claim) -> Option<usize> {
        assert!(
            claim.is_for(&self.schema),
            "a claim is looked up in a directory of its own schema"
        );
        let wanted = self.keys.key_tuple(claim.key()).stored();
        // The number of probes of a partition point depends on the number of rows alone.
        let at = self.rows.partition_point(|(digest, _)| *digest < wanted);
        let (digest, row) = self.rows.get(at)?;
        (*digest == wanted).then_some(*row as usize)
    }
}

impl fmt::Debug for DirectoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryBuilder")
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}
