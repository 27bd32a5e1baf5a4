//! What the commands of a case share: who acts, on which case, and whether the act is handed in or only written.
//!
//! Every act can be signed on a machine without network: `--about` names the document that the act is about (saved with
//! `grant show --case … --save DIR`), `--out` writes the signed act, and `grant submit` hands it in later.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::workflow::{CaseSeen, Workflow, WorkflowFailed, signed_by};
use lingqu_core::agreement::Agreement;
use lingqu_core::application::Application;
use lingqu_core::envelope::Envelope;
use lingqu_core::{CaseId, CoordinatorId, PartyId};
use lingqu_proto::{SignedObject, open};
use lingqu_tlog::{Ed25519Signer, Hash};
use lingqu_transport::{ClientTls, signing_key};

use super::case_json;
use crate::connection::{CoordinatorAt, Identity};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// The connection of a command that signs. All of it or none: what is only written needs no coordinator.
#[derive(Args, Clone, Debug)]
pub(super) struct Online {
    /// Where the coordinator is, `https://host:port` · 协调端地址
    #[arg(long = "coordinator", value_name = "URL", requires_all = ["id", "tls_cert", "tls_key", "ca"])]
    url: Option<String>,
    /// The id that its certificate must carry, `coord_…` · 协调端标识
    #[arg(long, value_name = "COORD_ID")]
    id: Option<CoordinatorId>,
    /// Own certificate and intermediate ones, PEM · 本方证书
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM · 证书私钥
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Certificates of the authority that vouches for the other end, PEM · 受信任的签发机构
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Online {
    /// The own TLS identity.
    pub(super) fn tls(&self, session: &Session<'_>) -> Result<ClientTls, Failure> {
        let (Some(cert), Some(key), Some(ca)) = (&self.tls_cert, &self.tls_key, &self.ca) else {
            return Err(offline());
        };
        let identity = Identity {
            cert: cert.clone(),
            key: key.clone(),
            ca: ca.clone(),
        };
        identity.load(&session.clock)
    }

    /// The own desk at the coordinator.
    pub(super) async fn desk(&self, tls: &ClientTls) -> Result<Workflow, Failure> {
        let (Some(url), Some(id)) = (&self.url, &self.id) else {
            return Err(offline());
        };
        let at = CoordinatorAt::new(url.clone(), id.clone());
        Ok(Workflow::over(at.dial(tls).await?))
    }
}

fn offline() -> Failure {
    Failure::Unusable(
        "`--coordinator`, `--id`, `--tls-cert`, `--tls-key` and `--ca` are needed to hand it in"
            .to_owned(),
    )
}

/// Who signs.
#[derive(Args, Clone, Debug)]
pub(super) struct Hand {
    /// The party that acts, `party_…` · 办理主体
    #[arg(long = "as", value_name = "PARTY")]
    pub(super) by: PartyId,
    /// Its approval key · 审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Hand {
    pub(super) fn key(&self) -> Result<Ed25519Signer, Failure> {
        signing_key::read(&self.key).map_err(|error| Failure::Unusable(error.to_string()))
    }

    /// The object with this party's signature, if every reader would accept it.
    pub(super) fn sign<T: SignedObject>(&self, object: &T) -> Result<Envelope, Failure> {
        let envelope = signed_by(object, &self.by, &self.key()?);
        open::<T>(&envelope).map_err(|error| Failure::Unusable(error.to_string()))?;
        Ok(envelope)
    }
}

/// On which case, and where the act goes.
#[derive(Args, Clone, Debug)]
pub(super) struct Target {
    /// The case, `case_…`; it is fetched to act on what it is about now · 案件编号
    #[arg(long, value_name = "CASE", required_unless_present = "about")]
    case: Option<CaseId>,
    /// Without network: the document that the act is about, the application or the agreement · 离线办理：所针对的申请或协议
    #[arg(long, value_name = "X.env", conflicts_with = "case", requires = "out")]
    about: Option<PathBuf>,
    /// Write the signed act instead of handing it in · 仅写出签名文件，不提交
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    online: Online,
}

/// What an act is about.
pub(super) struct About {
    pub(super) case: CaseId,
    /// The application, or the agreement once one is proposed.
    pub(super) basis: Hash,
    /// The application, where it is known.
    pub(super) application: Hash,
}

impl Target {
    /// What the act is about: as the coordinator shows it, or as the document says.
    pub(super) fn about(&self, session: &mut Session<'_>) -> Result<About, Failure> {
        if let Some(path) = &self.about {
            return about_document(path);
        }
        let case = self.case.clone();
        let case = case.ok_or_else(|| Failure::Unusable("`--case` is missing".to_owned()))?;
        let online = &self.online;
        let tls = online.tls(session)?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.show(&case).await.map_err(failed)
        })??;
        Ok(About {
            case,
            basis: seen.basis(),
            application: seen.application.digest(),
        })
    }

    /// Writes the signed act, or hands it in and shows the case.
    pub(super) fn deliver(
        &self,
        session: &mut Session<'_>,
        act: &Envelope,
        hand_in: impl AsyncFnOnce(Workflow, &Envelope) -> Result<CaseSeen, WorkflowFailed>,
    ) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            envelope_file::create(out, act)?;
            session.say(
                format_args!(
                    "signed, not handed in; `lingqu grant submit {}` does",
                    out.display()
                ),
                format_args!(
                    "已签名，尚未提交；请用 lingqu grant submit {} 提交",
                    out.display()
                ),
            );
            return session.line(act.digest());
        }
        let online = &self.online;
        let tls = online.tls(session)?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            hand_in(desk, act).await.map_err(failed)
        })??;
        shown(session, &seen, self.json)
    }
}

/// Says where a case stands.
pub(super) fn shown(session: &mut Session<'_>, seen: &CaseSeen, json: bool) -> Result<(), Failure> {
    if json {
        return session.json(&case_json::of(seen));
    }
    let state = seen.listed.state;
    session.say(
        format_args!("{} is now {state}", seen.listed.id),
        format_args!("{} 当前状态：{}", seen.listed.id, state.zh()),
    );
    session.line(state)
}

/// A refusal of the coordinator, or that it was not reached.
pub(super) fn failed(failed: WorkflowFailed) -> Failure {
    match failed {
        WorkflowFailed::Refused { code, message } => {
            let usual = format!("{code}: {} / {}", code.message_en(), code.message_zh());
            let detail = message.strip_prefix(&usual).unwrap_or_default();
            Failure::Refused {
                code,
                detail: detail.trim().to_owned(),
            }
        }
        other => Failure::Unreachable(other.to_string()),
    }
}

fn about_document(path: &Path) -> Result<About, Failure> {
    let envelope = envelope_file::read(path)?;
    let basis = envelope.digest();
    if let Ok(application) = open::<Application>(&envelope) {
        return Ok(About {
            case: application.case,
            basis,
            application: basis,
        });
    }
    let agreement: Agreement =
        open(&envelope).map_err(|_| Failure::file(path, "is no application and no agreement"))?;
    Ok(About {
        case: agreement.case,
        basis,
        application: agreement.application,
    })
}
