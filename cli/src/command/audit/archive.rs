//! What `audit verify` says about an archive: each log, its entries, and who cosigned it.

use std::path::Path;

use lingqu_client::archive::{self, ArchiveFailed, LogKind, LogReport, Verified};
use lingqu_client::succession::Step;
use lingqu_core::ErrorCode;
use lingqu_core::trust::Trust;
use lingqu_tlog::Intl;
use serde_json::{Value, json};

use super::links::{self, Named};
use super::verify::Verify;
use crate::failure::Failure;
use crate::session::Session;

/// Checks every log of the archive, and the heads against the streams.
pub(super) fn verify(
    arguments: &Verify,
    trusts: &[Trust<Intl>],
    named: &Named,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let (trusts, steps) = named.follow(trusts)?;
    links::tell(&steps, session);
    let verified = check(&arguments.what, &trusts, &named.records)?;
    let all = verified.steps.iter();
    let new: Vec<Step> = all.filter(|step| !steps.contains(step)).cloned().collect();
    links::tell(&new, session);
    let (reports, off_record) = (verified.logs, verified.off_record);
    let is_authenticated = !trusts.is_empty();
    for report in &reports {
        if arguments.json {
            let mut value = value(report, is_authenticated);
            let mut all = verified.steps.iter();
            let step = all.find(|step| step.next.name().as_str() == report.origin);
            if let Some(step) = step {
                value["follows"] = links::value(step);
            }
            session.json(&value)?;
        } else {
            session.line(line(report, is_authenticated))?;
        }
    }
    for end in &verified.dropped {
        links::check_dropped(end, session)?;
        if arguments.json {
            session.json(&json!({ "dropped": links::dropped_value(end) }))?;
        }
        links::tell_dropped(end, session);
    }
    for report in &reports {
        let next = report.next.as_deref();
        if let Some(next) = next.filter(|next| !reports.iter().any(|one| one.origin == *next)) {
            let origin = &report.origin;
            session.say(
                format_args!(
                    "`{origin}` has ended and is followed by `{next}`, which is not in the archive"
                ),
                format_args!("`{origin}` 已终结，后续日志流 `{next}` 不在归档中"),
            );
        }
    }
    let unheard = reports.iter().all(|report| report.kind == LogKind::Stream);
    if unheard {
        session.say(
            "the archive has no head log: each stream is whole as far as its checkpoint goes, but nothing says how far it should go",
            "归档中没有头部日志：各流在其检查点范围内完整，但无从得知是否应有更多",
        );
    }
    links::check_on_record(off_record.iter().map(String::as_str))?;
    if is_authenticated {
        Ok(())
    } else {
        Err(Failure::NotAuthenticated)
    }
}

/// What went wrong with an archive: a file that cannot be read is not a check that failed.
pub(super) fn failed(error: ArchiveFailed) -> Failure {
    match error {
        ArchiveFailed::Exists(_) | ArchiveFailed::File { .. } => {
            Failure::local(ErrorCode::FileUnreadable, error)
        }
        ArchiveFailed::NoLog(_) | ArchiveFailed::Origin(_) | ArchiveFailed::TooMany(_) => {
            Failure::local(ErrorCode::FileInvalid, error)
        }
        ArchiveFailed::Checkpoint { .. }
        | ArchiveFailed::Contradiction { .. }
        | ArchiveFailed::Entry { .. }
        | ArchiveFailed::Incomplete { .. }
        | ArchiveFailed::NotAuthentic { .. }
        | ArchiveFailed::Root { .. }
        | ArchiveFailed::Succession { .. }
        | ArchiveFailed::Tile(_) => Failure::CheckFailed {
            en: format!("the archive does not hold: {error}"),
            zh: "归档无效：内容缺失、被改动或签名不符",
        },
    }
}

/// Checks an archive for a command that goes on with it.
pub(super) fn check(
    path: &Path,
    trusts: &[Trust<Intl>],
    links: &[Vec<u8>],
) -> Result<Verified, Failure> {
    archive::verify(path, trusts, links).map_err(failed)
}

fn value(report: &LogReport, is_authenticated: bool) -> Value {
    let cosigned = report
        .cosigned
        .iter()
        .map(|one| json!({ "name": one.name.as_str(), "time_unix_s": one.time_unix_s }));
    json!({
        "authenticated": is_authenticated,
        "kind": kind(report.kind),
        "origin": report.origin,
        "size": report.size,
        "root": report.root.to_base64(),
        "cosigned": cosigned.collect::<Vec<_>>(),
        "followed_by": report.next,
    })
}

fn line(report: &LogReport, is_authenticated: bool) -> String {
    let word = if is_authenticated {
        "authenticated · 已认证"
    } else {
        "consistent, NOT authenticated · 内容自洽，但未经认证"
    };
    let by: Vec<&str> = report
        .cosigned
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(", cosigned by {}", by.join(", "))
    };
    let (kind, origin, size) = (kind(report.kind), &report.origin, report.size);
    let ended = match &report.next {
        Some(next) => format!(", ended, followed by · 已终结，后续 {next}"),
        None => String::new(),
    };
    format!("{word}: {kind} {origin}, {size} entries{by}{ended}")
}

fn kind(kind: LogKind) -> &'static str {
    match kind {
        LogKind::HeadLog => "head log",
        LogKind::Stream => "stream",
    }
}
