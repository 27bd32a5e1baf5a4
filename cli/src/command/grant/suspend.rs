//! `lingqu grant suspend` and `lingqu grant resume`: a suspension, and lifting it.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::GrantId;
use lingqu_core::epoch::{Lifting, Suspension};
use lingqu_tlog::Hash;
use serde_json::json;

use super::desk::{Hand, Online, failed};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `grant suspend --grant GRANT --reason TEXT --as PARTY --key approval.key …`
#[derive(Args, Debug)]
pub(super) struct Suspend {
    /// The grant, `grant_…` · 授权令牌
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    #[command(flatten)]
    request: Request,
}

/// `grant resume --suspension DIGEST --reason TEXT --as PARTY --key approval.key …`
#[derive(Args, Debug)]
pub(super) struct Resume {
    /// The suspension: what `grant suspend` printed; also in the case's history · 暂停申请的摘要
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    suspension: Hash,
    #[command(flatten)]
    request: Request,
}

#[derive(Args, Debug)]
struct Request {
    /// Why, for the record; no personal data · 理由（不得含个人信息）
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Write the signed request instead of handing it in · 仅写出签名文件，不提交
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    hand: Hand,
    #[command(flatten)]
    online: Online,
}

impl Suspend {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = &self.request;
        let envelope = request.hand.sign(&Suspension {
            by: request.hand.by.clone(),
            grant: self.grant,
            reason: request.reason.clone(),
            issued: session.clock.now(),
        })?;
        if let Some(out) = &request.out {
            envelope_file::create(out, &envelope)?;
            return session.line(envelope.digest());
        }
        let online = &request.online;
        let tls = online.tls(session)?;
        let (epoch, digest) = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.suspend(&envelope).await.map_err(failed)
        })??;
        if request.json {
            return session.json(&json!({ "epoch": epoch, "suspension": digest.to_string() }));
        }
        session.say(
            format_args!("suspended as of the revocation list {epoch}; this digest lifts it"),
            format_args!("自撤销清单 {epoch} 起暂停；恢复时使用下列摘要"),
        );
        session.line(digest)
    }
}

impl Resume {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = &self.request;
        let envelope = request.hand.sign(&Lifting {
            by: request.hand.by.clone(),
            suspension: self.suspension,
            reason: request.reason.clone(),
            issued: session.clock.now(),
        })?;
        if let Some(out) = &request.out {
            envelope_file::create(out, &envelope)?;
            return session.line(envelope.digest());
        }
        let online = &request.online;
        let tls = online.tls(session)?;
        let epoch = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.lift(&envelope).await.map_err(failed)
        })??;
        if request.json {
            return session.json(&json!({ "epoch": epoch }));
        }
        session.say(
            "lifted as of the revocation list with this number",
            "自该编号的撤销清单起恢复",
        );
        session.line(epoch)
    }
}

fn digest(text: &str) -> Result<Hash, String> {
    let bytes = hex::decode(text).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(Hash)
        .ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
}
