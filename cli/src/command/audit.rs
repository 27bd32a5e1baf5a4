//! `lingqu audit`: receipts checked offline, and a region's call records followed.

mod follow;
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
    /// Check a receipt offline · 离线核验回执
    Verify(verify::Verify),
}

impl Audit {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            AuditCommand::Follow(follow) => follow.run(session),
            AuditCommand::Verify(verify) => verify.run(session),
        }
    }
}
