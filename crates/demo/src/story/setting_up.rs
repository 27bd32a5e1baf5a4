//! Chapter 1: enrolment, what the unit allows, what is registered, what is granted.

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::{Grant, GrantKind};
use lingqu_tlog::{Hash, Signer};

use super::Tale;
use super::caller::Caller;
use crate::cast::{self, Party};
use crate::network::{During, Network, NetworkFailed, wait_until};
use crate::objects::{self, Which};
use crate::report::Report;

/// The bank's grant for everyday use.
pub(super) const GRANT: &str = "grant_sc-0001";
/// The bank's grant with three calls a day.
pub(super) const SMALL_GRANT: &str = "grant_sc-0001-small";
/// The catalog licensee's grant.
pub(super) const CATALOG_GRANT: &str = "grant_cat-0001";
/// Calls a day under [`SMALL_GRANT`].
pub(super) const SMALL_QUOTA: u64 = 3;

pub(super) async fn tell(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<Tale, NetworkFailed> {
    enrol(network, report).await?;
    let digests = register(network, report).await?;
    grant(network, report, &digests).await?;
    network.start_node().await?;
    // The node has what was filed as soon as its coordinator has pushed it.
    wait_until(network, "the node has all that was filed", |node| {
        node.journal().reconciled() && node.products_open() == 2 && node.holdings().len() >= 9
    })
    .await?;
    let trust = network.trust()?;
    let bank = Caller::connect_with(network, Party::Bank, trust.clone()).await?;
    let broker = Caller::connect_with(network, Party::Broker, trust.clone()).await?;
    Ok(Tale {
        trust,
        bank,
        broker,
        answered: 0,
        kept: None,
    })
}

async fn enrol(network: &mut Network, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    report
        .heading("1. Setting up · 准入与登记")
        .during("reporting")?;
    let mut enrolled = 0;
    for party in Party::ALL {
        // The agency is the coordinator's founder: somebody must issue the first code.
        if party != Party::Agency {
            let code = network.issue_party_code(party).await?;
            enrolled += u32::from(network.enrol_party(party, &code).await?.is_ok());
        }
    }
    report
        .step(
            "003 附件1; 003 Art. 4",
            "the agency issues one-time codes; unit, bank, broker and two data bureaus enrol with proof of their keys",
            "7 parties enrolled",
            format!("{enrolled} parties enrolled"),
            "each party's own approval key",
        )
        .during("reporting")?;

    let code = network.issue_node_code().await?;
    let origin = network.enrol_node(&code).await?;
    let got = match &origin {
        Ok(origin) => format!("writes the stream {origin}"),
        Err(code) => code.to_string(),
    };
    let stream = format!("writes the stream {}/s/", cast::ORIGIN_NAME);
    report
        .step(
            "004 Art. 18",
            "the unit's node enrols with its log key and is told which stream it writes",
            format!("{stream}…"),
            got,
            "the node's log key",
        )
        .during("reporting")?;

    let again = network.enrol_node(&code).await?;
    report
        .step(
            "003 Art. 4",
            "somebody tries the node's code a second time",
            ErrorCode::CodeInvalid.as_str(),
            outcome(&again.map(|_| "enrolled")),
            "the coordinator's registry",
        )
        .during("reporting")
}

async fn register(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<Vec<(Which, Hash)>, NetworkFailed> {
    let mut digests = Vec::new();
    let mut filed = 0;
    for which in Which::ALL {
        let policy = network.signed(&objects::policy(which), &[Party::Unit])?;
        let product = network.signed(&objects::product(which), &[Party::Agency])?;
        let approval =
            network.signed(&objects::approval(which, &product, &policy), &[Party::Unit])?;
        for (party, object) in [
            (Party::Unit, &policy),
            (Party::Agency, &product),
            (Party::Unit, &approval),
        ] {
            filed += u32::from(network.file(party, object).await?.is_ok());
        }
        digests.push((which, product.digest()));
    }
    report
        .step(
            "003 Art. 7(五)–(七); 001 Art. 45",
            "for two products: the unit signs its policy, the agency registers, the unit approves exactly those bytes",
            "6 objects filed",
            format!("{filed} objects filed"),
            "the unit's and the agency's approval keys",
        )
        .during("reporting")?;
    Ok(digests)
}

async fn grant(
    network: &mut Network,
    report: &mut Report<'_>,
    digests: &[(Which, Hash)],
) -> Result<(), NetworkFailed> {
    let now = network.clock().now();
    let bank_key = network.approval_key(Party::Bank)?;
    let broker_key = network.approval_key(Party::Broker)?;
    let full = objects::grant(GRANT, Party::Bank, bank_key.public_key(), digests, now);
    let mut small = objects::grant(
        SMALL_GRANT,
        Party::Bank,
        bank_key.public_key(),
        &digests[..1],
        now,
    );
    small.quotas[0].calls_per_day = SMALL_QUOTA;
    let mut catalog = objects::grant(
        CATALOG_GRANT,
        Party::Broker,
        broker_key.public_key(),
        digests,
        now,
    );
    catalog.kind = GrantKind::Catalog;

    let unsigned = network.signed(&full, &[Party::Agency, Party::Bank])?;
    let refused = network.file(Party::Agency, &unsigned).await?;
    report
        .step(
            "003 Art. 12(三)",
            "the agency tries to file a grant that the unit has not signed",
            ErrorCode::GrantUnsignedByUnit.as_str(),
            outcome(&refused.map(|_| "filed")),
            "the unit's approval key, whose signature is missing",
        )
        .during("reporting")?;

    let mut numbers = Vec::new();
    for (grant, licensee) in [
        (&full, Party::Bank),
        (&small, Party::Bank),
        (&catalog, Party::Broker),
    ] {
        let envelope = network.signed(grant, &[Party::Agency, licensee, Party::Unit])?;
        if let Some(number) = file_grant(network, grant, &envelope).await? {
            numbers.push(number);
        }
    }
    report
        .step(
            "003 Art. 12(三); 002 §7",
            "agency, licensee and unit sign three grants: 5,000 calls a day, 3 calls a day, and one for the catalog only",
            "3 grants filed, the first under …",
            format!(
                "{} grants filed, the first under {}",
                numbers.len(),
                numbers.first().map_or("nothing", String::as_str)
            ),
            "agency's, licensee's and unit's approval keys",
        )
        .during("reporting")
}

async fn file_grant(
    network: &mut Network,
    grant: &Grant,
    envelope: &Envelope,
) -> Result<Option<String>, NetworkFailed> {
    let filed = network.file(Party::Agency, envelope).await?;
    if filed.is_ok() && grant.id.as_str() != SMALL_GRANT {
        network.list_grant(grant);
    }
    Ok(filed.ok().map(|(number, _)| number))
}

/// What came of an attempt, in a word.
pub(super) fn outcome<T: ToString>(result: &Result<T, ErrorCode>) -> String {
    match result {
        Ok(done) => done.to_string(),
        Err(code) => code.to_string(),
    }
}
