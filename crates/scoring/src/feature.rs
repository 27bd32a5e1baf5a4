//! What a model is asked about: the features that it names, and their values of one row.

use std::fmt;

/// A feature that a model takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeatureSpec {
    /// Its name in the model; unique there.
    pub name: String,
    /// What kind of value it takes.
    pub kind: FeatureKind,
}

/// The kinds of features.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeatureKind {
    /// Takes [`Feature::Text`].
    Category,
    /// Takes [`Feature::Number`].
    Number,
}

/// The value of one feature of one row. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq)]
pub enum Feature<'a> {
    /// Nothing is known. For a category this is the same as the empty text, for a number the same as NaN.
    Missing,
    /// A number. ONNX models take it rounded to the nearest `f32`; scorecards as it is.
    Number(f64),
    /// A category, compared byte by byte.
    Text(&'a str),
}

impl fmt::Debug for Feature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Missing => "Missing",
            Feature::Number(_) => "Number(_)",
            Feature::Text(_) => "Text(_)",
        })
    }
}
