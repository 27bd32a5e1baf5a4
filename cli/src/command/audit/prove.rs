//! `lingqu audit prove`: a receipt for one entry, or the proof that a log was only extended, out of an archive; and what
//! `audit verify` says about the second, and about evidence that a log was not.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::archive::{Headed, LogFiles, ProveFailed, head_log_beside, receipt_of};
use lingqu_client::succession::{NoBadEnd, judge_end};
use lingqu_core::head::head_log_of;
use lingqu_core::succession::ShownEnd;
use lingqu_core::trust::Trust;
use lingqu_tlog::{AddCheckpoint, Checkpoint, Fork, Intl, Note};
use serde_json::json;

use super::archive::failed;
use super::verify::{Verify, pick};
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// `audit prove --log DIR (--index N [--heads DIR] | --since SIZE) [--out FILE]`
#[derive(Args, Debug)]
pub(crate) struct Prove {
    /// The log's directory in the archive, where its `checkpoint` is · 归档中该日志的目录
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    #[command(flatten)]
    what: What,
    /// The region's head log in the archive, for a receipt of level R3; found by itself where it lies beside the stream in the archive · 归档中该区域头部日志的目录，缺省时自动查找
    #[arg(long, value_name = "DIR", requires = "index")]
    heads: Option<PathBuf>,
    /// Where the proof goes; otherwise to standard output · 输出文件
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// A receipt for this entry · 第 N 条的回执
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// The proof that the log of this size was only extended · 自该规模以来仅追加的证明
    #[arg(long, value_name = "SIZE")]
    since: Option<u64>,
}

impl Prove {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let log = LogFiles::open(&self.log).map_err(failed)?;
        let text = match (self.what.index, self.what.since) {
            (Some(index), _) => self.receipt(&log, index, session)?,
            (None, since) => {
                let size = since.unwrap_or_default();
                let (proof, root) = log.prove_prefix(size).map_err(not_proven)?;
                session.say(
                    format_args!("at size {size} the log has the root {}", root.to_base64()),
                    format_args!("规模为 {size} 时该日志的根为 {}", root.to_base64()),
                );
                proof.to_string()
            }
        };
        match &self.out {
            Some(path) => written::create(path, text.as_bytes(), Access::Everybody),
            None => session.line(text.trim_end_matches('\n')),
        }
    }
}

impl Prove {
    /// The receipt, with the head log's proof where the archive has it.
    fn receipt(
        &self,
        log: &LogFiles,
        index: u64,
        session: &mut Session<'_>,
    ) -> Result<String, Failure> {
        let beside = self
            .heads
            .clone()
            .or_else(|| head_log_beside(&self.log, log));
        let headed = beside.map(|dir| Headed::newest(&dir, log)).transpose();
        let headed = headed.map_err(not_proven)?.flatten();
        // An entry of a head log is proven in its own tree and is no record.
        if head_log_of(&log.checkpoint.origin).is_none() {
            return Ok(log.prove_entry(index).map_err(not_proven)?.to_string());
        }
        let receipt = receipt_of(log, headed.as_ref(), index).map_err(not_proven)?;
        if receipt.head.is_none() {
            session.say(
                "the archive has no head of the stream that covers this record: the receipt has no proof of the head log",
                "归档中没有覆盖该记录的日志头：回执不含头部日志的证明",
            );
        }
        Ok(receipt.to_text())
    }
}

fn not_proven(error: ProveFailed) -> Failure {
    match error {
        ProveFailed::Archive(error) => failed(error),
        ProveFailed::NotCompared(error) => Failure::Unusable(error.to_string()),
        ProveFailed::Outside(error) => Failure::Unusable(error.to_string()),
    }
}

/// Checks the proof that a log was only extended since the checkpoint in `--since`.
pub(super) fn verify_prefix(
    arguments: &Verify,
    bytes: &[u8],
    trusts: &[Trust<Intl>],
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::CheckFailed {
        en: format!("the proof does not hold: {why}"),
        zh: "证明无效：日志并非仅追加，或内容被改动",
    };
    let proof = AddCheckpoint::parse(bytes).map_err(|error| refused(&error))?;
    let since = arguments.since.as_deref().ok_or_else(|| {
        Failure::Unusable("`--since` must name the earlier checkpoint".to_owned())
    })?;
    let earlier = written::text(since)?;
    let (old, new) = (
        checkpoint(&earlier, trusts).map_err(|error| refused(&error))?,
        checkpoint(&proof.checkpoint, trusts).map_err(|error| refused(&error))?,
    );
    if old.origin != new.origin || old.size != proof.old_size {
        return Err(refused(&"it is about another log or size"));
    }
    lingqu_tlog::verify_consistency::<Intl>(old.size, new.size, old.root, new.root, &proof.proof)
        .map_err(|error| refused(&error))?;
    let (origin, from, to) = (&new.origin, old.size, new.size);
    let is_authenticated = !trusts.is_empty();
    let word = if is_authenticated {
        "authenticated · 已认证"
    } else {
        "consistent, NOT authenticated · 内容自洽，但未经认证"
    };
    let value = json!({
        "authenticated": is_authenticated, "origin": origin, "old_size": from, "size": to,
    });
    if arguments.json {
        session.json(&value)?;
    } else {
        session.line(format_args!(
            "{word}: {origin} was only extended, {from} to {to}"
        ))?;
    }
    if is_authenticated {
        Ok(())
    } else {
        Err(Failure::NotAuthenticated)
    }
}

/// Checks the evidence that a log showed two histories. That it holds is exit code 0: the log is then not to be believed.
pub(super) fn verify_fork(
    arguments: &Verify,
    bytes: &[u8],
    trusts: &[Trust<Intl>],
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::CheckFailed {
        en: format!("this is no evidence against the log: {why}"),
        zh: "不能证明该日志存在两个版本",
    };
    let text = std::str::from_utf8(bytes).map_err(|error| refused(&error))?;
    let fork = Fork::parse(text).ok_or_else(|| refused(&"it is malformed"))?;
    let origin = checkpoint(&fork.one, &[])
        .map_err(|error| refused(&error))?
        .origin;
    // Only the log's key can say that it was the log who signed both.
    let Some(trust) = pick(trusts, &origin) else {
        return Err(Failure::NotAuthenticated);
    };
    let key = trust
        .log(&origin)
        .ok_or_else(|| refused(&"the log is not a trusted one, so its key is not known"))?;
    let size = fork.verify(key).map_err(|error| refused(&error))?;
    let value = json!({ "forked": true, "origin": origin, "size": size });
    if arguments.json {
        return session.json(&value);
    }
    session.line(format_args!(
        "forked · 存在两个版本: {origin} signed two different histories of size {size}"
    ))
}

/// Checks the evidence that a node signed an end of its stream that may not be. That it holds is exit code 0: whoever has
/// that log key is then not to be believed.
pub(super) fn verify_end(
    arguments: &Verify,
    bytes: &[u8],
    trusts: &[Trust<Intl>],
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::CheckFailed {
        en: format!("this is no evidence against the node: {why}"),
        zh: "不能证明该节点签署了不应有的日志流终结",
    };
    let text = std::str::from_utf8(bytes).map_err(|error| refused(&error))?;
    let shown = ShownEnd::parse(text).ok_or_else(|| refused(&"it is malformed"))?;
    let origin = &shown.0.checkpoint.origin;
    let trust = pick(trusts, origin).ok_or(Failure::NotAuthenticated)?;
    let bad = match judge_end(&shown, trust) {
        Ok(bad) => bad,
        Err(NoBadEnd::UnitKeyMissing(unit)) => {
            return Err(Failure::Unusable(format!(
                "whether the order is signed only the key of `{unit}` can tell: give `--unit-key {unit}=HEX`"
            )));
        }
        Err(why) => return Err(refused(&why)),
    };
    let (index, why) = (shown.0.index, bad.to_string());
    if arguments.json {
        let value = json!({ "bad_end": true, "origin": origin, "index": index, "why": why });
        return session.json(&value);
    }
    session.line(format_args!(
        "bad end · 不应有的终结: the key of {origin} signed record {index} as its end, and {why}"
    ))
}

/// A signed checkpoint, accepted by the trust file that has its log; unverified where there is none at all.
fn checkpoint(note: &str, trusts: &[Trust<Intl>]) -> Result<Checkpoint, String> {
    let parsed = Note::parse(note).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(&parsed.text).map_err(|error| error.to_string())?;
    if let Some(trust) = pick(trusts, &checkpoint.origin) {
        let accepted = trust.policy().check(note);
        accepted.map_err(|error| error.to_string())?;
    }
    Ok(checkpoint)
}
