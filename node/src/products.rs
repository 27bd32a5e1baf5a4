//! Products over their loads, ready to be asked.
//!
//! A resource has one current [`Snapshot`] in its environments, and every product over it answers from that one: a newer
//! reading takes its place in all of them at once, also where a statistic joins it. [`Products::settle`] works off the
//! calls' path and ends in one swap; see `opening.rs`. What is refused leaves what answered before.

mod opening;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::product::{Definition, ProductRef, SignedPolicy};
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_guard::{Engine, GuardLimits};
use lingqu_tlog::Hash;

use crate::admission::holdings::{ApprovedProduct, Holdings};
use crate::evaluate::Prepared;
use crate::sources::Resource;
use crate::sources::schema::Drift;

pub(crate) use opening::{Correction, Loaded, Settled, Task};
pub(crate) use snapshot::Snapshot;

/// What opening a product may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductLimits {
    /// Rows of one resource.
    pub(crate) rows_max: usize,
    /// Register rows that share one key.
    pub(crate) rows_per_key_max: NonZeroU8,
    /// Of each environment's engine.
    pub(crate) guard: GuardLimits,
}

type Key = (ProductRef, Environment);

/// One product, what it was prepared from, and the product over its loads.
#[derive(Clone)]
struct Open {
    digest: Hash,
    /// The policies in force when it was prepared: on its own resource first, then on the public ones.
    policies: Vec<Arc<SignedPolicy>>,
    /// The resources that it answers from, by their places; its own first.
    resources: Vec<usize>,
    prepared: Arc<Prepared>,
}

/// What answers, as of one swap.
#[derive(Clone, Default)]
struct Answering {
    open: BTreeMap<Key, Open>,
    /// Products that could not be opened, with what they were tried with: they are not tried again with the same.
    shut: BTreeMap<Key, Shut>,
    /// By the places of the resources.
    snapshots: Vec<Option<Arc<Snapshot>>>,
}

#[derive(Clone, PartialEq)]
struct Shut {
    digest: Hash,
    policies: Option<Vec<Arc<SignedPolicy>>>,
    resources: Vec<usize>,
}

/// Every product that can be asked right now.
pub(crate) struct Products {
    resources: Vec<Arc<Resource>>,
    limits: ProductLimits,
    /// Sample data and production data each have an engine of their own, and a run is given the tables of its product
    /// alone: a template of the one cannot name a table of the other, since it is not there.
    samples: OnceLock<Option<Arc<Engine>>>,
    production: OnceLock<Option<Arc<Engine>>>,
    answering: ArcSwap<Answering>,
    /// Tables that are not what the unit has looked at: nothing answers from them until it has.
    changed: Vec<ArcSwapOption<Drift>>,
    /// Held while what answers is replaced, so that nothing comes back that was closed meanwhile.
    swapping: Mutex<()>,
}

impl Products {
    pub(crate) fn new(resources: Vec<Arc<Resource>>, limits: ProductLimits) -> Products {
        let snapshots = vec![None; resources.len()];
        Products {
            changed: resources.iter().map(|_| ArcSwapOption::empty()).collect(),
            resources,
            limits,
            samples: OnceLock::new(),
            production: OnceLock::new(),
            answering: ArcSwap::from_pointee(Answering {
                snapshots,
                ..Answering::default()
            }),
            swapping: Mutex::new(()),
        }
    }

    /// The product that the permit allows, over the environment's own resource and no other.
    ///
    /// # Errors
    /// `RESOURCE_CHANGED`, `RESOURCE_UNAVAILABLE`.
    pub(crate) fn get(&self, permit: &Permit) -> Result<Arc<Prepared>, ErrorCode> {
        let answering = self.answering.load();
        let key = (permit.product().clone(), permit.environment());
        let open = answering.open.get(&key);
        let open = open.filter(|open| open.digest == permit.product_digest());
        let resources = match (&open, answering.shut.get(&key)) {
            (Some(open), _) => open.resources.as_slice(),
            (None, Some(shut)) => shut.resources.as_slice(),
            (None, None) => &[],
        };
        let has_changed = |place: &usize| self.changed[*place].load().is_some();
        match open {
            _ if resources.iter().any(has_changed) => Err(ErrorCode::ResourceChanged),
            Some(open) => Ok(Arc::clone(&open.prepared)),
            None => Err(ErrorCode::ResourceUnavailable),
        }
    }

    /// The same by name, for listings.
    pub(crate) fn opened(
        &self,
        product: &ProductRef,
        environment: Environment,
        digest: Hash,
    ) -> Option<Arc<Prepared>> {
        let answering = self.answering.load();
        let found = answering.open.get(&(product.clone(), environment))?;
        (found.digest == digest).then(|| Arc::clone(&found.prepared))
    }

    /// The resources, as configured.
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// What a resource answers from now, if anything asks it.
    pub(crate) fn snapshot(&self, place: usize) -> Option<Arc<Snapshot>> {
        self.answering.load().snapshots[place].clone()
    }

    /// How the table differs from what the unit has looked at, if it does.
    pub(crate) fn drift(&self, place: usize) -> Option<Arc<Drift>> {
        self.changed[place].load_full()
    }

    /// Blocks every product over the resource, or lets them answer again.
    pub(crate) fn set_drift(&self, place: usize, drift: Option<Drift>) {
        self.changed[place].store(drift.map(Arc::new));
    }

    /// Whether some approved product asks this resource.
    pub(crate) fn is_asked(&self, place: usize) -> bool {
        let answering = self.answering.load();
        let open = answering.open.values().map(|open| &open.resources);
        let shut = answering.shut.values().map(|shut| &shut.resources);
        open.chain(shut).any(|places| places.contains(&place))
    }

    /// The dates that resources answer from, by resource and environment.
    pub(crate) fn dates(&self) -> BTreeMap<(String, Environment), Timestamp> {
        let answering = self.answering.load();
        let mut dates = BTreeMap::new();
        for (resource, snapshot) in self.resources.iter().zip(&answering.snapshots) {
            if let Some(snapshot) = snapshot {
                for environment in &resource.environments {
                    let key = (resource.name.clone(), *environment);
                    dates.insert(key, snapshot.load.as_of);
                }
            }
        }
        dates
    }

    /// How many are open, in whatever number of environments.
    pub(crate) fn len(&self) -> usize {
        let answering = self.answering.load();
        let products: BTreeSet<&ProductRef> =
            answering.open.keys().map(|(product, _)| product).collect();
        products.len()
    }

    /// The engine of these environments, started with the first statistic.
    fn engine(&self, environments: &[Environment]) -> Option<Arc<Engine>> {
        let slot = match environments.contains(&Environment::Test) {
            true => &self.samples,
            false => &self.production,
        };
        slot.get_or_init(|| Engine::new(self.limits.guard).ok().map(Arc::new))
            .clone()
    }
}

/// The policies in force on all resources of the product, its own first; none if one is missing.
fn policies(product: &ApprovedProduct, holdings: &Holdings) -> Option<Vec<Arc<SignedPolicy>>> {
    let own = std::iter::once(Some(Arc::clone(&product.policy)));
    own.chain(
        dimensions(product)
            .iter()
            .map(|name| holdings.policy_on(name)),
    )
    .collect()
}

/// The public resources that a statistic joins.
fn dimensions(product: &ApprovedProduct) -> &[String] {
    match &product.product.definition {
        Definition::Statistic(statistic) => statistic.dimensions.as_slice(),
        Definition::Model(_) | Definition::Verification(_) => &[],
    }
}

#[cfg(test)]
mod tests;
