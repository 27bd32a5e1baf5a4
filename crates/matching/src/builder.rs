//! Reads a register, row by row, into an index.
//!
//! A row is digested as soon as it is added; its values pass through one buffer, which is wiped with
//! the builder. A refused row leaves the builder as it was.

use std::{fmt, num::NonZeroU8};

use zeroize::Zeroizing;

use crate::{
    Comparator, Field, Index, IndexKey, Schema, Value,
    claim::{key_capacity, push_key_part},
    comparator::{MAX_CANONICAL_BYTES, Unfit},
    digest::{Digest, DigestKeys},
};

#[cfg(test)]
mod tests;

/// Bounds of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most rows an index may hold; each takes 16 bytes and 16 for every compared field.
    pub max_rows: usize,
    /// The most rows that may share one key. Every lookup compares this many, found or not.
    pub max_rows_per_key: NonZeroU8,
}

/// Collects the rows of one load of a register.
pub struct IndexBuilder {
    schema: Schema,
    keys: DigestKeys,
    limits: Limits,
    /// One per row, in the order of the source until `build`.
    row_keys: Vec<Digest>,
    /// As many per row as there are compared fields.
    row_fields: Vec<Digest>,
    skipped_rows: usize,
    /// Holds one value, or the key, while it is digested. Its capacity is never exceeded, so there
    /// is one copy, and dropping the builder wipes all of it.
    scratch: Zeroizing<Vec<u8>>,
}

/// Why a row cannot be indexed. `row` counts the rows added before it, skipped ones included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowRefused {
    /// A text is longer than [`crate::MAX_TEXT_BYTES`] after normalisation.
    #[error("row {row}: field `{field}` is too long")]
    TooLong {
        /// The row's number, from 0.
        row: usize,
        /// The field's name.
        field: String,
    },
    /// The register has more rows than [`Limits::max_rows`].
    #[error("more than {max_rows} rows")]
    TooManyRows {
        /// The limit.
        max_rows: usize,
    },
    /// A text cannot be read as the comparator needs it (a number, a date).
    #[error("row {row}: field `{field}` cannot be read as its comparator needs it")]
    Unreadable {
        /// The row's number, from 0.
        row: usize,
        /// The field's name.
        field: String,
    },
    /// A value of a type the comparator does not take.
    #[error("row {row}: field `{field}` has the wrong type")]
    WrongType {
        /// The row's number, from 0.
        row: usize,
        /// The field's name.
        field: String,
    },
    /// The row has more or fewer values than the schema has fields.
    #[error("row {row}: {found} values, expected {expected}")]
    WrongWidth {
        /// The row's number, from 0.
        row: usize,
        /// How many values it has.
        found: usize,
        /// How many fields the schema has.
        expected: usize,
    },
}

/// Why the rows do not make an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildRefused {
    /// More rows share one key than a lookup would compare.
    #[error("{found} rows share one key, at most {max_rows_per_key} may")]
    CrowdedKey {
        /// The most rows that share a key.
        found: usize,
        /// The limit.
        max_rows_per_key: NonZeroU8,
    },
}

impl IndexBuilder {
    /// An empty index under a key that no other load uses. The key is wiped on return; what was
    /// derived from it lives on in the index.
    #[must_use]
    pub fn new(schema: Schema, key: IndexKey, limits: Limits) -> Self {
        let capacity = key_capacity(&schema).max(MAX_CANONICAL_BYTES);
        IndexBuilder {
            keys: DigestKeys::derive(&key, &schema),
            schema,
            limits,
            row_keys: Vec::new(),
            row_fields: Vec::new(),
            skipped_rows: 0,
            scratch: Zeroizing::new(Vec::with_capacity(capacity)),
        }
    }

    /// Adds a row: one value per field of the schema, key fields first. A row with a NULL in its
    /// key cannot be found by any claim; it is skipped and counted.
    ///
    /// # Errors
    ///
    /// [`RowRefused`]; the row is then not in the index and the builder can go on.
    pub fn add_row(&mut self, row: &[Value<'_>]) -> Result<(), RowRefused> {
        let number = self.row_keys.len() + self.skipped_rows;
        let width = self.schema.key().len() + self.schema.compared().len();
        if row.len() != width {
            let (found, expected) = (row.len(), width);
            return Err(RowRefused::WrongWidth {
                row: number,
                found,
                expected,
            });
        }
        let (key, compared) = row.split_at(self.schema.key().len());
        if key.contains(&Value::Null) {
            self.skipped_rows += 1;
            return Ok(());
        }
        if self.row_keys.len() >= self.limits.max_rows {
            return Err(RowRefused::TooManyRows {
                max_rows: self.limits.max_rows,
            });
        }
        let fields_before = self.row_fields.len();
        let digested = self.digest_row(key, compared);
        self.scratch.clear();
        digested.map_err(|(field, unfit)| {
            self.row_fields.truncate(fields_before);
            let field = self
                .schema
                .fields()
                .nth(field)
                .expect("the position of a schema's field");
            refused(number, field, unfit)
        })
    }

    /// How many rows were skipped because a key field was NULL.
    #[must_use]
    pub fn skipped_rows(&self) -> usize {
        self.skipped_rows
    }

    /// Sorts the digests into an index.
    ///
    /// # Errors
    ///
    /// If more rows share a key than [`Limits::max_rows_per_key`].
    pub fn build(self) -> Result<Index, BuildRefused> {
        let width = self.schema.compared().len();
        let fields_of = |row: usize| &self.row_fields[row * width..(row + 1) * width];
        let mut order: Vec<(Digest, usize)> = self.row_keys.iter().copied().zip(0..).collect();
        // Rows that share a key are ordered by their fields, so that the content digest does not
        // depend on the order of the source.
        order.sort_unstable_by(|(a_key, a), (b_key, b)| {
            a_key
                .cmp(b_key)
                .then_with(|| fields_of(*a).cmp(fields_of(*b)))
        });
        let crowd = order
            .chunk_by(|a, b| a.0 == b.0)
            .map(<[_]>::len)
            .max()
            .unwrap_or(0);
        let max_rows_per_key = self.limits.max_rows_per_key;
        if crowd > usize::from(max_rows_per_key.get()) {
            return Err(BuildRefused::CrowdedKey {
                found: crowd,
                max_rows_per_key,
            });
        }
        let row_keys: Vec<Digest> = order.iter().map(|(key, _)| *key).collect();
        let mut row_fields = Vec::with_capacity(self.row_fields.len());
        for (_, row) in &order {
            row_fields.extend_from_slice(fields_of(*row));
        }
        Ok(Index::new(
            self.schema,
            self.keys,
            max_rows_per_key,
            self.skipped_rows,
            row_keys,
            row_fields,
        ))
    }

    /// Digests the values of one row, or names by position the first that has no canonical form.
    fn digest_row(
        &mut self,
        key: &[Value<'_>],
        compared: &[Value<'_>],
    ) -> Result<(), (usize, Unfit)> {
        for (position, (field, value)) in self.schema.key().iter().zip(key).enumerate() {
            push_key_part(field, *value, &mut self.scratch).map_err(|unfit| (position, unfit))?;
        }
        let key_digest = self.keys.key_tuple(&self.scratch);
        for (position, (field, value)) in self.schema.compared().iter().zip(compared).enumerate() {
            self.scratch.clear();
            field
                .comparator
                .canonical_into(*value, &mut self.scratch)
                .map_err(|unfit| (key.len() + position, unfit))?;
            let digest = match field.comparator {
                Comparator::AtLeast => self.keys.sealed(position, &key_digest, &self.scratch),
                Comparator::Date | Comparator::Exact | Comparator::Folded | Comparator::Integer => {
                    self.keys.compared(position, &key_digest, &self.scratch)
                }
            };
            self.row_fields.push(digest);
        }
        // Last, so that a refused row leaves no key without fields.
        self.row_keys.push(key_digest.stored());
        Ok(())
    }
}

impl fmt::Debug for IndexBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexBuilder")
            .field("rows", &self.row_keys.len())
            .field("skipped_rows", &self.skipped_rows)
            .finish_non_exhaustive()
    }
}

pub(crate) fn refused(row: usize, field: &Field, unfit: Unfit) -> RowRefused {
    let field = field.name.clone();
    match unfit {
        Unfit::TooLong => RowRefused::TooLong { row, field },
        Unfit::Unreadable => RowRefused::Unreadable { row, field },
        Unfit::WrongType => RowRefused::WrongType { row, field },
    }
}
