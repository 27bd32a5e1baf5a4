//! The two reports, made from manifest and records alone: the same package always has the same reports.

use std::fmt::Write as _;

use lingqu_core::receipt::{Level, Proven};
use lingqu_core::record::{Clear, Field, Shape};

use super::manifest::Manifest;
use super::policies::Witnessed;
use crate::command::call::level;

/// What a record says that a reader of the report looks for, with its names in both languages.
const SHOWN: [(Field, &str, &str); 17] = [
    (Field::Caller, "caller", "调用方"),
    (Field::EndUser, "end user", "数据使用方"),
    (Field::Grant, "grant", "授权令牌"),
    (Field::Scenario, "scenario", "场景"),
    (Field::Purpose, "purpose", "用途"),
    (Field::Product, "product", "数据产品"),
    (Field::Resource, "resource", "数据资源"),
    (Field::Environment, "environment", "环境"),
    (Field::Action, "action", "行为"),
    (Field::Outcome, "outcome", "结果"),
    (Field::Units, "units charged", "计量"),
    (
        Field::BudgetSpace,
        "privacy budget of",
        "隐私预算所属标识空间",
    ),
    (
        Field::RhoMicro,
        "budget spent, 10⁻⁶ ρ",
        "扣减预算（10⁻⁶ ρ）",
    ),
    (Field::Actor, "actor", "操作方"),
    (Field::Subject, "subject of the act", "行为对象"),
    (Field::NextKey, "next stream's key", "后续日志流公钥"),
    (
        Field::PreviousKey,
        "previous stream's key",
        "前序日志流公钥",
    ),
];

/// One record of the package, proven.
pub(super) struct Item {
    /// The file of its receipt.
    pub(super) path: String,
    /// The stream that it stands in.
    pub(super) stream: String,
    /// What its receipt proves.
    pub(super) proven: Proven,
    /// By which of the package's own policies it is witnessed.
    pub(super) witnessed: Option<Witnessed>,
}

/// The report in English.
pub(super) fn english(manifest: &Manifest, items: &[Item]) -> String {
    let mut text = format!(
        "# Evidence from the call log\n\n\
        | | |\n|---|---|\n| case | {} |\n| document | {} |\n| extracted by | {} |\n| extracted at | {} |\n| records | {} |\n\n\
        Each record below was proven by its receipt: it stands in the named log at the named place, the log's node signed \
        it, and at level R2 or R3 the coordinator's mirror held it at the time given. At level R3 a head log that covers it was \
        also cosigned, by then, by the witnesses that the named file in the package asks for; whose keys those are has to be \
        compared with what the supervisors publish. What was asked about whom, and the answer, \
        is not in the log: the record holds salted commitments to it. Check this package on any machine with \
        `lingqu audit verify --trust TRUST DIR`; each receipt is also a C2SP tlog-proof that other tools read.\n",
        cell(&manifest.case),
        cell(&manifest.document),
        cell(&manifest.extracted_by),
        cell(&manifest.extracted_at),
        items.len()
    );
    for (item, number) in items.iter().zip(1..) {
        let _ = write!(text, "\n## Record {number}\n\n| | |\n|---|---|\n");
        rows(
            &mut text,
            item,
            &[
                "log",
                "place",
                "time",
                "call",
                "level",
                "mirrored at",
                "witnessed at",
                "witnesses",
                "receipt",
            ],
            |shown| shown.1,
        );
    }
    text
}

/// The report in Chinese.
pub(super) fn chinese(manifest: &Manifest, items: &[Item]) -> String {
    let mut text = format!(
        "# 调用日志电子证据报告\n\n\
        | | |\n|---|---|\n| 案件编号 | {} |\n| 文书编号 | {} |\n| 提取人 | {} |\n| 提取时间 | {} |\n| 记录数 | {} |\n\n\
        以下每条记录均由其回执证明：该记录位于所列日志的所列位置，由该日志所属节点签名；级别 R2 或 R3 表示运营平台（协调端）的镜像在所列时间已持有该记录；\
        级别 R3 还表示覆盖该记录的头部日志已由证据包内所列规则文件要求的见证方副署，其密钥须与主管部门公布的核对。\
        查询对象、参数与结果不在日志中，记录仅含其加盐承诺值。可在任何计算机上以 `lingqu audit verify --trust TRUST DIR` 离线核验本证据包；\
        每份回执同时是 C2SP tlog-proof，可由其他工具核验。\n",
        cell(&manifest.case),
        cell(&manifest.document),
        cell(&manifest.extracted_by),
        cell(&manifest.extracted_at),
        items.len()
    );
    for (item, number) in items.iter().zip(1..) {
        let _ = write!(text, "\n## 记录 {number}\n\n| | |\n|---|---|\n");
        rows(
            &mut text,
            item,
            &[
                "日志",
                "序号",
                "时间",
                "调用标识",
                "级别",
                "镜像时间",
                "见证时间",
                "见证规则",
                "回执文件",
            ],
            |shown| shown.2,
        );
    }
    text
}

fn rows(
    text: &mut String,
    item: &Item,
    names: &[&str; 9],
    name: impl Fn(&(Field, &'static str, &'static str)) -> &'static str,
) {
    let proven = &item.proven;
    let record = &proven.record;
    let mirrored = proven
        .mirrored_at
        .map_or("–".to_owned(), |time| time.to_string());
    let witnessed = item.witnessed.as_ref();
    let level_shown = match witnessed {
        Some(_) => Level::Witnessed,
        None => proven.level.min(Level::Mirrored),
    };
    let fixed = [
        item.stream.clone(),
        record.index.to_string(),
        record.time.to_string(),
        record.draft.call.to_string(),
        // What the keys of streams and mirrors prove, and the witnesses of the policy that the package carries. A reader's own
        // trust in witnesses is not looked at: a report must say the same to whoever reads it.
        level(level_shown).to_owned(),
        mirrored,
        witnessed.map_or("–".to_owned(), |one| one.at.to_string()),
        witnessed.map_or("–".to_owned(), |one| one.policy.clone()),
        item.path.clone(),
    ];
    for (name, value) in names.iter().zip(fixed) {
        let _ = writeln!(text, "| {name} | {} |", cell(&value));
    }
    for shown in &SHOWN {
        if let Some(value) = value(&record.draft.clear, shown.0) {
            let _ = writeln!(text, "| {} | {} |", name(shown), cell(&value));
        }
    }
}

fn value(clear: &Clear, field: Field) -> Option<String> {
    match field.shape() {
        Shape::Text => clear.get_text(field).map(str::to_owned),
        Shape::Number => clear.get_number(field).map(|number| number.to_string()),
        Shape::Bytes(_) | Shape::UpTo(_) => clear.get_bytes(field).map(hex::encode),
    }
}

/// Text of others in a cell of a table: nothing in it may end the cell or begin markup.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '<' | '>' | '[' | ']' | '*' | '_' | '#' | '!' | '&' => {
                cell.push('\\');
                cell.push(c);
            }
            c if c.is_control() => cell.push('\u{fffd}'),
            c => cell.push(c),
        }
    }
    cell
}
