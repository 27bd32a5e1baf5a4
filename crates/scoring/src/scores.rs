//! What a model says of one row, before a rule decides what of it may leave.

use std::fmt;
use std::sync::Arc;

use crate::onnx::Scratch;

/// Why a scorecard gave fewer points than it could have; codes are declared by the scorecard.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ReasonCode(Arc<str>);

impl ReasonCode {
    pub(crate) fn new(code: &str) -> ReasonCode {
        ReasonCode(code.into())
    }

    /// The code, for example `MONTHS_FEW`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a model says of one row. Internal to the node: only an [`crate::Output`] may leave, so `Debug` shows nothing.
///
/// Reuse one for many rows: it also holds the memory that scoring needs.
#[derive(Clone, Default)]
pub struct Scores {
    /// A scorecard's points, a regressor's value, or the second class's probability where there are two. None for
    /// three classes and more.
    pub score: Option<f64>,
    /// By class, in the order of [`crate::Model::classes`]; empty for regressors and scorecards. Whether these are
    /// probabilities in the strict sense is up to the model: they are what it calls its second output.
    pub probabilities: Vec<f64>,
    /// A scorecard's reasons, the one that cost most points first.
    pub reasons: Vec<ReasonCode>,
    /// The model's own decision, as an index into [`crate::Model::classes`].
    pub class: Option<usize>,
    pub(crate) labels: Arc<[String]>,
    pub(crate) scratch: Scratch,
}

impl Scores {
    /// The label of the model's own decision.
    pub fn label(&self) -> Option<&str> {
        self.labels.get(self.class?).map(String::as_str)
    }

    /// Forgets the row before, so that nothing of it can be taken for this one's.
    pub(crate) fn clear(&mut self, labels: &Arc<[String]>) {
        self.score = None;
        self.probabilities.clear();
        self.reasons.clear();
        self.class = None;
        // Comparing pointers instead of counting references keeps threads that share a model apart.
        if !Arc::ptr_eq(&self.labels, labels) {
            self.labels = Arc::clone(labels);
        }
    }
}

impl fmt::Debug for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scores(_)")
    }
}

/// Why a row has no score. Says which feature, by its position from 0, and never its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ScoreFailed {
    /// The row has another number of features than the model, or a column another number of rows.
    #[error("{found} values where the model takes {expected}")]
    Arity {
        /// What the model takes.
        expected: usize,
        /// What there was.
        found: usize,
    },
    /// A number for a category, or a text for a number.
    #[error("feature {feature} is of the other kind")]
    Kind {
        /// The feature's position.
        feature: usize,
    },
    /// The model takes whole numbers here, and has no rule for a missing one.
    #[error("feature {feature} is not a whole number")]
    NotWhole {
        /// The feature's position.
        feature: usize,
    },
    /// The model declares that it has no answer for this category.
    #[error("the model has no answer for an unknown category")]
    UnknownCategory,
    /// The model's arithmetic leads to no finite number for this row, as with an infinite or missing value in a linear
    /// model; whatever a comparison made of that would not be an answer.
    #[error("the model has no finite answer")]
    NotFinite,
}
