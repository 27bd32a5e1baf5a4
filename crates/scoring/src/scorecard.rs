//! Scorecards: points for where each feature lies, added up, and classes by cut-offs on the sum.
//!
//! A scorecard is a JSON document, strict in that unknown or repeated keys are refused:
//!
//! ```json
//! {
//!   "format": "lingqu.scorecard/1",
//!   "name": "example",
//!   "base_points": 300,
//!   "features": [
//!     {
//!       "name": "months_contributed", "kind": "number",
//!       "bins": [
//!         { "below": 12, "points": 0, "reason": "MONTHS_FEW" },
//!         { "from": 12, "points": 60 }
//!       ],
//!       "missing": { "points": 0, "reason": "MONTHS_UNKNOWN" }
//!     },
//!     {
//!       "name": "employment", "kind": "category",
//!       "bins": [ { "values": ["employee", "civil_servant"], "points": 40 } ],
//!       "other": { "points": 10, "reason": "EMPLOYMENT_OTHER" },
//!       "missing": { "points": 0, "reason": "EMPLOYMENT_UNKNOWN" }
//!     }
//!   ],
//!   "classes": [ { "below": 360, "label": "B" }, { "from": 360, "label": "A" } ]
//! }
//! ```
//!
//! - Intervals include `from` and exclude `below`; the first of a list has no `from`, the last no `below`, and each
//!   begins where the one before ends. So every number lies in exactly one, infinities included.
//! - A number that is NaN or not there gets the points of `missing`; a category that is not listed those of `other`.
//! - Points are added in the order of the features, in `f64`. Without `classes` there is only a score.
//! - A reason is given when a feature got fewer points than it could have. Reasons come in the order of the points
//!   lost, most first, then of the features; a code that two features give counts once.

mod bins;
mod document;
#[cfg(test)]
mod tests;

use crate::batch::Rows;
use crate::feature::{FeatureKind, FeatureSpec};
use crate::refused;
use crate::scores::{ReasonCode, ScoreFailed};
use crate::{Limits, ModelRefused};

use bins::{Bin, Bins, Intervals};
use document::Document;

/// The one format there is.
const FORMAT: &str = "lingqu.scorecard/1";
/// Points beyond this are a mistake, and sums of fewer stay exact for a millionth of a point.
const POINTS_MAX: f64 = 1e6;

/// A parsed scorecard.
#[derive(Debug)]
pub(crate) struct Scorecard {
    base: f64,
    features: Vec<Bins>,
    classes: Option<Intervals>,
}

/// A row's sum and class.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) score: f64,
    pub(crate) class: Option<usize>,
}

impl Scorecard {
    /// Parses a document; gives its features and the labels of its classes as well.
    pub(crate) fn parse(
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<(Scorecard, Vec<FeatureSpec>, Vec<String>), ModelRefused> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| ModelRefused::Document(refused::shown_error(&error)))?;
        if document.format != FORMAT {
            return Err(ModelRefused::Format(refused::shown(&document.format)));
        }
        refused::name("scorecard", &document.name)?;
        within(limits, &document)?;
        let base = points("base_points", document.base_points)?;

        let names = document.features.iter().map(|feature| feature.name());
        refused::names("feature", names)?;
        let mut features = Vec::with_capacity(document.features.len());
        let mut specs = Vec::with_capacity(document.features.len());
        for feature in document.features {
            let bins = Bins::new(&feature)?;
            specs.push(FeatureSpec {
                kind: match feature {
                    document::Feature::Category { .. } => FeatureKind::Category,
                    document::Feature::Number { .. } => FeatureKind::Number,
                },
                name: feature.into_name(),
            });
            features.push(bins);
        }
        let (classes, labels) = match document.classes {
            None => (None, Vec::new()),
            Some(classes) => {
                let labels = classes.iter().map(|class| class.label.as_str());
                refused::names("class", labels)?;
                let bounds = classes.iter().map(|class| (class.from, class.below));
                let intervals = Intervals::new("classes", bounds)?;
                let labels = classes.into_iter().map(|class| class.label).collect();
                (Some(intervals), labels)
            }
        };
        let scorecard = Scorecard {
            base,
            features,
            classes,
        };
        Ok((scorecard, specs, labels))
    }

    /// By feature, whether it makes any difference.
    pub(crate) fn used(&self) -> Vec<bool> {
        self.features.iter().map(Bins::differs).collect()
    }

    /// The sum of one row, and its class.
    pub(crate) fn score<R: Rows + ?Sized>(
        &self,
        rows: &R,
        row: usize,
    ) -> Result<Answer, ScoreFailed> {
        let mut score = self.base;
        for at in 0..self.features.len() {
            score += self.bin(rows, row, at)?.points;
        }
        Ok(Answer {
            score,
            class: self.classes.as_ref().map(|classes| classes.find(score)),
        })
    }

    /// The reasons of one row that has a score.
    pub(crate) fn reasons<R: Rows + ?Sized>(
        &self,
        rows: &R,
        row: usize,
        reasons: &mut Vec<ReasonCode>,
    ) {
        let mut lost: Vec<(f64, &ReasonCode)> = Vec::new();
        for (at, bins) in self.features.iter().enumerate() {
            let Ok(bin) = self.bin(rows, row, at) else {
                continue;
            };
            let points = bins.best - bin.points;
            if let (Some(reason), true) = (&bin.reason, points > 0.0) {
                lost.push((points, reason));
            }
        }
        // Stable, so that equal losses stay in the order of the features.
        lost.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        for (_, reason) in lost {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
    }

    fn bin<R: Rows + ?Sized>(&self, rows: &R, row: usize, at: usize) -> Result<&Bin, ScoreFailed> {
        let value = rows.feature(row, at);
        let bin = self.features[at].find(value);
        bin.ok_or(ScoreFailed::Kind { feature: at })
    }
}

/// Counts against the limits before anything is built.
fn within(limits: &Limits, document: &Document) -> Result<(), ModelRefused> {
    let bins: usize = { document.features.iter() }
        .map(document::Feature::size)
        .sum();
    let classes = document.classes.as_ref().map_or(0, Vec::len);
    for (found, max, what) in [
        (document.features.len(), limits.features_max, "features"),
        (bins, limits.nodes_max, "bins and categories"),
        (classes, limits.classes_max, "classes"),
    ] {
        if found > max {
            return Err(ModelRefused::TooMany { what, max });
        }
    }
    match &document.classes {
        Some(classes) if classes.is_empty() => Err(ModelRefused::Nothing("class")),
        _ if document.features.is_empty() => Err(ModelRefused::Nothing("feature")),
        _ => Ok(()),
    }
}

/// A sensible number of points.
fn points(of: &str, points: f64) -> Result<f64, ModelRefused> {
    // NaN and infinity cannot be written in JSON, but that is the parser's promise, not ours.
    if points.is_finite() && points.abs() <= POINTS_MAX {
        Ok(points)
    } else {
        Err(ModelRefused::NotFinite(refused::shown(of)))
    }
}
