//! What a table looks like, found on the unit's own machine: column names, types, and which columns seem to hold what is
//! personal.
//!
//! Values are looked at and never shown: what comes out are names of patterns and made-up examples. A grade is a
//! suggestion to the officer, who opens columns one by one; nothing is opened here.

mod patterns;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use lingqu_node::sources::reading::first_rows;
use lingqu_node::sources::sdk::ReadLimits;

use crate::doctor::{self, ReadFailed};
pub(crate) use patterns::Pattern;

/// Rows that are looked at.
pub(crate) const ROWS_LOOKED: u64 = 2_000;
/// One of this many values in a pattern is enough: a column of mixed content is as sensitive as its worst part.
const ONE_IN: usize = 20;

/// One column.
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) data_type: DataType,
    /// What it seems to hold, and by what that was seen.
    pub(crate) grade: Option<(Pattern, Seen)>,
}

/// By what a pattern was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The column's name.
    Name,
    /// Its values.
    Values,
}

/// A table as it looks.
pub(crate) struct Inspected {
    /// Its columns, in their order.
    pub(crate) columns: Vec<Column>,
    /// How many were looked at.
    pub(crate) looked: usize,
}

/// Looks at the table of a resource.
///
/// # Errors
/// [`ReadFailed`].
pub(crate) fn inspect(
    config: &NodeConfig,
    section: &ResourceSection,
) -> Result<Inspected, ReadFailed> {
    let resource = doctor::resource(config, section)?;
    let mut last = String::new();
    for source in &resource.sources {
        let limits = ReadLimits {
            bytes_max: config.limits.load_bytes_max,
            time_max: std::time::Duration::from_secs(120),
            ..ReadLimits::default()
        };
        let rows = first_rows(&resource, source, ROWS_LOOKED, limits);
        match doctor::waiting(rows)? {
            Ok((info, batches)) => {
                let fields = info.schema.fields().iter();
                let columns = fields.map(|field| Column {
                    grade: grade(field.name(), &batches),
                    name: field.name().clone(),
                    data_type: field.data_type().clone(),
                });
                return Ok(Inspected {
                    columns: columns.collect(),
                    looked: batches.iter().map(RecordBatch::num_rows).sum(),
                });
            }
            Err(failed) => last = failed.to_string(),
        }
    }
    Err(ReadFailed::Source(last))
}

/// What a column seems to hold. Values count before the name, since they are what would leave.
fn grade(name: &str, batches: &[RecordBatch]) -> Option<(Pattern, Seen)> {
    let mut counts = [0_usize; Pattern::ALL.len()];
    let mut values = 0;
    for batch in batches {
        let Some(array) = batch.column_by_name(name) else {
            continue;
        };
        let Ok(texts) = arrow_cast::cast(array, &DataType::Utf8) else {
            continue;
        };
        for text in texts.as_string::<i32>().iter().flatten() {
            values += 1;
            for (pattern, count) in Pattern::ALL.iter().zip(&mut counts) {
                *count += usize::from(pattern.fits(text.trim()));
            }
        }
    }
    let by_values = Pattern::ALL
        .into_iter()
        .zip(counts)
        .find(|(pattern, count)| *count > 0 && count * pattern.one_in(ONE_IN) >= values);
    match by_values {
        Some((pattern, _)) => Some((pattern, Seen::Values)),
        None => Pattern::of_name(name).map(|pattern| (pattern, Seen::Name)),
    }
}

impl Column {
    /// A value that nobody has: it shows the type and the pattern, and nothing of the table.
    pub(crate) fn made_up(&self) -> &'static str {
        match (&self.grade, &self.data_type) {
            (Some((pattern, _)), _) => pattern.made_up(),
            (None, DataType::Boolean) => "true",
            (None, DataType::Date32 | DataType::Date64) => "2000-01-01",
            (None, DataType::Timestamp(_, _)) => "2000-01-01T00:00:00",
            (None, kind) if kind.is_integer() => "123",
            (None, kind) if kind.is_floating() => "1.5",
            (None, DataType::Decimal128(_, _) | DataType::Decimal256(_, _)) => "12.34",
            (None, _) => "abc",
        }
    }

    /// The reason of its grade, for people.
    pub(crate) fn reason(&self) -> Option<String> {
        let (pattern, seen) = self.grade?;
        let (en, zh) = match seen {
            Seen::Name => ("by its name", "按字段名判断"),
            Seen::Values => ("by its values", "按取值判断"),
        };
        let (what_en, what_zh) = pattern.words();
        Some(format!(
            "sensitive: {what_en}, {en} · 敏感：{what_zh}，{zh}"
        ))
    }
}

#[cfg(test)]
mod tests;
