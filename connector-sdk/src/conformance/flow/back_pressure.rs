//! A slow consumer: does the source wait, or does the connector take everything into memory?
//!
//! The large table is first read by a consumer that is as fast as the connector, which tells its rows and its time.
//! Then one batch is taken and nothing more, for twice that time and a pause. A connector without bounds has sent
//! everything long before; one that waits has sent no more than its buffers and the sockets hold. So a connector
//! without bounds is found however slow it is, and a table that would fit into the buffers proves nothing and is not
//! taken for proof.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use crate::limited::bytes_of;
use crate::{LoadRequest, SourceError};

use super::super::Verdict;
use super::super::report::text;
use super::super::subject::Subject;
use super::{ASKED_EVERY, begun, never_seen, no_table, not_seen, whole};

/// Batches that a connector may hold before a consumer takes them.
const BATCHES_AHEAD: u64 = 64;
/// Rows of a batch while this is checked, so that a table need not be huge to be larger than what may be held.
const BATCH_ROWS: usize = 1_024;
/// The part of a check's time that the first reading may take. Of five minutes that is 25 seconds: nobody takes anything
/// for twice as long, and servers end a connection that nothing is taken from after a minute.
const PART_OF_TIME: u32 = 12;

/// A table as an unhindered consumer reads it.
struct Unhindered {
    rows: u64,
    bytes: u64,
    time: Duration,
}

/// What the wait is told by.
#[derive(Clone, Copy)]
enum Evidence {
    /// The source counts the rows that it hands out.
    Rows,
    /// The source says what it is working on.
    Work,
}

pub(in super::super) async fn back_pressure(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some(mut request) = whole(subject).await? else {
        return Ok(no_table());
    };
    let few = request.limits.batch_rows.get().min(BATCH_ROWS);
    request.limits.batch_rows = few.try_into().expect("neither of the two is zero");
    let counted_before = counted(subject).await;
    if counted_before.is_none() && subject.running().await?.is_none() {
        return Ok(not_seen());
    }
    let time_max = subject.options.check_time_max / PART_OF_TIME;
    let read = tokio::time::timeout(time_max, unhindered(subject, &request)).await;
    let Ok(read) = read else {
        return Ok(takes_too_long(&request, time_max));
    };
    let read = read?;
    let ahead_max = ahead_max(subject, &request, &read).await?;
    if read.rows <= ahead_max.saturating_mul(2) {
        return Ok(too_few(&request, read.rows, ahead_max));
    }
    let counted_all = counted_before
        .zip(counted(subject).await)
        .is_some_and(|(before, after)| after.saturating_sub(before) >= read.rows);
    let evidence = match (counted_all, subject.running().await?) {
        (true, _) => Evidence::Rows,
        (false, Some(_)) => Evidence::Work,
        (false, None) => return Ok(miscounted(read.rows)),
    };
    match evidence {
        Evidence::Rows => by_rows(subject, &request, &read, ahead_max).await,
        Evidence::Work => by_work(subject, &request, &read, ahead_max).await,
    }
}

/// Rows that the source has handed out so far, if the fixture counts them.
async fn counted(subject: &Subject) -> Option<u64> {
    subject.fixture.control.as_ref()?.rows_sent().await.ok()
}

/// Reads everything as fast as it comes and keeps nothing.
async fn unhindered(
    subject: &mut Subject,
    request: &LoadRequest,
) -> Result<Unhindered, SourceError> {
    let begun = Instant::now();
    let reading = subject.connector.load(request).await;
    let mut reading = subject.heard(reading)?;
    let (mut rows, mut bytes) = (0, 0);
    while let Some(batch) = reading.batches.next().await {
        let batch = subject.heard_of_engine(batch)?;
        rows += batch.num_rows() as u64;
        bytes += bytes_of(&batch);
    }
    Ok(Unhindered {
        rows,
        bytes,
        time: begun.elapsed(),
    })
}

/// Rows that may be on their way while nobody takes them: some batches, and what the sockets of a connection hold.
async fn ahead_max(
    subject: &mut Subject,
    request: &LoadRequest,
    read: &Unhindered,
) -> Result<u64, SourceError> {
    let batches = (request.limits.batch_rows.get() as u64).saturating_mul(BATCHES_AHEAD);
    let connected = subject.health().await?.verified_tls.is_some();
    let row_bytes = (read.bytes / read.rows.max(1)).max(1);
    let sockets = match connected {
        true => subject.options.socket_bytes / row_bytes,
        false => 0,
    };
    Ok(batches.saturating_add(sockets))
}

/// How long nothing is taken: longer than any connector needs that does not wait.
fn wait(subject: &Subject, read: &Unhindered) -> Duration {
    read.time
        .saturating_mul(2)
        .saturating_add(subject.options.pause)
}

async fn by_rows(
    subject: &mut Subject,
    request: &LoadRequest,
    read: &Unhindered,
    ahead_max: u64,
) -> Result<Verdict, SourceError> {
    let Some(before) = counted(subject).await else {
        return Ok(miscounted(read.rows));
    };
    let reading = begun(subject, request).await?;
    let until = Instant::now() + wait(subject, read);
    let mut sent = 0;
    while Instant::now() < until && sent <= ahead_max {
        tokio::time::sleep(ASKED_EVERY).await;
        let Some(now) = counted(subject).await else {
            return Ok(miscounted(read.rows));
        };
        sent = now.saturating_sub(before);
    }
    drop(reading);
    let all = read.rows;
    Ok(if sent <= ahead_max {
        Verdict::passed_on(text(
            format!("{sent} of {all} rows were sent ahead, {ahead_max} are allowed"),
            format!("共 {all} 行，提前发送 {sent} 行，上限 {ahead_max} 行"),
        ))
    } else {
        Verdict::failed(text(
            format!(
                "{sent} of {all} rows were sent while nobody took more than one batch, {ahead_max} are allowed"
            ),
            format!("仅取一批而停顿时已发送 {sent} 行（共 {all} 行），上限 {ahead_max} 行"),
        ))
    })
}

async fn by_work(
    subject: &mut Subject,
    request: &LoadRequest,
    read: &Unhindered,
    ahead_max: u64,
) -> Result<Verdict, SourceError> {
    let before = subject.running().await?.unwrap_or(u64::MAX);
    let reading = begun(subject, request).await?;
    if !works(subject, before).await? {
        return Ok(never_seen());
    }
    let wait = wait(subject, read);
    let until = Instant::now() + wait;
    let mut waits = true;
    while waits && Instant::now() < until {
        tokio::time::sleep(ASKED_EVERY).await;
        waits = works(subject, before).await?;
    }
    drop(reading);
    let (all, wait, time) = (read.rows, wait.as_millis(), read.time.as_millis());
    Ok(if waits {
        Verdict::passed_on(text(
            format!(
                "seen by the source being busy {wait} ms later, where all {all} rows can be read in {time} ms; `rows_sent` would count them"
            ),
            format!(
                "全部 {all} 行可在 {time} 毫秒内读完，停顿 {wait} 毫秒后源端仍在执行，由此判断；提供 `rows_sent` 可直接计数"
            ),
        ))
    } else {
        Verdict::failed(text(
            format!(
                "the source was done with all {all} rows while nobody took more than one batch, {ahead_max} may be sent ahead"
            ),
            format!("仅取一批而停顿时，源端已发送全部 {all} 行，上限 {ahead_max} 行"),
        ))
    })
}

/// Whether the source works on more than it did before.
async fn works(subject: &mut Subject, before: u64) -> Result<bool, SourceError> {
    Ok(subject.running().await?.is_some_and(|now| now > before))
}

fn too_few(request: &LoadRequest, rows: u64, ahead_max: u64) -> Verdict {
    let (table, wanted) = (&request.table, ahead_max.saturating_mul(2));
    Verdict::not_applicable(text(
        format!(
            "`{table}` has {rows} rows, but {ahead_max} may be sent ahead: prepare more than {wanted} (`large`)"
        ),
        format!(
            "`{table}` 有 {rows} 行，而允许提前发送 {ahead_max} 行：请准备 {wanted} 行以上的表（`large`）"
        ),
    ))
}

fn takes_too_long(request: &LoadRequest, time_max: Duration) -> Verdict {
    let (table, seconds) = (&request.table, time_max.as_secs());
    Verdict::not_applicable(text(
        format!(
            "`{table}` cannot be read within {seconds} seconds: name a smaller one as `large`, or allow more time (`check_time_max`)"
        ),
        format!(
            "`{table}` 无法在 {seconds} 秒内读完：请另行指定较小的表（`large`），或放宽时限（`check_time_max`）"
        ),
    ))
}

fn miscounted(rows: u64) -> Verdict {
    Verdict::not_applicable(text(
        format!(
            "{rows} rows were read, but `rows_sent` has not counted them: it must grow with every row of every reading"
        ),
        format!("已读取 {rows} 行而 `rows_sent` 未计入：它须随每次读取的每一行增长"),
    ))
}
