//! One product of the transport bureau under one grant of the bank: enrolled, filed and open on a network of the demo.

use lingqu_core::ErrorCode;
use lingqu_core::envelope::Envelope;
use lingqu_core::product::Definition;
use lingqu_demo::cast::Party;
use lingqu_demo::network::{Network, NetworkFailed, wait_until};
use lingqu_demo::objects::{self, Which};
use lingqu_tlog::Signer;

/// The bank's grant: the story's, with a quota that no run exhausts.
pub(crate) const GRANT: &str = "grant_bench";
/// Calls that it allows.
const QUOTA: u64 = 1_000_000_000_000;

/// Why there is no product to call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilingFailed {
    /// Something of the network could not be made or run.
    #[error(transparent)]
    Network(#[from] NetworkFailed),
    /// The coordinator refused what it must not refuse.
    #[error("{what}: {code}")]
    Refused { what: &'static str, code: ErrorCode },
}

/// Enrols the unit, the bank, the regulator and the node.
pub(crate) async fn enrol(network: &Network) -> Result<(), FilingFailed> {
    for party in [Party::Unit, Party::Bank, Party::Bureau] {
        let code = network.issue_party_code(party).await?;
        accepted("enrolling", network.enrol_party(party, &code).await?)?;
    }
    let code = network.issue_node_code().await?;
    accepted("enrolling", network.enrol_node(&code).await?)?;
    Ok(())
}

/// Enrols, and files what the node needs to answer.
pub(crate) async fn file(network: &Network, which: Which) -> Result<(), FilingFailed> {
    enrol(network).await?;
    for resource in dimensions(which) {
        let policy = objects::resource_policy(which.unit(), &resource);
        let policy = network.signed(&policy, &[Party::Unit])?;
        accepted("filing", network.file(Party::Unit, &policy).await?)?;
    }
    let policy = network.signed(&objects::policy(which), &[Party::Unit])?;
    let product = network.signed(&objects::product(which), &[Party::Agency])?;
    let approval = objects::approval(which, &product, &policy);
    let approval = network.signed(&approval, &[Party::Unit])?;
    let key = network.approval_key(Party::Bank)?;
    let products = [(which, product.digest())];
    let now = network.clock().now();
    let mut grant = objects::grant(GRANT, Party::Bank, key.public_key(), &products, now);
    grant.quotas[0].calls_per_day = QUOTA;
    grant.quotas[0].calls_total = QUOTA;
    let grant = network.signed(&grant, &[Party::Agency, Party::Bank, Party::Unit])?;
    let objects: [(Party, &Envelope); 4] = [
        (Party::Unit, &policy),
        (Party::Agency, &product),
        (Party::Unit, &approval),
        (Party::Agency, &grant),
    ];
    for (party, object) in objects {
        accepted("filing", network.file(party, object).await?)?;
    }
    Ok(())
}

/// Waits until the running node can answer.
pub(crate) async fn ready(network: &Network, which: Which) -> Result<(), FilingFailed> {
    // Policy, product, approval and grant, and a policy for each dimension.
    let held = 4 + dimensions(which).len();
    let has_all = wait_until(network, "the node has all that was filed", |node| {
        node.journal().reconciled() && node.products_open() == 1 && node.holdings().len() >= held
    });
    Ok(has_all.await?)
}

fn dimensions(which: Which) -> Vec<String> {
    match objects::product(which).definition {
        Definition::Statistic(statistic) => statistic.dimensions,
        Definition::Model(_) | Definition::Verification(_) => Vec::new(),
    }
}

fn accepted<T>(what: &'static str, outcome: Result<T, ErrorCode>) -> Result<T, FilingFailed> {
    outcome.map_err(|code| FilingFailed::Refused { what, code })
}
