//! Chapter 4: revocation, the coordinator away, the unit's own stop.

use std::time::Duration;

use lingqu_client::Question;
use lingqu_core::ErrorCode;
use lingqu_core::stop::StopScope;

use super::Tale;
use super::caller::{asked, flight, plane};
use super::calling::level;
use super::setting_up::{GRANT, SMALL_GRANT};
use crate::cast::Party;
use crate::network::{During, Network, NetworkFailed, wait_until};
use crate::objects::Which;
use crate::report::Report;

pub(super) async fn tell(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("4. Ending · 撤销、断连与停用")
        .during("reporting")?;
    revoke(network, tale, report).await?;
    away(network, tale, report).await?;
    stop(network, tale, report).await?;
    back(network, tale, report).await
}

fn plane_call(grant: &str) -> Question {
    Question::new(
        asked(Which::Plane, grant),
        plane("N104UW", "AIRBUS INDUSTRIE", "A320-214", 1999),
    )
}

async fn revoke(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let began = network.clock().monotonic();
    let revoked = network
        .revoke(Party::Agency, SMALL_GRANT, "re-supplying to a third party")
        .await?;
    // Poll as a caller would: the first refusal with the new code ends it.
    let limit = Duration::from_secs(1);
    let mut got = revoked.map_or_else(|code| code.to_string(), |_| String::new());
    while got.is_empty() && network.clock().monotonic().saturating_sub(began) < limit {
        let told = tale.bank.told(&plane_call(SMALL_GRANT)).await;
        if told == ErrorCode::GrantRevoked.as_str() {
            got = format!("{told} within a second");
        }
    }
    if got.is_empty() {
        got = "still not refused after a second".to_owned();
    }
    report
        .step(
            "003 Art. 12(三), 17, 19; R-282",
            "the agency revokes the small grant; the bank keeps calling under it",
            "GRANT_REVOKED within a second",
            got,
            "the coordinator's signing key, which can only narrow",
        )
        .during("reporting")
}

async fn away(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    network.stop_coordinator().await?;
    wait_until(
        network,
        "the node notices that the mirror is away",
        |node| {
            node.journal()
                .audit_ready(lingqu_policy::AuditTerms::Mirrored { wait_ms_max: 1 })
                .is_err()
        },
    )
    .await?;
    let got = tale.bank.told(&plane_call(GRANT)).await;
    report
        .step(
            "001 Art. 48; R-412",
            "the coordinator goes away; the product that must be mirrored gives no answer",
            ErrorCode::AuditUnavailable.as_str(),
            got,
            "the mirror's key, whose cosignature is missing",
        )
        .during("reporting")?;
    let mut flown = Question::new(asked(Which::Flight, GRANT), flight("N14228", "IAH"));
    flown.lagged_accepted = true;
    let got = match tale.bank.verify(&flown).await {
        Ok(answer) => format!("{}, {}", answer.value, level(answer.proven.level)),
        Err(failed) => failed.to_string(),
    };
    tale.answered += 1;
    report
        .step(
            "001 Art. 29",
            "… the product whose unit allows a bounded lag answers, and its receipt says how far it is secured",
            "MATCH, local",
            got,
            "the node's log key",
        )
        .during("reporting")
}

async fn stop(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let party = StopScope::Party(Party::Bank.id());
    let stopped = network.order(1, false, party.clone()).await?;
    // The stop cut the bank's connection; it dials again and is refused call by call.
    tale.bank =
        super::caller::Caller::connect_with(network, Party::Bank, tale.trust.clone()).await?;
    let mut flown = Question::new(asked(Which::Flight, GRANT), flight("N14228", "IAH"));
    flown.lagged_accepted = true;
    let told = tale.bank.told(&flown).await;
    let got = if stopped {
        told
    } else {
        "the order was refused".to_owned()
    };
    report
        .step(
            "004 Art. 10; R-049",
            "the unit stops the bank at its own node, with the coordinator still away",
            ErrorCode::Stopped.as_str(),
            got,
            "the unit's approval key",
        )
        .during("reporting")?;
    network.order(2, true, party).await?;
    Ok(())
}

async fn back(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    network.start_coordinator().await?;
    wait_until(network, "the mirror has caught up", |node| {
        let journal = node.journal();
        journal
            .audit_ready(lingqu_policy::AuditTerms::Mirrored { wait_ms_max: 1 })
            .is_ok()
            && journal.mirrored_size() == journal.size()
    })
    .await?;
    let call = plane_call(GRANT);
    let got = match tale.bank.verify(&call).await {
        Ok(answer) => format!("{}, {}", answer.value, level(answer.proven.level)),
        Err(failed) => failed.to_string(),
    };
    tale.answered += 1;
    report
        .step(
            "001 Art. 48; R-412",
            "the coordinator is back: what happened meanwhile is mirrored in order, and calls go on",
            "MATCH, mirrored",
            got,
            "the node's log key and the mirror's key",
        )
        .during("reporting")
}
