//! `lingqu grant apply` and `lingqu grant agree`: what an applicant and an agency write as TOML, signed and handed in.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::agreement::Agreement;
use lingqu_core::application::Application;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Grant;

use super::desk::{Hand, Online, failed, shown};
use crate::document::{self, Document, author};
use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, written};

/// `grant apply application.toml --as PARTY --key approval.key (--out FILE | --coordinator …)`
#[derive(Args, Debug)]
pub(super) struct Apply {
    /// The application as TOML · 申请（TOML 文件）
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Write the signed application instead of handing it in · 仅写出签名文件，不提交
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

/// `grant agree agreement.toml [--grant grant.env] --as AGENCY --key approval.key …`
#[derive(Args, Debug)]
pub(super) struct Agree {
    /// The agreement as TOML · 协议（TOML 文件）
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// For a scenario: the unsigned grant that the agreement names; it is signed too · 场景授权：协议所附授权令牌
    #[arg(long, value_name = "X.env")]
    grant: Option<PathBuf>,
    /// Write the signed agreement instead of handing it in; the grant is signed in place · 仅写出签名文件，不提交
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

impl Apply {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = signed::<Application>(&self.file, &self.hand)?;
        if let Some(out) = &self.out {
            envelope_file::create(out, &envelope)?;
            return session.line(envelope.digest());
        }
        let online = &self.online;
        let tls = online.tls(session)?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.apply(&envelope).await.map_err(failed)
        })??;
        shown(session, &seen, self.json)
    }
}

impl Agree {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let agreement = signed::<Agreement>(&self.file, &self.hand)?;
        let grant = self.grant.as_ref().map(|path| self.signed_grant(path));
        let grant = grant.transpose()?;
        if let Some(out) = &self.out {
            written::must_be_new(out)?;
            if let (Some(path), Some(grant)) = (&self.grant, &grant) {
                envelope_file::replace(path, grant)?;
            }
            envelope_file::create(out, &agreement)?;
            return session.line(agreement.digest());
        }
        let online = &self.online;
        let tls = online.tls(session)?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.propose(&agreement, grant.as_ref())
                .await
                .map_err(failed)
        })??;
        shown(session, &seen, self.json)
    }

    fn signed_grant(&self, path: &Path) -> Result<Envelope, Failure> {
        let envelope = envelope_file::read(path)?;
        document::open::<Grant>(path, &envelope)?;
        let mut bare = Envelope::new(envelope.payload_type, envelope.payload);
        bare.sign(self.hand.by.as_str(), &self.hand.key()?);
        Ok(bare)
    }
}

/// The object that a TOML file says, signed.
fn signed<T: Document>(path: &Path, hand: &Hand) -> Result<Envelope, Failure> {
    let text = written::text(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let mut envelope = author::<T>(&text, base).map_err(|error| Failure::file(path, error))?;
    envelope.sign(hand.by.as_str(), &hand.key()?);
    Ok(envelope)
}
