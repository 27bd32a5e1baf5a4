//! Work goes on at the source only while somebody takes its rows, and no faster than they are taken.

mod back_pressure;

use std::time::Duration;

use futures::StreamExt as _;

use crate::{LoadRequest, Reading, SourceError};

use super::Verdict;
use super::report::text;
use super::subject::Subject;

pub(super) use back_pressure::back_pressure;

/// How often a source is asked whether it has stopped.
const ASKED_EVERY: Duration = Duration::from_millis(20);

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

fn no_table() -> Verdict {
    Verdict::not_applicable(text(
        "there is no table to read: name one in the fixture (`large`)",
        "没有可读取的表：请在测试夹具中指定（`large`）",
    ))
}

fn not_seen() -> Verdict {
    Verdict::not_applicable(text(
        "the source does not tell what it is working on: let the connector implement `running_queries`, or the fixture's control",
        "数据源未告知正在执行的任务：请由适配器实现 `running_queries`，或由测试夹具提供",
    ))
}

/// A reading was under way, and nobody saw the source work.
fn never_seen() -> Verdict {
    Verdict::not_applicable(text(
        "the source was never seen working on the reading: it had sent everything already (prepare a larger `large`), or `running_queries` does not count this reading",
        "未见数据源执行该读取：或已全部发送（请准备更大的 `large`），或 `running_queries` 未计入该读取",
    ))
}

pub(super) async fn cancel(subject: &mut Subject) -> Result<Verdict, SourceError> {
    let Some(before) = subject.running().await? else {
        return Ok(not_seen());
    };
    let Some(request) = whole(subject).await? else {
        return Ok(no_table());
    };
    let reading = begun(subject, &request).await?;
    if subject
        .running()
        .await?
        .is_none_or(|during| during <= before)
    {
        return Ok(never_seen());
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
