//! Many rows at once: by column as data lies in Arrow, or as one matrix.

use std::fmt;
use std::sync::Arc;

use crate::feature::Feature;
use crate::onnx::Scratch;
use crate::scores::ScoreFailed;

/// Many rows. `Debug` does not show them.
#[derive(Clone, Copy)]
pub enum Batch<'a> {
    /// One column per feature, in the order of [`crate::Model::features`], all of the same length.
    Columns(&'a [Column<'a>]),
    /// Row after row, for models that take numbers only; NaN is missing.
    Matrix(&'a [f32]),
}

/// The values of one feature.
#[derive(Clone, Copy)]
pub enum Column<'a> {
    /// Numbers; NaN is missing.
    F32(&'a [f32]),
    /// Numbers; NaN is missing.
    F64(&'a [f64]),
    /// Categories; none is missing.
    Text(&'a [Option<&'a str>]),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Column::F32(values) => values.len(),
            Column::F64(values) => values.len(),
            Column::Text(values) => values.len(),
        }
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch(_)")
    }
}

impl fmt::Debug for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Column(_)")
    }
}

/// What a model says of each row of a batch, without reasons. Internal like [`crate::Scores`], so `Debug` shows nothing.
#[derive(Clone, Default)]
pub struct BatchScores {
    /// By row: the class's index, or 0 where there is none.
    pub(crate) classes: Vec<Result<usize, ScoreFailed>>,
    /// By row, if the model has a score.
    pub(crate) scores: Vec<f64>,
    /// Row after row.
    pub(crate) probabilities: Vec<f64>,
    pub(crate) labels: Arc<[String]>,
    /// Probabilities per row.
    pub(crate) width: usize,
    pub(crate) decides: bool,
    pub(crate) scratch: Scratch,
}

impl BatchScores {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Whether the row has an answer.
    ///
    /// # Errors
    ///
    /// Why it has none. The other rows do not suffer from it.
    ///
    /// # Panics
    ///
    /// The row is not less than [`BatchScores::len`]; so do the other functions.
    pub fn outcome(&self, row: usize) -> Result<(), ScoreFailed> {
        self.classes[row].map(|_| ())
    }

    /// The model's own decision, as an index into [`crate::Model::classes`].
    pub fn class(&self, row: usize) -> Option<usize> {
        self.classes[row].ok().filter(|_| self.decides)
    }

    /// The label of the model's own decision.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.labels.get(self.class(row)?).map(String::as_str)
    }

    /// As [`crate::Scores::score`].
    pub fn score(&self, row: usize) -> Option<f64> {
        self.classes[row].ok()?;
        self.scores.get(row).copied()
    }

    /// As [`crate::Scores::probabilities`]; empty if the row has no answer.
    pub fn probabilities(&self, row: usize) -> &[f64] {
        match self.classes[row] {
            Ok(_) => &self.probabilities[row * self.width..][..self.width],
            Err(_) => &[],
        }
    }
}

impl fmt::Debug for BatchScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchScores({} rows)", self.len())
    }
}

/// Rows by position: however they lie, models read them through this.
pub(crate) trait Rows {
    fn len(&self) -> usize;

    fn feature(&self, row: usize, feature: usize) -> Feature<'_>;

    /// A number as ONNX models take it, NaN if it is missing.
    #[inline]
    fn single(&self, row: usize, feature: usize) -> Result<f32, ScoreFailed> {
        match self.feature(row, feature) {
            Feature::Missing => Ok(f32::NAN),
            Feature::Number(value) => Ok(value as f32),
            Feature::Text(_) => Err(ScoreFailed::Kind { feature }),
        }
    }

    /// A whole number between -2⁵³ and 2⁵³, where all of them are distinct.
    #[inline]
    fn whole(&self, row: usize, feature: usize) -> Result<i64, ScoreFailed> {
        const MAX: f64 = (1_u64 << 53) as f64;
        match self.feature(row, feature) {
            Feature::Number(value) if value.fract() == 0.0 && value.abs() <= MAX => {
                Ok(value as i64)
            }
            Feature::Number(_) | Feature::Missing => Err(ScoreFailed::NotWhole { feature }),
            Feature::Text(_) => Err(ScoreFailed::Kind { feature }),
        }
    }

    /// A category, the empty text if it is missing.
    #[inline]
    fn text(&self, row: usize, feature: usize) -> Result<&str, ScoreFailed> {
        match self.feature(row, feature) {
            Feature::Missing => Ok(""),
            Feature::Text(text) => Ok(text),
            Feature::Number(_) => Err(ScoreFailed::Kind { feature }),
        }
    }
}

/// One row.
impl Rows for [Feature<'_>] {
    fn len(&self) -> usize {
        1
    }

    #[inline]
    fn feature(&self, _row: usize, feature: usize) -> Feature<'_> {
        self[feature]
    }
}

/// Columns of the same length.
pub(crate) struct Columns<'a> {
    columns: &'a [Column<'a>],
    rows: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(
        columns: &'a [Column<'a>],
        features: usize,
    ) -> Result<Columns<'a>, ScoreFailed> {
        arity(features, columns.len())?;
        let rows = columns.first().map_or(0, Column::len);
        columns
            .iter()
            .try_for_each(|column| arity(rows, column.len()))?;
        Ok(Columns { columns, rows })
    }
}

impl Rows for Columns<'_> {
    fn len(&self) -> usize {
        self.rows
    }

    #[inline]
    fn feature(&self, row: usize, feature: usize) -> Feature<'_> {
        match self.columns[feature] {
            Column::F32(values) => Feature::Number(values[row].into()),
            Column::F64(values) => Feature::Number(values[row]),
            Column::Text(values) => values[row].map_or(Feature::Missing, Feature::Text),
        }
    }
}

/// A matrix of numbers.
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(values: &'a [f32], width: usize) -> Result<Matrix<'a>, ScoreFailed> {
        arity(0, values.len() % width)?;
        Ok(Matrix { values, width })
    }
}

impl Rows for Matrix<'_> {
    fn len(&self) -> usize {
        self.values.len() / self.width
    }

    #[inline]
    fn feature(&self, row: usize, feature: usize) -> Feature<'_> {
        Feature::Number(self.values[row * self.width + feature].into())
    }

    #[inline]
    fn single(&self, row: usize, feature: usize) -> Result<f32, ScoreFailed> {
        Ok(self.values[row * self.width + feature])
    }
}

/// Refuses another number of values than expected.
pub(crate) fn arity(expected: usize, found: usize) -> Result<(), ScoreFailed> {
    if found == expected {
        Ok(())
    } else {
        Err(ScoreFailed::Arity { expected, found })
    }
}
