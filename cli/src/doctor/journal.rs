//! The log of a service: whether a running process has it, and otherwise whether it would open, by opening it with the
//! code that the node opens it with, over files that are only read.

use std::path::Path;
use std::sync::Arc;

use lingqu_core::decide::ClockState;
use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::{FatalHook, Journal, JournalOptions, OpenError, Store};
use lingqu_node::state::State;
use lingqu_node::{CurrentStream, NodeConfig};

use super::read_only::{ReadOnly, is_locked};
use super::{Findings, Service};

/// Largest log that is read here, in bytes: it takes as long as the node's start does.
const LOG_BYTES_MAX: u64 = 2 << 30;

/// Says whether a running process has the log.
pub(crate) fn examine(service: &Service, clock: &Arc<dyn Clock>, findings: &mut Findings) -> bool {
    let dir = service.log_dir();
    if is_locked(&dir) {
        findings.ok(
            "journal",
            "a running process has it",
            "正由运行中的服务使用",
        );
        return true;
    }
    match service {
        Service::Node(config) => node(config, &dir, clock, findings),
        Service::Coordinator(_) => coordinator(&dir, findings),
    }
    false
}

fn node(config: &NodeConfig, dir: &Path, clock: &Arc<dyn Clock>, findings: &mut Findings) {
    let Ok(Some(stream)) = CurrentStream::read(&config.data_dir) else {
        return findings.warn(
            "journal",
            ErrorCode::NotEnrolled,
            "no enrolment has named the stream that this node writes",
            "尚未登记，没有日志流名称",
        );
    };
    let Some(bytes) = length(dir) else {
        return findings.ok("journal", "empty", "为空");
    };
    if bytes > LOG_BYTES_MAX {
        return findings.warn(
            "journal",
            ErrorCode::JournalUnchecked,
            format!("{} MiB are too much to read here", bytes >> 20),
            format!("{} MiB，过大，未在此读取", bytes >> 20),
        );
    }
    // What is wrong with the key was said where keys are looked at.
    let Ok(signer) = stream.signer(config) else {
        return findings.warn(
            "journal",
            ErrorCode::JournalUnchecked,
            "without the log key it cannot be read",
            "缺少日志密钥，无法读取",
        );
    };
    let keys = config
        .state_key()
        .and_then(|key| Ok(State::keys_of(&config.data_dir, key.as_ref())?));
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => {
            let error = error.to_string();
            return findings.fail("journal", ErrorCode::KeyUnreadable, error.clone(), error);
        }
    };
    let mirrors = match config.mirror_terms() {
        Ok(mirrors) => mirrors,
        Err(error) => {
            let error = error.to_string();
            return findings.fail("journal", ErrorCode::ConfigInvalid, error.clone(), error);
        }
    };
    let options = JournalOptions {
        follows: stream.key.is_some(),
        origin: stream.origin,
        signer: Arc::new(signer),
        mirrors,
        lost: false,
        clock: Arc::clone(clock),
        limits: config.limits.journal(),
        on_fatal: FatalHook::default(),
    };
    opened(
        Journal::open_with(options, Box::new(ReadOnly::new(dir)), keys),
        dir,
        findings,
    );
}

fn opened(opened: Result<Journal, OpenError>, dir: &Path, findings: &mut Findings) {
    let journal = match opened {
        Ok(journal) => journal,
        // It was started while this looked.
        Err(_) if is_locked(dir) => {
            return findings.ok(
                "journal",
                "a running process has it",
                "正由运行中的服务使用",
            );
        }
        Err(error) => {
            let error = error.to_string();
            return findings.fail("journal", ErrorCode::JournalDamaged, error.clone(), error);
        }
    };
    let size = journal.size();
    findings.ok(
        "journal",
        format!("{size} records, every frame whole and signed"),
        format!("共 {size} 条记录，各帧完整且签名有效"),
    );
    if journal.clock_state() == ClockState::SetBack {
        let floor = journal.time_floor();
        findings.fail(
            "clock",
            ErrorCode::ClockSetBack,
            format!("the newest record is of {floor}"),
            format!("最新记录的时间为 {floor}"),
        );
    }
    journal.close();
}

/// The mirror's log is checked against the database when the coordinator starts; here only its files are counted.
fn coordinator(dir: &Path, findings: &mut Findings) {
    let Some(bytes) = length(dir) else {
        return findings.ok("journal", "empty", "为空");
    };
    match ReadOnly::new(dir).segments() {
        Ok(segments) => findings.ok(
            "journal",
            format!(
                "{} segments, {} MiB; checked whole when the coordinator starts",
                segments.len(),
                bytes >> 20
            ),
            format!(
                "{} 个分段，{} MiB，协调端启动时完整校验",
                segments.len(),
                bytes >> 20
            ),
        ),
        Err(error) => {
            let error = error.to_string();
            findings.fail("journal", ErrorCode::JournalDamaged, error.clone(), error);
        }
    }
}

/// Bytes of all files of a directory; none where there is no file.
fn length(dir: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(dir).ok()?;
    let lengths = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    Some(lengths.sum::<u64>()).filter(|sum| *sum > 0)
}
