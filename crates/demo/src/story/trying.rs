//! Chapter 4: developing with samples, then debugging on production data under a budget (003 12(四)).

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::grant::Environment;

use super::Tale;
use super::caller::{months, question, subject};
use super::grants::{GRANT, SMALL_QUOTA, TRIAL_GRANT, UNSTATED_GRANT};
use crate::network::{During, NetworkFailed};
use crate::objects::Which;
use crate::register::{Person, social_security};
use crate::report::Report;

const TABLE: &str = "the unit's signed policy and grant, pinned key";
const LOG_KEYS: &str = "the node's log key and the mirror's key";

pub(super) async fn tell(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    report
        .heading("4. Developing and debugging · 测试与调试")
        .during("reporting")?;
    samples(tale, report).await?;
    debugging(tale, report).await
}

fn contributions(person: &Person, least: i64, grant: &str, environment: Environment) -> Question {
    let claim = months(&person.id_no, &person.name, least);
    let mut question = question(Which::ContribMonths, grant, claim);
    question.asked.environment = environment;
    question
}

async fn samples(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let samples: Vec<Person> = social_security::sample_persons().take(3).collect();
    let mut verdicts = Vec::new();
    for (person, least) in [(&samples[0], 24), (&samples[1], 12), (&samples[1], 24)] {
        let call = contributions(person, least, TRIAL_GRANT, Environment::Test);
        verdicts.push(tale.told(Which::ContribMonths, &call).await);
    }
    report
        .step(
            "003 12(四); R-288",
            "in TEST the bank asks about documented samples: 样本甲 24 months? 样本乙 12? and 24?",
            "MATCH MATCH NO_MATCH",
            verdicts.join(" "),
            LOG_KEYS,
        )
        .during("reporting")?;
    let mut classes = Vec::new();
    for person in &samples {
        let subject = subject(&person.id_no, &person.name);
        let mut call = question(Which::IncomeStability, TRIAL_GRANT, subject);
        call.asked.environment = Environment::Test;
        classes.push(tale.told(Which::IncomeStability, &call).await);
    }
    report
        .step(
            "003 12(四); R-288",
            "… and for the income class of 样本甲, 样本乙 and 样本丙, as documented",
            "A B C",
            classes.join(" "),
            LOG_KEYS,
        )
        .during("reporting")?;

    let driver = tale.people[0].clone();
    let call = contributions(&driver, 12, TRIAL_GRANT, Environment::Test);
    let in_test = tale.told(Which::ContribMonths, &call).await;
    report
        .step(
            "003 12(四); R-288",
            "Driver L. of the real register does not exist in TEST: no source of production is in that session",
            "NO_MATCH",
            in_test,
            LOG_KEYS,
        )
        .during("reporting")?;
    let call = contributions(&driver, 12, TRIAL_GRANT, Environment::Prod);
    let got = tale.told(Which::ContribMonths, &call).await;
    report
        .step(
            "003 12(四); R-288",
            "the bank presents its TEST grant to production",
            ErrorCode::EnvMismatch.as_str(),
            got,
            TABLE,
        )
        .during("reporting")
}

async fn debugging(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let driver = tale.people[0].clone();
    let call = contributions(&driver, 12, UNSTATED_GRANT, Environment::ProdDebug);
    let got = tale.told(Which::ContribMonths, &call).await;
    report
        .step(
            "003 12(四); R-290",
            "it debugs on production data without having stated that state security, trade secrets and privacy are unharmed",
            ErrorCode::DebugPrecondition.as_str(),
            got,
            TABLE,
        )
        .during("reporting")?;
    let mut told = Vec::new();
    for _ in 0..=SMALL_QUOTA {
        let call = contributions(&driver, 12, GRANT, Environment::ProdDebug);
        told.push(tale.told(Which::ContribMonths, &call).await);
    }
    report
        .step(
            "003 12(四); R-289, R-290",
            "with the three signed statements the window is open, for a budget of 3 calls; then it is spent",
            "MATCH MATCH MATCH QUOTA_EXHAUSTED",
            told.join(" "),
            "the grant's signatures and the node's own journal",
        )
        .during("reporting")
}
