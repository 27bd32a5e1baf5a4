//! Chapter 2: production. Answers, and the ways to get none.

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::grant::Environment;
use lingqu_core::receipt::{Level, Receipt};

use super::Tale;
use super::caller::{asked, flight, plane};
use super::setting_up::{CATALOG_GRANT, GRANT, SMALL_GRANT, SMALL_QUOTA};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::Which;
use crate::report::Report;

const OUR_TABLE: &str = "the unit's signed policy and grant, pinned key";
const LOG_KEYS: &str = "the node's log key and the mirror's key";

pub(super) async fn tell(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("2. Production · 生产调用")
        .during("reporting")?;
    answers(tale, report).await?;
    retries(tale, report).await?;
    denials(tale, report).await?;
    quota(tale, report).await?;
    receipt(network, tale, report).await
}

async fn answers(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let good = Question::new(
        asked(Which::Plane, GRANT),
        plane("N10156", "EMBRAER", "EMB-145XR", 2004),
    );
    let answer = tale.bank.verify(&good).await.during("the first call")?;
    let got = format!("{}, {}", answer.value, level(answer.proven.level));
    tale.answered += 1;
    tale.kept = Some(answer);
    report
        .step(
            "000 Art. 18; 001 Art. 45",
            "the bank asks: is N10156 an EMBRAER EMB-145XR of 2004?",
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
        let got = tale
            .bank
            .told(&Question::new(asked(Which::Plane, GRANT), claims))
            .await;
        tale.answered += u64::from(got == "NO_MATCH");
        report
            .step("000 Art. 18; R-314", what, "NO_MATCH", got, LOG_KEYS)
            .during("reporting")?;
    }

    let mut flown = Question::new(asked(Which::Flight, GRANT), flight("N14228", "IAH"));
    flown.lagged_accepted = true;
    let answer = tale
        .bank
        .verify(&flown)
        .await
        .during("the second product")?;
    tale.answered += 1;
    report
        .step(
            "001 Art. 29",
            "another product, which may also answer while the mirror is away: did N14228 fly UA 1545 to IAH on 2013-01-01?",
            "MATCH",
            answer.value.to_string(),
            "the node's log key",
        )
        .during("reporting")
}

async fn retries(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let call = Question::new(
        asked(Which::Plane, GRANT),
        plane("N102UW", "AIRBUS INDUSTRIE", "A320-214", 1998),
    );
    let first = tale.bank.verify(&call).await.during("a call")?;
    let again = tale.bank.verify(&call).await.during("its retry")?;
    tale.answered += 1;
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
    let mut other = call.clone();
    other.arguments = plane("N102UW", "AIRBUS INDUSTRIE", "A320-214", 1999);
    let got = tale.bank.told(&other).await;
    let expected = ErrorCode::CallIdReused.as_str();
    report
        .step(
            "002 §7",
            "… and the same call id with another question",
            expected,
            got,
            "the node's own journal",
        )
        .during("reporting")
}

async fn denials(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let claims = || plane("N10156", "EMBRAER", "EMB-145XR", 2004);
    let mut marketing = Question::new(asked(Which::Plane, GRANT), claims());
    marketing.asked.purpose = "MARKETING".to_owned();
    let mut test = Question::new(asked(Which::Plane, GRANT), claims());
    test.asked.environment = Environment::Test;
    let mut stranger = Question::new(asked(Which::Plane, GRANT), claims());
    stranger.asked.end_user = "91350100M000100Y43".to_owned();
    let catalog = Question::new(asked(Which::Plane, CATALOG_GRANT), claims());
    let foreign = Question::new(asked(Which::Plane, GRANT), claims());
    let cases = [
        (
            "003 Art. 17",
            "the bank states the purpose MARKETING",
            ErrorCode::PurposeMismatch,
            &tale.bank,
            &marketing,
        ),
        (
            "003 Art. 12(四)",
            "the bank presents its grant in the TEST environment",
            ErrorCode::EnvMismatch,
            &tale.bank,
            &test,
        ),
        (
            "003 Art. 12(三)",
            "the bank calls for an end user that the grant does not name",
            ErrorCode::EndUserNotGranted,
            &tale.bank,
            &stranger,
        ),
        (
            "003 Art. 10(二)(三), 附件1(八)",
            "the catalog licensee calls with its catalog grant",
            ErrorCode::CatalogGrantOnly,
            &tale.broker,
            &catalog,
        ),
        (
            "003 Art. 12(三)",
            "the catalog licensee calls with the bank's grant",
            ErrorCode::GrantPartyMismatch,
            &tale.broker,
            &foreign,
        ),
    ];
    for (article, what, code, caller, call) in cases {
        let got = caller.told(call).await;
        report
            .step(article, what, code.as_str(), got, OUR_TABLE)
            .during("reporting")?;
    }
    Ok(())
}

async fn quota(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    // Twenty at once against a quota of three: never a fourth answer, whatever the order.
    let calls: Vec<Question> = (0..20)
        .map(|_| {
            Question::new(
                asked(Which::Plane, SMALL_GRANT),
                plane("N103US", "AIRBUS INDUSTRIE", "A320-214", 1999),
            )
        })
        .collect();
    let told = futures::future::join_all(calls.iter().map(|call| tale.bank.told(call))).await;
    let count = |word: &str| told.iter().filter(|got| *got == word).count();
    let (answered, refused) = (count("MATCH"), count(ErrorCode::QuotaExhausted.as_str()));
    tale.answered += answered as u64;
    report
        .step(
            "002 §7; R-333",
            "20 calls at once under the grant with 3 calls a day",
            format!(
                "{SMALL_QUOTA} answered, {} refused with QUOTA_EXHAUSTED",
                20 - SMALL_QUOTA
            ),
            format!("{answered} answered, {refused} refused with QUOTA_EXHAUSTED"),
            "the node's own journal",
        )
        .during("reporting")
}

async fn receipt(
    network: &Network,
    tale: &Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let trust = network.trust()?;
    let kept = tale.kept()?;
    // As a court would get it: the published text form and the trust file, nothing of the network.
    let text = kept.receipt.tlog_proof().to_string();
    let checked = Receipt::from_tlog_proof(&text)
        .during("reading a receipt")?
        .verify(&trust);
    let got = match &checked {
        Ok(proven) => format!("proven, {}", level(proven.level)),
        Err(refused) => refused.to_string(),
    };
    report
        .step(
            "002 §4; 001 Art. 48",
            "the first receipt is checked offline, from its published text form and the trust file alone",
            "proven, mirrored",
            got,
            LOG_KEYS,
        )
        .during("reporting")?;
    let mut altered = kept.receipt.clone();
    let middle = altered.entry.len() / 2;
    altered.entry[middle] ^= 1;
    let got = if altered.verify(&trust).is_err() {
        "refused"
    } else {
        "proven"
    };
    report
        .step(
            "002 §4",
            "… with one bit of the record changed",
            "refused",
            got,
            LOG_KEYS,
        )
        .during("reporting")
}

pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Local => "local",
        Level::Mirrored => "mirrored",
    }
}
