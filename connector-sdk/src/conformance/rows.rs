//! Rows as values that can be compared, whatever batches and order they came in.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};

/// One row in an encoding that is equal where all its values are.
type Row = Box<[u8]>;

/// The rows of a result in a canonical order.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Rows {
    sorted: Vec<Row>,
    /// In the order in which they came.
    in_order: Vec<Row>,
}

/// How two results differ, in numbers of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Rows that should be there.
    pub(super) missing: usize,
    /// Rows that should not.
    pub(super) extra: usize,
}

impl Rows {
    /// `None` if a batch does not have the columns of `schema`, or rows of such types cannot be compared.
    pub(super) fn of(schema: &Schema, batches: &[RecordBatch]) -> Option<Rows> {
        let fields = schema.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).ok()?;
        let mut in_order = Vec::new();
        for batch in batches {
            if !crate::scan::same_columns(&batch.schema(), schema) {
                return None;
            }
            if batch.num_columns() == 0 {
                // Rows without columns are all alike; only how many they are can be told.
                in_order.extend(std::iter::repeat_n(Row::default(), batch.num_rows()));
                continue;
            }
            let rows = converter.convert_columns(batch.columns()).ok()?;
            in_order.extend(rows.iter().map(|row| Row::from(row.as_ref())));
        }
        let mut sorted = in_order.clone();
        sorted.sort_unstable();
        Some(Rows { sorted, in_order })
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The rows in the order in which they came, in an encoding that is equal where all values are.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.in_order.iter().map(|row| &**row)
    }

    /// Whether they are the same rows, each as often, in whatever order.
    pub(super) fn same(&self, other: &Rows) -> bool {
        self.sorted == other.sorted
    }

    /// Whether they came in the same order too.
    pub(super) fn same_order(&self, other: &Rows) -> bool {
        self.in_order == other.in_order
    }

    /// Whether each of these rows is one of `other`, no more often than there.
    pub(super) fn within(&self, other: &Rows) -> bool {
        self.against(other).extra == 0
    }

    /// What these rows lack of `expected`, and what they have besides.
    pub(super) fn against(&self, expected: &Rows) -> Difference {
        let (mut missing, mut extra) = (0, 0);
        let (mut here, mut there) = (
            self.sorted.iter().peekable(),
            expected.sorted.iter().peekable(),
        );
        loop {
            match (here.peek(), there.peek()) {
                (None, None) => return Difference { missing, extra },
                (Some(_), None) => {
                    extra += 1;
                    here.next();
                }
                (None, Some(_)) => {
                    missing += 1;
                    there.next();
                }
                (Some(one), Some(other)) => match one.cmp(other) {
                    std::cmp::Ordering::Less => {
                        extra += 1;
                        here.next();
                    }
                    std::cmp::Ordering::Greater => {
                        missing += 1;
                        there.next();
                    }
                    std::cmp::Ordering::Equal => {
                        here.next();
                        there.next();
                    }
                },
            }
        }
    }
}

/// All rows in one batch.
pub(super) fn joined(schema: &SchemaRef, batches: &[RecordBatch]) -> Option<RecordBatch> {
    arrow_select::concat::concat_batches(&Arc::clone(schema), batches).ok()
}
