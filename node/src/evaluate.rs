//! What a product answers: one file per kind. A product is prepared over its loads once; a call is bound to it without
//! looking at data, and run afterwards.

pub mod dp;
mod explain;
pub mod model;
pub mod statistic;
pub mod verification;

use std::sync::Arc;

pub(crate) use explain::schema as explanation_schema;

pub use lingqu_guard::{Explanation, Sentence, TableRules, Topic};
pub use statistic::StatisticExplained;

use arrow_array::RecordBatch;
use lingqu_core::decide::Permit;
use lingqu_core::product::Load;
use lingqu_core::{ErrorCode, Fault};
use lingqu_matching::Claim;
use lingqu_proto::{ProductCall, Score, Verdict};

/// What may leave: the answer of one of the three kinds of product.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerValue {
    /// A model's class or rounded score.
    Score(Score),
    /// A statistic's released table.
    Table(Table),
    /// A verification's verdict.
    Verdict(Verdict),
}

/// A released table and the bytes that the record commits to.
#[derive(Clone, PartialEq)]
pub struct Table {
    /// The rows.
    pub rows: RecordBatch,
    /// The same as an Arrow IPC stream.
    pub stream: Vec<u8>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Table(redacted)")
    }
}

impl AnswerValue {
    /// What the record commits to as the answer.
    pub fn committed_bytes(&self) -> Vec<u8> {
        match self {
            AnswerValue::Score(score) => score.answer_bytes(),
            AnswerValue::Table(table) => table.stream.clone(),
            AnswerValue::Verdict(verdict) => vec![verdict.answer_byte()],
        }
    }

    /// Memory that keeping it takes, in bytes, roughly.
    pub fn kept_bytes(&self) -> usize {
        match self {
            AnswerValue::Score(_) | AnswerValue::Verdict(_) => 128,
            AnswerValue::Table(table) => {
                table.stream.len() + table.rows.get_array_memory_size() + 128
            }
        }
    }
}

/// A product over its loads, ready to be asked.
#[derive(Debug)]
pub enum Prepared {
    /// See [`dp`].
    Dp(dp::Prepared),
    /// See [`model`].
    Model(model::Prepared),
    /// See [`statistic`].
    Statistic(statistic::Prepared),
    /// See [`verification`].
    Verification(verification::Prepared),
}

/// Why a call does not fit its product. No data was looked at to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The code.
    pub code: ErrorCode,
    /// Which argument it is, where one is to blame.
    pub fault: Option<Fault>,
}

impl From<ErrorCode> for Misfit {
    fn from(code: ErrorCode) -> Misfit {
        Misfit { code, fault: None }
    }
}

/// A call's arguments, bound to the product that they fit, which runs them.
#[derive(Debug)]
pub struct Bound {
    prepared: Arc<Prepared>,
    arguments: Arguments,
}

#[derive(Debug)]
enum Arguments {
    Noisy(lingqu_guard::DpBound),
    Parameters(lingqu_guard::Bound),
    Values(Claim),
}

impl Prepared {
    /// The loads it answers from; the product's own resource first.
    pub fn loads(&self) -> &[Load] {
        match self {
            Prepared::Dp(prepared) => &prepared.loads,
            Prepared::Model(prepared) => std::slice::from_ref(&prepared.load),
            Prepared::Statistic(prepared) => prepared.loads(),
            Prepared::Verification(prepared) => std::slice::from_ref(&prepared.load),
        }
    }

    /// Binds a call to the product; no data is looked at.
    ///
    /// # Errors
    /// `PRODUCT_KIND_MISMATCH`, `AS_OF_UNAVAILABLE`, or the code of arguments that do not fit.
    pub fn bind(self: Arc<Self>, asked: &ProductCall, permit: &Permit) -> Result<Bound, Misfit> {
        if asked.kind.is_some_and(|meant| meant != permit.kind()) {
            return Err(ErrorCode::ProductKindMismatch.into());
        }
        let is_old = |bound| self.loads().iter().any(|load| load.as_of < bound);
        if asked.as_of_min.is_some_and(is_old) {
            return Err(ErrorCode::AsOfUnavailable.into());
        }
        let invalid = |code| {
            move |fault| Misfit {
                code,
                fault: Some(fault),
            }
        };
        let arguments = match &*self {
            Prepared::Dp(prepared) => prepared
                .parameters(&asked.arguments)
                .map(Arguments::Noisy)
                .map_err(invalid(ErrorCode::ParameterInvalid))?,
            Prepared::Model(prepared) => prepared
                .subject(&asked.arguments)
                .map(Arguments::Values)
                .map_err(invalid(ErrorCode::ParameterInvalid))?,
            Prepared::Statistic(prepared) => prepared
                .parameters(&asked.arguments)
                .map(Arguments::Parameters)
                .map_err(invalid(ErrorCode::ParameterInvalid))?,
            Prepared::Verification(prepared) => prepared
                .claim(&asked.arguments)
                .map(Arguments::Values)
                .map_err(invalid(ErrorCode::ClaimInvalid))?,
        };
        Ok(Bound {
            prepared: self,
            arguments,
        })
    }
}

/// A bound call that has its place where it runs.
#[derive(Debug)]
pub struct Placed {
    prepared: Arc<Prepared>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Runs where only so many wait, once it is paid for.
    Noisy(lingqu_guard::Place, lingqu_guard::DpBound),
    /// Runs where only so many wait.
    Statistic(lingqu_guard::Place, lingqu_guard::Bound),
    /// Runs at once.
    Values(Claim),
}

impl Bound {
    /// Takes the place that the evaluation needs, before anything is charged for it.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub fn enter(self) -> Result<Placed, ErrorCode> {
        let work = match (&*self.prepared, self.arguments) {
            (Prepared::Statistic(prepared), Arguments::Parameters(bound)) => {
                Work::Statistic(prepared.enter()?, bound)
            }
            (Prepared::Dp(prepared), Arguments::Noisy(bound)) => {
                Work::Noisy(prepared.enter()?, bound)
            }
            (_, Arguments::Values(values)) => Work::Values(values),
            // Bound to another kind: `bind` makes no such pair.
            (_, Arguments::Noisy(_) | Arguments::Parameters(_)) => {
                return Err(ErrorCode::Internal);
            }
        };
        Ok(Placed {
            prepared: self.prepared,
            work,
        })
    }
}

impl Placed {
    /// The loads that the answer will be made from.
    pub fn loads(&self) -> &[Load] {
        self.prepared.loads()
    }

    /// What is to be paid for in privacy before it may run; none for everything without noise.
    pub(crate) fn question(&self, permit: &Permit) -> Option<dp::Question> {
        match (&*self.prepared, &self.work) {
            (Prepared::Dp(prepared), Work::Noisy(_, bound)) => {
                Some(prepared.question(permit, bound))
            }
            _ => None,
        }
    }

    /// What it would answer, under which rules and at what cost. Nothing of the loads is looked at.
    ///
    /// # Errors
    /// `INTERNAL`.
    pub fn explain(&self, permit: &Permit) -> Result<AnswerValue, ErrorCode> {
        let told = match (&*self.prepared, &self.work) {
            (Prepared::Dp(_), Work::Noisy(_, bound)) => bound.explain(),
            (Prepared::Statistic(_), Work::Statistic(_, bound)) => bound.explain(),
            (Prepared::Model(prepared), Work::Values(_)) => explain::model(prepared.reasons_max()),
            (Prepared::Verification(_), Work::Values(_)) => explain::verification(permit),
            // Bound to another kind: `bind` makes no such pair.
            (_, Work::Noisy(..) | Work::Statistic(..))
            | (Prepared::Dp(_) | Prepared::Statistic(_), Work::Values(_)) => {
                return Err(ErrorCode::Internal);
            }
        };
        explain::table(told, permit)
            .map(AnswerValue::Table)
            .map_err(|_| ErrorCode::Internal)
    }

    /// Whom the call is about, in canonical form; nobody for a statistic.
    pub fn subject(&self) -> Option<&[u8]> {
        match &self.work {
            Work::Noisy(..) | Work::Statistic(..) => None,
            Work::Values(claim) => Some(claim.subject()),
        }
    }

    /// Evaluates. Data is touched: the caller of this charges and records whatever comes of it. Noise is made only for
    /// what was `paid`.
    ///
    /// # Errors
    /// `EVALUATION_FAILED`, whatever the reason: it must say nothing about data.
    pub(crate) async fn run(
        self,
        permit: &Permit,
        paid: Option<dp::Paid>,
    ) -> Result<AnswerValue, ErrorCode> {
        match (&*self.prepared, self.work) {
            (Prepared::Dp(prepared), Work::Noisy(place, bound)) => {
                let paid = paid.ok_or(ErrorCode::EvaluationFailed)?;
                let answer = prepared.run(place, bound, paid).await;
                answer.map(AnswerValue::Table)
            }
            (Prepared::Model(prepared), Work::Values(subject)) => {
                prepared.score(&subject, permit).map(AnswerValue::Score)
            }
            (Prepared::Statistic(prepared), Work::Statistic(place, bound)) => {
                prepared.run(place, bound).await.map(AnswerValue::Table)
            }
            (Prepared::Verification(prepared), Work::Values(claim)) => {
                Ok(AnswerValue::Verdict(prepared.verdict(&claim, permit)))
            }
            // Bound to another kind: `bind` makes no such pair.
            (_, Work::Noisy(..) | Work::Statistic(..))
            | (Prepared::Dp(_) | Prepared::Statistic(_), Work::Values(_)) => {
                Err(ErrorCode::EvaluationFailed)
            }
        }
    }
}
