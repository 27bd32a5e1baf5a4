//! `lingqu audit evidence`: records put together for a court or an inspector, so that everything in the package can be
//! checked on a machine that has never seen the network.
//!
//! A package is a directory: `receipts/` with one receipt for each record, `links/` with the receipts that lead from one
//! stream to the next where records stand in streams that follow others, `heads/` with the witnesses' policies by which
//! records are of level R3, `report.en.md` and `report.zh-CN.md`, and
//! `manifest`, a signed note (C2SP) that names case, document, who extracted it and when, and lists every file with its
//! digest. The reports say nothing of their own: whoever checks the package makes them again from manifest and receipts
//! and compares, so that no report can say what no receipt proves.

mod make;
mod manifest;
mod policies;
mod report;
mod verify;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::session::Session;

pub(super) use self::verify::verify;

/// Directory of the witnesses' policies by which records are witnessed.
const HEADS: &str = "heads";
/// Directory of the links: the receipts of first records, by which a reader who trusts an earlier stream alone follows to
/// the streams of the records.
const LINKS: &str = "links";
/// Name of the signed list of files.
const MANIFEST: &str = "manifest";
/// Directory of the receipts.
const RECEIPTS: &str = "receipts";
/// The reports, by language.
const REPORTS: [&str; 2] = ["report.en.md", "report.zh-CN.md"];
/// Most receipts of a package.
const RECEIPTS_MAX: usize = 10_000;

/// What to do with evidence.
#[derive(Args, Debug)]
pub(crate) struct Evidence {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Subcommand, Debug)]
enum EvidenceCommand {
    /// Put a package together; everything in it is verified before · 制作证据包（先核验后收录）
    Make(make::Make),
}

impl Evidence {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            EvidenceCommand::Make(make) => make.run(session),
        }
    }
}

fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed {
        en: format!("the evidence does not hold: {why}"),
        zh: "证据包无效：内容缺失、被改动或签名不符",
    }
}

/// Whether a directory is a package: an archive has no manifest.
pub(super) fn is_package(dir: &Path) -> bool {
    dir.join(MANIFEST).is_file() && dir.join(RECEIPTS).is_dir()
}

#[cfg(test)]
mod tests;
