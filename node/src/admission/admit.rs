//! Step 4: the facts of one call are gathered from the node's own holdings, and `decide` reads its table.

use std::time::Duration;

use lingqu_core::call::{Call, Denial, Header, Permitted, Received};
use lingqu_core::decide::{ClockState, Facts, GrantFact, ProductFact, first_unmet};
use lingqu_core::product::ProductRef;
use lingqu_core::stop::Stops;
use lingqu_core::{NodeId, Timestamp};

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
pub fn admit(call: Call<Received>, node: NodeFacts<'_>) -> Result<Call<Permitted>, Denial> {
    let header = call.header().clone();
    let grant = find_grant(&header, &node);
    call.decide(&facts(&header, &node, grant))
}

/// Everything that the decision about `grant` depends on.
fn facts<'a>(header: &'a Header, node: &NodeFacts<'a>, grant: GrantFact<'a>) -> Facts<'a> {
    Facts {
        now: node.now,
        node: node.node,
        clock: node.clock,
        reconciled: node.reconciled,
        stops: node.stops,
        epoch: node
            .epoch
            .map(|held| (&held.epoch, held.age(node.now, node.monotonic))),
        caller: &header.caller,
        asked: &header.asked,
        grant,
        product: find_product(header, grant, node.holdings),
    }
}

/// The grant that the call names. When it names none: the only one of the caller's under which it would be allowed;
/// or, when there is none, the one that comes nearest, so that the refusal says what is missing.
fn find_grant<'a>(header: &'a Header, node: &NodeFacts<'a>) -> GrantFact<'a> {
    if let Some(id) = &header.asked.grant {
        return node.holdings.grant_for(id, &header.caller);
    }
    let mut allowed = GrantFact::Unknown;
    let mut nearest = None;
    for grant in node.holdings.grants_of(&header.caller) {
        let fact = GrantFact::Checked(grant);
        match first_unmet(&facts(header, node, fact)) {
            None if matches!(allowed, GrantFact::Unknown) => allowed = fact,
            None => return GrantFact::Several,
            // The row's place in the table is how far the call came under this grant.
            Some(row) if nearest.is_none_or(|(best, _)| row > best) => nearest = Some((row, fact)),
            Some(_) => {}
        }
    }
    match (allowed, nearest) {
        (GrantFact::Unknown, Some((_, nearest))) => nearest,
        (found, _) => found,
    }
}

/// The product version that the call names; or the one that the grant names; or the newest, for the refusal's sake.
fn find_product<'a>(
    header: &Header,
    grant: GrantFact<'_>,
    holdings: &'a Holdings,
) -> ProductFact<'a> {
    let asked = &header.asked;
    let granted = match grant {
        GrantFact::Checked(grant) => grant
            .products
            .iter()
            .find(|granted| granted.reference.id == asked.product),
        GrantFact::Foreign | GrantFact::Refused(_) | GrantFact::Several | GrantFact::Unknown => {
            None
        }
    };
    let version = asked
        .version
        .or(granted.map(|granted| granted.reference.version))
        .or_else(|| Some(holdings.newest(&asked.product)?.version));
    match version {
        Some(version) => {
            let id = asked.product.clone();
            holdings.product(&ProductRef { id, version })
        }
        None => ProductFact::Unknown,
    }
}
