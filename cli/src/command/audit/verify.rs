//! `lingqu audit verify`: checks a receipt offline, on a machine that has never seen the network.
//!
//! Without `--trust` it can only say that the receipt is consistent in itself, which anybody can make; that has an exit
//! code of its own, so that no script takes it for more.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::{Kind, Record, flag};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, NoteSignature};
use serde_json::json;

use crate::command::call::level;
use crate::failure::Failure;
use crate::record_json;
use crate::session::Session;
use crate::trust_file;

/// `audit verify [--trust FILE [--accept-lagged]] [--json] RECEIPT`
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Whose logs and cosignatures are believed · 信任文件
    #[arg(long, value_name = "FILE")]
    pub(super) trust: Option<PathBuf>,
    /// Also believe a record that the mirror does not have, if the record says that the unit allows it · 接受滞后存证的记录
    #[arg(long, requires = "trust")]
    pub(super) accept_lagged: bool,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    pub(super) json: bool,
    /// The receipt: a tlog-proof whose `extra` line is the record · 回执文件
    #[arg(value_name = "RECEIPT")]
    pub(super) receipt: PathBuf,
}

impl Verify {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let bytes =
            std::fs::read(&self.receipt).map_err(|error| Failure::file(&self.receipt, error))?;
        let trust = self.trust.as_deref().map(trust_file::read).transpose()?;
        self.check(&bytes, trust.as_ref(), session)
    }

    /// The same on bytes and keys that were read.
    fn check(
        &self,
        bytes: &[u8],
        trust: Option<&Trust<Intl>>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let receipt = parse(bytes)?;
        match trust {
            // What the record itself demands is looked at in any case.
            Some(trust) if self.accept_lagged => {
                self.authenticate(&receipt, &trust.without_quorum(), session)
            }
            Some(trust) => self.authenticate(&receipt, trust, session),
            None => {
                let record = receipt.check_consistency::<Intl>().map_err(refused)?;
                self.print_consistent(&receipt, &record, session)?;
                Err(Failure::NotAuthenticated)
            }
        }
    }

    fn authenticate(
        &self,
        receipt: &Receipt,
        trust: &Trust<Intl>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let proven = receipt.verify(trust).map_err(refused)?;
        if proven.level < demanded(&proven.record, trust) {
            return Err(refused(
                "the record says that the mirror's cosignature was needed, but none by a trusted key is there",
            ));
        }
        for signature in unknown(receipt, trust) {
            session.say(
                format_args!(
                    "a signature by `{}` was not looked at: its key is not trusted",
                    signature.name
                ),
                format_args!("`{}` 的签名未予核对：其密钥不在信任文件中", signature.name),
            );
        }
        let mirrored = proven.mirrored_at.map(|time| time.to_string());
        let level = level(proven.level);
        let stream = &receipt.checkpoint.origin;
        if self.json {
            return session.json(&json!({
                "authenticated": true,
                "level": level,
                "mirrored_at": mirrored,
                "stream": stream,
                "record": record_json::of(&proven.record),
            }));
        }
        let mirrored = mirrored.map_or(String::new(), |time| format!(", mirrored {time}"));
        session.line(format_args!(
            "authenticated · 已认证: {stream}, level {level}{mirrored}"
        ))?;
        session.line(record_json::line(&proven.record))
    }

    fn print_consistent(
        &self,
        receipt: &Receipt,
        record: &Record,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let stream = &receipt.checkpoint.origin;
        if self.json {
            return session.json(&json!({
                "authenticated": false,
                "stream": stream,
                "record": record_json::of(record),
            }));
        }
        session.line(format_args!(
            "consistent, NOT authenticated · 内容自洽，但未经认证: {stream}"
        ))?;
        session.line(record_json::line(record))
    }
}

/// Reads a receipt. Whatever is not one counts as altered: it was a receipt once, or somebody says that it is.
fn parse(bytes: &[u8]) -> Result<Receipt, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| refused("it is not text"))?;
    Receipt::from_tlog_proof(text).map_err(refused)
}

fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed {
        en: format!("the receipt does not hold: {why}"),
        zh: "回执无效：内容被改动、不完整或签名不符",
    }
}

/// How well the record must be secured, by its own word. A reader who trusts no cosigner cannot ask for one.
fn demanded(record: &Record, trust: &Trust<Intl>) -> Level {
    let lagging_allowed = record.draft.flags & (flag::LAGGED | flag::REFUSED) != 0;
    if record.draft.kind == Kind::Call && !lagging_allowed && !trust.witnesses.is_empty() {
        Level::Mirrored
    } else {
        Level::Local
    }
}

/// Signature lines whose keys the trust file does not have. The formats let a reader pass over them, but not unsaid.
fn unknown<'a>(
    receipt: &'a Receipt,
    trust: &'a Trust<Intl>,
) -> impl Iterator<Item = &'a NoteSignature> {
    receipt.signatures.iter().filter(|line| {
        let witnesses = trust.witnesses.iter().map(|(_, key)| key);
        !trust
            .logs
            .iter()
            .chain(witnesses)
            .any(|key| *key.name() == line.name && key.id() == line.id)
    })
}

#[cfg(test)]
mod tests;
