//! Chapter 7: the coordinator is away. What must be mirrored waits, what may lag goes on within its limits, and a unit
//! stops a caller without asking anybody.

use lingqu_core::ErrorCode;
use lingqu_core::stop::StopScope;
use lingqu_node::Node;
use lingqu_policy::AuditTerms;

use super::Tale;
use super::caller::{Caller, departures, flight, months, question};
use super::grants::GRANT;
use crate::cast::{Party, Unit};
use crate::network::{During, Network, NetworkFailed, wait_until_of};
use crate::objects::Which;
use crate::report::Report;

const MIRRORED: AuditTerms = AuditTerms::Mirrored { wait_ms_max: 1 };

pub(super) async fn tell(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("7. The coordinator is away · 断连")
        .during("reporting")?;
    away(network, tale, report).await?;
    stop(network, tale, report).await?;
    back(network, tale, report).await
}

fn contributions(tale: &Tale) -> lingqu_client::Question {
    let driver = &tale.people[0];
    let claim = months(&driver.id_no, &driver.name, 12);
    question(Which::ContribMonths, GRANT, claim)
}

async fn away(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    network.stop_coordinator().await?;
    let is_away = |node: &Node| node.journal().audit_ready(MIRRORED).is_err();
    for unit in Unit::ALL {
        wait_until_of(
            network,
            unit,
            "the node notices that the mirror is away",
            is_away,
        )
        .await?;
    }
    let got = tale.told(Which::ContribMonths, &contributions(tale)).await;
    report
        .step(
            "001 Art. 48; R-412",
            "the coordinator goes away; a product that must be mirrored gives no answer",
            ErrorCode::AuditUnavailable.as_str(),
            got,
            "the mirror's key, whose cosignature is missing",
        )
        .during("reporting")?;
    for (what, which, arguments, expected) in [
        (
            "… a verification whose unit allows a bounded lag answers, and its receipt says how far it is secured",
            Which::Flight,
            flight("N14228", "IAH"),
            "MATCH, local",
        ),
        (
            "… and so does its statistic",
            Which::Delays,
            departures("LGA", 2),
            "12 rows, local",
        ),
    ] {
        let call = question(which, GRANT, arguments);
        let asked = tale.ask(which, &call).await;
        let got = asked.map_or_else(|refused| refused, |told| told.secured());
        report
            .step("001 Art. 29", what, expected, got, "the node's log key")
            .during("reporting")?;
    }
    Ok(())
}

async fn stop(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let party = StopScope::Party(Party::Bank.id());
    let stopped = network.order(1, false, party.clone()).await?;
    // The stop cut the bank's connection; it dials again and is refused call by call.
    reconnect(network, tale).await?;
    let call = question(Which::Flight, GRANT, flight("N14228", "IAH"));
    let told = tale.told(Which::Flight, &call).await;
    report
        .step(
            "004 Art. 10; R-049",
            "the transport bureau stops the bank at its own node, with the coordinator still away",
            ErrorCode::Stopped.as_str(),
            if stopped {
                told
            } else {
                "the order was refused".to_owned()
            },
            "the unit's approval key",
        )
        .during("reporting")?;
    let lifted = network.order(2, true, party).await?;
    reconnect(network, tale).await?;
    let told = tale.told(Which::Flight, &call_again()).await;
    report
        .step(
            "004 Art. 10; R-049",
            "… and lifts the stop again",
            "MATCH",
            if lifted {
                told
            } else {
                "the order was refused".to_owned()
            },
            "the unit's approval key",
        )
        .during("reporting")
}

fn call_again() -> lingqu_client::Question {
    question(Which::Flight, GRANT, flight("N14228", "IAH"))
}

async fn reconnect(network: &Network, tale: &mut Tale) -> Result<(), NetworkFailed> {
    let bank = Caller::connect(network, Unit::Transport, Party::Bank, &tale.trust).await?;
    tale.bank.insert(Unit::Transport, bank);
    Ok(())
}

async fn back(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let behind = network.node().map_or(0, |node| {
        node.journal().size() - node.journal().mirrored_size()
    });
    network.start_coordinator().await?;
    let caught_up = |node: &Node| {
        let journal = node.journal();
        journal.audit_ready(MIRRORED).is_ok() && journal.mirrored_size() == journal.size()
    };
    for unit in Unit::ALL {
        wait_until_of(network, unit, "the mirror has caught up", caught_up).await?;
    }
    report
        .step(
            "001 Art. 48; R-412",
            "the coordinator is back: what was recorded meanwhile is delivered in order and cosigned",
            "records were waiting, none is now",
            match behind {
                0 => "no record was waiting",
                _ => "records were waiting, none is now",
            },
            "the node's log key and the mirror's key",
        )
        .during("reporting")?;
    let call = contributions(tale);
    let asked = tale.ask(Which::ContribMonths, &call).await;
    let got = asked.map_or_else(|refused| refused, |told| told.secured());
    report
        .step(
            "001 Art. 48; R-412",
            "… and calls go on",
            "MATCH, mirrored",
            got,
            "the node's log key and the mirror's key",
        )
        .during("reporting")
}
