//! `lingqu grant list`: the cases that the own party may see.

use clap::Args;
use lingqu_client::workflow::{Wanted, Workflow};
use lingqu_core::case::State;

use super::case_json;
use super::desk::failed;
use crate::connection::{CoordinatorAt, Identity};
use crate::failure::Failure;
use crate::session::Session;

/// `grant list [--state STATE] [--overdue] [--after PLACE] …`
#[derive(Args, Debug)]
pub(super) struct List {
    /// Only cases in this state, for example `COMPLIANCE_REVIEW` · 仅列出该状态的案件
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Only cases whose review is overdue · 仅列出逾期未办的案件
    #[arg(long)]
    overdue: bool,
    /// Only cases after this place, to read on after a full page · 从该序号之后继续
    #[arg(long, value_name = "PLACE", default_value_t = 0)]
    after: u64,
    /// One JSON object a line · 每行输出一个 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: Identity,
}

impl List {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let tls = self.identity.load(&session.clock)?;
        let wanted = Wanted {
            state: self.state,
            overdue_only: self.overdue,
            after: self.after,
            count: 0,
        };
        let cases = session.wait(async {
            let desk = Workflow::over(self.coordinator.dial(&tls).await?);
            desk.list(&wanted).await.map_err(failed)
        })??;
        for case in &cases {
            if self.json {
                session.json(&case_json::of_listed(case))?;
            } else {
                let overdue = if case.overdue { " OVERDUE" } else { "" };
                session.line(format_args!(
                    "{}\t{}\t{}\t{}\tdue {}{overdue}",
                    case.place, case.id, case.state, case.applicant, case.due
                ))?;
            }
        }
        Ok(())
    }
}
