//! From released groups to the record batch that leaves.
//!
//! Every array is built here from the declared domains and the released figures: no buffer, dictionary, slice or
//! metadata of the engine's arrays is in it.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, SortOptions};
use datafusion::arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use lingqu_policy::DomainKind;

use crate::formula::{Computed, Line, Wholes};
use crate::gate::{Broken, Figure, Group};
use crate::infer::Shown;
use crate::query::{Cell, Key, Query, Words};
use crate::window::{self, Asked};

/// The columns of the answer. Every one can be NULL: a figure that is kept back, or the group of everything that lies
/// outside the domain.
pub(crate) fn schema<V>(query: &Query<V>) -> SchemaRef {
    let field = |output: &crate::infer::Output| {
        let data_type = match output.shown {
            Shown::Group(key) => group_type(&query.keys[key]),
            Shown::Figure(figure) if is_whole(query.cells[figure]) => DataType::Int64,
            Shown::Figure(_) => DataType::Float64,
            Shown::Computed(computed) => computed_type(query, &query.computed[computed]),
        };
        Field::new(&output.name, data_type, true)
    };
    Arc::new(Schema::new(
        query.outputs.iter().map(field).collect::<Vec<_>>(),
    ))
}

/// Counts, and sums of whole numbers, are whole.
fn is_whole(cell: Cell) -> bool {
    match cell {
        Cell::Entities | Cell::Present(_) | Cell::Rows => true,
        Cell::Sum(_, measure) => measure.scale == 0,
        Cell::Average(..) => false,
    }
}

fn computed_type<V>(query: &Query<V>, computed: &Computed) -> DataType {
    match computed.decimal {
        Some((precision, scale)) => DataType::Decimal128(precision, scale.cast_signed()),
        None if computed.formula.is_whole(&wholes(query)) => DataType::Int64,
        None => DataType::Float64,
    }
}

/// Which figures and windows are whole numbers.
fn wholes<V>(query: &Query<V>) -> Wholes {
    let mut wholes = Wholes {
        figures: query.cells.iter().copied().map(is_whole).collect(),
        windows: Vec::new(),
    };
    let windows = query.windows.iter().map(|window| match &window.asked {
        Asked::Lag(of, _) | Asked::Lead(of, _) | Asked::Sum(of) => of.is_whole(&wholes),
        Asked::Rank | Asked::RowNumber => true,
    });
    wholes.windows = windows.collect();
    wholes
}

/// What stands above the Gate: a group that leaves, and what each window says of it.
struct Row {
    group: Group,
    windows: Vec<Option<Figure>>,
}

impl Row {
    /// What formulas see.
    fn line<'a, V>(&'a self, query: &'a Query<V>) -> Line<'a> {
        Line {
            figures: self.group.seen(),
            windows: &self.windows,
            parameters: &query.numbers,
        }
    }
}

pub(crate) fn group_type(key: &Key) -> DataType {
    match (&key.recode, key.domain.kind()) {
        (Some(recode), _) => match &recode.words {
            Words::Days(_) => DataType::Date32,
            Words::Texts(_) => DataType::Utf8,
        },
        (None, DomainKind::Texts(_)) => DataType::Utf8,
        (None, DomainKind::DateBins(_)) => DataType::Date32,
        (
            None,
            DomainKind::Integers(_) | DomainKind::IntegerBins(_) | DomainKind::Bounds { .. },
        ) => DataType::Int64,
    }
}

/// The answer: sorted by the group columns, then as ORDER BY says, then cut.
pub(crate) fn build<V>(query: &Query<V>, groups: Vec<Group>) -> Result<RecordBatch, Broken> {
    let rows = kept(query, groups);
    let groups = rows.iter().map(|row| &row.group);
    let columns: Result<Vec<ArrayRef>, Broken> = { query.outputs.iter() }
        .map(|output| {
            Ok(match output.shown {
                Shown::Group(key) => {
                    let places: Vec<usize> = groups.clone().map(|group| group.place).collect();
                    group_column(&query.keys, key, &places)
                }
                Shown::Figure(figure) => figure_column(query.cells[figure], figure, groups.clone()),
                Shown::Computed(computed) => computed_column(query, computed, &rows)?,
            })
        })
        .collect();
    let columns = columns?;
    let batch = RecordBatch::try_new(schema(query), columns).map_err(|_| Broken)?;
    arranged(query, batch)
}

/// The groups that HAVING keeps, with what windows say of each. Windows see these groups and no others.
fn kept<V>(query: &Query<V>, groups: Vec<Group>) -> Vec<Row> {
    let is_kept = |group: &Group| match &query.having {
        Some(having) => {
            let line = Line {
                figures: group.seen(),
                windows: &[],
                parameters: &query.numbers,
            };
            having.holds(line) == Some(true)
        }
        None => true,
    };
    let groups: Vec<Group> = groups.into_iter().filter(is_kept).collect();
    let said = window::evaluate(&query.windows, &query.keys, &groups, &query.numbers);
    let rows = groups.into_iter().zip(said);
    rows.filter(|(group, _)| group.is_shown())
        .map(|(group, windows)| Row { group, windows })
        .collect()
}

/// The rows as ORDER BY and LIMIT say.
pub(crate) fn arranged<V>(query: &Query<V>, batch: RecordBatch) -> Result<RecordBatch, Broken> {
    let batch = if query.order.is_empty() {
        batch
    } else {
        ordered(query, &batch)?
    };
    let rows = query.limit.unwrap_or(usize::MAX).min(batch.num_rows());
    if rows == batch.num_rows() {
        return Ok(batch);
    }
    // Copied, not sliced: a slice would carry the rows that are cut off.
    let first: UInt64Array = (0..rows as u64).collect();
    take_record_batch(&batch, &first).map_err(|_| Broken)
}

fn ordered<V>(query: &Query<V>, batch: &RecordBatch) -> Result<RecordBatch, Broken> {
    let mut keys: Vec<SortColumn> = query
        .order
        .iter()
        .map(|key| SortColumn {
            values: Arc::clone(batch.column(key.output)),
            options: Some(SortOptions {
                descending: key.descending,
                nulls_first: key.nulls_first,
            }),
        })
        .collect();
    // The order of the groups breaks ties, so that one answer has one order.
    let place: UInt64Array = (0..batch.num_rows() as u64).collect();
    keys.push(SortColumn {
        values: Arc::new(place),
        options: None,
    });
    let indices = lexsort_to_indices(&keys, None).map_err(|_| Broken)?;
    take_record_batch(batch, &indices).map_err(|_| Broken)
}

/// The domain's own words for the cells; an edge stands for the bin above it.
pub(crate) fn group_column(keys: &[Key], key: usize, groups: &[usize]) -> ArrayRef {
    let below: usize = keys[key + 1..].iter().map(Key::cells).product();
    let cells = keys[key].cells();
    let place = |group: &usize| group / below % cells;
    if let Some(recode) = &keys[key].recode {
        let places = groups.iter().map(place);
        return match &recode.words {
            Words::Days(days) => {
                let days = places.map(|place| days.get(place).map(|day| day.days()));
                Arc::new(days.collect::<Date32Array>())
            }
            Words::Texts(texts) => Arc::new(
                places
                    .map(|place| texts.get(place))
                    .collect::<StringArray>(),
            ),
        };
    }
    match keys[key].domain.kind() {
        DomainKind::Texts(texts) => Arc::new(
            groups
                .iter()
                .map(|group| texts.get(place(group)))
                .collect::<StringArray>(),
        ),
        DomainKind::Integers(numbers) => Arc::new(
            groups
                .iter()
                .map(|group| numbers.get(place(group)).copied())
                .collect::<Int64Array>(),
        ),
        DomainKind::IntegerBins(edges) => Arc::new(
            groups
                .iter()
                .map(|group| edges[..cells - 1].get(place(group)).copied())
                .collect::<Int64Array>(),
        ),
        DomainKind::DateBins(edges) => Arc::new(
            groups
                .iter()
                .map(|group| edges[..cells - 1].get(place(group)).map(|day| day.days()))
                .collect::<Date32Array>(),
        ),
        DomainKind::Bounds { .. } => Arc::new(Int64Array::new_null(groups.len())),
    }
}

fn figure_column<'a>(
    cell: Cell,
    figure: usize,
    groups: impl Iterator<Item = &'a Group>,
) -> ArrayRef {
    let figures = groups.map(|group| group.figures[figure]);
    match is_whole(cell) {
        true => Arc::new(figures.map(whole).collect::<Int64Array>()),
        false => Arc::new(figures.map(fraction).collect::<Float64Array>()),
    }
}

fn whole(number: Option<Figure>) -> Option<i64> {
    match number {
        Some(Figure::Whole(number)) => Some(number),
        Some(Figure::Real(_)) | None => None,
    }
}

fn fraction(number: Option<Figure>) -> Option<f64> {
    match number {
        Some(Figure::Real(number)) => Some(number),
        Some(Figure::Whole(_)) | None => None,
    }
}

/// Numbers computed from figures as they are released.
fn computed_column<V>(query: &Query<V>, computed: usize, rows: &[Row]) -> Result<ArrayRef, Broken> {
    let computed = &query.computed[computed];
    let data_type = computed_type(query, computed);
    let lines = rows.iter().map(|row| row.line(query));
    if let (DataType::Decimal128(precision, scale), Some(decimal)) = (&data_type, computed.decimal)
    {
        let values = lines.map(|line| computed.decimal(decimal, line));
        let values: Decimal128Array = values.collect();
        let values = values.with_precision_and_scale(*precision, *scale);
        return Ok(Arc::new(values.map_err(|_| Broken)?));
    }
    let values = lines.map(|line| computed.formula.value(line));
    Ok(match data_type {
        DataType::Int64 => Arc::new(values.map(whole).collect::<Int64Array>()),
        _ => Arc::new(values.map(fraction).collect::<Float64Array>()),
    })
}
