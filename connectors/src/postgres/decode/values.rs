//! The builders: one of a kind for each column, fed with the bytes of its fields.
//!
//! `push` says whether the bytes are a value of the kind that Arrow can hold as well: infinite dates, numbers with too
//! many digits and bytes of another length are not. UTF-8 is checked once a batch, over the whole buffer.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, NullBufferBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, BinaryArray, StringArray};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::postgres::columns::Kind;
use crate::postgres::numeric;

/// PostgreSQL counts days and microseconds from 2000-01-01, Arrow from 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
/// `24:00:00` is a time there and none here.
const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// Values of one column.
pub(super) enum Values {
    Bool(BooleanBuilder),
    Date(Date32Builder),
    Decimal {
        values: Decimal128Builder,
        precision: u8,
        scale: u8,
    },
    Float4(Float32Builder),
    Float8(Float64Builder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Bytes(Bytes),
    Text(Bytes, Form),
}

/// What the bytes of a text are.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// The text.
    Plain,
    /// The text and blanks that are no part of it.
    Padded,
    /// A version, which is 1, and the text.
    Versioned,
    /// Sixteen bytes.
    Uuid,
}

impl Values {
    pub(super) fn new(kind: Kind, rows: usize) -> Values {
        // A caller's idea of a batch may be absurd; the builders grow by themselves.
        let rows = rows.min(65_536);
        match kind {
            Kind::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            Kind::Bytea => Values::Bytes(Bytes::new(rows)),
            Kind::Char => Values::Text(Bytes::new(rows), Form::Padded),
            Kind::Date => Values::Date(Date32Builder::with_capacity(rows)),
            Kind::Enum | Kind::Json | Kind::Text => Values::Text(Bytes::new(rows), Form::Plain),
            Kind::Float4 => Values::Float4(Float32Builder::with_capacity(rows)),
            Kind::Float8 => Values::Float8(Float64Builder::with_capacity(rows)),
            Kind::Int2 => Values::Int2(Int16Builder::with_capacity(rows)),
            Kind::Int4 => Values::Int4(Int32Builder::with_capacity(rows)),
            Kind::Int8 => Values::Int8(Int64Builder::with_capacity(rows)),
            Kind::Jsonb => Values::Text(Bytes::new(rows), Form::Versioned),
            Kind::Numeric { precision, scale } => Values::Decimal {
                values: Decimal128Builder::with_capacity(rows)
                    .with_precision_and_scale(
                        precision,
                        i8::try_from(scale).expect("a scale is at most 38"),
                    )
                    .expect("columns have a precision of at most 38 and no larger scale"),
                precision,
                scale,
            },
            Kind::Time => Values::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            Kind::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows)),
            Kind::TimestampTz => Values::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            ),
            Kind::Uuid => Values::Text(Bytes::new(rows), Form::Uuid),
        }
    }

    #[inline]
    pub(super) fn null(&mut self) {
        match self {
            Values::Bool(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Decimal { values, .. } => values.append_null(),
            Values::Float4(values) => values.append_null(),
            Values::Float8(values) => values.append_null(),
            Values::Int2(values) => values.append_null(),
            Values::Int4(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Bytes(values) | Values::Text(values, _) => values.null(),
        }
    }

    /// Appends a value; says whether it fits.
    #[inline]
    pub(super) fn push(&mut self, field: &[u8]) -> bool {
        self.try_push(field).is_some()
    }

    #[inline]
    fn try_push(&mut self, field: &[u8]) -> Option<()> {
        match self {
            Values::Bool(values) => values.append_value(match field {
                [0] => false,
                [1] => true,
                _ => return None,
            }),
            Values::Date(values) => values.append_value(date(field)?),
            Values::Decimal {
                values,
                precision,
                scale,
            } => values.append_value(numeric::scaled(field, *precision, *scale)?),
            Values::Float4(values) => values.append_value(f32::from_be_bytes(fixed(field)?)),
            Values::Float8(values) => values.append_value(f64::from_be_bytes(fixed(field)?)),
            Values::Int2(values) => values.append_value(i16::from_be_bytes(fixed(field)?)),
            Values::Int4(values) => values.append_value(i32::from_be_bytes(fixed(field)?)),
            Values::Int8(values) => values.append_value(i64::from_be_bytes(fixed(field)?)),
            Values::Time(values) => {
                let time = i64::from_be_bytes(fixed(field)?);
                if !(0..DAY_MICROSECONDS).contains(&time) {
                    return None;
                }
                values.append_value(time);
            }
            Values::Timestamp(values) => values.append_value(timestamp(field)?),
            Values::Bytes(values) => values.push(field)?,
            Values::Text(values, form) => text(values, *form, field)?,
        }
        Some(())
    }

    /// The array, and empty builders again; `None` if a text is not UTF-8.
    pub(super) fn take(&mut self) -> Option<ArrayRef> {
        Some(match self {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Decimal { values, .. } => Arc::new(values.finish()),
            Values::Float4(values) => Arc::new(values.finish()),
            Values::Float8(values) => Arc::new(values.finish()),
            Values::Int2(values) => Arc::new(values.finish()),
            Values::Int4(values) => Arc::new(values.finish()),
            Values::Int8(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::Bytes(values) => {
                let (offsets, bytes, mut nulls) = values.take();
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls.finish()).ok()?)
            }
            Values::Text(values, _) => {
                let (offsets, bytes, mut nulls) = values.take();
                Arc::new(StringArray::try_new(offsets, bytes, nulls.finish()).ok()?)
            }
        })
    }
}

#[inline]
fn fixed<const LENGTH: usize>(field: &[u8]) -> Option<[u8; LENGTH]> {
    field.try_into().ok()
}

fn date(field: &[u8]) -> Option<i32> {
    match i32::from_be_bytes(fixed(field)?) {
        // The two infinities.
        i32::MIN | i32::MAX => None,
        days => days.checked_add(EPOCH_DAYS),
    }
}

fn timestamp(field: &[u8]) -> Option<i64> {
    match i64::from_be_bytes(fixed(field)?) {
        i64::MIN | i64::MAX => None,
        microseconds => microseconds.checked_add(EPOCH_MICROSECONDS),
    }
}

#[inline]
fn text(values: &mut Bytes, form: Form, field: &[u8]) -> Option<()> {
    match form {
        Form::Plain => values.push(field),
        Form::Padded => {
            let end = field.iter().rposition(|byte| *byte != b' ');
            values.push(&field[..end.map_or(0, |last| last + 1)])
        }
        Form::Versioned => match field.split_first() {
            Some((1, text)) => values.push(text),
            _ => None,
        },
        Form::Uuid => {
            let uuid: [u8; 16] = fixed(field)?;
            let mut written = [0_u8; 36];
            let mut at = 0;
            for (index, byte) in uuid.iter().enumerate() {
                if matches!(index, 4 | 6 | 8 | 10) {
                    written[at] = b'-';
                    at += 1;
                }
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                written[at] = DIGITS[usize::from(byte >> 4)];
                written[at + 1] = DIGITS[usize::from(byte & 15)];
                at += 2;
            }
            values.push(&written)
        }
    }
}

/// Values of any length, one after another.
pub(super) struct Bytes {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
    rows: usize,
}

impl Bytes {
    fn new(rows: usize) -> Bytes {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Bytes {
            offsets,
            bytes: Vec::new(),
            nulls: NullBufferBuilder::new(rows),
            rows,
        }
    }

    #[inline]
    fn push(&mut self, value: &[u8]) -> Option<()> {
        let end = i32::try_from(self.bytes.len() + value.len()).ok()?;
        self.bytes.extend_from_slice(value);
        self.offsets.push(end);
        self.nulls.append_non_null();
        Some(())
    }

    #[inline]
    fn null(&mut self) {
        let end = *self.offsets.last().expect("offsets begin with 0");
        self.offsets.push(end);
        self.nulls.append_null();
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer, NullBufferBuilder) {
        let mut fresh = Bytes::new(self.rows);
        // The next batch will need about as much.
        fresh.bytes.reserve(self.bytes.len());
        let Bytes {
            offsets,
            bytes,
            nulls,
            ..
        } = std::mem::replace(self, fresh);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        (offsets, Buffer::from_vec(bytes), nulls)
    }
}
