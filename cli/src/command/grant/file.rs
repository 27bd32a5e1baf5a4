//! `lingqu grant file`: files a grant with all its signatures, or what everybody has signed in a case.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::CaseId;
use lingqu_core::PartyId;
use lingqu_core::case::{Action, CaseAct};
use lingqu_core::grant::Grant;
use lingqu_transport::signing_key;

use super::desk::{failed, shown};
use crate::command::object;
use crate::connection::{CoordinatorAt, Identity};
use crate::failure::Failure;
use crate::session::Session;

/// `grant file X.env …` or `grant file --case CASE --as AGENCY --approval approval.key …`
#[derive(Args, Debug)]
pub(super) struct File {
    /// A grant with every signature · 已签署的授权令牌
    #[arg(value_name = "X.env", required_unless_present = "case")]
    file: Option<PathBuf>,
    /// A case in which everybody has signed · 已完成签署的案件
    #[arg(long, value_name = "CASE", conflicts_with = "file", requires_all = ["by", "approval"])]
    case: Option<CaseId>,
    /// With `--case`: the operating agency, `party_…` · 运营机构
    #[arg(long = "as", value_name = "PARTY")]
    by: Option<PartyId>,
    /// With `--case`: its approval key · 审批密钥
    #[arg(long, value_name = "FILE")]
    approval: Option<PathBuf>,
    /// With `--case`: one JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: Identity,
}

impl File {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(file) = self.file {
            let verb = object::Verb::file(file, self.coordinator, self.identity);
            return verb.run::<Grant>(session);
        }
        let (Some(case), Some(by), Some(approval)) = (self.case, self.by, self.approval) else {
            return Err(Failure::Unusable("`--case` is missing".to_owned()));
        };
        let key =
            signing_key::read(&approval).map_err(|error| Failure::Unusable(error.to_string()))?;
        let tls = self.identity.load(&session.clock)?;
        let now = session.clock.now();
        let seen = session.wait(async {
            let desk = lingqu_client::workflow::Workflow::over(self.coordinator.dial(&tls).await?);
            let seen = desk.show(&case).await.map_err(failed)?;
            let act: CaseAct = seen.act(Action::File, &by, "", now);
            let signed = lingqu_client::workflow::signed_by(&act, &by, &key);
            desk.act(&signed).await.map_err(failed)
        })??;
        shown(session, &seen, self.json)
    }
}
