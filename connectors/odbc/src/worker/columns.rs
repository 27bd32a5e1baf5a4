//! From the buffers that a driver fills to Arrow arrays, strictly: a value that has no exact place in its column's type
//! is an error, and so is one that was cut off.
//!
//! `arrow-odbc` has converters of its own; they read decimals leniently, replace malformed UTF-16, trim text on both
//! sides and panic on impossible dates, so only its parts below that are used.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::types::{
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Date32Array, Decimal128Array, Int16Array,
    Int32Array, Int64Array, PrimitiveArray, StringArray, Time64MicrosecondArray,
};
use arrow_odbc::odbc_api::buffers::{
    AnyColumnBufferSlice, BufferDesc, Indicator, Item, NullableSlice, TextColumnSlice,
};
use arrow_odbc::odbc_api::sys::{Date, NULL_DATA, Timestamp};
use arrow_odbc::odbc_api::{Bit, DataType};

use super::{decimal, moment, text};
use crate::dialect::{CharPadding, Dialect, TextEncoding};
use crate::types::ColumnType;

/// Buffer for a number or a time as text: 38 digits, sign, point, a zero before it, and room for zeros behind.
const PLAIN_BYTES: usize = 64;

/// Why a filled buffer gives no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// A value was longer than its buffer.
    Cut,
    /// A value has no exact place in its column's type.
    Unfit,
}

/// A value that has no exact place in its column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

impl From<Unfit> for Refused {
    fn from(Unfit: Unfit) -> Refused {
        Refused::Unfit
    }
}

/// How one column is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    column_type: ColumnType,
    nullable: bool,
    way: Way,
    /// Whether spaces at the end are cut off.
    trims: bool,
    bytes: usize,
}

/// What the driver is asked to fill, and how it is converted.
///
/// A driver that converts between kinds itself may drop a fraction or a time of day with no more than a warning. So it
/// is asked for a kind only where it reports that very kind, and for text otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Binary,
    Bit,
    Date,
    /// A date that the driver reports with a time, which must be midnight.
    DateOfTimestamp,
    DateText,
    Decimal,
    F32,
    F64,
    I16,
    I32,
    I64,
    IntegerText,
    NarrowText,
    GbkText,
    TimeText,
    Timestamp,
    TimestampText,
    TruthText,
    WideText,
}

impl Way {
    fn of(column_type: ColumnType, reported: DataType, encoding: TextEncoding) -> Way {
        match (column_type, reported) {
            (ColumnType::Binary, _) => Way::Binary,
            (ColumnType::Bool, DataType::Bit) => Way::Bit,
            (ColumnType::Bool, _) => Way::TruthText,
            (ColumnType::Date, DataType::Timestamp { .. }) => Way::DateOfTimestamp,
            (ColumnType::Date, DataType::Date) => Way::Date,
            (ColumnType::Date, _) => Way::DateText,
            (ColumnType::Decimal { .. }, _) => Way::Decimal,
            (ColumnType::Float32, _) => Way::F32,
            (ColumnType::Float64, _) => Way::F64,
            (ColumnType::Int16, DataType::TinyInt | DataType::SmallInt) => Way::I16,
            (ColumnType::Int32, DataType::TinyInt | DataType::SmallInt | DataType::Integer) => {
                Way::I32
            }
            (
                ColumnType::Int64,
                DataType::TinyInt | DataType::SmallInt | DataType::Integer | DataType::BigInt,
            ) => Way::I64,
            (ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64, _) => Way::IntegerText,
            (ColumnType::Text, _) => match encoding {
                TextEncoding::Gbk => Way::GbkText,
                TextEncoding::Utf8 => Way::NarrowText,
                TextEncoding::Utf16 => Way::WideText,
            },
            (ColumnType::Time, _) => Way::TimeText,
            (
                ColumnType::Timestamp | ColumnType::TimestampNanos | ColumnType::TimestampUtc,
                DataType::Timestamp { .. } | DataType::Date,
            ) => Way::Timestamp,
            (ColumnType::Timestamp | ColumnType::TimestampNanos | ColumnType::TimestampUtc, _) => {
                Way::TimestampText
            }
        }
    }
}

impl Reader {
    /// For a column of this type, of which the driver reports that.
    pub(super) fn new(
        column_type: ColumnType,
        nullable: bool,
        reported: DataType,
        dialect: &Dialect,
        text_bytes_max: usize,
    ) -> Reader {
        let is_char = matches!(reported, DataType::Char { .. } | DataType::WChar { .. });
        let way = Way::of(column_type, reported, dialect.text);
        let (reported_bytes, unit) = match way {
            Way::WideText => (reported.utf16_len(), 2),
            Way::NarrowText | Way::GbkText => (reported.utf8_len(), 1),
            _ => (reported.column_size(), 1),
        };
        // What drivers say of lengths is often too small or absurdly large; too small is found when a value comes.
        let most = text_bytes_max / unit;
        let bytes = reported_bytes.map_or(most, |bytes| bytes.get().max(8).min(most));
        Reader {
            column_type,
            nullable,
            way,
            trims: is_char && dialect.char_padding == CharPadding::Trim,
            bytes,
        }
    }

    /// The buffer that the driver fills. It always has room to say NULL, whatever was declared.
    pub(super) fn buffer(&self) -> BufferDesc {
        let nullable = true;
        let text = |max_str_len| BufferDesc::Text { max_str_len };
        match self.way {
            Way::Binary => BufferDesc::Binary {
                max_bytes: self.bytes,
            },
            Way::Bit => BufferDesc::Bit { nullable },
            Way::Date => BufferDesc::Date { nullable },
            Way::DateOfTimestamp | Way::Timestamp => BufferDesc::Timestamp { nullable },
            Way::F32 => BufferDesc::F32 { nullable },
            Way::F64 => BufferDesc::F64 { nullable },
            Way::I16 => BufferDesc::I16 { nullable },
            Way::I32 => BufferDesc::I32 { nullable },
            Way::I64 => BufferDesc::I64 { nullable },
            Way::DateText
            | Way::Decimal
            | Way::IntegerText
            | Way::TimeText
            | Way::TimestampText
            | Way::TruthText => text(PLAIN_BYTES),
            Way::NarrowText | Way::GbkText => text(self.bytes),
            Way::WideText => BufferDesc::WText {
                max_str_len: self.bytes,
            },
        }
    }

    /// The array of a filled buffer, if every value fits.
    ///
    /// # Errors
    /// One does not, or was cut off.
    pub(super) fn array(&self, filled: AnyColumnBufferSlice<'_>) -> Result<ArrayRef, Refused> {
        let array = self.values(filled)?;
        if array.null_count() > 0 && !self.nullable {
            return Err(Refused::Unfit);
        }
        Ok(array)
    }

    fn values(&self, filled: AnyColumnBufferSlice<'_>) -> Result<ArrayRef, Refused> {
        Ok(match self.way {
            Way::Binary => binary(filled)?,
            Way::Bit => Arc::new(
                nullable::<Bit>(filled)
                    .map(|bit| bit.map(truth).transpose())
                    .collect::<Result<BooleanArray, Unfit>>()?,
            ),
            Way::Date => Arc::new(
                nullable::<Date>(filled)
                    .map(|date| date.map(moment::days).transpose())
                    .collect::<Result<Date32Array, Unfit>>()?,
            ),
            Way::DateOfTimestamp => Arc::new(
                nullable::<Timestamp>(filled)
                    .map(|date| date.map(moment::midnight).transpose())
                    .collect::<Result<Date32Array, Unfit>>()?,
            ),
            Way::F32 => primitive::<Float32Type>(filled),
            Way::F64 => primitive::<Float64Type>(filled),
            Way::I16 => primitive::<Int16Type>(filled),
            Way::I32 => primitive::<Int32Type>(filled),
            Way::I64 => primitive::<Int64Type>(filled),
            Way::Timestamp => {
                let moments = nullable::<Timestamp>(filled).map(|moment| moment.copied());
                self.timestamps(moments.map(Ok))?
            }
            Way::DateText
            | Way::Decimal
            | Way::IntegerText
            | Way::TimeText
            | Way::TimestampText
            | Way::TruthText => self.parsed(narrow(filled)?)?,
            Way::NarrowText => Arc::new(self.texts(narrow(filled)?.iter(), text::utf8)?),
            Way::GbkText => Arc::new(self.texts(narrow(filled)?.iter(), text::gbk)?),
            Way::WideText => {
                let view = filled.as_wide_text().expect("the buffer holds wide text");
                whole(view.has_truncated_values())?;
                // The view's own iterator takes it for granted that UTF-16 is well formed.
                let units = (0..view.len()).map(|row| view.get(row));
                Arc::new(self.texts(units, text::utf16)?)
            }
        })
    }

    fn timestamps(
        &self,
        moments: impl Iterator<Item = Result<Option<Timestamp>, Unfit>>,
    ) -> Result<ArrayRef, Refused> {
        if self.column_type == ColumnType::TimestampNanos {
            let times = times::<TimestampNanosecondType>(moments, moment::nanos)?;
            return Ok(Arc::new(times));
        }
        let times = times::<TimestampMicrosecondType>(moments, moment::micros)?;
        Ok(match self.column_type {
            ColumnType::TimestampUtc => Arc::new(times.with_timezone("UTC")),
            _ => Arc::new(times),
        })
    }

    /// Short texts that are numbers, times or truth values.
    fn parsed(&self, view: TextColumnSlice<'_, u8>) -> Result<ArrayRef, Refused> {
        Ok(match self.column_type {
            ColumnType::Decimal { precision, scale } => {
                let values: Decimal128Array =
                    parse(&view, |text| decimal::parse(text, precision, scale))?;
                let scale = i8::try_from(scale).map_err(|_| Unfit)?;
                let typed = values.with_precision_and_scale(precision, scale);
                Arc::new(typed.map_err(|_| Unfit)?)
            }
            ColumnType::Int16 => Arc::new(parse::<Int16Array, _>(&view, integer::<i16>)?),
            ColumnType::Int32 => Arc::new(parse::<Int32Array, _>(&view, integer::<i32>)?),
            ColumnType::Int64 => Arc::new(parse::<Int64Array, _>(&view, integer::<i64>)?),
            ColumnType::Time => Arc::new(parse::<Time64MicrosecondArray, _>(
                &view,
                moment::time_of_day,
            )?),
            ColumnType::Bool => Arc::new(parse::<BooleanArray, _>(&view, truth_text)?),
            ColumnType::Date => Arc::new(parse::<Date32Array, _>(&view, |text| {
                moment::midnight(&moment::parse(text)?)
            })?),
            ColumnType::Timestamp | ColumnType::TimestampNanos => {
                self.timestamps(view.iter().map(|text| text.map(moment::parse).transpose()))?
            }
            ColumnType::TimestampUtc => self.timestamps(
                view.iter()
                    .map(|text| text.map(moment::parse_utc).transpose()),
            )?,
            _ => return Err(Refused::Unfit),
        })
    }

    fn texts<'a, C: 'a + ?Sized>(
        &self,
        values: impl Iterator<Item = Option<&'a C>>,
        decode: impl Fn(&'a C) -> Result<Cow<'a, str>, Unfit>,
    ) -> Result<StringArray, Unfit> {
        let mut builder = StringBuilder::new();
        for value in values {
            let text = value.map(&decode).transpose()?;
            builder.append_option(text.as_deref().map(|text| match self.trims {
                true => text.trim_end_matches(' '),
                false => text,
            }));
        }
        Ok(builder.finish())
    }
}

/// The values of a text buffer, none of which was cut off. Drivers should say so with a warning; the lengths say it also
/// where they forget.
fn narrow(filled: AnyColumnBufferSlice<'_>) -> Result<TextColumnSlice<'_, u8>, Refused> {
    let view = filled.as_text().expect("the buffer holds text");
    whole(view.has_truncated_values())?;
    Ok(view)
}

fn whole(cut: Option<Indicator>) -> Result<(), Refused> {
    cut.map_or(Ok(()), |_| Err(Refused::Cut))
}

fn parse<A: FromIterator<Option<T>>, T>(
    view: &TextColumnSlice<'_, u8>,
    convert: impl Fn(&[u8]) -> Result<T, Unfit>,
) -> Result<A, Unfit> {
    view.iter()
        .map(|text| text.map(&convert).transpose())
        .collect()
}

fn integer<I: TryFrom<i128>>(text: &[u8]) -> Result<I, Unfit> {
    I::try_from(decimal::parse(text, 38, 0)?).map_err(|_| Unfit)
}

fn truth_text(text: &[u8]) -> Result<bool, Unfit> {
    match text.trim_ascii() {
        b"0" | b"f" | b"false" | b"F" | b"FALSE" => Ok(false),
        b"1" | b"t" | b"true" | b"T" | b"TRUE" => Ok(true),
        _ => Err(Unfit),
    }
}

fn nullable<T: Item>(filled: AnyColumnBufferSlice<'_>) -> NullableSlice<'_, T> {
    filled
        .as_nullable_slice::<T>()
        .expect("the buffer was made for this type")
}

fn truth(bit: &Bit) -> Result<bool, Unfit> {
    match bit.0 {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Unfit),
    }
}

/// Values that need no conversion are copied as a whole.
fn primitive<T: ArrowPrimitiveType>(filled: AnyColumnBufferSlice<'_>) -> ArrayRef
where
    T::Native: Item,
{
    let (values, indicators) = nullable::<T::Native>(filled).raw_values();
    let validity: Vec<bool> = indicators
        .iter()
        .map(|&length| length != NULL_DATA)
        .collect();
    Arc::new(PrimitiveArray::<T>::new(
        values.to_vec().into(),
        Some(validity.into()),
    ))
}

fn binary(filled: AnyColumnBufferSlice<'_>) -> Result<ArrayRef, Refused> {
    let view = filled.as_binary().expect("the buffer holds bytes");
    whole(view.has_truncated_values())?;
    let mut builder = BinaryBuilder::new();
    for value in view.iter() {
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

fn times<T: ArrowPrimitiveType<Native = i64>>(
    moments: impl Iterator<Item = Result<Option<Timestamp>, Unfit>>,
    convert: impl Fn(&Timestamp) -> Result<i64, Unfit>,
) -> Result<PrimitiveArray<T>, Unfit> {
    moments
        .map(|moment| moment?.map(|moment| convert(&moment)).transpose())
        .collect()
}
