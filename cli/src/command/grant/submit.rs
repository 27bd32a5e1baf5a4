//! `lingqu grant submit`: hands in what was signed on a machine without network.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::workflow::{CaseSeen, Workflow, WorkflowFailed};
use lingqu_core::CaseId;
use lingqu_core::agreement::{AGREEMENT_TYPE, Agreement};
use lingqu_core::application::APPLICATION_TYPE;
use lingqu_core::case::{CASE_ACT_TYPE, OPINION_TYPE};
use lingqu_core::envelope::Envelope;
use lingqu_core::epoch::{LIFTING_TYPE, SUSPENSION_TYPE};
use lingqu_core::grant::GRANT_TYPE;
use lingqu_proto::open;
use lingqu_transport::PeerId;

use super::desk::{Online, failed, shown};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `grant submit X.env [grant.env] [--case CASE] --coordinator …`
#[derive(Args, Debug)]
pub(super) struct Submit {
    /// What was signed; an agreement may be followed by its grant · 已签名文件；协议之后可附授权令牌
    #[arg(value_name = "X.env", required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
    /// For a unit's signature on a grant: the case, which a grant does not name · 案件编号（仅提交授权令牌签名时需要）
    #[arg(long, value_name = "CASE")]
    case: Option<CaseId>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    online: Online,
}

impl Submit {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let files = self.files.iter().map(|path| envelope_file::read(path));
        let files = files.collect::<Result<Vec<Envelope>, Failure>>()?;
        let tls = self.online.tls(session)?;
        let own = tls.id();
        let first = files[0].clone();
        let kind = first.payload_type.as_str();
        if kind == SUSPENSION_TYPE || kind == LIFTING_TYPE {
            let number = session.wait(async {
                let desk = self.online.desk(&tls).await?;
                let number = if kind == SUSPENSION_TYPE {
                    desk.suspend(&first).await.map(|(number, _)| number)
                } else {
                    desk.lift(&first).await
                };
                number.map_err(failed)
            })??;
            return session.line(number);
        }
        let seen = session.wait(async {
            let desk = self.online.desk(&tls).await?;
            match kind {
                APPLICATION_TYPE => desk.apply(&first).await.map_err(failed),
                CASE_ACT_TYPE => desk.act(&first).await.map_err(failed),
                OPINION_TYPE => desk.opine(&first).await.map_err(failed),
                AGREEMENT_TYPE => agreement(&desk, &files, &own).await,
                GRANT_TYPE => {
                    let case = self.case.as_ref().ok_or_else(|| {
                        Failure::Unusable("`--case` is missing: a grant names no case".to_owned())
                    })?;
                    desk.sign(case, None, Some(&first)).await.map_err(failed)
                }
                _ => Err(Failure::file(
                    &self.files[0],
                    "is nothing that a case takes",
                )),
            }
        })??;
        shown(session, &seen, self.json)
    }
}

/// From the agency it is a proposal, from anybody else a signature.
async fn agreement(desk: &Workflow, files: &[Envelope], own: &PeerId) -> Result<CaseSeen, Failure> {
    let read: Agreement = open(&files[0]).map_err(|error| Failure::Unusable(error.to_string()))?;
    let grant = files.get(1);
    let handed: Result<CaseSeen, WorkflowFailed> = if *own == PeerId::Party(read.agency) {
        desk.propose(&files[0], grant).await
    } else {
        desk.sign(&read.case, Some(&files[0]), grant).await
    };
    handed.map_err(failed)
}
