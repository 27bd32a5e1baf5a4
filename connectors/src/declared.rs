//! Columns that the settings declare, for sources that do not say themselves what their values are.
//!
//! A value is taken exactly or not at all: a decimal is never a float on its way, a date has one form, and text that
//! does not fit is an error that names the column and nothing of the value.

mod builder;
mod number;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lingqu_connector_sdk::SettingsRefused;
use serde::Deserialize;

pub(crate) use builder::{ColumnBuilder, Unfit, batch};

use crate::temporal::{Form, Needs};

/// Most columns of one table.
const COLUMNS_MAX: usize = 4_096;

/// One column as the settings declare it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnSettings {
    /// Its name, exactly as in the source.
    name: String,
    /// `text`, `boolean`, `int8` … `int64`, `uint8` … `uint64`, `float32`, `float64`, `decimal(P,S)`, `date`,
    /// `timestamp`, `timestamptz` or `binary`.
    #[serde(rename = "type")]
    kind: ColumnType,
    /// Whether a value may be missing; true unless said otherwise.
    #[serde(default = "yes")]
    nullable: bool,
    /// How text spells a value: for dates and times such as `%Y/%m/%d %H:%M:%S`, for booleans the two words, such as
    /// `是/否`.
    format: Option<String>,
    /// For `timestamptz`: the offset from UTC that times without one have, such as `+08:00`.
    zone: Option<String>,
}

fn yes() -> bool {
    true
}

/// The type of a declared column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum ColumnType {
    Binary,
    Boolean,
    Date,
    Decimal(u8, i8),
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Text,
    Timestamp,
    TimestampTz,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
}

/// A word that names no type.
#[derive(Debug, thiserror::Error)]
#[error("there is no column type `{0}`")]
pub(crate) struct TypeUnknown(String);

impl TryFrom<String> for ColumnType {
    type Error = TypeUnknown;

    fn try_from(text: String) -> Result<ColumnType, TypeUnknown> {
        Ok(match text.as_str() {
            "binary" => ColumnType::Binary,
            "boolean" => ColumnType::Boolean,
            "date" => ColumnType::Date,
            "float32" => ColumnType::Float32,
            "float64" => ColumnType::Float64,
            "int8" => ColumnType::Int8,
            "int16" => ColumnType::Int16,
            "int32" => ColumnType::Int32,
            "int64" => ColumnType::Int64,
            "text" => ColumnType::Text,
            "timestamp" => ColumnType::Timestamp,
            "timestamptz" => ColumnType::TimestampTz,
            "uint8" => ColumnType::UInt8,
            "uint16" => ColumnType::UInt16,
            "uint32" => ColumnType::UInt32,
            "uint64" => ColumnType::UInt64,
            other => return decimal_type(other).ok_or(TypeUnknown(text)),
        })
    }
}

/// `decimal(P,S)` with 1 to 38 digits, up to P of them after the point.
fn decimal_type(text: &str) -> Option<ColumnType> {
    let inner = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: i8 = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
    fits.then_some(ColumnType::Decimal(precision, scale))
}

impl ColumnType {
    /// Whether its values are integers or decimals, which text keeps digit by digit.
    pub(crate) fn is_exact(self) -> bool {
        self.is_number() && !matches!(self, ColumnType::Float32 | ColumnType::Float64)
    }

    /// Whether its values are numbers.
    pub(crate) fn is_number(self) -> bool {
        match self {
            ColumnType::Decimal(..)
            | ColumnType::Float32
            | ColumnType::Float64
            | ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::UInt8
            | ColumnType::UInt16
            | ColumnType::UInt32
            | ColumnType::UInt64 => true,
            ColumnType::Binary
            | ColumnType::Boolean
            | ColumnType::Date
            | ColumnType::Text
            | ColumnType::Timestamp
            | ColumnType::TimestampTz => false,
        }
    }

    /// The type that DataFusion sees.
    pub(crate) fn arrow(self) -> DataType {
        match self {
            ColumnType::Binary => DataType::Binary,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Date => DataType::Date32,
            ColumnType::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            ColumnType::Float32 => DataType::Float32,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Int8 => DataType::Int8,
            ColumnType::Int16 => DataType::Int16,
            ColumnType::Int32 => DataType::Int32,
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Text => DataType::Utf8,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            ColumnType::TimestampTz => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            ColumnType::UInt8 => DataType::UInt8,
            ColumnType::UInt16 => DataType::UInt16,
            ColumnType::UInt32 => DataType::UInt32,
            ColumnType::UInt64 => DataType::UInt64,
        }
    }
}

/// How text of a column is read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As the type alone says.
    Plain,
    /// A date or time in this form; times without an offset are this many seconds east of UTC.
    Temporal(Form, i32),
    /// The words for true and for false.
    Words(String, String),
}

impl fmt::Debug for Spelling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Spelling::Plain => "Plain",
            Spelling::Temporal(..) => "Temporal",
            Spelling::Words(..) => "Words",
        })
    }
}

/// A column that can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnType,
    pub(crate) nullable: bool,
    pub(crate) spelling: Spelling,
}

impl Column {
    /// A column whose text has the forms that its type has without settings.
    pub(crate) fn plain(name: String, kind: ColumnType, nullable: bool) -> Column {
        Column {
            name,
            kind,
            nullable,
            spelling: default_spelling(kind),
        }
    }

    fn field(&self) -> Field {
        Field::new(&self.name, self.kind.arrow(), self.nullable)
    }
}

/// ISO 8601 with `T` or a space.
fn default_spelling(kind: ColumnType) -> Spelling {
    match kind {
        ColumnType::Boolean => Spelling::Words("true".to_owned(), "false".to_owned()),
        ColumnType::Date => Spelling::Temporal(Form::date(), 0),
        ColumnType::Timestamp => Spelling::Temporal(Form::timestamp(), 0),
        ColumnType::TimestampTz => Spelling::Temporal(Form::timestamp_with_zone(), 0),
        _ => Spelling::Plain,
    }
}

/// The declared columns of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    list: Arc<[Column]>,
    schema: SchemaRef,
}

impl Columns {
    /// Checks what the settings declare.
    pub(crate) fn parse(settings: Vec<ColumnSettings>) -> Result<Columns, SettingsRefused> {
        let list = settings.into_iter().map(column).collect::<Result<_, _>>()?;
        Columns::of(list)
    }

    /// Of columns that were made otherwise.
    pub(crate) fn of(list: Vec<Column>) -> Result<Columns, SettingsRefused> {
        let refused = |why: String| SettingsRefused::Unusable {
            key: "columns",
            why,
        };
        if list.is_empty() || list.len() > COLUMNS_MAX {
            return Err(refused(format!("must be 1 to {COLUMNS_MAX}")));
        }
        let mut names = HashSet::new();
        for column in &list {
            if column.name.is_empty() || column.name.chars().any(char::is_control) {
                return Err(refused(
                    "have an empty name or one with control characters".into(),
                ));
            }
            if !names.insert(&column.name) {
                return Err(refused(format!("name `{}` twice", column.name)));
            }
        }
        let schema = Schema::new(list.iter().map(Column::field).collect::<Vec<_>>());
        Ok(Columns {
            list: list.into(),
            schema: Arc::new(schema),
        })
    }

    pub(crate) fn list(&self) -> &[Column] {
        &self.list
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Builders of the wanted columns, in that order.
    pub(crate) fn builders(&self, wanted: &[usize]) -> Vec<ColumnBuilder> {
        let of = |&index: &usize| ColumnBuilder::new(self.list[index].clone());
        wanted.iter().map(of).collect()
    }
}

fn column(settings: ColumnSettings) -> Result<Column, SettingsRefused> {
    let refused = |key, why: &str| SettingsRefused::Unusable {
        key,
        why: format!("of column `{}` {why}", settings.name),
    };
    let zone = match &settings.zone {
        Some(_) if settings.kind != ColumnType::TimestampTz => {
            return Err(refused("zone", "is for `timestamptz` only"));
        }
        Some(zone) => Some(
            crate::temporal::offset_seconds(zone)
                .ok_or_else(|| refused("zone", "is no offset such as `+08:00`"))?,
        ),
        None => None,
    };
    let needs = match (settings.kind, zone) {
        (ColumnType::Date, _) => Some(Needs::Date),
        (ColumnType::Timestamp, _) | (ColumnType::TimestampTz, Some(_)) => Some(Needs::Time),
        (ColumnType::TimestampTz, None) => Some(Needs::TimeAndZone),
        _ => None,
    };
    let spelling = match (&settings.format, needs) {
        (Some(format), Some(needs)) => {
            let form = Form::parse(format, needs).map_err(|why| refused("format", why))?;
            Spelling::Temporal(form, zone.unwrap_or(0))
        }
        (Some(format), None) if settings.kind == ColumnType::Boolean => words(format)
            .ok_or_else(|| refused("format", "is not two different words such as `是/否`"))?,
        (Some(_), None) => return Err(refused("format", "is for dates, times and booleans only")),
        (None, Some(Needs::Time)) if zone.is_some() => {
            Spelling::Temporal(Form::timestamp(), zone.unwrap_or(0))
        }
        (None, _) => default_spelling(settings.kind),
    };
    Ok(Column {
        name: settings.name,
        kind: settings.kind,
        nullable: settings.nullable,
        spelling,
    })
}

fn words(format: &str) -> Option<Spelling> {
    let (yes, no) = format.split_once('/')?;
    let fit = !yes.is_empty() && !no.is_empty() && yes != no && !no.contains('/');
    fit.then(|| Spelling::Words(yes.to_owned(), no.to_owned()))
}
