//! A reading that keeps its limits: rows, bytes, time, rows of one batch, and the declared schema.
//!
//! The same stream serves a connector, which hands out nothing else ([`Reading::within`]), and the node, which believes
//! no connector ([`crate::BoundedReading`]). After the first error the source's stream is dropped, so that the source
//! stops too, and nothing more comes: a reading ends whole or with an error.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{Stream, StreamExt as _};

use crate::{LoadRequest, Reading, SourceError};

/// A moment that work must be done before.
pub(crate) struct Deadline(Pin<Box<tokio::time::Sleep>>);

impl Deadline {
    /// `time` from now.
    pub(crate) fn after(time: Duration) -> Deadline {
        Deadline(Box::pin(tokio::time::sleep(time)))
    }

    /// The outcome of `work`, which is dropped at the deadline.
    pub(crate) async fn meets<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, SourceError> {
        tokio::select! {
            biased;
            () = &mut self.0 => Err(SourceError::TimedOut),
            done = work => Ok(done),
        }
    }
}

impl Reading {
    /// This reading under the request's limits, counted from now, with batches of the schema `declared`.
    pub fn within(self, declared: SchemaRef, request: &LoadRequest) -> Reading {
        self.before(Deadline::after(request.limits.time_max), declared, request)
    }

    /// The same with a deadline that runs already.
    pub(crate) fn before(
        self,
        deadline: Deadline,
        declared: SchemaRef,
        request: &LoadRequest,
    ) -> Reading {
        let batches = Limited {
            declared,
            source: Some(self.batches),
            rest: None,
            deadline,
            request: request.clone(),
            rows: 0,
            bytes: 0,
            at_once: 0,
        };
        Reading {
            batches: Box::pin(batches),
            version: self.version,
        }
    }
}

struct Limited {
    declared: SchemaRef,
    /// `None` once it has ended or failed.
    source: Option<SendableRecordBatchStream>,
    /// What is left of a batch with more rows than are wanted at once.
    rest: Option<RecordBatch>,
    deadline: Deadline,
    request: LoadRequest,
    rows: u64,
    bytes: u64,
    /// Turns since the task last gave way.
    at_once: u32,
}

/// Turns after which a task gives way to others.
const BATCHES_AT_ONCE: u32 = 32;

impl Limited {
    /// The batch with the declared schema, counted.
    fn accept(&mut self, batch: &RecordBatch) -> Result<RecordBatch, SourceError> {
        if !crate::scan::same_columns(&batch.schema(), &self.declared) {
            return Err(SourceError::SchemaChanged(self.request.table.clone()));
        }
        let limits = &self.request.limits;
        self.rows = self.rows.saturating_add(batch.num_rows() as u64);
        self.bytes = self.bytes.saturating_add(bytes_of(batch));
        if self.rows > limits.rows_max || self.bytes > limits.bytes_max {
            return Err(SourceError::TooLarge);
        }
        let null_in = self.declared.fields().iter().zip(batch.columns());
        for (field, column) in null_in {
            if !field.is_nullable() && column.logical_null_count() > 0 {
                return Err(SourceError::ValueUnfit {
                    column: field.name().clone(),
                });
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        RecordBatch::try_new_with_options(self.declared.clone(), columns, &options)
            .map_err(|_| SourceError::SchemaChanged(self.request.table.clone()))
    }

    /// The next part of what is left.
    fn part(&mut self) -> Option<RecordBatch> {
        let rest = self.rest.take()?;
        let most = self.request.limits.batch_rows.get();
        if rest.num_rows() > most {
            self.rest = Some(rest.slice(most, rest.num_rows() - most));
            return Some(rest.slice(0, most));
        }
        Some(rest)
    }

    fn fail(&mut self, error: SourceError) -> Poll<Option<Result<RecordBatch, DataFusionError>>> {
        self.source = None;
        self.rest = None;
        Poll::Ready(Some(Err(error.into())))
    }
}

impl Stream for Limited {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.source.is_none() && self.rest.is_none() {
                return Poll::Ready(None);
            }
            if self.deadline.0.as_mut().poll(context).is_ready() {
                return self.fail(SourceError::TimedOut);
            }
            // A source that is never pending would starve the timer on a runtime of one thread.
            if self.at_once >= BATCHES_AT_ONCE {
                self.at_once = 0;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.at_once += 1;
            if let Some(part) = self.part() {
                return Poll::Ready(Some(Ok(part)));
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            match source.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.source = None,
                Poll::Ready(Some(Err(error))) => return self.fail(error.into()),
                Poll::Ready(Some(Ok(batch))) => match self.accept(&batch) {
                    Ok(batch) if batch.num_rows() > 0 => self.rest = Some(batch),
                    Ok(_) => {}
                    Err(error) => return self.fail(error),
                },
            }
        }
    }
}

impl RecordBatchStream for Limited {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.declared)
    }
}

/// Bytes of the buffers behind the rows of `batch`; what a slice does not show does not count.
pub(crate) fn bytes_of(batch: &RecordBatch) -> u64 {
    let bytes = |column: &Arc<dyn Array>| -> usize {
        let views = size_of::<u128>() * column.len();
        match column.data_type() {
            // Arrow counts the views of these and not what they show.
            DataType::Utf8View => views + column.as_string_view().total_buffer_bytes_used(),
            DataType::BinaryView => views + column.as_binary_view().total_buffer_bytes_used(),
            _ => {
                let sliced = column.to_data().get_slice_memory_size();
                sliced.unwrap_or_else(|_| column.get_array_memory_size())
            }
        }
    };
    batch.columns().iter().map(bytes).sum::<usize>() as u64
}

#[cfg(test)]
mod tests;
