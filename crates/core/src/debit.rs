//! A debit: privacy budget that is spent, on record before anything is evaluated, and never given back.
//!
//! One place writes the record and reads it back, so that what the ledger counts is what was written. A record of this
//! kind that does not say everything is no debit, and a log that has it is not continued.

use lingqu_policy::{MicroRho, is_space_name};

use crate::GrantId;
use crate::decide::Permit;
use crate::grant::Environment;
use crate::record::{Clear, Draft, Field, Kind, RecordView};

/// What a debit is called in records when something is to be evaluated: it is spent on the space and on the grant.
pub const DEBIT: &str = "debit";
/// What it is called when an answer is taken from the store: nothing new is learned of the space, and the grant's own
/// limit is charged as for any other answer.
pub const DEBIT_STORED: &str = "debit_stored";

/// Budget that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debit {
    /// Under which grant.
    pub grant: GrantId,
    /// Where: all environments over production data share one account.
    pub environment: Environment,
    /// On which entity space, for example `person`.
    pub space: String,
    /// How much.
    pub rho: MicroRho,
    /// Whether the answer comes from the store, so that only the grant is charged.
    pub from_store: bool,
}

/// A record of a debit that does not say what is spent on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a debit's record does not say what is spent on what")]
pub struct DebitMalformed;

impl Debit {
    /// The record of this debit under `permit`, whose grant and environment are the debit's. The call's own record
    /// refers to it.
    pub fn draft(&self, permit: &Permit) -> Draft {
        let mut draft = Draft::new(Kind::Debit);
        draft.clear = Clear::default()
            .text(Field::Grant, self.grant.as_str())
            .number(Field::GrantVersion, permit.grant_version().into())
            .text(Field::Product, permit.product().id.as_str())
            .number(Field::ProductVersion, permit.product().version.into())
            .bytes(Field::ProductDigest, &permit.product_digest().0)
            .text(Field::Environment, self.environment.as_str())
            .text(Field::Action, self.action())
            .text(Field::BudgetSpace, &self.space)
            .number(Field::RhoMicro, self.rho.0);
        draft
    }

    fn action(&self) -> &'static str {
        match self.from_store {
            true => DEBIT_STORED,
            false => DEBIT,
        }
    }

    /// The debit that a record is; nothing if it is of another kind.
    ///
    /// # Errors
    /// [`DebitMalformed`]: whoever counts must not go on as if nothing had been spent.
    pub fn of(record: &RecordView<'_>) -> Result<Option<Debit>, DebitMalformed> {
        if record.kind() != Kind::Debit {
            return Ok(None);
        }
        let text = |field| record.text(field).ok_or(DebitMalformed);
        let space = text(Field::BudgetSpace)?;
        let rho = record.number(Field::RhoMicro).ok_or(DebitMalformed)?;
        if !is_space_name(space) || rho == 0 {
            return Err(DebitMalformed);
        }
        Ok(Some(Debit {
            grant: text(Field::Grant)?.parse().map_err(|_| DebitMalformed)?,
            environment: text(Field::Environment)?
                .parse()
                .map_err(|_| DebitMalformed)?,
            space: space.to_owned(),
            rho: MicroRho(rho),
            from_store: match text(Field::Action)? {
                DEBIT => false,
                DEBIT_STORED => true,
                _ => return Err(DebitMalformed),
            },
        }))
    }
}

#[cfg(test)]
mod tests;
