//! A model: parsed once, then only read.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::batch::{Batch, BatchScores, Columns, Matrix, Rows, arity};
use crate::feature::{Feature, FeatureSpec};
use crate::onnx::{self, Pipeline, RowAnswer};
use crate::scorecard::Scorecard;
use crate::scores::{ScoreFailed, Scores};
use crate::{Limits, ModelRefused};

/// The formats that are understood.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ModelFormat {
    /// ONNX, see [`crate::onnx`].
    Onnx,
    /// A scorecard, see [`crate::scorecard`].
    Scorecard,
}

impl ModelFormat {
    /// All of them.
    pub const ALL: [ModelFormat; 2] = [ModelFormat::Onnx, ModelFormat::Scorecard];

    /// Its name in products and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            ModelFormat::Onnx => "onnx",
            ModelFormat::Scorecard => "scorecard",
        }
    }
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No format has this name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a model format: expected `onnx` or `scorecard`")]
pub struct UnknownFormat;

impl FromStr for ModelFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<ModelFormat, UnknownFormat> {
        let mut all = ModelFormat::ALL.into_iter();
        all.find(|format| format.as_str() == name)
            .ok_or(UnknownFormat)
    }
}

/// A model that was understood completely. Cheap to share between threads; nothing of it ever changes.
pub struct Model {
    features: Vec<FeatureSpec>,
    classes: Arc<[String]>,
    /// By feature, whether any answer can depend on it.
    used: Vec<bool>,
    kind: Kind,
}

enum Kind {
    Onnx(Pipeline),
    Scorecard(Scorecard),
}

impl Model {
    /// Parses and checks a model completely. The work is bounded by the limits, whatever the bytes are.
    ///
    /// # Errors
    ///
    /// The first reason found why it is not understood completely.
    pub fn parse(
        format: ModelFormat,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Model, ModelRefused> {
        if bytes.len() > limits.model_bytes_max {
            return Err(ModelRefused::TooLarge {
                bytes: bytes.len(),
                max: limits.model_bytes_max,
            });
        }
        match format {
            ModelFormat::Onnx => {
                let parsed = onnx::parse(bytes, limits)?;
                Ok(Model {
                    features: parsed.features,
                    classes: parsed.classes.into(),
                    used: parsed.used,
                    kind: Kind::Onnx(parsed.pipeline),
                })
            }
            ModelFormat::Scorecard => {
                let (scorecard, features, classes) = Scorecard::parse(bytes, limits)?;
                Ok(Model {
                    used: scorecard.used(),
                    features,
                    classes: classes.into(),
                    kind: Kind::Scorecard(scorecard),
                })
            }
        }
    }

    /// Its format.
    pub fn format(&self) -> ModelFormat {
        match self.kind {
            Kind::Onnx(_) => ModelFormat::Onnx,
            Kind::Scorecard(_) => ModelFormat::Scorecard,
        }
    }

    /// The features, in the order in which [`Model::score`] takes them; at least one.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.features
    }

    /// The labels of the classes among which it decides; none if it only gives a score.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Whether it gives a [`Scores::score`].
    pub fn has_score(&self) -> bool {
        match self.kind {
            Kind::Onnx(_) => matches!(self.classes.len(), 0 | 2),
            Kind::Scorecard(_) => true,
        }
    }

    /// How many features an answer can depend on.
    pub fn features_used(&self) -> usize {
        self.used.iter().filter(|used| **used).count()
    }

    /// Scores one row.
    ///
    /// # Errors
    ///
    /// The row does not fit, or the model has no answer for it; `out` then holds nothing.
    pub fn score(&self, row: &[Feature<'_>], out: &mut Scores) -> Result<(), ScoreFailed> {
        out.clear(&self.classes);
        arity(self.features.len(), row.len())?;
        match &self.kind {
            Kind::Scorecard(scorecard) => {
                let answer = scorecard.score(row, 0)?;
                out.score = Some(answer.score);
                out.class = answer.class;
                scorecard.reasons(row, 0, &mut out.reasons);
                Ok(())
            }
            Kind::Onnx(pipeline) => {
                let Scores {
                    score,
                    probabilities,
                    class,
                    scratch,
                    ..
                } = out;
                let mut outcome = Ok(());
                pipeline.run(row, scratch, |answer| match answer {
                    Ok(RowAnswer::Score(value)) => *score = Some(value.into()),
                    Ok(RowAnswer::Classes { class: of, values }) => {
                        *class = Some(of);
                        probabilities.extend(values.iter().map(|p| f64::from(*p)));
                        if let [_, second] = probabilities[..] {
                            *score = Some(second);
                        }
                    }
                    Err(failed) => outcome = Err(failed),
                });
                outcome
            }
        }
    }

    /// Scores many rows, which takes less time for each than one by one.
    ///
    /// # Errors
    ///
    /// Columns do not fit the features or each other. A single row that does not fit, or that the model has no answer
    /// for, is no such error: [`BatchScores::outcome`] tells.
    pub fn score_batch(&self, batch: Batch<'_>, out: &mut BatchScores) -> Result<(), ScoreFailed> {
        out.classes.clear();
        out.scores.clear();
        out.probabilities.clear();
        out.labels = Arc::clone(&self.classes);
        out.decides = !self.classes.is_empty();
        match batch {
            Batch::Columns(columns) => {
                self.score_rows(&Columns::new(columns, self.features.len())?, out);
            }
            Batch::Matrix(values) => {
                self.score_rows(&Matrix::new(values, self.features.len())?, out);
            }
        }
        Ok(())
    }

    fn score_rows<R: Rows>(&self, rows: &R, out: &mut BatchScores) {
        match &self.kind {
            Kind::Scorecard(scorecard) => {
                out.width = 0;
                for row in 0..rows.len() {
                    let answer = scorecard.score(rows, row);
                    out.scores
                        .push(answer.map_or(f64::NAN, |answer| answer.score));
                    out.classes
                        .push(answer.map(|answer| answer.class.unwrap_or_default()));
                }
            }
            Kind::Onnx(pipeline) => {
                let BatchScores {
                    classes,
                    scores,
                    probabilities,
                    width,
                    scratch,
                    ..
                } = out;
                *width = self.classes.len();
                pipeline.run(rows, scratch, |answer| match answer {
                    Ok(RowAnswer::Score(value)) => {
                        classes.push(Ok(0));
                        scores.push(value.into());
                    }
                    Ok(RowAnswer::Classes { class, values }) => {
                        classes.push(Ok(class));
                        probabilities.extend(values.iter().map(|p| f64::from(*p)));
                        if let [_, second] = values {
                            scores.push((*second).into());
                        }
                    }
                    Err(failed) => {
                        classes.push(Err(failed));
                        probabilities.resize(classes.len() * *width, f64::NAN);
                        if *width <= 2 {
                            scores.push(f64::NAN);
                        }
                    }
                });
            }
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Model({}, {} features, {} classes)",
            self.format(),
            self.features.len(),
            self.classes.len()
        )
    }
}
