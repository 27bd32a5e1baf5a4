//! `LinearClassifier` and `LinearRegressor`.
//!
//! Sums are made in `f32` from the first feature to the last, the intercept at the end. onnxruntime multiplies matrices
//! in blocks, so the last bits of a sum of n products may differ: by at most n · 2⁻²⁴ · Σ|product|.

use super::attributes::Attributes;
use super::pipeline::Span;
use super::transform::{Transform, argmax};
use crate::ModelRefused;

/// A matrix, and what becomes of its product.
#[derive(Debug)]
pub(super) struct Linear {
    from: Span,
    to: Span,
    /// Row after row, one row per output.
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    transform: Transform,
    /// Whether the largest output decides the class.
    decides: bool,
}

impl Linear {
    /// A classifier among `classes`.
    pub(super) fn classifier(
        attributes: &mut Attributes,
        (from, to): (Span, Span),
        decides: bool,
    ) -> Result<Linear, ModelRefused> {
        // Whether the classes were trained one against the rest; nothing follows from it.
        if !matches!(attributes.int("multi_class")?, None | Some(0 | 1)) {
            return Err(attributes.value("multi_class"));
        }
        let intercepts = attributes.finite("intercepts")?;
        // A single row for two classes would leave it to the reader how the other class follows.
        attributes.length("intercepts", &intercepts, to.len)?;
        Linear::new(attributes, (from, to), intercepts, decides)
    }

    /// A regressor with one output.
    pub(super) fn regressor(
        attributes: &mut Attributes,
        (from, to): (Span, Span),
    ) -> Result<Linear, ModelRefused> {
        if !matches!(attributes.int("targets")?, None | Some(1)) {
            return Err(attributes.value("targets"));
        }
        let intercepts = if attributes.has("intercepts") {
            attributes.finite("intercepts")?
        } else {
            vec![0.0]
        };
        attributes.length("intercepts", &intercepts, 1)?;
        let linear = Linear::new(attributes, (from, to), intercepts, false)?;
        match linear.transform {
            Transform::None => Ok(linear),
            _ => Err(attributes.value("post_transform")),
        }
    }

    fn new(
        attributes: &mut Attributes,
        (from, to): (Span, Span),
        intercepts: Vec<f32>,
        decides: bool,
    ) -> Result<Linear, ModelRefused> {
        let coefficients = attributes.finite("coefficients")?;
        attributes.length("coefficients", &coefficients, from.len * to.len)?;
        Ok(Linear {
            from,
            to,
            coefficients,
            intercepts,
            transform: Transform::take(attributes)?,
            decides,
        })
    }

    /// By column of its input, whether any coefficient is not zero.
    pub(super) fn looks_at(&self) -> Vec<bool> {
        let mut looks_at = vec![false; self.from.len];
        for row in self.coefficients.chunks(self.from.len) {
            for (looked, coefficient) in looks_at.iter_mut().zip(row) {
                *looked |= *coefficient != 0.0;
            }
        }
        looks_at
    }

    /// Runs over the registers of one row.
    pub(super) fn run(&self, floats: &mut [f32], class: &mut u32) {
        for (at, row) in self.coefficients.chunks(self.from.len).enumerate() {
            let products = row.iter().zip(self.from.of(floats)).map(|(c, x)| c * x);
            let sum: f32 = products.fold(0.0, |sum, product| sum + product);
            floats[self.to.first + at] = sum + self.intercepts[at];
        }
        let scores = self.to.of_mut(floats);
        if self.decides {
            *class = argmax(scores);
        }
        self.transform.apply(scores);
    }
}
