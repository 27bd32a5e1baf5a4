//! The values that a client binds to a prepared statement: one row, by position, cast strictly.
//!
//! Clients name the columns as they like ("0" in ADBC) and type them from the value in hand, so neither names nor
//! declared types are asked for; but a value is a text or an integer, it is there, and there is one row of them.
//! The bytes come from outside: how much is read is bounded before anything is decoded, and what could grow in decoding
//! is not decoded. A compressed body states its own size, and the decoder would ask for that much memory at once; where
//! there is none the process ends.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_flight::FlightData;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_ipc::{Message, MessageHeader, Type};
use arrow_schema::DataType;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lingqu_core::ErrorCode;
use lingqu_proto::{CallInvalid, ClaimValue};

use crate::serve::sql::ARGUMENTS_MAX;

/// Most messages of one binding: a schema, dictionaries, one batch, and some that are empty.
const MESSAGES_MAX: usize = 64;

/// Reads the one row that `messages` hold; `first` is the message that carried the descriptor.
///
/// # Errors
/// [`CallInvalid`] for too much, for bytes that are no Arrow stream, and for anything but one row of texts and integers.
pub(super) async fn read<S, E>(
    first: FlightData,
    messages: S,
    bytes_max: usize,
) -> Result<Vec<ClaimValue>, CallInvalid>
where
    S: Stream<Item = Result<FlightData, E>> + Unpin,
{
    let collected = collect(first, messages, bytes_max).await?;
    for message in &collected {
        check_message(&message.data_header)?;
    }
    // Decoding of strangers' bytes runs in a task: should it panic, the task ends and nothing else.
    let decoded = tokio::spawn(decode(collected)).await;
    let batches = decoded.map_err(|_| malformed())?.map_err(|_| malformed())?;
    // Empty batches are how some clients begin or end; they hold no row.
    let mut rows = batches.iter().filter(|batch| batch.num_rows() > 0);
    match (rows.next(), rows.next()) {
        (Some(batch), None) if batch.num_rows() == 1 => values(batch),
        (None, _) => Err(invalid("is not bound to a row")),
        (Some(_), _) => Err(invalid("are bound to more than one row")),
    }
}

async fn collect<S, E>(
    first: FlightData,
    mut messages: S,
    bytes_max: usize,
) -> Result<Vec<FlightData>, CallInvalid>
where
    S: Stream<Item = Result<FlightData, E>> + Unpin,
{
    let size = |data: &FlightData| data.data_header.len() + data.data_body.len();
    let mut bytes = size(&first);
    let mut collected = vec![first];
    while let Some(message) = messages.next().await {
        let message = message.map_err(|_| malformed())?;
        bytes = bytes.saturating_add(size(&message));
        collected.push(message);
        if collected.len() > MESSAGES_MAX || bytes > bytes_max {
            return Err(invalid("are bound to more than a row can hold"));
        }
    }
    Ok(collected)
}

/// Refuses a message that the decoder might answer with more memory or depth than its bytes have: all that may come is
/// a schema of plain columns, dictionaries and rows, none of them compressed.
fn check_message(header: &[u8]) -> Result<(), CallInvalid> {
    // Some clients begin with a message that has a descriptor and nothing else.
    if header.is_empty() {
        return Ok(());
    }
    let message: Message<'_> = arrow_ipc::root_as_message(header).map_err(|_| malformed())?;
    let compressed = match message.header_type() {
        MessageHeader::Schema => {
            let schema = message.header_as_schema().ok_or(malformed())?;
            let fields = schema.fields().ok_or(malformed())?;
            if fields.len() > ARGUMENTS_MAX {
                return Err(TOO_MANY);
            }
            let plain = |field: arrow_ipc::Field<'_>| {
                PLAIN.contains(&field.type_type())
                    && field.children().is_none_or(|children| children.is_empty())
            };
            return match fields.iter().all(plain) {
                true => Ok(()),
                false => Err(OTHER_TYPE),
            };
        }
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch().ok_or(malformed())?;
            dictionary
                .data()
                .ok_or(malformed())?
                .compression()
                .is_some()
        }
        MessageHeader::RecordBatch => {
            let rows = message.header_as_record_batch().ok_or(malformed())?;
            rows.compression().is_some()
        }
        MessageHeader::NONE => false,
        _ => return Err(malformed()),
    };
    match compressed {
        true => Err(invalid("are compressed")),
        false => Ok(()),
    }
}

/// Types of columns that are decoded. Of these, a null and a float are refused with their value, in [`value`].
const PLAIN: [Type; 6] = [
    Type::Null,
    Type::Int,
    Type::FloatingPoint,
    Type::Utf8,
    Type::LargeUtf8,
    Type::Utf8View,
];

async fn decode(messages: Vec<FlightData>) -> Result<Vec<RecordBatch>, FlightError> {
    // A message that carries only the descriptor has no header.
    let messages = messages
        .into_iter()
        .filter(|message| !message.data_header.is_empty());
    FlightDataDecoder::new(stream::iter(messages.map(Ok)))
        .try_filter_map(|decoded| async move {
            Ok(match decoded.payload {
                DecodedPayload::RecordBatch(batch) => Some(batch),
                DecodedPayload::None | DecodedPayload::Schema(_) => None,
            })
        })
        .try_collect()
        .await
}

fn values(row: &RecordBatch) -> Result<Vec<ClaimValue>, CallInvalid> {
    if row.num_columns() > ARGUMENTS_MAX {
        return Err(TOO_MANY);
    }
    row.columns().iter().map(|column| value(column)).collect()
}

/// The value in the first row of a column.
fn value(column: &dyn Array) -> Result<ClaimValue, CallInvalid> {
    // A dictionary's value may be null although its key is not.
    if column.is_empty() || column.logical_nulls().is_some_and(|nulls| nulls.is_null(0)) {
        return Err(invalid("has a null, which claims nothing"));
    }
    let integer = |number| Ok(ClaimValue::Integer(number));
    let text = |text: &str| Ok(ClaimValue::Text(text.to_owned()));
    match column.data_type() {
        DataType::Utf8 => text(column.as_string::<i32>().value(0)),
        DataType::LargeUtf8 => text(column.as_string::<i64>().value(0)),
        DataType::Utf8View => text(column.as_string_view().value(0)),
        DataType::Int8 => integer(column.as_primitive::<Int8Type>().value(0).into()),
        DataType::Int16 => integer(column.as_primitive::<Int16Type>().value(0).into()),
        DataType::Int32 => integer(column.as_primitive::<Int32Type>().value(0).into()),
        DataType::Int64 => integer(column.as_primitive::<Int64Type>().value(0)),
        DataType::UInt8 => integer(column.as_primitive::<UInt8Type>().value(0).into()),
        DataType::UInt16 => integer(column.as_primitive::<UInt16Type>().value(0).into()),
        DataType::UInt32 => integer(column.as_primitive::<UInt32Type>().value(0).into()),
        DataType::UInt64 => i64::try_from(column.as_primitive::<UInt64Type>().value(0))
            .map(ClaimValue::Integer)
            .map_err(|_| invalid("has a number that is no integer of 64 bits")),
        DataType::Dictionary(_, _) => dictionary_value(column),
        // Floats are not cast: what a caller claims must be what is compared.
        _ => Err(OTHER_TYPE),
    }
}

fn dictionary_value(column: &dyn Array) -> Result<ClaimValue, CallInvalid> {
    let dictionary = column.as_any_dictionary();
    let place = dictionary.normalized_keys().first().copied();
    let values = dictionary.values();
    match place.filter(|place| *place < values.len()) {
        // Dictionaries of dictionaries do not exist in Arrow's own types of text and integer.
        Some(place) if !matches!(values.data_type(), DataType::Dictionary(_, _)) => {
            value(&values.slice(place, 1))
        }
        Some(_) | None => Err(malformed()),
    }
}

fn malformed() -> CallInvalid {
    CallInvalid {
        code: ErrorCode::RequestInvalid,
        field: "parameters",
        reason: "are no Arrow stream",
    }
}

const OTHER_TYPE: CallInvalid = invalid("has a type other than text and integer");
const TOO_MANY: CallInvalid = invalid("are more than 32");

const fn invalid(reason: &'static str) -> CallInvalid {
    CallInvalid {
        code: ErrorCode::ParameterInvalid,
        field: "parameters",
        reason,
    }
}

#[cfg(test)]
mod tests;
