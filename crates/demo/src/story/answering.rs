//! Chapter 5: production. Verifications, a model and statistics: the answer leaves, the data does not.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use lingqu_client::Question;
use lingqu_core::ErrorCode;

use super::Tale;
use super::caller::{departures, flight, insured, level, months, plane, question, subject};
use super::grants::GRANT;
use crate::network::{During, NetworkFailed};
use crate::objects::Which;
use crate::register::INDUSTRIES;
use crate::report::Report;

const LOG_KEYS: &str = "the node's log key and the mirror's key";
const BUDGET: &str = "the unit's signed budget, and debits on record";
const GATE: &str = "the unit's signed policy: at least 10 entities in a group";

pub(super) async fn tell(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    report
        .heading("5. Production · 生产调用")
        .during("reporting")?;
    aircraft(tale, report).await?;
    people(tale, report).await?;
    classes(tale, report).await?;
    statistics(tale, report).await?;
    retries(tale, report).await
}

async fn aircraft(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let good = question(
        Which::Plane,
        GRANT,
        plane("N10156", "EMBRAER", "EMB-145XR", 2004),
    );
    let answer = tale
        .bank(Which::Plane)
        .verify(&good)
        .await
        .during("the first call")?;
    tale.count(Which::Plane.unit(), 1);
    let got = format!("{}, {}", answer.value, level(answer.proven.level));
    tale.kept = Some(answer);
    report
        .step(
            "000 Art. 18; 001 Art. 45",
            "the bank asks Lanxi's node: is N10156 an EMBRAER EMB-145XR of 2004?",
            "MATCH, mirrored",
            got,
            LOG_KEYS,
        )
        .during("reporting")?;
    for (what, claims) in [
        (
            "… and the same aircraft, but of 2005?",
            plane("N10156", "EMBRAER", "EMB-145XR", 2005),
        ),
        (
            "… an aircraft that is not registered at all? Nobody learns that it is not",
            plane("N00000", "EMBRAER", "EMB-145XR", 2004),
        ),
    ] {
        let call = question(Which::Plane, GRANT, claims);
        let got = tale.told(Which::Plane, &call).await;
        report
            .step("000 Art. 18; R-314", what, "NO_MATCH", got, LOG_KEYS)
            .during("reporting")?;
    }
    let call = question(Which::Flight, GRANT, flight("N14228", "IAH"));
    let got = tale.told(Which::Flight, &call).await;
    report
        .step(
            "001 Art. 29",
            "another product, which may also answer while the mirror is away: did N14228 fly UA 1545 to IAH on 2013-01-01?",
            "MATCH",
            got,
            "the node's log key",
        )
        .during("reporting")
}

async fn people(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let driver = tale.people[0].clone();
    for (what, name, least, expected) in [
        (
            "Driver L. wants a loan. The bank asks Qinghe's node: at least 12 months of contributions in 24?",
            driver.name.as_str(),
            12,
            "MATCH, mirrored",
        ),
        (
            "… at least 24? One verdict comes, not the number",
            driver.name.as_str(),
            24,
            "NO_MATCH, mirrored",
        ),
        (
            "… at least 18? Only 6, 12 and 24 are declared, so that nobody finds the number by halving",
            driver.name.as_str(),
            18,
            "CLAIM_INVALID",
        ),
        (
            "… 12 months under another name? Which field differs, nobody learns",
            "张三",
            12,
            "NO_MATCH, mirrored",
        ),
    ] {
        let claim = months(&driver.id_no, name, least);
        let call = question(Which::ContribMonths, GRANT, claim);
        let asked = tale.ask(Which::ContribMonths, &call).await;
        let got = asked.map_or_else(|refused| refused, |told| told.secured());
        report
            .step("000 Art. 18; R-314", what, expected, got, LOG_KEYS)
            .during("reporting")?;
    }
    Ok(())
}

async fn classes(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let subjects: Vec<_> = tale
        .people
        .iter()
        .map(|person| subject(&person.id_no, &person.name))
        .collect();
    let mut classes = Vec::new();
    for subject in subjects {
        let call = question(Which::IncomeStability, GRANT, subject);
        classes.push(tale.told(Which::IncomeStability, &call).await);
    }
    report
        .step(
            "000 Art. 18; R-314",
            "a model: how stable is the income of Driver L. and of two others? A scorecard that agency and unit signed, on features that the node reads itself",
            "B A C",
            classes.join(" "),
            "agency's and unit's signatures on the model's bytes",
        )
        .during("reporting")?;
    let driver = tale.people[0].id_no.clone();
    let mut unknown = Vec::new();
    for (id_no, name) in [("11010519491231002X", "张三"), (driver.as_str(), "张三")] {
        let call = question(Which::IncomeStability, GRANT, subject(id_no, name));
        unknown.push(tale.told(Which::IncomeStability, &call).await);
    }
    report
        .step(
            "000 Art. 18; R-314",
            "… of somebody who is not insured here, and of Driver L.'s number under another name? The lowest class, so that nobody learns who is",
            "C C",
            unknown.join(" "),
            LOG_KEYS,
        )
        .during("reporting")
}

async fn statistics(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let call = question(Which::Contributions, GRANT, insured("459201", 25, 35));
    let got = match tale.ask(Which::Contributions, &call).await {
        Ok(told) => told.rows.as_ref().map_or_else(String::new, industries),
        Err(refused) => refused,
    };
    report
        .step(
            "003 Art. 17; R-319",
            "a statistic: persons aged 25–34 in district 459201 and their average base, by industry; one industry has too few and stays out",
            "19 of 20 industries, none below 10 persons…",
            got,
            GATE,
        )
        .during("reporting")?;
    let call = question(Which::Contributions, GRANT, insured("459201", 26, 35));
    let got = tale.told(Which::Contributions, &call).await;
    report
        .step(
            "003 Art. 17; R-316, R-320",
            "… aged 26–34? Bins are declared, and nobody cuts finer",
            ErrorCode::ParameterInvalid.as_str(),
            got,
            "the product's signed parameters",
        )
        .during("reporting")?;
    noisy(tale, report).await?;
    let call = question(Which::Delays, GRANT, departures("JFK", 1));
    let got = match tale.ask(Which::Delays, &call).await {
        Ok(told) => told.rows.as_ref().map_or_else(String::new, airlines),
        Err(refused) => refused,
    };
    report
        .step(
            "003 Art. 17; R-319",
            "delays by airline from JFK in January: what counts is the aircraft, so an airline that flies daily with fewer than ten of them stays out",
            "no airline below 10 aircraft, 9 of 10 shown",
            got,
            GATE,
        )
        .during("reporting")
}

/// With noise: the industry that stayed out is there, asking again tells nothing more, and the bank's budget ends.
async fn noisy(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let one = persons(tale).await;
    let again = persons(tale).await;
    let all = INDUSTRIES.len() + 1;
    let got = match (one, again) {
        (Ok(one), Ok(again)) if one.len() == all && one == again => {
            "every group, twice the same numbers".to_owned()
        }
        (Ok(one), Ok(again)) => format!("{} and {} groups of {all}", one.len(), again.len()),
        (Err(refused), _) | (_, Err(refused)) => refused,
    };
    report
        .step(
            "003 Art. 17; R-316",
            "with noise of 5 persons every industry is shown, also the one with too few; the same question again has the same answer, so that nobody averages the noise away",
            "every group, twice the same numbers",
            got,
            BUDGET,
        )
        .during("reporting")?;
    let call = question(Which::PersonsNoisy, GRANT, insured("459201", 35, 45));
    let got = tale.told(Which::PersonsNoisy, &call).await;
    report
        .step(
            "003 Art. 17; R-316",
            "… another question? Both answers cost privacy budget, and the bank's grant had no more",
            ErrorCode::PrivacyBudgetExhausted.as_str(),
            got,
            BUDGET,
        )
        .during("reporting")
}

/// Noisy numbers of persons by industry, of one district and age.
async fn persons(tale: &mut Tale) -> Result<Vec<i64>, String> {
    let call = question(Which::PersonsNoisy, GRANT, insured("459201", 25, 35));
    let told = tale.ask(Which::PersonsNoisy, &call).await?;
    Ok({ told.rows.as_ref() }.map_or_else(Vec::new, |rows| integers(rows, "persons")))
}

/// How many groups came, and the smallest count: what the story checks of a table.
fn industries(rows: &RecordBatch) -> String {
    let least = integers(rows, "persons").into_iter().min().unwrap_or(0);
    let size = match least {
        10.. => "none below 10 persons".to_owned(),
        few => format!("one with {few} persons"),
    };
    let average = first_average(rows, "average_base");
    let (count, all) = (rows.num_rows(), INDUSTRIES.len());
    format!("{count} of {all} industries, {size}; the first with an average base of {average} yuan")
}

fn airlines(rows: &RecordBatch) -> String {
    let least = integers(rows, "aircraft").into_iter().min().unwrap_or(0);
    match least {
        10.. => format!(
            "no airline below 10 aircraft, {} of 10 shown",
            rows.num_rows()
        ),
        few => format!("an airline with {few} aircraft"),
    }
}

fn integers(rows: &RecordBatch, column: &str) -> Vec<i64> {
    let values = rows.column_by_name(column);
    let values = values.and_then(|values| values.as_primitive_opt::<Int64Type>().cloned());
    values.map_or_else(Vec::new, |values| values.iter().flatten().collect())
}

fn first_average(rows: &RecordBatch, column: &str) -> String {
    let values = rows.column_by_name(column);
    let values = values.and_then(|values| values.as_primitive_opt::<Float64Type>().cloned());
    match values {
        Some(values) if !values.is_empty() && !values.is_null(0) => {
            format!("{:.0}", values.value(0))
        }
        _ => "no".to_owned(),
    }
}

async fn retries(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let call = question(
        Which::Plane,
        GRANT,
        plane("N102UW", "AIRBUS INDUSTRIE", "A320-214", 1998),
    );
    let bank = tale.bank(Which::Plane);
    let first = bank.verify(&call).await.during("a call")?;
    let again = bank.verify(&call).await.during("its retry")?;
    tale.count(Which::Plane.unit(), 1);
    let same = first.receipt.index == again.receipt.index && first.value == again.value;
    report
        .step(
            "002 §7",
            "the bank sends a call twice: it is evaluated, charged and recorded once",
            "same record",
            if same { "same record" } else { "two records" },
            LOG_KEYS,
        )
        .during("reporting")?;
    let other = Question {
        arguments: plane("N102UW", "AIRBUS INDUSTRIE", "A320-214", 1999),
        ..call
    };
    let got = tale.told(Which::Plane, &other).await;
    report
        .step(
            "002 §7",
            "… and the same call id with another question",
            ErrorCode::CallIdReused.as_str(),
            got,
            "the node's own journal",
        )
        .during("reporting")
}
