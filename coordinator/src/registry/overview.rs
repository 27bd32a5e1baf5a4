//! What is registered in a region and below it, for people to look at. Nothing is decided by it.
//!
//! A product lies where its node is; a grant lies in its own region and wherever it touches a node.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use lingqu_core::grant::{GRANT_TYPE, Grant};
use lingqu_core::product::{APPROVAL_TYPE, PRODUCT_TYPE, Product};
use lingqu_core::{NodeId, Region, Timestamp};
use lingqu_proto::SignedObject;

use super::objects::{approvals_of, read};
use super::revocations::CurrentEpoch;
use super::{Directory, Registry};
use crate::refusal::Refusal;
use crate::store::nodes::Node;

/// How many objects are read for each one that is shown at most.
const READ_FOR_EACH: usize = 20;

/// What is registered, as far as it fits the page.
pub(crate) struct Overview {
    pub(crate) directory: Arc<Directory>,
    pub(crate) epoch: Arc<CurrentEpoch>,
    pub(crate) now: Timestamp,
    /// Nodes of the region, by id.
    pub(crate) nodes: Vec<Node>,
    /// Product versions of the region, the newest filing first.
    pub(crate) products: Vec<ProductFact>,
    /// Grants of the region in their newest version, the newest filing first.
    pub(crate) grants: Vec<GrantFact>,
    /// Whether there is more of any of them than is shown.
    pub(crate) is_cut: bool,
}

/// A filed product version.
pub(crate) struct ProductFact {
    pub(crate) product: Product,
    pub(crate) state: ProductState,
}

/// How a product version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProductState {
    /// Its unit has approved it.
    Approved,
    /// Filed, and not approved.
    Filed,
    Revoked,
}

/// A filed grant.
pub(crate) struct GrantFact {
    pub(crate) grant: Grant,
    /// Its filing number.
    pub(crate) number: String,
    pub(crate) state: GrantState,
}

/// How a grant stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantState {
    Expired,
    InForce,
    NotYetValid,
    Revoked,
    /// Until its suspension is lifted.
    Suspended,
}

impl Registry {
    /// Everything in `region` and below, at most `rows_max` of each kind.
    pub(crate) async fn overview(
        &self,
        region: &Region,
        rows_max: usize,
    ) -> Result<Overview, Refusal> {
        let directory = self.directory();
        let mut overview = Overview {
            nodes: nodes(&directory, region),
            products: Vec::new(),
            grants: Vec::new(),
            epoch: self.current_epoch(),
            now: self.now(),
            is_cut: false,
            directory,
        };
        overview.is_cut |= overview.nodes.len() > rows_max;
        overview.nodes.truncate(rows_max);
        self.products_into(&mut overview, region, rows_max).await?;
        self.grants_into(&mut overview, region, rows_max).await?;
        Ok(overview)
    }

    async fn products_into(
        &self,
        overview: &mut Overview,
        region: &Region,
        rows_max: usize,
    ) -> Result<(), Refusal> {
        let directory = Arc::clone(&overview.directory);
        let lies_in = |node: &NodeId| lies_in(&directory, node, region);
        let (found, is_cut) = self
            .newest(PRODUCT_TYPE, rows_max, |product: &Product, _| {
                lies_in(&product.node)
            })
            .await?;
        overview.is_cut |= is_cut;
        for (product, _) in found {
            let reference = product.reference.to_string();
            let prefix = approvals_of(&product.node, &product);
            let state = if overview.epoch.revoked.contains(&reference) {
                ProductState::Revoked
            } else if self
                .store
                .objects_below(APPROVAL_TYPE, &prefix)
                .await?
                .is_empty()
            {
                ProductState::Filed
            } else {
                ProductState::Approved
            };
            overview.products.push(ProductFact { product, state });
        }
        Ok(())
    }

    async fn grants_into(
        &self,
        overview: &mut Overview,
        region: &Region,
        rows_max: usize,
    ) -> Result<(), Refusal> {
        let directory = Arc::clone(&overview.directory);
        let mut seen = BTreeSet::new();
        let (found, is_cut) = self
            .newest(GRANT_TYPE, rows_max, |grant: &Grant, _| {
                let touches = |quota: &lingqu_core::grant::NodeQuota| {
                    lies_in(&directory, &quota.node, region)
                };
                let is_here = region.covers(&grant.region) || grant.quotas.iter().any(touches);
                // Versions only grow, so that the first one met is the newest.
                is_here && seen.insert(grant.id.clone())
            })
            .await?;
        overview.is_cut |= is_cut;
        let (epoch, now) = (&overview.epoch, overview.now);
        let facts = found.into_iter().map(|(grant, number)| GrantFact {
            state: state_of(&grant, epoch, now),
            grant,
            number,
        });
        overview.grants = facts.collect();
        Ok(())
    }

    /// The newest objects of a type that `wanted` takes, with their filing numbers, and whether there may be more.
    async fn newest<T: SignedObject>(
        &self,
        kind: &str,
        rows_max: usize,
        mut wanted: impl FnMut(&T, &str) -> bool,
    ) -> Result<(Vec<(T, String)>, bool), Refusal> {
        let mut found = Ok(Vec::new());
        let mut left = rows_max.saturating_mul(READ_FOR_EACH);
        let mut is_cut = false;
        let visited = self.store.visit_newest(kind, |object| {
            let Ok(taken) = &mut found else {
                return ControlFlow::Break(());
            };
            match read::<T>(&object) {
                Err(refusal) => {
                    found = Err(refusal);
                    return ControlFlow::Break(());
                }
                Ok(read) if wanted(&read, &object.number) => taken.push((read, object.number)),
                Ok(_) => {}
            }
            left -= 1;
            is_cut = taken.len() > rows_max || left == 0;
            if is_cut {
                taken.truncate(rows_max);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        visited.await?;
        Ok((found?, is_cut))
    }
}

fn nodes(directory: &Directory, region: &Region) -> Vec<Node> {
    let within = directory
        .nodes
        .values()
        .filter(|node| region.covers(&node.region));
    let mut nodes: Vec<Node> = within.cloned().collect();
    nodes.sort_by(|one, other| one.id.cmp(&other.id));
    nodes
}

fn lies_in(directory: &Directory, node: &NodeId, region: &Region) -> bool {
    let node = directory.nodes.get(node);
    node.is_some_and(|node| region.covers(&node.region))
}

fn state_of(grant: &Grant, epoch: &CurrentEpoch, now: Timestamp) -> GrantState {
    let revoked = |id: &str| epoch.revoked.contains(id);
    if revoked(grant.id.as_str()) || revoked(grant.licensee.as_str()) {
        GrantState::Revoked
    } else if epoch.suspended.contains(&grant.id) {
        GrantState::Suspended
    } else if now >= grant.not_after {
        GrantState::Expired
    } else if now < grant.not_before {
        GrantState::NotYetValid
    } else {
        GrantState::InForce
    }
}
