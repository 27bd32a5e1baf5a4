//! From raw scores to what a classifier calls probabilities, in `f32` and in onnxruntime's order of operations
//! (`ml_common.h` of onnxruntime 1.31).

use crate::ModelRefused;
use crate::onnx::attributes::Attributes;

/// `post_transform`. `PROBIT` is left out: no exporter writes it, and it is no number outside of (0, 1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Transform {
    Logistic,
    None,
    Softmax,
    SoftmaxZero,
}

impl Transform {
    /// Takes the attribute.
    pub(super) fn take(attributes: &mut Attributes) -> Result<Transform, ModelRefused> {
        match attributes.text("post_transform")?.as_deref() {
            None | Some("NONE") => Ok(Transform::None),
            Some("LOGISTIC") => Ok(Transform::Logistic),
            Some("SOFTMAX") => Ok(Transform::Softmax),
            Some("SOFTMAX_ZERO") => Ok(Transform::SoftmaxZero),
            Some(_) => Err(attributes.value("post_transform")),
        }
    }

    /// Transforms the scores of one row in place.
    pub(super) fn apply(self, scores: &mut [f32]) {
        match self {
            Transform::None => {}
            Transform::Logistic => scores.iter_mut().for_each(|s| *s = logistic(*s)),
            Transform::Softmax => softmax(scores),
            Transform::SoftmaxZero => softmax_zero(scores),
        }
    }
}

/// `1 / (1 + exp(-x))` without overflow.
pub(super) fn logistic(x: f32) -> f32 {
    let v = 1.0 / (1.0 + (-x.abs()).exp());
    if x < 0.0 { 1.0 - v } else { v }
}

fn largest(scores: &[f32]) -> f32 {
    scores.iter().fold(f32::MIN, |max, s| max.max(*s))
}

fn softmax(scores: &mut [f32]) {
    let max = largest(scores);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|s| *s /= sum);
}

/// Leaves scores of zero out of the sum.
fn softmax_zero(scores: &mut [f32]) {
    let max = largest(scores);
    let zero = (-max).exp();
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        if score.abs() > 1e-7 {
            *score = (*score - max).exp();
            sum += *score;
        } else {
            *score *= zero;
        }
    }
    scores.iter_mut().for_each(|s| *s /= sum);
}

/// The index of the largest score, of the first one where several are.
pub(super) fn argmax(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best as u32
}
