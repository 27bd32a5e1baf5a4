//! ONNX models, as far as they are trees, linear models and what exporters put around them.
//!
//! Accepted of `ai.onnx.ml`: `TreeEnsembleClassifier` and `TreeEnsembleRegressor` (versions 1 and 3 of the operator, all
//! seven node modes), `LinearClassifier`, `LinearRegressor`, `Scaler`, `Imputer`, `Normalizer` (L1, L2), `LabelEncoder`
//! (to numbers), `OneHotEncoder`, and `ZipMap`, which is dropped. Of ONNX itself: `Cast` of whole numbers, `Concat` of
//! columns, `Identity`, and a `Reshape` that changes nothing but the rank. Everything else is refused, as is whatever
//! implementations answer differently.
//!
//! A model takes one or more inputs of rows by columns, of type float, int64 or string. Each column is a feature, named
//! as its input, or `input[3]` where there are several; the model's property `lingqu.features`, a JSON list of texts,
//! names them instead. It gives a label and a number for each class, or one number.
//!
//! Start reading at `graph.rs`.

mod attributes;
mod encode;
mod graph;
mod inputs;
mod linear;
mod message;
mod operators;
mod pipeline;
mod prepare;
mod transform;
mod trees;
mod vote;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use graph::parse;
pub(crate) use pipeline::{Pipeline, RowAnswer, Scratch};
