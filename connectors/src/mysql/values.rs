//! Rows as the driver gives them, into Arrow builders.
//!
//! A value comes typed (prepared statement) or as text; both are read strictly. `push` says whether it is a value of
//! the column's kind that Arrow can hold as well: dates that are none, times of more than a day, and numbers outside
//! the column's range are not.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
    Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use lingqu_connector_sdk::SourceError;
use mysql_async::{Row, Value};

use super::columns::{Column, Kind, schema};

/// A batch of fewer rows than wanted is handed on once its texts have so many bytes.
const BATCH_BYTES: usize = 8 << 20;
const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// Collects rows.
pub(super) struct Batches {
    schema: SchemaRef,
    columns: Vec<(Column, Values)>,
    batch_rows: usize,
    rows: usize,
    bytes: usize,
}

impl Batches {
    pub(super) fn new(columns: &[Column], batch_rows: usize) -> Batches {
        // A caller's idea of a batch may be absurd; the builders grow by themselves.
        let capacity = batch_rows.min(65_536);
        let builder = |column: &Column| (column.clone(), Values::new(column.kind, capacity));
        Batches {
            schema: schema(columns),
            columns: columns.iter().map(builder).collect(),
            batch_rows,
            rows: 0,
            bytes: 0,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes a row.
    pub(super) fn push(&mut self, row: Row) -> Result<(), SourceError> {
        for ((column, values), cell) in self.columns.iter_mut().zip(row.unwrap_raw()) {
            let unfit = || SourceError::ValueUnfit {
                column: column.name.clone(),
            };
            match cell {
                None | Some(Value::NULL) if column.nullable => values.null(),
                None | Some(Value::NULL) => return Err(unfit()),
                Some(value) => {
                    if let Value::Bytes(bytes) = &value {
                        self.bytes += bytes.len();
                    }
                    match values.push(&value) {
                        Some(()) => {}
                        None if column.zero_is_null && is_zero_date(&value) => values.null(),
                        None => return Err(unfit()),
                    }
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The next batch if it is full, or with `all` if there is any row.
    pub(super) fn take(&mut self, all: bool) -> Result<Option<RecordBatch>, SourceError> {
        let full = self.rows >= self.batch_rows || self.bytes >= BATCH_BYTES;
        if self.rows == 0 || !(full || all) {
            return Ok(None);
        }
        let arrays = self
            .columns
            .iter_mut()
            .map(|(_, values)| values.take())
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|_| SourceError::Failed { code: None })?;
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }
}

/// Values of one column.
enum Values {
    Bit(UInt64Builder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Decimal {
        values: Decimal128Builder,
        precision: u8,
        scale: u8,
    },
    Double(Float64Builder),
    Float(Float32Builder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
}

/// The same for every builder.
macro_rules! each {
    ($self:ident, $values:ident => $what:expr) => {
        match $self {
            Values::Bit($values) | Values::UInt64($values) => $what,
            Values::Bytes($values) => $what,
            Values::Date($values) => $what,
            Values::Decimal {
                values: $values, ..
            } => $what,
            Values::Double($values) => $what,
            Values::Float($values) => $what,
            Values::Int8($values) => $what,
            Values::Int16($values) => $what,
            Values::Int32($values) => $what,
            Values::Int64($values) => $what,
            Values::Text($values) => $what,
            Values::Time($values) => $what,
            Values::Timestamp($values) => $what,
            Values::UInt8($values) => $what,
            Values::UInt16($values) => $what,
            Values::UInt32($values) => $what,
        }
    };
}

impl Values {
    fn new(kind: Kind, rows: usize) -> Values {
        match kind {
            Kind::Bit => Values::Bit(UInt64Builder::with_capacity(rows)),
            Kind::Bytes => Values::Bytes(BinaryBuilder::with_capacity(rows, 0)),
            Kind::Date => Values::Date(Date32Builder::with_capacity(rows)),
            Kind::DateTime => Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows)),
            Kind::Decimal { precision, scale } => Values::Decimal {
                values: Decimal128Builder::with_capacity(rows)
                    .with_precision_and_scale(
                        precision,
                        i8::try_from(scale).expect("a scale is at most 38"),
                    )
                    .expect("columns have a precision of at most 38 and no larger scale"),
                precision,
                scale,
            },
            Kind::Double => Values::Double(Float64Builder::with_capacity(rows)),
            Kind::Float => Values::Float(Float32Builder::with_capacity(rows)),
            Kind::Int8 => Values::Int8(Int8Builder::with_capacity(rows)),
            Kind::Int16 | Kind::Year => Values::Int16(Int16Builder::with_capacity(rows)),
            Kind::Int32 => Values::Int32(Int32Builder::with_capacity(rows)),
            Kind::Int64 => Values::Int64(Int64Builder::with_capacity(rows)),
            Kind::Label | Kind::Text => Values::Text(StringBuilder::with_capacity(rows, 0)),
            Kind::Time => Values::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            Kind::Timestamp => Values::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            ),
            Kind::UInt8 => Values::UInt8(UInt8Builder::with_capacity(rows)),
            Kind::UInt16 => Values::UInt16(UInt16Builder::with_capacity(rows)),
            Kind::UInt32 => Values::UInt32(UInt32Builder::with_capacity(rows)),
            Kind::UInt64 => Values::UInt64(UInt64Builder::with_capacity(rows)),
        }
    }

    fn null(&mut self) {
        each!(self, values => values.append_null());
    }

    fn take(&mut self) -> ArrayRef {
        each!(self, values => Arc::new(values.finish()))
    }

    /// Appends a value that is not NULL; `None` if it does not fit.
    fn push(&mut self, value: &Value) -> Option<()> {
        match self {
            Values::Bit(values) => values.append_value(bit(value)?),
            Values::Bytes(values) => match value {
                Value::Bytes(bytes) => values.append_value(bytes),
                _ => return None,
            },
            Values::Date(values) => values.append_value(date(value)?),
            Values::Decimal {
                values,
                precision,
                scale,
            } => values.append_value(decimal(ascii(value)?, *precision, *scale)?),
            Values::Double(values) => values.append_value(double(value)?),
            Values::Float(values) => values.append_value(float(value)?),
            Values::Int8(values) => values.append_value(i8::try_from(signed(value)?).ok()?),
            Values::Int16(values) => values.append_value(i16::try_from(signed(value)?).ok()?),
            Values::Int32(values) => values.append_value(i32::try_from(signed(value)?).ok()?),
            Values::Int64(values) => values.append_value(signed(value)?),
            Values::Text(values) => match value {
                Value::Bytes(bytes) => values.append_value(std::str::from_utf8(bytes).ok()?),
                _ => return None,
            },
            Values::Time(values) => values.append_value(time(value)?),
            Values::Timestamp(values) => values.append_value(timestamp(value)?),
            Values::UInt8(values) => values.append_value(u8::try_from(unsigned(value)?).ok()?),
            Values::UInt16(values) => values.append_value(u16::try_from(unsigned(value)?).ok()?),
            Values::UInt32(values) => values.append_value(u32::try_from(unsigned(value)?).ok()?),
            Values::UInt64(values) => values.append_value(unsigned(value)?),
        }
        Some(())
    }
}

fn ascii(value: &Value) -> Option<&str> {
    match value {
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn signed(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        _ => ascii(value)?.parse().ok(),
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::UInt(number) => Some(*number),
        _ => ascii(value)?.parse().ok(),
    }
}

/// Big-endian, as many bytes as the column's bits need.
fn bit(value: &Value) -> Option<u64> {
    match value {
        Value::Bytes(bytes) if bytes.len() <= 8 => {
            Some({ bytes.iter() }.fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
        }
        _ => None,
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Float(number) => Some(f64::from(*number)),
        _ => ascii(value)?.parse().ok(),
    }
}

fn float(value: &Value) -> Option<f32> {
    match value {
        Value::Float(number) => Some(*number),
        // A `FLOAT` that was widened on its way fits into four bytes again, exactly.
        _ => {
            let wide = double(value)?;
            let narrow = wide as f32;
            (f64::from(narrow) == wide).then_some(narrow)
        }
    }
}

/// Digits with or without a point, times 10 to the power of `scale`.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::from(scale);
    if fraction.len() > scale || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let mut value = 0_i128;
    let zeros = std::iter::repeat_n(b'0', scale - fraction.len());
    for byte in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    if value >= 10_i128.checked_pow(u32::from(precision))? {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// Year, month, day, and microseconds of the day.
fn moment(value: &Value) -> Option<(i64, u32, u32, i64)> {
    match value {
        Value::Date(year, month, day, hour, minute, second, microsecond) => {
            let clock = [*hour, *minute, *second].map(i64::from);
            let of_day = microseconds(clock, i64::from(*microsecond))?;
            Some((i64::from(*year), u32::from(*month), u32::from(*day), of_day))
        }
        _ => {
            let text = ascii(value)?;
            let (date, clock) = match text.split_once(' ') {
                Some((date, clock)) => (date, Some(clock)),
                None => (text, None),
            };
            let mut parts = date.split('-').map(digits);
            let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
            if parts.next().is_some() {
                return None;
            }
            let of_day = clock.map_or(Some(0), |clock| {
                let (hms, fraction) = clock_text(clock)?;
                microseconds(hms, fraction)
            })?;
            Some((
                year,
                u32::try_from(month).ok()?,
                u32::try_from(day).ok()?,
                of_day,
            ))
        }
    }
}

/// Digits and nothing else; a sign or a blank is no number of a date.
fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// `hh:mm:ss[.ffffff]` as numbers.
fn clock_text(text: &str) -> Option<([i64; 3], i64)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':').map(digits);
    let hms = [parts.next()??, parts.next()??, parts.next()??];
    if parts.next().is_some() || fraction.len() > 6 {
        return None;
    }
    let scale = 10_i64.pow(u32::try_from(6 - fraction.len()).ok()?);
    Some((hms, digits(fraction)? * scale))
}

fn microseconds([hour, minute, second]: [i64; 3], fraction: i64) -> Option<i64> {
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    let seconds = (hour * 60 + minute) * 60 + second;
    (fits && (0..1_000_000).contains(&fraction)).then_some(seconds * 1_000_000 + fraction)
}

/// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`; `None` for a day that is none.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn date(value: &Value) -> Option<i32> {
    let (year, month, day, of_day) = moment(value)?;
    let days = days(year, month, day)?;
    (of_day == 0).then_some(i32::try_from(days).ok()?)
}

fn timestamp(value: &Value) -> Option<i64> {
    let (year, month, day, of_day) = moment(value)?;
    Some(days(year, month, day)? * DAY_MICROSECONDS + of_day)
}

/// Whether it is one of the dates that are none: with a month or a day of 0.
fn is_zero_date(value: &Value) -> bool {
    moment(value).is_some_and(|(_, month, day, _)| month == 0 || day == 0)
}

fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Time(false, 0, hour, minute, second, microsecond) => {
            let clock = [*hour, *minute, *second].map(i64::from);
            microseconds(clock, i64::from(*microsecond))
        }
        Value::Time(..) => None,
        _ => {
            let (clock, fraction) = clock_text(ascii(value)?)?;
            microseconds(clock, fraction)
        }
    }
}

#[cfg(test)]
mod tests;
