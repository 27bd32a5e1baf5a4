//! Verification: a claim against one resource's keyed index, one combined verdict out.
//!
//! The index is built once per load and product. It holds keyed digests only, and a lookup does the same work whether
//! the subject exists or not (see `lingqu-matching`). What a grant does not let the caller know is folded into
//! NO_MATCH here, before the verdict is committed to the record: the record never says more than the answer.

use std::num::NonZeroU8;

use arrow_array::RecordBatch;
use lingqu_core::Fault;
use lingqu_core::decide::Permit;
use lingqu_core::product::{Definition, FieldRule, Load, Product, Verification};
use lingqu_matching::{
    Claim, ClaimRefused, Field, Finding, Index, IndexBuilder, IndexKey, Limits, Schema, Value,
};
use lingqu_proto::{ClaimValue, Verdict};
use ring::rand::SystemRandom;

use crate::sources::{ColumnsUnfit, each_row};

/// A product over one load, ready to be asked.
#[derive(Debug)]
pub struct Prepared {
    /// The load it answers from.
    pub load: Load,
    index: Index,
}

/// Why a product cannot be opened over a register. Names columns, never values.
#[derive(Debug, thiserror::Error)]
pub enum PrepareRefused {
    /// The product's fields do not make a schema.
    #[error("the product's fields are unusable: {0}")]
    Schema(#[from] lingqu_matching::SchemaRefused),
    /// The product is of another kind.
    #[error("the product is no verification")]
    Kind,
    /// A comparator has an unknown name.
    #[error("unknown comparator")]
    Comparator,
    /// The resource has not the columns that the product needs.
    #[error(transparent)]
    Columns(#[from] ColumnsUnfit),
    /// A row does not fit.
    #[error("row {row}: {reason}")]
    Row {
        /// Row number from 0.
        row: usize,
        /// Why, without the row's content.
        reason: lingqu_matching::RowRefused,
    },
    /// The register has more rows under one key than allowed.
    #[error(transparent)]
    Build(#[from] lingqu_matching::BuildRefused),
    /// The operating system gave no randomness.
    #[error("no randomness for the index key")]
    Randomness,
}

impl Prepared {
    /// Builds the index over the product's columns of a reading. At least one batch, all of one schema.
    pub fn build(
        product: &Product,
        load: Load,
        batches: &[RecordBatch],
        rows_max: usize,
        rows_per_key_max: NonZeroU8,
    ) -> Result<Prepared, PrepareRefused> {
        let Definition::Verification(Verification { key, compared }) = &product.definition else {
            return Err(PrepareRefused::Kind);
        };
        let schema = Schema::new(fields(key)?, fields(compared)?)?;
        let index_key =
            IndexKey::generate(&SystemRandom::new()).map_err(|_| PrepareRefused::Randomness)?;
        let limits = Limits {
            max_rows: rows_max,
            max_rows_per_key: rows_per_key_max,
        };
        let mut builder = IndexBuilder::new(schema, index_key, limits);
        let columns: Vec<&str> = key
            .iter()
            .chain(compared)
            .map(|field| field.column.as_str())
            .collect();
        if batches.is_empty() {
            return Err(ColumnsUnfit::Unreadable.into());
        }
        let mut row = 0;
        for batch in batches {
            let mut refused = None;
            each_row(batch, &columns, &mut |values: &[Value<'_>]| {
                let added = builder.add_row(values);
                row += 1;
                added
                    .map_err(|reason| {
                        refused = Some(PrepareRefused::Row {
                            row: row - 1,
                            reason,
                        });
                    })
                    .is_ok()
            })?;
            if let Some(refused) = refused {
                return Err(refused);
            }
        }
        Ok(Prepared {
            load,
            index: builder.build()?,
        })
    }

    /// Binds the claim of a request to the product's fields.
    ///
    /// # Errors
    /// Which of them is to blame.
    pub fn claim(&self, values: &[(String, ClaimValue)]) -> Result<Claim, Fault> {
        let schema = self.index.schema();
        Claim::parse(schema, values_of(values)).map_err(|refused| fault(&refused, schema))
    }

    /// Looks the claim up and tells what the permit lets the caller know.
    pub fn verdict(&self, claim: &Claim, permit: &Permit) -> Verdict {
        match self.index.lookup(claim) {
            Finding::Match => Verdict::Match,
            Finding::NotFound if permit.reveals_not_found() => Verdict::NotFound,
            Finding::Indeterminate if permit.reveals_indeterminate() => Verdict::Indeterminate,
            Finding::Indeterminate | Finding::NoMatch | Finding::NotFound => Verdict::NoMatch,
        }
    }
}

/// A call's arguments as values to compare.
pub(super) fn values_of(
    arguments: &[(String, ClaimValue)],
) -> impl Iterator<Item = (&str, Value<'_>)> {
    arguments.iter().map(|(field, value)| {
        let value = match value {
            ClaimValue::Text(text) => Value::Text(text),
            ClaimValue::Integer(integer) => Value::Integer(*integer),
        };
        (field.as_str(), value)
    })
}

pub(super) fn fields(rules: &[FieldRule]) -> Result<Vec<Field>, PrepareRefused> {
    rules
        .iter()
        .map(|rule| {
            let comparator = rule
                .comparator
                .parse()
                .map_err(|_| PrepareRefused::Comparator)?;
            Ok(Field {
                name: rule.name.clone(),
                comparator,
                thresholds: rule.thresholds.clone(),
            })
        })
        .collect()
}

/// What is wrong with a claim, as its sender may be told: names are the product's own, a name that it does not have is
/// not repeated.
pub(super) fn fault(refused: &ClaimRefused, schema: &Schema) -> Fault {
    let (field, reason) = match refused {
        ClaimRefused::Duplicate { field } => (field, "is there twice"),
        ClaimRefused::Missing { field } => (field, "is missing"),
        ClaimRefused::Null { field } => (field, "has no value"),
        ClaimRefused::TooLong { field } => (field, "is too long"),
        ClaimRefused::Undeclared { field } => {
            (field, "is not one of the numbers that the product declares")
        }
        ClaimRefused::Unknown { field } => (field, "name a field that the product does not have"),
        ClaimRefused::Unreadable { field } => (
            field,
            "cannot be read as the number or date that it must be",
        ),
        ClaimRefused::WrongType { field } => (field, "has the wrong type"),
    };
    let declared = schema.fields().map(|field| field.name.as_str());
    Fault::of_declared(declared, field, reason)
}
