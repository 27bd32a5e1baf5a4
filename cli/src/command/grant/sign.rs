//! `lingqu grant sign`: adds the own signature, to a file or to what is proposed in a case.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::CaseId;
use lingqu_core::agreement::Agreement;
use lingqu_core::envelope::SignedBy;
use lingqu_core::grant::Grant;
use lingqu_proto::open;
use lingqu_tlog::Signer;

use super::desk::{Hand, Online, failed, shown};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `grant sign X.env …` or `grant sign --case CASE …`, both with `--as PARTY --key approval.key`
#[derive(Args, Debug)]
pub(super) struct Sign {
    /// A grant or an agreement in a file, signed in place · 授权令牌或协议文件
    #[arg(value_name = "X.env", required_unless_present = "case")]
    file: Option<PathBuf>,
    /// A case: sign and hand in what is proposed there. Read it first: `grant show --case … --save DIR` · 签署案件中的协议与授权令牌
    #[arg(long, value_name = "CASE", conflicts_with = "file")]
    case: Option<CaseId>,
    /// With `--case`: the saved documents; nothing else is signed than what lies there · 已审阅的案卷目录，仅签署其中文本
    #[arg(long, value_name = "DIR", requires = "case")]
    read: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    hand: Hand,
    #[command(flatten)]
    online: Online,
}

impl Sign {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(file) = &self.file {
            return self.in_file(session, file);
        }
        let Some(case) = &self.case else {
            return Err(Failure::Unusable("`--case` is missing".to_owned()));
        };
        let online = &self.online;
        let tls = online.tls(session)?;
        let key = self.hand.key()?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.show(case).await.map_err(failed)
        })??;
        let (agreement, grant) = seen.signed(&self.hand.by, &key);
        if let Some(dir) = &self.read {
            for (name, signed) in [("agreement.env", &agreement), ("grant.env", &grant)] {
                if let Some(signed) = signed {
                    let path = dir.join(name);
                    let known = envelope_file::read(&path)?;
                    if known.digest() != signed.digest() {
                        return Err(Failure::file(&path, "is not what is proposed now"));
                    }
                }
            }
        }
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            let signed = desk.sign(case, agreement.as_ref(), grant.as_ref()).await;
            signed.map_err(failed)
        })??;
        shown(session, &seen, self.json)
    }

    fn in_file(&self, session: &mut Session<'_>, path: &Path) -> Result<(), Failure> {
        let mut envelope = envelope_file::read(path)?;
        // Nobody signs what could not be read back as what it was called.
        let is_known = open::<Grant>(&envelope).is_ok() || open::<Agreement>(&envelope).is_ok();
        if !is_known {
            return Err(Failure::file(path, "is no grant and no agreement"));
        }
        let key = self.hand.key()?;
        if envelope.signed_by(key.public_key()) != SignedBy::Yes {
            // A signature by this key that does not fit is replaced by one that does.
            envelope
                .signatures
                .retain(|signature| signature.public_key != key.public_key());
            envelope.sign(self.hand.by.as_str(), &key);
            envelope_file::replace(path, &envelope)?;
        }
        session.say(
            format_args!("signed as {}", self.hand.by),
            format_args!("已以 {} 的名义签名", self.hand.by),
        );
        session.line(envelope.digest())
    }
}
