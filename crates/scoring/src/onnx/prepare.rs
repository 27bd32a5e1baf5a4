//! `Scaler`, `Imputer` and `Normalizer`: numbers in, as many numbers out.

use super::attributes::Attributes;
use super::pipeline::Span;
use crate::ModelRefused;

/// `Scaler`: minus the offset, times the scale.
#[derive(Debug)]
pub(super) struct Scale {
    from: Span,
    to: usize,
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scale {
    /// Takes the attributes.
    pub(super) fn take(
        attributes: &mut Attributes,
        from: Span,
        to: usize,
    ) -> Result<Scale, ModelRefused> {
        let mut of_width = |name| {
            let list = attributes.finite(name)?;
            if let [one] = list[..] {
                return Ok(vec![one; from.len]);
            }
            attributes.length(name, &list, from.len)?;
            Ok::<_, ModelRefused>(list)
        };
        Ok(Scale {
            from,
            to,
            offset: of_width("offset")?,
            scale: of_width("scale")?,
        })
    }

    /// Runs over the registers of one row.
    pub(super) fn run(&self, floats: &mut [f32]) {
        for at in 0..self.from.len {
            let value = floats[self.from.first + at];
            floats[self.to + at] = (value - self.offset[at]) * self.scale[at];
        }
    }
}

/// `Imputer`: replaces one value, usually NaN, by a constant per column.
#[derive(Debug)]
pub(super) struct Impute<T> {
    from: Span,
    to: usize,
    replaced: T,
    imputed: Vec<T>,
}

impl Impute<f32> {
    /// Takes the attributes.
    pub(super) fn take(
        attributes: &mut Attributes,
        from: Span,
        to: usize,
    ) -> Result<Self, ModelRefused> {
        let replaced = attributes.float("replaced_value_float")?;
        let replaced = replaced.ok_or(ModelRefused::AttributeMissing {
            operator: attributes.operator(),
            attribute: "replaced_value_float",
        })?;
        let imputed = attributes.finite("imputed_value_floats")?;
        // Exporters write the default of the other type as well; nothing follows from it.
        attributes.ignore("replaced_value_int64");
        Impute::new(
            attributes,
            "imputed_value_floats",
            (from, to),
            replaced,
            imputed,
        )
    }

    /// Runs over the registers of one row.
    pub(super) fn run(&self, floats: &mut [f32]) {
        for at in 0..self.from.len {
            let value = floats[self.from.first + at];
            let same = value == self.replaced || (value.is_nan() && self.replaced.is_nan());
            floats[self.to + at] = if same { self.imputed[at] } else { value };
        }
    }
}

impl Impute<i64> {
    /// Takes the attributes.
    pub(super) fn take(
        attributes: &mut Attributes,
        from: Span,
        to: usize,
    ) -> Result<Self, ModelRefused> {
        let replaced = attributes.int("replaced_value_int64")?;
        let replaced = replaced.ok_or(ModelRefused::AttributeMissing {
            operator: attributes.operator(),
            attribute: "replaced_value_int64",
        })?;
        let imputed = attributes.ints("imputed_value_int64s")?;
        attributes.ignore("replaced_value_float");
        Impute::new(
            attributes,
            "imputed_value_int64s",
            (from, to),
            replaced,
            imputed,
        )
    }

    /// Runs over the registers of one row.
    pub(super) fn run(&self, wholes: &mut [i64]) {
        for at in 0..self.from.len {
            let value = wholes[self.from.first + at];
            let same = value == self.replaced;
            wholes[self.to + at] = if same { self.imputed[at] } else { value };
        }
    }
}

impl<T: Copy> Impute<T> {
    fn new(
        attributes: &Attributes,
        name: &'static str,
        (from, to): (Span, usize),
        replaced: T,
        imputed: Vec<T>,
    ) -> Result<Self, ModelRefused> {
        let imputed = match imputed[..] {
            [one] => vec![one; from.len],
            _ => imputed,
        };
        attributes.length(name, &imputed, from.len)?;
        Ok(Impute {
            from,
            to,
            replaced,
            imputed,
        })
    }
}

/// `Normalizer` by the sum of magnitudes or by the length. The third norm, the maximum, is left out: the specification
/// means the largest value, libraries the largest magnitude.
#[derive(Debug)]
pub(super) struct Normalize {
    from: Span,
    to: usize,
    norm: Norm,
}

#[derive(Clone, Copy, Debug)]
enum Norm {
    L1,
    L2,
}

impl Normalize {
    /// Takes the attribute.
    pub(super) fn take(
        attributes: &mut Attributes,
        from: Span,
        to: usize,
    ) -> Result<Normalize, ModelRefused> {
        let norm = match attributes.text("norm")?.as_deref() {
            Some("L1") => Norm::L1,
            Some("L2") => Norm::L2,
            _ => return Err(attributes.value("norm")),
        };
        Ok(Normalize { from, to, norm })
    }

    /// Runs over the registers of one row. A row of zeros stays one.
    pub(super) fn run(&self, floats: &mut [f32]) {
        let values = self.from.of(floats).iter();
        let sum: f32 = match self.norm {
            Norm::L1 => values.fold(0.0, |sum, x| sum + x.abs()),
            Norm::L2 => values.fold(0.0, |sum, x| sum + x * x),
        };
        for at in 0..self.from.len {
            let x = floats[self.from.first + at];
            floats[self.to + at] = match self.norm {
                _ if sum == 0.0 => x,
                Norm::L1 => x / sum,
                Norm::L2 if x < 0.0 => -(x * x / sum).sqrt(),
                Norm::L2 => (x * x / sum).sqrt(),
            };
        }
    }
}
