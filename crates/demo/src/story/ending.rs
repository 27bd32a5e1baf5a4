//! Chapter 8: suspension and its lifting, revocation at both nodes within a second.

use std::time::Duration;

use lingqu_client::Question;
use lingqu_core::epoch::{Lifting, Suspension};
use lingqu_core::{ErrorCode, GrantId};

use super::Tale;
use super::caller::{months, plane, question};
use super::grants::{CATALOG_GRANT, GRANT, SMALL_GRANT};
use crate::cast::Party;
use crate::network::{During, Network, NetworkFailed};
use crate::objects::Which;
use crate::report::Report;

const NARROWING: &str = "the coordinator's signing key, which can only narrow";
/// How long a change may take until every node follows it.
const BOUND: Duration = Duration::from_secs(1);

pub(super) async fn tell(
    network: &mut Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("8. Suspension and revocation · 中止与撤销")
        .during("reporting")?;
    suspend(network, tale, report).await?;
    revoke(network, tale, report).await
}

fn claim(tale: &Tale, which: Which, grant: &str) -> Question {
    let arguments = match which {
        Which::Plane => plane("N104UW", "AIRBUS INDUSTRIE", "A320-214", 1999),
        _ => {
            let driver = &tale.people[0];
            months(&driver.id_no, &driver.name, 12)
        }
    };
    question(which, grant, arguments)
}

/// Polls as a caller would since `began`: the first call that is told `expected` ends it.
async fn within_a_second(
    network: &Network,
    tale: &mut Tale,
    (which, grant): (Which, &str),
    (began, expected): (Duration, &str),
) -> String {
    loop {
        let call = claim(tale, which, grant);
        let told = tale.told(which, &call).await;
        let took = network.clock().monotonic().saturating_sub(began);
        if told == expected && took <= BOUND {
            return format!("{told} within a second");
        }
        if took > BOUND {
            return format!("still {told} after a second");
        }
    }
}

async fn suspend(
    network: &Network,
    tale: &mut Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let grant: GrantId = GRANT.parse().during("naming a grant")?;
    let suspension = Suspension {
        by: Party::Agency.id(),
        grant,
        reason: "整改密钥管理 key handling to be rectified".to_owned(),
        issued: network.clock().now(),
    };
    let envelope = network.signed(&suspension, &[Party::Agency])?;
    let agency = network.desk(Party::Agency).await?;
    let began = network.clock().monotonic();
    let (_, digest) = agency.suspend(&envelope).await.during("suspending")?;
    let at = (Which::ContribMonths, GRANT);
    let code = ErrorCode::GrantSuspended.as_str();
    let got = within_a_second(network, tale, at, (began, code)).await;
    report
        .step(
            "003 Art. 17–19; R-492",
            "the bank must change how it handles keys; meanwhile the agency suspends its grant",
            format!("{code} within a second"),
            got,
            NARROWING,
        )
        .during("reporting")?;
    let lifting = Lifting {
        by: Party::Agency.id(),
        suspension: digest,
        reason: "整改完成 rectified".to_owned(),
        issued: network.clock().now(),
    };
    let envelope = network.signed(&lifting, &[Party::Agency])?;
    let began = network.clock().monotonic();
    agency.lift(&envelope).await.during("lifting")?;
    let got = within_a_second(network, tale, at, (began, "MATCH")).await;
    report
        .step(
            "003 Art. 17–19; R-492",
            "… the keys are in order, the suspension is lifted",
            "MATCH within a second",
            got,
            NARROWING,
        )
        .during("reporting")
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
    let code = ErrorCode::GrantRevoked.as_str();
    for (what, which) in [
        (
            "the bank re-supplied verdicts: the agency revokes its small grant, and the bank keeps calling Lanxi's node",
            Which::Plane,
        ),
        ("… and Qinghe's", Which::ContribMonths),
    ] {
        let got = match &revoked {
            Ok(_) => within_a_second(network, tale, (which, SMALL_GRANT), (began, code)).await,
            Err(refused) => refused.to_string(),
        };
        report
            .step(
                "003 Art. 12(三), 17, 19; R-282",
                what,
                format!("{code} within a second"),
                got,
                NARROWING,
            )
            .during("reporting")?;
    }
    // A unit ends what touches its own data, and nobody else's.
    let foreign = network
        .revoke(Party::SocialSecurity, CATALOG_GRANT, "not its own")
        .await?;
    report
        .step(
            "003 Art. 19",
            "the social-security bureau asks to revoke a grant that touches the transport bureau alone",
            ErrorCode::RevocationForbidden.as_str(),
            super::outcome(&foreign.map(|_| "revoked")),
            "the coordinator's registry",
        )
        .during("reporting")
}
