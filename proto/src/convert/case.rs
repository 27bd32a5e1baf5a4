//! Acts on a case, and opinions.

use lingqu_core::case::{Action, CASE_ACT_TYPE, CaseAct, OPINION_TYPE, Opinion, Stance};
use prost::Message;

use super::field::{REASON_LEN_MAX, digest, distinct, instant, named, parse, prose, refuse, text};
use super::signed::decode_canonical;
use super::{FieldInvalid, SignedObject};
use crate::pb;

/// Most things that one notice names.
const MISSING_MAX: usize = 64;

impl SignedObject for CaseAct {
    const TYPE: &'static str = CASE_ACT_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let act = pb::CaseAct {
            case_id: self.case.to_string(),
            basis_digest: self.basis.0.to_vec(),
            action: action_to_pb(self.action).into(),
            by: self.by.to_string(),
            reason: self.reason.clone(),
            missing: self.missing.clone(),
            supplement_due_us: self.supplement_due.map_or(0, |due| due.0),
            issued_us: self.issued.0,
        };
        act.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, act_from_pb)
    }
}

fn act_from_pb(act: pb::CaseAct) -> Result<CaseAct, FieldInvalid> {
    if act.missing.len() > MISSING_MAX {
        return refuse("missing", "has more than 64 entries");
    }
    let missing = act.missing.into_iter();
    let missing: Result<Vec<String>, _> = missing
        .map(|one| named("missing", text("missing", one)?))
        .collect();
    let read = CaseAct {
        case: parse("case_id", &act.case_id)?,
        basis: digest("basis_digest", &act.basis_digest)?,
        action: action_from_pb(act.action)?,
        by: parse("by", &act.by)?,
        reason: prose("reason", act.reason, REASON_LEN_MAX)?,
        missing: missing?,
        supplement_due: match act.supplement_due_us {
            0 => None,
            due => Some(instant("supplement_due_us", due)?),
        },
        issued: instant("issued_us", act.issued_us)?,
    };
    distinct("missing", &read.missing)?;
    let notice = read.action == Action::Return;
    // A notice that names nothing or sets no date would close the case in silence.
    if notice == read.missing.is_empty() {
        return refuse("missing", "is what a notice has, and nothing else");
    }
    if notice != read.supplement_due.is_some() {
        return refuse(
            "supplement_due_us",
            "is what a notice has, and nothing else",
        );
    }
    if matches!(read.action, Action::Reject | Action::Terminate) {
        named("reason", read.reason.clone())?;
    }
    Ok(read)
}

impl SignedObject for Opinion {
    const TYPE: &'static str = OPINION_TYPE;

    fn to_payload(&self) -> Vec<u8> {
        let opinion = pb::Opinion {
            case_id: self.case.to_string(),
            application_digest: self.application.0.to_vec(),
            by: self.by.to_string(),
            stance: stance_to_pb(self.stance).into(),
            reason: self.reason.clone(),
            issued_us: self.issued.0,
        };
        opinion.encode_to_vec()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, FieldInvalid> {
        decode_canonical(payload, |opinion: pb::Opinion| {
            let read = Opinion {
                case: parse("case_id", &opinion.case_id)?,
                application: digest("application_digest", &opinion.application_digest)?,
                by: parse("by", &opinion.by)?,
                stance: match pb::Stance::try_from(opinion.stance) {
                    Ok(pb::Stance::Agree) => Stance::Agree,
                    Ok(pb::Stance::Disagree) => Stance::Disagree,
                    Ok(pb::Stance::Unspecified) | Err(_) => {
                        return refuse("stance", "is unspecified or unknown");
                    }
                },
                reason: prose("reason", opinion.reason, REASON_LEN_MAX)?,
                issued: instant("issued_us", opinion.issued_us)?,
            };
            if read.stance == Stance::Disagree {
                named("reason", read.reason.clone())?;
            }
            Ok(read)
        })
    }
}

/// The stance for the wire.
pub fn stance_to_pb(stance: Stance) -> pb::Stance {
    match stance {
        Stance::Agree => pb::Stance::Agree,
        Stance::Disagree => pb::Stance::Disagree,
    }
}

fn action_from_pb(number: i32) -> Result<Action, FieldInvalid> {
    match pb::CaseAction::try_from(number) {
        Ok(pb::CaseAction::Accept) => Ok(Action::Accept),
        Ok(pb::CaseAction::File) => Ok(Action::File),
        Ok(pb::CaseAction::Pass) => Ok(Action::Pass),
        Ok(pb::CaseAction::Reject) => Ok(Action::Reject),
        Ok(pb::CaseAction::Return) => Ok(Action::Return),
        Ok(pb::CaseAction::Terminate) => Ok(Action::Terminate),
        Ok(pb::CaseAction::Withdraw) => Ok(Action::Withdraw),
        Ok(pb::CaseAction::Unspecified) | Err(_) => refuse("action", "is unspecified or unknown"),
    }
}

/// The others are objects of their own: on the wire they read as unspecified, and are refused.
fn action_to_pb(action: Action) -> pb::CaseAction {
    match action {
        Action::Accept => pb::CaseAction::Accept,
        Action::File => pb::CaseAction::File,
        Action::Pass => pb::CaseAction::Pass,
        Action::Reject => pb::CaseAction::Reject,
        Action::Return => pb::CaseAction::Return,
        Action::Terminate => pb::CaseAction::Terminate,
        Action::Withdraw => pb::CaseAction::Withdraw,
        Action::Apply | Action::Opine | Action::Propose | Action::Sign => {
            pb::CaseAction::Unspecified
        }
    }
}
