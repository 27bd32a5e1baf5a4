//! One object of JSON, one row.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use lingqu_connector_sdk::SourceError;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::bounded::failed;
use crate::declared::{ColumnBuilder, Columns, Unfit, batch};
use crate::scan::projected;

/// Collects rows. Keys that are no declared column are passed over; a column without its key has no value.
pub(crate) struct JsonRows {
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    /// For each declared column its builder, if it is wanted.
    slots: HashMap<String, Option<usize>>,
    seen: Vec<bool>,
    len: usize,
}

impl JsonRows {
    /// For the wanted ones of the declared columns.
    pub(crate) fn new(columns: &Columns, wanted: &[usize]) -> JsonRows {
        let slot = |column: usize| wanted.iter().position(|&each| each == column);
        let names = columns.list().iter().map(|column| column.name.clone());
        JsonRows {
            schema: projected(&columns.schema(), wanted),
            builders: columns.builders(wanted),
            slots: names
                .enumerate()
                .map(|(at, name)| (name, slot(at)))
                .collect(),
            seen: vec![false; wanted.len()],
            len: 0,
        }
    }

    /// The wanted columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows since the last batch.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The names of the declared columns, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.slots.keys()
    }

    /// Adds the row that `object` is.
    pub(crate) fn push(&mut self, object: &str) -> Result<(), SourceError> {
        self.seen.fill(false);
        let mut unfit = None;
        let mut text = serde_json::Deserializer::from_str(object);
        let read = text.deserialize_map(Row {
            rows: self,
            unfit: &mut unfit,
        });
        if let Some(slot) = unfit {
            return Err(self.builders[slot].unfit());
        }
        read.and_then(|()| text.end())
            .map_err(|_| failed("json-malformed"))?;
        for (builder, seen) in self.builders.iter_mut().zip(&self.seen) {
            if !seen {
                builder.push_null().map_err(|Unfit| builder.unfit())?;
            }
        }
        self.len += 1;
        Ok(())
    }

    /// The rows so far.
    pub(crate) fn batch(&mut self) -> Result<RecordBatch, SourceError> {
        let rows = std::mem::take(&mut self.len);
        batch(&self.schema, &mut self.builders, rows)
    }

    fn take(&mut self, slot: usize, value: &str) -> Result<(), Unfit> {
        // Of two values for one column nobody can say which is meant.
        if std::mem::replace(&mut self.seen[slot], true) {
            return Err(Unfit);
        }
        let builder = &mut self.builders[slot];
        match value.as_bytes().first() {
            Some(b'n') => builder.push_null(),
            Some(b't') => builder.push_boolean(true),
            Some(b'f') => builder.push_boolean(false),
            Some(b'"') if builder.column().kind.is_number() => {
                // A number in quotes is how exact decimals usually travel; other numbers are what they are.
                let exact = builder.column().kind.is_exact();
                let text: Cow<'_, str> = serde_json::from_str(value).map_err(|_| Unfit)?;
                exact.then_some(()).ok_or(Unfit)?;
                builder.push_text(&text)
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(value).map_err(|_| Unfit)?;
                builder.push_text(&text)
            }
            Some(b'-' | b'0'..=b'9') if builder.column().kind.is_number() => {
                builder.push_text(value)
            }
            _ => Err(Unfit),
        }
    }
}

struct Row<'r> {
    rows: &'r mut JsonRows,
    /// The builder that refused its value.
    unfit: &'r mut Option<usize>,
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let value: &'de RawValue = map.next_value()?;
            let Some(Some(slot)) = self.rows.slots.get(key.as_ref()).copied() else {
                continue;
            };
            if self.rows.take(slot, value.get()).is_err() {
                *self.unfit = Some(slot);
                return Err(A::Error::custom("unfit"));
            }
        }
        Ok(())
    }
}
