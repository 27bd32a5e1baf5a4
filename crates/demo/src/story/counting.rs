//! Chapter 5, the end: quantities hold under pressure, and a receipt stands on its own.

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::receipt::Receipt;

use super::Tale;
use super::caller::{level, plane, question, refusal};
use super::grants::{SMALL_GRANT, SMALL_QUOTA};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::Which;
use crate::report::Report;

const LOG_KEYS: &str = "the node's log key and the mirror's key";

pub(super) async fn tell(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    quota(tale, report).await?;
    receipt(network, tale, report).await
}

async fn quota(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    // Twenty at once against a quota of three: never a fourth answer, whatever the order.
    let calls: Vec<Question> = (0..20)
        .map(|_| {
            question(
                Which::Plane,
                SMALL_GRANT,
                plane("N103US", "AIRBUS INDUSTRIE", "A320-214", 1999),
            )
        })
        .collect();
    let bank = tale.bank(Which::Plane);
    let asked = futures::future::join_all(calls.iter().map(|call| bank.ask(Which::Plane, call)));
    let (mut answered, mut exhausted) = (0_u64, 0_u64);
    for outcome in asked.await {
        match outcome {
            Ok(told) => answered += u64::from(told.word == "MATCH"),
            Err(failed) => {
                exhausted += u64::from(refusal(&failed) == ErrorCode::QuotaExhausted.as_str());
            }
        }
    }
    tale.count(Which::Plane.unit(), answered);
    report
        .step(
            "002 §7; R-333",
            "20 calls at once under the grant with 3 calls a day",
            format!(
                "{SMALL_QUOTA} answered, {} refused with QUOTA_EXHAUSTED",
                20 - SMALL_QUOTA
            ),
            format!("{answered} answered, {exhausted} refused with QUOTA_EXHAUSTED"),
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
            "002 §4; R-340",
            "… with one bit of the record changed",
            "refused",
            got,
            LOG_KEYS,
        )
        .during("reporting")
}
