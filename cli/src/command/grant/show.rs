//! `lingqu grant show`: a grant in a file, or a case at the coordinator with all its documents.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::workflow::CaseSeen;
use lingqu_core::CaseId;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Grant;

use super::case_json;
use super::desk::{Online, failed};
use crate::command::object;
use crate::failure::Failure;
use crate::session::Session;
use crate::written;

/// `grant show X.env` or `grant show --case CASE [--save DIR] --coordinator …`
#[derive(Args, Debug)]
pub(super) struct Show {
    /// A grant in a file · 授权令牌文件
    #[arg(value_name = "X.env", required_unless_present = "case")]
    file: Option<PathBuf>,
    /// A case at the coordinator · 案件编号
    #[arg(long, value_name = "CASE", conflicts_with = "file")]
    case: Option<CaseId>,
    /// Save the case's documents in this directory, to read and to sign · 将案卷文件存入目录
    #[arg(long, value_name = "DIR", requires = "case")]
    save: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    online: Online,
}

impl Show {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(file) = self.file {
            return object::Verb::show(file, self.json).run::<Grant>(session);
        }
        let Some(case) = self.case else {
            return Err(Failure::Unusable("`--case` is missing".to_owned()));
        };
        let online = self.online;
        let tls = online.tls(session)?;
        let seen = session.wait(async {
            let desk = online.desk(&tls).await?;
            desk.show(&case).await.map_err(failed)
        })??;
        if let Some(dir) = &self.save {
            save(dir, &seen)?;
        }
        if self.json {
            return session.json(&case_json::of(&seen));
        }
        lines(session, &seen)
    }
}

/// The documents as files. What is there already is replaced: it is the same, or an older state of the same case.
fn save(dir: &Path, seen: &CaseSeen) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
    let documents: [(&str, Option<&Envelope>); 7] = [
        ("application.env", Some(&seen.application)),
        ("notice.env", seen.notice.as_ref()),
        ("agreement.env", seen.agreement.as_ref()),
        ("agreement.filing", seen.agreement_filing.as_ref()),
        ("grant.env", seen.grant.as_ref()),
        ("grant.filing", seen.grant_filing.as_ref()),
        ("credential.env", seen.credential.as_ref()),
    ];
    for (name, envelope) in documents {
        if let Some(envelope) = envelope {
            written::replace(&dir.join(name), &lingqu_proto::encode_envelope(envelope))?;
        }
    }
    Ok(())
}

fn lines(session: &mut Session<'_>, seen: &CaseSeen) -> Result<(), Failure> {
    let listed = &seen.listed;
    let overdue = if listed.overdue { " OVERDUE" } else { "" };
    session.line(format_args!(
        "{} {} {}",
        listed.id, listed.state, seen.standing
    ))?;
    session.line(format_args!(
        "applicant {} · agency {}",
        listed.applicant, listed.agency
    ))?;
    session.line(format_args!(
        "accepted {} · due {}{overdue}",
        listed.accepted, listed.due
    ))?;
    if let Some(region) = &seen.organiser_region {
        let bureau = seen.organiser.as_ref().map_or("", |party| party.as_str());
        session.line(format_args!("review organised in {region} {bureau}"))?;
    }
    for item in &seen.missing_materials {
        session.line(format_args!("missing {}", crate::failure::printable(item)))?;
    }
    for reviewer in &seen.reviewers {
        let stance = reviewer.stance.map_or("–", |stance| stance.as_str());
        session.line(format_args!("opinion {}: {stance}", reviewer.party))?;
    }
    for signer in &seen.signers {
        let word = if signer.is_missing() {
            "missing"
        } else {
            "there"
        };
        session.line(format_args!("signature {}: {word}", signer.party))?;
    }
    for (what, number) in [("agreement", &seen.number), ("grant", &seen.grant_number)] {
        if !number.is_empty() {
            session.line(format_args!(
                "{what} filed under {}",
                crate::failure::printable(number)
            ))?;
        }
    }
    for act in &seen.history {
        let state = act.state.map_or("", |state| state.as_str());
        session.line(format_args!(
            "{} {} by {} → {state}  {}",
            act.at,
            crate::failure::printable(&act.action),
            act.actor,
            act.object_digest
        ))?;
    }
    Ok(())
}
