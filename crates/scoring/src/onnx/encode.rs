//! `LabelEncoder` and `OneHotEncoder`: from categories to numbers.
//!
//! A missing category is the empty text, as it would be for onnxruntime.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use super::pipeline::Span;
use crate::ModelRefused;
use crate::scores::ScoreFailed;

/// What is encoded: the position of a feature, or of a register.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Floats(Span),
    /// Features of the row that are texts.
    Texts(Vec<usize>),
    Wholes(Span),
}

impl Source {
    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Source::Floats(span) | Source::Wholes(span) => span.len,
            Source::Texts(features) => features.len(),
        }
    }
}

/// From a category to its number in the order of the list.
#[derive(Debug)]
enum Keys {
    /// By bit pattern; all NaN are one.
    Floats(BTreeMap<u32, usize>),
    Texts(BTreeMap<String, usize>),
    Wholes(BTreeMap<i64, usize>),
}

/// What is written for a category's number.
#[derive(Debug)]
enum Written {
    Floats { values: Vec<f32>, default: f32 },
    OneHot { zeros: bool },
    Wholes { values: Vec<i64>, default: i64 },
}

/// A step that encodes.
#[derive(Debug)]
pub(super) struct Encode {
    source: Source,
    keys: Keys,
    written: Written,
    /// The first register that is written, of the kind of what is written.
    to: usize,
    /// Registers written per value.
    width: usize,
}

impl Encode {
    /// `LabelEncoder` since version 2.
    pub(super) fn label(
        attributes: &mut Attributes,
        source: Source,
    ) -> Result<Encode, ModelRefused> {
        let keys = match &source {
            Source::Floats(_) => floats(attributes.floats("keys_floats")?),
            Source::Texts(_) => texts(attributes.texts("keys_strings")?),
            Source::Wholes(_) => wholes(attributes.ints("keys_int64s")?),
        };
        let (keys, count) = keys.ok_or_else(|| attributes.value("keys_*"))?;
        let written = if attributes.has("values_int64s") {
            let values = attributes.ints("values_int64s")?;
            attributes.length("values_int64s", &values, count)?;
            let default = attributes.int("default_int64")?.unwrap_or(-1);
            attributes.ignore("default_float");
            Written::Wholes { values, default }
        } else {
            let values = attributes.floats("values_floats")?;
            attributes.length("values_floats", &values, count)?;
            let default = attributes.float("default_float")?.unwrap_or(-0.0);
            attributes.ignore("default_int64");
            Written::Floats { values, default }
        };
        // The default for values that are texts; exporters write all three.
        attributes.ignore("default_string");
        Ok(Encode {
            source,
            keys,
            written,
            to: 0,
            width: 1,
        })
    }

    /// `OneHotEncoder`.
    pub(super) fn one_hot(
        attributes: &mut Attributes,
        source: Source,
    ) -> Result<Encode, ModelRefused> {
        let keys = match &source {
            Source::Texts(_) => texts(attributes.texts("cats_strings")?),
            Source::Wholes(_) => wholes(attributes.ints("cats_int64s")?),
            // Numbers would be cut to whole ones, and what becomes of NaN is up to the processor.
            Source::Floats(_) => {
                return Err(ModelRefused::Tensor {
                    operator: attributes.operator(),
                });
            }
        };
        let (keys, width) = keys.ok_or_else(|| attributes.value("cats_*"))?;
        let zeros = match attributes.int("zeros")? {
            None | Some(1) => true,
            Some(0) => false,
            Some(_) => return Err(attributes.value("zeros")),
        };
        Ok(Encode {
            source,
            keys,
            written: Written::OneHot { zeros },
            to: 0,
            width,
        })
    }

    /// Says where to write.
    pub(super) fn to(mut self, to: usize) -> Encode {
        self.to = to;
        self
    }

    /// How many registers it writes.
    pub(super) fn width(&self) -> usize {
        self.source.len() * self.width
    }

    /// Whether it writes whole numbers.
    pub(super) fn writes_wholes(&self) -> bool {
        matches!(self.written, Written::Wholes { .. })
    }

    /// Runs over the registers of one row.
    pub(super) fn run<'a>(
        &self,
        text: impl Fn(usize) -> Result<&'a str, ScoreFailed>,
        floats: &mut [f32],
        wholes: &mut [i64],
    ) -> Result<(), ScoreFailed> {
        for at in 0..self.source.len() {
            let key = match (&self.source, &self.keys) {
                (Source::Texts(features), Keys::Texts(keys)) => {
                    keys.get(text(features[at])?).copied()
                }
                (Source::Floats(span), Keys::Floats(keys)) => {
                    keys.get(&bits(floats[span.first + at])).copied()
                }
                (Source::Wholes(span), Keys::Wholes(keys)) => {
                    keys.get(&wholes[span.first + at]).copied()
                }
                // The keys were made for the source.
                _ => None,
            };
            let to = self.to + at * self.width;
            match &self.written {
                Written::Floats { values, default } => {
                    floats[to] = key.map_or(*default, |key| values[key]);
                }
                Written::Wholes { values, default } => {
                    wholes[to] = key.map_or(*default, |key| values[key]);
                }
                Written::OneHot { zeros } => {
                    floats[to..to + self.width].fill(0.0);
                    match key {
                        Some(key) => floats[to + key] = 1.0,
                        None if *zeros => {}
                        None => return Err(ScoreFailed::UnknownCategory),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Zero is zero whatever its sign, and all NaN are one.
fn bits(value: f32) -> u32 {
    if value.is_nan() {
        f32::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}

/// None if there are none or one is there twice: readers disagree on which then counts.
fn floats(keys: Vec<f32>) -> Option<(Keys, usize)> {
    let count = keys.len();
    let keys: BTreeMap<_, _> = { keys.into_iter().map(bits) }.zip(0..).collect();
    (count > 0 && keys.len() == count).then_some((Keys::Floats(keys), count))
}

fn texts(keys: Vec<String>) -> Option<(Keys, usize)> {
    let count = keys.len();
    let keys: BTreeMap<_, _> = keys.into_iter().zip(0..).collect();
    (count > 0 && keys.len() == count).then_some((Keys::Texts(keys), count))
}

fn wholes(keys: Vec<i64>) -> Option<(Keys, usize)> {
    let count = keys.len();
    let keys: BTreeMap<_, _> = keys.into_iter().zip(0..).collect();
    (count > 0 && keys.len() == count).then_some((Keys::Wholes(keys), count))
}
