//! The unit's own stop: local, immediate, without the coordinator.

use std::collections::BTreeSet;

use crate::product::ProductRef;
use crate::{GrantId, NodeId, PartyId, Timestamp};

/// Payload type of a stop order's envelope.
pub const STOP_TYPE: &str = "lingqu.v1.StopOrder";

/// What a stop order is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopScope {
    /// Every call.
    All,
    /// Calls under one grant.
    Grant(GrantId),
    /// Calls by one party.
    Party(PartyId),
    /// Calls of one product version.
    Product(ProductRef),
}

/// A signed order of the unit to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopOrder {
    /// The unit.
    pub unit: PartyId,
    /// The node it is for.
    pub node: NodeId,
    /// Strictly growing per node: an order cannot be replayed.
    pub number: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// Lifts an earlier stop of the same scope.
    pub lift: bool,
    /// What it is about.
    pub scope: StopScope,
}

/// What is stopped at a node, as the fold of its stop orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    scopes: BTreeSet<StopScope>,
    number: u64,
}

/// An order that is not newer than the last one carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stop order {order} is not newer than the last one, {last}")]
pub struct OrderNotNewer {
    /// Number of the refused order.
    pub order: u64,
    /// Number of the last order carried out.
    pub last: u64,
}

impl Stops {
    /// Carries out an order.
    pub fn apply(&mut self, order: &StopOrder) -> Result<(), OrderNotNewer> {
        if order.number <= self.number {
            return Err(OrderNotNewer {
                order: order.number,
                last: self.number,
            });
        }
        self.number = order.number;
        if order.lift {
            self.scopes.remove(&order.scope);
        } else {
            self.scopes.insert(order.scope.clone());
        }
        Ok(())
    }

    /// Number of the last order carried out.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is stopped.
    pub fn scopes(&self) -> impl Iterator<Item = &StopScope> {
        self.scopes.iter()
    }

    /// Whether a call by `party` of `product` is stopped before its grant is even known.
    pub fn stops_call(&self, party: &PartyId, product: &ProductRef, grant: &GrantId) -> bool {
        self.scopes.iter().any(|scope| match scope {
            StopScope::All => true,
            StopScope::Grant(stopped) => stopped == grant,
            StopScope::Party(stopped) => stopped == party,
            StopScope::Product(stopped) => stopped == product,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: u64, lift: bool, scope: StopScope) -> StopOrder {
        StopOrder {
            unit: "party_u".parse().unwrap(),
            node: "node_n".parse().unwrap(),
            number,
            issued: Timestamp(0),
            lift,
            scope,
        }
    }

    #[test]
    fn a_stop_holds_until_a_newer_order_lifts_it() {
        let (party, other) = ("party_a".parse().unwrap(), "party_b".parse().unwrap());
        let product = ProductRef {
            id: "u.p".parse().unwrap(),
            version: 1,
        };
        let grant = "grant_1".parse().unwrap();
        let mut stops = Stops::default();
        stops
            .apply(&order(
                1,
                false,
                StopScope::Party("party_a".parse().unwrap()),
            ))
            .unwrap();
        assert!(stops.stops_call(&party, &product, &grant));
        assert!(!stops.stops_call(&other, &product, &grant));
        // Lifting another scope changes nothing.
        stops.apply(&order(2, true, StopScope::All)).unwrap();
        assert!(stops.stops_call(&party, &product, &grant));
        stops
            .apply(&order(
                3,
                true,
                StopScope::Party("party_a".parse().unwrap()),
            ))
            .unwrap();
        assert!(!stops.stops_call(&party, &product, &grant));
    }

    #[test]
    fn an_order_cannot_be_replayed() {
        let mut stops = Stops::default();
        stops.apply(&order(1, false, StopScope::All)).unwrap();
        stops.apply(&order(2, true, StopScope::All)).unwrap();
        assert_eq!(
            stops.apply(&order(1, false, StopScope::All)),
            Err(OrderNotNewer { order: 1, last: 2 })
        );
    }
}
