//! The limits of a reading, kept by the connector itself.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::{LoadRequest, SourceError};

use super::Verdict;
use super::loads::{moving, nothing_small};
use super::report::text;
use super::subject::{Examined, Subject};

/// Rows of a batch when it is to be small.
const FEW: usize = 3;
/// A time in which nothing can be read, and which no unit of milliseconds rounds down to "no limit" unnoticed.
const NO_TIME: Duration = Duration::from_micros(100);
/// After this the time is surely over.
const LATER: Duration = Duration::from_millis(50);

/// The table with most rows of those that were read whole, and a request for all of it.
async fn largest(
    subject: &mut Subject,
) -> Result<Option<(Arc<Examined>, LoadRequest)>, SourceError> {
    let tables = subject.tables().await?.examined.into_iter();
    let largest = tables.max_by_key(|table| table.rows.len());
    Ok(largest.filter(|table| table.rows.len() > 1).map(|table| {
        let request = subject.request(&table.name, table.columns());
        (table, request)
    }))
}

fn rows_of(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

pub(super) async fn rows(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some((table, mut request)) = largest(subject).await? else {
        return Ok(nothing_small());
    };
    let all = table.rows.len() as u64;
    for rows_max in [all - 1, 1, 0] {
        request.limits.rows_max = rows_max;
        match subject.load(&request).await {
            Err(SourceError::TooLarge) => {}
            Err(error) => return Err(error),
            Ok(batches) => {
                let found = rows_of(&batches);
                return Ok(Verdict::failed(text(
                    format!(
                        "where {rows_max} of {all} rows are allowed, {found} come and no error"
                    ),
                    format!("共 {all} 行、上限 {rows_max} 行时返回 {found} 行而未报错"),
                )));
            }
        }
    }
    request.limits.rows_max = all;
    match subject.load(&request).await {
        Ok(batches) if rows_of(&batches) == all => Ok(Verdict::passed()),
        Ok(_) => Ok(moving(&table.name)),
        Err(SourceError::TooLarge) => Ok(Verdict::failed(text(
            "a table of exactly as many rows as allowed is refused",
            "行数恰好等于上限时被拒绝",
        ))),
        Err(error) => Err(error),
    }
}

pub(super) async fn bytes(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some((_, mut request)) = largest(subject).await? else {
        return Ok(nothing_small());
    };
    request.limits.bytes_max = 1;
    match subject.load(&request).await {
        Err(SourceError::TooLarge) => Ok(Verdict::passed()),
        Err(error) => Err(error),
        Ok(_) => Ok(Verdict::failed(text(
            "where one byte is allowed, the whole table comes and no error",
            "上限为 1 字节时仍返回整表而未报错",
        ))),
    }
}

pub(super) async fn batch(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some((table, mut request)) = largest(subject).await? else {
        return Ok(nothing_small());
    };
    for most in [FEW, 1, subject.options.batch_rows.get()] {
        request.limits.batch_rows = NonZeroUsize::new(most).expect("none of them is zero");
        let batches = subject.load(&request).await?;
        let largest = batches.iter().map(RecordBatch::num_rows).max();
        if largest.unwrap_or(0) > most {
            return Ok(Verdict::failed(text(
                format!(
                    "a batch has {} rows where {most} are allowed",
                    largest.unwrap_or(0)
                ),
                format!("上限 {most} 行时单批为 {} 行", largest.unwrap_or(0)),
            )));
        }
        if rows_of(&batches) != table.rows.len() as u64 {
            let now = subject.examine(&table.name).await?;
            return Ok(if now.rows.same(&table.rows) {
                Verdict::failed(text(
                    format!("in batches of {most} rows, not all rows come"),
                    format!("单批 {most} 行时返回行数不全"),
                ))
            } else {
                moving(&table.name)
            });
        }
    }
    Ok(Verdict::passed())
}

pub(super) async fn time(subject: &mut Subject) -> Result<Verdict, SourceError> {
    use futures::StreamExt as _;
    let Some((_, mut request)) = largest(subject).await? else {
        return Ok(nothing_small());
    };
    request.limits.time_max = NO_TIME;
    let reading = subject.connector.load(&request).await;
    let mut reading = match subject.heard(reading) {
        Err(SourceError::TimedOut) => return Ok(Verdict::passed()),
        other => other?,
    };
    tokio::time::sleep(LATER).await;
    while let Some(batch) = reading.batches.next().await {
        match subject.heard_of_engine(batch) {
            Ok(_) => {}
            Err(SourceError::TimedOut) => return Ok(Verdict::passed()),
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::failed(text(
        "a reading goes on to its end after its time is over",
        "超过时限后读取仍进行到底",
    )))
}
