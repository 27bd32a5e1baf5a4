//! `lingqu grant credential`: fetches an e-credential (电子凭证), and verifies one offline.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::credential::{Credential, Validity};
use lingqu_core::envelope::SignedBy;
use lingqu_core::{CaseId, Timestamp};
use serde_json::json;

use super::desk::{Online, failed};
use crate::failure::{Failure, printable};
use crate::session::Session;
use crate::{document, envelope_file, written};

/// `grant credential get …` or `grant credential verify …`
#[derive(Args, Debug)]
pub(super) struct CredentialCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Fetch the credential of a filed catalog case · 取得电子凭证
    Get(Get),
    /// Verify a credential offline · 离线核验电子凭证
    Verify(Verify),
}

#[derive(Args, Debug)]
struct Get {
    /// The case · 案件编号
    #[arg(long, value_name = "CASE")]
    case: CaseId,
    /// Where it goes; must not exist yet · 输出文件
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    online: Online,
}

/// Exit code 1 unless the signature holds and the term runs.
#[derive(Args, Debug)]
struct Verify {
    /// The credential · 电子凭证文件
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The coordinator's public signing key: 64 hexadecimal digits, or a file with them · 协调端签名公钥
    #[arg(long, value_name = "KEY")]
    key: String,
    /// At which instant; by default now · 核验时点
    #[arg(long, value_name = "DATE")]
    at: Option<Timestamp>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
}

impl CredentialCommand {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.verb {
            Verb::Get(get) => get.run(session),
            Verb::Verify(verify) => verify.run(session),
        }
    }
}

impl Get {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tls = self.online.tls(session)?;
        let seen = session.wait(async {
            let desk = self.online.desk(&tls).await?;
            desk.show(&self.case).await.map_err(failed)
        })??;
        let credential = seen.credential.ok_or_else(|| Failure::CheckFailed {
            en: "the case has no credential".to_owned(),
            zh: "该案件没有电子凭证",
        })?;
        envelope_file::create(&self.out, &credential)?;
        // What the coordinator says beside it: a credential cannot say itself that it was ended early.
        session.line(printable(&seen.standing))
    }
}

impl Verify {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = self.public_key()?;
        let envelope = envelope_file::read(&self.file)?;
        if envelope.signed_by(&key) != SignedBy::Yes {
            return Err(Failure::CheckFailed {
                en: "the credential is not signed with this key, or was altered".to_owned(),
                zh: "电子凭证不是由该密钥签署，或已被篡改",
            });
        }
        let credential: Credential = document::open_object(&self.file, &envelope)?;
        let at = self.at.unwrap_or_else(|| session.clock.now());
        let validity = credential.validity(at);
        if self.json {
            session.json(&fields(&credential, validity))?;
        } else {
            lines(session, &credential)?;
            session.line(validity.as_str())?;
        }
        match validity {
            Validity::Valid => Ok(()),
            Validity::Expired => Err(Failure::CheckFailed {
                en: "EXPIRED: the term is over".to_owned(),
                zh: "EXPIRED：授权期限已届满",
            }),
            Validity::NotYetValid => Err(Failure::CheckFailed {
                en: "NOT_YET_VALID: the term has not begun".to_owned(),
                zh: "NOT_YET_VALID：授权期限尚未开始",
            }),
        }
    }

    fn public_key(&self) -> Result<Vec<u8>, Failure> {
        let read = |text: &str| hex::decode(text.trim()).ok().filter(|key| key.len() == 32);
        if let Some(key) = read(&self.key) {
            return Ok(key);
        }
        let text = written::text(&PathBuf::from(&self.key))?;
        read(&text).ok_or_else(|| {
            Failure::Unusable("`--key` is no public key of 64 hexadecimal digits".to_owned())
        })
    }
}

fn fields(credential: &Credential, validity: Validity) -> serde_json::Value {
    json!({
        "number": credential.number,
        "holder_name": credential.holder_name,
        "scope": credential.scope,
        "not_before": credential.not_before.to_string(),
        "not_after": credential.not_after.to_string(),
        "issued_by": credential.issued_by,
        "issued": credential.issued.to_string(),
        "holder": credential.holder.as_str(),
        "case": credential.case.as_str(),
        "agreement": credential.agreement.to_string(),
        "coordinator": credential.coordinator.as_str(),
        "status": validity.as_str(),
    })
}

/// The six fields, in the words of the regulations.
fn lines(session: &mut Session<'_>, credential: &Credential) -> Result<(), Failure> {
    let term = format!("{} – {}", credential.not_before, credential.not_after);
    let issued = credential.issued.to_string();
    for (name, value) in [
        ("授权编号 number", &credential.number),
        ("被授权主体名称 holder", &credential.holder_name),
        ("授权范围 scope", &credential.scope),
        ("授权期限 term", &term),
        ("发证部门 issued by", &credential.issued_by),
        ("发证日期 issued", &issued),
    ] {
        session.line(format_args!("{name}: {}", printable(value)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
