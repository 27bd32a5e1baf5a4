//! `policy check`: what a policy would allow, in plain words, before anybody signs it.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::product::SignedPolicy;
use lingqu_policy::{AuditTerms, Use};

use crate::document;
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::session::Session;

/// `policy check FILE`
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// A TOML file, or a signed or unsigned object · TOML 文件或对象文件
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Check {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let signed: SignedPolicy = document::read(&self.file)?;
        explain(&signed).tell(session)
    }
}

/// What it says.
fn explain(signed: &SignedPolicy) -> Explanation {
    let policy = &signed.policy;
    let mut told = Explanation::default();
    told.add(
        format!(
            "{} allows the following on its resource `{}` ({}, version {})",
            signed.unit, signed.resource, signed.id, signed.version
        ),
        format!(
            "{} 允许对其数据资源 `{}` 作如下使用（{}，第 {} 版）",
            signed.unit, signed.resource, signed.id, signed.version
        ),
    );
    let purposes: Vec<&str> = policy.purposes().collect();
    if purposes.is_empty() {
        told.add(
            "no purpose is listed, so no call is answered",
            "未列出任何用途，因此不会答复任何调用",
        );
    } else {
        let listed = purposes.join(", ");
        told.add(
            format!("a call must state one of the purposes {listed}"),
            format!("调用须声明以下用途之一：{listed}"),
        );
    }
    for (column, uses) in policy.columns() {
        let words: Vec<_> = uses.iter().map(words).collect();
        let (en, zh): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        if en.is_empty() {
            told.add(
                format!("column `{column}` is forbidden"),
                format!("字段 `{column}`：禁止使用"),
            );
        } else {
            told.add(
                format!("column `{column}` {}", en.join("; it ")),
                format!("字段 `{column}`：{}", zh.join("；")),
            );
        }
    }
    told.add("every other column is forbidden", "其他字段一律禁止使用");
    match policy.audit() {
        AuditTerms::Mirrored { wait_ms_max } => told.add(
            format!("no answer leaves before the mirror has cosigned its record; a call waits {wait_ms_max} ms at most"),
            format!("记录经镜像联署后答复方可放行，单次调用最多等待 {wait_ms_max} 毫秒"),
        ),
        AuditTerms::Lagged { entries_max, age_s_max } => told.add(
            format!(
                "while the mirror is away, answers leave on the node's own durable record, for {entries_max} records and \
                 {age_s_max} seconds at most"
            ),
            format!("镜像不可达时，可凭节点本地存证放行，最多 {entries_max} 条记录且不超过 {age_s_max} 秒"),
        ),
    }
    let age = policy.epoch_age_max_s();
    told.add(
        format!("no call is answered once the newest revocation list is {age} seconds old"),
        format!("最新撤销清单超过 {age} 秒后，不再答复任何调用"),
    );
    told
}

/// What a use means.
fn words(allowed: Use) -> (&'static str, &'static str) {
    match allowed {
        Use::Aggregate => ("may be summed up over many persons", "可对多个主体汇总"),
        Use::Entity => (
            "may identify whom minimum group sizes count",
            "可作为最小分组人数的计数主体",
        ),
        Use::Filter => ("may select rows by declared values", "可按已申报取值筛选"),
        Use::Group => ("may part results into groups", "可作为分组维度"),
        Use::Link => ("may find the one a call is about", "可用于定位被查询主体"),
        Use::Model => ("may feed an approved model", "可作为已批准模型的输入"),
        Use::Show => (
            "may be shown as it is: public data",
            "可直接展示（公开数据）",
        ),
        Use::Verify => (
            "may be compared with a claim, of which one combined verdict leaves",
            "可与声明值比对，仅输出一个合并结论",
        ),
    }
}
