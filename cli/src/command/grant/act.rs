//! `lingqu grant accept | reject | return | review | terminate | withdraw | opinion`: one signed act on a case.

use clap::Args;
use lingqu_core::Timestamp;
use lingqu_core::case::{Action, CaseAct, Opinion, Stance};

use super::desk::{Hand, Target};
use crate::failure::Failure;
use crate::session::Session;

/// `grant accept --case CASE --as PARTY --key approval.key …`
#[derive(Args, Debug)]
pub(super) struct Act {
    /// Why, for the record; no personal data · 理由（不得含个人信息）
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    hand: Hand,
    #[command(flatten)]
    target: Target,
}

/// `grant return --case CASE --missing TEXT … --due DATE …`
#[derive(Args, Debug)]
pub(super) struct Return {
    /// What is missing; may be given several times, everything in one notice · 需补正的材料，一次性列全
    #[arg(long, value_name = "TEXT", required = true)]
    missing: Vec<String>,
    /// From when on it is too late, `YYYY-MM-DD` (midnight of UTC+8) · 补正期限
    #[arg(long, value_name = "DATE")]
    due: Timestamp,
    #[command(flatten)]
    act: Act,
}

/// `grant opinion --case CASE --stance agree …`
#[derive(Args, Debug)]
pub(super) struct Opine {
    /// `AGREE`, or `DISAGREE` with a reason · 同意或不同意
    #[arg(long, value_name = "STANCE")]
    stance: Stance,
    #[command(flatten)]
    act: Act,
}

impl Act {
    pub(super) fn run(self, session: &mut Session<'_>, action: Action) -> Result<(), Failure> {
        self.carry_out(session, action, Vec::new(), None)
    }

    fn carry_out(
        self,
        session: &mut Session<'_>,
        action: Action,
        missing: Vec<String>,
        supplement_due: Option<Timestamp>,
    ) -> Result<(), Failure> {
        let about = self.target.about(session)?;
        let act = CaseAct {
            case: about.case,
            basis: about.basis,
            action,
            by: self.hand.by.clone(),
            reason: self.reason,
            missing,
            supplement_due,
            issued: session.clock.now(),
        };
        let envelope = self.hand.sign(&act)?;
        self.target
            .deliver(session, &envelope, async |desk, act| desk.act(act).await)
    }
}

impl Return {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (missing, due) = (self.missing, Some(self.due));
        self.act.carry_out(session, Action::Return, missing, due)
    }
}

impl Opine {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let act = self.act;
        let about = act.target.about(session)?;
        let opinion = Opinion {
            case: about.case,
            application: about.application,
            by: act.hand.by.clone(),
            stance: self.stance,
            reason: act.reason,
            issued: session.clock.now(),
        };
        let envelope = act.hand.sign(&opinion)?;
        act.target
            .deliver(session, &envelope, async |desk, opinion| {
                desk.opine(opinion).await
            })
    }
}
