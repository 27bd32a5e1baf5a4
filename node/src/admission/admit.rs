//! Step 4: the facts of one call are gathered from the node's own holdings, and `decide` reads its table.

use std::time::Duration;

use lingqu_core::call::{Call, Denial, Permitted, Received};
use lingqu_core::decide::{ClockState, Facts, GrantFact, ProductFact};
use lingqu_core::product::ProductRef;
use lingqu_core::stop::Stops;
use lingqu_core::{GrantId, NodeId, Timestamp};

use super::epoch::Held;
use super::holdings::Holdings;

/// What of the node's state the decision depends on, taken once per call.
#[derive(Clone, Copy, Debug)]
pub struct NodeFacts<'a> {
    /// This node.
    pub node: &'a NodeId,
    /// Now, and never before a recorded time.
    pub now: Timestamp,
    /// Monotonic now.
    pub monotonic: Duration,
    /// What the clock is worth.
    pub clock: ClockState,
    /// Whether journal and mirror were compared since the start.
    pub reconciled: bool,
    /// The unit's stops.
    pub stops: &'a Stops,
    /// The epoch in force.
    pub epoch: Option<&'a Held>,
    /// Grants and products.
    pub holdings: &'a Holdings,
}

/// Decides `call` by what the node holds.
#[expect(
    clippy::result_large_err,
    reason = "a refusal is as usual as an answer, and moved once"
)]
pub fn admit(call: Call<Received>, node: NodeFacts<'_>) -> Result<Call<Permitted>, Denial> {
    let header = call.header().clone();
    let grant = find_grant(&header, node.holdings);
    let product = find_product(&header, grant, node.holdings);
    call.decide(&Facts {
        now: node.now,
        node: node.node,
        clock: node.clock,
        reconciled: node.reconciled,
        stops: node.stops,
        epoch: node
            .epoch
            .map(|held| (&held.epoch, held.age(node.monotonic))),
        caller: &header.caller,
        asked: &header.asked,
        grant,
        product,
    })
}

/// The grant that the call names; or, when it names none, the only one of the caller's that fits.
fn find_grant<'a>(header: &lingqu_core::call::Header, holdings: &'a Holdings) -> GrantFact<'a> {
    let by_id = |id: &GrantId| match (holdings.grant(id), holdings.refusal(id)) {
        (Some(grant), _) => GrantFact::Checked(grant),
        (None, Some(code)) => GrantFact::Refused(code),
        (None, None) => GrantFact::Unknown,
    };
    if let Some(id) = &header.asked.grant {
        return by_id(id);
    }
    let asked = &header.asked;
    let mut fitting = holdings.grants_of(&header.caller).filter(|grant| {
        grant.scenario == asked.scenario
            && grant.purposes.contains(&asked.purpose)
            && grant.environments.contains(&asked.environment)
            && grant
                .products
                .iter()
                .any(|granted| granted.reference.id == asked.product)
    });
    match (fitting.next(), fitting.next()) {
        (Some(grant), None) => GrantFact::Checked(grant),
        (Some(_), Some(_)) => GrantFact::Several,
        (None, _) => GrantFact::Unknown,
    }
}

/// The product version that the call names; or the one that the grant names; or the newest, for the refusal's sake.
fn find_product<'a>(
    header: &lingqu_core::call::Header,
    grant: GrantFact<'_>,
    holdings: &'a Holdings,
) -> ProductFact<'a> {
    let asked = &header.asked;
    let granted = match grant {
        GrantFact::Checked(grant) => grant
            .products
            .iter()
            .find(|granted| granted.reference.id == asked.product),
        GrantFact::Refused(_) | GrantFact::Several | GrantFact::Unknown => None,
    };
    let version = asked
        .version
        .or(granted.map(|granted| granted.reference.version))
        .or(holdings
            .newest(&asked.product)
            .map(|reference| reference.version));
    match version {
        Some(version) => holdings.product(&ProductRef {
            id: asked.product.clone(),
            version,
        }),
        None => ProductFact::Unknown,
    }
}
