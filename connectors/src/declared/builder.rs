//! Values of declared columns, collected into arrays.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use lingqu_connector_sdk::SourceError;

use super::number::decimal;
use super::{Column, ColumnType, Spelling};

/// A value that does not fit its column; it is not said which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

/// Collects the values of one column.
pub(crate) struct ColumnBuilder {
    column: Column,
    values: Values,
}

enum Values {
    Binary(BinaryBuilder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Decimal(Decimal128Builder, u8, i8),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
}

/// Runs the same code for the builder of whichever type the values have.
macro_rules! each_builder {
    ($values:expr, $builder:ident => $body:expr) => {
        match $values {
            Values::Binary($builder) => $body,
            Values::Boolean($builder) => $body,
            Values::Date($builder) => $body,
            Values::Decimal($builder, _, _) => $body,
            Values::Float32($builder) => $body,
            Values::Float64($builder) => $body,
            Values::Int8($builder) => $body,
            Values::Int16($builder) => $body,
            Values::Int32($builder) => $body,
            Values::Int64($builder) => $body,
            Values::Text($builder) => $body,
            Values::Timestamp($builder) => $body,
            Values::UInt8($builder) => $body,
            Values::UInt16($builder) => $body,
            Values::UInt32($builder) => $body,
            Values::UInt64($builder) => $body,
        }
    };
}

impl ColumnBuilder {
    pub(super) fn new(column: Column) -> ColumnBuilder {
        let values = match column.kind {
            ColumnType::Binary => Values::Binary(BinaryBuilder::new()),
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::new()),
            ColumnType::Date => Values::Date(Date32Builder::new()),
            ColumnType::Decimal(precision, scale) => Values::Decimal(
                Decimal128Builder::new().with_data_type(column.kind.arrow()),
                precision,
                scale,
            ),
            ColumnType::Float32 => Values::Float32(Float32Builder::new()),
            ColumnType::Float64 => Values::Float64(Float64Builder::new()),
            ColumnType::Int8 => Values::Int8(Int8Builder::new()),
            ColumnType::Int16 => Values::Int16(Int16Builder::new()),
            ColumnType::Int32 => Values::Int32(Int32Builder::new()),
            ColumnType::Int64 => Values::Int64(Int64Builder::new()),
            ColumnType::Text => Values::Text(StringBuilder::new()),
            ColumnType::Timestamp | ColumnType::TimestampTz => Values::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(column.kind.arrow()),
            ),
            ColumnType::UInt8 => Values::UInt8(UInt8Builder::new()),
            ColumnType::UInt16 => Values::UInt16(UInt16Builder::new()),
            ColumnType::UInt32 => Values::UInt32(UInt32Builder::new()),
            ColumnType::UInt64 => Values::UInt64(UInt64Builder::new()),
        };
        ColumnBuilder { column, values }
    }

    /// The column that is built.
    pub(crate) fn column(&self) -> &Column {
        &self.column
    }

    /// The error for a value that does not fit.
    pub(crate) fn unfit(&self) -> SourceError {
        SourceError::ValueUnfit {
            column: self.column.name.clone(),
        }
    }

    /// A missing value.
    #[inline]
    pub(crate) fn push_null(&mut self) -> Result<(), Unfit> {
        if !self.column.nullable {
            return Err(Unfit);
        }
        each_builder!(&mut self.values, builder => builder.append_null());
        Ok(())
    }

    /// A value that the source spells as text.
    #[inline]
    pub(crate) fn push_text(&mut self, text: &str) -> Result<(), Unfit> {
        match &mut self.values {
            Values::Text(builder) => builder.append_value(text),
            Values::Int8(builder) => builder.append_value(integer(text)?),
            Values::Int16(builder) => builder.append_value(integer(text)?),
            Values::Int32(builder) => builder.append_value(integer(text)?),
            Values::Int64(builder) => builder.append_value(integer(text)?),
            Values::UInt8(builder) => builder.append_value(integer(text)?),
            Values::UInt16(builder) => builder.append_value(integer(text)?),
            Values::UInt32(builder) => builder.append_value(integer(text)?),
            Values::UInt64(builder) => builder.append_value(integer(text)?),
            Values::Float32(builder) => {
                let value: f32 = text.parse().map_err(|_| Unfit)?;
                builder.append_value(value.is_finite().then_some(value).ok_or(Unfit)?);
            }
            Values::Float64(builder) => {
                let value: f64 = text.parse().map_err(|_| Unfit)?;
                builder.append_value(value.is_finite().then_some(value).ok_or(Unfit)?);
            }
            Values::Decimal(builder, precision, scale) => {
                builder.append_value(decimal(text, *precision, *scale).ok_or(Unfit)?);
            }
            Values::Boolean(builder) => match &self.column.spelling {
                Spelling::Words(yes, _) if text == yes => builder.append_value(true),
                Spelling::Words(_, no) if text == no => builder.append_value(false),
                _ => return Err(Unfit),
            },
            Values::Date(builder) => match &self.column.spelling {
                Spelling::Temporal(form, _) => builder.append_value(form.days(text).ok_or(Unfit)?),
                _ => return Err(Unfit),
            },
            Values::Timestamp(builder) => match &self.column.spelling {
                Spelling::Temporal(form, offset) => {
                    builder.append_value(form.micros(text, *offset).ok_or(Unfit)?);
                }
                _ => return Err(Unfit),
            },
            Values::Binary(_) => return Err(Unfit),
        }
        Ok(())
    }

    /// A number that the source has as an integer.
    pub(crate) fn push_integer(&mut self, value: i64) -> Result<(), Unfit> {
        match &mut self.values {
            Values::Int8(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::Int16(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::Int32(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::Int64(builder) => builder.append_value(value),
            Values::UInt8(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::UInt16(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::UInt32(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::UInt64(builder) => builder.append_value(value.try_into().map_err(|_| Unfit)?),
            Values::Decimal(builder, precision, scale) => {
                let value = decimal(&value.to_string(), *precision, *scale).ok_or(Unfit)?;
                builder.append_value(value);
            }
            Values::Boolean(builder) if matches!(value, 0 | 1) => builder.append_value(value == 1),
            // Beyond 2^53 a double has not every integer.
            Values::Float64(builder) if value.unsigned_abs() <= 1 << 53 => {
                builder.append_value(value as f64);
            }
            Values::Float32(builder) if value.unsigned_abs() <= 1 << 24 => {
                builder.append_value(value as f32);
            }
            _ => return Err(Unfit),
        }
        Ok(())
    }

    /// A number that the source has as a double.
    pub(crate) fn push_float(&mut self, value: f64) -> Result<(), Unfit> {
        match &mut self.values {
            Values::Float64(builder) => builder.append_value(value),
            Values::Float32(builder) if f64::from(value as f32) == value => {
                builder.append_value(value as f32);
            }
            Values::Decimal(builder, precision, scale) => {
                // Fifteen digits survive the way through a double and back; a value that needs more is not the
                // decimal that was once written.
                let text = format!("{value}");
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let value = decimal(&text, *precision, *scale).filter(|_| digits <= 15);
                builder.append_value(value.ok_or(Unfit)?);
            }
            _ => return Err(Unfit),
        }
        Ok(())
    }

    /// A truth value.
    pub(crate) fn push_boolean(&mut self, value: bool) -> Result<(), Unfit> {
        match &mut self.values {
            Values::Boolean(builder) => builder.append_value(value),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    /// Bytes.
    pub(crate) fn push_bytes(&mut self, value: &[u8]) -> Result<(), Unfit> {
        match &mut self.values {
            Values::Binary(builder) => builder.append_value(value),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        each_builder!(&mut self.values, builder => Arc::new(builder.finish()))
    }
}

#[inline]
fn integer<T: std::str::FromStr>(text: &str) -> Result<T, Unfit> {
    text.parse().map_err(|_| Unfit)
}

/// What the builders have collected, as one batch; they are empty afterwards. `schema` has their columns in their order.
pub(crate) fn batch(
    schema: &SchemaRef,
    builders: &mut [ColumnBuilder],
    rows: usize,
) -> Result<RecordBatch, SourceError> {
    let arrays = builders.iter_mut().map(ColumnBuilder::finish).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|_| SourceError::Failed { code: None })
}
