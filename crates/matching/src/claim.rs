//! What a caller claims, brought to canonical form before anything is looked up.
//!
//! A claim has every field of the schema exactly once. Refusals name the field and never the value,
//! so they may be shown and logged; the refused name itself is repeated only if it is well-formed.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    Comparator, Field, Schema, Value,
    comparator::{MAX_CANONICAL_BYTES, Unfit, canonical_integer},
    schema::is_name,
};

#[cfg(test)]
mod tests;

/// A complete claim in canonical form, wiped when dropped. `Debug` shows no content.
pub struct Claim {
    schema_digest: [u8; 32],
    /// The key tuple as [`push_key_part`] encodes it.
    key: Zeroizing<Vec<u8>>,
    /// Canonical values in the order of the compared fields.
    compared: Vec<Zeroizing<Vec<u8>>>,
}

/// Why values are not a claim. `field` is always a name, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// A field stands twice.
    #[error("field `{field}` stands twice in the claim")]
    Duplicate {
        /// The name.
        field: String,
    },
    /// A field of the schema is not in the claim.
    #[error("field `{field}` is missing from the claim")]
    Missing {
        /// The name.
        field: String,
    },
    /// A field has no value.
    #[error("field `{field}` has no value")]
    Null {
        /// The name.
        field: String,
    },
    /// A text is longer than [`crate::MAX_TEXT_BYTES`] after normalisation.
    #[error("field `{field}` is too long")]
    TooLong {
        /// The name.
        field: String,
    },
    /// A number by which a field that is compared by order may not be asked about.
    #[error("field `{field}` is not one of the numbers that the product declares")]
    Undeclared {
        /// The name.
        field: String,
    },
    /// A name the schema does not have.
    #[error("unknown field `{field}`")]
    Unknown {
        /// The name, or `?` if it is no well-formed name.
        field: String,
    },
    /// A text cannot be read as the comparator needs it (a number, a date).
    #[error("field `{field}` cannot be read as its comparator needs it")]
    Unreadable {
        /// The name.
        field: String,
    },
    /// A value of a type the comparator does not take.
    #[error("field `{field}` has the wrong type")]
    WrongType {
        /// The name.
        field: String,
    },
}

impl Claim {
    /// Parses named values, in any order, into a claim on `schema`.
    ///
    /// # Errors
    ///
    /// [`ClaimRefused`] for the first name that is unknown or stands twice, then for the first
    /// field in the order of the schema that is missing or unfit.
    pub fn parse<'a>(
        schema: &Schema,
        values: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Result<Self, ClaimRefused> {
        let values = sort_by_schema(schema, values)?;
        let mut key = Zeroizing::new(Vec::with_capacity(key_capacity(schema)));
        let mut compared = Vec::with_capacity(schema.compared().len());
        for (position, (field, value)) in schema.fields().zip(values).enumerate() {
            let value = match value {
                None => {
                    return Err(ClaimRefused::Missing {
                        field: field.name.clone(),
                    });
                }
                Some(Value::Null) => {
                    return Err(ClaimRefused::Null {
                        field: field.name.clone(),
                    });
                }
                Some(value) => value,
            };
            if position < schema.key().len() {
                push_key_part(field, value, &mut key)
            } else {
                let mut canonical = Zeroizing::new(Vec::with_capacity(MAX_CANONICAL_BYTES));
                let done = field.comparator.canonical_into(value, &mut canonical);
                if done.is_ok() && !is_declared(field, &canonical) {
                    return Err(ClaimRefused::Undeclared {
                        field: field.name.clone(),
                    });
                }
                compared.push(canonical);
                done
            }
            .map_err(|unfit| refused(field, unfit))?;
        }
        Ok(Claim {
            schema_digest: *schema.digest(),
            key,
            compared,
        })
    }

    /// Whether the claim was parsed for this schema.
    #[must_use]
    pub fn is_for(&self, schema: &Schema) -> bool {
        self.schema_digest == *schema.digest()
    }

    /// Whom the claim is about: the key fields in canonical form, equal however their values were written. Secret like
    /// the claim.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn compared(&self) -> impl Iterator<Item = &[u8]> {
        self.compared.iter().map(|canonical| canonical.as_slice())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

/// The capacity at which an encoded key tuple never reallocates: a reallocation would leave a copy
/// of personal data that nobody wipes.
pub(crate) fn key_capacity(schema: &Schema) -> usize {
    schema.key().len() * (LENGTH_BYTES + MAX_CANONICAL_BYTES)
}

/// Whether a claimed number is one of those by which the field may be asked about.
fn is_declared(field: &Field, canonical: &[u8]) -> bool {
    field.comparator != Comparator::AtLeast
        || field
            .thresholds
            .iter()
            .any(|threshold| canonical == canonical_integer(*threshold))
}

const LENGTH_BYTES: usize = 4;

/// Appends one part of a key tuple: its canonical form behind its length, so that ("ab", "c") and
/// ("a", "bc") differ. The field names are bound into the key of the digest.
pub(crate) fn push_key_part(
    field: &Field,
    value: Value<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    field.comparator.canonical_into(value, out)?;
    let length = u32::try_from(out.len() - start - LENGTH_BYTES)
        .expect("a canonical value is shorter than 2 KiB");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn sort_by_schema<'a>(
    schema: &Schema,
    values: impl IntoIterator<Item = (&'a str, Value<'a>)>,
) -> Result<Vec<Option<Value<'a>>>, ClaimRefused> {
    let mut sorted = vec![None; schema.fields().count()];
    // Ends at the first surplus value, so an endless claim costs no more than a complete one.
    for (name, value) in values {
        let Some(position) = schema.fields().position(|field| field.name == name) else {
            // A caller who swaps name and value must not find the value in an error text.
            let field = if is_name(name) { name } else { "?" };
            return Err(ClaimRefused::Unknown {
                field: field.to_owned(),
            });
        };
        if sorted[position].replace(value).is_some() {
            return Err(ClaimRefused::Duplicate {
                field: name.to_owned(),
            });
        }
    }
    Ok(sorted)
}

fn refused(field: &Field, unfit: Unfit) -> ClaimRefused {
    let field = field.name.clone();
    match unfit {
        Unfit::TooLong => ClaimRefused::TooLong { field },
        Unfit::Unreadable => ClaimRefused::Unreadable { field },
        Unfit::WrongType => ClaimRefused::WrongType { field },
    }
}
