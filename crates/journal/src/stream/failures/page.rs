//! The table as pages of the manual, in both languages.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Failure, Holds, Step, TABLE};

/// Failures of whole processes and machines, and the test that shows what then holds: file, function, English, Chinese.
const WHOLE: [(&str, &str, &str, &str); 13] = [
    (
        "tests/it/crash.rs",
        "a_node_survives_every_kill",
        "The node is killed at any moment | What was answered is on record and charged once; the next process compares with the mirror before it signs.",
        "节点在任意时刻被强制终止 | 已答复的调用均有记录且只计费一次；重启后先与镜像核对再签名。",
    ),
    (
        "tests/it/crash.rs",
        "a_mirrored_journal_survives_every_kill",
        "The recording path is killed at any moment, answers at R2 | As above; no answer has left without the mirror's cosignature.",
        "记录路径在任意时刻被强制终止（R2 级答复） | 同上；未经镜像联署的答复不会离开节点。",
    ),
    (
        "tests/it/crash.rs",
        "a_coordinator_survives_every_kill",
        "The coordinator is killed at any moment | Everything it cosigned is there; what it was sent and had not cosigned is sent again.",
        "协调端在任意时刻被强制终止 | 已联署的内容全部存在；未联署的内容由节点重新发送。",
    ),
    (
        "crates/journal/src/store/file/tests.rs",
        "a_second_writer_is_refused_until_the_first_is_gone",
        "Two processes on one journal | The second finds the lock and does not open.",
        "两个进程打开同一日志 | 后者因锁被占用而无法打开。",
    ),
    (
        "coordinator/src/mirror/replicate/tests.rs",
        "a_newer_conversation_supersedes_the_older",
        "Two machines with one key | The mirror follows one and ends the other with `SUPERSEDED`.",
        "两台机器使用同一密钥 | 镜像只跟随其中之一，另一个以 `SUPERSEDED` 结束。",
    ),
    (
        "coordinator/src/mirror/replicate/tests.rs",
        "what_is_repeated_is_cosigned_again_and_what_differs_is_a_fork",
        "Two histories under one key | The mirror keeps the one that it cosigned and shows it as evidence.",
        "同一密钥下出现两份历史 | 镜像保留其已联署的一份，并将其作为证据出示。",
    ),
    (
        "crates/journal/src/stream/reconcile/tests.rs",
        "what_the_journal_lost_it_takes_back_from_the_mirror",
        "The node is restored from an old backup | Before it signs anything it takes back what the mirror has more of.",
        "节点由旧备份恢复 | 在签名之前先从镜像取回缺失的记录。",
    ),
    (
        "tests/it/restored.rs",
        "a_stop_that_only_the_mirror_remembers_keeps_a_restored_node_shut",
        "The backup is older than a stop order | The node stays shut until the order's file is there.",
        "备份早于一次停止令 | 节点保持关闭，直至停止令文件恢复。",
    ),
    (
        "tests/it/lagged.rs",
        "a_mirrored_product_answers_and_charges_nothing_while_the_mirror_is_away",
        "The network to the mirror is cut | Calls of `mirrored` products are refused before they are charged; a batch whose answer was lost is sent again and cosigned again.",
        "与镜像之间的网络中断 | `mirrored` 产品的调用在计费前即被拒绝；未收到答复的批次会重新发送并再次联署。",
    ),
    (
        "tests/it/heads.rs",
        "a_hidden_head_closes_the_node_and_a_shown_one_opens_it",
        "The coordinator cosigns and hides the stream from supervisors | Within `head_lag_s` calls of `mirrored` products are refused before they are charged, until the head log covers what is cosigned.",
        "协调端联署而不让监管部门看到该日志流 | `head_lag_s` 之内即在计费前拒绝 `mirrored` 产品的调用，直至头部日志覆盖已联署的内容。",
    ),
    (
        "tests/it/heads.rs",
        "a_head_log_that_does_not_extend_what_was_seen_closes_the_node_after_any_restart",
        "The head log forks or goes back | The node answers nothing until a person has looked, and keeps both checkpoints; also across its own restarts.",
        "头部日志分叉或倒退 | 节点在人工处理之前不再答复，并保存两个检查点；重启后同样能够发现。",
    ),
    (
        "tests/it/heads.rs",
        "a_coordinator_restored_from_a_backup_is_not_believed",
        "The coordinator is restored from an old backup | Nodes tell it what it signed; it publishes nothing more of the region, and calls of `mirrored` products are refused before they are charged.",
        "协调端由旧备份恢复 | 节点出示其曾签署的内容，该区域停止发布；`mirrored` 产品的调用在计费前即被拒绝。",
    ),
    (
        "tests/it/witnessed.rs",
        "a_missing_witness_closes_and_its_return_opens",
        "Witnesses fall silent | A call of a `witnessed` product that was under way is charged and withheld, and released to a retry when they are back; further ones are refused before they are charged.",
        "见证方失去响应 | 进行中的 `witnessed` 产品调用照常计费、暂不放行，恢复后重试即可取得；其后的调用在计费前即被拒绝。",
    ),
];

#[derive(Clone, Copy)]
enum Language {
    En,
    Zh,
}

fn step(step: Step, language: Language) -> &'static str {
    let (en, zh) = match step {
        Step::FirstSegment => ("making the first segment", "创建首个日志段"),
        Step::Call => ("writing the record of a call", "写入调用记录"),
        Step::Debit => (
            "writing the debit of a privacy budget",
            "写入隐私预算扣减记录",
        ),
        Step::Refusal => ("writing the record of a refusal", "写入拒绝记录"),
        Step::NextSegment => ("making the next segment", "创建下一个日志段"),
        Step::LastFrameAgain => (
            "writing the last frame again at a start",
            "启动时重写最后一帧",
        ),
        Step::TornFrameErased => ("erasing a torn frame at a start", "启动时清除残缺帧"),
        Step::TakenBack => ("taking back what the mirror has", "从镜像取回记录"),
    };
    pick(language, en, zh)
}

fn failure(failure: Failure, language: Language) -> &'static str {
    let (en, zh) = match failure {
        Failure::Before => ("fails before", "写入前失败"),
        Failure::AfterPersisting => ("fails after persisting", "落盘后失败"),
        Failure::Torn => ("torn write", "写入残缺"),
        Failure::UnsyncedLost => ("unsynced bytes lost", "未同步数据丢失"),
        Failure::SyncFails => ("EIO on sync", "同步时 EIO"),
        Failure::DiskFull => ("disk full", "磁盘已满"),
        Failure::ClockBack => ("clock set back", "时钟回拨"),
    };
    pick(language, en, zh)
}

fn holds(holds: Holds, language: Language) -> &'static str {
    let (en, zh) = match holds {
        Holds::Absent => ("untold, absent", "未告知，不存在"),
        Holds::Either => ("untold, there if whole", "未告知，完整则存在"),
        Holds::Untold => ("untold, there", "未告知，存在"),
        Holds::Kept => ("there as before", "保持原状"),
        Holds::Told => ("told, there", "已告知，存在"),
    };
    pick(language, en, zh)
}

fn pick(language: Language, en: &'static str, zh: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::Zh => zh,
    }
}

fn head(language: Language) -> &'static str {
    pick(
        language,
        "# What holds when something fails\n\nMade from the test that runs every cell \
         (`crates/journal/src/stream/failures.rs`). After each failure the process has ended and the next one has \
         opened the journal. *Told* means that a caller, or whoever asked, was told that it is recorded. *There* means \
         that the record is in the journal and charged. In every cell: what was told before is there, each record is \
         charged once, what was signed and shown is a prefix of what is signed afterwards, times only grow, and the \
         journal goes on.\n\n| durable step |",
        "# 故障发生后的保证\n\n本页由逐格执行的测试生成（`crates/journal/src/stream/failures.rs`）。每次故障后进程已结束，\
         由下一个进程重新打开日志。“已告知”指调用方或请求方已被告知记录完成；“存在”指记录在日志中并已计费。每一格均保证：\
         此前已告知的内容存在，每条记录只计费一次，已签名并出示的内容是其后签名内容的前缀，时间只增不减，日志可继续写入。\
         \n\n| 持久化步骤 |",
    )
}

fn page(language: Language) -> String {
    let mut page = head(language).to_owned();
    for column in Failure::ALL {
        write!(page, " {} |", failure(column, language)).unwrap();
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(Failure::ALL.len()));
    for (row, cells) in TABLE {
        write!(page, "\n| {} |", step(row, language)).unwrap();
        for cell in cells {
            write!(page, " {} |", holds(cell, language)).unwrap();
        }
    }
    page.push_str(pick(
        language,
        "\n\nProcesses, machines and the network:\n\n| failure | what then holds | test |\n|---|---|---|\n",
        "\n\n进程、机器与网络：\n\n| 故障 | 其后的保证 | 测试 |\n|---|---|---|\n",
    ));
    for (file, test, en, zh) in WHOLE {
        writeln!(page, "| {} | `{file}`: `{test}` |", pick(language, en, zh)).unwrap();
    }
    page
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_manual_shows_this_table() {
    for (name, language) in [
        ("failures.md", Language::En),
        ("failures.zh-CN.md", Language::Zh),
    ] {
        let path = root().join("docs/operating").join(name);
        let page = page(language);
        if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, page, "LINGQU_WRITE_DOCS=1 writes {}", path.display());
    }
}

#[test]
fn every_test_that_the_manual_names_is_there() {
    for (file, test, ..) in WHOLE {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "{file}: {test}");
    }
}
