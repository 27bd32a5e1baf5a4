//! The two functions that stand between a protected value and everything above it.
//!
//! [`cell`] turns a value into the number of its cell in the declared domain; what is shown later is the domain's own
//! word for that cell, so no value of the table can leave as a group, whatever it is. [`bounded`] brings a measure into
//! its declared bounds. Both are total: no value makes them fail.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int32Array};
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lingqu_policy::{Domain, DomainKind};

use crate::query::{Measure, Recode};
use crate::safeguard::{Safeguard, stands};
use crate::tables::{is_integer, is_text};

/// Digits of the decimals in which measures are summed.
const PRECISION: u8 = 38;

/// The number of the group in which `value` lies: its cell in the domain, or what the recoding makes of its place; NULL for
/// everything else.
pub(crate) fn cell(value: Expr, domain: &Domain, recode: Option<&Recode>) -> Expr {
    call(
        CellOf {
            domain: domain.clone(),
            recode: recode.cloned(),
            signature: Signature::any(1, Volatility::Immutable),
        },
        value,
    )
}

/// `value` brought into the bounds, as a decimal; NULL for NULL and for what is not a number.
pub(crate) fn bounded(value: Expr, measure: Measure) -> Expr {
    call(
        Bounded {
            min: measure.min,
            max: measure.max,
            scale: measure.scale,
            signature: Signature::any(1, Volatility::Immutable),
        },
        value,
    )
}

/// The same for a whole column, outside of any plan.
pub(crate) fn bounded_column(values: &ArrayRef, measure: Measure) -> Result<Decimal128Array> {
    let Measure { min, max, scale } = measure;
    Bounded {
        min,
        max,
        scale,
        signature: Signature::any(1, Volatility::Immutable),
    }
    .clamped(values)
}

/// One of the two functions, recognised by what it is and not by its name.
pub(crate) enum Own<'a> {
    /// See [`cell`].
    Cell(&'a Domain, Option<&'a Recode>),
    /// See [`bounded`].
    Bounded(Measure),
}

/// Which of the two functions this is, if it is one.
pub(crate) fn own(function: &ScalarUDF) -> Option<Own<'_>> {
    let inner = function.inner().as_ref();
    if let Some(CellOf { domain, recode, .. }) = inner.downcast_ref::<CellOf>() {
        return Some(Own::Cell(domain, recode.as_ref()));
    }
    let Bounded {
        min, max, scale, ..
    } = inner.downcast_ref::<Bounded>()?;
    Some(Own::Bounded(Measure {
        min: *min,
        max: *max,
        scale: *scale,
    }))
}

fn call(function: impl ScalarUDFImpl + 'static, value: Expr) -> Expr {
    let function = Arc::new(ScalarUDF::from(function));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
}

fn argument(args: &ScalarFunctionArgs) -> Result<ArrayRef> {
    match args.args.as_slice() {
        [value] => value.to_array(args.number_rows),
        _ => internal_err!("one argument"),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CellOf {
    domain: Domain,
    recode: Option<Recode>,
    signature: Signature,
}

impl ScalarUDFImpl for CellOf {
    fn name(&self) -> &str {
        "lingqu_cell"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = argument(&args)?;
        if let Some(recode) = &self.recode {
            let cells = recoded(&values, &self.domain, recode)?;
            return Ok(ColumnarValue::Array(Arc::new(cells)));
        }
        let cells: Int32Array = match self.domain.kind() {
            DomainKind::Texts(texts) => {
                let values = cast(&values, &DataType::Utf8View)?;
                let place = |text: &str| {
                    texts
                        .binary_search_by(|known| known.as_str().cmp(text))
                        .ok()
                };
                let values = values.as_string_view();
                values
                    .iter()
                    .map(|v| v.and_then(place).and_then(number))
                    .collect()
            }
            DomainKind::Integers(known) => {
                let values = cast(&values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                let place = |value: i64| known.binary_search(&value).ok();
                values
                    .iter()
                    .map(|v| v.and_then(place).and_then(number))
                    .collect()
            }
            DomainKind::IntegerBins(edges) => {
                let values = cast(&values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                let place = |value: i64| bin(edges, &value);
                values
                    .iter()
                    .map(|v| v.and_then(place).and_then(number))
                    .collect()
            }
            DomainKind::DateBins(edges) => {
                let days: Vec<i32> = edges.iter().map(|edge| edge.days()).collect();
                let values = values.as_primitive_opt::<Date32Type>();
                let Some(values) = values else {
                    return internal_err!("not a column of dates");
                };
                let place = |value: i32| bin(&days, &value);
                values
                    .iter()
                    .map(|v| v.and_then(place).and_then(number))
                    .collect()
            }
            DomainKind::Bounds { .. } => return internal_err!("bounds make no cells"),
        };
        Ok(ColumnarValue::Array(Arc::new(cells)))
    }
}

/// The group of each value by its raw place, in the order of `partition/axes.rs`: declared values or the intervals between
/// edges, then others, then NULL.
fn recoded(values: &ArrayRef, domain: &Domain, recode: &Recode) -> Result<Int32Array> {
    let places = raw_places(values, domain)?;
    let null = recode.groups.len() - 1;
    let group = |place: Option<usize>| recode.groups.get(place.unwrap_or(null)).copied();
    Ok({ places.into_iter() }
        .map(|place| group(place).filter(|group| *group < recode.words.len()))
        .map(|group| group.and_then(number))
        .collect())
}

fn raw_places(values: &ArrayRef, domain: &Domain) -> Result<Vec<Option<usize>>> {
    Ok(match domain.kind() {
        DomainKind::Texts(texts) => {
            let values = cast(values, &DataType::Utf8View)?;
            let place = |text: &str| {
                let found = texts.binary_search_by(|known| known.as_str().cmp(text));
                found.unwrap_or(texts.len())
            };
            let values = values.as_string_view();
            values.iter().map(|value| value.map(place)).collect()
        }
        DomainKind::Integers(known) => {
            let values = cast(values, &DataType::Int64)?;
            let place = |value: i64| known.binary_search(&value).unwrap_or(known.len());
            let values = values.as_primitive::<Int64Type>();
            values.iter().map(|value| value.map(place)).collect()
        }
        DomainKind::IntegerBins(edges) => {
            let values = cast(values, &DataType::Int64)?;
            let place = |value: i64| edges.partition_point(|edge| *edge <= value);
            let values = values.as_primitive::<Int64Type>();
            values.iter().map(|value| value.map(place)).collect()
        }
        DomainKind::DateBins(edges) => {
            let Some(values) = values.as_primitive_opt::<Date32Type>() else {
                return internal_err!("not a column of dates");
            };
            let place = |value: i32| edges.partition_point(|edge| edge.days() <= value);
            values.iter().map(|value| value.map(place)).collect()
        }
        DomainKind::Bounds { .. } => return internal_err!("bounds make no cells"),
    })
}

fn bin<T: Ord>(edges: &[T], value: &T) -> Option<usize> {
    let edges_at_or_below = edges.partition_point(|edge| edge <= value);
    (edges_at_or_below < edges.len())
        .then_some(edges_at_or_below)?
        .checked_sub(1)
}

/// Domains have at most 1,024 entries, so the number always fits.
fn number(place: usize) -> Option<i32> {
    i32::try_from(place).ok()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    min: i64,
    max: i64,
    scale: i8,
    signature: Signature,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        "lingqu_bounded"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(PRECISION, self.scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = argument(&args)?;
        let bounded = self.clamped(&values)?;
        let bounded = bounded.with_precision_and_scale(PRECISION, self.scale)?;
        Ok(ColumnarValue::Array(Arc::new(bounded)))
    }
}

impl Bounded {
    fn clamped(&self, values: &ArrayRef) -> Result<Decimal128Array> {
        let unit = 10_i128.pow(self.scale.unsigned_abs().into());
        let clamp = |value: i128, unit: i128| {
            if !stands(Safeguard::Bounds) {
                return value;
            }
            value.clamp(i128::from(self.min) * unit, i128::from(self.max) * unit)
        };
        match values.data_type() {
            integer if is_integer(integer) => {
                let values = cast(values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                Ok(values
                    .iter()
                    .map(|v| v.map(|value| clamp(i128::from(value), 1) * unit))
                    .collect())
            }
            DataType::Float32 | DataType::Float64 => {
                let values = cast(values, &DataType::Float64)?;
                let values = values.as_primitive::<Float64Type>();
                let fixed = |value: f64| {
                    // Bounds have at most 13 digits, so a double holds them and the product exactly enough; the
                    // conversion to an integer saturates and never fails.
                    let inside = value.clamp(self.min as f64, self.max as f64);
                    clamp((inside * unit as f64).round() as i128, unit)
                };
                Ok(values
                    .iter()
                    .map(|v| v.filter(|value| !value.is_nan()).map(fixed))
                    .collect())
            }
            DataType::Decimal128(_, scale) if (0..=self.scale).contains(scale) => {
                let own = 10_i128.pow(scale.unsigned_abs().into());
                let values = values.as_primitive::<Decimal128Type>();
                Ok(values
                    .iter()
                    .map(|v| v.map(|value| clamp(value, own) * (unit / own)))
                    .collect())
            }
            text if is_text(text) => internal_err!("a text is no measure"),
            _ => internal_err!("not a measure"),
        }
    }
}

#[cfg(test)]
mod tests;
