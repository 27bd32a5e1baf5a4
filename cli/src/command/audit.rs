//! `lingqu audit`: receipts checked offline, and a region's call records followed.

mod follow;
mod lineage;
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
    /// Follow the records of a region, as its regulator · 监管部门订阅本区域调用审计
    Follow(follow::Follow),
    /// The answers that were made from one load · 查询使用某次装载的全部答复
    Lineage(lineage::Lineage),
    /// Check a receipt offline · 离线核验回执
    Verify(verify::Verify),
}

impl Audit {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            AuditCommand::Follow(follow) => follow.run(session),
            AuditCommand::Lineage(lineage) => lineage.run(session),
            AuditCommand::Verify(verify) => verify.run(session),
        }
    }
}
