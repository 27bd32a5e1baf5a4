//! What a model says of one subject, as the caller gets it: a class or a rounded score, never more.

use std::fmt;

use prost::Message;

use super::FieldInvalid;
use super::field::{list, refuse, text};
use crate::pb;

/// A model's answer. Its `Debug` shows its shape only: it is somebody's score.
#[derive(Clone, PartialEq)]
pub struct Score {
    /// The class or the score.
    pub value: ScoreValue,
    /// Reason codes of a scorecard, weightiest first.
    pub reasons: Vec<String>,
}

/// A class or a rounded score.
#[derive(Clone, PartialEq)]
pub enum ScoreValue {
    /// One of the product's classes.
    Class(String),
    /// 查无; only where granted.
    NotFound,
    /// A score, rounded to the product's step.
    Score(f64),
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Score(redacted)")
    }
}

impl fmt::Debug for ScoreValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScoreValue(redacted)")
    }
}

impl fmt::Display for ScoreValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScoreValue::Class(class) => f.write_str(class),
            ScoreValue::NotFound => f.write_str("NOT_FOUND"),
            ScoreValue::Score(score) => write!(f, "{score}"),
        }
    }
}

impl Score {
    /// What a record commits to as the answer: the canonical encoding of `ScoreResult`.
    pub fn answer_bytes(&self) -> Vec<u8> {
        score_to_pb(self).encode_to_vec()
    }
}

/// Reads a model's answer.
///
/// # Errors
/// [`FieldInvalid`] without a value, for a score that is no number, or for texts that an answer cannot have.
pub fn score_from_pb(result: pb::ScoreResult) -> Result<Score, FieldInvalid> {
    let value = match result.value {
        Some(pb::score_result::Value::Class(class)) => {
            ScoreValue::Class(text("result.class", class)?)
        }
        Some(pb::score_result::Value::Score(score)) if score.is_finite() => {
            ScoreValue::Score(score)
        }
        Some(pb::score_result::Value::NotFound(true)) => ScoreValue::NotFound,
        Some(pb::score_result::Value::Score(_) | pb::score_result::Value::NotFound(false)) => {
            return refuse("result", "is not a number");
        }
        None => return refuse("result", "is missing"),
    };
    let reasons = list("result.reasons", result.reasons, |reason| {
        text("result.reasons", reason)
    })?;
    Ok(Score { value, reasons })
}

/// The answer for the wire.
pub fn score_to_pb(score: &Score) -> pb::ScoreResult {
    let value = match &score.value {
        ScoreValue::Class(class) => pb::score_result::Value::Class(class.clone()),
        ScoreValue::NotFound => pb::score_result::Value::NotFound(true),
        ScoreValue::Score(score) => pb::score_result::Value::Score(*score),
    };
    pb::ScoreResult {
        value: Some(value),
        reasons: score.reasons.clone(),
    }
}
