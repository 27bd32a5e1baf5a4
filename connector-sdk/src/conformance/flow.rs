//! Work goes on at the source only while somebody takes its rows, and no faster than they are taken.

use std::time::Duration;

use futures::StreamExt as _;

use crate::{LoadRequest, Reading, SourceError};

use super::report::text;
use super::subject::Subject;
use super::{NotControlled, Verdict};

/// How often a source is asked whether it has stopped.
const ASKED_EVERY: Duration = Duration::from_millis(20);
/// Batches that a connector and what lies below it (sockets, pages) may hold before a consumer takes them.
const BATCHES_AHEAD: u64 = 64;

/// A request for the whole large table, without limits of rows that would end it.
async fn whole(subject: &mut Subject) -> Result<Option<LoadRequest>, SourceError> {
    let Some(large) = subject.large().await? else {
        return Ok(None);
    };
    let columns = large
        .schema
        .fields()
        .iter()
        .map(|field| field.name().clone());
    let mut request = subject.request(&large.name, columns.collect());
    request.limits.rows_max = u64::MAX;
    request.limits.bytes_max = u64::MAX;
    Ok(Some(request))
}

/// Begins to read and takes one batch.
async fn begun(subject: &mut Subject, request: &LoadRequest) -> Result<Reading, SourceError> {
    let reading = subject.connector.load(request).await;
    let mut reading = subject.heard(reading)?;
    if let Some(first) = reading.batches.next().await {
        subject.heard_of_engine(first)?;
    }
    Ok(reading)
}

fn not_seen() -> Verdict {
    Verdict::not_applicable(text(
        "the source does not tell what it is working on: let the connector implement `running_queries`, or the fixture's control",
        "数据源未告知正在执行的任务：请由适配器实现 `running_queries`，或由测试夹具提供",
    ))
}

fn too_small() -> Verdict {
    Verdict::not_applicable(text(
        "the source had sent everything before it could be stopped: prepare a larger table (`large`)",
        "源端在取消前已全部发送：请准备更大的表（`large`）",
    ))
}

pub(super) async fn cancel(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some(before) = subject.running().await? else {
        return Ok(not_seen());
    };
    let Some(request) = whole(subject).await? else {
        return Ok(too_small());
    };
    let reading = begun(subject, &request).await?;
    if subject
        .running()
        .await?
        .is_none_or(|during| during <= before)
    {
        return Ok(too_small());
    }
    drop(reading);
    let patience = subject.options.patience;
    let stopped = async {
        while subject.running().await?.is_some_and(|now| now > before) {
            tokio::time::sleep(ASKED_EVERY).await;
        }
        Ok::<_, SourceError>(())
    };
    match tokio::time::timeout(patience, stopped).await {
        Ok(stopped) => stopped.map(|()| Verdict::passed()),
        Err(_) => Ok(Verdict::failed(text(
            format!(
                "{} seconds after the reading was dropped the source still works on it",
                patience.as_secs()
            ),
            format!("取消读取 {} 秒后源端仍在执行", patience.as_secs()),
        ))),
    }
}

pub(super) async fn back_pressure(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some(request) = whole(subject).await? else {
        return Ok(too_small());
    };
    if let Some(verdict) = by_rows_sent(subject, &request).await? {
        return Ok(verdict);
    }
    let Some(before) = subject.running().await? else {
        return Ok(not_seen());
    };
    let reading = begun(subject, &request).await?;
    if subject
        .running()
        .await?
        .is_none_or(|during| during <= before)
    {
        return Ok(too_small());
    }
    tokio::time::sleep(subject.options.pause).await;
    let waits = subject
        .running()
        .await?
        .is_some_and(|during| during > before);
    drop(reading);
    Ok(if waits {
        Verdict::passed()
    } else {
        Verdict::failed(text(
            "the source sent everything while nobody took more than one batch",
            "仅取一批而停顿时，源端已全部发送",
        ))
    })
}

/// By the rows that the source has handed out during a pause, if the fixture counts them.
async fn by_rows_sent(
    subject: &mut Subject,
    request: &LoadRequest,
) -> Result<Option<Verdict>, SourceError> {
    let Some(control) = subject.fixture.control.clone() else {
        return Ok(None);
    };
    let before = match control.rows_sent().await {
        Ok(before) => before,
        Err(NotControlled::None | NotControlled::Failed(_)) => return Ok(None),
    };
    let reading = begun(subject, request).await?;
    tokio::time::sleep(subject.options.pause).await;
    let sent = control
        .rows_sent()
        .await
        .unwrap_or(u64::MAX)
        .saturating_sub(before);
    drop(reading);
    let most = (request.limits.batch_rows.get() as u64).saturating_mul(BATCHES_AHEAD);
    Ok(Some(if sent <= most {
        Verdict::passed_on(text(
            format!("{sent} rows were sent ahead, {most} are allowed"),
            format!("提前发送 {sent} 行，上限 {most} 行"),
        ))
    } else {
        Verdict::failed(text(
            format!(
                "{sent} rows were sent while nobody took more than one batch, {most} are allowed"
            ),
            format!("仅取一批而停顿时已发送 {sent} 行，上限 {most} 行"),
        ))
    }))
}
