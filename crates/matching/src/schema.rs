//! The shape of a verification: which fields find a row and which fields are compared.
//!
//! A product fixes its schema when it is registered; a claim then has every field exactly once.
//! Callers cannot choose fields, because asking with ever fewer fields turns a verification into a
//! way of reading the register.

use ring::digest;

use crate::Comparator;

#[cfg(test)]
mod tests;

/// The most fields a key may have.
pub const MAX_KEY_FIELDS: usize = 8;
/// The most fields that may be compared.
pub const MAX_COMPARED_FIELDS: usize = 16;
/// The most numbers that a field of [`Comparator::AtLeast`] may declare.
pub const MAX_THRESHOLDS: usize = 16;
/// The longest name of a field, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 64;

/// A named field and the rule by which it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Letters and digits of any script, `_`, `-` and `.`; 1 to [`MAX_NAME_BYTES`] bytes.
    pub name: String,
    /// The rule, for key fields too: the key `007` finds row 7 if the rule is `integer`.
    pub comparator: Comparator,
    /// The only numbers that may be claimed, ascending; of [`Comparator::AtLeast`] and of no other.
    pub thresholds: Vec<i64>,
}

impl Field {
    /// A field; the name is checked when a [`Schema`] is made of it.
    #[must_use]
    pub fn new(name: impl Into<String>, comparator: Comparator) -> Self {
        Field {
            name: name.into(),
            comparator,
            thresholds: Vec::new(),
        }
    }

    /// A field of [`Comparator::AtLeast`] about which only these numbers may be asked.
    #[must_use]
    pub fn at_least(name: impl Into<String>, thresholds: Vec<i64>) -> Self {
        Field {
            name: name.into(),
            comparator: Comparator::AtLeast,
            thresholds,
        }
    }

    fn has_fit_thresholds(&self) -> bool {
        let ascending = self.thresholds.windows(2).all(|pair| pair[0] < pair[1]);
        match self.comparator {
            Comparator::AtLeast => {
                (1..=MAX_THRESHOLDS).contains(&self.thresholds.len()) && ascending
            }
            Comparator::Date | Comparator::Exact | Comparator::Folded | Comparator::Integer => {
                self.thresholds.is_empty()
            }
        }
    }
}

/// The key fields and the compared fields of a verification, in the order of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    key: Vec<Field>,
    compared: Vec<Field>,
    digest: [u8; 32],
}

/// Why fields do not make a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaRefused {
    /// The number of compared fields is not 1 to [`MAX_COMPARED_FIELDS`].
    #[error("{found} compared fields, expected 1 to {MAX_COMPARED_FIELDS}")]
    ComparedFields {
        /// How many there were.
        found: usize,
    },
    /// A name stands twice, among key and compared fields together.
    #[error("field `{field}` stands twice")]
    DuplicateName {
        /// The name.
        field: String,
    },
    /// The number of key fields is not 1 to [`MAX_KEY_FIELDS`].
    #[error("{found} key fields, expected 1 to {MAX_KEY_FIELDS}")]
    KeyFields {
        /// How many there were.
        found: usize,
    },
    /// A name is empty, too long, or has characters a name may not have.
    #[error("the name of field {position} is malformed")]
    MalformedName {
        /// Counted from 0, key fields first.
        position: usize,
    },
    /// A key field has a comparator that is no equality, so no digest finds its rows.
    #[error("key field `{field}` is compared by order; only compared fields can be")]
    OrderedKey {
        /// The name.
        field: String,
    },
    /// A field of [`Comparator::AtLeast`] declares no numbers, too many, or not in ascending order; or another field
    /// declares some.
    #[error(
        "field `{field}`: a field compared by order declares 1 to {MAX_THRESHOLDS} ascending numbers, another field none"
    )]
    Thresholds {
        /// The name.
        field: String,
    },
}

impl Schema {
    /// A schema of 1 to 8 key fields and 1 to 16 compared fields with unique names.
    ///
    /// # Errors
    ///
    /// [`SchemaRefused`] names the first rule that does not hold.
    pub fn new(key: Vec<Field>, compared: Vec<Field>) -> Result<Self, SchemaRefused> {
        if !(1..=MAX_COMPARED_FIELDS).contains(&compared.len()) {
            return Err(SchemaRefused::ComparedFields {
                found: compared.len(),
            });
        }
        Schema::checked(key, compared)
    }

    /// A schema that only finds a row and compares nothing, for a [`crate::Directory`].
    ///
    /// # Errors
    ///
    /// As [`Schema::new`].
    pub fn of_key(key: Vec<Field>) -> Result<Self, SchemaRefused> {
        Schema::checked(key, Vec::new())
    }

    fn checked(key: Vec<Field>, compared: Vec<Field>) -> Result<Self, SchemaRefused> {
        if !(1..=MAX_KEY_FIELDS).contains(&key.len()) {
            return Err(SchemaRefused::KeyFields { found: key.len() });
        }
        let fields: Vec<&Field> = key.iter().chain(&compared).collect();
        for (position, field) in fields.iter().enumerate() {
            if !is_name(&field.name) {
                return Err(SchemaRefused::MalformedName { position });
            }
            if fields[..position]
                .iter()
                .any(|earlier| earlier.name == field.name)
            {
                return Err(SchemaRefused::DuplicateName {
                    field: field.name.clone(),
                });
            }
        }
        if let Some(field) = key
            .iter()
            .find(|field| field.comparator == Comparator::AtLeast)
        {
            return Err(SchemaRefused::OrderedKey {
                field: field.name.clone(),
            });
        }
        if let Some(field) = key
            .iter()
            .chain(&compared)
            .find(|field| !field.has_fit_thresholds())
        {
            return Err(SchemaRefused::Thresholds {
                field: field.name.clone(),
            });
        }
        let digest = digest_of(&key, &compared);
        Ok(Schema {
            key,
            compared,
            digest,
        })
    }

    /// The fields that find a row.
    #[must_use]
    pub fn key(&self) -> &[Field] {
        &self.key
    }

    /// The fields that are compared in the rows found.
    #[must_use]
    pub fn compared(&self) -> &[Field] {
        &self.compared
    }

    /// All fields in the order of a row: key fields, then compared fields.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.key.iter().chain(&self.compared)
    }

    /// SHA-256 over names, comparators, thresholds and their order: equal digests mean equal schemas.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// Whether `name` may name a field; also decides whether an error may repeat a caller's name.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(allowed)
}

fn digest_of(key: &[Field], compared: &[Field]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"lingqu matching schema v2\0");
    for fields in [key, compared] {
        context.update(&(fields.len() as u64).to_be_bytes());
        for field in fields {
            for part in [field.name.as_str(), field.comparator.as_str()] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
            context.update(&(field.thresholds.len() as u64).to_be_bytes());
            for threshold in &field.thresholds {
                context.update(&threshold.to_be_bytes());
            }
        }
    }
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
