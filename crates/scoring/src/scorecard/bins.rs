//! The bins of one feature, and the one that a value lies in.

use std::collections::BTreeMap;

use super::document;
use super::points;
use crate::ModelRefused;
use crate::feature::Feature;
use crate::refused::{self, shown};
use crate::scores::ReasonCode;

/// What a value gives.
#[derive(Debug)]
pub(super) struct Bin {
    pub(super) points: f64,
    pub(super) reason: Option<ReasonCode>,
}

/// The bins of one feature: every value lies in exactly one.
#[derive(Debug)]
pub(super) struct Bins {
    bins: Vec<Bin>,
    missing: Bin,
    by: By,
    /// The most points that any value gives.
    pub(super) best: f64,
}

#[derive(Debug)]
enum By {
    Category {
        listed: BTreeMap<String, usize>,
        other: Bin,
    },
    Number(Intervals),
}

impl Bins {
    pub(super) fn new(feature: &document::Feature) -> Result<Bins, ModelRefused> {
        let name = feature.name();
        let (bins, missing, by) = match feature {
            document::Feature::Number { bins, missing, .. } => {
                let bounds = bins.iter().map(|bin| (bin.from, bin.below));
                let by = By::Number(Intervals::new(name, bounds)?);
                let bins = bins
                    .iter()
                    .map(|b| bin(name, b.points, b.reason.as_deref()));
                (bins.collect::<Result<Vec<_>, _>>()?, missing, by)
            }
            document::Feature::Category {
                bins,
                other,
                missing,
                ..
            } => {
                let by = By::Category {
                    listed: listed(name, bins)?,
                    other: bin(name, other.points, other.reason.as_deref())?,
                };
                let bins = bins
                    .iter()
                    .map(|b| bin(name, b.points, b.reason.as_deref()));
                (bins.collect::<Result<Vec<_>, _>>()?, missing, by)
            }
        };
        let missing = bin(name, missing.points, missing.reason.as_deref())?;
        let mut bins = Bins {
            bins,
            missing,
            by,
            best: f64::NEG_INFINITY,
        };
        bins.best = bins.all().map(|bin| bin.points).fold(bins.best, f64::max);
        Ok(bins)
    }

    /// Whether not all values give the same.
    pub(super) fn differs(&self) -> bool {
        self.all().any(|bin| bin.points != self.best)
    }

    /// The bin of a value; none if the value is of the other kind.
    pub(super) fn find(&self, value: Feature<'_>) -> Option<&Bin> {
        match (value, &self.by) {
            (Feature::Missing, _) => Some(&self.missing),
            (Feature::Number(value), By::Number(_)) if value.is_nan() => Some(&self.missing),
            (Feature::Number(value), By::Number(intervals)) => {
                Some(&self.bins[intervals.find(value)])
            }
            (Feature::Text(text), By::Category { listed, other }) => {
                Some(listed.get(text).map_or(other, |at| &self.bins[*at]))
            }
            (Feature::Number(_), By::Category { .. }) | (Feature::Text(_), By::Number(_)) => None,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Bin> {
        let other = match &self.by {
            By::Category { other, .. } => Some(other),
            By::Number(_) => None,
        };
        self.bins.iter().chain([&self.missing]).chain(other)
    }
}

fn bin(feature: &str, of: f64, reason: Option<&str>) -> Result<Bin, ModelRefused> {
    let reason = match reason {
        Some(code) if !is_code(code) => {
            return Err(ModelRefused::Name {
                what: "reason",
                text: shown(code),
            });
        }
        reason => reason.map(ReasonCode::new),
    };
    Ok(Bin {
        points: points(feature, of)?,
        reason,
    })
}

/// Codes look like `MONTHS_FEW`: up to 48 of `A`–`Z`, `0`–`9` and `_`.
fn is_code(code: &str) -> bool {
    let fits = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
    (1..=48).contains(&code.len()) && code.bytes().all(fits)
}

/// By category its bin; no category twice, no bin without one.
fn listed(
    feature: &str,
    bins: &[document::Listed],
) -> Result<BTreeMap<String, usize>, ModelRefused> {
    let mut listed = BTreeMap::new();
    for (at, bin) in bins.iter().enumerate() {
        if bin.values.is_empty() {
            return Err(ModelRefused::Nothing("category in a bin"));
        }
        for value in &bin.values {
            refused::name("category", value)?;
            if listed.insert(value.clone(), at).is_some() {
                return Err(ModelRefused::CategoryTwice(shown(feature)));
            }
        }
    }
    Ok(listed)
}

/// Intervals that cover every number but NaN exactly once.
#[derive(Debug)]
pub(super) struct Intervals {
    /// Where each interval but the first begins; growing.
    begins: Vec<f64>,
}

impl Intervals {
    /// From the bounds as they are written: begin included, end excluded, the outermost left out.
    pub(super) fn new(
        of: &str,
        mut bounds: impl ExactSizeIterator<Item = (Option<f64>, Option<f64>)>,
    ) -> Result<Intervals, ModelRefused> {
        let refused = || ModelRefused::Coverage(shown(of));
        let (None, mut end) = bounds.next().ok_or_else(refused)? else {
            return Err(refused());
        };
        let mut begins: Vec<f64> = Vec::with_capacity(bounds.len());
        for (from, below) in bounds {
            let begin = from.filter(|from| end == Some(*from) && from.is_finite());
            let begin = begin.ok_or_else(refused)?;
            if begins.last().is_some_and(|last| *last >= begin) {
                return Err(refused());
            }
            begins.push(begin);
            end = below;
        }
        if end.is_some() {
            return Err(refused());
        }
        Ok(Intervals { begins })
    }

    /// The interval of a number.
    pub(super) fn find(&self, value: f64) -> usize {
        self.begins.partition_point(|begin| *begin <= value)
    }
}
