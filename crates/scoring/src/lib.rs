//! Scores from models that other parties wrote: scorecards, and a strict subset of ONNX.
//!
//! **What it is.** The bytes of a model are parsed once into a [`Model`]: checked completely, flattened, immutable. It
//! then turns rows of [`Feature`]s into [`Scores`], and an [`OutputRule`] turns those into the one thing that may leave,
//! an [`Output`].
//!
//! **In scope.** Scorecards as declarative JSON ([`scorecard`]); of ONNX, tree ensembles, linear models and what
//! exporters put around them ([`onnx`]), scored like onnxruntime does, or refused where its answer would not follow
//! from the specification. A model is hostile until shown otherwise: whatever is not understood completely is refused
//! when it is parsed, with a reason ([`ModelRefused`]).
//!
//! **Out of scope.** Reading features, deciding who may ask, recording answers; neural networks, kernels and control
//! flow. Nothing here does I/O, reads a clock or draws randomness.
//!
//! **What still shows.** An answer tells what its rule lets through, and a model can be written to tell one feature by
//! it. [`OutputRule::check`] bounds how many answers there can be, and refuses rounded scores of models that use a
//! single feature; whether a model says what it claims to say is for its approval.
//!
//! **Start reading at** [`Model::parse`], then [`Model::score`], then [`OutputRule::apply`].

mod batch;
mod feature;
mod limits;
mod model;
pub mod onnx;
mod output;
mod refused;
pub mod scorecard;
mod scores;

pub use batch::{Batch, BatchScores, Column};
pub use feature::{Feature, FeatureKind, FeatureSpec};
pub use limits::Limits;
pub use model::{Model, ModelFormat, UnknownFormat};
pub use output::{ClassRule, CutOff, Output, OutputRule, OutputValue, RuleRefused};
pub use refused::ModelRefused;
pub use scores::{ReasonCode, ScoreFailed, Scores};

#[cfg(test)]
mod tests;
