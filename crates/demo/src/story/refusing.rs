//! Chapter 5, continued: the ways to get no answer. Each is recorded with its code, and none is charged.

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::grant::Environment;

use super::Tale;
use super::caller::{Caller, months, plane, question, refusal};
use super::grants::{CATALOG_GRANT, GRANT, SMALL_GRANT};
use crate::network::{During, NetworkFailed};
use crate::objects::Which;
use crate::report::Report;

const OUR_TABLE: &str = "the unit's signed policy and grant, pinned key";

/// One attempt.
struct Attempt<'a> {
    article: &'static str,
    what: &'static str,
    code: ErrorCode,
    caller: &'a Caller,
    which: Which,
    call: Question,
}

pub(super) async fn tell(tale: &mut Tale, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    for attempt in attempts(tale) {
        let asked = attempt.caller.ask(attempt.which, &attempt.call).await;
        let got = match asked {
            Ok(told) => told.word,
            Err(failed) => refusal(&failed),
        };
        report
            .step(
                attempt.article,
                attempt.what,
                attempt.code.as_str(),
                got,
                OUR_TABLE,
            )
            .during("reporting")?;
    }
    Ok(())
}

fn attempts(tale: &Tale) -> Vec<Attempt<'_>> {
    let by_bank = |article, what, code, change: fn(&mut Question)| {
        let driver = &tale.people[0];
        let claim = months(&driver.id_no, &driver.name, 12);
        let mut call = question(Which::ContribMonths, GRANT, claim);
        change(&mut call);
        Attempt {
            article,
            what,
            code,
            caller: tale.bank(Which::ContribMonths),
            which: Which::ContribMonths,
            call,
        }
    };
    let by_broker = |article, what, code, grant| Attempt {
        article,
        what,
        code,
        caller: &tale.broker,
        which: Which::Plane,
        call: question(
            Which::Plane,
            grant,
            plane("N10156", "EMBRAER", "EMB-145XR", 2004),
        ),
    };
    vec![
        by_bank(
            "003 Art. 17; R-286",
            "the bank states the purpose MARKETING",
            ErrorCode::PurposeMismatch,
            |call| call.asked.purpose = "MARKETING".to_owned(),
        ),
        by_bank(
            "003 Art. 12(三)",
            "the bank calls for an end user that the grant does not name",
            ErrorCode::EndUserNotGranted,
            |call| call.asked.end_user = "91350100M000100Y43".to_owned(),
        ),
        by_bank(
            "003 Art. 12(四)",
            "the bank calls TEST under a grant that is for production alone",
            ErrorCode::EnvMismatch,
            |call| {
                call.asked.grant = SMALL_GRANT.parse().ok();
                call.asked.environment = Environment::Test;
            },
        ),
        by_bank(
            "000 Art. 18; R-314",
            "the bank asks for the model's answer, but sends a claim to be verified",
            ErrorCode::ProductKindMismatch,
            |call| call.asked.product = Which::IncomeStability.reference().id,
        ),
        by_bank(
            "000 Art. 18; R-347",
            "the bank leaves the name out of the claim, to learn from fewer fields",
            ErrorCode::ClaimInvalid,
            |call| call.arguments.retain(|(field, _)| field != "name"),
        ),
        by_broker(
            "003 Art. 10(二)(三), 附件1(八); R-060",
            "the catalog licensee calls with its catalog grant",
            ErrorCode::CatalogGrantOnly,
            CATALOG_GRANT,
        ),
        by_broker(
            "003 Art. 12(三)",
            "the catalog licensee calls with the bank's grant: it is told as if there were none, the record has the reason",
            ErrorCode::GrantUnknown,
            GRANT,
        ),
    ]
}
