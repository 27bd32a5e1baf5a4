//! Products over their loads, ready to be asked. Built off the call's path when a product is approved or a resource is
//! loaded; swapped in whole.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use lingqu_core::Timestamp;
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::product::{Definition, Load, ProductRef, SignedPolicy, Statistic};
use lingqu_guard::{Engine, GuardLimits};
use lingqu_tlog::Hash;

use crate::admission::holdings::{ApprovedProduct, Holdings};
use crate::evaluate::statistic::TableSource;
use crate::evaluate::{Prepared, model, statistic, verification};
use crate::sources::Register;

/// A resource as configured.
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) environments: Vec<Environment>,
    pub(crate) register: Arc<dyn Register>,
}

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
    prepared: Arc<Prepared>,
}

/// Every product that can be asked right now.
pub(crate) struct Products {
    resources: Vec<Resource>,
    limits: ProductLimits,
    /// Sample data and production data each have an engine of their own: a template of the one cannot name a table of
    /// the other, since it is not there.
    samples: OnceLock<Option<Arc<Engine>>>,
    production: OnceLock<Option<Arc<Engine>>>,
    open: ArcSwap<BTreeMap<Key, Open>>,
    /// One preparation at a time: it is memory- and processor-heavy.
    preparing: Mutex<()>,
}

/// Why a product cannot be opened. Names columns and rules, never values.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error(transparent)]
    Model(#[from] model::PrepareRefused),
    #[error("the statistics engine cannot be started")]
    Engine,
    #[error(transparent)]
    Statistic(#[from] statistic::PrepareRefused),
    #[error(transparent)]
    Verification(#[from] verification::PrepareRefused),
}

impl Products {
    pub(crate) fn new(resources: Vec<Resource>, limits: ProductLimits) -> Products {
        Products {
            resources,
            limits,
            samples: OnceLock::new(),
            production: OnceLock::new(),
            open: ArcSwap::default(),
            preparing: Mutex::new(()),
        }
    }

    /// The product that the permit allows, over the environment's own resource and no other.
    pub(crate) fn get(&self, permit: &Permit) -> Option<Arc<Prepared>> {
        self.opened(
            permit.product(),
            permit.environment(),
            permit.product_digest(),
        )
    }

    /// The same by name, for listings.
    pub(crate) fn opened(
        &self,
        product: &ProductRef,
        environment: Environment,
        digest: Hash,
    ) -> Option<Arc<Prepared>> {
        let open = self.open.load();
        let found = open.get(&(product.clone(), environment))?;
        (found.digest == digest).then(|| Arc::clone(&found.prepared))
    }

    /// The dates that the open products answer from, by resource and environment: the oldest, if a resource is open in
    /// several loads.
    pub(crate) fn dates(&self) -> BTreeMap<(String, Environment), Timestamp> {
        let mut dates = BTreeMap::new();
        for ((_, environment), open) in self.open.load().iter() {
            for load in open.prepared.loads() {
                let date = dates.entry((load.resource.clone(), *environment));
                let date = date.or_insert(load.as_of);
                *date = load.as_of.min(*date);
            }
        }
        dates
    }

    /// How many are open, in whatever number of environments.
    pub(crate) fn len(&self) -> usize {
        let open = self.open.load();
        let products: BTreeSet<&ProductRef> = open.keys().map(|(product, _)| product).collect();
        products.len()
    }

    /// Opens what is approved and not open yet, closes what is no longer approved. Returns the new loads. Blocking.
    /// What is approved is asked once it is this preparation's turn: one that waited would otherwise close what the one
    /// before it has opened since.
    pub(crate) fn prepare(&self, holdings: impl FnOnce() -> Arc<Holdings>) -> Vec<Load> {
        let _one_at_a_time = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.open.load_full();
        let holdings = holdings();
        let mut open = BTreeMap::new();
        let mut loads: Vec<Load> = Vec::new();
        for product in holdings.approved() {
            let own = |resource: &&Resource| resource.name == product.product.resource;
            for resource in self.resources.iter().filter(own) {
                let key =
                    |environment: &Environment| (product.product.reference.clone(), *environment);
                let policies = policies(product, &holdings);
                let is_same = |found: &&Open| {
                    found.digest == product.digest && Some(&found.policies) == policies.as_ref()
                };
                let kept = resource
                    .environments
                    .iter()
                    .find_map(|environment| before.get(&key(environment)).filter(is_same).cloned());
                let opened = kept.or_else(|| {
                    let prepared = self.build(product, resource, policies.as_deref()?)?;
                    loads.extend_from_slice(prepared.loads());
                    Some(Open {
                        digest: product.digest,
                        policies: policies.clone()?,
                        prepared: Arc::new(prepared),
                    })
                });
                // One reading serves every environment of the resource; no other resource is in it.
                for environment in &resource.environments {
                    open.extend(opened.clone().map(|opened| (key(environment), opened)));
                }
            }
        }
        self.open.store(Arc::new(open));
        loads
    }

    fn build(
        &self,
        approved: &ApprovedProduct,
        resource: &Resource,
        policies: &[Arc<SignedPolicy>],
    ) -> Option<Prepared> {
        let product = &approved.product;
        let register = resource.register.as_ref();
        let limits = &self.limits;
        let built: Result<Prepared, Unopened> = match &product.definition {
            Definition::Model(definition) => {
                model::Prepared::build(definition, register, limits.rows_max)
                    .map(Prepared::Model)
                    .map_err(Unopened::from)
            }
            Definition::Statistic(definition) => self
                .build_statistic(definition, resource, policies)
                .map(Prepared::Statistic),
            Definition::Verification(_) => verification::Prepared::build(
                product,
                register,
                limits.rows_max,
                limits.rows_per_key_max,
            )
            .map(Prepared::Verification)
            .map_err(Unopened::from),
        };
        match built {
            Ok(prepared) => {
                let product = &product.reference;
                let rows: u64 = prepared.loads().iter().map(|load| load.rows).sum();
                tracing::info!(%product, resource = resource.name, rows, "product opened");
                Some(prepared)
            }
            Err(error) => {
                let product = &product.reference;
                tracing::error!(%product, resource = resource.name, %error, "product cannot be opened");
                None
            }
        }
    }

    fn build_statistic(
        &self,
        definition: &Statistic,
        resource: &Resource,
        policies: &[Arc<SignedPolicy>],
    ) -> Result<statistic::Prepared, Unopened> {
        let mut sources = Vec::new();
        for policy in policies {
            // The public tables too must serve each of the resource's environments, and so not be somewhere else.
            let serves = |candidate: &&Resource| {
                candidate.name == policy.resource
                    && resource
                        .environments
                        .iter()
                        .all(|environment| candidate.environments.contains(environment))
            };
            let found =
                self.resources.iter().find(serves).ok_or_else(|| {
                    statistic::PrepareRefused::TableMissing(policy.resource.clone())
                })?;
            sources.push(TableSource {
                name: &found.name,
                policy: Arc::new(policy.policy.clone()),
                register: found.register.as_ref(),
            });
        }
        let engine = self
            .engine(&resource.environments)
            .ok_or(Unopened::Engine)?;
        Ok(statistic::Prepared::build(
            definition,
            &sources,
            &engine,
            &self.limits.guard,
        )?)
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
    let dimensions = match &product.product.definition {
        Definition::Statistic(statistic) => statistic.dimensions.as_slice(),
        Definition::Model(_) | Definition::Verification(_) => &[],
    };
    let own = std::iter::once(Some(Arc::clone(&product.policy)));
    own.chain(dimensions.iter().map(|name| holdings.policy_on(name)))
        .collect()
}
