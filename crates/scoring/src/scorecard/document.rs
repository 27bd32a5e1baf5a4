//! The JSON document of a scorecard, as it is written; what it means is checked elsewhere.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) name: String,
    pub(super) base_points: f64,
    pub(super) features: Vec<Feature>,
    #[serde(default)]
    pub(super) classes: Option<Vec<Class>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Feature {
    Category {
        name: String,
        bins: Vec<Listed>,
        other: Points,
        missing: Points,
    },
    Number {
        name: String,
        bins: Vec<Interval>,
        missing: Points,
    },
}

/// An interval of numbers, and what it gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Interval {
    #[serde(default)]
    pub(super) from: Option<f64>,
    #[serde(default)]
    pub(super) below: Option<f64>,
    pub(super) points: f64,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// Categories, and what they give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) values: Vec<String>,
    pub(super) points: f64,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// What everything else gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Points {
    pub(super) points: f64,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// An interval of scores, and the class that it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    #[serde(default)]
    pub(super) from: Option<f64>,
    #[serde(default)]
    pub(super) below: Option<f64>,
    pub(super) label: String,
}

impl Feature {
    pub(super) fn name(&self) -> &str {
        match self {
            Feature::Category { name, .. } | Feature::Number { name, .. } => name,
        }
    }

    pub(super) fn into_name(self) -> String {
        match self {
            Feature::Category { name, .. } | Feature::Number { name, .. } => name,
        }
    }

    /// Bins and listed categories.
    pub(super) fn size(&self) -> usize {
        match self {
            Feature::Category { bins, .. } => bins.iter().map(|bin| 1 + bin.values.len()).sum(),
            Feature::Number { bins, .. } => bins.len(),
        }
    }
}
