//! The column types that this process hands on, their names in the configuration, and their Arrow counterparts.
//!
//! The set is small on purpose: each type has one faithful way out of a driver (`worker::columns`). What has none is
//! refused when a table is described, and can be declared as one of these by the unit.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// The type of a column as it leaves this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum ColumnType {
    /// Bytes.
    Binary,
    /// A truth value.
    Bool,
    /// A day of the proleptic Gregorian calendar, years 1 to 9999.
    Date,
    /// An exact decimal.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
    },
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// Text.
    Text,
    /// A time of day in microseconds.
    Time,
    /// Date and time in microseconds, without a zone.
    Timestamp,
    /// Date and time in nanoseconds, without a zone, years 1677 to 2262.
    TimestampNanos,
    /// Date and time in microseconds that the session gives in UTC.
    TimestampUtc,
}

/// A text that names no type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no column type; there are binary, bool, date, decimal(precision, scale), float32, float64, int16, int32, \
     int64, text, time, timestamp, timestamp_ns, timestamp_utc"
)]
pub(crate) struct TypeUnknown(String);

impl ColumnType {
    /// A decimal, if Arrow's 128 bits hold it.
    pub(crate) fn decimal(precision: usize, scale: i64) -> Option<ColumnType> {
        let scale = u8::try_from(scale).ok()?;
        let precision = u8::try_from(precision).ok()?;
        ((1..=38).contains(&precision) && scale <= precision)
            .then_some(ColumnType::Decimal { precision, scale })
    }

    /// Whether values are dates or timestamps.
    pub(crate) fn is_moment(self) -> bool {
        matches!(
            self,
            ColumnType::Date
                | ColumnType::Timestamp
                | ColumnType::TimestampNanos
                | ColumnType::TimestampUtc
        )
    }

    /// The type that the batches have.
    pub(crate) fn arrow(self) -> DataType {
        match self {
            ColumnType::Binary => DataType::Binary,
            ColumnType::Bool => DataType::Boolean,
            ColumnType::Date => DataType::Date32,
            ColumnType::Decimal { precision, scale } => DataType::Decimal128(
                precision,
                i8::try_from(scale).expect("a scale is at most 38"),
            ),
            ColumnType::Float32 => DataType::Float32,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Int16 => DataType::Int16,
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Text => DataType::Utf8,
            ColumnType::Time => DataType::Time64(TimeUnit::Microsecond),
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            ColumnType::TimestampNanos => DataType::Timestamp(TimeUnit::Nanosecond, None),
            ColumnType::TimestampUtc => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
        }
    }
}

impl FromStr for ColumnType {
    type Err = TypeUnknown;

    fn from_str(text: &str) -> Result<ColumnType, TypeUnknown> {
        Ok(match text {
            "binary" => ColumnType::Binary,
            "bool" => ColumnType::Bool,
            "date" => ColumnType::Date,
            "float32" => ColumnType::Float32,
            "float64" => ColumnType::Float64,
            "int16" => ColumnType::Int16,
            "int32" => ColumnType::Int32,
            "int64" => ColumnType::Int64,
            "text" => ColumnType::Text,
            "time" => ColumnType::Time,
            "timestamp" => ColumnType::Timestamp,
            "timestamp_ns" => ColumnType::TimestampNanos,
            "timestamp_utc" => ColumnType::TimestampUtc,
            other => return decimal_of(other).ok_or_else(|| TypeUnknown(other.to_owned())),
        })
    }
}

/// `decimal(18, 2)`; the space may be missing.
fn decimal_of(text: &str) -> Option<ColumnType> {
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let number = |digits: &str| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u8>().ok()).flatten()
    };
    let scale = number(scale.strip_prefix(' ').unwrap_or(scale))?;
    ColumnType::decimal(usize::from(number(precision)?), i64::from(scale))
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnType::Binary => "binary",
            ColumnType::Bool => "bool",
            ColumnType::Date => "date",
            ColumnType::Decimal { precision, scale } => {
                return write!(f, "decimal({precision}, {scale})");
            }
            ColumnType::Float32 => "float32",
            ColumnType::Float64 => "float64",
            ColumnType::Int16 => "int16",
            ColumnType::Int32 => "int32",
            ColumnType::Int64 => "int64",
            ColumnType::Text => "text",
            ColumnType::Time => "time",
            ColumnType::Timestamp => "timestamp",
            ColumnType::TimestampNanos => "timestamp_ns",
            ColumnType::TimestampUtc => "timestamp_utc",
        })
    }
}

impl TryFrom<String> for ColumnType {
    type Error = TypeUnknown;

    fn try_from(text: String) -> Result<ColumnType, TypeUnknown> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(column: ColumnType) -> String {
        column.to_string()
    }
}

/// A column as it leaves this process; also how the unit declares one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// Its exact name at the source.
    pub(crate) name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) column_type: ColumnType,
    /// Whether it may hold NULL. A driver's own word for it is not taken: a NULL where the unit declared that there is
    /// none is an error.
    #[serde(default = "nullable")]
    pub(crate) nullable: bool,
}

fn nullable() -> bool {
    true
}

/// The schema of columns.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(&column.name, column.column_type.arrow(), column.nullable))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Longest name of a table's part or of a column, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// Whether a text can be a name at all. What it may hold besides is a matter of quoting it.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
