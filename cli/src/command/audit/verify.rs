//! `lingqu audit verify`: checks what was kept offline, on a machine that has never seen the network.
//!
//! What it is, the file says: a receipt (text, or the bytes of the wire), several receipts, an archive, an evidence
//! package, a proof that a log was only extended, or the evidence that it was not. Without `--trust` it can only say that
//! the thing is consistent in itself, which anybody can make; that has an exit code of its own, so that no script takes it
//! for more.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::head::head_log_of;
use lingqu_core::receipt::{Level, Proven, Receipt, is_receipts, is_text, receipts_from_text};
use lingqu_core::record::{Kind, Record, flag};
use lingqu_core::succession::SHOWN_END_HEADER;
use lingqu_core::trust::Trust;
use lingqu_proto::{pb, receipt_from_pb, receipt_to_pb};
use lingqu_tlog::{Intl, NoteSignature, VerifierKey};
use prost::Message as _;
use serde_json::json;

use super::links::{self, Links};
use super::{archive, disclose, evidence, prove};

use crate::command::call::level;
use crate::failure::Failure;
use crate::record_json;
use crate::session::Session;

/// `audit verify [--trust FILE]… [--link FILE|DIR]… [--unit-key PARTY_ID=HEX]… [--accept-lagged] [--since CHECKPOINT] [--extractor VKEY] [--json] WHAT`
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Whose logs and cosignatures are believed; several, the first that has a log judges it · 信任文件，可多个
    #[arg(long = "trust", value_name = "FILE")]
    pub(super) trusts: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) links: Links,
    /// Also believe a record that the mirror does not have, if the record says that the unit allows it · 接受滞后存证的记录
    #[arg(long, requires = "trusts")]
    pub(super) accept_lagged: bool,
    /// The earlier signed checkpoint that a proof of extension begins with · 先前的检查点文件
    #[arg(long, value_name = "CHECKPOINT")]
    pub(super) since: Option<PathBuf>,
    /// Verifier key of who put an evidence package together · 证据制作人验证密钥
    #[arg(long, value_name = "VKEY")]
    pub(super) extractor: Option<VerifierKey<Intl>>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    pub(super) json: bool,
    /// A receipt, a proof, evidence, or the directory of an archive · 回执、证明、证据或归档目录
    #[arg(value_name = "WHAT")]
    pub(super) what: PathBuf,
}

/// Largest file that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Verify {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let meta = std::fs::metadata(&self.what)
            .map_err(|error| Failure::unreadable(&self.what, error))?;
        let trusts = self.links.trusts(&self.trusts)?;
        let named = self.links.read()?;
        if meta.is_dir() {
            return if evidence::is_package(&self.what) {
                evidence::verify(&self, &trusts, named, session)
            } else {
                archive::verify(&self, &trusts, &named, session)
            };
        }
        let (trusts, steps) = named.follow(&trusts)?;
        links::tell(&steps, session);
        if meta.len() > FILE_BYTES_MAX {
            return Err(Failure::file(
                &self.what,
                "is too large for what this checks",
            ));
        }
        let bytes =
            std::fs::read(&self.what).map_err(|error| Failure::unreadable(&self.what, error))?;
        if bytes.starts_with(b"old ") {
            return prove::verify_prefix(&self, &bytes, &trusts, session);
        }
        if bytes.starts_with(b"lingqu/fork/") {
            return prove::verify_fork(&self, &bytes, &trusts, session);
        }
        if bytes.starts_with(SHOWN_END_HEADER.as_bytes()) {
            return prove::verify_end(&self, &bytes, &trusts, session);
        }
        if bytes.starts_with(disclose::MAGIC.as_bytes()) {
            return disclose::verify(&self, &bytes, &trusts, session);
        }
        for receipt in parse_all(&bytes)? {
            match self.check(&receipt, &trusts, session) {
                // Said of each, and of the file when all of them were looked at.
                Ok(()) | Err(Failure::NotAuthenticated) => {}
                Err(failure) => return Err(failure),
            }
        }
        if trusts.is_empty() {
            return Err(Failure::NotAuthenticated);
        }
        Ok(())
    }

    /// The same on a receipt and keys that were read.
    fn check(
        &self,
        receipt: &Receipt,
        trusts: &[Trust<Intl>],
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        match pick(trusts, &receipt.checkpoint.origin) {
            Some(trust) => self.authenticate(receipt, trust, trusts, session),
            None => {
                let record = receipt.check_consistency::<Intl>().map_err(refused)?;
                self.print_consistent(receipt, &record, session)?;
                Err(Failure::NotAuthenticated)
            }
        }
    }

    fn authenticate(
        &self,
        receipt: &Receipt,
        trust: &Trust<Intl>,
        trusts: &[Trust<Intl>],
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let proven = prove_receipt(receipt, trusts, self.accept_lagged)?;
        if proven.level < Level::Witnessed && proven.record.draft.flags & flag::WITNESSED != 0 {
            session.say(
                "the record's terms ask for witnesses, which were not looked at: the receipt or the trust files do not have them",
                "该记录的条件要求见证方副署，但回执或信任文件中没有见证内容，未予核对",
            );
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
        let witnessed = proven.witnessed_at.map(|time| time.to_string());
        let level = level(proven.level);
        let stream = &receipt.checkpoint.origin;
        if self.json {
            return session.json(&json!({
                "authenticated": true,
                "level": level,
                "mirrored_at": mirrored,
                "witnessed_at": witnessed,
                "stream": stream,
                "record": record_json::of(&proven.record),
            }));
        }
        let mirrored = mirrored.map_or(String::new(), |time| format!(", mirrored {time}"));
        let witnessed = witnessed.map_or(String::new(), |time| format!(", witnessed {time}"));
        session.line(format_args!(
            "authenticated · 已认证: {stream}, level {level}{mirrored}{witnessed}"
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

/// The trust file that judges a log: the first that has it, or else the first, which then says that it does not.
pub(super) fn pick<'t>(trusts: &'t [Trust<Intl>], origin: &str) -> Option<&'t Trust<Intl>> {
    let knows = trusts.iter().find(|trust| trust.log(origin).is_some());
    knows.or(trusts.first())
}

/// Checks a receipt against keys, and that its record is as well secured as it says that it must be.
pub(super) fn prove_receipt(
    receipt: &Receipt,
    trusts: &[Trust<Intl>],
    accept_lagged: bool,
) -> Result<Proven, Failure> {
    let trust = pick(trusts, &receipt.checkpoint.origin).ok_or(Failure::NotAuthenticated)?;
    // What is said of the head log is looked at wherever one of the files has that log and witnesses of it.
    let head_log = head_log_of(&receipt.checkpoint.origin).unwrap_or_default();
    let heads = trusts
        .iter()
        .find(|trust| trust.log(&head_log).is_some() && trust.has_cosigners());
    let proven = match heads.filter(|_| receipt.head.is_some()) {
        Some(heads) => receipt.verify_witnessed(trust, heads),
        None if accept_lagged => receipt.verify(&trust.without_quorum()),
        None => receipt.verify(trust),
    };
    let proven = proven.map_err(refused)?;
    // What the record itself demands is looked at in any case.
    if proven.level < demanded(&proven.record, trust) {
        return Err(refused(
            "the record says that the mirror's cosignature was needed, but none by a trusted key is there",
        ));
    }
    Ok(proven)
}

/// Reads one receipt, or a file of several as the coordinator's audit page hands it out.
pub(super) fn parse_all(bytes: &[u8]) -> Result<Vec<Receipt>, Failure> {
    if !is_receipts(bytes) {
        return Ok(vec![parse(bytes)?]);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| refused("it is not text"))?;
    let receipts = receipts_from_text(text).map_err(refused)?;
    if receipts.is_empty() {
        return Err(refused("it holds no receipt"));
    }
    Ok(receipts)
}

/// Reads a receipt: the published text, or the bytes of the wire. Whatever is neither counts as altered: it was a receipt
/// once, or somebody says that it is.
pub(super) fn parse(bytes: &[u8]) -> Result<Receipt, Failure> {
    if is_text(bytes) {
        let text = std::str::from_utf8(bytes).map_err(|_| refused("it is not text"))?;
        return Receipt::from_text(text).map_err(refused);
    }
    let message = pb::Receipt::decode(bytes).map_err(|_| refused("it is no receipt"))?;
    let (receipt, level) = receipt_from_pb(&message).map_err(refused)?;
    // A message of this format has many spellings; a kept receipt has the one that the node sent.
    if receipt_to_pb(&receipt, level).encode_to_vec() != bytes {
        return Err(refused("it is not spelled as a node spells it"));
    }
    Ok(receipt)
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
    if record.draft.kind == Kind::Call && !lagging_allowed && trust.has_cosigners() {
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
        let is_by = |key: &VerifierKey<Intl>| *key.name() == line.name && key.id() == line.id;
        !trust.keys().any(is_by)
    })
}

#[cfg(test)]
pub(super) mod tests;
