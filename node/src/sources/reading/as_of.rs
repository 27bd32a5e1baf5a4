//! The date that a reading speaks for.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use lingqu_core::Timestamp;

use super::{AsOfRule, LoadFailed, Resource, Wanted};

/// Midnight of UTC+8, which a day without a zone means here, before midnight of UTC, in microseconds.
const UTC8_US: i64 = 8 * 3_600 * 1_000_000;

/// How the date of one reading is known.
pub(super) enum Rule {
    Column(String),
    Fixed(Timestamp),
}

impl Rule {
    pub(super) fn of(resource: &Resource, wanted: &Wanted<'_>, began: Timestamp) -> Rule {
        match (wanted.as_of, &resource.as_of) {
            (Some(said), _) => Rule::Fixed(said),
            (None, AsOfRule::Fixed(said)) => Rule::Fixed(*said),
            (None, AsOfRule::Load) => Rule::Fixed(began),
            (None, AsOfRule::Column(column)) => Rule::Column(column.clone()),
        }
    }

    /// The wanted columns that are there, with the date's own after them, and whether that one is read for the date alone.
    pub(super) fn columns(
        &self,
        wanted: &[String],
        schema: &Schema,
    ) -> Result<(Vec<String>, bool), LoadFailed> {
        let is_there = |name: &&String| schema.index_of(name).is_ok();
        let mut columns: Vec<String> = wanted.iter().filter(is_there).cloned().collect();
        let Rule::Column(date) = self else {
            return Ok((columns, false));
        };
        let kind = schema.field_with_name(date).map(|field| field.data_type());
        if !matches!(
            kind,
            Ok(DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _))
        ) {
            return Err(LoadFailed::AsOf(date.clone()));
        }
        let is_extra = !columns.contains(date);
        if is_extra {
            columns.push(date.clone());
        }
        Ok((columns, is_extra))
    }
}

/// The latest date so far.
pub(super) struct Latest<'a> {
    rule: &'a Rule,
    latest_us: Option<i64>,
}

impl<'a> Latest<'a> {
    pub(super) fn of(rule: &'a Rule) -> Latest<'a> {
        Latest {
            rule,
            latest_us: None,
        }
    }

    pub(super) fn look_at(&mut self, batch: &RecordBatch) {
        let Rule::Column(column) = self.rule else {
            return;
        };
        let Some(array) = batch.column_by_name(column) else {
            return;
        };
        // A day, or an instant without a zone, is one of the regulations' clock.
        let is_local = !matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let Ok(array) = arrow_cast::cast(array, &micros) else {
            return;
        };
        let array = array.as_primitive::<TimestampMicrosecondType>();
        let latest = (0..array.len())
            .filter(|index| array.is_valid(*index))
            .map(|index| array.value(index))
            .max();
        let shift = if is_local { UTC8_US } else { 0 };
        let latest = latest.map(|micros| micros.saturating_sub(shift));
        self.latest_us = self.latest_us.max(latest);
    }

    pub(super) fn finish(self, now: Timestamp) -> Result<Timestamp, LoadFailed> {
        let date = match self.rule {
            Rule::Fixed(said) => *said,
            Rule::Column(column) => match self.latest_us {
                // Records hold instants since 1970.
                Some(latest_us) if latest_us >= 0 => Timestamp(latest_us),
                Some(_) | None => return Err(LoadFailed::AsOf(column.clone())),
            },
        };
        match date > now {
            true => Err(LoadFailed::AsOfFuture(date)),
            false => Ok(date),
        }
    }
}
