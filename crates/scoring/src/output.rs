//! What may leave of scores: one of a few answers, which the product declares beforehand.
//!
//! A rule is checked against the model when the product is approved, and bounds how many different answers there can be
//! at all: a score on a scale so fine that it carries the features it was made of is not a score any more.

use serde::{Deserialize, Serialize};

use crate::model::Model;
use crate::scores::{ReasonCode, Scores};

/// Most steps of a rounded score.
const STEPS_MAX: f64 = 1_000.0;
/// Most cut-offs.
const CUT_OFFS_MAX: usize = 100;
/// Most answers of a model that uses a single feature: beyond, they tell it rather than judge it.
const ANSWERS_OF_ONE_FEATURE_MAX: usize = 10;
/// Longest label, in bytes.
const LABEL_BYTES_MAX: usize = 128;

/// How scores become an answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OutputRule {
    /// A class's label.
    Classes {
        /// Who decides among the classes.
        by: ClassRule,
    },
    /// The score, cut to `min..=max` and rounded to whole steps from `min`.
    RoundedScore {
        /// Distance of two answers.
        step: f64,
        /// The smallest answer.
        min: f64,
        /// The largest answer, a whole number of steps from the smallest, at most 1,000.
        max: f64,
    },
}

/// Who decides among classes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClassRule {
    /// The score, by where it lies: the last of the cut-offs that it reaches.
    CutOffs {
        /// The label of scores below all cut-offs.
        below: String,
        /// Growing.
        cut_offs: Vec<CutOff>,
    },
    /// The model itself: its largest class, or the cut-offs of a scorecard.
    Model,
}

/// The label of scores from here on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CutOff {
    /// The smallest score of the class.
    pub from: f64,
    /// The class.
    pub label: String,
}

/// Why a rule does not fit a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleRefused {
    /// The model has no classes of its own.
    #[error("the model does not decide among classes")]
    NoClasses,
    /// The model has no single score.
    #[error("the model has no single score")]
    NoScore,
    /// Cut-offs are none, too many, not growing, or not finite.
    #[error("the cut-offs are not one to 100 growing numbers")]
    CutOffs,
    /// Labels are empty, too long, not printable, or the same for two classes.
    #[error("the labels of the classes are not distinct printable texts")]
    Labels,
    /// The scale is not `min` and a whole number of steps up to `max`.
    #[error("the scale is not a smallest number and whole steps to a largest")]
    Scale,
    /// The scale has so many steps that an answer could carry features.
    #[error("the scale has more than 1000 steps")]
    TooFine,
    /// The answer follows from one feature alone, and more than ten different ones would tell it.
    #[error("the answer follows from a single feature and would tell it")]
    SingleFeature,
}

/// What leaves. Made by [`OutputRule::apply`] and by nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    value: OutputValue,
    reasons: Vec<ReasonCode>,
}

/// The answer itself.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputValue {
    /// The label of a class.
    Class(String),
    /// A score on the rule's scale.
    Score(f64),
    /// The scores hold nothing that the rule could use, as when the model had no answer.
    Undetermined,
}

impl Output {
    /// The answer.
    pub fn value(&self) -> &OutputValue {
        &self.value
    }

    /// The reasons, the one that cost most points first.
    pub fn reasons(&self) -> &[ReasonCode] {
        &self.reasons
    }
}

impl OutputRule {
    /// Whether the rule fits the model.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn check(&self, model: &Model) -> Result<(), RuleRefused> {
        let answers = match self {
            OutputRule::Classes {
                by: ClassRule::Model,
            } if model.classes().is_empty() => return Err(RuleRefused::NoClasses),
            OutputRule::Classes {
                by: ClassRule::Model,
            } => model.classes().len(),
            _ if !model.has_score() => return Err(RuleRefused::NoScore),
            OutputRule::Classes {
                by: ClassRule::CutOffs { below, cut_offs },
            } => check_cut_offs(below, cut_offs)?,
            OutputRule::RoundedScore { step, min, max } => check_scale(*step, *min, *max)?,
        };
        if answers > ANSWERS_OF_ONE_FEATURE_MAX && model.features_used() < 2 {
            return Err(RuleRefused::SingleFeature);
        }
        Ok(())
    }

    /// The answer to these scores, with at most `reasons_max` reasons. A rule that was not checked, or scores of
    /// another model, lead to [`OutputValue::Undetermined`] at worst.
    pub fn apply(&self, scores: &Scores, reasons_max: usize) -> Output {
        let score = scores.score.filter(|score| score.is_finite());
        let value = match self {
            OutputRule::Classes {
                by: ClassRule::Model,
            } => scores.label().map(|label| OutputValue::Class(label.into())),
            OutputRule::Classes {
                by: ClassRule::CutOffs { below, cut_offs },
            } => score.map(|score| {
                let reached = cut_offs.iter().take_while(|cut| cut.from <= score).last();
                OutputValue::Class(reached.map_or(below, |cut| &cut.label).clone())
            }),
            OutputRule::RoundedScore { step, min, max } => score
                .filter(|_| check_scale(*step, *min, *max).is_ok())
                .map(|score| OutputValue::Score(rounded(score, *step, *min, *max))),
        };
        match value {
            Some(value) => Output {
                value,
                reasons: scores.reasons.iter().take(reasons_max).cloned().collect(),
            },
            None => Output {
                value: OutputValue::Undetermined,
                reasons: Vec::new(),
            },
        }
    }
}

/// The number of classes.
fn check_cut_offs(below: &str, cut_offs: &[CutOff]) -> Result<usize, RuleRefused> {
    let growing = cut_offs.windows(2).all(|pair| pair[0].from < pair[1].from);
    let finite = cut_offs.iter().all(|cut| cut.from.is_finite());
    if !(growing && finite && (1..=CUT_OFFS_MAX).contains(&cut_offs.len())) {
        return Err(RuleRefused::CutOffs);
    }
    let mut labels: Vec<&str> = cut_offs.iter().map(|cut| cut.label.as_str()).collect();
    labels.push(below);
    let fits = |label: &&str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.chars().any(char::is_control)
    };
    let count = labels.len();
    let printable = labels.iter().all(fits);
    labels.sort_unstable();
    labels.dedup();
    if printable && labels.len() == count {
        Ok(count)
    } else {
        Err(RuleRefused::Labels)
    }
}

/// The number of different answers.
fn check_scale(step: f64, min: f64, max: f64) -> Result<usize, RuleRefused> {
    let steps = (max - min) / step;
    // Comparing this way round, NaN does not pass either.
    let sensible = step > 0.0 && min < max && min.abs() <= 1e9 && max.abs() <= 1e9;
    if !sensible || steps < 0.5 || (steps - steps.round()).abs() > 1e-6 {
        return Err(RuleRefused::Scale);
    }
    if steps.round() > STEPS_MAX {
        return Err(RuleRefused::TooFine);
    }
    Ok(steps.round() as usize + 1)
}

/// One of the scale's numbers: which one is all that the score decides.
fn rounded(score: f64, step: f64, min: f64, max: f64) -> f64 {
    let steps = ((score.clamp(min, max) - min) / step).round();
    let per_one = (1.0 / step).round();
    // A tenth is no number of the machine, but three divided by ten is as close to 0.3 as there is.
    let of_one = |value: f64| ((value * per_one).round() - value * per_one).abs() < 1e-6;
    let value = if per_one >= 1.0 && of_one(step) && of_one(min) {
        ((min * per_one).round() + steps * (step * per_one).round()) / per_one
    } else {
        min + steps * step
    };
    // Zero without a sign.
    value.clamp(min, max) + 0.0
}

#[cfg(test)]
mod tests;
