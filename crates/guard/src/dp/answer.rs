//! From noisy numbers to the record batch that leaves: every declared group, integers and decimals, no floats.
//!
//! Everything here is a function of what was made noisy, so it costs nothing and tells nothing more. It is total: a count
//! may be zero or negative, and a number that does not fit is the outermost one that does.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::plan::{Number, Plan};
use crate::answer::{arranged, group_column, group_type};
use crate::gate::Broken;
use crate::infer::Shown;
use crate::plan::Partial;
use crate::query::{Cell, Measure, Query};
use crate::tables::SCALE;

/// Digits of the decimals that leave.
const PRECISION: u8 = 38;
/// The largest number of so many digits.
const LARGEST: i128 = 10_i128.pow(PRECISION as u32) - 1;

/// The columns of the answer. Counts and sums of integers are integers; averages and other sums are decimals. None if the
/// statement computes with figures, which callers do themselves with what they got.
pub(super) fn schema<V>(query: &Query<V>) -> Option<SchemaRef> {
    if query.having.is_some() {
        return None;
    }
    let field = |output: &crate::infer::Output| {
        let (data_type, nullable) = match output.shown {
            Shown::Group(key) => (group_type(&query.keys[key]), true),
            Shown::Figure(figure) => (figure_type(query.cells[figure]), false),
            Shown::Computed(_) => return None,
        };
        Some(Field::new(&output.name, data_type, nullable))
    };
    let fields: Option<Vec<Field>> = query.outputs.iter().map(field).collect();
    Some(Arc::new(Schema::new(fields?)))
}

fn figure_type(cell: Cell) -> DataType {
    match cell {
        Cell::Entities | Cell::Present(_) | Cell::Rows => DataType::Int64,
        Cell::Sum(_, measure) if measure.scale == 0 => DataType::Int64,
        Cell::Average(..) | Cell::Sum(..) => DataType::Decimal128(PRECISION, SCALE),
    }
}

/// The answer: every declared group, sorted by the group columns, then as ORDER BY and LIMIT say of what is shown.
pub(super) fn build<V>(
    query: &Query<V>,
    plan: &Plan,
    numbers: &[i128],
    shown: &[usize],
) -> Result<RecordBatch, Broken> {
    let columns: Result<Vec<ArrayRef>, Broken> = { query.outputs.iter() }
        .map(|output| match output.shown {
            Shown::Group(key) => Ok(group_column(&query.keys, key, shown)),
            Shown::Figure(figure) => {
                let of = |number| column(plan, numbers, shown, number);
                figure_column(query.cells[figure], of)
            }
            Shown::Computed(_) => Err(Broken),
        })
        .collect();
    let schema = schema(query).ok_or(Broken)?;
    let batch = RecordBatch::try_new(schema, columns?).map_err(|_| Broken)?;
    arranged(query, batch)
}

/// A noisy number of each group that is shown.
fn column(
    plan: &Plan,
    numbers: &[i128],
    shown: &[usize],
    number: Number,
) -> Result<Vec<i128>, Broken> {
    let width = plan.numbers.len();
    let place = plan.place(number).ok_or(Broken)?;
    let of = |group: &usize| numbers.get(group * width + place).copied().ok_or(Broken);
    shown.iter().map(of).collect()
}

fn figure_column(
    cell: Cell,
    column: impl Fn(Number) -> Result<Vec<i128>, Broken>,
) -> Result<ArrayRef, Broken> {
    let whole = |number| -> Result<ArrayRef, Broken> {
        let numbers = column(number)?.into_iter().map(whole_number);
        Ok(Arc::new(Int64Array::from_iter_values(numbers)))
    };
    match cell {
        Cell::Entities => whole(Number::Entities),
        Cell::Present(of) => whole(Number::Rows(Partial::Present(of))),
        Cell::Rows => whole(Number::Rows(Partial::Rows)),
        Cell::Sum(of, measure) => {
            let sum = Number::Rows(Partial::Sum(of, measure));
            match measure.scale {
                0 => whole(sum),
                _ => decimals(column(sum)?.into_iter()),
            }
        }
        Cell::Average(of, measure) => {
            let sums = column(Number::Rows(Partial::Sum(of, measure)))?;
            let counts = column(Number::Rows(Partial::Count(of, measure)))?;
            let averages = sums.into_iter().zip(counts);
            decimals(averages.map(|(sum, count)| average(sum, count, measure)))
        }
    }
}

fn whole_number(number: i128) -> i64 {
    let nearest = number.clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(nearest).expect("it was brought into the range")
}

fn decimals(numbers: impl Iterator<Item = i128>) -> Result<ArrayRef, Broken> {
    let fitting = numbers.map(|number| number.clamp(-LARGEST, LARGEST));
    let array = Decimal128Array::from_iter_values(fitting);
    let array = array.with_precision_and_scale(PRECISION, SCALE);
    Ok(Arc::new(array.map_err(|_| Broken)?))
}

/// A noisy sum by a noisy count, in millionths, rounded half away from zero and brought into the bounds that every value
/// has. A count below one divides as one: the answer is then a bound or nearly so, and is all noise.
pub(super) fn average(sum: i128, count: i128, measure: Measure) -> i128 {
    let scale = SCALE.abs_diff(measure.scale);
    let sum = sum.saturating_mul(10_i128.pow(scale.into()));
    let count = count.max(1);
    let half = if sum < 0 { -(count / 2) } else { count / 2 };
    let unit = 10_i128.pow(SCALE.unsigned_abs().into());
    let (min, max) = (
        i128::from(measure.min) * unit,
        i128::from(measure.max) * unit,
    );
    (sum.saturating_add(half) / count).clamp(min, max)
}
