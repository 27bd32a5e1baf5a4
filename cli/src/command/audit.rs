//! `lingqu audit`: receipts, archives and evidence checked offline, and a region's call records followed and exported.

mod archive;
mod budget;
mod bundles;
mod compare;
mod disclose;
mod evidence;
mod export;
mod follow;
mod forward;
mod import;
mod lineage;
pub(super) mod links;
mod open;
mod prove;
mod shown;
mod spool;
mod subscription;
mod trust;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::session::Session;

/// What to check.
#[derive(Args, Debug)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand, Debug)]
enum AuditCommand {
    /// What the debits of privacy budgets in an archive add up to · 汇总存档中的隐私预算扣减
    Budget(budget::Budget),
    /// Whether an archive still has what a receipt proved; if not, the evidence · 核对归档是否仍载有回执所证记录，否则出具证据
    Compare(compare::Compare),
    /// Show one committed field of an opened call, provably and without the others · 可证明地披露某一字段
    Disclose(disclose::Disclose),
    /// Put records together as evidence, for a court or an inspector · 制作电子证据包
    Evidence(evidence::Evidence),
    /// Write the logs of a region as files that anybody's tools can check · 导出审计日志归档
    Export(export::Export),
    /// Follow the records of a region, as its regulator · 监管部门订阅本区域调用审计
    Follow(follow::Follow),
    /// Hand a region's verified records on to a log collector · 将核验后的记录转发至日志采集端
    Forward(forward::Forward),
    /// Check feed files that were carried here, and print them · 核验并读取摆渡来的推送文件
    Import(import::Import),
    /// The answers that were made from one load · 查询使用某次装载的全部答复
    Lineage(lineage::Lineage),
    /// Open the kept details of a grant's calls, by an order that is on record · 依记录在案的指令调阅留存内容
    Open(open::Open),
    /// Make a proof out of an archive · 从归档生成证明
    Prove(prove::Prove),
    /// Write a region's feed as files, to be carried to where no network is · 将审计推送写成文件，供离线摆渡
    Spool(spool::Spool),
    /// Add the streams that follow to a trust file, each proven by the one before · 将经证明的后续日志流补入信任文件
    Trust(trust::TrustCommand),
    /// Check a receipt, an archive, a proof or an evidence package offline · 离线核验回执、归档、证明或证据包
    Verify(verify::Verify),
}

impl Audit {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            AuditCommand::Budget(budget) => budget.run(session),
            AuditCommand::Compare(compare) => compare.run(session),
            AuditCommand::Disclose(disclose) => disclose.run(session),
            AuditCommand::Evidence(evidence) => evidence.run(session),
            AuditCommand::Export(export) => export.run(session),
            AuditCommand::Follow(follow) => follow.run(session),
            AuditCommand::Forward(forward) => forward.run(session),
            AuditCommand::Import(import) => import.run(session),
            AuditCommand::Lineage(lineage) => lineage.run(session),
            AuditCommand::Open(open) => open.run(session),
            AuditCommand::Prove(prove) => prove.run(session),
            AuditCommand::Spool(spool) => spool.run(session),
            AuditCommand::Trust(trust) => trust.run(session),
            AuditCommand::Verify(verify) => verify.run(session),
        }
    }
}
