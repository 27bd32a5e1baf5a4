//! Rows of a table, batch by batch, into the pipe.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_odbc::odbc_api::buffers::ColumnarDynBuffer;
use arrow_odbc::odbc_api::{Connection, Cursor, DataType, Error};

use super::columns::{Reader, Refused};
use super::confine::Pipe;
use super::describe::{Description, Found, table as describe_table};
use super::{Stop, failure};
use crate::dialect::Moments;
use crate::failure::{Failure, Stage};
use crate::frame::{Event, write_batch, write_event};
use crate::job::{Job, Table};
use crate::request::Select;
use crate::types::{Column, schema};

/// Sends the rows; returns how many.
///
/// # Errors
/// Something is not there or does not fit; what was sent until then is void.
pub(super) fn rows(
    connection: &Connection<'_>,
    job: &Job,
    select: &Select,
    table: &Table,
    pipe: &mut Pipe,
) -> Result<u64, Stop> {
    let description = describe_table(connection, job, table)?;
    let found = select
        .columns
        .iter()
        .map(|name| description.column(name))
        .collect::<Result<Vec<&Found>, Failure>>()?;
    let columns = found
        .iter()
        .map(|found| found.column())
        .collect::<Result<Vec<Column>, Failure>>()?;
    check_predicates(select, &description)?;
    // Every name in this statement is now one that the database itself has given.
    let moments: Vec<bool> = columns
        .iter()
        .map(|column| column.column_type.is_moment())
        .collect();
    let sql = job
        .dialect
        .select(&select.columns, &moments, &table.name, &select.predicates)
        .map_err(|_| unwritable(select))?;
    let cursor = connection
        .execute(&sql, (), None)
        .map_err(|error| failure(&error, Stage::Read))?
        .ok_or(Failure::DriverMisbehaved)?;
    let readers: Vec<Reader> = columns
        .iter()
        .zip(&found)
        .map(|(column, found)| {
            Reader::new(
                column.column_type,
                column.nullable,
                reported(column, found, job),
                &job.dialect,
                job.limits.text_bytes_max,
            )
        })
        .collect();
    write_event(pipe, &Event::Began(columns.clone()))?;
    Sender {
        job,
        columns: &columns,
        readers: &readers,
        wanted: select.limit.unwrap_or(u64::MAX),
    }
    .send(cursor, pipe)
}

/// What the driver will report of the column in the statement: text where the statement casts it.
fn reported(column: &Column, found: &Found, job: &Job) -> DataType {
    if column.column_type.is_moment() && job.dialect.moments != Moments::Driver {
        return DataType::Varchar { length: None };
    }
    found.reported
}

fn check_predicates(select: &Select, description: &Description) -> Result<(), Failure> {
    for predicate in &select.predicates {
        let column = description.column(&predicate.column)?.column()?;
        if !predicate.fits(&column) {
            return Err(Failure::PredicateUnfit {
                column: column.name,
            });
        }
    }
    Ok(())
}

/// The predicate that the dialect cannot write is one with a date.
fn unwritable(select: &Select) -> Failure {
    let column = select.predicates.first().map_or("", |first| &first.column);
    Failure::PredicateUnfit {
        column: column.to_owned(),
    }
}

struct Sender<'s> {
    job: &'s Job,
    columns: &'s [Column],
    readers: &'s [Reader],
    /// Rows after which reading ends quietly.
    wanted: u64,
}

impl Sender<'_> {
    fn send(&self, cursor: impl Cursor, pipe: &mut Pipe) -> Result<u64, Stop> {
        let limits = &self.job.limits;
        let width: usize = self
            .readers
            .iter()
            .map(|reader| reader.buffer().bytes_per_row())
            .sum();
        let batch_rows = (limits.transit_bytes_max / width.max(1)).min(limits.batch_rows);
        if batch_rows == 0 {
            return Err(Failure::RowTooWide.into());
        }
        let buffers = self.readers.iter().map(Reader::buffer);
        let buffer = ColumnarDynBuffer::try_from_descs(batch_rows, buffers)
            .map_err(|error| failure(&error, Stage::Read))?;
        let mut cursor = cursor
            .bind_buffer(buffer)
            .map_err(|error| failure(&error, Stage::Read))?;
        let schema = schema(self.columns);
        let unwritable = |_| Failure::Failed { code: None };
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(unwritable)?;
        let (mut rows, mut bytes) = (0_u64, 0_u64);
        while rows < self.wanted {
            let fetched = cursor.fetch_with_truncation_check(true);
            let Some(filled) = fetched.map_err(|error| self.fetch_failure(&error))? else {
                break;
            };
            if filled.num_rows() > batch_rows {
                return Err(Failure::DriverMisbehaved.into());
            }
            let batch = self.batch(filled, &schema)?;
            let left = usize::try_from(self.wanted - rows).unwrap_or(usize::MAX);
            let batch = batch.slice(0, batch.num_rows().min(left));
            if batch.num_rows() == 0 {
                continue;
            }
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(unwritable)?;
            let body = std::mem::take(writer.get_mut());
            bytes += body.len() as u64;
            if rows > limits.rows_max || bytes > limits.bytes_max.saturating_add(1 << 20) {
                return Err(Failure::TooLarge.into());
            }
            write_batch(pipe, &body)?;
        }
        Ok(rows)
    }

    fn batch(
        &self,
        filled: &ColumnarDynBuffer,
        schema: &arrow_schema::SchemaRef,
    ) -> Result<RecordBatch, Failure> {
        let mut arrays = Vec::with_capacity(self.readers.len());
        for (index, reader) in self.readers.iter().enumerate() {
            let array = reader.array(filled.column(index));
            let column = || self.columns[index].name.clone();
            arrays.push(array.map_err(|refused| match refused {
                Refused::Cut => Failure::ValueTooLong { column: column() },
                Refused::Unfit => Failure::ValueUnfit { column: column() },
            })?);
        }
        RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|_| Failure::DriverMisbehaved)
    }

    /// A value that was cut off is the one failure of fetching that has a column.
    fn fetch_failure(&self, error: &Error) -> Failure {
        match error {
            Error::TooLargeValueForBuffer { buffer_index, .. } => {
                match self.columns.get(*buffer_index) {
                    Some(column) => Failure::ValueTooLong {
                        column: column.name.clone(),
                    },
                    None => Failure::DriverMisbehaved,
                }
            }
            other => failure(other, Stage::Read),
        }
    }
}
