//! `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: what becomes of the sums that a forest makes.
//!
//! The specification leaves open what two classes with the weights of one mean. What all exporters write, and all
//! readers agree on, is accepted: weights that are probabilities of the second class, or that add up to its log-odds.

use super::attributes::Attributes;
use super::pipeline::Span;
use super::transform::{Transform, argmax, logistic};
use super::trees::Forest;
use super::trees::build::{Facts, forest};
use super::trees::described::WeightNames;
use crate::{Limits, ModelRefused};

/// A forest, and what becomes of its sums.
#[derive(Debug)]
pub(super) struct Vote {
    pub(super) forest: Forest,
    pub(super) from: Span,
    to: Span,
    finish: Finish,
    /// Whether its decision is the model's.
    decides: bool,
}

#[derive(Debug)]
enum Finish {
    /// The sum, or the mean over this many trees, and a constant.
    Value { base: f32, mean_of: Option<f32> },
    /// The probability of the second of two classes.
    Probability { base: f32 },
    /// The log-odds of the second of two classes.
    LogOdds { base: f32 },
    /// A sum for each of several classes.
    Classes {
        base: Vec<f32>,
        transform: Transform,
    },
}

const CLASS: WeightNames = WeightNames {
    ids: "class_ids",
    nodes: "class_nodeids",
    trees: "class_treeids",
    weights: "class_weights",
};

const TARGET: WeightNames = WeightNames {
    ids: "target_ids",
    nodes: "target_nodeids",
    trees: "target_treeids",
    weights: "target_weights",
};

impl Vote {
    /// A classifier among as many classes as `to` has places.
    pub(super) fn classifier(
        attributes: &mut Attributes,
        (from, to): (Span, Span),
        decides: bool,
        limits: &Limits,
    ) -> Result<(Vote, Vec<bool>), ModelRefused> {
        let transform = Transform::take(attributes)?;
        let base = attributes.finite("base_values")?;
        let (forest, facts) = forest(attributes, &CLASS, (from.len, to.len), limits)?;
        let finish = if to.len == 2 {
            let base = match base[..] {
                [] => 0.0,
                [base] => base,
                _ => {
                    return Err(ModelRefused::Ambiguous(
                        "two base values where two classes have the weights of one",
                    ));
                }
            };
            binary(&facts, transform, base)?
        } else {
            if !base.is_empty() {
                attributes.length("base_values", &base, to.len)?;
            } else if !facts.always.iter().all(|always| *always) {
                return Err(ModelRefused::Ambiguous(
                    "a class for which some rows get no weight at all",
                ));
            }
            Finish::Classes { base, transform }
        };
        let vote = Vote {
            forest,
            from,
            to,
            finish,
            decides,
        };
        Ok((vote, facts.looks_at))
    }

    /// A regressor with one output.
    pub(super) fn regressor(
        attributes: &mut Attributes,
        (from, to): (Span, Span),
        limits: &Limits,
    ) -> Result<(Vote, Vec<bool>), ModelRefused> {
        if !matches!(attributes.int("n_targets")?, None | Some(1)) {
            return Err(attributes.value("n_targets"));
        }
        if Transform::take(attributes)? != Transform::None {
            return Err(attributes.value("post_transform"));
        }
        let base = match attributes.finite("base_values")?[..] {
            [] => 0.0,
            [base] => base,
            ref more => {
                attributes.length("base_values", more, 1)?;
                0.0
            }
        };
        let mean = match attributes.text("aggregate_function")?.as_deref() {
            None | Some("SUM") => false,
            Some("AVERAGE") => true,
            Some(_) => return Err(attributes.value("aggregate_function")),
        };
        let (forest, facts) = forest(attributes, &TARGET, (from.len, 1), limits)?;
        let mean_of = mean.then_some(forest.trees() as f32);
        let vote = Vote {
            forest,
            from,
            to,
            finish: Finish::Value { base, mean_of },
            decides: false,
        };
        Ok((vote, facts.looks_at))
    }

    /// Turns one row's sums into its answer.
    pub(super) fn finish(&self, sums: &[f32], floats: &mut [f32], class: &mut u32) {
        let to = self.to.of_mut(floats);
        let decision = match &self.finish {
            Finish::Value { base, mean_of } => {
                to[0] = mean_of.map_or(sums[0], |trees| sums[0] / trees) + base;
                0
            }
            Finish::Probability { base } => {
                let p = sums[0] + base;
                (to[0], to[1]) = (1.0 - p, p);
                u32::from(p > 0.5)
            }
            Finish::LogOdds { base } => {
                let odds = sums[0] + base;
                (to[0], to[1]) = (logistic(-odds), logistic(odds));
                u32::from(odds > 0.0)
            }
            Finish::Classes { base, transform } => {
                to.copy_from_slice(sums);
                for (score, base) in to.iter_mut().zip(base) {
                    *score += base;
                }
                let decision = argmax(to);
                transform.apply(to);
                decision
            }
        };
        if self.decides {
            *class = decision;
        }
    }
}

/// What two classes with the weights of the first mean; exporters give the second class's weights that place.
fn binary(facts: &Facts, transform: Transform, base: f32) -> Result<Finish, ModelRefused> {
    match (&facts.used[..], facts.negative, transform) {
        ([true, false], false, Transform::None) => Ok(Finish::Probability { base }),
        ([true, false], true, Transform::Logistic) => Ok(Finish::LogOdds { base }),
        ([true, false], false, _) => Err(ModelRefused::Ambiguous(
            "two classes with the weights of one, none negative, and a transform",
        )),
        ([true, false], true, _) => Err(ModelRefused::Ambiguous(
            "two classes with the weights of one, some negative, and no logistic transform",
        )),
        _ => Err(ModelRefused::Ambiguous(
            "two classes with weights of both, or of the second only",
        )),
    }
}
