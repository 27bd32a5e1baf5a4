//! `lingqu audit compare`: whether an archive of a stream still has what a receipt proved, and the evidence if it has not.
//!
//! A caller that holds a receipt at R1 or R2 holds a checkpoint that the node signed. A stream that has dropped or rewritten
//! the call since then, or anything before it, cannot be an extension of that checkpoint; both are signed with one key, so
//! that a third party needs nobody's word.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::archive::{LogFiles, ProveFailed};
use lingqu_core::receipt::Receipt;
use lingqu_tlog::{Intl, Note, VerifierKey};
use serde_json::json;

use super::archive::failed;
use super::links::Links;
use super::verify::{parse_all, pick, prove_receipt};
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// `audit compare --log DIR --trust FILE [--out FILE] RECEIPT`
#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// The stream's directory in the archive, where its `checkpoint` is · 归档中该日志流的目录
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// Whose logs and cosignatures are believed; several, the first that has a log judges it · 信任文件，可多个
    #[arg(long = "trust", value_name = "FILE", required = true)]
    trusts: Vec<PathBuf>,
    #[command(flatten)]
    links: Links,
    /// Where the evidence goes, if the log contradicts the receipt; it must not exist yet · 证据文件（须为新文件）
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object for each receipt · 每份回执输出一个 JSON 对象
    #[arg(long)]
    json: bool,
    /// The receipts · 回执
    receipts: PathBuf,
}

impl Compare {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let trusts = self.links.trusts(&self.trusts)?;
        let (trusts, _) = self.links.read()?.follow(&trusts)?;
        let log = LogFiles::open(&self.log).map_err(failed)?;
        let origin = log.checkpoint.origin.clone();
        let trust = pick(&trusts, &origin).ok_or(Failure::NotAuthenticated)?;
        let unknown = || Failure::Unusable(format!("no trust file has the log `{origin}`"));
        let key = trust.log(&origin).ok_or_else(unknown)?;
        let note = Note::parse(&log.note).map_err(|error| Failure::Unusable(error.to_string()))?;
        let signed = note.verify(std::slice::from_ref(key));
        signed.map_err(|error| check_failed(&error, "归档的检查点签名无效"))?;
        let bytes = std::fs::read(&self.receipts)
            .map_err(|error| Failure::unreadable(&self.receipts, error))?;
        for receipt in parse_all(&bytes)? {
            prove_receipt(&receipt, &trusts, true)?;
            self.compare(&log, &receipt, key, session)?;
        }
        Ok(())
    }

    fn compare(
        &self,
        log: &LogFiles,
        receipt: &Receipt,
        key: &VerifierKey<Intl>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let (origin, index) = (&receipt.checkpoint.origin, receipt.index);
        if *origin != log.checkpoint.origin {
            return Err(Failure::Unusable(format!(
                "the receipt is about the stream `{origin}`"
            )));
        }
        let (shown, held) = (receipt.checkpoint.size, log.checkpoint.size);
        if shown > held {
            return Err(Failure::Unusable(format!(
                "the receipt's checkpoint has {shown} records and the archive {held}: export a newer one"
            )));
        }
        let fork = log.fork_with(&receipt.note(), key).map_err(not_compared)?;
        let Some(fork) = fork else {
            let value = json!({ "held": true, "origin": origin, "index": index, "size": held });
            if self.json {
                return session.json(&value);
            }
            return session.line(format_args!(
                "held · 仍在: record {index} of {origin}, which has only been extended since"
            ));
        };
        if let Some(path) = &self.out {
            written::create(path, fork.to_string().as_bytes(), Access::Everybody)?;
        }
        Err(Failure::CheckFailed {
            en: format!(
                "the log contradicts the receipt: of its first {shown} records some are others than were signed"
            ),
            zh: "日志与回执矛盾：该日志已删除或改写先前签署的记录",
        })
    }
}

fn check_failed(error: &dyn std::fmt::Display, zh: &'static str) -> Failure {
    Failure::CheckFailed {
        en: format!("the archive's checkpoint is not the log's: {error}"),
        zh,
    }
}

fn not_compared(error: ProveFailed) -> Failure {
    match error {
        ProveFailed::Archive(error) => failed(error),
        ProveFailed::NotCompared(_) => Failure::CheckFailed {
            en: error.to_string(),
            zh: "归档文件与其检查点不符，无法核对",
        },
        ProveFailed::Outside(error) => Failure::Unusable(error.to_string()),
    }
}
